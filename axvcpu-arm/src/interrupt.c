// SPDX-License-Identifier: Apache-2.0
// List registers (IHI 0069 12.5). AxEvents says what is signalled; the list registers hold what the
// guest can acknowledge without an exit; what does not fit stays in AxEvents, and a maintenance
// interrupt tells when there is room. All functions run on the vCPU's pCPU, unless stated.
//
// Invariants while the vCPU is out of the guest:
// - An interrupt is in one list register at most; `listed` says in some.
// - An edge is either latched in AxEvents or owned by a list register (`latched`), never in both.
// - When anything waits outside, some list register is pending (not also active) and everything
//   pending in list registers has at least the priority of all that waits. So "no pending" (NPIE)
//   is the moment to come back for more, with any number of list registers.
// - Active interrupts may leave the list registers. Then LRENPIE reports their end by EOIcount, and
//   writes of ICC_DIR_EL1 trap.
// - Linked PPIs (the EL1 timers): `linked` = the physical interrupt is active for this vCPU. Their
//   level in AxEvents is ours: raised when the physical one fires, lowered at acknowledge.
#include "arm.h"
#include "arm_regs.h"

// 1020..1023 are special INTIDs, never an interrupt.
#define INTID_END  UINT32_C(1020)
#define RANK_INTID UINT32_C(0xffff)

_Static_assert(AX_IRQ_COUNT > INTID_END && AX_IRQ_COUNT - INTID_END < 64,
               "special INTIDs are in the last word");

// ---- single bits ----

static uint64_t bit_of(uint32_t intid)
{
    return AX_BIT(intid % 64);
}

// Only this pCPU writes the published bitmaps.
static void publish_bit(_Atomic uint64_t *bitmap, uint32_t intid, bool value)
{
    _Atomic uint64_t *word = &bitmap[intid / 64];
    const uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

    atomic_store_explicit(word, value ? old | bit_of(intid) : old & ~bit_of(intid),
                          memory_order_release);
}

static bool published(const _Atomic uint64_t *bitmap, uint32_t intid)
{
    return (atomic_load_explicit(&bitmap[intid / 64], memory_order_acquire) & bit_of(intid)) != 0;
}

static uint32_t intid_of(uint64_t lr)
{
    return (uint32_t)ax_get(lr, ICH_LR_VINTID) % AX_IRQ_COUNT;
}

static bool is_listed(const Aarch64VGic *gic, uint32_t intid)
{
    return (gic->listed[intid / 64] & bit_of(intid)) != 0;
}

static bool is_active_outside(const Aarch64VGic *gic, uint32_t intid)
{
    return !is_listed(gic, intid) && published(gic->active, intid);
}

static bool is_linked(const Aarch64VGic *gic, uint32_t intid)
{
    return intid < 32 && (gic->linked & (UINT32_C(1) << intid)) != 0;
}

