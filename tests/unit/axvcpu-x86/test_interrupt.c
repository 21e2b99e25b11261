// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

#define OFFSET_TPR UINT32_C(0x80)
#define OFFSET_EOI UINT32_C(0xb0)
#define OFFSET_LDR UINT32_C(0xd0)
#define OFFSET_SVR UINT32_C(0xf0)
#define OFFSET_DFR UINT32_C(0xe0)
#define OFFSET_ESR UINT32_C(0x280)
#define OFFSET_ICR UINT32_C(0x300)

#define OFFSET_LVT_LINT0 UINT32_C(0x350)
#define OFFSET_LVT_ERROR UINT32_C(0x370)

static X86Fixture f;
static X86Next next;

static void write(uint32_t offset, uint64_t value)
{
    next = X86_RESUME;
    assert_true(x86_lapic_write(&f.vcpu, offset, value, &f.exit, &next));
}

static uint64_t read(uint32_t offset)
{
    uint64_t value;

    assert_true(x86_lapic_read(&f.vcpu, offset, &value));
    return value;
}

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound_as(&f, 2);
    write(OFFSET_SVR, 0x1ff);
    f.vcpu.regs.rflags |= RFLAGS_IF;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void edge(uint32_t vector)
{
    assert_int_equal(axvcpu_events_post_irq(&f.events, vector), AX_OK);
}

static uint64_t delivered(void)
{
    (void)fixture_run_halt(&f);
    return scripted.event_seen;
}

static void an_edge_is_delivered_once(void **state)
{
    (void)state;
    edge(0x45);
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
    assert_int_equal(delivered(), 0);
    assert_true(x86_interrupt_state(&f.vcpu, 0x45).active);
    write(OFFSET_EOI, 0);
    assert_int_equal(next, X86_RESUME);
    edge(0x45);
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
}

static void a_guest_with_interrupts_off_gets_a_window(void **state)
{
    (void)state;
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    edge(0x45);
    assert_int_equal(delivered(), 0);
    assert_true(fixture_has_interrupt_window(&f));
    f.vcpu.regs.rflags |= RFLAGS_IF;
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
    assert_false(fixture_has_interrupt_window(&f));
}

static void a_shadow_holds_an_interrupt_back(void **state)
{
    (void)state;
    f.vcpu.shadow = true;
    edge(0x45);
    assert_int_equal(delivered(), 0);
    assert_int_equal(delivered(), EVENT_VALID | 0x45); // HLT ended it
}

static unsigned times_seen;

// The host's interrupt comes first, but for the last time.
static void leave_it_waiting(void)
{
    times_seen += scripted.event_seen == (EVENT_VALID | 0x45) ? 1 : 0;
    if (times_seen < 3) {
        fixture_vmcb(&f)->vintr |= VINTR_IRQ;
    }
}

static void a_virtual_interrupt_that_waits_is_requested_again(void **state)
{
    (void)state;
    times_seen = 0;
    f.irq = 0x40;
    edge(0x45);
    scripted.act = leave_it_waiting;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(fixture_run_exit(&f, VMEXIT_INTR, 0, 0, 0), AX_EXIT_EXTERNAL_INTERRUPT);
        assert_int_equal(times_seen, i);
        assert_int_equal(x86_interrupt_state(&f.vcpu, 0x45).pending, i < 3);
        assert_int_equal(x86_interrupt_state(&f.vcpu, 0x45).active, i == 3);
        assert_int_equal(fixture_vmcb(&f)->vintr & (VINTR_IRQ | VINTR_VECTOR), 0);
    }
    assert_int_equal(delivered(), 0);
}

static void stay_undelivered(void)
{
    fixture_vmcb(&f)->vintr |= VINTR_IRQ;
}

// QEMU calls it an exception in EXITINTINFO.
static void a_virtual_interrupt_whose_delivery_faults_stays_an_interrupt(void **state)
{
    (void)state;
    edge(0x45);
    scripted.act = stay_undelivered;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_WRITE, HOLE,
                                      EVENT_VALID | X86_EVENT_EXCEPTION << EVENT_TYPE_SHIFT | 0x45),
                     AX_EXIT_NESTED_PAGE_FAULT);
    scripted.act = NULL;
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
    assert_int_equal(delivered(), 0);
}

