// SPDX-License-Identifier: Apache-2.0
/* Life of a vCPU: misuse with its error, backends that fail, reset and destroy. */
#include "fixture.h"

static AxError create_with(AxVCpuParams params)
{
    AxVCpu vcpu;

    return axvcpu_create(&vcpu, &params);
}

// What make_vcpu passes, filled in.
static AxVCpuParams good_params(Fixture *f, FakeVCpu *arch)
{
    AxVCpuParams params = f->params;

    params.ops = &fake_vcpu_ops;
    params.arch = arch;
    params.create_config = &f->config;
    return params;
}

static void create_refuses_missing_parts(void **state)
{
    Fixture *f = *state;
    static FakeVCpu arch;
    const AxVCpuParams good = good_params(f, &arch);
    AxVCpuParams bad = good;
    AxVCpuHal hal = f->host.hal;
    AxVCpu vcpu;

    assert_error(axvcpu_create(NULL, &good), AX_EINVAL);
    assert_error(axvcpu_create(&vcpu, NULL), AX_EINVAL);
    bad.hal = NULL;
    assert_error(create_with(bad), AX_EINVAL);
    bad = good;
    bad.ops = NULL;
    assert_error(create_with(bad), AX_EINVAL);
    bad = good;
    bad.arch = NULL;
    assert_error(create_with(bad), AX_EINVAL);
    bad = good;
    hal.kick_pcpu = NULL;
    bad.hal = &hal;
    assert_error(create_with(bad), AX_EINVAL);
    assert_int_equal(f->host.frames_used, 1);
}

static void create_refuses_a_table_with_a_hole(void **state)
{
    Fixture *f = *state;
    static FakeVCpu arch;
    AxArchVCpuOps ops = fake_vcpu_ops;
    AxVCpuParams params = good_params(f, &arch);

    params.ops = &ops;
#define WITHOUT(member)                           \
    ops.member = NULL;                            \
    assert_error(create_with(params), AX_EINVAL); \
    ops.member = fake_vcpu_ops.member
    WITHOUT(name);
    WITHOUT(create);
    WITHOUT(destroy);
    WITHOUT(reset);
    WITHOUT(set_entry);
    WITHOUT(set_ept_root);
    WITHOUT(setup);
    WITHOUT(bind);
    WITHOUT(unbind);
    WITHOUT(run);
    WITHOUT(complete_read);
    WITHOUT(complete_write);
    WITHOUT(complete_call);
    WITHOUT(complete_fault);
    WITHOUT(get_reg);
    WITHOUT(set_reg);
    WITHOUT(reg_ids);
    WITHOUT(irq_state);
    WITHOUT(wakeup_pending);
    WITHOUT(next_deadline);
#undef WITHOUT
    assert_int_equal(arch.calls[FAKE_CREATE], 0);
}

static void a_failing_create_leaves_nothing_behind(void **state)
{
    Fixture *f = *state;
    static FakeVCpu arch;
    AxVCpuParams params = good_params(f, &arch);
    CreateConfig config = f->config;
    AxVCpu vcpu;

    config.create_error = AX_ENOTSUP;
    params.create_config = &config;
    assert_error(axvcpu_create(&vcpu, &params), AX_ENOTSUP);
    assert_int_equal(axvcpu_state(&vcpu), AX_VCPU_INVALID);
    assert_error(axvcpu_reset(&vcpu), AX_ESTATE);
    assert_error(axvcpu_destroy(&vcpu), AX_ESTATE);

    params.create_config = NULL;
    assert_error(axvcpu_create(&vcpu, &params), AX_EINVAL);
    params.create_config = &f->config;
    fake_hal_fail_alloc(&f->host, 1);
    assert_error(axvcpu_create(&vcpu, &params), AX_ENOMEM);
    assert_int_equal(f->host.frames_used, 1);
}

static void a_refused_entry_or_root_may_be_corrected(void **state)
{
    Fixture *f = *state;
    AxEptRoot crooked = {.base = ax_hpa(0x1234)};

    assert_error(axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY + 2)), AX_EALIGN);
    assert_error(axvcpu_set_ept_root(&f->vcpu, &crooked), AX_EALIGN);
    assert_error(axvcpu_set_ept_root(&f->vcpu, NULL), AX_EINVAL);
    assert_state(f, AX_VCPU_CREATED);
    configure(f);
    assert_ptr_equal(f->fake.root, &f->root);
    assert_int_equal(fake_reg(&f->fake, AX_REG_PC), ENTRY);
}

