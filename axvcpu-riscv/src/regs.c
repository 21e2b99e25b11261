// SPDX-License-Identifier: Apache-2.0
// The register file by number. A snapshot is what reg_ids names; the others are second names.
#include "riscv.h"
#include "riscv_regs.h"

#define SP 2
#define A0 10

#define FCSR_BITS AX_MASK(7, 0) // the rest is reserved

typedef RISCVVCpu BankVCpu;
#include <axvcpu/reg_banks.inc>

static AxError get_x(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = vcpu->regs.x[n];
    return AX_OK;
}

static AxError set_x(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    if (n == 0 && value != 0) {
        return AX_EINVAL;
    }
    vcpu->regs.x[n] = value;
    return AX_OK;
}

static AxError get_sp(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    return get_x(vcpu, SP + n, value);
}

static AxError set_sp(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    return set_x(vcpu, SP + n, value);
}

static AxError get_a(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    return get_x(vcpu, A0 + n, value);
}

static AxError set_a(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    return set_x(vcpu, A0 + n, value);
}

static AxError get_pc(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->regs.pc;
    return AX_OK;
}

static AxError set_pc(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (value % 2 != 0) {
        return AX_EINVAL;
    }
    vcpu->regs.pc = value;
    return AX_OK;
}

static AxError get_mode(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = riscv_guest_is_supervisor(vcpu);
    return AX_OK;
}

static AxError set_mode(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (value > 1) {
        return AX_EINVAL;
    }
    riscv_set_guest_mode(vcpu, value == 1);
    return AX_OK;
}

static AxError get_sysreg(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = riscv_sysreg_get(vcpu, (RISCVSysReg)n);
    return AX_OK;
}

static AxError set_sysreg(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    riscv_sysreg_set(vcpu, (RISCVSysReg)n, value);
    return AX_OK;
}

static AxError get_interrupts(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    return riscv_interrupt_get_reg(vcpu, RISCV_REG_HVIP + n, value);
}

static AxError set_interrupts(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    return riscv_interrupt_set_reg(vcpu, RISCV_REG_HVIP + n, value);
}

static AxError get_timer(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    return riscv_timer_get_reg(vcpu, RISCV_REG_TIMECMP + n, value);
}

static AxError set_timer(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    return riscv_timer_set_reg(vcpu, RISCV_REG_TIMECMP + n, value);
}

static AxError get_fcsr(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    RISCVFp fp;

    (void)n;
    riscv_fp_peek(vcpu, &fp);
    *value = fp.fcsr;
    return AX_OK;
}

// By way of memory, from where the registers are loaded again.
static AxError set_fcsr(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    RISCVFp fp;

    (void)n;
    if ((value & ~FCSR_BITS) != 0) {
        return AX_EINVAL;
    }
    riscv_fp_peek(vcpu, &fp);
    fp.fcsr = value;
    riscv_fp_poke(vcpu, &fp);
    return AX_OK;
}

static AxError get_f(const RISCVVCpu *vcpu, uint32_t n, uint64_t *value)
{
    RISCVFp fp;

    riscv_fp_peek(vcpu, &fp);
    *value = fp.f[n];
    return AX_OK;
}

static AxError set_f(RISCVVCpu *vcpu, uint32_t n, uint64_t value)
{
    RISCVFp fp;

    riscv_fp_peek(vcpu, &fp);
    fp.f[n] = value;
    riscv_fp_poke(vcpu, &fp);
    return AX_OK;
}

static const Bank banks[] = {
    {AX_REG_GPR(0), 32, get_x, set_x},
    {AX_REG_PC, 1, get_pc, set_pc},
    {AX_REG_SP, 1, get_sp, set_sp},
    {AX_REG_RETURN, 1, get_a, set_a},
    {AX_REG_ARG(0), AX_REG_ARG_MAX, get_a, set_a},
    {RISCV_REG_MODE, 1, get_mode, set_mode},
    {RISCV_REG_SYS(0), RISCV_SYSREG_COUNT, get_sysreg, set_sysreg},
    {RISCV_REG_HVIP, 1, get_interrupts, set_interrupts},
    {RISCV_REG_TIMECMP, 2, get_timer, set_timer},
    {RISCV_REG_FCSR, 1, get_fcsr, set_fcsr},
    {RISCV_REG_F(0), 32, get_f, set_f},
};

AxError riscv_get_reg(const void *arch, AxRegId reg, uint64_t *value)
{
    return banks_get(BANKS_OF(banks), arch, reg, value);
}

AxError riscv_set_reg(void *arch, AxRegId reg, uint64_t value)
{
    return banks_set(BANKS_OF(banks), arch, reg, value);
}

#define ID_SYS(reg) RISCV_REG_SYS(RISCV_##reg),

// The order of set_regs.
const AxRegId riscv_reg_ids[] = {
    AX_REG_GPR(1),
    AX_REG_GPR(2),
    AX_REG_GPR(3),
    AX_REG_IDS_4(AX_REG_GPR, 4),
    AX_REG_IDS_8(AX_REG_GPR, 8),
    AX_REG_IDS_16(AX_REG_GPR, 16),
    AX_REG_PC,
    RISCV_REG_MODE,
    RISCV_VS_REGS(ID_SYS) // each with its comma
    RISCV_REG_HTIMEDELTA,
    RISCV_REG_TIMECMP,
    RISCV_REG_HVIP,
    RISCV_REG_FCSR,
    AX_REG_IDS_32(RISCV_REG_F, 0),
};

static_assert(sizeof(riscv_reg_ids) / sizeof(riscv_reg_ids[0]) == RISCV_REG_ID_COUNT,
              "the count that the ops table gives");
