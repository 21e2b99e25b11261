// SPDX-License-Identifier: Apache-2.0
/*
 * The chosen backend under the names that are the same for all: what the VM layer and hosts that do
 * not care about the ISA include. Exactly one backend's include folder is on the path.
 */
#pragma once

#include <axvcpu-arm/percpu.h>
#include <axvcpu-arm/vcpu.h>
#include <axvcpu/axvcpu.h>

#define AXVCPU_ARCH_NAME       "aarch64"
#define AXVCPU_ARCH_VCPU_OPS   (&aarch64_vcpu_ops)
#define AXVCPU_ARCH_PERCPU_OPS (&aarch64_percpu_ops)
/* Where a vCPU that was switched on finds the argument of the call that did it. */
#define AXVCPU_ARCH_START_ARG AX_REG_ARG(0)

typedef Aarch64VCpu AxArchVCpuImpl;
typedef Aarch64PerCpu PerCpu;
typedef Aarch64VCpuCreateConfig CreateConfig;
typedef Aarch64VCpuSetupConfig SetupConfig;

/* AX_OK when this CPU can host guests; else why not, in a sentence, through *reason. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return aarch64_hardware_check(reason);
}

static inline const AxEptFormat *axvcpu_arch_ept_format(void)
{
    return &aarch64_ept_format;
}

/* Number by which firmware calls and device trees name vCPU `id`: MPIDR affinity, 16 per cluster. */
static inline uint64_t axvcpu_arch_cpu_address(AxVCpuId id)
{
    return ((uint64_t)(id >> 4) << 8) | (id & 0xf);
}

/*
 * Configuration of vCPU `id` whose boot argument is the device tree at `dtb`. counter_hz: what the
 * guest's time counter runs at, for architectures whose CPUs do not tell.
 */
static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb,
                                                     uint64_t counter_hz)
{
    (void)counter_hz; // CNTFRQ_EL0
    return (CreateConfig){.mpidr_el1 = axvcpu_arch_cpu_address(id), .dtb_addr = dtb};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

/*
 * The extensions that a guest may use, as the machine's description names them to it, from `host`,
 * what firmware says of this machine's CPUs. AX_EINVAL when `host` cannot be read, AX_ENOSPC when
 * `room` is too small. Always empty: ID registers say it.
 */
AX_MUST_CHECK static inline AxError axvcpu_arch_guest_isa(const char *host, char *buffer,
                                                          size_t room)
{
    (void)host;
    if (room == 0) {
        return AX_ENOSPC;
    }
    buffer[0] = '\0';
    return AX_OK;
}

#include <axvcpu/chosen.inc>
