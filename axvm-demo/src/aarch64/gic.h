// SPDX-License-Identifier: Apache-2.0
/*
 * The physical GICv3 (IHI 0069), Group 1, EOImode 1: irq_fetch() acknowledges and drops the
 * priority, deactivation is a step of its own, so that a guest can be the one to do it.
 */
#pragma once

#include "board.h"

#include <axvcpu/types.h>

/* The interrupt by which one pCPU gets the attention of another. */
#define GIC_KICK_SGI 0u

/* Once, on the boot CPU. */
void gic_init(const Aarch64Board *board);
/* On each pCPU, whose MPIDR affinity is `affinity`: its redistributor and its CPU interface. */
void gic_init_pcpu(const Aarch64Board *board, AxPCpuId pcpu, uint64_t affinity);

/* A private interrupt of this pCPU, or a shared one, which goes to this pCPU. Level-triggered. */
void gic_enable(AxPCpuId pcpu, uint32_t intid);
void gic_deactivate(uint64_t intid);
