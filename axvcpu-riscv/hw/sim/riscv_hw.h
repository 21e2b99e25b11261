// SPDX-License-Identifier: Apache-2.0
// The interface of hw/hs/riscv_hw.h on simulated CSRs, for hosted builds. See riscv_sim.h.
#pragma once

#include "riscv_sim.h"

#define RV_READ(name)         rv_sim_read(RV_REG_##name)
#define RV_WRITE(name, value) rv_sim_write(RV_REG_##name, value)
#define RV_SET(name, bits)    rv_sim_set(RV_REG_##name, bits)
#define RV_CLEAR(name, bits)  rv_sim_clear(RV_REG_##name, bits)
#define RV_SWAP(name, value)  rv_sim_swap(RV_REG_##name, value)
#define RV_PROBE(name, value) rv_sim_probe(RV_REG_##name, value)

static inline uint64_t rv_irq_mask(void)
{
    const uint64_t old = RV_READ(SSTATUS);

    RV_WRITE(SSTATUS, old & ~UINT64_C(2));
    return old;
}

static inline void rv_irq_restore(uint64_t old)
{
    RV_SET(SSTATUS, old & 2);
}

static inline bool rv_hlvx_instruction(uint64_t va, uint32_t *out)
{
    uint16_t low;
    uint16_t high = 0;

    if (!rv_sim_hlvx_hu(va, &low) || ((low & 3) == 3 && !rv_sim_hlvx_hu(va + 2, &high))) {
        return false;
    }
    *out = (uint32_t)high << 16 | low;
    return true;
}

static inline bool rv_hlv_d(uint64_t va, uint64_t *out)
{
    return rv_sim_hlv_d(va, out);
}

#define RV_DEFINE_OP(name, op)    \
    static inline void name(void) \
    {                             \
        rv_sim_op(op, 0, 0);      \
    }
RV_DEFINE_OP(rv_fence, RV_SIM_FENCE)
RV_DEFINE_OP(rv_fence_i, RV_SIM_FENCE_I)
RV_DEFINE_OP(rv_hfence_gvma_all, RV_SIM_HFENCE_GVMA_ALL)
RV_DEFINE_OP(rv_hfence_vvma_all, RV_SIM_HFENCE_VVMA_ALL)
#undef RV_DEFINE_OP

static inline void rv_hfence_gvma_vmid(uint64_t vmid)
{
    rv_sim_op(RV_SIM_HFENCE_GVMA_VMID, 0, vmid);
}

static inline void rv_hfence_gvma(uint64_t gpa, uint64_t vmid)
{
    rv_sim_op(RV_SIM_HFENCE_GVMA, gpa, vmid);
}

static inline void rv_hfence_vvma_va(uint64_t va)
{
    rv_sim_op(RV_SIM_HFENCE_VVMA_VA, va, 0);
}

static inline void rv_hfence_vvma_asid(uint64_t asid)
{
    rv_sim_op(RV_SIM_HFENCE_VVMA_ASID, 0, asid);
}

static inline void rv_hfence_vvma(uint64_t va, uint64_t asid)
{
    rv_sim_op(RV_SIM_HFENCE_VVMA, va, asid);
}

static inline uint64_t rv_time(void)
{
    return RV_READ(TIME);
}

static inline uint64_t rv_enter_guest(struct RISCVGuestRegs *regs)
{
    return rv_sim_enter_guest(regs);
}