static void see_eventinj(void)
{
    times_seen += scripted.event_seen == (EVENT_VALID | 0x45) &&
                          (fixture_vmcb(&f)->vintr & VINTR_VECTOR) == 0
                      ? 1
                      : 0;
}

// A delivery that was interrupted goes on while the next one wants a window.
static void an_interrupt_beside_a_window_goes_by_eventinj(void **state)
{
    (void)state;
    times_seen = 0;
    edge(0x45);
    (void)fixture_run_exit(&f, VMEXIT_NPF, PF_WRITE, HOLE, EVENT_VALID | 0x45);
    edge(0x51);
    scripted.act = see_eventinj;
    f.irq = 0x40;
    (void)fixture_run_exit(&f, VMEXIT_INTR, 0, 0, 0);
    assert_int_equal(times_seen, 1);
    assert_true(fixture_has_interrupt_window(&f));
}

static void only_a_higher_class_interrupts_a_handler(void **state)
{
    (void)state;
    edge(0x45);
    (void)delivered();
    edge(0x4f);
    assert_int_equal(delivered(), 0);
    edge(0x51);
    assert_int_equal(delivered(), EVENT_VALID | 0x51);
    write(OFFSET_EOI, 0);
    assert_int_equal(delivered(), 0);
    write(OFFSET_EOI, 0);
    assert_int_equal(delivered(), EVENT_VALID | 0x4f);
}

static void tpr_holds_back_up_to_its_class(void **state)
{
    (void)state;
    write(OFFSET_TPR, 0x40);
    edge(0x45);
    assert_int_equal(delivered(), 0);
    assert_true(fixture_has_tpr_window(&f));
    assert_int_equal(read(OFFSET_TPR), 0x40);
    fixture_write_cr8(&f, 0);
    assert_int_equal(read(OFFSET_TPR), 0);
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
}

// mov cr8, rax
static void lowering_cr8_lets_an_interrupt_in(void **state)
{
    static const uint8_t code[] = {0x44, 0x0f, 0x22, 0xc0};

    (void)state;
    memcpy(f.code, code, sizeof(code));
    write(OFFSET_TPR, 0xf0);
    edge(0x45);
    f.vcpu.regs.gpr[RAX] = 3;
    (void)fixture_run_exit(&f, VMEXIT_CR8_WRITE, 0, 0, 0);
    assert_int_equal(scripted.event_seen, EVENT_VALID | 0x45);
    assert_int_equal(read(OFFSET_TPR), 0x30);
}

static void lower_cr8(void)
{
    assert_int_equal(scripted.event_seen, 0);
    assert_int_equal(*fixture_vmcs(&f, VMCS_TPR_THRESHOLD), 0xf);
    fixture_write_cr8(&f, 3);
}

// Without an exit of its own, MOV to CR8 ends a stay when the threshold is above what it wrote.
static void lowering_tpr_below_its_threshold_lets_an_interrupt_in(void **state)
{
    (void)state;
    write(OFFSET_TPR, 0xf0);
    edge(0x45);
    scripted.act = lower_cr8;
    (void)fixture_run_exit(&f, VMEXIT_CR8_WRITE, 0, 0, 0);
    assert_int_equal(scripted.event_seen, EVENT_VALID | 0x45);
    assert_int_equal(read(OFFSET_TPR), 0x30);
}

static void a_level_comes_back_until_it_is_lowered(void **state)
{
    (void)state;
    assert_int_equal(axvcpu_events_set_level(&f.events, 0x60, true), AX_OK);
    assert_int_equal(delivered(), EVENT_VALID | 0x60);
    assert_int_equal(delivered(), 0);
    write(OFFSET_EOI, 0);
    assert_int_equal(next, X86_LEAVE);
    assert_int_equal(f.exit.reason, AX_EXIT_INTERRUPT_END);
    assert_int_equal(f.exit.interrupt.vector, 0x60);
    assert_int_equal(delivered(), EVENT_VALID | 0x60);
    assert_int_equal(axvcpu_events_set_level(&f.events, 0x60, false), AX_OK);
    write(OFFSET_EOI, 0);
    assert_int_equal(delivered(), 0);
}