static void setup_wants_both_entry_and_root(void **state)
{
    Fixture *f = *state;
    const SetupConfig config = {.trap_wait = true};

    assert_error(axvcpu_arch_setup(&f->vcpu, &config), AX_ESTATE);
    assert_error(axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY)), AX_OK);
    assert_error(axvcpu_arch_setup(&f->vcpu, &config), AX_ESTATE);
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_error(axvcpu_set_ept_root(&f->vcpu, &f->root), AX_OK);
    assert_error(axvcpu_arch_setup(&f->vcpu, &config), AX_ESTATE);
    assert_int_equal(f->fake.calls[FAKE_SETUP], 0);
    assert_error(axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY)), AX_OK);
    assert_error(axvcpu_arch_setup(&f->vcpu, &config), AX_OK);
    assert_true(f->fake.setup.trap_wait);
}

static void bind_wants_its_own_enabled_free_pcpu(void **state)
{
    Fixture *f = *state;
    static FakeVCpu other_arch;
    static AxVCpu other;

    assert_error(axvcpu_arch_create(&other, f->params, &other_arch, &f->config), AX_OK);
    to_free(f);
    assert_error(axvcpu_bind(&f->vcpu, NULL), AX_EINVAL);
    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_EWRONGCPU);
    fake_hal_set_pcpu(HOME);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_OK);
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_ESTATE);
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_OK);
    assert_int_equal(f->fake.calls[FAKE_BIND], 0);

    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    assert_ptr_equal(axvcpu_current(&f->percpu), &f->vcpu);
    assert_error(axvcpu_set_entry(&other, ax_gpa(ENTRY)), AX_OK);
    assert_error(axvcpu_set_ept_root(&other, &f->root), AX_OK);
    assert_error(axvcpu_setup(&other, &(SetupConfig){0}), AX_OK);
    assert_error(axvcpu_bind(&other, &f->percpu), AX_EBUSY);
    assert_int_equal(other_arch.calls[FAKE_BIND], 0);
    assert_int_equal(axvcpu_state(&other), AX_VCPU_FREE);
    assert_ptr_equal(axvcpu_current(&f->percpu), &f->vcpu);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_EBUSY);

    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_null(axvcpu_current(&f->percpu));
    assert_error(axvcpu_bind(&other, &f->percpu), AX_OK);
    assert_ptr_equal(axvcpu_current(&f->percpu), &other);
    assert_error(axvcpu_unbind(&other), AX_OK);
    assert_error(axvcpu_destroy(&other), AX_OK);
}

// The bound pCPU is demanded where values may be in its registers.
static void calls_on_a_bound_vcpu_want_its_pcpu(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;
    uint64_t value;
    uint64_t file[FAKE_REG_COUNT];

    to_ready(f);
    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_EWRONGCPU);
    assert_error(axvcpu_unbind(&f->vcpu), AX_EWRONGCPU);
    assert_error(axvcpu_reset(&f->vcpu), AX_EWRONGCPU);
    assert_error(axvcpu_complete_fault(&f->vcpu), AX_EWRONGCPU);
    assert_error(axvcpu_get_reg(&f->vcpu, AX_REG_PC, &value), AX_EWRONGCPU);
    assert_error(axvcpu_set_reg(&f->vcpu, AX_REG_PC, 0), AX_EWRONGCPU);
    assert_error(axvcpu_get_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_EWRONGCPU);
    fake_hal_set_pcpu(HOME);
    assert_state(f, AX_VCPU_READY);
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_get_reg(&f->vcpu, AX_REG_PC, &value), AX_OK);
    assert_int_equal(value, ENTRY);
}

static void run_wants_a_place_for_the_exit(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    assert_error(axvcpu_run(&f->vcpu, NULL), AX_EINVAL);
    assert_int_equal(f->fake.calls[FAKE_RUN], 0);
}

static void an_exit_kind_that_does_not_exist_is_a_backend_failure(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    assert_true(fake_push_reason(&f->fake, AX_EXIT_COUNT));
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_EBACKEND);
    assert_state(f, AX_VCPU_INVALID);
}

// ---- backends that fail ----

static AxError do_set_entry(Fixture *f)
{
    return axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY));
}

static AxError do_set_ept_root(Fixture *f)
{
    return axvcpu_set_ept_root(&f->vcpu, &f->root);
}

static AxError do_setup(Fixture *f)
{
    configure(f);
    return axvcpu_setup(&f->vcpu, &(SetupConfig){0});
}

static AxError do_bind(Fixture *f)
{
    to_free(f);
    return axvcpu_bind(&f->vcpu, &f->percpu);
}

static AxError do_run(Fixture *f)
{
    const AxVCpuExit *exit;

    to_ready(f);
    return axvcpu_run(&f->vcpu, &exit);
}

static AxError do_unbind(Fixture *f)
{
    to_ready(f);
    return axvcpu_unbind(&f->vcpu);
}

static AxError do_unbind_blocked(Fixture *f)
{
    to_ready(f);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    return axvcpu_unbind(&f->vcpu);
}

