// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <axvm/vm.h>

/* What the board's device tree says beyond vm->config and vm->layout. */
typedef struct Aarch64Board {
    uint64_t gicd_base;
    uint64_t gicd_size;
    uint64_t gicr_base;
    uint64_t gicr_size;
    uint64_t uart_base;
    uint64_t uart_size;
    uint32_t uart_irq; /* INTID of a shared interrupt */
} Aarch64Board;

/* The device tree of an AArch64 board into buffer; AX_ENOSPC when `room` is too small. */
AX_MUST_CHECK AxError axvm_aarch64_describe(const Aarch64Board *board, const AxVM *vm, void *buffer,
                                            size_t room, size_t *size);