static unsigned first_bit(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

static unsigned lr_count(const Aarch64VCpu *vcpu)
{
    const unsigned count = vcpu->percpu->features.lr_count;

    return count < AARCH64_LR_MAX ? count : AARCH64_LR_MAX;
}

static uint32_t lr_mask(const Aarch64VCpu *vcpu)
{
    return (UINT32_C(1) << lr_count(vcpu)) - 1;
}

// Smaller is more urgent; equal priorities go by INTID.
static uint32_t rank_of(const Aarch64VCpu *vcpu, uint32_t intid)
{
    const uint8_t priority = axvcpu_events_priority(vcpu->env.events, intid);

    return ((uint32_t)(priority & vcpu->gic.priority_mask) << 16) | intid;
}

// ---- one list register ----

static void forget(Aarch64VGic *gic, uint32_t intid)
{
    gic->listed[intid / 64] &= ~bit_of(intid);
    publish_bit(gic->pending, intid, false);
    publish_bit(gic->active, intid, false);
}

static void publish(Aarch64VGic *gic, unsigned n)
{
    const uint64_t lr = gic->lr[n];
    const uint32_t intid = intid_of(lr);
    const bool owns_edge = (gic->latched & (UINT32_C(1) << n)) != 0;

    gic->listed[intid / 64] |= bit_of(intid);
    publish_bit(gic->pending, intid, (lr & ICH_LR_PENDING) != 0 || owns_edge);
    publish_bit(gic->active, intid, (lr & ICH_LR_ACTIVE) != 0);
}

// The one place where gic->lr changes. 0 empties it. The hardware is the caller's business.
static void keep_lr(Aarch64VGic *gic, unsigned n, uint64_t lr)
{
    const uint32_t bit = UINT32_C(1) << n;
    const uint64_t old = gic->lr[n];

    // Not for the same interrupt: a reader must not see it vanish.
    if (old != 0 && (lr == 0 || intid_of(lr) != intid_of(old))) {
        forget(gic, intid_of(old));
    }
    gic->lr[n] = lr;
    if (lr != 0) {
        gic->used |= bit;
        publish(gic, n);
    } else {
        gic->used &= ~bit;
        gic->latched &= ~bit;
    }
}

static void write_lr(Aarch64VCpu *vcpu, unsigned n, uint64_t lr)
{
    if (lr != vcpu->gic.lr[n]) {
        arm_write_lr(n, lr);
    }
    keep_lr(&vcpu->gic, n, lr);
}

// The list register of a listed interrupt.
static unsigned lr_of(const Aarch64VGic *gic, uint32_t intid)
{
    uint32_t left = gic->used;

    while (intid_of(gic->lr[first_bit(left)]) != intid) {
        left &= left - 1;
    }
    return first_bit(left);
}

// Puts an edge back that list register n owns.
static void return_edge(Aarch64VCpu *vcpu, unsigned n)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint32_t bit = UINT32_C(1) << n;

    if ((gic->latched & bit) != 0) {
        gic->latched &= ~bit;
        axvcpu_events_restore_pending(vcpu->env.events, intid_of(gic->lr[n]));
    }
}

// Takes the edge of `intid`, if there is one. It is published first: a reader never misses it.
static void own_edge(Aarch64VCpu *vcpu, unsigned n, uint32_t intid)
{
    Aarch64VGic *gic = &vcpu->gic;
    const bool before = published(gic->pending, intid);

    if (!published(vcpu->env.events->pending, intid)) {
        return;
    }
    publish_bit(gic->pending, intid, true);
    if (axvcpu_events_take_pending(vcpu->env.events, intid)) {
        gic->latched |= UINT32_C(1) << n;
    } else {
        publish_bit(gic->pending, intid, before);
    }
}

static uint64_t linked_bits(uint32_t intid)
{
    return ICH_LR_HW | ax_put(intid, ICH_LR_PINTID);
}

// State bits of an interrupt that is active; `handling`: as the physical one is. A level, and an
// edge on top of a linked interrupt, cannot be "active and pending" in hardware: they ask to come
// back at the end of interrupt.
static uint64_t active_bits(uint32_t intid, bool edge, bool level, bool handling)
{
    if (handling && !edge) {
        return ICH_LR_ACTIVE | linked_bits(intid);
    }
    if (handling || level) {
        return ICH_LR_ACTIVE | ICH_LR_EOI;
    }
    return ICH_LR_ACTIVE | (edge ? ICH_LR_PENDING : 0);
}

static uint64_t pending_bits(uint32_t intid, bool level, bool linked)
{
    if (linked) {
        return ICH_LR_PENDING | linked_bits(intid);
    }
    return ICH_LR_PENDING | (level ? ICH_LR_EOI : 0);
}

// Takes the edge, if there is one, into list register n and returns what has to be in it now; 0
// when the interrupt has nothing to do there any more.
static uint64_t compose_lr(Aarch64VCpu *vcpu, unsigned n, uint32_t intid, bool active)
{
    Aarch64VGic *gic = &vcpu->gic;
    AxEvents *events = vcpu->env.events;
    const bool enabled = axvcpu_events_enabled(events, intid);
    const bool high = axvcpu_events_level(events, intid);
    const bool level = enabled && high;
    const bool linked = is_linked(gic, intid);

    if (!enabled) {
        return_edge(vcpu, n);
    } else {
        own_edge(vcpu, n, intid);
    }
    const bool edge = (gic->latched & (UINT32_C(1) << n)) != 0;
    const uint64_t common = intid | ICH_LR_GROUP1 |
                            ax_put(rank_of(vcpu, intid) >> 16, ICH_LR_PRIORITY);

    if (active) {
        return common | active_bits(intid, edge, level, linked && !high);
    }
    return edge || level ? common | pending_bits(intid, level, linked) : 0;
}

