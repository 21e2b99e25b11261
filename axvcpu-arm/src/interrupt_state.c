// SPDX-License-Identifier: Apache-2.0
// The state of the virtual CPU interface as a whole: reset, bind and unbind, register ids, queries.
// interrupt.c is what happens between two entries.
#include "arm.h"
#include "arm_regs.h"

#define FIRST_SPECIAL_INTID UINT64_C(1020)

// What a list register of a snapshot may hold: state, HW, group, priority, INTIDs below 1024.
#define LR_FIELDS                                                                 \
    (ICH_LR_STATE | ICH_LR_HW | ICH_LR_GROUP1 | ICH_LR_PRIORITY | ICH_LR_PINTID | \
     (uint64_t)(AX_IRQ_COUNT - 1))

void aarch64_gic_reset(Aarch64VCpu *vcpu)
{
    __builtin_memset(&vcpu->gic, 0, sizeof(vcpu->gic));
}

// ---- bind and unbind ----

static void set_physical_active(const Aarch64VCpu *vcpu, bool active)
{
    for (uint32_t left = vcpu->gic.linked; left != 0; left &= left - 1) {
        vcpu->env.hal->irq_set_active(vcpu->env.hal->ctx, (uint64_t)__builtin_ctz(left), active);
    }
}

static unsigned apr_count(const Aarch64VCpu *vcpu)
{
    const unsigned count = vcpu->percpu->features.apr_count;

    return count < AARCH64_APR_MAX ? count : AARCH64_APR_MAX;
}

static void load_lists(const Aarch64VCpu *vcpu)
{
    const unsigned count = vcpu->percpu->features.lr_count;

    for (unsigned n = 0; n < count && n < AARCH64_LR_MAX; n++) {
        arm_write_lr(n, vcpu->gic.lr[n]);
    }
}

void aarch64_gic_load(Aarch64VCpu *vcpu)
{
    Aarch64VGic *gic = &vcpu->gic;
    const unsigned priority_bits = (unsigned)ax_get(ARM_READ(ICH_VTR_EL2), ICH_VTR_PRIBITS) + 1;

    gic->priority_mask = (uint8_t)(UINT32_C(0xff00) >> priority_bits);
    aarch64_gic_fit(vcpu);
    load_lists(vcpu);
    for (unsigned n = 0; n < apr_count(vcpu); n++) {
        arm_write_ap0r(n, gic->ap0r[n]);
        arm_write_ap1r(n, gic->ap1r[n]);
    }
    ARM_WRITE(ICH_VMCR_EL2, gic->vmcr);
    gic->hcr = ICH_HCR_EN;
    ARM_WRITE(ICH_HCR_EL2, ICH_HCR_EN);
    // System registers only: the memory-mapped CPU interface is not offered to guests.
    ARM_WRITE(ICC_SRE_EL1, ICC_SRE_EL2_SRE | ICC_SRE_EL2_DFB | ICC_SRE_EL2_DIB);
    gic->look_again = true;
    set_physical_active(vcpu, true);
}

void aarch64_gic_save(Aarch64VCpu *vcpu)
{
    Aarch64VGic *gic = &vcpu->gic;

    for (unsigned n = 0; n < apr_count(vcpu); n++) {
        gic->ap0r[n] = (uint32_t)arm_read_ap0r(n);
        gic->ap1r[n] = (uint32_t)arm_read_ap1r(n);
    }
    gic->vmcr = ARM_READ(ICH_VMCR_EL2);
    ARM_WRITE(ICH_HCR_EL2, 0);
    set_physical_active(vcpu, false);
}

// ---- queries ----

static bool test_bit(const _Atomic uint64_t *bitmap, uint32_t irq)
{
    return (atomic_load_explicit(&bitmap[irq / 64], memory_order_acquire) >> (irq % 64)) & 1;
}

AxIrqState aarch64_gic_irq_state(const void *arch, uint32_t irq)
{
    const Aarch64VGic *gic = &((const Aarch64VCpu *)arch)->gic;

    if (irq >= AX_IRQ_COUNT) {
        return (AxIrqState){.pending = false, .active = false};
    }
    return (AxIrqState){
        .pending = test_bit(gic->pending, irq),
        .active = test_bit(gic->active, irq),
    };
}

bool aarch64_gic_wakeup_pending(const Aarch64VCpu *vcpu)
{
    for (uint32_t left = vcpu->gic.used; left != 0; left &= left - 1) {
        const uint64_t lr = vcpu->gic.lr[__builtin_ctz(left)];

        if ((lr & ICH_LR_STATE) == ICH_LR_PENDING) {
            return true;
        }
    }
    return false;
}

// ---- register ids ----

