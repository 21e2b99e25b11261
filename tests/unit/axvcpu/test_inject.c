// SPDX-License-Identifier: Apache-2.0
/* Events for a vCPU: delivery, waking, waiting, and who is kicked. */
#include "fixture.h"

static void run_once(Fixture *f)
{
    const AxVCpuExit *exit;

    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
}

static uint32_t kicks(const Fixture *f)
{
    return atomic_load(&f->host.kick_count);
}

// ---- delivery ----

static void an_edge_is_delivered_once(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    assert_error(axvcpu_inject_interrupt(&f->vcpu, 77, AX_TRIGGER_EDGE), AX_OK);
    assert_true(axvcpu_interrupt_state(&f->vcpu, 77).pending);
    run_once(f);
    run_once(f);
    assert_int_equal(f->fake.irq_taken[77], 1);
    assert_false(axvcpu_interrupt_state(&f->vcpu, 77).pending);
}

static void a_level_is_delivered_until_it_falls(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    assert_error(axvcpu_inject_interrupt(&f->vcpu, 78, AX_TRIGGER_LEVEL), AX_OK);
    run_once(f);
    run_once(f);
    assert_int_equal(f->fake.level_taken[78], 2);
    assert_true(axvcpu_interrupt_state(&f->vcpu, 78).pending);
    assert_error(axvcpu_set_interrupt_level(&f->vcpu, 78, false), AX_OK);
    run_once(f);
    assert_int_equal(f->fake.level_taken[78], 2);
    assert_false(axvcpu_interrupt_state(&f->vcpu, 78).pending);
}

static void events_wait_from_creation_to_the_first_run(void **state)
{
    const AxException exception = {.vector = 0x2f, .has_error_code = true, .error_code = 3};
    Fixture *f = *state;

    for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
        assert_error(axvcpu_inject_interrupt(&f->vcpu, irq, AX_TRIGGER_EDGE), AX_OK);
    }
    assert_error(axvcpu_inject_exception(&f->vcpu, &exception), AX_OK);
    assert_error(axvcpu_inject_exception(&f->vcpu, &exception), AX_EBUSY);
    assert_error(axvcpu_inject_nmi(&f->vcpu), AX_OK);
    to_ready(f);
    run_once(f);
    for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
        assert_int_equal(f->fake.irq_taken[irq], 1);
    }
    assert_int_equal(f->fake.exceptions_taken, 1);
    assert_int_equal(f->fake.last_exception.error_code, 3);
    assert_int_equal(f->fake.nmi_taken, 1);
}

static void an_interrupt_in_hardware_is_pending_and_can_be_cleared(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    f->fake.masked = true;
    assert_error(axvcpu_inject_interrupt(&f->vcpu, 80, AX_TRIGGER_EDGE), AX_OK);
    run_once(f);
    assert_true(axvcpu_interrupt_state(&f->vcpu, 80).pending);
    assert_true(axvcpu_wakeup_pending(&f->vcpu));
    assert_error(axvcpu_request_interrupt(&f->vcpu, 80, AX_IRQ_CLEAR_PENDING), AX_OK);
    run_once(f);
    assert_false(axvcpu_interrupt_state(&f->vcpu, 80).pending);
    assert_error(axvcpu_request_interrupt(&f->vcpu, 80, AX_IRQ_SET_ACTIVE), AX_OK);
    run_once(f);
    assert_true(axvcpu_interrupt_state(&f->vcpu, 80).active);
    assert_error(axvcpu_request_interrupt(&f->vcpu, 80, AX_IRQ_CLEAR_ACTIVE), AX_OK);
    run_once(f);
    assert_false(axvcpu_interrupt_state(&f->vcpu, 80).active);
    f->fake.masked = false;
    run_once(f);
    assert_int_equal(f->fake.irq_taken[80], 0);
}

static void a_kick_ends_one_run(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    axvcpu_kick(&f->vcpu);
    axvcpu_kick(&f->vcpu);
    assert_true(fake_push_reason(&f->fake, AX_EXIT_IDLE));
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(exit->reason, AX_EXIT_NOTHING);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(exit->reason, AX_EXIT_IDLE);
}

static void bad_events_are_refused(void **state)
{
    Fixture *f = *state;
    AxVCpu *v = &f->vcpu;

    assert_error(axvcpu_inject_interrupt(v, AX_IRQ_COUNT, AX_TRIGGER_EDGE), AX_ERANGE);
    assert_error(axvcpu_inject_interrupt(v, UINT32_MAX, AX_TRIGGER_LEVEL), AX_ERANGE);
    assert_error(axvcpu_inject_interrupt(v, 3, (AxTrigger)2), AX_EINVAL);
    assert_error(axvcpu_set_interrupt_level(v, AX_IRQ_COUNT, true), AX_ERANGE);
    assert_error(axvcpu_enable_interrupt(v, AX_IRQ_COUNT, true), AX_ERANGE);
    assert_error(axvcpu_set_interrupt_priority(v, AX_IRQ_COUNT, 0), AX_ERANGE);
    assert_error(axvcpu_request_interrupt(v, AX_IRQ_COUNT, AX_IRQ_SET_ACTIVE), AX_ERANGE);
    assert_error(axvcpu_request_interrupt(v, 3, AX_IRQ_REQUEST_COUNT), AX_EINVAL);
    assert_error(axvcpu_inject_exception(v, NULL), AX_EINVAL);
    assert_false(axvcpu_interrupt_state(v, AX_IRQ_COUNT).pending);
    assert_false(axvcpu_interrupt_state(v, UINT32_MAX).active);
    assert_false(axvcpu_wakeup_pending(v));
}

