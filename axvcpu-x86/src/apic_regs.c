// SPDX-License-Identifier: Apache-2.0
// The state of the local APIC by number: what a snapshot holds beyond the guest's own registers.
#include "x86.h"

#include <string.h>

#define NMI_PENDING X86_BIT(0)
#define NMI_BLOCKED X86_BIT(1)
#define EXTINT_DUE  X86_BIT(8)

// No vector is below 16.
#define FIRST_VECTORS (~UINT64_C(0xffff))

typedef struct Place {
    uint16_t offset; // in X86VCpu
    uint8_t size;
    uint64_t allowed; // bits that may be set
} Place;

#define PLACE(member, allowed)                                                     \
    {                                                                              \
        offsetof(X86VCpu, member), sizeof(((const X86VCpu *)0)->member), (allowed) \
    }
#define LVT(n) [X86_APIC_LVT + (n)] = PLACE(lapic.lvt[n], UINT64_C(0x000717ff))
#define VECTORS(NAME, member)                                                      \
    [X86_APIC_##NAME] = {offsetof(X86VCpu, lapic.member), 8, FIRST_VECTORS},       \
    [X86_APIC_##NAME + 1] = {offsetof(X86VCpu, lapic.member) + 8, 8, UINT64_MAX},  \
    [X86_APIC_##NAME + 2] = {offsetof(X86VCpu, lapic.member) + 16, 8, UINT64_MAX}, \
    [X86_APIC_##NAME + 3] = {offsetof(X86VCpu, lapic.member) + 24, 8, UINT64_MAX}

// Those without a size are below.
static const Place places[X86_APIC_REG_COUNT] = {
    [X86_APIC_LDR] = PLACE(lapic.ldr, UINT64_C(0xff000000)),
    [X86_APIC_DFR] = PLACE(lapic.dfr, UINT32_MAX),
    [X86_APIC_SVR] = PLACE(lapic.svr, UINT64_C(0x1ff)),
    [X86_APIC_ESR] = PLACE(lapic.esr, UINT64_C(0xffff)),
    [X86_APIC_ICR] = PLACE(lapic.icr, UINT64_MAX),
    LVT(0),
    LVT(1),
    LVT(2),
    LVT(3),
    LVT(4),
    LVT(5),
    VECTORS(ISR, isr),
    VECTORS(IRR, irr),
    VECTORS(TMR, tmr),
    [X86_APIC_TIMER_INITIAL] = PLACE(timer.initial, UINT32_MAX),
    [X86_APIC_TIMER_DIVIDE] = PLACE(timer.divide, UINT64_C(0xb)),
    [X86_APIC_TSC_DEADLINE] = PLACE(timer.tsc, UINT64_MAX),
};

static uint64_t now(const X86VCpu *vcpu)
{
    return vcpu->env.hal->now_ns(vcpu->env.hal->ctx);
}

static uint64_t time_left(const X86VCpu *vcpu)
{
    const uint64_t time = now(vcpu);
    const uint64_t deadline = vcpu->timer.deadline;

    if (deadline == AX_DEADLINE_NONE) {
        return AX_DEADLINE_NONE;
    }
    return deadline > time ? deadline - time : 0;
}

static AxError set_time_left(X86VCpu *vcpu, uint64_t value)
{
    uint64_t deadline;

    if (__builtin_add_overflow(now(vcpu), value, &deadline)) {
        deadline = AX_DEADLINE_NONE;
    }
    vcpu->timer.deadline = deadline;
    return AX_OK;
}

static uint64_t nmi(const X86VCpu *vcpu)
{
    return (vcpu->lapic.nmi_pending ? NMI_PENDING : 0) |
           (vcpu->lapic.nmi_blocked ? NMI_BLOCKED : 0);
}

static AxError set_nmi(X86VCpu *vcpu, uint64_t value)
{
    if ((value & ~(NMI_PENDING | NMI_BLOCKED)) != 0) {
        return AX_EINVAL;
    }
    vcpu->lapic.nmi_pending = (value & NMI_PENDING) != 0;
    vcpu->lapic.nmi_blocked = (value & NMI_BLOCKED) != 0;
    return AX_OK;
}

static uint64_t extint(const X86VCpu *vcpu)
{
    return vcpu->lapic.extint_due ? EXTINT_DUE | vcpu->lapic.extint_vector : 0;
}

static AxError set_extint(X86VCpu *vcpu, uint64_t value)
{
    if ((value & ~(EXTINT_DUE | UINT8_MAX)) != 0) {
        return AX_EINVAL;
    }
    vcpu->lapic.extint_due = (value & EXTINT_DUE) != 0;
    vcpu->lapic.extint_vector = (uint8_t)value;
    return AX_OK;
}

static AxError set_tpr(X86VCpu *vcpu, uint64_t value)
{
    if (value > UINT8_MAX) {
        return AX_EINVAL;
    }
    vcpu->lapic.tpr = (uint32_t)value;
    vcpu->vendor->set_tpr(vcpu, (uint8_t)value);
    return AX_OK;
}

AxError x86_apic_get(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    const Place *place = &places[n];

    switch (n) {
    case X86_APIC_TPR: *value = x86_lapic_tpr(vcpu); return AX_OK;
    case X86_APIC_NMI: *value = nmi(vcpu); return AX_OK;
    case X86_APIC_EXTINT: *value = extint(vcpu); return AX_OK;
    case X86_APIC_TIMER_LEFT: *value = time_left(vcpu); return AX_OK;
    default: break;
    }
    *value = 0;
    memcpy(value, (const uint8_t *)vcpu + place->offset, place->size);
    return AX_OK;
}

AxError x86_apic_set(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    const Place *place = &places[n];

    vcpu->lapic.changed = true;
    switch (n) {
    case X86_APIC_TPR: return set_tpr(vcpu, value);
    case X86_APIC_NMI: return set_nmi(vcpu, value);
    case X86_APIC_EXTINT: return set_extint(vcpu, value);
    case X86_APIC_TIMER_LEFT: return set_time_left(vcpu, value);
    default: break;
    }
    if ((value & ~place->allowed) != 0) {
        return AX_EINVAL;
    }
    memcpy((uint8_t *)vcpu + place->offset, &value, place->size);
    return AX_OK;
}
