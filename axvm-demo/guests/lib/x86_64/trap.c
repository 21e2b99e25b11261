// SPDX-License-Identifier: Apache-2.0
// Exceptions and interrupts of guest programs, in 64-bit mode.
#include "trap.h"

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

typedef struct __attribute__((packed)) Tss {
    uint32_t reserved1;
    uint64_t rsp[3];
    uint64_t reserved2;
    uint64_t ist[7];
    uint64_t reserved3;
    uint16_t reserved4;
    uint16_t io_map;
} Tss;

#define GATE_INTERRUPT 0x8e00
#define GATE_USER      0x6000
#define GATE_PRESENT   0x8000
#define VECTOR_SIZE    UINT64_C(16)
#define IRQ_FIRST      32
#define SEL_TSS        0x80u
#define TSS_AVAILABLE  UINT64_C(0x0000890000000000)
#define STACK_SIZE     4096u
#define STACKS         4u // ring 0, and GUEST_IST_* but the last

typedef struct Cpu {
    Tss tss;
    GuestContext *context;
    uint8_t stacks[STACKS][STACK_SIZE] __attribute__((aligned(16)));
} Cpu;

extern const uint8_t guest_vectors[];
extern const uint8_t guest_context_return[];
void guest_trap(Frame *frame);

volatile uint64_t guest_resume;
volatile GuestFault guest_fault;
volatile uint64_t guest_irq_rip;
static GuestIrqHandler irq_handler;
static Gate idt[256] __attribute__((aligned(16)));
static Cpu cpus[GUEST_CPUS];

uint32_t guest_cpu(void)
{
    uint32_t selector;

    __asm__ volatile("str %0" : "=r"(selector));
    return (selector - SEL_TSS) / 16;
}

void guest_irq_handler(GuestIrqHandler handler)
{
    irq_handler = handler;
}

static _Noreturn void die(const Frame *frame)
{
    guest_printf("# unexpected vector %lu error 0x%lx rip 0x%lx cr2 0x%lx\n", frame->vector,
                 frame->error, frame->rip, READ_CR(2));
    guest_exit(2);
}

// ---- contexts ----

// Where entry.S has pushed register `n`. RSP is the processor's to push.
static uint64_t *gpr_of(Frame *frame, unsigned n)
{
    if (n == RSP) {
        return &frame->rsp;
    }
    return &frame->gpr[n < RSP ? 14 - n : 15 - n];
}

static void end_context(GuestContext *context, Frame *frame)
{
    for (unsigned n = 0; n < 16; n++) {
        context->r[n] = *gpr_of(frame, n);
    }
    context->rip = frame->rip;
    context->rflags = frame->rflags;
    context->cs = frame->cs;
    context->ss = frame->ss;
    context->vector = frame->vector;
    context->error = frame->error;
    context->cr2 = READ_CR(2);
    if (frame->vector == VECTOR_DB) {
        context->dr6 = READ_DR(6);
        WRITE_DR(6, 0);
    }
    frame->rip = (uint64_t)guest_context_return;
    frame->cs = SEL_CODE64;
    frame->rflags = RFLAGS_1;
    frame->rsp = context->host_rsp;
    frame->ss = SEL_DATA;
}

void guest_context_run(GuestContext *context)
{
    cpus[guest_cpu()].context = context;
    guest_context_enter(context);
}

static void try_ended(Frame *frame)
{
    guest_fault.taken = true;
    guest_fault.vector = (uint8_t)frame->vector;
    guest_fault.error = frame->error;
    frame->rip = guest_resume;
    guest_resume = 0;
}

// Called by entry.S.
void guest_trap(Frame *frame)
{
    Cpu *cpu = &cpus[guest_cpu()];
    const bool is_irq = frame->vector >= IRQ_FIRST || frame->vector == VECTOR_NMI;

    if (is_irq && irq_handler != NULL) {
        guest_irq_rip = frame->rip;
        irq_handler((uint8_t)frame->vector);
    } else if (cpu->context != NULL) {
        end_context(cpu->context, frame);
        cpu->context = NULL;
    } else if (guest_resume != 0) {
        try_ended(frame);
    } else {
        die(frame);
    }
}

// ---- tables ----

void guest_gate(uint8_t vector, unsigned ist, bool present)
{
    idt[vector].type = (uint16_t)((present ? GATE_INTERRUPT : GATE_INTERRUPT & ~GATE_PRESENT) |
                                  (vector == VECTOR_BP || vector == VECTOR_OF ? GATE_USER : 0) |
                                  ist);
}

void guest_test_stack(uint64_t top)
{
    cpus[guest_cpu()].tss.ist[GUEST_IST_TEST - 1] = top;
}

static unsigned ist_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_NMI: return GUEST_IST_NMI;
    case VECTOR_DF: return GUEST_IST_DF;
    default: return vector < IRQ_FIRST ? GUEST_IST_EXCEPTION : 0;
    }
}

void guest_trap_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        const uint64_t handler = (uint64_t)guest_vectors + VECTOR_SIZE * i;

        idt[i] = (Gate){
            .offset_low = (uint16_t)handler,
            .selector = SEL_CODE64,
            .offset_middle = (uint16_t)(handler >> 16),
            .offset_high = (uint32_t)(handler >> 32),
        };
        guest_gate((uint8_t)i, ist_of(i), true);
    }
}

static void load_tss(uint32_t number)
{
    Cpu *cpu = &cpus[number];
    const uint64_t base = (uint64_t)&cpu->tss;
    const uint16_t selector = (uint16_t)(SEL_TSS + 16 * number);

    cpu->tss.rsp[0] = (uint64_t)cpu->stacks[1];
    for (unsigned ist = GUEST_IST_EXCEPTION; ist <= GUEST_IST_DF; ist++) {
        cpu->tss.ist[ist - 1] = (uint64_t)cpu->stacks[ist] + STACK_SIZE;
    }
    cpu->tss.io_map = sizeof(Tss);
    guest_gdt[selector / 8] = (sizeof(Tss) - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE |
                              (base >> 24 & 0xff) << 56;
    guest_gdt[selector / 8 + 1] = base >> 32;
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

void guest_trap_init_cpu(uint32_t number)
{
    guest_trap_load_idt();
    load_tss(number);
}

void guest_trap_load_idt(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}
