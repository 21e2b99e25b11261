// SPDX-License-Identifier: Apache-2.0
#include "descriptors.h"

#include "layout.h"

#include <stddef.h>

#define VECTORS     256u
#define FAULTS      32u
#define FAULT_SIZE  16u // of an entry of fault_vectors
#define FAULT_STACK 4096u

#define GDT_CODE   UINT64_C(0x00af9b000000ffff)
#define GDT_DATA   UINT64_C(0x00cf93000000ffff)
#define GDT_CODE32 UINT64_C(0x00cf9b000000ffff)
#define GDT_TSS    (UINT64_C(0x89) << 40) // present, 64-bit TSS, not busy
#define GDT_FIXED  (SELECTOR_TSS / 8)

#define GATE_INTERRUPT 0x8e // present, interrupts stay masked
// NMI, #DF and #MC may come while another exception is handled.
#define IST_FAULT 1u
#define IST_OTHER 2u
#define IST_COUNT 2u

typedef struct Tss {
    uint32_t reserved0;
    uint32_t rsp[3][2];
    uint32_t reserved1[2];
    uint32_t ist[7][2];
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t io_map;
} Tss;

typedef struct Gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
} Gate;

typedef struct __attribute__((packed)) TablePointer {
    uint16_t limit;
    uint64_t base;
} TablePointer;

_Static_assert(sizeof(Tss) == 104 && offsetof(Tss, ist) == 36, "SDM 3, figure 8-11");
_Static_assert(sizeof(Gate) == 16, "SDM 3, figure 6-8");
_Static_assert(sizeof(TablePointer) == 10, "SDM 3, figure 2-6");

extern const uint8_t fault_vectors[];
void irq_vector_uart(void);
void irq_vector_timer(void);
void irq_vector_kick(void);
void irq_vector_spurious(void);

static uint64_t gdt[GDT_FIXED + 2 * STACK_COUNT];
static _Alignas(16) Gate idt[VECTORS];
static _Alignas(16) Tss tss[STACK_COUNT];
static _Alignas(16) uint8_t fault_stacks[STACK_COUNT][IST_COUNT][FAULT_STACK];

static void set_gate(uint32_t vector, uintptr_t handler, uint8_t ist)
{
    idt[vector] = (Gate){
        .offset_low = (uint16_t)handler,
        .selector = SELECTOR_CODE,
        .ist = ist,
        .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(handler >> 16),
        .offset_high = (uint32_t)((uint64_t)handler >> 32),
    };
}

static uint8_t stack_of_fault(uint32_t vector)
{
    static const uint32_t others = UINT32_C(1) << 2 | UINT32_C(1) << 8 | UINT32_C(1) << 18;

    return (others >> vector & 1) != 0 ? IST_OTHER : IST_FAULT;
}

static void set_gates(void)
{
    for (uint32_t i = 0; i < FAULTS; i++) {
        set_gate(i, (uintptr_t)fault_vectors + (uintptr_t)FAULT_SIZE * i, stack_of_fault(i));
    }
    set_gate(VECTOR_UART, (uintptr_t)irq_vector_uart, 0);
    set_gate(VECTOR_TIMER, (uintptr_t)irq_vector_timer, 0);
    set_gate(VECTOR_KICK, (uintptr_t)irq_vector_kick, 0);
    set_gate(VECTOR_SPURIOUS, (uintptr_t)irq_vector_spurious, 0);
}

static void set_tss(uint32_t i)
{
    const uint64_t base = (uintptr_t)&tss[i];
    uint64_t *entry = &gdt[GDT_FIXED + 2 * i];

    for (uint32_t ist = 0; ist < IST_COUNT; ist++) {
        const uint64_t top = (uintptr_t)fault_stacks[i][ist] + FAULT_STACK;

        tss[i].ist[ist][0] = (uint32_t)top;
        tss[i].ist[ist][1] = (uint32_t)(top >> 32);
    }
    tss[i].io_map = sizeof(Tss);
    entry[0] = GDT_TSS | (sizeof(Tss) - 1) | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    entry[1] = base >> 32;
}

void descriptors_start(void)
{
    gdt[SELECTOR_CODE / 8] = GDT_CODE;
    gdt[SELECTOR_DATA / 8] = GDT_DATA;
    gdt[SELECTOR_CODE32 / 8] = GDT_CODE32;
    for (uint32_t i = 0; i < STACK_COUNT; i++) {
        set_tss(i);
    }
    set_gates();
    descriptors_load(0);
}

void descriptors_load(uint32_t stack)
{
    const TablePointer gdt_pointer = {.limit = sizeof(gdt) - 1, .base = (uintptr_t)gdt};
    const TablePointer idt_pointer = {.limit = sizeof(idt) - 1, .base = (uintptr_t)idt};
    const uint16_t selector = (uint16_t)(SELECTOR_TSS + 16 * stack);

    __asm__ volatile("lgdt %0\n\tlidt %1" : : "m"(gdt_pointer), "m"(idt_pointer) : "memory");
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}