static void an_architecture_without_nmi_says_so(void **state)
{
    Fixture *f = *state;

    assert_error(axvcpu_destroy(&f->vcpu), AX_OK);
    f->params.ops = &fake_vcpu_ops_no_nmi;
    f->params.arch = &f->fake;
    f->params.create_config = &f->config;
    assert_error(axvcpu_create(&f->vcpu, &f->params), AX_OK);
    assert_error(axvcpu_inject_nmi(&f->vcpu), AX_ENOTSUP);
    assert_false(axvcpu_wakeup_pending(&f->vcpu));
}

// ---- blocking ----

static AxError post_edge(AxVCpu *vcpu)
{
    return axvcpu_inject_interrupt(vcpu, 20, AX_TRIGGER_EDGE);
}

static AxError post_level(AxVCpu *vcpu)
{
    return axvcpu_inject_interrupt(vcpu, 20, AX_TRIGGER_LEVEL);
}

static AxError post_exception(AxVCpu *vcpu)
{
    return axvcpu_inject_exception(vcpu, &(AxException){.vector = 1});
}

static AxError post_kick(AxVCpu *vcpu)
{
    axvcpu_kick(vcpu);
    return AX_OK;
}

static AxError post_request(AxVCpu *vcpu)
{
    return axvcpu_request_interrupt(vcpu, 20, AX_IRQ_CLEAR_ACTIVE);
}

static AxError (*const enders[])(AxVCpu *vcpu) = {post_edge,         post_level, post_exception,
                                                  axvcpu_inject_nmi, post_kick,  post_request};

static void an_event_before_the_block_prevents_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(enders); i++) {
        Fixture *f = test_malloc(sizeof(*f));

        fixture_init(f);
        to_free(f);
        assert_error(enders[i](&f->vcpu), AX_OK);
        assert_error(axvcpu_block(&f->vcpu), AX_EAGAIN);
        assert_state(f, AX_VCPU_FREE);
        assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
        assert_error(axvcpu_block(&f->vcpu), AX_EAGAIN);
        assert_state(f, AX_VCPU_READY);
        assert_true(axvcpu_wakeup_pending(&f->vcpu));
        assert_int_equal(kicks(f), 0);
        fixture_fini(f);
        test_free(f);
    }
}

static void an_event_after_the_block_ends_it_with_one_kick(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(enders); i++) {
        Fixture *f = test_malloc(sizeof(*f));

        fixture_init(f);
        to_ready(f);
        assert_error(axvcpu_block(&f->vcpu), AX_OK);
        assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
        fake_hal_set_pcpu(AWAY);
        assert_error(enders[i](&f->vcpu), AX_OK);
        assert_state(f, AX_VCPU_FREE);
        assert_int_equal(kicks(f), 1);
        assert_int_equal(f->host.kick_log[0], HOME);
        fixture_fini(f);
        test_free(f);
    }
}

static void a_disabled_interrupt_ends_no_wait_until_it_is_enabled(void **state)
{
    Fixture *f = *state;

    to_free(f);
    assert_error(axvcpu_enable_interrupt(&f->vcpu, 20, false), AX_OK);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_error(axvcpu_inject_interrupt(&f->vcpu, 20, AX_TRIGGER_EDGE), AX_OK);
    assert_error(axvcpu_set_interrupt_priority(&f->vcpu, 20, 1), AX_OK);
    assert_state(f, AX_VCPU_BLOCKED);
    assert_error(axvcpu_enable_interrupt(&f->vcpu, 20, true), AX_OK);
    assert_state(f, AX_VCPU_FREE);
}

static void a_due_timer_of_the_backend_prevents_a_block(void **state)
{
    Fixture *f = *state;

    to_free(f);
    f->fake.wakeup = true;
    assert_true(axvcpu_wakeup_pending(&f->vcpu));
    assert_error(axvcpu_block(&f->vcpu), AX_EAGAIN);
    assert_state(f, AX_VCPU_FREE);
    f->fake.wakeup = false;
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
}

static void wake_says_whether_it_was_blocked_and_kicks_where_it_was(void **state)
{
    Fixture *f = *state;

    to_free(f);
    assert_false(axvcpu_wake(&f->vcpu));
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_true(axvcpu_wake(&f->vcpu));
    // Never bound: there is nobody to kick.
    assert_int_equal(kicks(f), 0);
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_true(axvcpu_wake(&f->vcpu));
    assert_state(f, AX_VCPU_READY);
    assert_false(axvcpu_wake(&f->vcpu));
    assert_int_equal(kicks(f), 1);
    assert_int_equal(f->host.kick_log[0], HOME);
}

