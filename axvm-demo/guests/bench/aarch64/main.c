// SPDX-License-Identifier: Apache-2.0
// What an exit costs. Under -icount shift=0 one instruction takes one nanosecond of guest time, so
// the nanoseconds printed here are instructions per round trip, and the same in every run.
#include "arch.h"

#define ROUNDS 1000u

#define PPI_VIRTUAL 27u
#define SGI         1u

static volatile uint64_t interrupt_seen;

static void empty(void) {}

static void fast_call(void)
{
    register uint64_t x0 __asm__("x0") = PSCI_VERSION;

    __asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}

static void host_call(void)
{
    register uint64_t x0 __asm__("x0") = GUEST_HC_NONE;

    __asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}

static void device_read(void)
{
    (void)mmio_read32(GUEST_SCRATCH_BASE);
}

static void device_write(void)
{
    mmio_write32(GUEST_SCRATCH_BASE, 1);
}

static void device_pair(void)
{
    uint64_t a;
    uint64_t b;

    __asm__ volatile("ldp %0, %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(GUEST_SCRATCH_BASE) : "memory");
}

static void id_register(void)
{
    (void)READ_SYSREG(id_aa64pfr0_el1);
}

static void on_interrupt(uint32_t intid)
{
    if (intid == PPI_VIRTUAL) {
        WRITE_SYSREG(cntv_ctl_el0, 0);
    }
    interrupt_seen++;
}

static void wait_interrupt(uint64_t count)
{
    guest_irq_on();
    while (interrupt_seen < count) {
        __asm__ volatile("nop");
    }
    guest_irq_off();
}

static void sgi_to_self(void)
{
    const uint64_t count = interrupt_seen + 1;

    guest_sgi(SGI, 0);
    wait_interrupt(count);
}

static void timer_interrupt(void)
{
    const uint64_t count = interrupt_seen + 1;

    WRITE_SYSREG(cntv_tval_el0, 0);
    WRITE_SYSREG(cntv_ctl_el0, 1);
    wait_interrupt(count);
}

typedef struct Case {
    const char *name;
    void (*run)(void);
} Case;

static const Case cases[] = {
    {"hypercall-in-backend", fast_call}, {"hypercall-to-host", host_call},
    {"id-register-read", id_register},   {"mmio-read", device_read},
    {"mmio-write", device_write},        {"mmio-pair-decoded", device_pair},
    {"sgi-to-self", sgi_to_self},        {"timer-interrupt", timer_interrupt},
};

static uint64_t measure(void (*run)(void))
{
    const uint64_t begin = guest_ticks();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        run();
    }
    return guest_ticks() - begin;
}

void guest_main(void)
{
    const uint64_t ns_per_tick = UINT64_C(1000000000) / guest_tick_rate();
    const uint64_t overhead = measure(empty);

    guest_gic_init();
    guest_gic_init_cpu();
    guest_irq_handler(on_interrupt);
    guest_irq_config(SGI, 0x80, true);
    guest_irq_config(PPI_VIRTUAL, 0x80, true);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cases[i].run();
        const uint64_t ticks = measure(cases[i].run) - overhead;

        guest_printf("BENCH %s %lu ns\n", cases[i].name, ticks * ns_per_tick / ROUNDS);
    }
}
