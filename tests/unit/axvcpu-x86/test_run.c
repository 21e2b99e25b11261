// SPDX-License-Identifier: Apache-2.0
// Runs: what is delivered at an entry, and what becomes of an event whose delivery ended in an exit.
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

#define EXCEPTION_INFO(vector) (EVENT_VALID | UINT64_C(3) << 8 | (vector))

static void a_new_vcpu_is_in_real_mode_at_its_entry(void **state)
{
    (void)state;
    assert_int_equal(f.vcpu.regs.rip, ENTRY);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_BASE), 0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_EFER), 0);
}

static void a_control_block_has_what_every_guest_has(void **state)
{
    const Vmcb *vmcb = fixture_vmcb(&f);

    (void)state;
    assert_int_equal(vmcb->efer, EFER_SVME);
    assert_int_equal(vmcb->n_cr3, f.root.base.value);
    assert_int_not_equal(vmcb->asid, 0);
    assert_true((vmcb->intercept_1 & INTERCEPT_HLT) != 0);
    assert_int_equal(vmcb->vintr & VINTR_MASKING, VINTR_MASKING);
}

static void a_startup_message_sets_the_code_segment(void **state)
{
    (void)state;
    assert_int_equal(x86_set_reg(&f.vcpu, X86_REG_STARTUP, 0x9a), AX_OK);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_SELECTOR), 0x9a00);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_BASE), 0x9a000);
    assert_int_equal(f.vcpu.regs.rip, 0);
    assert_int_equal(x86_set_reg(&f.vcpu, X86_REG_STARTUP, 0x100), AX_EINVAL);
}

static void a_kick_ends_a_run_before_the_entry(void **state)
{
    (void)state;
    axvcpu_events_post_kick(&f.events);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_NOTHING);
    assert_int_equal(scripted.entries, 0);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
}

static void a_posted_exception_is_delivered_with_its_address(void **state)
{
    const AxException exception = {.vector = VECTOR_PF,
                                   .has_error_code = true,
                                   .error_code = 6,
                                   .has_address = true,
                                   .address = 0x1234};

    (void)state;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen,
                     EXCEPTION_INFO(VECTOR_PF) | EVENT_HAS_ERROR | UINT64_C(6) << 32);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CR2), 0x1234);
    (void)fixture_run_halt(&f);
    assert_int_equal(scripted.event_seen, 0); // once
}

static void exceptions_that_are_none_are_refused(void **state)
{
    static const AxException cases[] = {
        {.vector = 2},
        {.vector = 9},
        {.vector = 15},
        {.vector = 32},
        {.vector = 20},
        {.vector = 13},
        {.vector = 6, .has_error_code = true},
        {.vector = 14, .has_error_code = true, .error_code = UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(x86_inject_exception(&f.vcpu, &cases[i]), AX_EINVAL);
        assert_false(f.vcpu.event.valid);
    }
}

static void an_interrupted_delivery_is_repeated(void **state)
{
    static const struct {
        uint64_t info;
        bool repeated;
    } cases[] = {
        {EVENT_VALID | 0x45, true},                 // interrupt
        {EVENT_VALID | UINT64_C(2) << 8 | 2, true}, // NMI
        {EXCEPTION_INFO(VECTOR_GP) | EVENT_HAS_ERROR | X86_BIT(36), true},
        {EVENT_VALID | UINT64_C(4) << 8 | 0x80, false}, // INT 80h: executed again
        {EXCEPTION_INFO(VECTOR_BP), false},
        {0x45, false}, // not valid
    };

    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_IF;
    for (size_t i = 0; i < COUNT(cases); i++) {
        (void)fixture_run_exit(&f, VMEXIT_NMI, 0, 0, cases[i].info);
        assert_int_equal(scripted.entries, 2);
        assert_int_equal(scripted.event_seen, cases[i].repeated ? cases[i].info : 0);
    }
}

static void a_fault_during_a_delivery_follows_the_table_of_double_faults(void **state)
{
    static const struct {
        uint8_t first;
        uint8_t second;
        uint8_t result;
    } cases[] = {
        {VECTOR_UD, VECTOR_GP, VECTOR_GP}, {VECTOR_GP, VECTOR_GP, VECTOR_DF},
        {VECTOR_DE, VECTOR_NP, VECTOR_DF}, {VECTOR_PF, VECTOR_PF, VECTOR_DF},
        {VECTOR_PF, VECTOR_GP, VECTOR_DF}, {VECTOR_GP, VECTOR_PF, VECTOR_PF},
        {VECTOR_GP, VECTOR_UD, VECTOR_UD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.event = (X86Event){
            .valid = true, .vector = cases[i].first, .type = X86_EVENT_EXCEPTION};
        x86_inject(&f.vcpu, cases[i].second, true, 0x18);
        assert_int_equal(f.vcpu.event.vector, cases[i].result);
        assert_int_equal(f.vcpu.event.error_code, cases[i].result == VECTOR_DF ? 0 : 0x18);
        assert_int_equal(f.vcpu.activity, X86_ACTIVE);
    }
}

static void a_fault_during_a_double_fault_shuts_the_guest_down(void **state)
{
    (void)state;
    f.vcpu.event = (X86Event){.valid = true, .vector = VECTOR_DF, .type = X86_EVENT_EXCEPTION};
    x86_inject(&f.vcpu, VECTOR_GP, true, 0);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_TRIPLE_FAULT);
    assert_int_equal(scripted.entries, 0);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_TRIPLE_FAULT); // for good
}

