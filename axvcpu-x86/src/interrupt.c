// SPDX-License-Identifier: Apache-2.0
// The local APIC (SDM volume 3, chapter 11). AxEvents says what is signalled; IRR, ISR and TMR here
// what the guest sees. An edge moves from AxEvents to IRR before an entry; a level sets IRR as long as
// it is high and not in service. All functions run on the vCPU's pCPU, unless stated.
#include "x86.h"

#include <string.h>

#define APIC_BASE_BSP    X86_BIT(8)
#define APIC_BASE_X2APIC X86_BIT(10)
#define APIC_BASE_ENABLE X86_BIT(11)
#define APIC_BASE_ADDR   UINT64_C(0x000ffffffffff000)

#define REG_ID       UINT32_C(0x020)
#define REG_VERSION  UINT32_C(0x030)
#define REG_TPR      UINT32_C(0x080)
#define REG_PPR      UINT32_C(0x0a0)
#define REG_EOI      UINT32_C(0x0b0)
#define REG_LDR      UINT32_C(0x0d0)
#define REG_DFR      UINT32_C(0x0e0)
#define REG_SVR      UINT32_C(0x0f0)
#define REG_ISR      UINT32_C(0x100)
#define REG_TMR      UINT32_C(0x180)
#define REG_IRR      UINT32_C(0x200)
#define REG_ESR      UINT32_C(0x280)
#define REG_ICR      UINT32_C(0x300)
#define REG_ICR_HIGH UINT32_C(0x310)
#define REG_SELF_IPI UINT32_C(0x3f0)

#define VERSION_VALUE UINT32_C(0x00050014) // six entries of the LVT
#define SVR_RESET     UINT32_C(0xff)
#define SVR_ENABLE    X86_BIT(8)
#define SVR_BITS      UINT32_C(0x1ff)
#define LDR_BITS      UINT32_C(0xff000000)
#define DFR_FIXED     UINT32_C(0x0fffffff)
#define LVT_BITS      UINT32_C(0x000717ff) // less what hardware reports

#define ICR_VECTOR(icr)    ((uint8_t)(icr))
#define ICR_MODE(icr)      ((unsigned)((icr) >> 8) & 7)
#define ICR_LOGICAL        X86_BIT(11)
#define ICR_SHORTHAND(icr) ((unsigned)((icr) >> 18) & 3)
#define ICR_BUSY           X86_BIT(12)
#define ICR_ASSERT         X86_BIT(14)
#define ICR_LEVEL          X86_BIT(15)
#define MODE_FIXED         0u
#define MODE_LOWEST        1u
#define MODE_NMI           4u
#define MODE_INIT          5u
#define MODE_SIPI          6u
#define MODE_EXTINT        7u
#define SHORTHAND_SELF     1u
#define SHORTHAND_ALL      2u
#define SHORTHAND_OTHERS   3u
#define ESR_SEND_ILLEGAL   X86_BIT(5)

// Entries of the LVT by their order from the timer's on.
#define LVT_LINT0 3u
#define LVT_ERROR 5u

// Messages to a cluster: 4 processors each in xAPIC's cluster model, 16 in x2APIC.
#define CLUSTER_BROADCAST 0xfu
#define DFR_FLAT          0xfu

static void reset_registers(X86Lapic *lapic)
{
    lapic->ldr = 0;
    lapic->dfr = UINT32_MAX;
    lapic->svr = SVR_RESET;
    lapic->icr = 0;
    memset(lapic->esr, 0, sizeof(lapic->esr));
    memset(lapic->isr, 0, sizeof(lapic->isr));
    memset(lapic->irr, 0, sizeof(lapic->irr));
    memset(lapic->tmr, 0, sizeof(lapic->tmr));
    for (unsigned i = 0; i < X86_LVT_COUNT; i++) {
        lapic->lvt[i] = (uint32_t)LVT_MASKED;
    }
}

void x86_lapic_reset(X86VCpu *vcpu)
{
    X86Lapic *lapic = &vcpu->lapic;

    memset(lapic, 0, sizeof(*lapic));
    lapic->base = X86_APIC_PAGE | APIC_BASE_ENABLE | (vcpu->env.vcpu_id == 0 ? APIC_BASE_BSP : 0);
    reset_registers(lapic);
    if (vcpu->env.vcpu_id == 0) {
        lapic->lvt[LVT_LINT0] = MODE_EXTINT << 8;
    }
    vcpu->vendor->set_tpr(vcpu, 0);
    vcpu->vendor->windows(vcpu, 0);
}