static void a_disabled_apic_delivers_nothing(void **state)
{
    (void)state;
    write(OFFSET_SVR, 0xff);
    edge(0x45);
    assert_int_equal(delivered(), 0);
    write(OFFSET_SVR, 0x1ff);
    assert_int_equal(delivered(), EVENT_VALID | 0x45);
}

static unsigned iret_entries;
static uint64_t iret_dr6 = DR6_RESET | DR6_BS;
static uint64_t iret_events[3];

// Leaves at an IRET, executes it one step and halts.
static void guest_of_iret(struct X86GuestRegs *regs, Vmcb *vmcb)
{
    (void)regs;
    iret_events[iret_entries] = vmcb->event_inj;
    vmcb->event_inj = 0;
    switch (iret_entries++) {
    case 0: vmcb->exit_code = VMEXIT_IRET; break;
    case 1:
        assert_true((vmcb->rflags & RFLAGS_TF) != 0);
        assert_int_equal(vmcb->intercept_1 & INTERCEPT_IRET, 0);
        vmcb->rip += 0x100;
        vmcb->rflags &= ~RFLAGS_TF;
        vmcb->dr6 = iret_dr6;
        vmcb->exit_code = VMEXIT_EXCEPTION + VECTOR_DB;
        break;
    default: vmcb->exit_code = VMEXIT_HLT; break;
    }
}

static void an_nmi_waits_for_the_iret_of_the_one_before(void **state)
{
    const uint64_t nmi = EVENT_VALID | UINT64_C(2) << 8 | 2;

    (void)state;
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    axvcpu_events_post_nmi(&f.events);
    assert_int_equal(delivered(), nmi);
    axvcpu_events_post_nmi(&f.events);
    assert_int_equal(delivered(), 0);
    assert_true(fixture_has_nmi_window(&f));
    x86_sim.guest = guest_of_iret;
    iret_entries = 0;
    f.vcpu.activity = X86_ACTIVE;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(iret_entries, 3);
    assert_int_equal(iret_events[0], 0);
    assert_int_equal(iret_events[1], 0);
    assert_int_equal(iret_events[2], nmi);
    assert_int_equal(f.exit.reason, AX_EXIT_HALT);
    assert_int_equal(fixture_vmcb(&f)->dr6, DR6_RESET); // the guest does not see the step ...
    assert_int_equal(f.vcpu.regs.rflags & RFLAGS_TF, 0);
}

static void unblock_nmis(void)
{
    assert_int_equal(scripted.event_seen, 0);
    assert_true(fixture_has_nmi_window(&f));
    *fixture_vmcs(&f, VMCS_GUEST_INTERRUPTIBILITY) &= ~BLOCKING_BY_NMI;
}

// The processor knows when NMIs are blocked, and exits when they no longer are.
static void an_nmi_waits_for_the_window(void **state)
{
    const uint64_t nmi = EVENT_VALID | UINT64_C(2) << 8 | 2;

    (void)state;
    axvcpu_events_post_nmi(&f.events);
    assert_int_equal(delivered(), nmi);
    assert_true((*fixture_vmcs(&f, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_BY_NMI) != 0);
    axvcpu_events_post_nmi(&f.events);
    assert_int_equal(delivered(), 0);
    scripted.act = unblock_nmis;
    (void)fixture_run_exit(&f, VMEXIT_IRET, 0, 0, 0);
    assert_int_equal(scripted.event_seen, nmi);
}

// ... but a breakpoint that hits meanwhile.
static void a_breakpoint_behind_an_iret_is_the_guests(void **state)
{
    (void)state;
    f.vcpu.lapic.nmi_blocked = true;
    f.vcpu.lapic.nmi_pending = true;
    f.vcpu.lapic.iret_due = true;
    f.vcpu.lapic.iret_rip = f.vcpu.regs.rip;
    scripted.code = VMEXIT_HLT;
    iret_dr6 = DR6_RESET | DR6_BS | 2;
    iret_entries = 1;
    x86_sim.guest = guest_of_iret;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(iret_events[2], EVENT_VALID | UINT64_C(3) << 8 | VECTOR_DB);
    assert_int_equal(fixture_vmcb(&f)->dr6, DR6_RESET | 2);
}

// Where the host looks between two runs it finds the guest's own flags.
static void a_step_does_not_show_outside(void **state)
{
    uint64_t rflags;

    (void)state;
    f.vcpu.lapic.nmi_blocked = true;
    f.vcpu.lapic.nmi_pending = true;
    f.vcpu.lapic.iret_due = true;
    f.vcpu.lapic.iret_rip = f.vcpu.regs.rip;
    f.irq = 0x40;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INTR, 0, 0, 0), AX_EXIT_EXTERNAL_INTERRUPT);
    assert_int_equal(fixture_vmcb(&f)->rflags & RFLAGS_TF, RFLAGS_TF);
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_RFLAGS, &rflags), AX_OK);
    assert_int_equal(rflags & RFLAGS_TF, 0);
    assert_true(f.vcpu.lapic.nmi_blocked);
}

