// SPDX-License-Identifier: Apache-2.0
/* What the device tree says of a board with a PLIC and an NS16550A. */
#pragma once

#include "hostinfo.h"

#define PLIC_NO_CONTEXT UINT32_MAX
#define PLIC_SOURCES    1024u

typedef struct Riscv64Board {
    Range uart;
    uint32_t uart_irq; /* source of the PLIC */
    Range plic;
    uint32_t plic_sources;            /* sources are 1 .. this */
    uint32_t contexts[HOST_CPUS_MAX]; /* of the PLIC for S mode of info->cpus[i] */
    Range test;                       /* ends the emulator; size 0: none */
} Riscv64Board;

/* Adds to `info`, which has been read. False with a sentence in `why`, as hostinfo_read. */
bool riscv64_board_read(Riscv64Board *board, HostInfo *info, const void *fdt, const char **why);