bool x86_lapic_is_enabled(const X86VCpu *vcpu)
{
    return (vcpu->lapic.base & APIC_BASE_ENABLE) != 0;
}

bool x86_lapic_is_x2apic(const X86VCpu *vcpu)
{
    return (vcpu->lapic.base & APIC_BASE_X2APIC) != 0;
}

// The page does not move. From x2APIC there is no way back but through disabled.
bool x86_set_apic_base(X86VCpu *vcpu, uint64_t value)
{
    const uint64_t changeable = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    const bool enable = (value & APIC_BASE_ENABLE) != 0;
    const bool x2apic = (value & APIC_BASE_X2APIC) != 0;

    if ((value & APIC_BASE_ADDR) != X86_APIC_PAGE ||
        ((value ^ vcpu->lapic.base) & ~changeable) != 0 || (x2apic && !enable) ||
        (x86_lapic_is_x2apic(vcpu) && enable && !x2apic)) {
        return false;
    }
    vcpu->lapic.base = value;
    vcpu->lapic.changed = true;
    return true;
}

bool x86_write_apic_base(X86VCpu *vcpu, uint64_t value)
{
    const bool was_enabled = x86_lapic_is_enabled(vcpu);

    if (!x86_set_apic_base(vcpu, value)) {
        return false;
    }
    if (was_enabled && !x86_lapic_is_enabled(vcpu)) {
        reset_registers(&vcpu->lapic);
    }
    return true;
}

// ---- bits by vector ----

static bool get_bit(const uint32_t *words, uint8_t vector)
{
    return (words[vector / 32] >> (vector % 32) & 1) != 0;
}

static void put_bit(uint32_t *words, uint8_t vector, bool value)
{
    const uint32_t bit = UINT32_C(1) << (vector % 32);

    words[vector / 32] = value ? words[vector / 32] | bit : words[vector / 32] & ~bit;
}

// 0 when none is set: vectors below 16 never are.
static uint8_t highest(const uint32_t *words)
{
    for (unsigned i = 8; i > 0; i -= 2) {
        const uint64_t pair = (uint64_t)words[i - 1] << 32 | words[i - 2];

        if (pair != 0) {
            return (uint8_t)(32 * i - 1 - (unsigned)__builtin_clzll(pair));
        }
    }
    return 0;
}

// ---- priorities ----

// The guest writes CR8 without an exit, which has bits 7:4 only.
uint8_t x86_lapic_tpr(const X86VCpu *vcpu)
{
    const uint8_t upper = vcpu->vendor->tpr(vcpu);

    return (vcpu->lapic.tpr & 0xf0) == upper ? (uint8_t)vcpu->lapic.tpr : upper;
}

static uint8_t ppr(const X86VCpu *vcpu)
{
    const uint8_t task = x86_lapic_tpr(vcpu);
    const uint8_t service = highest(vcpu->lapic.isr);

    return task >> 4 >= service >> 4 ? task : service & 0xf0;
}

bool x86_lapic_is_running(const X86VCpu *vcpu)
{
    return x86_lapic_is_enabled(vcpu) && (vcpu->lapic.svr & SVR_ENABLE) != 0;
}

// The vector that would be delivered next, if the guest could take it and TPR did not hold it back.
static uint8_t candidate(const X86VCpu *vcpu)
{
    const uint8_t vector = highest(vcpu->lapic.irr);

    if (vector == 0 || !x86_lapic_is_running(vcpu)) {
        return 0;
    }
    return vector >> 4 > highest(vcpu->lapic.isr) >> 4 ? vector : 0;
}

static bool is_above_ppr(const X86VCpu *vcpu, uint8_t vector)
{
    return vector >> 4 > ppr(vcpu) >> 4;
}

// ---- from AxEvents to IRR ----

void x86_lapic_raise(X86VCpu *vcpu, uint8_t vector)
{
    if (vector >= X86_IRQ_FIRST) {
        put_bit(vcpu->lapic.irr, vector, true);
        put_bit(vcpu->lapic.tmr, vector, false);
        vcpu->lapic.changed = true;
    }
}

static void raise_level(X86VCpu *vcpu, uint8_t vector)
{
    if (vector >= X86_IRQ_FIRST && !get_bit(vcpu->lapic.isr, vector)) {
        put_bit(vcpu->lapic.irr, vector, true);
        put_bit(vcpu->lapic.tmr, vector, true);
        vcpu->lapic.changed = true;
    }
}

