// SPDX-License-Identifier: Apache-2.0
// What moves when a vCPU takes or leaves a pCPU: the EL1 registers at once, FP when it is used.
#include "arm.h"
#include "arm_regs.h"

#include <string.h>

// What the guest's MDSCR_EL1 means in hardware: software step, which needs no other register. MDE
// would turn on break- and watchpoints, which are the host's.
#define MDSCR_LIVE (MDSCR_EL1_SS | MDSCR_EL1_KDE)

// Everything not named is 0: reset leaves it UNKNOWN, and zero leaks nothing. ACTLR_EL1 and
// AMAIR_EL1 are implementation defined and keep what this CPU came up with; writes to ACTLR trap.
void aarch64_state_reset(Aarch64VCpu *vcpu)
{
    memset(vcpu->sys, 0, sizeof(vcpu->sys));
    memset(&vcpu->fp, 0, sizeof(vcpu->fp));
    vcpu->sys[AARCH64_SCTLR_EL1] = SCTLR_EL1_RES1;
    vcpu->sys[AARCH64_ACTLR_EL1] = ARM_READ(ACTLR_EL1);
    vcpu->sys[AARCH64_AMAIR_EL1] = ARM_READ(AMAIR_EL1);
    vcpu->mdscr = 0;
    vcpu->fp_loaded = false;
    vcpu->serror_pending = false;
}

// No barrier: these registers act on EL1 only, and the exception return synchronises.
void aarch64_state_load(Aarch64VCpu *vcpu)
{
#define LOAD(reg) ARM_WRITE(reg, vcpu->sys[AARCH64_##reg]);
    AARCH64_EL1_REGS(LOAD)
#undef LOAD
    ARM_WRITE(VMPIDR_EL2, vcpu->vmpidr);
    ARM_WRITE(MDSCR_EL1, vcpu->mdscr & MDSCR_LIVE);
    ARM_WRITE(HCR_EL2, vcpu->hcr);
}

void aarch64_state_save(Aarch64VCpu *vcpu)
{
#define SAVE(reg) vcpu->sys[AARCH64_##reg] = ARM_READ(reg);
    AARCH64_EL1_REGS(SAVE)
#undef SAVE
    ARM_WRITE(MDSCR_EL1, 0);
    // Hardware clears VSE when the guest has taken its SError.
    vcpu->hcr = (vcpu->hcr & ~HCR_EL2_VSE) | (ARM_READ(HCR_EL2) & HCR_EL2_VSE);
    ARM_WRITE(HCR_EL2, vcpu->percpu->host.hcr);
}

uint64_t aarch64_sysreg_get(const Aarch64VCpu *vcpu, Aarch64SysReg reg)
{
    if (vcpu->percpu == NULL) {
        return reg < AARCH64_SYSREG_COUNT ? vcpu->sys[reg] : 0;
    }
#define GET(name) \
    case AARCH64_##name: return ARM_READ(name);
    switch (reg) {
        AARCH64_EL1_REGS(GET)
    case AARCH64_SYSREG_COUNT: break;
    }
#undef GET
    return 0;
}

void aarch64_sysreg_set(Aarch64VCpu *vcpu, Aarch64SysReg reg, uint64_t value)
{
    if (reg < AARCH64_SYSREG_COUNT) {
        vcpu->sys[reg] = value;
    }
    if (vcpu->percpu == NULL) {
        return;
    }
#define SET(name) \
    case AARCH64_##name: ARM_WRITE(name, value); break;
    switch (reg) {
        AARCH64_EL1_REGS(SET)
    case AARCH64_SYSREG_COUNT: break;
    }
#undef SET
}

void aarch64_mdscr_set(Aarch64VCpu *vcpu, uint64_t value)
{
    vcpu->mdscr = value;
    if (vcpu->percpu != NULL) {
        ARM_WRITE(MDSCR_EL1, value & MDSCR_LIVE);
    }
}

// ---- controls ----

uint64_t aarch64_hcr_base(void)
{
    return HCR_EL2_VM | HCR_EL2_SWIO | HCR_EL2_PTW | HCR_EL2_FMO | HCR_EL2_IMO | HCR_EL2_AMO |
           HCR_EL2_FB | HCR_EL2_BSU_IS | HCR_EL2_TID3 | HCR_EL2_TSC | HCR_EL2_TIDCP | HCR_EL2_TACR |
           HCR_EL2_RW | HCR_EL2_TLOR | HCR_EL2_TERR | HCR_EL2_TEA | HCR_EL2_TID5;
}

void aarch64_hcr_set(Aarch64VCpu *vcpu, uint64_t bits)
{
    vcpu->hcr |= bits;
    if (vcpu->percpu != NULL) {
        ARM_WRITE(HCR_EL2, ARM_READ(HCR_EL2) | bits);
    }
}

// ---- FP ----

void aarch64_fp_use(Aarch64VCpu *vcpu)
{
    vcpu->fp_loaded = true;
    ARM_WRITE(CPTR_EL2, aarch64_cptr(vcpu));
    arm_isb();
    aarch64_fp_load(&vcpu->fp);
}

// Between runs CPTR_EL2 is the host's, which may trap FP.
void aarch64_fp_peek(const Aarch64VCpu *vcpu, Aarch64Fp *out)
{
    uint64_t cptr;

    if (!vcpu->fp_loaded) {
        *out = vcpu->fp;
        return;
    }
    cptr = ARM_READ(CPTR_EL2);
    ARM_WRITE(CPTR_EL2, aarch64_cptr(vcpu));
    arm_isb();
    aarch64_fp_save(out);
    ARM_WRITE(CPTR_EL2, cptr);
    arm_isb();
}

void aarch64_fp_release(Aarch64VCpu *vcpu)
{
    if (vcpu->fp_loaded) {
        aarch64_fp_peek(vcpu, &vcpu->fp);
        vcpu->fp_loaded = false;
    }
}