static AxError wake_it(FakeVCpu *fake)
{
    assert_true(axvcpu_wake(fake->guest_ctx));
    return AX_OK;
}

static Fixture *waking; // what the unbind below belongs to

static AxError wake_then_unbind(void *arch)
{
    const AxError error = fake_vcpu_ops.unbind(arch);

    assert_error(wake_it(&waking->fake), AX_OK);
    return error;
}

// A waker may come while the owner takes a blocked vCPU off its pCPU.
static void a_wake_during_unbind_ends_in_free(void **state)
{
    Fixture *f = *state;
    AxArchVCpuOps ops = fake_vcpu_ops;

    ops.unbind = wake_then_unbind;
    to_ready(f);
    waking = f;
    f->fake.guest_ctx = &f->vcpu;
    f->vcpu.ops = &ops;
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_state(f, AX_VCPU_FREE);
    assert_false(axvcpu_is_bound(&f->vcpu));
    f->vcpu.ops = &fake_vcpu_ops;
}

static void the_deadline_is_the_backends(void **state)
{
    Fixture *f = *state;

    assert_int_equal(axvcpu_next_deadline(&f->vcpu), AX_DEADLINE_NONE);
    f->fake.deadline = 123456;
    assert_int_equal(axvcpu_next_deadline(&f->vcpu), 123456);
}

// ---- who is kicked ----

static AxError inject_from(FakeVCpu *fake, AxVCpuExit *exit, AxPCpuId pcpu)
{
    AxVCpu *vcpu = fake->guest_ctx;

    fake->wakeup = true;
    assert_false(axvcpu_wakeup_pending(vcpu));
    assert_int_equal(axvcpu_next_deadline(vcpu), AX_DEADLINE_NONE);
    fake->wakeup = false;
    fake_hal_set_pcpu(pcpu);
    assert_error(axvcpu_inject_interrupt(vcpu, 20, AX_TRIGGER_EDGE), AX_OK);
    assert_error(axvcpu_inject_interrupt(vcpu, 20, AX_TRIGGER_EDGE), AX_OK);
    assert_error(axvcpu_set_interrupt_level(vcpu, 21, true), AX_OK);
    assert_error(axvcpu_set_interrupt_level(vcpu, 21, true), AX_OK);
    assert_error(axvcpu_enable_interrupt(vcpu, 20, true), AX_OK);
    assert_error(axvcpu_set_interrupt_priority(vcpu, 20, 0), AX_OK);
    axvcpu_kick(vcpu);
    fake_hal_set_pcpu(HOME);
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    return AX_OK;
}

static AxError inject_from_home(FakeVCpu *fake, AxVCpuExit *exit)
{
    return inject_from(fake, exit, HOME);
}

static AxError inject_from_away(FakeVCpu *fake, AxVCpuExit *exit)
{
    return inject_from(fake, exit, AWAY);
}

static void a_running_vcpu_is_kicked_from_other_pcpus_once_per_change(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    f->fake.guest_ctx = &f->vcpu;
    f->fake.deadline = 5;
    f->fake.guest = inject_from_home;
    run_once(f);
    assert_int_equal(kicks(f), 0);
    run_once(f); // takes the kick and the edge
    assert_error(axvcpu_set_interrupt_level(&f->vcpu, 21, false), AX_OK);
    f->fake.guest = inject_from_away;
    run_once(f);
    assert_int_equal(kicks(f), 3);
    assert_int_equal(atomic_load(&f->host.kicks[HOME]), 3);
}

static void a_vcpu_that_neither_runs_nor_waits_kicks_nobody(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    fake_hal_set_pcpu(AWAY);
    for (size_t i = 0; i < ARRAY_SIZE(enders); i++) {
        assert_error(enders[i](&f->vcpu), AX_OK);
    }
    fake_hal_set_pcpu(HOME);
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    axvcpu_kick(&f->vcpu);
    assert_int_equal(kicks(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edge_is_delivered_once),
        TEST(a_level_is_delivered_until_it_falls),
        TEST(events_wait_from_creation_to_the_first_run),
        TEST(an_interrupt_in_hardware_is_pending_and_can_be_cleared),
        TEST(a_kick_ends_one_run),
        TEST(bad_events_are_refused),
        TEST(an_architecture_without_nmi_says_so),
        cmocka_unit_test(an_event_before_the_block_prevents_it),
        cmocka_unit_test(an_event_after_the_block_ends_it_with_one_kick),
        TEST(a_disabled_interrupt_ends_no_wait_until_it_is_enabled),
        TEST(a_due_timer_of_the_backend_prevents_a_block),
        TEST(wake_says_whether_it_was_blocked_and_kicks_where_it_was),
        TEST(a_wake_during_unbind_ends_in_free),
        TEST(the_deadline_is_the_backends),
        TEST(a_running_vcpu_is_kicked_from_other_pcpus_once_per_change),
        TEST(a_vcpu_that_neither_runs_nor_waits_kicks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
