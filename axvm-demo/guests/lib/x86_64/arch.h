// SPDX-License-Identifier: Apache-2.0
// Ring 0 of the x86_64 machine, for guest programs.
#pragma once

#include "guest.h"

#define GUEST_UART_PORT 0x3f8
#define GUEST_PM1       0x604 // power-off: GUEST_PM1_OFF
#define GUEST_PM1_OFF   0x3400
#define GUEST_LOAD      0x8000 // guest.ld
#define GUEST_CPUS      4u     // entry.S has stacks for so many

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// VMMCALL on an AMD processor, else VMCALL; returns rax.
uint64_t guest_hypercall(uint64_t nr, uint64_t argument);

// ---- exceptions and interrupts ----
typedef struct GuestFault {
    bool taken;
    uint8_t vector;
    uint64_t error;
} GuestFault;

// Where the instruction under test continues when it faults; set by GUEST_TRY.
extern volatile uint64_t guest_resume;
extern volatile GuestFault guest_fault;

// One instruction, with its operands: a fault ends it and is in guest_fault.
#define GUEST_TRY(code, ...)                                                  \
    do {                                                                      \
        guest_fault.taken = false;                                            \
        __asm__ volatile("leaq 1f(%%rip), %%r11\n\t"                          \
                         "movq %%r11, guest_resume(%%rip)\n\t" code           \
                         "\n1:\n\tmovq $0, guest_resume(%%rip)" __VA_ARGS__); \
    } while (0)

// Called with interrupts off for each one taken, from vector 32 on. It says the end of interrupt.
typedef void (*GuestIrqHandler)(uint8_t vector);
void guest_irq_handler(GuestIrqHandler handler);

typedef struct GuestCpuid {
    uint32_t eax, ebx, ecx, edx;
} GuestCpuid;

static inline GuestCpuid guest_cpuid(uint32_t leaf, uint32_t subleaf)
{
    GuestCpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// ---- local APIC ----
#define GUEST_LAPIC UINT64_C(0xfee00000)

static inline void lapic_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(GUEST_LAPIC + offset) = value;
}

static inline uint32_t lapic_read(uint32_t offset)
{
    return *(volatile uint32_t *)(GUEST_LAPIC + offset);
}

// Another CPU, by its APIC id, runs `program` and then halts. It need not be there.
void guest_cpu_start(uint32_t cpu, void (*program)(void));
