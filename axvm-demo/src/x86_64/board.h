// SPDX-License-Identifier: Apache-2.0
/* What boot loader and ACPI say of a PC with local APICs, an IOAPIC and a 16550. */
#pragma once

#include "acpi.h"

typedef struct X86Board {
    AcpiInfo acpi;
} X86Board;

/*
 * Fills `info`, but for counter_hz, from what the boot loader left at `addr`. `boot_cpu`: APIC id of the
 * calling CPU. False with a sentence in `why`.
 */
bool x86_64_board_read(X86Board *board, HostInfo *info, uint64_t addr, uint64_t boot_cpu,
                       MemoryRead read, const char **why);