static void messages_name_their_targets(void **state)
{
    static const struct {
        uint64_t high; // of ICR
        uint32_t low;
        uint64_t target_cpu;
        uint64_t target_list;
        bool to_all;
        bool to_self;
    } cases[] = {
        {3, 0x45, 3, 1, false, false},   // one
        {2, 0x45, 0, 0, false, true},    // itself
        {0xff, 0x45, 0, 0, true, true},  // everybody
        {0, 0x40045, 0, 0, false, true}, // shorthands
        {0, 0x80045, 0, 0, true, true},         {0, 0xc0045, 0, 0, true, false},
        {0x0b, 0x00845, 0, 0x0b, false, false}, // logical, without itself ...
        {0x0f, 0x00845, 0, 0x0b, false, true},  // ... and with
        {0x0b, 0x00945, 0, 0x01, false, false}, // lowest priority: the first ...
        {0x0f, 0x00945, 0, 0, false, true},     // ... or who sends it
        {0, 0x80145, 0, 0, false, true},        {0, 0xc0145, 0, 0x01, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool others = cases[i].to_all || cases[i].target_list != 0;

        memset(f.vcpu.lapic.irr, 0, sizeof(f.vcpu.lapic.irr));
        write(OFFSET_ICR + 0x10, cases[i].high << 24);
        write(OFFSET_ICR, cases[i].low);
        assert_int_equal(f.vcpu.lapic.irr[2] >> 5 & 1, cases[i].to_self);
        assert_int_equal(next, others ? X86_LEAVE : X86_RESUME);
        if (others) {
            assert_int_equal(f.exit.reason, AX_EXIT_SEND_IPI);
            assert_int_equal(f.exit.ipi.kind, AX_IPI_INTERRUPT);
            assert_int_equal(f.exit.ipi.vector, 0x45);
            assert_int_equal(f.exit.ipi.to_all, cases[i].to_all);
            assert_int_equal(f.exit.ipi.target_list, cases[i].target_list);
            assert_true(cases[i].to_all || f.exit.ipi.target_cpu == cases[i].target_cpu);
        }
    }
}

static void clusters_of_xapic_have_four_members(void **state)
{
    (void)state;
    write(OFFSET_DFR, 0);
    write(OFFSET_ICR + 0x10, UINT64_C(0x35) << 24);
    write(OFFSET_ICR, 0x845);
    assert_int_equal(f.exit.ipi.target_cpu, 12);
    assert_int_equal(f.exit.ipi.target_list, 5);
    write(OFFSET_ICR + 0x10, UINT64_C(0xf1) << 24);
    write(OFFSET_ICR, 0x845);
    assert_true(f.exit.ipi.to_all);
}

static void each_mode_of_delivery_has_its_kind(void **state)
{
    static const struct {
        uint32_t low;
        bool leaves;
        AxIpiKind kind;
        bool nmi;
    } cases[] = {
        {0x00400, true, AX_IPI_NMI, false},   {0x80400, true, AX_IPI_NMI, true},
        {0x40400, false, AX_IPI_NMI, true},   {0x04500, true, AX_IPI_INIT, false},
        {0x0c500, true, AX_IPI_INIT, false},  // level, asserted ...
        {0x08500, false, AX_IPI_INIT, false}, // ... and its end
        {0xc4500, true, AX_IPI_INIT, false},  {0x44500, false, AX_IPI_INIT, false},
        {0x00200, false, 0, false}, // SMI, and what is reserved
        {0x00345, false, 0, false},           {0x00745, false, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.lapic.nmi_pending = false;
        write(OFFSET_ICR + 0x10, UINT64_C(3) << 24);
        write(OFFSET_ICR, cases[i].low);
        assert_int_equal(next, cases[i].leaves ? X86_LEAVE : X86_RESUME);
        assert_int_equal(f.vcpu.lapic.nmi_pending, cases[i].nmi);
        if (cases[i].leaves) {
            assert_int_equal(f.exit.reason, AX_EXIT_SEND_IPI);
            assert_int_equal(f.exit.ipi.kind, cases[i].kind);
        }
    }
}

static void an_illegal_vector_is_an_error(void **state)
{
    (void)state;
    write(OFFSET_LVT_ERROR, 0x50);
    write(OFFSET_ICR, 0x4000f);
    assert_int_equal(next, X86_RESUME);
    assert_int_equal(read(OFFSET_ESR), 0);
    write(OFFSET_ESR, 0);
    assert_int_equal(read(OFFSET_ESR), 0x20);
    write(OFFSET_ESR, 0);
    assert_int_equal(read(OFFSET_ESR), 0);
    assert_int_equal(delivered(), EVENT_VALID | 0x50);
}

static void startup_messages_leave_one_by_one(void **state)
{
    static const uint64_t cpus[] = {0, 1, 3};
    size_t i = 0;

    (void)state;
    write(OFFSET_ICR + 0x10, UINT64_C(0x0f) << 24);
    write(OFFSET_ICR, 0x0e10); // logical
    for (;;) {
        assert_int_equal(f.exit.reason, AX_EXIT_CPU_UP);
        assert_int_equal(f.exit.cpu_up.target_cpu, cpus[i]);
        assert_int_equal(f.exit.cpu_up.arg, 0x10);
        if (++i == COUNT(cpus)) {
            break;
        }
        assert_int_equal(x86_vcpu_ops.complete_call(&f.vcpu, &f.exit, AX_EINVAL, 0), AX_OK);
        assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    }
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_IDLE);
}

static void a_startup_message_to_all_others_names_the_first_64(void **state)
{
    uint64_t named = 0;

    (void)state;
    write(OFFSET_ICR, 0xc4610);
    while (f.exit.reason == AX_EXIT_CPU_UP) {
        named |= X86_BIT(f.exit.cpu_up.target_cpu);
        (void)fixture_run_halt(&f);
    }
    assert_int_equal(named, ~X86_BIT(2));
}

// ---- the 8259's line ----

static void extint(bool high)
{
    assert_int_equal(axvcpu_events_set_level(&f.events, X86_IRQ_EXTINT, high), AX_OK);
}

static void the_line_of_the_8259_asks_for_its_vector(void **state)
{
    (void)state;
    write(OFFSET_LVT_LINT0, 0x700);
    extint(true);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_INTERRUPT_ACKNOWLEDGE);
    assert_int_equal(scripted.entries, 0);
    extint(false);
    assert_int_equal(x86_vcpu_ops.complete_read(&f.vcpu, &f.exit, 0x08), AX_OK);
    assert_int_equal(delivered(), EVENT_VALID | 0x08);
    assert_false(x86_interrupt_state(&f.vcpu, 0x08).active);
    assert_int_equal(delivered(), 0);
}