static void update_lr(Aarch64VCpu *vcpu, unsigned n, bool active)
{
    write_lr(vcpu, n, compose_lr(vcpu, n, intid_of(vcpu->gic.lr[n]), active));
}

// ---- linked interrupts ----

static void set_own_level(Aarch64VCpu *vcpu, uint32_t intid, bool high)
{
    axvcpu_events_set_own_level(vcpu->env.events, intid, high);
}

static void set_physical_active(const Aarch64VCpu *vcpu, uint32_t intid, bool active)
{
    vcpu->env.hal->irq_set_active(vcpu->env.hal->ctx, intid, active);
}

// The physical interrupt is inactive again; if its line is still high it fires again.
static void unlink_irq(Aarch64VCpu *vcpu, uint32_t intid)
{
    vcpu->gic.linked &= ~(UINT32_C(1) << intid);
    set_own_level(vcpu, intid, false);
}

static void unlink_and_deactivate(Aarch64VCpu *vcpu, uint32_t intid)
{
    unlink_irq(vcpu, intid);
    set_physical_active(vcpu, intid, false);
}

// The guest is done with `intid`. It keeps the physical one if that fired meanwhile (the guest may
// make a timer's interrupt pending by software) and has yet to be acknowledged.
static void end_link(Aarch64VCpu *vcpu, uint32_t intid, bool in_hardware)
{
    if (!is_linked(&vcpu->gic, intid) || axvcpu_events_level(vcpu->env.events, intid)) {
        return;
    }
    if (in_hardware) {
        unlink_irq(vcpu, intid);
    } else {
        unlink_and_deactivate(vcpu, intid);
    }
}

void aarch64_gic_inject_linked(Aarch64VCpu *vcpu, uint32_t intid)
{
    vcpu->gic.linked |= UINT32_C(1) << intid;
    vcpu->gic.look_again = true;
    set_own_level(vcpu, intid, true);
}

// A timer that was set anew before its interrupt was acknowledged takes the interrupt back.
static void withdraw_stale_links(Aarch64VCpu *vcpu)
{
    for (uint32_t left = vcpu->gic.linked; left != 0; left &= left - 1) {
        const uint32_t intid = first_bit(left);

        if (axvcpu_events_level(vcpu->env.events, intid) && !aarch64_timer_asserted(vcpu, intid)) {
            unlink_and_deactivate(vcpu, intid);
            vcpu->gic.look_again = true;
        }
    }
}

// ---- active interrupts outside of the list registers ----

static void add_active_outside(Aarch64VGic *gic, uint32_t intid)
{
    publish_bit(gic->active, intid, true);
    gic->active_outside++;
}

static void end_active_outside(Aarch64VCpu *vcpu, uint32_t intid)
{
    Aarch64VGic *gic = &vcpu->gic;

    publish_bit(gic->active, intid, false);
    gic->active_outside--;
    gic->look_again = true;
    end_link(vcpu, intid, false);
}

static void end_active(Aarch64VCpu *vcpu, uint32_t intid)
{
    Aarch64VGic *gic = &vcpu->gic;

    if (is_active_outside(gic, intid)) {
        end_active_outside(vcpu, intid);
    } else if (is_listed(gic, intid) && published(gic->active, intid)) {
        end_link(vcpu, intid, false);
        update_lr(vcpu, lr_of(gic, intid), false);
        gic->look_again = true;
    }
}

static uint64_t acknowledged_outside(const Aarch64VGic *gic, uint32_t word)
{
    return atomic_load_explicit(&gic->active[word], memory_order_relaxed) & ~gic->listed[word] &
           gic->acknowledged[word];
}

// Most urgent acknowledged one outside: a guest ends its nested interrupts in this order. INTID_END
// when there is none.
static uint32_t most_urgent_outside(const Aarch64VCpu *vcpu)
{
    uint32_t best = INTID_END | (UINT32_MAX & ~RANK_INTID);

    for (uint32_t word = 0; word < AX_IRQ_WORDS; word++) {
        uint64_t left = acknowledged_outside(&vcpu->gic, word);

        for (; left != 0; left &= left - 1) {
            const uint32_t rank = rank_of(vcpu, word * 64 + first_bit(left));

            best = rank < best ? rank : best;
        }
    }
    return best & RANK_INTID;
}