static void take_requests(X86VCpu *vcpu, uint32_t word)
{
    AxEvents *events = vcpu->env.events;
    uint64_t clear = axvcpu_events_take_requests(events, AX_IRQ_CLEAR_PENDING, word);

    (void)axvcpu_events_take_requests(events, AX_IRQ_SET_ACTIVE, word);
    (void)axvcpu_events_take_requests(events, AX_IRQ_CLEAR_ACTIVE, word);
    for (; clear != 0 && 64 * word <= X86_IRQ_LAST; clear &= clear - 1) {
        put_bit(vcpu->lapic.irr, (uint8_t)(64 * word + ax_lowest_bit(clear)), false);
        vcpu->lapic.changed = true;
    }
}

// Beyond the vectors there is one line; an edge there is nothing, but must not be met again.
static void take_interrupt(X86VCpu *vcpu, uint32_t irq)
{
    const bool is_edge = axvcpu_events_take_pending(vcpu->env.events, irq);

    if (irq > X86_IRQ_LAST) {
        vcpu->lapic.intr = vcpu->lapic.intr || (irq == X86_IRQ_EXTINT && !is_edge);
    } else if (is_edge) {
        x86_lapic_raise(vcpu, (uint8_t)irq);
    } else {
        raise_level(vcpu, (uint8_t)irq);
    }
}

static void take_word(X86VCpu *vcpu, uint32_t word)
{
    uint64_t left = axvcpu_events_signalled(vcpu->env.events, word);

    for (; left != 0; left &= left - 1) {
        take_interrupt(vcpu, 64 * word + ax_lowest_bit(left));
    }
}

static void take_events(X86VCpu *vcpu, bool has_requests)
{
    uint32_t left = axvcpu_events_used_words(vcpu->env.events);

    vcpu->lapic.look_again = false;
    vcpu->lapic.intr = false;
    for (; left != 0; left &= left - 1) {
        const uint32_t word = ax_lowest_bit(left);

        if (has_requests) {
            take_requests(vcpu, word);
        }
        take_word(vcpu, word);
    }
}

// ---- delivery ----

static void deliver(X86VCpu *vcpu, uint8_t vector)
{
    put_bit(vcpu->lapic.irr, vector, false);
    put_bit(vcpu->lapic.isr, vector, true);
    vcpu->lapic.changed = true;
    vcpu->lapic.extint_in_flight = false;
    vcpu->event = (X86Event){.valid = true, .vector = vector, .type = X86_EVENT_INTERRUPT};
}

static bool can_take_interrupt(const X86VCpu *vcpu)
{
    return !vcpu->event.valid && !vcpu->shadow && (vcpu->regs.rflags & RFLAGS_IF) != 0;
}

// ---- NMIs are blocked until the IRET of their handler is through ----

// A processor that only says that an IRET comes: it is behind when RIP is. A faulting one counts.
static X86_RARE void look_at_iret(X86VCpu *vcpu)
{
    if (vcpu->lapic.iret_due && vcpu->regs.rip != vcpu->lapic.iret_rip) {
        vcpu->lapic.iret_due = false;
        vcpu->lapic.nmi_blocked = false;
    }
}

static void end_step(X86VCpu *vcpu)
{
    vcpu->lapic.iret_stepped = false;
    if (vcpu->regs.rip == vcpu->lapic.iret_rip) {
        vcpu->regs.rflags &= ~RFLAGS_TF;
    }
}

// A guest that steps itself comes by anyway.
static void begin_step(X86VCpu *vcpu)
{
    if ((vcpu->regs.rflags & RFLAGS_TF) == 0) {
        vcpu->lapic.iret_stepped = true;
        vcpu->lapic.iret_dr6 = x86_read(vcpu, X86_FIELD_DR6);
        vcpu->regs.rflags |= RFLAGS_TF;
    }
}

// The window to open while NMIs are blocked, or one waits for the end of a shadow or behind another
// event. The IRET itself runs with the window closed.
static X86_RARE uint32_t nmi_window(X86VCpu *vcpu)
{
    look_at_iret(vcpu);
    if (!vcpu->lapic.nmi_blocked) {
        return vcpu->lapic.nmi_pending ? X86_WINDOW_NMI : 0;
    }
    if (!vcpu->lapic.iret_due) {
        return X86_WINDOW_NMI;
    }
    if (vcpu->lapic.nmi_pending) {
        begin_step(vcpu);
    }
    return 0;
}

