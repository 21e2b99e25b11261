// SPDX-License-Identifier: Apache-2.0
// What an exit costs. Under QEMU's -icount shift=0 the TSC counts nanoseconds of guest time, each of
// which is one instruction, and in Bochs it counts instructions: what is printed as nanoseconds are
// instructions per round trip, and the same in every run.
#include "arch.h"

#define ROUNDS   1000u
#define PATIENCE UINT64_C(50000000) // ticks

#define VECTOR_TIMER 0x40u
#define VECTOR_IPI   0x50u
#define DIVIDE_BY_1  0xbu
#define SCRATCH_PORT (GUEST_UART_PORT + 7u)

static volatile uint64_t interrupt_seen;
static volatile uint64_t other_seen;

static void empty(void) {}

static void host_call(void)
{
    (void)guest_hypercall(GUEST_HC_NONE, 0);
}

static void cpuid(void)
{
    (void)guest_cpuid(0, 0);
}

static void msr_read(void)
{
    (void)read_msr(MSR_APIC_BASE);
}

static void msr_write(void)
{
    write_msr(MSR_TSC_DEADLINE, 0);
}

static void port_read(void)
{
    (void)port_read8(SCRATCH_PORT);
}

static void port_write(void)
{
    port_write8(SCRATCH_PORT, 1);
}

static void device_read(void)
{
    (void)*(volatile uint32_t *)GUEST_SCRATCH_BASE;
}

static void device_write(void)
{
    *(volatile uint32_t *)GUEST_SCRATCH_BASE = 1;
}

static void apic_read(void)
{
    (void)lapic_read(LAPIC_VERSION);
}

static void apic_write(void)
{
    lapic_write(LAPIC_LVT_LINT1, LVT_MASKED);
}

static void on_interrupt(uint8_t vector)
{
    (void)vector;
    lapic_write(LAPIC_EOI, 0);
    if (guest_cpu() == 0) {
        interrupt_seen++;
    } else {
        other_seen++;
        lapic_send(0, VECTOR_IPI);
    }
}

static void wait_interrupt(uint64_t count)
{
    __asm__ volatile("sti");
    while (interrupt_seen < count) {
        __asm__ volatile("nop");
    }
    __asm__ volatile("cli");
}

static void wait_by_halt(uint64_t count)
{
    while (interrupt_seen < count) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static void ipi_to_self(void)
{
    const uint64_t count = interrupt_seen + 1;

    lapic_write(LAPIC_ICR, ICR_SELF | VECTOR_IPI);
    wait_interrupt(count);
}

// There and back. Both CPUs sleep meanwhile: they may share one.
static void ipi_to_other(void)
{
    const uint64_t count = interrupt_seen + 1;

    lapic_send(1, VECTOR_IPI);
    wait_by_halt(count);
}

static void timer_interrupt(void)
{
    const uint64_t count = interrupt_seen + 1;

    lapic_write(LAPIC_INITIAL, 1);
    wait_interrupt(count);
}

static void halt_and_wake(void)
{
    const uint64_t count = interrupt_seen + 1;

    lapic_write(LAPIC_INITIAL, 1);
    wait_by_halt(count);
}

typedef struct Case {
    const char *name;
    void (*run)(void);
} Case;

static const Case cases[] = {
    {"hypercall-to-host", host_call}, {"cpuid", cpuid},
    {"msr-read", msr_read},           {"msr-write", msr_write},
    {"port-read", port_read},         {"port-write", port_write},
    {"mmio-read", device_read},       {"mmio-write", device_write},
    {"apic-read", apic_read},         {"apic-write", apic_write},
    {"ipi-to-self", ipi_to_self},     {"timer-interrupt", timer_interrupt},
    {"halt-and-wake", halt_and_wake},
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
    const uint64_t overhead = measure(empty);

    c->run();
    const uint64_t ticks = measure(c->run) - overhead;

    guest_printf("BENCH %s %lu ns\n", c->name, ticks / ROUNDS);
}

static void init_apic(void)
{
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
}

static void second_cpu(void)
{
    init_apic();
    other_seen = 1;
    for (;;) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static bool second_comes(void)
{
    const uint64_t begin = guest_ticks();

    guest_cpu_start(1, second_cpu);
    while (other_seen == 0 && guest_ticks() - begin < PATIENCE) {
        __asm__ volatile("pause");
    }
    return other_seen != 0;
}

void guest_main(void)
{
    guest_irq_handler(on_interrupt);
    init_apic();
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_case(&cases[i]);
    }
    if (second_comes()) {
        run_case(&case_of_two);
    }
}