typedef struct RegRange {
    AxRegId first;
    uint32_t count;
    uint64_t fields; // bits that a value may have
    uint64_t (*get)(const Aarch64VCpu *vcpu, unsigned n);
    bool (*set)(Aarch64VCpu *vcpu, unsigned n, uint64_t value);
} RegRange;

static uint64_t get_vmcr(const Aarch64VCpu *vcpu, unsigned n)
{
    (void)n;
    return vcpu->percpu != NULL ? ARM_READ(ICH_VMCR_EL2) : vcpu->gic.vmcr;
}

static bool set_vmcr(Aarch64VCpu *vcpu, unsigned n, uint64_t value)
{
    (void)n;
    vcpu->gic.vmcr = value;
    if (vcpu->percpu != NULL) {
        ARM_WRITE(ICH_VMCR_EL2, value);
    }
    return true;
}

static bool apr_is_live(const Aarch64VCpu *vcpu, unsigned n)
{
    return vcpu->percpu != NULL && n < apr_count(vcpu);
}

static uint64_t get_ap0r(const Aarch64VCpu *vcpu, unsigned n)
{
    return apr_is_live(vcpu, n) ? arm_read_ap0r(n) : vcpu->gic.ap0r[n];
}

static bool set_ap0r(Aarch64VCpu *vcpu, unsigned n, uint64_t value)
{
    vcpu->gic.ap0r[n] = (uint32_t)value;
    if (apr_is_live(vcpu, n)) {
        arm_write_ap0r(n, value);
    }
    return true;
}

static uint64_t get_ap1r(const Aarch64VCpu *vcpu, unsigned n)
{
    return apr_is_live(vcpu, n) ? arm_read_ap1r(n) : vcpu->gic.ap1r[n];
}

static bool set_ap1r(Aarch64VCpu *vcpu, unsigned n, uint64_t value)
{
    vcpu->gic.ap1r[n] = (uint32_t)value;
    if (apr_is_live(vcpu, n)) {
        arm_write_ap1r(n, value);
    }
    return true;
}

static uint64_t get_lr(const Aarch64VCpu *vcpu, unsigned n)
{
    return vcpu->gic.lr[n];
}

// Only the timers' PPIs are ever linked, each to the physical one of the same number.
static bool is_linked_lr_valid(uint64_t lr)
{
    const uint64_t intid = ax_get(lr, ICH_LR_VINTID);

    return (intid == AARCH64_PPI_VTIMER || intid == AARCH64_PPI_PTIMER) &&
           ax_get(lr, ICH_LR_PINTID) == intid && (lr & ICH_LR_STATE) != ICH_LR_STATE;
}

// The only PINTID bit that an unlinked one may have is the EOI bit.
static bool is_lr_valid(uint64_t lr)
{
    if (ax_get(lr, ICH_LR_VINTID) >= FIRST_SPECIAL_INTID || (lr & ICH_LR_GROUP1) == 0) {
        return false;
    }
    return (lr & ICH_LR_HW) != 0 ? is_linked_lr_valid(lr) : (lr & ICH_LR_PINTID & ~ICH_LR_EOI) == 0;
}

static bool set_lr(Aarch64VCpu *vcpu, unsigned n, uint64_t value)
{
    const bool empty = (value & ICH_LR_STATE) == 0;

    if (!empty && !is_lr_valid(value)) {
        return false;
    }
    aarch64_gic_restore_lr(vcpu, n, empty ? 0 : value);
    return true;
}

static const RegRange ranges[] = {
    {AARCH64_REG_ICH_VMCR, 1, ICH_VMCR_FIELDS, get_vmcr, set_vmcr},
    {AARCH64_REG_ICH_AP0R(0), AARCH64_APR_MAX, UINT32_MAX, get_ap0r, set_ap0r},
    {AARCH64_REG_ICH_AP1R(0), AARCH64_APR_MAX, UINT32_MAX, get_ap1r, set_ap1r},
    {AARCH64_REG_ICH_LR(0), AARCH64_LR_MAX, LR_FIELDS, get_lr, set_lr},
};

static const RegRange *find_range(AxRegId reg)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (reg - ranges[i].first < ranges[i].count) {
            return &ranges[i];
        }
    }
    return NULL;
}

AxError aarch64_gic_get_reg(const Aarch64VCpu *vcpu, AxRegId reg, uint64_t *value)
{
    const RegRange *range = find_range(reg);

    if (range == NULL) {
        return AX_ENOENT;
    }
    *value = range->get(vcpu, reg - range->first);
    return AX_OK;
}

AxError aarch64_gic_set_reg(Aarch64VCpu *vcpu, AxRegId reg, uint64_t value)
{
    const RegRange *range = find_range(reg);

    if (range == NULL) {
        return AX_ENOENT;
    }
    if ((value & ~range->fields) != 0 || !range->set(vcpu, reg - range->first, value)) {
        return AX_EINVAL;
    }
    return AX_OK;
}
