// SPDX-License-Identifier: Apache-2.0
#include "arch.h"

#define VENDOR_AMD_EBX UINT32_C(0x68747541) // "Auth"

static bool is_amd;

static void find_vendor(void)
{
    is_amd = guest_cpuid(0, 0).ebx == VENDOR_AMD_EBX;
}

uint64_t guest_hypercall(uint64_t nr, uint64_t argument)
{
    if (is_amd) {
        __asm__ volatile("vmmcall" : "+a"(nr) : "D"(argument) : "memory");
    } else {
        __asm__ volatile("vmcall" : "+a"(nr) : "D"(argument) : "memory");
    }
    return nr;
}

void guest_putc(char c)
{
    if (c == '\n') {
        port_write8(GUEST_UART_PORT, '\r');
    }
    port_write8(GUEST_UART_PORT, (uint8_t)c);
}

uint64_t guest_ticks(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

void guest_exit(uint64_t status)
{
    (void)guest_hypercall(GUEST_HC_EXIT, status);
    for (;;) {
        __asm__ volatile("hlt");
    }
}

// ---- exceptions and interrupts ----

typedef struct Frame {
    uint64_t gpr[15];
    uint64_t vector;
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
} Frame;

typedef struct Gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
} Gate;

#define CODE_SELECTOR  8
#define GATE_INTERRUPT 0x8e00
#define VECTOR_SIZE    16
#define IRQ_FIRST      32

#define LAPIC_ICR      0x300
#define LAPIC_ICR_HIGH 0x310
#define ICR_INIT       0x4500
#define ICR_STARTUP    0x4600

extern const uint8_t guest_vectors[];
void guest_trap(Frame *frame);
void guest_start(void);
void guest_cpu_main(uint32_t cpu);

volatile uint64_t guest_resume;
volatile GuestFault guest_fault;
static GuestIrqHandler irq_handler;
static Gate idt[256] __attribute__((aligned(16)));

void guest_irq_handler(GuestIrqHandler handler)
{
    irq_handler = handler;
}

static _Noreturn void die(const Frame *frame)
{
    uint64_t cr2;

    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    guest_printf("# unexpected vector %lu error 0x%lx rip 0x%lx cr2 0x%lx\n", frame->vector,
                 frame->error, frame->rip, cr2);
    guest_exit(2);
}

// Called by entry.S.
void guest_trap(Frame *frame)
{
    if (frame->vector >= IRQ_FIRST && irq_handler != NULL) {
        irq_handler((uint8_t)frame->vector);
        return;
    }
    if (guest_resume == 0) {
        die(frame);
    }
    guest_fault.taken = true;
    guest_fault.vector = (uint8_t)frame->vector;
    guest_fault.error = frame->error;
    frame->rip = guest_resume;
    guest_resume = 0;
}

static void load_idt(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void make_idt(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        const uint64_t handler = (uint64_t)guest_vectors + VECTOR_SIZE * i;

        idt[i] = (Gate){
            .offset_low = (uint16_t)handler,
            .selector = CODE_SELECTOR,
            .type = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(handler >> 16),
            .offset_high = (uint32_t)(handler >> 32),
        };
    }
}

static void (*cpu_programs[GUEST_CPUS])(void);

void guest_cpu_start(uint32_t cpu, void (*program)(void))
{
    cpu_programs[cpu] = program;
    lapic_write(LAPIC_ICR_HIGH, cpu << 24);
    lapic_write(LAPIC_ICR, ICR_INIT);
    lapic_write(LAPIC_ICR_HIGH, cpu << 24);
    lapic_write(LAPIC_ICR, ICR_STARTUP | GUEST_LOAD >> 12);
}

// Called by entry.S.
void guest_cpu_main(uint32_t cpu)
{
    load_idt();
    cpu_programs[cpu]();
}

// Called by entry.S.
void guest_start(void)
{
    find_vendor();
    make_idt();
    load_idt();
    guest_main();
    guest_finish();
}
