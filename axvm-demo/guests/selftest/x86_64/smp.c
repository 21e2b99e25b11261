// SPDX-License-Identifier: Apache-2.0
// A second CPU: INIT and start-up, interrupts from one to the other.
#include "selftest.h"

#define VECTOR_PING 0x60
#define VECTOR_PONG 0x61
#define PINGS       1000u
#define PATIENCE    UINT64_C(20000000000) // ticks

static volatile uint32_t id_seen = UINT32_MAX;
static volatile uint32_t pings;
static volatile uint32_t pongs;

static void send(uint32_t cpu, uint32_t vector)
{
    lapic_write(LAPIC_ICR_HIGH, cpu << 24);
    lapic_write(LAPIC_ICR, vector);
}

static void on_irq(uint8_t vector)
{
    lapic_write(LAPIC_EOI, 0);
    if (vector == VECTOR_PING) {
        pings = pings + 1;
        send(0, VECTOR_PONG);
    } else if (vector == VECTOR_PONG) {
        pongs = pongs + 1;
    }
}

static void second(void)
{
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    id_seen = guest_cpuid(1, 0).ebx >> 24;
    for (;;) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static bool wait_second(void)
{
    const uint64_t start = guest_ticks();

    while (id_seen == UINT32_MAX && guest_ticks() - start < PATIENCE) {
        __asm__ volatile("pause");
    }
    return id_seen != UINT32_MAX;
}

void test_smp(void)
{
    guest_irq_handler(on_irq);
    guest_cpu_start(1, second);
    if (!GUEST_CHECK(wait_second(), "a second CPU starts")) {
        return;
    }
    GUEST_CHECK_EQ(id_seen, 1, "it has its own APIC id");
    for (uint32_t i = 1; i <= PINGS; i++) {
        send(1, VECTOR_PING);
        while (pongs < i) {
            __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
        }
    }
    GUEST_CHECK_EQ(pings, PINGS, "interrupts go there and back");
}