static AxError do_reset(Fixture *f)
{
    to_free(f);
    return axvcpu_reset(&f->vcpu);
}

static AxError do_reset_bound(Fixture *f)
{
    to_ready(f);
    return axvcpu_reset(&f->vcpu);
}

static AxError do_complete_read(Fixture *f)
{
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_SYSREG_READ});
    return axvcpu_complete_read(&f->vcpu, 0);
}

static AxError do_complete_write(Fixture *f)
{
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_SYSREG_WRITE});
    return axvcpu_complete_write(&f->vcpu);
}

static AxError do_complete_call(Fixture *f)
{
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_HYPERCALL});
    return axvcpu_complete_call(&f->vcpu, AX_OK, 0);
}

static AxError do_complete_fault(Fixture *f)
{
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_NESTED_PAGE_FAULT});
    return axvcpu_complete_fault(&f->vcpu);
}

static AxError do_set_reg(Fixture *f)
{
    return axvcpu_set_reg(&f->vcpu, AX_REG_SP, 1);
}

static const struct {
    FakeOp op;
    AxError (*call)(Fixture *f);
    bool bound_after;
    bool setter; // refuses arguments without harm
} failing[] = {
    {FAKE_SET_ENTRY, do_set_entry, false, true},
    {FAKE_SET_EPT_ROOT, do_set_ept_root, false, true},
    {FAKE_SETUP, do_setup, false, false},
    {FAKE_BIND, do_bind, false, false},
    {FAKE_RUN, do_run, true, false},
    {FAKE_UNBIND, do_unbind, false, false},
    {FAKE_UNBIND, do_unbind_blocked, false, false},
    {FAKE_RESET, do_reset, false, false},
    {FAKE_UNBIND, do_reset_bound, false, false},
    {FAKE_RESET, do_reset_bound, false, false},
    {FAKE_COMPLETE_READ, do_complete_read, true, false},
    {FAKE_COMPLETE_WRITE, do_complete_write, true, false},
    {FAKE_COMPLETE_CALL, do_complete_call, true, false},
    {FAKE_COMPLETE_FAULT, do_complete_fault, true, false},
    {FAKE_SET_REG, do_set_reg, false, true},
};

static bool is_refusal(AxError error)
{
    return error == AX_EINVAL || error == AX_ENOENT || error == AX_ERANGE || error == AX_EALIGN ||
           error == AX_EPERM || error == AX_ENOTSUP;
}

static void check_failure(size_t i, AxError error)
{
    Fixture *f = test_malloc(sizeof(*f));
    const bool survives = failing[i].setter && is_refusal(error);

    fixture_init(f);
    fake_fail(&f->fake, failing[i].op, error, 0);
    assert_error(failing[i].call(f), error);
    assert_state(f, survives ? AX_VCPU_CREATED : AX_VCPU_INVALID);
    assert_int_equal(axvcpu_is_bound(&f->vcpu), failing[i].bound_after);
    assert_int_equal(axvcpu_current(&f->percpu) != NULL, failing[i].bound_after);
    // And back to life.
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_null(axvcpu_current(&f->percpu));
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_IDLE});
    fixture_fini(f);
    test_free(f);
}

static void a_failing_backend_call_makes_the_vcpu_invalid_until_a_reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
        for (unsigned error = AX_OK + 1; error < AX_ERROR_COUNT; error++) {
            check_failure(i, (AxError)error);
        }
    }
}

static void an_error_that_is_none_counts_as_a_failure(void **state)
{
    Fixture *f = *state;

    fake_fail(&f->fake, FAKE_SET_REG, (AxError)99, 0);
    assert_int_equal(axvcpu_set_reg(&f->vcpu, AX_REG_SP, 1), 99);
    assert_state(f, AX_VCPU_INVALID);
}

// ---- reset, destroy ----

static void reset_forgets_all_but_the_statistics(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_HYPERCALL});
    f->fake.regs[9] = 9;
    assert_error(axvcpu_inject_interrupt(&f->vcpu, 33, AX_TRIGGER_EDGE), AX_OK);
    assert_error(axvcpu_set_interrupt_level(&f->vcpu, 34, true), AX_OK);
    assert_error(axvcpu_enable_interrupt(&f->vcpu, 35, false), AX_OK);
    assert_error(axvcpu_set_interrupt_priority(&f->vcpu, 36, 9), AX_OK);
    assert_error(axvcpu_request_interrupt(&f->vcpu, 37, AX_IRQ_SET_ACTIVE), AX_OK);
    assert_error(axvcpu_inject_exception(&f->vcpu, &(AxException){.vector = 1}), AX_OK);
    assert_error(axvcpu_inject_nmi(&f->vcpu), AX_OK);
    assert_true(axvcpu_wakeup_pending(&f->vcpu));

    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_false(axvcpu_is_bound(&f->vcpu));
    assert_false(axvcpu_wakeup_pending(&f->vcpu));
    assert_false(axvcpu_interrupt_state(&f->vcpu, 33).pending);
    assert_false(axvcpu_interrupt_state(&f->vcpu, 34).pending);
    assert_true(axvcpu_events_enabled(&f->vcpu.events, 35));
    assert_int_equal(axvcpu_events_priority(&f->vcpu.events, 36), 0);
    assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(9)), 0);
    assert_int_equal(axvcpu_exit_count(&f->vcpu, AX_EXIT_HYPERCALL), 1);

    to_ready(f);
    assert_error(axvcpu_complete_call(&f->vcpu, AX_OK, 0), AX_ENOEXIT);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(f->fake.nmi_taken + f->fake.exceptions_taken + f->fake.irq_taken[33], 0);
    assert_int_equal(f->fake.active[0], 0);
}

