// SPDX-License-Identifier: Apache-2.0
/*
 * The chosen backend under the names that are the same for all: what the VM layer and hosts that do
 * not care about the ISA include. Exactly one backend's include folder is on the path.
 */
#pragma once

#include <axvcpu-x86/percpu.h>
#include <axvcpu-x86/vcpu.h>
#include <axvcpu/axvcpu.h>

#define AXVCPU_ARCH_NAME       "x86_64"
#define AXVCPU_ARCH_VCPU_OPS   (&x86_vcpu_ops)
#define AXVCPU_ARCH_PERCPU_OPS (&x86_percpu_ops)
/* Where a vCPU that was switched on finds the argument of the call that did it: the SIPI's vector. */
#define AXVCPU_ARCH_START_ARG X86_REG_STARTUP

typedef X86VCpu AxArchVCpuImpl;
typedef X86PerCpu PerCpu;
typedef X86VCpuCreateConfig CreateConfig;
typedef X86VCpuSetupConfig SetupConfig;

/* AX_OK when this CPU can host guests; else why not, in a sentence, through *reason. */
AX_MUST_CHECK static inline AxError axvcpu_arch_hardware_check(const char **reason)
{
    return x86_hardware_check(reason);
}

static inline const AxEptFormat *axvcpu_arch_ept_format(void)
{
    return x86_ept_format();
}

/* Number by which interrupt messages and tables name vCPU `id`: its APIC id. */
static inline uint64_t axvcpu_arch_cpu_address(AxVCpuId id)
{
    return id;
}

/*
 * Configuration of vCPU `id`. dtb: no argument of a start on this architecture. counter_hz: ticks of
 * the time stamp counter per second.
 */
static inline CreateConfig axvcpu_arch_create_config(AxVCpuId id, GuestPhysAddr dtb,
                                                     uint64_t counter_hz)
{
    (void)id;
    (void)dtb;
    return (CreateConfig){.tsc_hz = counter_hz};
}

static inline SetupConfig axvcpu_arch_setup_config(bool trap_wait)
{
    return (SetupConfig){.trap_wait = trap_wait};
}

/* What the machine's description says of CPUs: on this architecture guests ask CPUID. AX_ENOTSUP. */
// NOLINTNEXTLINE(readability-non-const-parameter): others write it
AX_MUST_CHECK static inline AxError axvcpu_arch_guest_isa(const char *host, char *buffer,
                                                          size_t room)
{
    (void)host;
    (void)buffer;
    (void)room;
    return AX_ENOTSUP;
}

#include <axvcpu/chosen.inc>
