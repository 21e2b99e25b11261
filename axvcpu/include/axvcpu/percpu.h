// SPDX-License-Identifier: Apache-2.0
/*
 * Virtualization state of one physical CPU. One AxPerCpu per pCPU, embedded in the host's memory.
 * All functions but the queries run on the pCPU concerned; AX_EWRONGCPU otherwise.
 */
#pragma once

#include <axvcpu/arch.h>

typedef struct AxVCpu AxVCpu;

typedef struct AxPerCpu {
    const AxVCpuHal *hal;
    const AxArchPerCpuOps *ops;
    void *arch;
    AxPCpuId id;
    _Atomic bool enabled;
    _Atomic(AxVCpu *) current; /* the vCPU bound here, NULL when none */
} AxPerCpu;

typedef struct AxPerCpuParams {
    const AxVCpuHal *hal;
    const AxArchPerCpuOps *ops;
    void *arch; /* the backend's PerCpu, uninitialised */
    AxPCpuId id;
} AxPerCpuParams;

/* Starts the life of *percpu, disabled. AX_EINVAL for a NULL or incomplete part. */
AX_MUST_CHECK AxError axvcpu_percpu_init(AxPerCpu *percpu, const AxPerCpuParams *params);

/* Turns virtualization on. AX_EBUSY when it is on already (nothing changes); backend's errors. */
AX_MUST_CHECK AxError axvcpu_percpu_enable(AxPerCpu *percpu);

/* Turns it off and puts everything back. AX_ESTATE when off, AX_EBUSY while a vCPU is bound. */
AX_MUST_CHECK AxError axvcpu_percpu_disable(AxPerCpu *percpu);

/* Any pCPU. */
bool axvcpu_percpu_is_enabled(const AxPerCpu *percpu);

/* What the hardware can do. AX_ESTATE when not enabled. */
AX_MUST_CHECK AxError axvcpu_percpu_caps(const AxPerCpu *percpu, AxPerCpuCaps *out);

/* The vCPU bound to this pCPU, NULL when none. Any pCPU, but only that one gets a stable answer. */
AxVCpu *axvcpu_current(const AxPerCpu *percpu);
