// SPDX-License-Identifier: Apache-2.0
// The two EL1 timers (Arm ARM D11). They sit in hardware from bind to unbind, so a guest programs
// them without exits; the host keeps the EL2 timer for itself. Between two runs of a bound vCPU
// they are muted (IMASK), because the host could do nothing with their interrupts.
#include "arm.h"
#include "arm_regs.h"

#define CTL_FIELDS (CNT_CTL_ENABLE | CNT_CTL_IMASK)

static bool is_open(uint64_t ctl)
{
    return (ctl & CTL_FIELDS) == CNT_CTL_ENABLE;
}

void aarch64_timer_reset(Aarch64VCpu *vcpu)
{
    vcpu->timer = (Aarch64VTimer){0};
}

// ---- hardware ----

void aarch64_timer_load(Aarch64VCpu *vcpu)
{
    const Aarch64VTimer *timer = &vcpu->timer;

    ARM_WRITE(CNTHCTL_EL2, CNTHCTL_EL2_EL1PCTEN | CNTHCTL_EL2_EL1PCEN);
    ARM_WRITE(CNTVOFF_EL2, timer->cntvoff);
    ARM_WRITE(CNTV_CVAL_EL0, timer->virt.cval);
    ARM_WRITE(CNTV_CTL_EL0, timer->virt.ctl | CNT_CTL_IMASK);
    ARM_WRITE(CNTP_CVAL_EL0, timer->phys.cval);
    ARM_WRITE(CNTP_CTL_EL0, timer->phys.ctl | CNT_CTL_IMASK);
}

void aarch64_timer_save(Aarch64VCpu *vcpu)
{
    (void)vcpu; // has the values since the end of the last run
    ARM_WRITE(CNTV_CTL_EL0, 0);
    ARM_WRITE(CNTP_CTL_EL0, 0);
    ARM_WRITE(CNTVOFF_EL2, 0);
}

void aarch64_timer_unmute(Aarch64VCpu *vcpu)
{
    Aarch64VTimer *timer = &vcpu->timer;

    timer->live = true;
    if (is_open(timer->virt.ctl)) {
        ARM_WRITE(CNTV_CTL_EL0, CNT_CTL_ENABLE);
    }
    if (is_open(timer->phys.ctl)) {
        ARM_WRITE(CNTP_CTL_EL0, CNT_CTL_ENABLE);
    }
}

static Aarch64Timer read_virt(void)
{
    return (Aarch64Timer){
        .ctl = ARM_READ(CNTV_CTL_EL0) & CTL_FIELDS,
        .cval = ARM_READ(CNTV_CVAL_EL0),
    };
}

static Aarch64Timer read_phys(void)
{
    return (Aarch64Timer){
        .ctl = ARM_READ(CNTP_CTL_EL0) & CTL_FIELDS,
        .cval = ARM_READ(CNTP_CVAL_EL0),
    };
}

void aarch64_timer_mute(Aarch64VCpu *vcpu)
{
    Aarch64VTimer *timer = &vcpu->timer;

    timer->live = false;
    timer->virt = read_virt();
    timer->phys = read_phys();
    if (is_open(timer->virt.ctl)) {
        ARM_WRITE(CNTV_CTL_EL0, CNT_CTL_ENABLE | CNT_CTL_IMASK);
    }
    if (is_open(timer->phys.ctl)) {
        ARM_WRITE(CNTP_CTL_EL0, CNT_CTL_ENABLE | CNT_CTL_IMASK);
    }
}

// ---- interrupts ----

bool aarch64_timer_interrupt(Aarch64VCpu *vcpu, uint64_t vector)
{
    if (vector != AARCH64_PPI_VTIMER && vector != AARCH64_PPI_PTIMER) {
        return false;
    }
    aarch64_gic_inject_linked(vcpu, (uint32_t)vector);
    return true;
}

