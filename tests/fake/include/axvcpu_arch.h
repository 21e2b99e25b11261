// SPDX-License-Identifier: Apache-2.0
/* The fake backend under the names that are the same for all backends. */
#pragma once

#include <axvcpu/axvcpu.h>
#include <fake_arch.h>

#define AXVCPU_ARCH_NAME       "fake"
#define AXVCPU_ARCH_VCPU_OPS   (&fake_vcpu_ops)
#define AXVCPU_ARCH_PERCPU_OPS (&fake_percpu_ops)
/* Where a vCPU that was switched on finds the argument of the call that did it. */
#define AXVCPU_ARCH_START_ARG AX_REG_ARG(1)

typedef FakeVCpu AxArchVCpuImpl;
typedef FakePerCpu PerCpu;
typedef FakeVCpuCreateConfig CreateConfig;
typedef FakeVCpuSetupConfig SetupConfig;

/* As fake_set_hardware says. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return fake_hardware_check(reason);
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

/*
 * Configuration of vCPU `id` whose boot argument is the device tree at `dtb`. counter_hz: what the
 * guest's time counter runs at, for architectures whose CPUs do not tell.
 */
static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb,
                                                     uint64_t counter_hz)
{
    return (CreateConfig){
        .cpu_address = axvcpu_arch_cpu_address(id), .dtb_addr = dtb, .counter_hz = counter_hz};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

/*
 * The extensions that a guest may use, as the machine's description names them to it, from `host`,
 * what firmware says of this machine's CPUs. AX_EINVAL when `host` cannot be read, AX_ENOSPC when
 * `room` is too small. The fake gives guests what the host has.
 */
AX_MUST_CHECK static inline AxError axvcpu_arch_guest_isa(const char *host, char *buffer,
                                                          size_t room)
{
    return fake_guest_isa(host, buffer, room);
}

#include <axvcpu/chosen.inc>