static void a_refused_acknowledge_delivers_nothing(void **state)
{
    (void)state;
    write(OFFSET_LVT_LINT0, 0x700);
    extint(true);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_INTERRUPT_ACKNOWLEDGE);
    extint(false);
    assert_int_equal(x86_vcpu_ops.complete_fault(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(delivered(), 0);
}

static void the_8259_waits_for_a_guest_that_takes_interrupts(void **state)
{
    (void)state;
    write(OFFSET_LVT_LINT0, 0x700);
    write(OFFSET_TPR, 0xf0); // does not matter
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    extint(true);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
    assert_true(fixture_has_interrupt_window(&f));
    f.vcpu.regs.rflags |= RFLAGS_IF;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_INTERRUPT_ACKNOWLEDGE);
}

static void the_8259_reaches_the_guest_through_lint0_or_past_a_disabled_apic(void **state)
{
    static const struct {
        uint32_t lint0;
        bool enabled;
        bool reaches;
    } cases[] = {
        {0x00700, true, true},  {0x10700, true, false}, {0x00400, true, false},
        {0x10700, false, true}, {0x10000, false, true}, {0x00031, true, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write(OFFSET_LVT_LINT0, cases[i].lint0);
        f.vcpu.lapic.base = X86_APIC_PAGE | (cases[i].enabled ? 0x800 : 0);
        extint(true);
        assert_int_equal(fixture_run_halt(&f),
                         cases[i].reaches ? AX_EXIT_INTERRUPT_ACKNOWLEDGE : AX_EXIT_IDLE);
        extint(false);
    }
}

static void firmware_leaves_the_first_processor_a_virtual_wire(void **state)
{
    (void)state;
    f.vcpu.env.vcpu_id = 0;
    x86_lapic_reset(&f.vcpu);
    assert_int_equal(read(OFFSET_LVT_LINT0), 0x700);
    f.vcpu.env.vcpu_id = 2;
    x86_lapic_reset(&f.vcpu);
    assert_int_equal(read(OFFSET_LVT_LINT0), 0x10000);
}

// The fault of what was to be delivered at the same time comes first, and the vector is not asked for
// again.
static void an_acknowledged_vector_is_not_lost(void **state)
{
    (void)state;
    x86_lapic_acknowledged(&f.vcpu, 0x33);
    x86_inject_gp(&f.vcpu);
    assert_int_equal(delivered() & EVENT_VECTOR, VECTOR_GP);
    assert_true(x86_interrupt_wakeup_pending(&f.vcpu));
    assert_int_equal(delivered(), EVENT_VALID | 0x33);
    assert_int_equal(delivered(), 0);
}

static void a_number_that_is_no_line_is_forgotten(void **state)
{
    (void)state;
    edge(X86_IRQ_EXTINT);
    edge(1000);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_IDLE);
    assert_false(axvcpu_events_any(&f.events));
}

