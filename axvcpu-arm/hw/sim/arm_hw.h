// SPDX-License-Identifier: Apache-2.0
// The interface of hw/el2/arm_hw.h on simulated registers, for hosted builds. See arm_sim.h.
#pragma once

#include "arm_sim.h"

#define ARM_READ(name)         arm_sim_read(ARM_REG_##name)
#define ARM_WRITE(name, value) arm_sim_write(ARM_REG_##name, value)

static inline uint64_t arm_read_lr(unsigned n)
{
    return arm_sim_read_array(ARM_REG_ICH_LR0_EL2, 16, n);
}

static inline void arm_write_lr(unsigned n, uint64_t value)
{
    arm_sim_write_array(ARM_REG_ICH_LR0_EL2, 16, n, value);
}

static inline uint64_t arm_read_ap0r(unsigned n)
{
    return arm_sim_read_array(ARM_REG_ICH_AP0R0_EL2, 4, n);
}

static inline void arm_write_ap0r(unsigned n, uint64_t value)
{
    arm_sim_write_array(ARM_REG_ICH_AP0R0_EL2, 4, n, value);
}

static inline uint64_t arm_read_ap1r(unsigned n)
{
    return arm_sim_read_array(ARM_REG_ICH_AP1R0_EL2, 4, n);
}

static inline void arm_write_ap1r(unsigned n, uint64_t value)
{
    arm_sim_write_array(ARM_REG_ICH_AP1R0_EL2, 4, n, value);
}

#define ARM_DEFINE_OP(name, op)   \
    static inline void name(void) \
    {                             \
        arm_sim_op(op, 0);        \
    }
ARM_DEFINE_OP(arm_isb, ARM_SIM_ISB)
ARM_DEFINE_OP(arm_dsb_ish, ARM_SIM_DSB_ISH)
ARM_DEFINE_OP(arm_dsb_ishst, ARM_SIM_DSB_ISHST)
ARM_DEFINE_OP(arm_dsb_nsh, ARM_SIM_DSB_NSH)
ARM_DEFINE_OP(arm_tlbi_alle1, ARM_SIM_TLBI_ALLE1)
ARM_DEFINE_OP(arm_tlbi_vmalle1, ARM_SIM_TLBI_VMALLE1)
ARM_DEFINE_OP(arm_tlbi_vmalle1is, ARM_SIM_TLBI_VMALLE1IS)
ARM_DEFINE_OP(arm_tlbi_vmalls12e1, ARM_SIM_TLBI_VMALLS12E1)
ARM_DEFINE_OP(arm_tlbi_vmalls12e1is, ARM_SIM_TLBI_VMALLS12E1IS)
ARM_DEFINE_OP(arm_ic_iallu, ARM_SIM_IC_IALLU)
ARM_DEFINE_OP(arm_ic_ialluis, ARM_SIM_IC_IALLUIS)
#undef ARM_DEFINE_OP

static inline void arm_tlbi_ipas2e1is(uint64_t page)
{
    arm_sim_op(ARM_SIM_TLBI_IPAS2E1IS, page);
}

static inline void arm_dc_civac(uint64_t va)
{
    arm_sim_op(ARM_SIM_DC_CIVAC, va);
}

static inline uint64_t arm_daif_mask(void)
{
    const uint64_t old = ARM_READ(DAIF);

    ARM_WRITE(DAIF, old | 0x3c0);
    return old;
}

static inline void arm_daif_restore(uint64_t old)
{
    ARM_WRITE(DAIF, old);
}

static inline uint64_t arm_at_s12e1r(uint64_t va)
{
    return arm_sim_translate(va);
}

static inline uint64_t arm_at_s1e1r(uint64_t va)
{
    return arm_sim_translate_stage1(va);
}

static inline uint64_t arm_cntpct(void)
{
    return ARM_READ(CNTPCT_EL0);
}

static inline uint64_t aarch64_enter_guest(struct Aarch64GuestRegs *regs)
{
    return arm_sim_enter_guest(regs);
}