static X86_RARE bool can_take_nmi(X86VCpu *vcpu)
{
    look_at_iret(vcpu);
    return !vcpu->lapic.nmi_blocked && !vcpu->event.valid && !vcpu->shadow;
}

static void deliver_nmi(X86VCpu *vcpu)
{
    vcpu->lapic.nmi_pending = false;
    vcpu->lapic.nmi_blocked = true;
    vcpu->event = (X86Event){.valid = true, .vector = 2, .type = X86_EVENT_NMI};
}

// ---- the 8259's line ----

static bool accepts_extint(const X86VCpu *vcpu)
{
    const uint32_t lint0 = vcpu->lapic.lvt[LVT_LINT0];

    return !x86_lapic_is_enabled(vcpu) ||
           ((lint0 & LVT_MASKED) == 0 && ICR_MODE(lint0) == MODE_EXTINT);
}

static bool has_extint(const X86VCpu *vcpu)
{
    return vcpu->lapic.extint_due || (vcpu->lapic.intr && accepts_extint(vcpu));
}

static void deliver_extint(X86VCpu *vcpu)
{
    vcpu->lapic.extint_due = false;
    vcpu->lapic.extint_in_flight = true;
    vcpu->event = (X86Event){
        .valid = true, .vector = vcpu->lapic.extint_vector, .type = X86_EVENT_INTERRUPT};
}

// One that was acknowledged before and pushed aside, else *acknowledge.
static X86_RARE uint32_t deliver_external(X86VCpu *vcpu, bool *acknowledge)
{
    if (!can_take_interrupt(vcpu)) {
        return X86_WINDOW_INTERRUPT;
    }
    if (vcpu->lapic.extint_due) {
        deliver_extint(vcpu);
    } else {
        *acknowledge = true;
    }
    return 0;
}

void x86_lapic_acknowledged(X86VCpu *vcpu, uint8_t vector)
{
    vcpu->lapic.extint_vector = vector;
    deliver_extint(vcpu);
}

// Returns the windows to open. The 8259s come before the local APIC, whatever their vector, and TPR
// does not hold them back.
static uint32_t deliver_next(X86VCpu *vcpu, bool *acknowledge)
{
    const uint8_t vector = candidate(vcpu);

    if (vcpu->lapic.nmi_pending && can_take_nmi(vcpu)) {
        deliver_nmi(vcpu);
    }
    if ((vcpu->lapic.intr || vcpu->lapic.extint_due) && has_extint(vcpu)) {
        return deliver_external(vcpu, acknowledge);
    }
    if (vector == 0) {
        return 0;
    }
    if (!is_above_ppr(vcpu, vector)) {
        return X86_WINDOW_TPR;
    }
    if (!can_take_interrupt(vcpu)) {
        return X86_WINDOW_INTERRUPT;
    }
    deliver(vcpu, vector);
    return 0;
}

bool x86_interrupt_enter(X86VCpu *vcpu, uint32_t summary)
{
    bool acknowledge = false;
    uint32_t windows;

    if ((summary & (AX_EVENT_IRQ | AX_EVENT_REQUEST)) != 0 || vcpu->lapic.look_again) {
        take_events(vcpu, (summary & AX_EVENT_REQUEST) != 0);
    }
    windows = deliver_next(vcpu, &acknowledge);
    if (vcpu->lapic.nmi_blocked || vcpu->lapic.nmi_pending) {
        windows |= nmi_window(vcpu);
    }
    if (windows != vcpu->lapic.windows) {
        vcpu->lapic.windows = windows;
        vcpu->vendor->windows(vcpu, windows);
    }
    return !acknowledge;
}

void x86_interrupt_put_back(X86VCpu *vcpu, const X86Event *event)
{
    if (event->type == X86_EVENT_NMI) {
        vcpu->lapic.nmi_pending = true;
        vcpu->lapic.nmi_blocked = false;
    } else if (event->type == X86_EVENT_INTERRUPT && vcpu->lapic.extint_in_flight) {
        vcpu->lapic.extint_due = true;
    } else if (event->type == X86_EVENT_INTERRUPT) {
        put_bit(vcpu->lapic.isr, event->vector, false);
        put_bit(vcpu->lapic.irr, event->vector, true);
        vcpu->lapic.changed = true;
    }
}

