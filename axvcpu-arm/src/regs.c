// SPDX-License-Identifier: Apache-2.0
// The register file by number. A snapshot is what reg_ids names; the others are second names.
#include "arm.h"
#include "arm_regs.h"

// Bits of PSTATE that the guest may have set; the rest is RES0 or belongs to AArch32.
#define PSTATE_ALLOWED_A64                                                                      \
    (PSTATE_M | PSTATE_DAIF | PSTATE_BTYPE | PSTATE_SSBS | PSTATE_IL | PSTATE_SS | PSTATE_PAN | \
     PSTATE_UAO | PSTATE_DIT | PSTATE_TCO | PSTATE_NZCV)

typedef Aarch64VCpu BankVCpu;
#include <axvcpu/reg_banks.inc>

static AxError get_x(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = vcpu->regs.x[n];
    return AX_OK;
}

static AxError set_x(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    vcpu->regs.x[n] = value;
    return AX_OK;
}

static AxError get_pc(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->regs.pc;
    return AX_OK;
}

static AxError set_pc(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    vcpu->regs.pc = value;
    return AX_OK;
}

static AxError get_pstate(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->regs.pstate;
    return AX_OK;
}

// EL0 and EL1 in AArch64, and AArch32 user mode: all that an exception return may lead to.
static bool pstate_is_valid(uint64_t pstate)
{
    const uint64_t mode = pstate & PSTATE_M;

    if ((pstate & PSTATE_NRW) != 0) {
        return mode == 0 && pstate <= UINT32_MAX;
    }
    return (mode == PSTATE_M_EL0T || mode == PSTATE_M_EL1T || mode == PSTATE_M_EL1H) &&
           (pstate & ~PSTATE_ALLOWED_A64) == 0;
}

static AxError set_pstate(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (!pstate_is_valid(value)) {
        return AX_EINVAL;
    }
    vcpu->regs.pstate = value;
    return AX_OK;
}

static Aarch64SysReg current_sp(const Aarch64VCpu *vcpu)
{
    return (vcpu->regs.pstate & PSTATE_M) == PSTATE_M_EL1H ? AARCH64_SP_EL1 : AARCH64_SP_EL0;
}

static AxError get_sp(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = aarch64_sysreg_get(vcpu, current_sp(vcpu));
    return AX_OK;
}

static AxError set_sp(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    aarch64_sysreg_set(vcpu, current_sp(vcpu), value);
    return AX_OK;
}

static AxError get_sysreg(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = aarch64_sysreg_get(vcpu, (Aarch64SysReg)n);
    return AX_OK;
}

static AxError set_sysreg(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    aarch64_sysreg_set(vcpu, (Aarch64SysReg)n, value);
    return AX_OK;
}

static AxError get_mdscr(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->mdscr;
    return AX_OK;
}

static AxError set_mdscr(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    aarch64_mdscr_set(vcpu, value);
    return AX_OK;
}

static AxError get_timer(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return aarch64_timer_get_reg(vcpu, AARCH64_REG_CNTV_CTL + n, value);
}

static AxError set_timer(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    return aarch64_timer_set_reg(vcpu, AARCH64_REG_CNTV_CTL + n, value);
}

static AxError get_vmcr(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return aarch64_gic_get_reg(vcpu, AARCH64_REG_ICH_VMCR + n, value);
}

static AxError set_vmcr(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    return aarch64_gic_set_reg(vcpu, AARCH64_REG_ICH_VMCR + n, value);
}

// AP0R and AP1R, in this order.
static AxError get_apr(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return aarch64_gic_get_reg(vcpu, AARCH64_REG_ICH_AP0R(n), value);
}

static AxError set_apr(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    return aarch64_gic_set_reg(vcpu, AARCH64_REG_ICH_AP0R(n), value);
}

static AxError get_lr(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return aarch64_gic_get_reg(vcpu, AARCH64_REG_ICH_LR(n), value);
}

static AxError set_lr(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    return aarch64_gic_set_reg(vcpu, AARCH64_REG_ICH_LR(n), value);
}

static AxError get_q(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    Aarch64Fp fp;

    aarch64_fp_peek(vcpu, &fp);
    *value = fp.q[n / 2][n % 2];
    return AX_OK;
}

