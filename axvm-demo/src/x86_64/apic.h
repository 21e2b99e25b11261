// SPDX-License-Identifier: Apache-2.0
/*
 * A pCPU's interrupts: local APIC (SDM 3, chapter 11), by MSRs where the CPU has an x2APIC, and IOAPIC
 * (82093AA). They are taken in irq_fetch() and irq_wait() only, and completed by irq_handle().
 */
#pragma once

#include "board.h"

#include <axvcpu/types.h>

/* Once, the registers are mapped: everything masked. */
void apic_init(const AcpiInfo *acpi);
/* On each pCPU, whose APIC id is `id`. */
void apic_init_pcpu(AxPCpuId pcpu, uint64_t id);
/* The UART's interrupt goes to this pCPU. False when there is no IOAPIC input for it. */
bool apic_enable_uart(const AcpiInfo *acpi);

/* Whether apic_arm() takes a TSC value rather than ticks of the local APIC's timer. */
bool apic_has_deadline(void);
/* The current count of the timer, which is started with the highest. */
void apic_timer_start(void);
uint32_t apic_timer_elapsed(void);
/* An interrupt at this time of the TSC, or each time so many ticks have passed; 0 switches it off. */
void apic_arm(uint64_t when);

void apic_end_of_interrupt(void);
/* An interrupt that came together with one that was fetched, and waits for its end; AX_IRQ_NONE. */
uint64_t apic_next_noted(void);
void apic_send_init(uint64_t id);
/* The CPU begins in real mode at `addr`, below 1 MiB, a multiple of 4 KiB. */
void apic_send_startup(uint64_t id, uint32_t addr);

/* APIC id of the calling CPU, by CPUID. */
uint64_t apic_id(void);