void x86_nmi_unblock(X86VCpu *vcpu)
{
    vcpu->lapic.nmi_blocked = false;
}

void x86_nmi_iret(X86VCpu *vcpu)
{
    vcpu->lapic.iret_due = vcpu->lapic.nmi_blocked;
    vcpu->lapic.iret_rip = vcpu->regs.rip;
}

// The flags that IRET has loaded are the guest's own. Breakpoints that hit at the same time are, too.
bool x86_iret_stepped(X86VCpu *vcpu)
{
    const uint64_t dr6 = x86_read(vcpu, X86_FIELD_DR6);
    const uint64_t before = vcpu->lapic.iret_dr6;

    if (!vcpu->lapic.iret_stepped) {
        return false;
    }
    end_step(vcpu);
    x86_write(vcpu, X86_FIELD_DR6, (dr6 & ~DR6_BS) | (before & DR6_BS));
    return (dr6 & ~before & DR6_BREAK) == 0;
}

// ---- messages to other processors ----

// Into ESR at the next write to it, and by the LVT's entry at once.
static X86_RARE void report_error(X86VCpu *vcpu, uint64_t error)
{
    const uint32_t entry = vcpu->lapic.lvt[LVT_ERROR];

    vcpu->lapic.esr[1] |= (uint8_t)error;
    if ((entry & LVT_MASKED) == 0) {
        x86_lapic_raise(vcpu, ICR_VECTOR(entry));
    }
}

// Processors of a message: target_cpu + bits of target_list, or all.
typedef struct Targets {
    uint64_t target_cpu;
    uint64_t target_list;
    bool others; // all but the sender
    bool self;
} Targets;

static const Targets everybody = {.others = true, .self = true};

// Other processors' LDR cannot be seen from here: they are taken to be as guests write them, in the
// flat model bit n for processor n, in the cluster model bit n % 4 of cluster n / 4.
static Targets xapic_logical(const X86VCpu *vcpu, uint32_t destination)
{
    const uint32_t cluster = destination >> 4;

    if (vcpu->lapic.dfr >> 28 == DFR_FLAT) {
        return (Targets){.target_list = destination};
    }
    return cluster == CLUSTER_BROADCAST
               ? everybody
               : (Targets){.target_cpu = UINT64_C(4) * cluster, .target_list = destination & 0xf};
}

static Targets logical_targets(const X86VCpu *vcpu, uint32_t destination)
{
    if (x86_lapic_is_x2apic(vcpu)) {
        return (Targets){.target_cpu = destination >> 16 << 4, .target_list = destination & 0xffff};
    }
    return xapic_logical(vcpu, destination);
}

static Targets destination_targets(const X86VCpu *vcpu, uint64_t icr)
{
    const bool x2apic = x86_lapic_is_x2apic(vcpu);
    const uint32_t destination = (uint32_t)(icr >> 32) >> (x2apic ? 0 : 24);

    if (destination == (x2apic ? UINT32_MAX : 0xff)) {
        return everybody;
    }
    if ((icr & ICR_LOGICAL) != 0) {
        return logical_targets(vcpu, destination);
    }
    return (Targets){.target_cpu = destination, .target_list = 1};
}

// The sender is never in the list.
static Targets targets_of(const X86VCpu *vcpu, uint64_t icr)
{
    Targets targets;
    uint64_t distance;

    switch (ICR_SHORTHAND(icr)) {
    case SHORTHAND_SELF: return (Targets){.self = true};
    case SHORTHAND_ALL: return everybody;
    case SHORTHAND_OTHERS: return (Targets){.others = true};
    default: break;
    }
    targets = destination_targets(vcpu, icr);
    distance = vcpu->env.vcpu_id - targets.target_cpu;
    if (distance < 64 && (targets.target_list >> distance & 1) != 0) {
        targets.target_list &= ~X86_BIT(distance);
        targets.self = true;
    }
    return targets;
}

// The processor that takes a message of lowest priority: the sender when it is one of them, else the
// first.
static Targets lowest_of(const X86VCpu *vcpu, Targets targets)
{
    if (targets.self) {
        return (Targets){.self = true};
    }
    if (targets.others) {
        return (Targets){.target_cpu = vcpu->env.vcpu_id == 0 ? 1 : 0, .target_list = 1};
    }
    targets.target_list &= -targets.target_list;
    return targets;
}

static bool has_others(const Targets *targets)
{
    return targets->others || targets->target_list != 0;
}