static void take_eoi_count(Aarch64VCpu *vcpu)
{
    uint64_t count = ax_get(ARM_READ(ICH_HCR_EL2), ICH_HCR_EOICOUNT);

    for (; count > 0; count--) {
        const uint32_t intid = most_urgent_outside(vcpu);

        if (intid == INTID_END) {
            return;
        }
        end_active_outside(vcpu, intid);
    }
}

void aarch64_gic_deactivate(Aarch64VCpu *vcpu, uint64_t intid)
{
    // With EOImode 0 the end of interrupt deactivates and ICC_DIR_EL1 is ignored.
    if (intid < INTID_END && (ARM_READ(ICH_VMCR_EL2) & ICH_VMCR_VEOIM) != 0) {
        end_active(vcpu, (uint32_t)intid);
    }
}

// ---- after an exit ----

// List register n finished: 0 in hardware as well, or the EOI status stays asserted.
static void finish_lr(Aarch64VCpu *vcpu, unsigned n)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint64_t old = gic->lr[n];
    const uint32_t intid = intid_of(old);
    const bool in_hardware = (old & ICH_LR_HW) != 0;

    return_edge(vcpu, n);
    keep_lr(gic, n, 0);
    end_link(vcpu, intid, in_hardware);
    if (!in_hardware && (old & ICH_LR_EOI) != 0) {
        arm_write_lr(n, 0);
        gic->look_again = true;
    }
}

static void fold_lr(Aarch64VCpu *vcpu, unsigned n, uint64_t lr)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint32_t intid = intid_of(gic->lr[n]);

    if ((gic->lr[n] & ~lr & ICH_LR_PENDING) != 0) {
        gic->latched &= ~(UINT32_C(1) << n); // acknowledged, and the edge with it
        gic->acknowledged[intid / 64] |= bit_of(intid);
        if (is_linked(gic, intid)) {
            set_own_level(vcpu, intid, false);
        }
    }
    if ((lr & ICH_LR_STATE) == 0) {
        finish_lr(vcpu, n);
    } else {
        keep_lr(gic, n, lr);
    }
}

static void write_hcr(Aarch64VGic *gic, uint64_t hcr)
{
    if (gic->hcr != hcr) {
        gic->hcr = (uint32_t)hcr;
        ARM_WRITE(ICH_HCR_EL2, hcr);
    }
}

static void fold_lists(Aarch64VCpu *vcpu)
{
    Aarch64VGic *gic = &vcpu->gic;

    for (uint32_t left = gic->used; left != 0; left &= left - 1) {
        const unsigned n = first_bit(left);
        const uint64_t lr = arm_read_lr(n);

        if (lr != gic->lr[n]) {
            fold_lr(vcpu, n, lr);
        }
    }
}

static void stop_maintenance(Aarch64VCpu *vcpu)
{
    take_eoi_count(vcpu);
    write_hcr(&vcpu->gic, ICH_HCR_EN);
    vcpu->gic.look_again = true;
}

void aarch64_gic_fold(Aarch64VCpu *vcpu)
{
    fold_lists(vcpu);
    if (vcpu->gic.hcr != ICH_HCR_EN) {
        stop_maintenance(vcpu);
    }
}

// ---- before an entry: requests ----

static void request_clear_pending(Aarch64VCpu *vcpu, uint32_t intid)
{
    Aarch64VGic *gic = &vcpu->gic;

    if (is_listed(gic, intid)) {
        const unsigned n = lr_of(gic, intid);

        gic->latched &= ~(UINT32_C(1) << n);
        update_lr(vcpu, n, published(gic->active, intid));
    }
}

static void request_set_active(Aarch64VCpu *vcpu, uint32_t intid)
{
    Aarch64VGic *gic = &vcpu->gic;

    if (published(gic->active, intid) || intid >= INTID_END) {
        return;
    }
    gic->acknowledged[intid / 64] &= ~bit_of(intid);
    if (is_listed(gic, intid)) {
        update_lr(vcpu, lr_of(gic, intid), true);
    } else {
        add_active_outside(gic, intid);
    }
}

