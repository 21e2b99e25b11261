// SPDX-License-Identifier: Apache-2.0
/* What the device tree says of a board with a GICv3 and a PL011. */
#pragma once

#include "hostinfo.h"

#define HOST_GICR_MAX 4u

typedef struct Aarch64Board {
    Range uart;
    uint32_t uart_irq; /* INTID */
    Range gicd;
    RangeList gicr;
    uint32_t hyp_timer_irq;  /* INTID */
    uint32_t virt_timer_irq; /* INTID */
} Aarch64Board;

/* Adds to `info`, which has been read. False with a sentence in `why`, as hostinfo_read. */
bool aarch64_board_read(Aarch64Board *board, HostInfo *info, const void *fdt, const char **why);
