// SPDX-License-Identifier: Apache-2.0
/*
 * The chosen backend under the names that are the same for all: what the VM layer and hosts that do
 * not care about the ISA include. Exactly one backend's include folder is on the path.
 */
#pragma once

#include <axvcpu-arm/percpu.h>
#include <axvcpu-arm/vcpu.h>
#include <axvcpu/axvcpu.h>

#define AXVCPU_ARCH_NAME "aarch64"

typedef Aarch64VCpu AxArchVCpuImpl;
typedef Aarch64PerCpu PerCpu;
typedef Aarch64PerCpu AxVMArchPerCpuImpl;
typedef Aarch64VCpuCreateConfig CreateConfig;
typedef Aarch64VCpuCreateConfig AxVCpuCreateConfig;
typedef Aarch64VCpuSetupConfig SetupConfig;
typedef Aarch64VCpuSetupConfig AxVCpuSetupConfig;

/* AX_OK when this CPU can host guests; else why not, in a sentence, through *reason. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return aarch64_hardware_check(reason);
}

static inline bool has_hardware_support(void)
{
    return aarch64_hardware_check(NULL) == AX_OK;
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

/* Configuration of vCPU `id` whose boot argument is the device tree at `dtb`. */
static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb)
{
    return (CreateConfig){.mpidr_el1 = axvcpu_arch_cpu_address(id), .dtb_addr = dtb};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

/* The core's functions with the backend's types: a wrong config or object does not compile. */
AX_MUST_CHECK static inline AxError axvcpu_arch_create(AxVCpu *vcpu, AxVCpuParams params,
                                                       AxArchVCpuImpl *arch,
                                                       const CreateConfig *config)
{
    params.ops = &aarch64_vcpu_ops;
    params.arch = arch;
    params.create_config = config;
    return axvcpu_create(vcpu, &params);
}

AX_MUST_CHECK static inline AxError axvcpu_arch_setup(AxVCpu *vcpu, const SetupConfig *config)
{
    return axvcpu_setup(vcpu, config);
}

AX_MUST_CHECK static inline AxError axvcpu_arch_percpu_init(AxPerCpu *percpu, PerCpu *arch,
                                                            const AxVCpuHal *hal, AxPCpuId id)
{
    const AxPerCpuParams params = {.hal = hal, .ops = &aarch64_percpu_ops, .arch = arch, .id = id};

    return axvcpu_percpu_init(percpu, &params);
}
