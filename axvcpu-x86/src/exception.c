// SPDX-License-Identifier: Apache-2.0
// Exceptions into the guest: what is put into the event of the next entry (SDM volume 3, 6.15: table
// of double faults).
#include "x86.h"

#define CONTRIBUTORY                                                                     \
    (X86_BIT(VECTOR_DE) | X86_BIT(VECTOR_TS) | X86_BIT(VECTOR_NP) | X86_BIT(VECTOR_SS) | \
     X86_BIT(VECTOR_GP))
// Those that have an error code.
#define WITH_ERROR_CODE                                                                  \
    (X86_BIT(VECTOR_DF) | X86_BIT(VECTOR_TS) | X86_BIT(VECTOR_NP) | X86_BIT(VECTOR_SS) | \
     X86_BIT(VECTOR_GP) | X86_BIT(VECTOR_PF) | X86_BIT(VECTOR_AC))
#define WITHOUT_RF                                                                       \
    (X86_BIT(VECTOR_DB) | X86_BIT(VECTOR_BP) | X86_BIT(VECTOR_OF) | X86_BIT(VECTOR_DF) | \
     X86_BIT(VECTOR_MC))
// Not NMI, nor what is reserved: 2, 9, 15, 20 and up.
#define RAISABLE (UINT64_C(0xfffff) & ~(X86_BIT(2) | X86_BIT(9) | X86_BIT(15)))

static bool is_contributory(uint8_t vector)
{
    return (CONTRIBUTORY >> vector & 1) != 0;
}

static bool is_double_fault(uint8_t first, uint8_t second)
{
    return (is_contributory(first) && is_contributory(second)) ||
           (first == VECTOR_PF && (second == VECTOR_PF || is_contributory(second)));
}

// False when the second one replaces the first: the instruction raises that again.
static bool becomes_double_fault(X86VCpu *vcpu, uint8_t second)
{
    const X86Event *first = &vcpu->event;

    if (!first->valid) {
        return false;
    }
    if (first->type != X86_EVENT_EXCEPTION) {
        x86_interrupt_put_back(vcpu, first);
        return false;
    }
    if (first->vector == VECTOR_DF) {
        vcpu->activity = X86_SHUTDOWN;
    }
    return is_double_fault(first->vector, second);
}

// What is pushed with a fault has RF set, so that no breakpoint hits again; #DB as a trap, #BP and #OF
// come behind their instruction, #DF and #MC have none to come back to (SDM volume 3, 17.3.1.1).
static void set_flags(X86VCpu *vcpu, uint8_t vector)
{
    if ((WITHOUT_RF >> vector & 1) == 0) {
        vcpu->regs.rflags |= RFLAGS_RF;
    }
    if (vector == VECTOR_DB) {
        x86_write(vcpu, X86_FIELD_DR7, x86_read(vcpu, X86_FIELD_DR7) & ~DR7_GD);
    }
}

void x86_inject(X86VCpu *vcpu, uint8_t vector, bool has_error_code, uint32_t error_code)
{
    const bool is_double = becomes_double_fault(vcpu, vector);
    // Real mode pushes none.
    const bool pushes = (x86_read(vcpu, X86_FIELD_CR0) & CR0_PE) != 0 &&
                        (is_double || has_error_code);

    set_flags(vcpu, is_double ? VECTOR_DF : vector);
    vcpu->event = (X86Event){
        .valid = true,
        .vector = is_double ? VECTOR_DF : vector,
        .type = X86_EVENT_EXCEPTION,
        .has_error_code = pushes,
        .error_code = is_double || !pushes ? 0 : error_code,
    };
}

// What was there when the instruction began, and is no longer, is #GP.
void x86_inject_fault(X86VCpu *vcpu, const X86Fault *fault)
{
    if (fault->vector == X86_FAULT_NESTED) {
        x86_inject_gp(vcpu);
        return;
    }
    if (fault->vector == VECTOR_PF) {
        x86_write(vcpu, X86_FIELD_CR2, fault->address);
    }
    x86_inject(vcpu, fault->vector, true, fault->error_code);
}

void x86_single_step(X86VCpu *vcpu)
{
    if ((vcpu->regs.rflags & RFLAGS_TF) != 0) {
        x86_write(vcpu, X86_FIELD_DR6, x86_read(vcpu, X86_FIELD_DR6) | DR6_BS);
        x86_inject(vcpu, VECTOR_DB, false, 0);
    }
}

AxError x86_inject_exception(X86VCpu *vcpu, const AxException *exception)
{
    if (exception->vector >= 32 || (RAISABLE >> exception->vector & 1) == 0 ||
        exception->has_error_code != ((WITH_ERROR_CODE >> exception->vector & 1) != 0) ||
        exception->error_code > UINT32_MAX) {
        return AX_EINVAL;
    }
    if (exception->has_address) {
        x86_write(vcpu, X86_FIELD_CR2, exception->address);
    }
    x86_inject(vcpu, (uint8_t)exception->vector, exception->has_error_code,
               (uint32_t)exception->error_code);
    return AX_OK;
}
