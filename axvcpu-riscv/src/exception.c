// SPDX-License-Identifier: Apache-2.0
// Exceptions into the guest's VS mode: what the hart does for a delegated trap (Privileged
// Architecture 3.1.6.1, 8.6.2) in C, done to a vCPU that is out of the guest.
#include "riscv.h"

#include "riscv_regs.h"

#define CAUSE_BITS 64u

// What hedeleg can delegate: an exception of VS or VU mode that VS mode can take.
#define VS_CAUSES                                                                        \
    (AX_MASK(CAUSE_ECALL_U, CAUSE_FETCH_MISALIGNED) | AX_BIT(CAUSE_FETCH_PAGE) |         \
     AX_BIT(CAUSE_LOAD_PAGE) | AX_BIT(CAUSE_STORE_PAGE) | AX_BIT(CAUSE_SOFTWARE_CHECK) | \
     AX_BIT(CAUSE_HARDWARE_ERROR))

// SPP and SPIE tell how it was; interrupts are off in the handler.
static uint64_t handler_status(uint64_t status, bool supervisor)
{
    uint64_t next = status & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);

    if (supervisor) {
        next |= SSTATUS_SPP;
    }
    if ((status & SSTATUS_SIE) != 0) {
        next |= SSTATUS_SPIE;
    }
    return next;
}

// Only interrupts use the vectors of a vectored stvec.
void riscv_inject_trap(RISCVVCpu *vcpu, uint64_t cause, uint64_t tval)
{
    const uint64_t status = riscv_sysreg_get(vcpu, RISCV_VSSTATUS);

    riscv_sysreg_set(vcpu, RISCV_VSSTATUS, handler_status(status, riscv_guest_is_supervisor(vcpu)));
    riscv_sysreg_set(vcpu, RISCV_VSEPC, vcpu->regs.pc);
    riscv_sysreg_set(vcpu, RISCV_VSCAUSE, cause);
    riscv_sysreg_set(vcpu, RISCV_VSTVAL, tval);
    riscv_set_guest_mode(vcpu, true);
    vcpu->regs.pc = riscv_sysreg_get(vcpu, RISCV_VSTVEC) & ~STVEC_MODE;
}

void riscv_inject_illegal(RISCVVCpu *vcpu, uint64_t instruction)
{
    riscv_inject_trap(vcpu, CAUSE_ILLEGAL_INSTRUCTION, instruction);
}

static uint64_t access_fault(const RISCVVCpu *vcpu)
{
    switch (vcpu->trap.cause) {
    case CAUSE_FETCH_GUEST_PAGE: return CAUSE_FETCH_ACCESS;
    case CAUSE_LOAD_GUEST_PAGE:
        return riscv_is_atomic_store(vcpu->instruction) ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS;
    default: return CAUSE_STORE_ACCESS;
    }
}

void riscv_inject_access_fault(RISCVVCpu *vcpu)
{
    riscv_inject_trap(vcpu, access_fault(vcpu), vcpu->trap.tval);
}

void riscv_reflect_trap(RISCVVCpu *vcpu)
{
    riscv_inject_trap(vcpu, vcpu->trap.cause, vcpu->trap.tval);
}

// No exception has an error code here.
AxError riscv_inject_exception(RISCVVCpu *vcpu, const AxException *exception)
{
    if (exception->vector >= CAUSE_BITS || (VS_CAUSES & AX_BIT(exception->vector)) == 0 ||
        exception->has_error_code) {
        return AX_EINVAL;
    }
    riscv_inject_trap(vcpu, exception->vector, exception->has_address ? exception->address : 0);
    return AX_OK;
}
