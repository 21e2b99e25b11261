// SPDX-License-Identifier: Apache-2.0
// The interface of hw/ring0/x86_hw.h on a simulated processor, for hosted builds. See x86_sim.h.
#pragma once

#include "x86_sim.h"

#define X86_READ(name)         x86_sim_read(X86_SIM_##name)
#define X86_WRITE(name, value) x86_sim_write(X86_SIM_##name, value)

static inline X86CpuidResult x86_hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    return x86_sim_cpuid(leaf, subleaf);
}

static inline uint64_t x86_irq_mask(void)
{
    const uint64_t old = x86_sim.rflags;

    x86_sim.rflags &= ~UINT64_C(0x200);
    return old;
}

static inline void x86_irq_restore(uint64_t flags)
{
    x86_sim.rflags = flags;
}

static inline uint64_t x86_hw_tsc(void)
{
    return x86_sim_read(X86_SIM_TSC);
}

static inline void x86_hw_wbinvd(void)
{
    x86_sim.wbinvds++;
}

static inline void x86_hw_machine_check(void)
{
    x86_sim.machine_checks++;
}

static inline void x86_fp_save(void *area, uint64_t mask)
{
    x86_sim_fp_save(area, mask);
}

static inline void x86_fp_load(const void *area, uint64_t mask)
{
    x86_sim_fp_load(area, mask);
}

static inline void x86_svm_vmsave(uint64_t vmcb)
{
    x86_sim.vmsaved = vmcb;
}

static inline void x86_svm_enter(struct X86GuestRegs *regs)
{
    x86_sim_enter(regs);
}
