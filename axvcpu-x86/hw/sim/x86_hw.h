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

// The host's own handler.
static inline void x86_hw_nmi(void)
{
    x86_sim.nmis++;
}

static inline void x86_hw_tables_save(X86HostTables *tables)
{
    *tables = x86_sim.tables;
}

static inline void x86_hw_tables_restore(const X86HostTables *tables)
{
    x86_sim.tables.gdt_limit = tables->gdt_limit;
    x86_sim.tables.idt_limit = tables->idt_limit;
    x86_sim.tables.ldtr = tables->ldtr;
}

static inline void x86_svm_vmsave(uint64_t vmcb)
{
    x86_sim.vmsaved = vmcb;
}

static inline void x86_svm_enter(struct X86GuestRegs *regs)
{
    x86_sim_enter(regs);
}

static inline bool x86_vmx_on(uint64_t region)
{
    return x86_sim_vmx_on(region);
}

static inline void x86_vmx_off(void)
{
    x86_sim_vmx_off();
}

static inline bool x86_vmx_clear(uint64_t vmcs)
{
    return x86_sim_vmx_clear(vmcs);
}

static inline bool x86_vmx_load(uint64_t vmcs)
{
    return x86_sim_vmx_load(vmcs);
}

static inline uint64_t x86_vmx_read(uint32_t field)
{
    return x86_sim_vmx_read(field);
}

static inline bool x86_vmx_write(uint32_t field, uint64_t value)
{
    return x86_sim_vmx_write(field, value);
}

static inline bool x86_vmx_invept(uint64_t type, uint64_t eptp)
{
    return x86_sim_vmx_invept(type, eptp);
}

static inline bool x86_vmx_invvpid(uint64_t type, uint16_t vpid)
{
    return x86_sim_vmx_invvpid(type, vpid);
}

static inline uint64_t x86_vmx_exit_address(void)
{
    return X86_SIM_EXIT_ADDRESS;
}

static inline bool x86_vmx_enter(struct X86GuestRegs *regs)
{
    return x86_sim_vmx_enter(regs);
}