static Aarch64Timer timer_now(const Aarch64VCpu *vcpu, uint32_t intid)
{
    const Aarch64VTimer *timer = &vcpu->timer;

    if (timer->live) {
        return intid == AARCH64_PPI_VTIMER ? read_virt() : read_phys();
    }
    return intid == AARCH64_PPI_VTIMER ? timer->virt : timer->phys;
}

static uint64_t count_now(const Aarch64VCpu *vcpu, uint32_t intid)
{
    return arm_cntpct() - (intid == AARCH64_PPI_VTIMER ? vcpu->timer.cntvoff : 0);
}

bool aarch64_timer_asserted(const Aarch64VCpu *vcpu, uint32_t intid)
{
    const Aarch64Timer timer = timer_now(vcpu, intid);

    return is_open(timer.ctl) && count_now(vcpu, intid) >= timer.cval;
}

// A timer whose interrupt is switched off, or still being handled, wakes nobody.
static bool may_wake(const Aarch64VCpu *vcpu, uint32_t intid)
{
    return axvcpu_events_enabled(vcpu->env.events, intid) &&
           !aarch64_gic_irq_state(vcpu, intid).active;
}

bool aarch64_timer_wakeup_pending(const Aarch64VCpu *vcpu)
{
    return (may_wake(vcpu, AARCH64_PPI_VTIMER) &&
            aarch64_timer_asserted(vcpu, AARCH64_PPI_VTIMER)) ||
           (may_wake(vcpu, AARCH64_PPI_PTIMER) && aarch64_timer_asserted(vcpu, AARCH64_PPI_PTIMER));
}

static uint64_t deadline_of(const Aarch64VCpu *vcpu, uint32_t intid, uint64_t now)
{
    const Aarch64Timer timer = timer_now(vcpu, intid);
    const uint64_t count = count_now(vcpu, intid);

    if (!is_open(timer.ctl) || !may_wake(vcpu, intid)) {
        return AX_DEADLINE_NONE;
    }
    return axvcpu_deadline_after(now, timer.cval > count ? timer.cval - count : 0,
                                 ARM_READ(CNTFRQ_EL0) & UINT32_MAX);
}

uint64_t aarch64_next_deadline(const void *arch)
{
    const Aarch64VCpu *vcpu = arch;
    const uint64_t now = vcpu->env.hal->now_ns(vcpu->env.hal->ctx);
    const uint64_t virt = deadline_of(vcpu, AARCH64_PPI_VTIMER, now);
    const uint64_t phys = deadline_of(vcpu, AARCH64_PPI_PTIMER, now);

    return virt < phys ? virt : phys;
}

// ---- register ids ----

static uint64_t *field_of(Aarch64VTimer *timer, AxRegId reg)
{
    switch (reg) {
    case AARCH64_REG_CNTV_CTL: return &timer->virt.ctl;
    case AARCH64_REG_CNTV_CVAL: return &timer->virt.cval;
    case AARCH64_REG_CNTVOFF: return &timer->cntvoff;
    case AARCH64_REG_CNTP_CTL: return &timer->phys.ctl;
    case AARCH64_REG_CNTP_CVAL: return &timer->phys.cval;
    default: return NULL;
    }
}

AxError aarch64_timer_get_reg(const Aarch64VCpu *vcpu, AxRegId reg, uint64_t *value)
{
    Aarch64VTimer timer = vcpu->timer;
    const uint64_t *field = field_of(&timer, reg);

    if (field == NULL) {
        return AX_ENOENT;
    }
    *value = *field;
    return AX_OK;
}

AxError aarch64_timer_set_reg(Aarch64VCpu *vcpu, AxRegId reg, uint64_t value)
{
    uint64_t *field = field_of(&vcpu->timer, reg);
    const bool is_ctl = reg == AARCH64_REG_CNTV_CTL || reg == AARCH64_REG_CNTP_CTL;

    if (field == NULL) {
        return AX_ENOENT;
    }
    if (is_ctl && (value & ~CTL_FIELDS) != 0) {
        return AX_EINVAL;
    }
    *field = value;
    if (vcpu->percpu != NULL) {
        aarch64_timer_load(vcpu);
    }
    return AX_OK;
}
