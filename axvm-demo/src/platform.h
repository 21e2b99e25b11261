// SPDX-License-Identifier: Apache-2.0
/*
 * What the demo needs of an architecture and a board. One folder src/<arch>/ implements it; one
 * folder is compiled. All functions run on the calling pCPU, host interrupts are always masked.
 */
#pragma once

#include "hostinfo.h"

#include <axvcpu/types.h>

/* Ends the machine; `success` becomes the emulator's exit status where there is a way to tell it. */
_Noreturn void platform_exit(bool success);

/*
 * Makes [base, base + size) accessible at the same address, as memory or as device registers. The
 * hypervisor's image keeps its rights. False when the page tables are used up.
 */
bool platform_map(uint64_t base, uint64_t size, bool device);

/* Where the hypervisor itself lies, with its stacks. */
Range platform_image(void);

/* What describes the machine, for messages: "device tree". */
extern const char platform_source[];

/*
 * Reads the machine from what the boot loader passed to demo_main(). False with a sentence in `why`
 * when it is malformed or lacks a part.
 */
bool platform_read(HostInfo *info, const void *boot, const char **why);

/* The machine as it was read: console, interrupt controller, timer. */
void platform_init(const HostInfo *info);
/* The same for the calling secondary pCPU's own parts. */
void platform_init_pcpu(const HostInfo *info);
/*
 * Of the calling CPU, no other has it: on x86-64 its APIC id, on AArch64 its MPIDR, on RISC-V its hart
 * id until platform_init or platform_init_pcpu, and the pCPU's number from then on. From a fault, too.
 */
uint64_t platform_cpu_number(void);
/*
 * Switches on pCPU `id`, which is not the calling one: it comes up in demo_secondary(). False when
 * the firmware refuses.
 */
bool platform_start_pcpu(const HostInfo *info, AxPCpuId id);

/* ---- console ---- */
void uart_put(uint8_t byte);
/* False when nothing was typed. */
bool uart_get(uint8_t *byte);

/* ---- time ---- */
/* The table of AxVCpuHal has it itself: it is asked for at every exit of a guest. */
uint64_t hal_now_ns(void *ctx);
static inline uint64_t time_now_ns(void)
{
    return hal_now_ns(NULL);
}

/* One interrupt at host time `deadline_ns`; AX_DEADLINE_NONE (UINT64_MAX) switches it off. */
void time_arm(uint64_t deadline_ns);

/* ---- interrupts: see AxVCpuHal ---- */
uint64_t irq_fetch(void);
void irq_handle(uint64_t vector);
void irq_set_active(uint64_t vector, bool active);
void irq_kick(AxPCpuId pcpu);
/* Returns when an interrupt is pending, which stays pending. */
void irq_wait(void);

/* Index into HostInfo.cpus; after platform_init or platform_init_pcpu. As hal_now_ns. */
AxPCpuId hal_this_pcpu(void *ctx);
static inline AxPCpuId this_pcpu(void)
{
    return hal_this_pcpu(NULL);
}
