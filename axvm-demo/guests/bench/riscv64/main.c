// SPDX-License-Identifier: Apache-2.0
// What an exit costs. Under -icount shift=0 one instruction takes one nanosecond of guest time, so
// the nanoseconds printed here are instructions per round trip, and the same in every run.
#include "arch.h"

#define ROUNDS 1000u

static volatile uint64_t interrupt_seen;
static volatile uint64_t other_seen;

static void empty(void) {}

static void fast_call(void)
{
    register uint64_t a0 __asm__("a0") = 0;
    register uint64_t a6 __asm__("a6") = SBI_BASE_VERSION;
    register uint64_t a7 __asm__("a7") = SBI_BASE;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a6), "r"(a7) : "a1", "memory");
}

static void host_call(void)
{
    register uint64_t a0 __asm__("a0") = 0;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = SBI_EXPERIMENTAL | GUEST_HC_NONE;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a6), "r"(a7) : "a1", "memory");
}

static void device_read(void)
{
    (void)mmio_read32(GUEST_SCRATCH_BASE);
}

static void device_write(void)
{
    mmio_write32(GUEST_SCRATCH_BASE, 1);
}

static void device_read_compressed(void)
{
    register uint64_t value __asm__("a0");
    register uint64_t address __asm__("a1") = GUEST_SCRATCH_BASE;

    __asm__ volatile("c.lw a0, 0(a1)" : "=r"(value) : "r"(address) : "memory");
}

static void set_timer(void)
{
    register uint64_t a0 __asm__("a0") = UINT64_MAX;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = SBI_TIME;

    __asm__ volatile("ecall" : "+r"(a0) : "r"(a6), "r"(a7) : "a1", "memory");
}

static void on_interrupt(uint32_t irq)
{
    if (irq == GUEST_IRQ_TIMER) {
        set_timer();
    }
    if (guest_cpu() == 0) {
        interrupt_seen++;
    } else {
        other_seen++;
        guest_ipi(0);
    }
}

static void wait_interrupt(uint64_t count)
{
    guest_irq_on();
    while (interrupt_seen < count) {
        __asm__ volatile("nop");
    }
    guest_irq_off();
}

static void ipi_to_self(void)
{
    const uint64_t count = interrupt_seen + 1;

    guest_ipi(0);
    wait_interrupt(count);
}

// There and back. Both harts sleep meanwhile: they may share a CPU.
static void ipi_to_other(void)
{
    const uint64_t count = interrupt_seen + 1;

    guest_ipi(1);
    while (interrupt_seen < count) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
}

static void timer_interrupt(void)
{
    const uint64_t count = interrupt_seen + 1;

    (void)guest_sbi3(SBI_TIME, 0, 0, 0, 0);
    wait_interrupt(count);
}

typedef struct Case {
    const char *name;
    void (*run)(void);
} Case;

static const Case cases[] = {
    {"hypercall-in-backend", fast_call},
    {"hypercall-to-host", host_call},
    {"set-timer", set_timer},
    {"mmio-read", device_read},
    {"mmio-write", device_write},
    {"mmio-read-compressed", device_read_compressed},
    {"ipi-to-self", ipi_to_self},
    {"timer-interrupt", timer_interrupt},
};

static const Case case_of_two = {"ipi-there-and-back", ipi_to_other};

static uint64_t measure(void (*run)(void))
{
    const uint64_t begin = guest_ticks();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        run();
    }
    return guest_ticks() - begin;
}

static void run_case(const Case *c)
{
    const uint64_t ns_per_tick = UINT64_C(1000000000) / guest_tick_rate();
    const uint64_t overhead = measure(empty);

    c->run();
    const uint64_t ticks = measure(c->run) - overhead;

    guest_printf("BENCH %s %lu ns\n", c->name, ticks * ns_per_tick / ROUNDS);
}

static void second_cpu(void)
{
    guest_plic_init_cpu();
    other_seen = 1;
    for (;;) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
}

void guest_main(void)
{
    guest_plic_init();
    guest_plic_init_cpu();
    guest_irq_handler(on_interrupt);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_case(&cases[i]);
    }
    if (guest_cpu_start(1, second_cpu) == SBI_SUCCESS) {
        while (other_seen == 0) {
            __asm__ volatile("nop");
        }
        run_case(&case_of_two);
    }
}