static void (*const request_handlers[AX_IRQ_REQUEST_COUNT])(Aarch64VCpu *vcpu, uint32_t intid) = {
    [AX_IRQ_CLEAR_PENDING] = request_clear_pending,
    [AX_IRQ_SET_ACTIVE] = request_set_active,
    [AX_IRQ_CLEAR_ACTIVE] = end_active,
};

static void take_requests(Aarch64VCpu *vcpu, AxIrqRequest request)
{
    AxEvents *events = vcpu->env.events;

    for (uint32_t words = axvcpu_events_used_words(events); words != 0; words &= words - 1) {
        const uint32_t word = first_bit(words);
        uint64_t left = axvcpu_events_take_requests(events, request, word);

        for (; left != 0; left &= left - 1) {
            request_handlers[request](vcpu, word * 64 + first_bit(left));
        }
    }
}

// ---- before an entry: filling ----

// The most urgent interrupts that are in no list register, sorted.
typedef struct Candidates {
    uint32_t rank[AARCH64_LR_MAX];
    unsigned count;
    unsigned room;
    bool more; // some did not fit
} Candidates;

static void add_candidate(Candidates *list, uint32_t rank)
{
    unsigned at = list->count;

    if (at == list->room) {
        list->more = true;
        if (at == 0 || list->rank[--at] <= rank) {
            return;
        }
    } else {
        list->count++;
    }
    for (; at > 0 && list->rank[at - 1] > rank; at--) {
        list->rank[at] = list->rank[at - 1];
    }
    list->rank[at] = rank;
}

static uint64_t candidate_word(const Aarch64VCpu *vcpu, uint32_t word)
{
    const Aarch64VGic *gic = &vcpu->gic;
    const uint64_t special = word == INTID_END / 64 ? UINT64_MAX << (INTID_END % 64) : 0;

    return axvcpu_events_signalled(vcpu->env.events, word) & ~special & ~gic->listed[word] &
           ~atomic_load_explicit(&gic->active[word], memory_order_relaxed);
}

static void collect(const Aarch64VCpu *vcpu, Candidates *list)
{
    uint32_t words = axvcpu_events_used_words(vcpu->env.events);

    list->count = 0;
    list->room = lr_count(vcpu);
    list->more = false;
    for (; words != 0; words &= words - 1) {
        const uint32_t word = first_bit(words);

        for (uint64_t left = candidate_word(vcpu, word); left != 0; left &= left - 1) {
            add_candidate(list, rank_of(vcpu, word * 64 + first_bit(left)));
        }
    }
}

// Takes list register n away from its interrupt, which loses nothing by it.
static void evict(Aarch64VCpu *vcpu, unsigned n)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint64_t lr = gic->lr[n];

    return_edge(vcpu, n);
    write_lr(vcpu, n, 0);
    if ((lr & ICH_LR_ACTIVE) != 0) {
        add_active_outside(gic, intid_of(lr));
    }
}

// The least urgent list register that is active, or that is pending only.
static int least_urgent(const Aarch64VCpu *vcpu, bool active)
{
    uint32_t worst = 0;
    int found = -1;

    for (uint32_t left = vcpu->gic.used; left != 0; left &= left - 1) {
        const unsigned n = first_bit(left);
        const uint64_t lr = vcpu->gic.lr[n];
        const uint32_t rank = rank_of(vcpu, intid_of(lr));

        if (((lr & ICH_LR_ACTIVE) != 0) == active && rank >= worst) {
            worst = rank;
            found = (int)n;
        }
    }
    return found;
}

// A list register for an interrupt of `rank`; -1 when it has to wait for more urgent ones. *waiting
// is set when that one, or the one that made room, stays outside.
static int make_room(Aarch64VCpu *vcpu, uint32_t rank, bool *waiting)
{
    const uint32_t free_lrs = lr_mask(vcpu) & ~vcpu->gic.used;
    int n;

    if (free_lrs != 0) {
        return (int)first_bit(free_lrs);
    }
    n = least_urgent(vcpu, false);
    if (n < 0) {
        n = least_urgent(vcpu, true);
    } else {
        *waiting = true;
        if (rank_of(vcpu, intid_of(vcpu->gic.lr[n])) < rank) {
            return -1;
        }
    }
    evict(vcpu, (unsigned)n);
    return n;
}