static void reset_leaves_an_exception_that_is_being_written_to_its_writer(void **state)
{
    Fixture *f = *state;

    atomic_store(&f->vcpu.events.exception_slot, 1);
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_int_equal(atomic_load(&f->vcpu.events.exception_slot), 1);
    assert_error(axvcpu_inject_exception(&f->vcpu, &(AxException){.vector = 1}), AX_EBUSY);
}

static void a_destroyed_vcpu_answers_every_query(void **state)
{
    Fixture *f = *state;
    size_t count = 0;

    assert_error(axvcpu_destroy(&f->vcpu), AX_OK);
    assert_int_equal(f->fake.calls[FAKE_DESTROY], 1);
    assert_int_equal(f->host.frames_used, 0);
    assert_state(f, AX_VCPU_INVALID);
    assert_int_equal(axvcpu_vm_id(&f->vcpu), VM_ID);
    assert_false(axvcpu_is_bound(&f->vcpu));
    assert_false(axvcpu_wakeup_pending(&f->vcpu));
    assert_false(axvcpu_interrupt_state(&f->vcpu, 1).active);
    assert_int_equal(axvcpu_next_deadline(&f->vcpu), AX_DEADLINE_NONE);
    assert_non_null(axvcpu_reg_ids(&f->vcpu, &count));
    axvcpu_kick(&f->vcpu);
    assert_int_equal(atomic_load(&f->vcpu.events.summary), 0);

    assert_error(make_vcpu(f), AX_OK);
    assert_state(f, AX_VCPU_CREATED);
}

static void the_backend_is_called_in_the_order_of_the_host(void **state)
{
    static const FakeOp order[] = {FAKE_CREATE,        FAKE_SET_ENTRY, FAKE_SET_EPT_ROOT,
                                   FAKE_SETUP,         FAKE_BIND,      FAKE_RUN,
                                   FAKE_COMPLETE_CALL, FAKE_UNBIND,    FAKE_RESET};
    Fixture *f = *state;

    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_HYPERCALL});
    assert_error(axvcpu_complete_call(&f->vcpu, AX_OK, 1), AX_OK);
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_int_equal(f->fake.log_count, ARRAY_SIZE(order));
    assert_memory_equal(f->fake.log, order, sizeof(order));
}

static void the_backend_learns_who_it_is(void **state)
{
    Fixture *f = *state;

    assert_ptr_equal(f->fake.env.hal, &f->host.hal);
    assert_ptr_equal(f->fake.env.events, &f->vcpu.events);
    assert_ptr_equal(f->fake.env.stats, &f->vcpu.stats);
    assert_int_equal(f->fake.env.vm_id, VM_ID);
    assert_int_equal(f->fake.env.vcpu_id, 0);
    assert_int_equal(fake_reg(&f->fake, AX_REG_ARG(0)), 0xd7b000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_refuses_missing_parts),
        TEST(create_refuses_a_table_with_a_hole),
        TEST(a_failing_create_leaves_nothing_behind),
        TEST(a_refused_entry_or_root_may_be_corrected),
        TEST(setup_wants_both_entry_and_root),
        TEST(bind_wants_its_own_enabled_free_pcpu),
        TEST(calls_on_a_bound_vcpu_want_its_pcpu),
        TEST(run_wants_a_place_for_the_exit),
        TEST(an_exit_kind_that_does_not_exist_is_a_backend_failure),
        cmocka_unit_test(a_failing_backend_call_makes_the_vcpu_invalid_until_a_reset),
        TEST(an_error_that_is_none_counts_as_a_failure),
        TEST(reset_forgets_all_but_the_statistics),
        TEST(reset_leaves_an_exception_that_is_being_written_to_its_writer),
        TEST(a_destroyed_vcpu_answers_every_query),
        TEST(the_backend_is_called_in_the_order_of_the_host),
        TEST(the_backend_learns_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
