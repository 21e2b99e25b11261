// SPDX-License-Identifier: Apache-2.0
// The timer of the local APIC, and interrupts that come while the CPU waits.
#include "selftest.h"

#define DIVIDE_BY_1 0xb

#define VECTOR_TIMER 0x40
#define VECTOR_SELF  0x50
#define TICKS        1000000

static volatile uint32_t counts[256];

static void on_irq(uint8_t vector)
{
    counts[vector]++;
    lapic_write(LAPIC_EOI, 0);
}

static void wait_for(uint8_t vector, uint32_t count)
{
    __asm__ volatile("cli");
    while (counts[vector] < count) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static void one_shot(void)
{
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    lapic_write(LAPIC_INITIAL, TICKS);
    GUEST_CHECK(lapic_read(LAPIC_CURRENT) <= TICKS, "the timer counts down from where it begins");
    wait_for(VECTOR_TIMER, 1);
    GUEST_CHECK_EQ(counts[VECTOR_TIMER], 1, "a one-shot timer ends HLT");
    GUEST_CHECK_EQ(lapic_read(LAPIC_CURRENT), 0, "and stops");
}

static void periodic(void)
{
    counts[VECTOR_TIMER] = 0;
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LVT_PERIODIC);
    lapic_write(LAPIC_INITIAL, TICKS);
    wait_for(VECTOR_TIMER, 5);
    lapic_write(LAPIC_INITIAL, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    GUEST_CHECK(counts[VECTOR_TIMER] >= 5, "a periodic timer comes again and again");
}

static void self_ipi(void)
{
    lapic_write(LAPIC_ICR, ICR_SELF | VECTOR_SELF);
    wait_for(VECTOR_SELF, 1);
    GUEST_CHECK_EQ(counts[VECTOR_SELF], 1, "an interrupt to oneself arrives");
    lapic_write(LAPIC_TPR, VECTOR_SELF);
    lapic_write(LAPIC_ICR, ICR_SELF | VECTOR_SELF);
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
    GUEST_CHECK_EQ(counts[VECTOR_SELF], 1, "the task priority holds it back");
    lapic_write(LAPIC_TPR, 0);
    wait_for(VECTOR_SELF, 2);
    GUEST_CHECK_EQ(counts[VECTOR_SELF], 2, "until it is lowered");
}

void test_timers(void)
{
    guest_irq_handler(on_irq);
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    one_shot();
    periodic();
    self_ipi();
}