// To memory first: the next use loads it again.
static AxError set_q(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    aarch64_fp_release(vcpu);
    vcpu->fp.q[n / 2][n % 2] = value;
    return AX_OK;
}

static AxError get_fp_control(const Aarch64VCpu *vcpu, uint32_t n, uint64_t *value)
{
    Aarch64Fp fp;

    aarch64_fp_peek(vcpu, &fp);
    *value = n == 0 ? fp.fpsr : fp.fpcr;
    return AX_OK;
}

static AxError set_fp_control(Aarch64VCpu *vcpu, uint32_t n, uint64_t value)
{
    if (value > UINT32_MAX) {
        return AX_EINVAL;
    }
    aarch64_fp_release(vcpu);
    *(n == 0 ? &vcpu->fp.fpsr : &vcpu->fp.fpcr) = value;
    return AX_OK;
}

static const Bank banks[] = {
    {AX_REG_GPR(0), 31, get_x, set_x},
    {AX_REG_PC, 1, get_pc, set_pc},
    {AX_REG_SP, 1, get_sp, set_sp},
    {AX_REG_RETURN, 1, get_x, set_x},
    {AX_REG_ARG(0), AX_REG_ARG_MAX, get_x, set_x},
    {AARCH64_REG_PSTATE, 1, get_pstate, set_pstate},
    {AARCH64_REG_SYS(0), AARCH64_SYSREG_COUNT, get_sysreg, set_sysreg},
    {AARCH64_REG_CNTV_CTL, 5, get_timer, set_timer},
    {AARCH64_REG_MDSCR, 1, get_mdscr, set_mdscr},
    {AARCH64_REG_ICH_VMCR, 1, get_vmcr, set_vmcr},
    {AARCH64_REG_ICH_AP0R(0), 2 * AARCH64_APR_MAX, get_apr, set_apr},
    {AARCH64_REG_FPSR, 2, get_fp_control, set_fp_control},
    {AARCH64_REG_Q_LOW(0), 64, get_q, set_q},
    {AARCH64_REG_ICH_LR(0), AARCH64_LR_MAX, get_lr, set_lr},
};

AxError aarch64_get_reg(const void *arch, AxRegId reg, uint64_t *value)
{
    return banks_get(BANKS_OF(banks), arch, reg, value);
}

AxError aarch64_set_reg(void *arch, AxRegId reg, uint64_t value)
{
    return banks_set(BANKS_OF(banks), arch, reg, value);
}

#define ID_Q(n)     AARCH64_REG_Q_LOW(0) + (n)
#define ID_SYS(reg) AARCH64_REG_SYS(AARCH64_##reg),

// The order of set_regs: LRs after what they depend on.
const AxRegId aarch64_reg_ids[] = {
    AX_REG_IDS_16(AX_REG_GPR, 0),
    AX_REG_IDS_8(AX_REG_GPR, 16),
    AX_REG_IDS_4(AX_REG_GPR, 24),
    AX_REG_GPR(28),
    AX_REG_GPR(29),
    AX_REG_GPR(30),
    AX_REG_PC,
    AARCH64_REG_PSTATE,
    AARCH64_EL1_REGS(ID_SYS) // each with its comma
    AARCH64_REG_CNTVOFF,
    AARCH64_REG_CNTV_CVAL,
    AARCH64_REG_CNTV_CTL,
    AARCH64_REG_CNTP_CVAL,
    AARCH64_REG_CNTP_CTL,
    AARCH64_REG_MDSCR,
    AARCH64_REG_ICH_VMCR,
    AX_REG_IDS_4(AARCH64_REG_ICH_AP0R, 0),
    AX_REG_IDS_4(AARCH64_REG_ICH_AP1R, 0),
    AX_REG_IDS_16(AARCH64_REG_ICH_LR, 0),
    AARCH64_REG_FPSR,
    AARCH64_REG_FPCR,
    AX_REG_IDS_32(ID_Q, 0),
    AX_REG_IDS_32(ID_Q, 32),
};

static_assert(sizeof(aarch64_reg_ids) / sizeof(aarch64_reg_ids[0]) == AARCH64_REG_ID_COUNT,
              "the count that the ops table gives");
