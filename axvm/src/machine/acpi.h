// SPDX-License-Identifier: Apache-2.0
/* ACPI tables of a PC without PCI (ACPI 6.4): what an x86 guest knows of its board. */
#pragma once

#include <axvcpu/error.h>

/* What the tables say; every interrupt number is the input of the one IOAPIC. */
typedef struct AxAcpiBoard {
    uint32_t cpu_count; /* 1 to 255, with APIC ids from 0 */
    uint32_t lapic_base;
    uint32_t ioapic_base;
    uint8_t ioapic_id;
    uint8_t timer_irq;  /* where ISA interrupt 0 goes */
    uint8_t sci_irq;    /* 9 on PCs; level, active high */
    uint16_t uart_base; /* COM1, 8 ports */
    uint8_t uart_irq;   /* edge */
    uint16_t rtc_base;  /* 2 ports; 0: there is none */
    uint8_t rtc_irq;    /* edge */
    bool has_8259;
    bool has_8042;
    bool hardware_reduced;  /* sleep registers instead of PM1a, no SCI */
    uint16_t pm1a_event;    /* status, enable: 4 ports */
    uint16_t pm1a_control;  /* 2 ports */
    uint16_t sleep_control; /* 1 port, hardware_reduced */
    uint16_t sleep_status;  /* 1 port, hardware_reduced */
    uint8_t s5_type;        /* SLP_TYP that switches off, at most 7 */
    uint16_t reset_port;
    uint8_t reset_value;
} AxAcpiBoard;

#define AX_ACPI_CPUS_MAX 255u

/*
 * Writes all tables into `buffer`, which the guest will see at `address` (a multiple of 64, below
 * 4 GiB as the RSDP that begins there). *size gets what was used. AX_EALIGN, AX_ERANGE (address,
 * cpu_count, s5_type, an ISA interrupt from 16 on), AX_ENOSPC: nothing is in the buffer that is fit for use.
 */
AX_MUST_CHECK AxError axvm_acpi_build(const AxAcpiBoard *board, uint64_t address, void *buffer,
                                      size_t room, size_t *size);
