// SPDX-License-Identifier: Apache-2.0
// The timer of a guest. On a hart with Sstc it sits in vstimecmp from bind to unbind, and the guest
// programs it without exits. On others the guest asks by SBI; the deadline is compared before each
// entry, and the host is told when it has to end the stay in the guest.
#include "riscv.h"
#include "riscv_regs.h"

#define NEVER UINT64_MAX // guest time that is not reached

void riscv_timer_reset(RISCVVCpu *vcpu)
{
    vcpu->timer = (RISCVVTimer){.deadline = NEVER, .announced = NEVER};
}

// ---- time ----

static bool in_hardware(const RISCVVCpu *vcpu)
{
    return vcpu->percpu != NULL && vcpu->percpu->features.has_sstc;
}

static uint64_t deadline_now(const RISCVVCpu *vcpu)
{
    return in_hardware(vcpu) ? RV_READ(VSTIMECMP) : vcpu->timer.deadline;
}

static uint64_t guest_time(const RISCVVCpu *vcpu)
{
    return rv_time() + vcpu->timer.htimedelta;
}

bool riscv_timer_asserted(const RISCVVCpu *vcpu)
{
    return guest_time(vcpu) >= deadline_now(vcpu);
}

static uint64_t host_time(const RISCVVCpu *vcpu, uint64_t deadline)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const uint64_t time = guest_time(vcpu);

    if (deadline == NEVER) {
        return AX_DEADLINE_NONE;
    }
    return axvcpu_deadline_after(hal->now_ns(hal->ctx), deadline > time ? deadline - time : 0,
                                 vcpu->create.timebase_hz);
}

// ---- bind and unbind ----

// Once per deadline, not per entry. NEVER ends what was announced before.
static void announce(RISCVVCpu *vcpu, uint64_t deadline)
{
    const AxVCpuHal *hal = vcpu->env.hal;

    if (deadline != vcpu->timer.announced) {
        vcpu->timer.announced = deadline;
        hal->set_deadline(hal->ctx, host_time(vcpu, deadline));
    }
}

// The comparison begins with the write of vstimecmp, so htimedelta comes first.
void riscv_timer_load(RISCVVCpu *vcpu)
{
    vcpu->timer.fired = false;
    RV_WRITE(HTIMEDELTA, vcpu->timer.htimedelta);
    if (in_hardware(vcpu)) {
        RV_WRITE(VSTIMECMP, vcpu->timer.deadline);
    }
}

void riscv_timer_save(RISCVVCpu *vcpu)
{
    if (in_hardware(vcpu)) {
        vcpu->timer.deadline = RV_SWAP(VSTIMECMP, NEVER);
    } else {
        announce(vcpu, NEVER);
    }
    RV_WRITE(HTIMEDELTA, 0);
}

// ---- between entries ----

void riscv_timer_set(RISCVVCpu *vcpu, uint64_t deadline)
{
    if (in_hardware(vcpu)) {
        RV_WRITE(VSTIMECMP, deadline);
    } else {
        vcpu->timer.deadline = deadline; // the next look puts the interrupt right
    }
}

void riscv_timer_poll(RISCVVCpu *vcpu)
{
    RISCVVTimer *timer = &vcpu->timer;
    const bool due = riscv_timer_asserted(vcpu);

    if (due != timer->fired) {
        timer->fired = due;
        vcpu->interrupts.look_again = true;
    }
    announce(vcpu, due ? NEVER : timer->deadline);
}

// ---- waiting ----

// What the guest does not want in sie does not end its WFI, whatever sstatus.SIE says.
static bool may_wake(const RISCVVCpu *vcpu)
{
    return (riscv_sysreg_get(vcpu, RISCV_VSIE) & SIP_STIP) != 0;
}

bool riscv_timer_wakeup_pending(const RISCVVCpu *vcpu)
{
    return may_wake(vcpu) && riscv_timer_asserted(vcpu);
}

uint64_t riscv_next_deadline(const void *arch)
{
    const RISCVVCpu *vcpu = arch;

    return may_wake(vcpu) ? host_time(vcpu, deadline_now(vcpu)) : AX_DEADLINE_NONE;
}

// ---- register ids ----

AxError riscv_timer_get_reg(const RISCVVCpu *vcpu, AxRegId reg, uint64_t *value)
{
    switch (reg) {
    case RISCV_REG_TIMECMP: *value = deadline_now(vcpu); return AX_OK;
    case RISCV_REG_HTIMEDELTA: *value = vcpu->timer.htimedelta; return AX_OK;
    default: return AX_ENOENT;
    }
}

static uint64_t *field_of(RISCVVTimer *timer, AxRegId reg)
{
    switch (reg) {
    case RISCV_REG_TIMECMP: return &timer->deadline;
    case RISCV_REG_HTIMEDELTA: return &timer->htimedelta;
    default: return NULL;
    }
}

AxError riscv_timer_set_reg(RISCVVCpu *vcpu, AxRegId reg, uint64_t value)
{
    uint64_t *field = field_of(&vcpu->timer, reg);

    if (field == NULL) {
        return AX_ENOENT;
    }
    if (vcpu->percpu == NULL) {
        *field = value;
        return AX_OK;
    }
    riscv_timer_save(vcpu);
    *field = value;
    riscv_timer_load(vcpu);
    return AX_OK;
}