// True when something had to stay outside.
static bool fill(Aarch64VCpu *vcpu)
{
    Candidates list;
    bool waiting;

    collect(vcpu, &list);
    waiting = list.more;
    for (unsigned i = 0; i < list.count; i++) {
        const uint32_t intid = list.rank[i] & RANK_INTID;
        const int n = make_room(vcpu, list.rank[i], &waiting);

        if (n < 0) {
            return true;
        }
        write_lr(vcpu, (unsigned)n, compose_lr(vcpu, (unsigned)n, intid, false));
    }
    return waiting;
}

void aarch64_gic_fit(Aarch64VCpu *vcpu)
{
    for (uint32_t left = vcpu->gic.used & ~lr_mask(vcpu); left != 0; left &= left - 1) {
        evict(vcpu, first_bit(left));
    }
}

static void drop_lr(Aarch64VCpu *vcpu, unsigned n)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint32_t intid = intid_of(gic->lr[n]);

    if (gic->lr[n] != 0 && is_linked(gic, intid)) {
        unlink_irq(vcpu, intid);
        if (vcpu->percpu != NULL) {
            set_physical_active(vcpu, intid, false);
        }
    }
    keep_lr(gic, n, 0);
}

static void restore_link(Aarch64VCpu *vcpu, uint32_t intid, bool pending)
{
    vcpu->gic.linked |= UINT32_C(1) << intid;
    set_own_level(vcpu, intid, pending);
    if (vcpu->percpu != NULL) {
        set_physical_active(vcpu, intid, true);
    }
}

void aarch64_gic_restore_lr(Aarch64VCpu *vcpu, unsigned n, uint64_t lr)
{
    Aarch64VGic *gic = &vcpu->gic;
    const uint32_t intid = intid_of(lr);

    drop_lr(vcpu, n);
    gic->look_again = true;
    if (lr == 0) {
        return;
    }
    if (is_listed(gic, intid)) {
        drop_lr(vcpu, lr_of(gic, intid));
    } else if (published(gic->active, intid)) {
        end_active_outside(vcpu, intid);
    }
    if ((lr & ICH_LR_HW) != 0) {
        restore_link(vcpu, intid, (lr & ICH_LR_PENDING) != 0);
    } else if ((lr & ICH_LR_PENDING) != 0 && (lr & ICH_LR_EOI) == 0) {
        gic->latched |= UINT32_C(1) << n; // an edge
    }
    gic->acknowledged[intid / 64] |= bit_of(intid); // the usual way to become active
    keep_lr(gic, n, lr);
}

static void update_listed(Aarch64VCpu *vcpu)
{
    for (uint32_t left = vcpu->gic.used; left != 0; left &= left - 1) {
        const unsigned n = first_bit(left);

        update_lr(vcpu, n, (vcpu->gic.lr[n] & ICH_LR_ACTIVE) != 0);
    }
}

static uint64_t hcr_for(const Aarch64VGic *gic, bool waiting)
{
    return ICH_HCR_EN | (waiting ? ICH_HCR_NPIE : 0) |
           (gic->active_outside != 0 ? ICH_HCR_LRENPIE | ICH_HCR_TDIR : 0);
}

static void refresh(Aarch64VCpu *vcpu, uint32_t summary)
{
    if ((summary & AX_EVENT_REQUEST) != 0) {
        take_requests(vcpu, AX_IRQ_CLEAR_PENDING);
        take_requests(vcpu, AX_IRQ_SET_ACTIVE);
        take_requests(vcpu, AX_IRQ_CLEAR_ACTIVE);
    }
    update_listed(vcpu);
    vcpu->gic.look_again = false;
    write_hcr(&vcpu->gic, hcr_for(&vcpu->gic, fill(vcpu)));
}

void aarch64_gic_refresh(Aarch64VCpu *vcpu, uint32_t summary)
{
    withdraw_stale_links(vcpu);
    if ((summary & (AX_EVENT_IRQ | AX_EVENT_REQUEST)) != 0 || vcpu->gic.look_again) {
        refresh(vcpu, summary);
    }
}
