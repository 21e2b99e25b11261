// SPDX-License-Identifier: Apache-2.0
/* The fake backend under the names that are the same for all backends. */
#pragma once

#include <axvcpu/axvcpu.h>
#include <fake_arch.h>

#define AXVCPU_ARCH_NAME "fake"

typedef FakeVCpu AxArchVCpuImpl;
typedef FakePerCpu PerCpu;
typedef FakePerCpu AxVMArchPerCpuImpl;
typedef FakeVCpuCreateConfig CreateConfig;
typedef FakeVCpuCreateConfig AxVCpuCreateConfig;
typedef FakeVCpuSetupConfig SetupConfig;
typedef FakeVCpuSetupConfig AxVCpuSetupConfig;

/* As fake_set_hardware says. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return fake_hardware_check(reason);
}

static inline bool has_hardware_support(void)
{
    return fake_hardware_check(NULL) == AX_OK;
}

static inline const AxEptFormat *axvcpu_arch_ept_format(void)
{
    return &fake_ept_format;
}

/* 16 per cluster, as on Arm, so that a model that takes an address for an id fails its tests. */
static inline uint64_t axvcpu_arch_cpu_address(AxVCpuId id)
{
    return ((uint64_t)(id >> 4) << 8) | (id & 0xf);
}

static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb)
{
    return (CreateConfig){.cpu_address = axvcpu_arch_cpu_address(id), .dtb_addr = dtb};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

AX_MUST_CHECK static inline AxError axvcpu_arch_create(AxVCpu *vcpu, AxVCpuParams params,
                                                       AxArchVCpuImpl *arch,
                                                       const CreateConfig *config)
{
    params.ops = &fake_vcpu_ops;
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
    const AxPerCpuParams params = {.hal = hal, .ops = &fake_percpu_ops, .arch = arch, .id = id};

    return axvcpu_percpu_init(percpu, &params);
}