// ---- waiting ----

static void a_halted_processor_goes_on_for_an_event_only(void **state)
{
    (void)state;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_IDLE);
    scripted.entries = 0;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.exit.reason, AX_EXIT_IDLE);
    write(OFFSET_TPR, 0xf0);
    edge(0x45);
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(scripted.entries, 0);
    write(OFFSET_TPR, 0);
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(scripted.event_seen, EVENT_VALID | 0x45);
}

static void halted_with_interrupts_off_only_an_nmi_helps(void **state)
{
    (void)state;
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
    edge(0x45);
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.exit.reason, AX_EXIT_HALT);
    assert_false(x86_vcpu_ops.wakeup_pending(&f.vcpu));
    axvcpu_events_post_nmi(&f.events);
    scripted.entries = 0;
    assert_int_equal(x86_vcpu_ops.run(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(scripted.event_seen, EVENT_VALID | UINT64_C(2) << 8 | 2);
}

static void a_startup_message_switches_a_processor_on(void **state)
{
    (void)state;
    write(OFFSET_ICR + 0x10, UINT64_C(3) << 24);
    write(OFFSET_ICR, 0x469a);
    assert_int_equal(next, X86_LEAVE);
    assert_int_equal(f.exit.reason, AX_EXIT_CPU_UP);
    assert_int_equal(f.exit.cpu_up.target_cpu, 3);
    assert_int_equal(f.exit.cpu_up.entry.value, 0x9a000);
    assert_int_equal(f.exit.cpu_up.arg, 0x9a);
}

static void x2apic_has_wide_ids(void **state)
{
    (void)state;
    assert_int_equal(read(0x20), UINT32_C(2) << 24);
    assert_false(x86_set_apic_base(&f.vcpu, X86_APIC_PAGE | 0x400));
    assert_false(x86_set_apic_base(&f.vcpu, 0xfed00c00));
    assert_true(x86_set_apic_base(&f.vcpu, X86_APIC_PAGE | 0xc00));
    assert_false(x86_set_apic_base(&f.vcpu, X86_APIC_PAGE | 0x800));
    assert_int_equal(read(0x20), 2);
    assert_int_equal(read(OFFSET_LDR), 4);
    write(OFFSET_ICR, UINT64_C(0x0001000a) << 32 | 0x845); // cluster 1, members 1 and 3
    assert_int_equal(f.exit.ipi.target_cpu, 16);
    assert_int_equal(f.exit.ipi.target_list, 0xa);
    write(OFFSET_ICR, UINT64_C(0xffffffff) << 32 | 0x45);
    assert_true(f.exit.ipi.to_all);
}

static void a_local_apic_that_is_switched_off_forgets(void **state)
{
    (void)state;
    write(OFFSET_LDR, UINT32_C(4) << 24);
    edge(0x45);
    f.vcpu.regs.rflags &= ~RFLAGS_IF;
    (void)delivered();
    assert_true(x86_write_apic_base(&f.vcpu, X86_APIC_PAGE));
    assert_true(x86_write_apic_base(&f.vcpu, X86_APIC_PAGE | 0x800));
    assert_int_equal(read(OFFSET_LDR), 0);
    assert_int_equal(read(OFFSET_SVR), 0xff);
    write(OFFSET_SVR, 0x1ff);
    f.vcpu.regs.rflags |= RFLAGS_IF;
    assert_int_equal(delivered(), 0);
    assert_false(x86_write_apic_base(&f.vcpu, 0));
}

// Any offset and value: nothing but a register or a refusal.
static void any_register_can_be_asked(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++) {
        for (uint32_t offset = 0; offset < 0x1000; offset += 16) {
            uint64_t value;

            (void)x86_lapic_read(&f.vcpu, offset, &value);
            (void)x86_lapic_write(&f.vcpu, offset, UINT64_MAX, &f.exit, &next);
            (void)x86_lapic_write(&f.vcpu, offset, 0, &f.exit, &next);
        }
        assert_true(x86_set_apic_base(&f.vcpu, X86_APIC_PAGE | 0xc00));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(an_edge_is_delivered_once),
        ON_BOTH(a_guest_with_interrupts_off_gets_a_window),
        ON_BOTH(a_shadow_holds_an_interrupt_back),
        ON_BOTH(only_a_higher_class_interrupts_a_handler),
        ON_BOTH(tpr_holds_back_up_to_its_class),
        ON_SVM(a_virtual_interrupt_that_waits_is_requested_again),
        ON_SVM(a_virtual_interrupt_whose_delivery_faults_stays_an_interrupt),
        ON_SVM(an_interrupt_beside_a_window_goes_by_eventinj),
        ON_SVM(lowering_cr8_lets_an_interrupt_in),
        ON_VMX(lowering_tpr_below_its_threshold_lets_an_interrupt_in),
        ON_BOTH(a_level_comes_back_until_it_is_lowered),
        ON_BOTH(a_disabled_apic_delivers_nothing),
        ON_SVM(an_nmi_waits_for_the_iret_of_the_one_before),
        ON_VMX(an_nmi_waits_for_the_window),
        ON_SVM(a_breakpoint_behind_an_iret_is_the_guests),
        ON_SVM(a_step_does_not_show_outside),
        ON_BOTH(messages_name_their_targets),
        ON_BOTH(clusters_of_xapic_have_four_members),
        ON_BOTH(each_mode_of_delivery_has_its_kind),
        ON_BOTH(an_illegal_vector_is_an_error),
        ON_BOTH(startup_messages_leave_one_by_one),
        ON_BOTH(a_startup_message_to_all_others_names_the_first_64),
        ON_BOTH(the_line_of_the_8259_asks_for_its_vector),
        ON_BOTH(a_refused_acknowledge_delivers_nothing),
        ON_BOTH(the_8259_waits_for_a_guest_that_takes_interrupts),
        ON_BOTH(the_8259_reaches_the_guest_through_lint0_or_past_a_disabled_apic),
        ON_BOTH(firmware_leaves_the_first_processor_a_virtual_wire),
        ON_BOTH(an_acknowledged_vector_is_not_lost),
        ON_BOTH(a_number_that_is_no_line_is_forgotten),
        ON_BOTH(a_halted_processor_goes_on_for_an_event_only),
        ON_BOTH(halted_with_interrupts_off_only_an_nmi_helps),
        ON_BOTH(a_startup_message_switches_a_processor_on),
        ON_BOTH(x2apic_has_wide_ids),
        ON_BOTH(a_local_apic_that_is_switched_off_forgets),
        ON_BOTH(any_register_can_be_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