static X86Next exit_ipi(const Targets *targets, AxIpiKind kind, uint32_t vector, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_SEND_IPI,
        .ipi = {.target_cpu = targets->target_cpu,
                .target_list = targets->target_list,
                .kind = kind,
                .vector = vector,
                .to_all = targets->others},
    };
    return X86_LEAVE;
}

static X86Next send_fixed(X86VCpu *vcpu, uint64_t icr, Targets targets, AxVCpuExit *exit)
{
    const uint8_t vector = ICR_VECTOR(icr);

    if (vector < X86_IRQ_FIRST) {
        report_error(vcpu, ESR_SEND_ILLEGAL);
        return X86_RESUME;
    }
    if (ICR_MODE(icr) == MODE_LOWEST) {
        targets = lowest_of(vcpu, targets);
    }
    if (targets.self) {
        x86_lapic_raise(vcpu, vector);
    }
    return has_others(&targets) ? exit_ipi(&targets, AX_IPI_INTERRUPT, vector, exit) : X86_RESUME;
}

static X86Next send_nmi(X86VCpu *vcpu, const Targets *targets, AxVCpuExit *exit)
{
    if (targets->self) {
        vcpu->lapic.nmi_pending = true;
    }
    return has_others(targets) ? exit_ipi(targets, AX_IPI_NMI, 0, exit) : X86_RESUME;
}

// The end of a level is nothing (SDM volume 3, 11.6.1), and no processor resets itself.
static X86Next send_init(uint64_t icr, const Targets *targets, AxVCpuExit *exit)
{
    const bool is_end = (icr & ICR_LEVEL) != 0 && (icr & ICR_ASSERT) == 0;

    return has_others(targets) && !is_end ? exit_ipi(targets, AX_IPI_INIT, 0, exit) : X86_RESUME;
}

// Everybody else: those of the first 64 that are not there are refused one by one.
static X86Next send_startup(X86VCpu *vcpu, uint8_t vector, const Targets *targets, AxVCpuExit *exit)
{
    X86Lapic *lapic = &vcpu->lapic;

    lapic->startup_cpu = targets->target_cpu;
    lapic->startup_list = targets->target_list;
    lapic->startup_vector = vector;
    if (targets->others) {
        lapic->startup_cpu = 0;
        lapic->startup_list = UINT64_MAX;
        lapic->startup_list &= vcpu->env.vcpu_id < 64 ? ~X86_BIT(vcpu->env.vcpu_id) : UINT64_MAX;
    }
    return lapic->startup_list != 0 ? x86_lapic_startup(vcpu, exit) : X86_RESUME;
}

X86Next x86_lapic_startup(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Lapic *lapic = &vcpu->lapic;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CPU_UP,
        .cpu_up = {.target_cpu = lapic->startup_cpu + ax_lowest_bit(lapic->startup_list),
                   .entry = ax_gpa((uint64_t)lapic->startup_vector << 12),
                   .arg = lapic->startup_vector},
    };
    lapic->startup_list &= lapic->startup_list - 1;
    vcpu->due = lapic->startup_list != 0 ? X86_DUE_STARTUP : X86_DUE_NONE;
    return X86_LEAVE;
}

// There is no system management here, and the reserved modes are none.
static X86Next send(X86VCpu *vcpu, uint64_t icr, AxVCpuExit *exit)
{
    const Targets targets = targets_of(vcpu, icr);

    switch (ICR_MODE(icr)) {
    case MODE_FIXED:
    case MODE_LOWEST: return send_fixed(vcpu, icr, targets, exit);
    case MODE_NMI: return send_nmi(vcpu, &targets, exit);
    case MODE_INIT: return send_init(icr, &targets, exit);
    case MODE_SIPI: return send_startup(vcpu, ICR_VECTOR(icr), &targets, exit);
    default: return X86_RESUME;
    }
}

// ---- registers ----

static uint32_t id(const X86VCpu *vcpu)
{
    const uint32_t number = (uint32_t)vcpu->env.vcpu_id;

    return x86_lapic_is_x2apic(vcpu) ? number : number << 24;
}

static uint32_t ldr(const X86VCpu *vcpu)
{
    const uint32_t number = (uint32_t)vcpu->env.vcpu_id;

    return x86_lapic_is_x2apic(vcpu) ? number >> 4 << 16 | UINT32_C(1) << (number & 15)
                                     : vcpu->lapic.ldr;
}

