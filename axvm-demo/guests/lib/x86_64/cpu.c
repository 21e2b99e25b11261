// SPDX-License-Identifier: Apache-2.0
#include "trap.h"

// ---- hypercalls, console, time ----

#define VENDOR_AMD_EBX UINT32_C(0x68747541) // "Auth"

static bool is_amd;

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

// ---- address translation ----

extern volatile uint64_t guest_pt_window[512];

uint64_t guest_map(unsigned index, uint64_t address, uint64_t pte)
{
    const uint64_t page = GUEST_WINDOW + index * GUEST_PAGE;

    guest_pt_window[index] = address | pte;
    __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
    return page;
}

uint64_t guest_pte(unsigned index)
{
    return guest_pt_window[index];
}

// ---- start ----

void guest_start(void);
void guest_cpu_main(uint32_t cpu);

static void (*cpu_programs[GUEST_CPUS])(void);

void guest_cpu_start(uint32_t cpu, void (*program)(void))
{
    cpu_programs[cpu] = program;
    lapic_send(cpu, ICR_INIT);
    lapic_send(cpu, ICR_STARTUP | GUEST_LOAD >> 12);
}

// Called by entry.S.
void guest_cpu_main(uint32_t cpu)
{
    guest_trap_init_cpu(cpu);
    cpu_programs[cpu]();
}

// Called by entry.S.
void guest_start(void)
{
    is_amd = guest_cpuid(0, 0).ebx == VENDOR_AMD_EBX;
    guest_trap_init();
    guest_trap_init_cpu(0);
    guest_main();
    guest_finish();
}