static void an_interrupt_that_a_fault_overtakes_is_not_lost(void **state)
{
    (void)state;
    f.vcpu.event = (X86Event){.valid = true, .vector = 0x45, .type = X86_EVENT_INTERRUPT};
    x86_inject(&f.vcpu, VECTOR_GP, true, 0);
    assert_int_equal(f.vcpu.event.vector, VECTOR_GP);
    assert_int_equal(f.vcpu.lapic.irr[2], UINT32_C(1) << 5);
}

// QEMU 7.2 leaves such after CMPXCHG16B.
static void flags_that_no_guest_can_have_never_reach_an_entry(void **state)
{
    (void)state;
    f.vcpu.regs.rflags = ~RFLAGS_WRITABLE;
    (void)fixture_run_halt(&f);
    assert_int_equal(fixture_rflags(&f), RFLAGS_FIXED);
}

static void nothing_of_one_guest_is_left_for_the_next(void **state)
{
    X86VCpu other;
    uint64_t value;

    (void)state;
    memset(x86_sim.fp, 0xee, sizeof(x86_sim.fp));
    x86_sim.reg[X86_SIM_DR0] = 0xeeee;
    memset(f.vcpu.regs.gpr, 0xee, sizeof(f.vcpu.regs.gpr));
    fixture_create_vcpu(&f, &other, 1);
    fixture_setup_vcpu(&f, &other);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_vcpu_ops.bind(&other, &f.percpu), AX_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(x86_sim.fp[40 + i], 0);
    }
    assert_int_equal(x86_sim.reg[X86_SIM_DR0], 0);
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        assert_int_equal(x86_get_reg(&other, x86_reg_ids[i], &value), AX_OK);
        assert_true(value != UINT64_C(0xeeeeeeeeeeeeeeee) && value != 0xeeee);
    }
    assert_int_equal(x86_vcpu_ops.unbind(&other), AX_OK);
    x86_vcpu_ops.destroy(&other);
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_DR(0), &value), AX_OK);
    assert_int_equal(value, 0xeeee);
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_FP(5), &value), AX_OK);
    assert_int_equal(value, UINT64_C(0xeeeeeeeeeeeeeeee));
}

static void every_register_id_takes_back_what_it_gave(void **state)
{
    uint64_t value;
    uint64_t again;

    (void)state;
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        assert_int_equal(x86_get_reg(&f.vcpu, x86_reg_ids[i], &value), AX_OK);
        assert_int_equal(x86_set_reg(&f.vcpu, x86_reg_ids[i], value), AX_OK);
        assert_int_equal(x86_get_reg(&f.vcpu, x86_reg_ids[i], &again), AX_OK);
        assert_int_equal(again, value);
    }
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_FP(X86_FP_WORDS), &value), AX_ENOENT);
}

// What was pending and in service on one vCPU is on the other, and its timer fires when it would have.
static void a_snapshot_carries_the_local_apic(void **state)
{
    X86VCpu other;
    uint64_t value;

    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_IF;
    f.vcpu.lapic.svr = 0x1ff;
    f.vcpu.lapic.lvt[0] = 0x50;
    x86_timer_write(&f.vcpu, LAPIC_TIMER_DIVIDE, 0xb);
    x86_timer_write(&f.vcpu, LAPIC_TIMER_INITIAL, 700);
    x86_lapic_raise(&f.vcpu, 0x61);
    f.now += 200;
    fixture_create_vcpu(&f, &other, 1);
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        if (x86_reg_ids[i] == X86_REG_APIC_BASE) {
            continue; // its BSP bit is the processor's own
        }
        assert_int_equal(x86_get_reg(&f.vcpu, x86_reg_ids[i], &value), AX_OK);
        assert_int_equal(x86_set_reg(&other, x86_reg_ids[i], value), AX_OK);
    }
    assert_int_equal(x86_next_deadline(&other), f.now + 500);
    assert_true(x86_interrupt_wakeup_pending(&other));
    assert_memory_equal(other.lapic.irr, f.vcpu.lapic.irr, sizeof(other.lapic.irr));
    x86_vcpu_ops.destroy(&other);
}

