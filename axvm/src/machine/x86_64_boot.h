// SPDX-License-Identifier: Apache-2.0
/* What a guest of the PC board finds at its start, and the CPU that starts it. */
#pragma once

#include <axvm/vm.h>

#include "acpi.h"

typedef enum X86StartMode {
    X86_START_PROTECTED, /* 32 bits, no paging, flat segments */
    X86_START_LONG,      /* 64 bits, paging on with the tables at cr3: 4 GiB, as they are */
} X86StartMode;

/*
 * The first vCPU's registers; all others are 0, interrupts off. Code segment 0x10, data segments
 * 0x18, all from 0 and without limit, as the GDT says.
 */
typedef struct X86Start {
    X86StartMode mode;
    GuestPhysAddr entry;
    uint64_t cr3; /* X86_START_LONG */
    uint64_t gdt_base;
    uint16_t gdt_limit;
    uint64_t rax;
    uint64_t rbx;
    uint64_t rsi;
} X86Start;

/*
 * Writes what vm->image.protocol wants to find (zero page, hvm_start_info or multiboot_info), the
 * command line, the map of memory, GDT, page tables and ACPI tables, for vm->layout.boot_block. Nothing is
 * for AX_BOOT_NATIVE: ACPI tables only. AX_ENOSPC, and AX_ERANGE when vm->layout.boot_block is not in
 * 1 MiB to 4 GiB or the ACPI tables' description is wrong.
 */
AX_MUST_CHECK AxError axvm_x86_64_describe(const AxAcpiBoard *board, const AxVM *vm, void *buffer,
                                           size_t room, size_t *size);

/* How vCPU 0 starts; false for AX_BOOT_NATIVE, where the backend's own way is meant. */
bool axvm_x86_64_start(const AxVM *vm, X86Start *start);

/* Gives `vcpu`, which is set up, these registers. */
AX_MUST_CHECK AxError axvm_x86_64_set_start(AxVCpu *vcpu, const X86Start *start);
