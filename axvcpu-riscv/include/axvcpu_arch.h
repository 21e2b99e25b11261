// SPDX-License-Identifier: Apache-2.0
/*
 * The chosen backend under the names that are the same for all: what the VM layer and hosts that do
 * not care about the ISA include. Exactly one backend's include folder is on the path.
 */
#pragma once

#include <axvcpu-riscv/percpu.h>
#include <axvcpu-riscv/vcpu.h>
#include <axvcpu/axvcpu.h>

#define AXVCPU_ARCH_NAME       "riscv64"
#define AXVCPU_ARCH_VCPU_OPS   (&riscv_vcpu_ops)
#define AXVCPU_ARCH_PERCPU_OPS (&riscv_percpu_ops)
/* Where a vCPU that was switched on finds the argument of the call that did it. */
#define AXVCPU_ARCH_START_ARG AX_REG_ARG(1)

typedef RISCVVCpu AxArchVCpuImpl;
typedef RISCVPerCpu PerCpu;
typedef RISCVVCpuCreateConfig CreateConfig;
typedef RISCVVCpuSetupConfig SetupConfig;

/* AX_OK when this CPU can host guests; else why not, in a sentence, through *reason. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return riscv_hardware_check(reason);
}

static inline const AxEptFormat *axvcpu_arch_ept_format(void)
{
    return &riscv_ept_format;
}

/* Number by which firmware calls and device trees name vCPU `id`: its hart id. */
static inline uint64_t axvcpu_arch_cpu_address(AxVCpuId id)
{
    return id;
}

/*
 * Configuration of vCPU `id` whose boot argument is the device tree at `dtb`. counter_hz: what the
 * guest's time counter runs at, for architectures whose CPUs do not tell.
 */
static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb,
                                                     uint64_t counter_hz)
{
    return (CreateConfig){
        .hart_id = axvcpu_arch_cpu_address(id), .dtb_addr = dtb, .timebase_hz = counter_hz};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

/*
 * The extensions that a guest may use, as the machine's description names them to it, from `host`,
 * what firmware says of this machine's CPUs. AX_EINVAL when `host` cannot be read, AX_ENOSPC when
 * `room` is too small. The form is that of the property riscv,isa.
 */
AX_MUST_CHECK static inline AxError axvcpu_arch_guest_isa(const char *host, char *buffer,
                                                          size_t room)
{
    return riscv_guest_isa(host, buffer, room);
}

#include <axvcpu/chosen.inc>