static void what_xsetbv_did_without_an_exit_stays_the_guest_s(void **state)
{
    uint64_t value = 0;

    (void)state;
    x86_sim.reg[X86_SIM_XCR0] = 7 | X86_BIT(9); // and a component that nobody offers
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_XCR0, &value), AX_OK);
    assert_int_equal(value, 7);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_sim.reg[X86_SIM_XCR0], XCR0_X87);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    assert_int_equal(x86_sim.reg[X86_SIM_XCR0], 7);
}

static void values_that_would_fault_in_the_host_are_refused(void **state)
{
    static const struct {
        AxRegId reg;
        uint64_t value;
    } cases[] = {
        {X86_REG_FP(3), UINT64_C(0x10000)}, // MXCSR
        {X86_REG_FP(64), 8},                // XSTATE_BV
        {X86_REG_FP(65), 1},                // XCOMP_BV
        {X86_REG_APIC(X86_APIC_TPR), 0x100},
        {X86_REG_APIC(X86_APIC_EXTINT), 0x200},
        {X86_REG_ACTIVITY, X86_ACTIVITY_COUNT},
        {X86_REG_FIELD(X86_FIELD_PAT), 2},
        {X86_REG_FIELD(X86_FIELD_LSTAR), UINT64_C(0x800000000000)},
        {X86_REG_FIELD(X86_FIELD_KERNEL_GS_BASE), UINT64_C(0xfeffffffffffffff)},
        {X86_REG_FIELD(X86_FIELD_TR_BASE), UINT64_C(1) << 63},
        {X86_REG_APIC(X86_APIC_SVR), 0x200},
        {X86_REG_APIC(X86_APIC_IRR), 0x8000},
        {X86_REG_APIC(X86_APIC_NMI), 4},
        {X86_REG_APIC(X86_APIC_TIMER_DIVIDE), 4},
        {X86_REG_XCR0, 0},
        {X86_REG_XCR0, 5},
        {X86_REG_RFLAGS, X86_BIT(3)},
        {X86_REG_FIELD(X86_FIELD_EFER), EFER_SVME},
        {X86_REG_FIELD(X86_FIELD_CR0), X86_BIT(32)},
        {X86_REG_FIELD(X86_FIELD_CR4), X86_BIT(13)},
        {X86_REG_FIELD(X86_FIELD_DR7), X86_BIT(32)},
        {X86_REG_FIELD(X86_FIELD_CS_SELECTOR), 0x10000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t before;
        uint64_t after;

        assert_int_equal(x86_get_reg(&f.vcpu, cases[i].reg, &before), AX_OK);
        assert_int_equal(x86_set_reg(&f.vcpu, cases[i].reg, cases[i].value), AX_EINVAL);
        assert_int_equal(x86_get_reg(&f.vcpu, cases[i].reg, &after), AX_OK);
        assert_int_equal(after, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_new_vcpu_is_in_real_mode_at_its_entry),
        ON_SVM(a_control_block_has_what_every_guest_has),
        ON_BOTH(a_startup_message_sets_the_code_segment),
        ON_BOTH(a_kick_ends_a_run_before_the_entry),
        ON_BOTH(a_posted_exception_is_delivered_with_its_address),
        ON_BOTH(exceptions_that_are_none_are_refused),
        ON_BOTH(an_interrupted_delivery_is_repeated),
        ON_BOTH(a_fault_during_a_delivery_follows_the_table_of_double_faults),
        ON_BOTH(a_fault_during_a_double_fault_shuts_the_guest_down),
        ON_BOTH(an_interrupt_that_a_fault_overtakes_is_not_lost),
        ON_BOTH(flags_that_no_guest_can_have_never_reach_an_entry),
        ON_BOTH(nothing_of_one_guest_is_left_for_the_next),
        ON_BOTH(every_register_id_takes_back_what_it_gave),
        ON_BOTH(a_snapshot_carries_the_local_apic),
        ON_BOTH(what_xsetbv_did_without_an_exit_stays_the_guest_s),
        ON_BOTH(values_that_would_fault_in_the_host_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
