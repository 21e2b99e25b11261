// SPDX-License-Identifier: Apache-2.0
// MOV to CR0 and CR4 where it changes a bit that is not the guest's own (SDM volume 2, MOV to control
// registers; volume 3, 2.5).
#include "x86.h"

#define CR0_WRITABLE \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | X86_BIT(18) | CR0_NW | CR0_CD | CR0_PG)
// Changes after which no translation may stay.
#define CR0_TRANSLATION (CR0_PG | CR0_WP)
#define CR4_TRANSLATION (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)
#define CR3_PCID        UINT64_C(0xfff)

static bool is_long(const X86VCpu *vcpu)
{
    return (x86_read(vcpu, X86_FIELD_EFER) & EFER_LMA) != 0;
}

static bool may_switch_paging_on(const X86VCpu *vcpu)
{
    if ((x86_read(vcpu, X86_FIELD_EFER) & EFER_LME) == 0) {
        return true;
    }
    return (x86_read(vcpu, X86_FIELD_CR4) & CR4_PAE) != 0 &&
           (x86_read(vcpu, X86_FIELD_CS_ATTRIBUTES) & SEGMENT_LONG) == 0;
}

static bool may_switch_paging_off(const X86VCpu *vcpu)
{
    return !x86_is_64bit(vcpu) && (x86_read(vcpu, X86_FIELD_CR4) & CR4_PCIDE) == 0;
}

static bool cr0_is_good(const X86VCpu *vcpu, uint64_t old, uint64_t value)
{
    if (value > UINT32_MAX || ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) ||
        ((value & CR0_NW) != 0 && (value & CR0_CD) == 0)) {
        return false;
    }
    if (((old ^ value) & CR0_PG) == 0) {
        return true;
    }
    return (value & CR0_PG) != 0 ? may_switch_paging_on(vcpu) : may_switch_paging_off(vcpu);
}

static bool set_cr0(X86VCpu *vcpu, uint64_t value)
{
    const uint64_t old = x86_read(vcpu, X86_FIELD_CR0);
    const uint64_t efer = x86_read(vcpu, X86_FIELD_EFER);

    if (!cr0_is_good(vcpu, old, value)) {
        return false;
    }
    x86_write(vcpu, X86_FIELD_CR0, (value & CR0_WRITABLE) | CR0_ET);
    if (((old ^ value) & CR0_PG) != 0 && (efer & EFER_LME) != 0) {
        x86_write(vcpu, X86_FIELD_EFER, (value & CR0_PG) != 0 ? efer | EFER_LMA : efer & ~EFER_LMA);
    }
    if (((old ^ value) & CR0_TRANSLATION) != 0) {
        vcpu->vendor->flush(vcpu);
    }
    return true;
}

static bool cr4_is_good(const X86VCpu *vcpu, uint64_t old, uint64_t value)
{
    if ((value & ~vcpu->percpu->features.cr4) != 0 || ((value & CR4_PAE) == 0 && is_long(vcpu))) {
        return false;
    }
    return (value & ~old & CR4_PCIDE) == 0 ||
           (is_long(vcpu) && (x86_read(vcpu, X86_FIELD_CR3) & CR3_PCID) == 0);
}

static bool set_cr4(X86VCpu *vcpu, uint64_t value)
{
    const uint64_t old = x86_read(vcpu, X86_FIELD_CR4);

    if (!cr4_is_good(vcpu, old, value)) {
        return false;
    }
    x86_write(vcpu, X86_FIELD_CR4, value);
    if (((old ^ value) & CR4_TRANSLATION) != 0) {
        vcpu->vendor->flush(vcpu);
    }
    return true;
}

X86Next x86_handle_control(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const X86Exit *cause = &vcpu->exit;
    bool done;

    switch (cause->control.number) {
    case 0: done = set_cr0(vcpu, cause->control.value); break;
    case 4: done = set_cr4(vcpu, cause->control.value); break;
    default: return x86_exit_unhandled(vcpu, exit);
    }
    if (!done) {
        x86_inject_gp(vcpu);
        return X86_RESUME;
    }
    x86_advance(vcpu, cause->length);
    return X86_RESUME;
}
