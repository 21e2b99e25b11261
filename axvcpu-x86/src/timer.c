// SPDX-License-Identifier: Apache-2.0
// The timer of the local APIC (SDM volume 3, 11.5.4) in all three modes, on the clock of the host.
// It counts at 1 GHz before the divider: a count is a nanosecond.
#include "x86.h"

void x86_timer_reset(X86VCpu *vcpu)
{
    vcpu->timer = (X86VTimer){.deadline = AX_DEADLINE_NONE, .announced = AX_DEADLINE_NONE};
}

static uint64_t now(const X86VCpu *vcpu)
{
    return vcpu->env.hal->now_ns(vcpu->env.hal->ctx);
}

// ---- TSC ----

__extension__ typedef unsigned __int128 Wide;

static X86_RARE uint64_t scaled(const X86VCpu *vcpu, uint64_t tsc)
{
    return (uint64_t)((Wide)tsc * vcpu->tsc_ratio >> vcpu->tsc_ratio_bits);
}

uint64_t x86_guest_tsc(const X86VCpu *vcpu)
{
    const uint64_t tsc = x86_hw_tsc();

    return (vcpu->tsc_ratio == 0 ? tsc : scaled(vcpu, tsc)) + vcpu->timer.tsc_offset;
}

// What was told of the TSC so far is told anew.
void x86_set_tsc_offset(X86VCpu *vcpu, uint64_t offset)
{
    vcpu->timer.tsc_offset = offset;
    vcpu->vendor->set_tsc_offset(vcpu, offset);
    x86_system_time_changed(vcpu);
    if (vcpu->timer.tsc != 0) {
        x86_timer_set_tsc_deadline(vcpu, vcpu->timer.tsc);
    }
}

// As a fixed-point number, by long division.
static uint64_t ratio_of(uint64_t hz, uint64_t host_hz, unsigned bits)
{
    uint64_t ratio = hz / host_hz;
    uint64_t rest = hz % host_hz;

    for (unsigned i = 0; i < bits; i++) {
        rest *= 2;
        ratio = ratio * 2 + (rest >= host_hz ? 1 : 0);
        rest -= rest >= host_hz ? host_hz : 0;
    }
    return ratio;
}

// Where the fraction has 32 bits 8 are left for the rest, else all.
static bool ratio_fits(uint64_t hz, uint64_t host_hz, unsigned bits)
{
    return hz >> 62 == 0 && host_hz >> 62 == 0 && hz / host_hz < (bits == 32 ? 256 : 65536);
}

AxError x86_timer_set_pace(X86VCpu *vcpu)
{
    const uint64_t host_hz = vcpu->create.tsc_hz;
    const uint64_t hz = vcpu->create.guest_tsc_hz;
    X86Features features = {0};

    vcpu->tsc_hz = host_hz;
    if (hz == 0 || hz == host_hz) {
        return AX_OK;
    }
    x86_features_read(vcpu->vendor, &features);
    if (features.tsc_ratio_bits == 0) {
        return AX_ENOTSUP;
    }
    if (!ratio_fits(hz, host_hz, features.tsc_ratio_bits)) {
        return AX_EINVAL;
    }
    vcpu->tsc_hz = hz;
    vcpu->tsc_ratio_bits = features.tsc_ratio_bits;
    vcpu->tsc_ratio = ratio_of(hz, host_hz, features.tsc_ratio_bits);
    return vcpu->tsc_ratio != 0 ? AX_OK : AX_EINVAL;
}

// ---- modes ----

static uint32_t lvt(const X86VCpu *vcpu)
{
    return vcpu->lapic.lvt[0];
}

// 0 to 7 of bits 3, 1 and 0: 2, 4 ... 128, 1.
static unsigned divider_shift(const X86VCpu *vcpu)
{
    const uint32_t divide = vcpu->timer.divide;

    return (((divide >> 1 & 4) | (divide & 3)) + 1) % 8;
}

static uint64_t period(const X86VCpu *vcpu)
{
    return (uint64_t)vcpu->timer.initial << divider_shift(vcpu);
}

static void stop(X86VCpu *vcpu)
{
    vcpu->timer.initial = 0;
    vcpu->timer.tsc = 0;
    vcpu->timer.deadline = AX_DEADLINE_NONE;
}

static void start_count(X86VCpu *vcpu)
{
    vcpu->timer.started = now(vcpu);
    vcpu->timer.deadline = vcpu->timer.initial == 0 ? AX_DEADLINE_NONE
                                                    : vcpu->timer.started + period(vcpu);
}