static bool is_lvt(uint32_t offset)
{
    return offset >= LAPIC_LVT_TIMER && offset < LAPIC_LVT_TIMER + 16 * X86_LVT_COUNT;
}

static bool is_timer(uint32_t offset)
{
    return offset == LAPIC_TIMER_INITIAL || offset == LAPIC_TIMER_CURRENT ||
           offset == LAPIC_TIMER_DIVIDE;
}

static bool read_vectors(const X86Lapic *lapic, uint32_t offset, uint64_t *value)
{
    const uint32_t *words = offset < REG_TMR ? lapic->isr : lapic->tmr;

    words = offset >= REG_IRR ? lapic->irr : words;
    *value = words[offset >> 4 & 7];
    return true;
}

static bool read_banks(const X86VCpu *vcpu, uint32_t offset, uint64_t *value)
{
    if (offset >= REG_ISR && offset < REG_ESR) {
        return read_vectors(&vcpu->lapic, offset, value);
    }
    if (is_lvt(offset)) {
        *value = vcpu->lapic.lvt[(offset - LAPIC_LVT_TIMER) / 16];
        return true;
    }
    if (is_timer(offset)) {
        *value = x86_timer_read(vcpu, offset);
        return true;
    }
    *value = 0;
    return false;
}

bool x86_lapic_read(X86VCpu *vcpu, uint32_t offset, uint64_t *value)
{
    const X86Lapic *lapic = &vcpu->lapic;

    switch (offset) {
    case REG_ID: *value = id(vcpu); return true;
    case REG_VERSION: *value = VERSION_VALUE; return true;
    case REG_TPR: *value = x86_lapic_tpr(vcpu); return true;
    case REG_PPR: *value = ppr(vcpu); return true;
    case REG_LDR: *value = ldr(vcpu); return true;
    case REG_DFR: *value = lapic->dfr; return !x86_lapic_is_x2apic(vcpu);
    case REG_SVR: *value = lapic->svr; return true;
    case REG_ESR: *value = lapic->esr[0]; return true;
    case REG_ICR:
        *value = x86_lapic_is_x2apic(vcpu) ? lapic->icr : (uint32_t)lapic->icr;
        return true;
    case REG_ICR_HIGH: *value = lapic->icr >> 32; return true;
    default: return read_banks(vcpu, offset, value);
    }
}

// The line may still be high.
static X86Next end_of_level(X86VCpu *vcpu, uint8_t vector, AxVCpuExit *exit)
{
    vcpu->lapic.look_again = true;
    *exit = (AxVCpuExit){.reason = AX_EXIT_INTERRUPT_END, .interrupt = {.vector = vector}};
    return X86_LEAVE;
}

static X86Next end_of_interrupt(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Lapic *lapic = &vcpu->lapic;
    const uint8_t vector = highest(lapic->isr);

    if (vector == 0) {
        return X86_RESUME;
    }
    put_bit(lapic->isr, vector, false);
    return get_bit(lapic->tmr, vector) ? end_of_level(vcpu, vector, exit) : X86_RESUME;
}

X86Next x86_handle_eoi(X86VCpu *vcpu, AxVCpuExit *exit)
{
    return end_of_level(vcpu, vcpu->exit.eoi.vector, exit);
}

// Entries stay masked while the APIC is disabled by software.
static void write_lvt(X86VCpu *vcpu, unsigned n, uint32_t value)
{
    const uint32_t before = vcpu->lapic.lvt[n];

    value &= LVT_BITS & ~UINT32_C(0x1000);
    if ((vcpu->lapic.svr & SVR_ENABLE) == 0) {
        value |= (uint32_t)LVT_MASKED;
    }
    vcpu->lapic.lvt[n] = value;
    if (n == 0) {
        x86_timer_mode_changed(vcpu, before);
    }
}

static void write_svr(X86VCpu *vcpu, uint32_t value)
{
    vcpu->lapic.svr = value & SVR_BITS;
    if ((value & SVR_ENABLE) == 0) {
        for (unsigned n = 0; n < X86_LVT_COUNT; n++) {
            vcpu->lapic.lvt[n] |= (uint32_t)LVT_MASKED;
        }
    }
}

static void write_tpr(X86VCpu *vcpu, uint32_t value)
{
    vcpu->lapic.tpr = value & 0xff;
    vcpu->vendor->set_tpr(vcpu, (uint8_t)value);
}

