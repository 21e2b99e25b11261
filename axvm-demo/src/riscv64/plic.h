// SPDX-License-Identifier: Apache-2.0
/*
 * A hart's interrupts: from devices by the PLIC (RISC-V PLIC specification), from other harts by the
 * firmware, from its timer. irq_fetch() claims, completion follows in irq_handle().
 */
#pragma once

#include "board.h"

#include <axvcpu/types.h>

/* What irq_fetch returns for source n of the PLIC; below it are the causes of scause. */
#define PLIC_VECTOR(n) (UINT64_C(0x100) + (n))

/* On each pCPU, hart `hart`: nothing enabled but what other harts send, and the timer. */
void plic_init_pcpu(const Riscv64Board *board, AxPCpuId pcpu, uint64_t hart);

/* Source `source` goes to this pCPU. */
void plic_enable(AxPCpuId pcpu, uint32_t source);
/* Of a number that irq_fetch returned and is at least PLIC_VECTOR(0). */
void plic_complete(uint64_t vector);
