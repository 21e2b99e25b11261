// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <axvm/vm.h>

/* What the board's device tree says beyond vm->config and vm->layout. */
typedef struct Riscv64Board {
    uint64_t plic_base;
    uint64_t plic_size;
    uint32_t plic_sources;
    uint64_t uart_base;
    uint64_t uart_size;
    uint32_t uart_irq;
} Riscv64Board;

/* The device tree of a riscv64 board into buffer; AX_ENOSPC when `room` is too small. */
AX_MUST_CHECK AxError axvm_riscv64_describe(const Riscv64Board *board, const AxVM *vm, void *buffer,
                                            size_t room, size_t *size);