void x86_timer_mode_changed(X86VCpu *vcpu, uint32_t before)
{
    const bool was = LVT_TIMER_MODE(before) == TIMER_TSC_DEADLINE;
    const bool is = LVT_TIMER_MODE(lvt(vcpu)) == TIMER_TSC_DEADLINE;

    if (was != is) {
        stop(vcpu);
    }
}

static uint64_t tsc_deadline_ns(const X86VCpu *vcpu)
{
    const uint64_t tsc = x86_guest_tsc(vcpu);
    const uint64_t due = vcpu->timer.tsc;

    return axvcpu_deadline_after(now(vcpu), due > tsc ? due - tsc : 0, vcpu->tsc_hz);
}

void x86_timer_set_tsc_deadline(X86VCpu *vcpu, uint64_t value)
{
    if (LVT_TIMER_MODE(lvt(vcpu)) != TIMER_TSC_DEADLINE) {
        return;
    }
    vcpu->timer.tsc = value;
    vcpu->timer.deadline = value == 0 ? AX_DEADLINE_NONE : tsc_deadline_ns(vcpu);
}

uint64_t x86_timer_tsc_deadline(const X86VCpu *vcpu)
{
    return vcpu->timer.tsc;
}

// ---- registers ----

static uint32_t current_count(const X86VCpu *vcpu)
{
    const uint64_t time = now(vcpu);
    const uint64_t deadline = vcpu->timer.deadline;

    if (LVT_TIMER_MODE(lvt(vcpu)) == TIMER_TSC_DEADLINE || deadline == AX_DEADLINE_NONE ||
        time >= deadline) {
        return 0;
    }
    return (uint32_t)((deadline - time) >> divider_shift(vcpu));
}

uint32_t x86_timer_read(const X86VCpu *vcpu, uint32_t offset)
{
    switch (offset) {
    case LAPIC_TIMER_INITIAL: return vcpu->timer.initial;
    case LAPIC_TIMER_CURRENT: return current_count(vcpu);
    default: return vcpu->timer.divide;
    }
}

void x86_timer_write(X86VCpu *vcpu, uint32_t offset, uint32_t value)
{
    if (offset == LAPIC_TIMER_DIVIDE) {
        vcpu->timer.divide = value & 0xb;
    } else if (offset == LAPIC_TIMER_INITIAL && LVT_TIMER_MODE(lvt(vcpu)) != TIMER_TSC_DEADLINE) {
        vcpu->timer.initial = value;
        start_count(vcpu);
    }
}

// ---- expiry ----

bool x86_timer_due(const X86VCpu *vcpu)
{
    return vcpu->timer.deadline != AX_DEADLINE_NONE && now(vcpu) >= vcpu->timer.deadline &&
           (lvt(vcpu) & LVT_MASKED) == 0;
}

// A guest that did not run for several periods gets one interrupt, and the rhythm stays.
static uint64_t next_period(const X86VCpu *vcpu, uint64_t time)
{
    const uint64_t step = period(vcpu);
    const uint64_t late = time - vcpu->timer.deadline;

    return step == 0 ? AX_DEADLINE_NONE : vcpu->timer.deadline + (late / step + 1) * step;
}

static void expire(X86VCpu *vcpu, uint64_t time)
{
    if ((lvt(vcpu) & LVT_MASKED) == 0) {
        x86_lapic_raise(vcpu, (uint8_t)lvt(vcpu));
    }
    vcpu->timer.tsc = 0;
    vcpu->timer.deadline = LVT_TIMER_MODE(lvt(vcpu)) == TIMER_PERIODIC ? next_period(vcpu, time)
                                                                       : AX_DEADLINE_NONE;
}

// Once per deadline, not per entry. AX_DEADLINE_NONE ends what was announced before.
static void announce(X86VCpu *vcpu, uint64_t deadline)
{
    const AxVCpuHal *hal = vcpu->env.hal;

    if (deadline != vcpu->timer.announced) {
        vcpu->timer.announced = deadline;
        hal->set_deadline(hal->ctx, deadline);
    }
}

void x86_timer_poll(X86VCpu *vcpu)
{
    const uint64_t time = now(vcpu);

    if (time >= vcpu->timer.deadline) {
        expire(vcpu, time);
    }
    announce(vcpu, vcpu->timer.deadline);
}

void x86_timer_load(X86VCpu *vcpu)
{
    vcpu->vendor->set_tsc_offset(vcpu, vcpu->timer.tsc_offset);
}

void x86_timer_save(X86VCpu *vcpu)
{
    announce(vcpu, AX_DEADLINE_NONE);
}

uint64_t x86_next_deadline(const void *arch)
{
    const X86VCpu *vcpu = arch;

    return (lvt(vcpu) & LVT_MASKED) == 0 ? vcpu->timer.deadline : AX_DEADLINE_NONE;
}
