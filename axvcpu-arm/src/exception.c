// SPDX-License-Identifier: Apache-2.0
// Exceptions into the guest's EL1: AArch64.TakeException of the Arm ARM (D1.3.1, J1.1) in C, done to
// a vCPU that is out of the guest.
#include "arm.h"

#include "arm_regs.h"

#define VECTOR_EL1T      UINT64_C(0x000)
#define VECTOR_EL1H      UINT64_C(0x200)
#define VECTOR_EL0_64    UINT64_C(0x400)
#define VECTOR_EL0_32    UINT64_C(0x600)
#define SCTLR_EL1_SPAN   AX_BIT(23)
#define SCTLR_EL1_DSSBS  AX_BIT(44)
#define EC_SAME_LEVEL    UINT64_C(1) // abort classes: from a lower level is even, from EL1 odd
#define EXCEPTION_EC_MAX UINT32_C(0x3f)

static bool from_el0(const Aarch64VCpu *vcpu)
{
    const uint64_t pstate = vcpu->regs.pstate;

    return (pstate & PSTATE_NRW) != 0 || (pstate & PSTATE_M) == PSTATE_M_EL0T;
}

static uint64_t vector_offset(uint64_t pstate)
{
    if ((pstate & PSTATE_NRW) != 0) {
        return VECTOR_EL0_32;
    }
    if ((pstate & PSTATE_M) == PSTATE_M_EL0T) {
        return VECTOR_EL0_64;
    }
    return (pstate & PSTATE_M) == PSTATE_M_EL1T ? VECTOR_EL1T : VECTOR_EL1H;
}

// NZCV, DIT and PAN go on; IL, SS, UAO, BTYPE and TCO (no MTE here) become 0. PAN is set unless
// SCTLR_EL1.SPAN says to leave it, SSBS comes from SCTLR_EL1.
static uint64_t handler_pstate(uint64_t pstate, uint64_t sctlr)
{
    uint64_t next = pstate & (PSTATE_NZCV | PSTATE_DIT | PSTATE_PAN);

    if ((sctlr & SCTLR_EL1_SPAN) == 0) {
        next |= PSTATE_PAN;
    }
    if ((sctlr & SCTLR_EL1_DSSBS) != 0) {
        next |= PSTATE_SSBS;
    }
    return next | PSTATE_DAIF | PSTATE_M_EL1H;
}

void aarch64_inject_sync(Aarch64VCpu *vcpu, uint64_t esr, bool has_far, uint64_t far)
{
    const uint64_t pstate = vcpu->regs.pstate;

    aarch64_sysreg_set(vcpu, AARCH64_SPSR_EL1, pstate);
    aarch64_sysreg_set(vcpu, AARCH64_ELR_EL1, vcpu->regs.pc);
    aarch64_sysreg_set(vcpu, AARCH64_ESR_EL1, esr);
    if (has_far) {
        aarch64_sysreg_set(vcpu, AARCH64_FAR_EL1, far);
    }
    vcpu->regs.pc = aarch64_sysreg_get(vcpu, AARCH64_VBAR_EL1) + vector_offset(pstate);
    vcpu->regs.pstate = handler_pstate(pstate, aarch64_sysreg_get(vcpu, AARCH64_SCTLR_EL1));
}

void aarch64_inject_undefined(Aarch64VCpu *vcpu)
{
    aarch64_inject_sync(vcpu, ax_put(ESR_ELX_EC_UNKNOWN, ESR_ELX_EC) | ESR_ELX_IL, false, 0);
}

// An exception class that has two numbers, as seen from where the guest stands.
static uint64_t class_at_el1(const Aarch64VCpu *vcpu, uint64_t low)
{
    return from_el0(vcpu) ? low : low | EC_SAME_LEVEL;
}

void aarch64_inject_fault(Aarch64VCpu *vcpu, bool instruction, uint64_t fsc)
{
    const uint64_t low = instruction ? ESR_ELX_EC_IABT_LOW : ESR_ELX_EC_DABT_LOW;
    const uint64_t kept = instruction
                              ? ESR_ELX_IL | ESR_ELX_ABT_FNV
                              : ESR_ELX_IL | ESR_ELX_ABT_FNV | ESR_ELX_ABT_CM | ESR_ELX_ABT_WNR;

    aarch64_inject_sync(vcpu,
                        ax_put(class_at_el1(vcpu, low), ESR_ELX_EC) | (vcpu->syndrome.esr & kept) |
                            ax_put(fsc, ESR_ELX_ABT_FSC),
                        true, vcpu->syndrome.far);
}

void aarch64_inject_abort(Aarch64VCpu *vcpu, bool instruction)
{
    aarch64_inject_fault(vcpu, instruction, ESR_ELX_FSC_EXTERNAL);
}

void aarch64_reflect_sync(Aarch64VCpu *vcpu)
{
    aarch64_inject_sync(vcpu, vcpu->syndrome.esr & (ESR_ELX_EC | ESR_ELX_IL | ESR_ELX_ISS), true,
                        vcpu->syndrome.far);
}

// Classes whose lowest bit says that the exception was taken from EL1 itself.
static bool class_has_levels(uint32_t ec)
{
    const uint32_t low = ec & ~(uint32_t)EC_SAME_LEVEL;

    return low == ESR_ELX_EC_IABT_LOW || low == ESR_ELX_EC_DABT_LOW ||
           low == ESR_ELX_EC_BREAK_LOW || low == ESR_ELX_EC_STEP_LOW || low == ESR_ELX_EC_WATCH_LOW;
}

AxError aarch64_inject_exception(Aarch64VCpu *vcpu, const AxException *exception)
{
    const uint64_t iss = exception->has_error_code ? exception->error_code : 0;
    uint64_t ec = exception->vector;

    if (exception->vector > EXCEPTION_EC_MAX || (iss & ~ESR_ELX_ISS) != 0) {
        return AX_EINVAL;
    }
    if (ec == ESR_ELX_EC_SERROR) {
        vcpu->serror_pending = true;
        return AX_OK;
    }
    if (class_has_levels(exception->vector)) {
        ec = class_at_el1(vcpu, ec & ~EC_SAME_LEVEL);
    }
    aarch64_inject_sync(vcpu, ax_put(ec, ESR_ELX_EC) | ESR_ELX_IL | iss, exception->has_address,
                        exception->address);
    return AX_OK;
}
