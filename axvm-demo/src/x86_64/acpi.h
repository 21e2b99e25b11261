// SPDX-License-Identifier: Apache-2.0
/* The few things that ACPI 6.4 tables are asked for: CPUs, interrupt controllers, how to power off. */
#pragma once

#include "hostinfo.h"
#include "memory.h"

/* A register: of the I/O space, or of memory. */
typedef struct AcpiRegister {
    uint64_t addr; /* 0: there is none */
    bool io;
} AcpiRegister;

typedef struct AcpiInfo {
    uint64_t lapic;
    uint64_t ioapic;             /* the one that has `uart_pin`; 0: there is none */
    uint32_t uart_pin;           /* where ISA interrupt 4 ends */
    bool uart_level;             /* it is level-triggered ... */
    bool uart_active_low;        /* ... and low when active */
    AcpiRegister pm1_control[2]; /* 16 bits */
    AcpiRegister sleep_control;  /* 8 bits: of hardware-reduced ACPI */
    uint8_t sleep_type[2];       /* what S5 needs in them */
    bool has_s5;
    uint16_t smi_command; /* port where `acpi_enable` is written first; 0: none */
    uint8_t acpi_enable;
} AcpiInfo;

/*
 * Fills `acpi` and the CPUs of `info`. `rsdp` is the root pointer's address; 0: it is looked for where a
 * PC's BIOS puts it. Without one the machine has the calling CPU alone, and the places that every PC
 * has. False with a sentence in `why`.
 */
bool x86_64_acpi_read(AcpiInfo *acpi, HostInfo *info, uint64_t rsdp, uint64_t boot_cpu,
                      MemoryRead read, const char **why);