static void write_esr(X86VCpu *vcpu)
{
    vcpu->lapic.esr[0] = vcpu->lapic.esr[1];
    vcpu->lapic.esr[1] = 0;
}

static bool write_self_ipi(X86VCpu *vcpu, uint32_t value)
{
    if (!x86_lapic_is_x2apic(vcpu) || value > UINT8_MAX) {
        return false;
    }
    if (value < X86_IRQ_FIRST) {
        report_error(vcpu, ESR_SEND_ILLEGAL);
    } else {
        x86_lapic_raise(vcpu, (uint8_t)value);
    }
    return true;
}

static X86Next write_icr(X86VCpu *vcpu, uint64_t value, AxVCpuExit *exit)
{
    X86Lapic *lapic = &vcpu->lapic;

    value &= ~ICR_BUSY;
    lapic->icr = x86_lapic_is_x2apic(vcpu) ? value
                                           : (lapic->icr & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
    return send(vcpu, lapic->icr, exit);
}

static bool write_banks(X86VCpu *vcpu, uint32_t offset, uint32_t value)
{
    if (is_lvt(offset)) {
        write_lvt(vcpu, (offset - LAPIC_LVT_TIMER) / 16, value);
        return true;
    }
    if (is_timer(offset)) {
        x86_timer_write(vcpu, offset, value);
        return offset != LAPIC_TIMER_CURRENT;
    }
    return false;
}

// Of the registers that only xAPIC can write.
static bool write_ids(X86VCpu *vcpu, uint32_t offset, uint32_t value)
{
    if (x86_lapic_is_x2apic(vcpu)) {
        return false;
    }
    switch (offset) {
    case REG_LDR: vcpu->lapic.ldr = value & LDR_BITS; return true;
    case REG_DFR: vcpu->lapic.dfr = value | DFR_FIXED; return true;
    default: vcpu->lapic.icr = (uint32_t)vcpu->lapic.icr | (uint64_t)value << 32; return true;
    }
}

bool x86_lapic_write(X86VCpu *vcpu, uint32_t offset, uint64_t value, AxVCpuExit *exit,
                     X86Next *next)
{
    const uint32_t low = (uint32_t)value;

    vcpu->lapic.changed = true;
    switch (offset) {
    case REG_TPR: write_tpr(vcpu, low); return true;
    case REG_EOI: *next = end_of_interrupt(vcpu, exit); return true;
    case REG_LDR:
    case REG_DFR:
    case REG_ICR_HIGH: return write_ids(vcpu, offset, low);
    case REG_SVR: write_svr(vcpu, low); return true;
    case REG_ESR: write_esr(vcpu); return true;
    case REG_ICR: *next = write_icr(vcpu, value, exit); return true;
    case REG_SELF_IPI: return write_self_ipi(vcpu, low);
    default: return write_banks(vcpu, offset, low);
    }
}

// ---- queries ----

static void publish(_Atomic uint64_t *out, const uint32_t *words)
{
    for (size_t i = 0; i < 4; i++) {
        atomic_store_explicit(&out[i], (uint64_t)words[2 * i + 1] << 32 | words[2 * i],
                              memory_order_release);
    }
}

void x86_interrupt_exit(X86VCpu *vcpu)
{
    if (vcpu->lapic.iret_stepped) {
        end_step(vcpu);
    }
    publish(vcpu->lapic.pending, vcpu->lapic.irr);
    publish(vcpu->lapic.active, vcpu->lapic.isr);
}

static bool published(const _Atomic uint64_t *words, uint32_t irq)
{
    return (atomic_load_explicit(&words[irq / 64], memory_order_acquire) >> (irq % 64) & 1) != 0;
}

AxIrqState x86_interrupt_state(const void *arch, uint32_t irq)
{
    const X86VCpu *vcpu = arch;

    if (irq > X86_IRQ_LAST) {
        return (AxIrqState){0};
    }
    return (AxIrqState){.pending = published(vcpu->lapic.pending, irq),
                        .active = published(vcpu->lapic.active, irq)};
}

bool x86_interrupt_wakeup_pending(const X86VCpu *vcpu)
{
    const uint8_t vector = candidate(vcpu);
    const bool has_interrupt = has_extint(vcpu) || (vector != 0 && is_above_ppr(vcpu, vector));

    return vcpu->event.valid || (vcpu->lapic.nmi_pending && !vcpu->lapic.nmi_blocked) ||
           (has_interrupt && (vcpu->regs.rflags & RFLAGS_IF) != 0);
}
