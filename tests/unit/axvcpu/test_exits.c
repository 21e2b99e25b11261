// SPDX-License-Identifier: Apache-2.0
/* Exits: which answer each kind waits for, what the answers do, and the counters. */
#include "fixture.h"

enum { READ = 1, WRITE = 2, CALL = 4, RETRY = 8 };

// The [complete] marks of exit.h, kind by kind.
static const unsigned accepted[AX_EXIT_COUNT] = {
    [AX_EXIT_HYPERCALL] = CALL,
    [AX_EXIT_MMIO_READ] = READ | RETRY,
    [AX_EXIT_MMIO_WRITE] = WRITE | RETRY,
    [AX_EXIT_SYSREG_READ] = READ,
    [AX_EXIT_SYSREG_WRITE] = WRITE,
    [AX_EXIT_IO_READ] = READ,
    [AX_EXIT_IO_WRITE] = WRITE,
    [AX_EXIT_NESTED_PAGE_FAULT] = RETRY,
    [AX_EXIT_CPU_UP] = CALL,
    [AX_EXIT_CPU_STATUS] = CALL,
    [AX_EXIT_SEND_IPI] = CALL,
    [AX_EXIT_REMOTE_FENCE] = CALL,
    [AX_EXIT_INTERRUPT_ACKNOWLEDGE] = READ,
    [AX_EXIT_CONSOLE_WRITE] = CALL,
    [AX_EXIT_CONSOLE_READ] = CALL,
};

static AxError answer(Fixture *f, unsigned kind)
{
    switch (kind) {
    case READ: return axvcpu_complete_read(&f->vcpu, 0x55);
    case WRITE: return axvcpu_complete_write(&f->vcpu);
    case CALL: return axvcpu_complete_call(&f->vcpu, AX_OK, 0x55);
    case RETRY: return axvcpu_complete_retry(&f->vcpu);
    default: return axvcpu_complete_fault(&f->vcpu);
    }
}

static AxVCpuExit exit_of(unsigned reason)
{
    AxVCpuExit exit = {.reason = (AxVCpuExitReason)reason};

    if (reason == AX_EXIT_IO_READ || reason == AX_EXIT_IO_WRITE) {
        exit.io.width = AX_WIDTH_BYTE;
    } else {
        exit.mmio.width = AX_WIDTH_DWORD;
        exit.mmio.reg_width = AX_WIDTH_DWORD;
    }
    return exit;
}

static void check_answer(Fixture *f, unsigned reason, unsigned kind)
{
    const bool fits = kind == 0 ? accepted[reason] != 0 : (accepted[reason] & kind) != 0;
    const AxVCpuExit *exit;

    (void)run_to(f, exit_of(reason));
    assert_error(answer(f, kind), fits ? AX_OK : AX_ENOEXIT);
    // Once only; a wrong answer leaves the exit waiting.
    if (fits) {
        assert_error(answer(f, kind), AX_ENOEXIT);
    } else if (accepted[reason] != 0) {
        assert_error(axvcpu_run(&f->vcpu, &exit), AX_EPENDING);
        assert_error(axvcpu_complete_fault(&f->vcpu), AX_OK);
    }
    (void)run_to(f, exit_of(AX_EXIT_NOTHING));
}

static void every_exit_takes_its_answer_and_no_other(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        for (unsigned kind = READ; kind <= RETRY; kind *= 2) {
            check_answer(f, reason, kind);
        }
        check_answer(f, reason, 0);
    }
}

static void an_exit_without_answer_holds_the_next_run_back(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit = NULL;

    to_ready(f);
    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        const uint32_t runs = f->fake.calls[FAKE_RUN];

        (void)run_to(f, exit_of(reason));
        if (accepted[reason] != 0) {
            assert_error(axvcpu_run(&f->vcpu, &exit), AX_EPENDING);
            assert_state(f, AX_VCPU_READY);
            assert_error(axvcpu_complete_fault(&f->vcpu), AX_OK);
        }
        assert_int_equal(f->fake.calls[FAKE_RUN], runs + 1);
    }
}

static void an_exit_waits_through_unbind_and_block(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    (void)run_to(f, exit_of(AX_EXIT_HYPERCALL));
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_error(axvcpu_complete_call(&f->vcpu, AX_OK, 1), AX_ESTATE);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_true(axvcpu_wake(&f->vcpu));
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    assert_error(axvcpu_complete_call(&f->vcpu, AX_OK, 1), AX_OK);
    assert_int_equal(f->fake.answer, 1);
}

static void a_read_writes_its_register_with_width_and_sign(void **state)
{
    static const struct {
        AccessWidth width, reg_width;
        bool sign_extend;
        uint64_t value, expected;
    } cases[] = {
        {AX_WIDTH_BYTE, AX_WIDTH_DWORD, false, 0xfff80, 0x80},
        {AX_WIDTH_BYTE, AX_WIDTH_DWORD, true, 0xfff80, 0xffffff80},
        {AX_WIDTH_BYTE, AX_WIDTH_QWORD, true, 0x80, UINT64_C(0xffffffffffffff80)},
        {AX_WIDTH_WORD, AX_WIDTH_QWORD, true, 0x17fff, 0x7fff},
        {AX_WIDTH_DWORD, AX_WIDTH_QWORD, false, UINT64_MAX, 0xffffffff},
        {AX_WIDTH_QWORD, AX_WIDTH_QWORD, false, UINT64_MAX, UINT64_MAX},
    };
    Fixture *f = *state;

    to_ready(f);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AxVCpuExit exit = exit_of(AX_EXIT_MMIO_READ);

        exit.mmio.width = cases[i].width;
        exit.mmio.reg_width = cases[i].reg_width;
        exit.mmio.sign_extend = cases[i].sign_extend;
        exit.mmio.reg = 11;
        (void)run_to(f, exit);
        assert_error(axvcpu_complete_read(&f->vcpu, cases[i].value), AX_OK);
        assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(11)), cases[i].expected);
        assert_int_equal(fake_reg(&f->fake, AX_REG_PC), ENTRY + (i + 1) * FAKE_INSN_SIZE);
    }
}

static void the_backend_gets_the_exit_and_the_answer(void **state)
{
    Fixture *f = *state;
    AxVCpuExit exit = exit_of(AX_EXIT_HYPERCALL);
    const AxVCpuExit *seen;

    to_ready(f);
    exit.hypercall.nr = 0x84000003;
    exit.hypercall.args[5] = 6;
    seen = run_to(f, exit);
    assert_int_equal(seen->hypercall.nr, 0x84000003);
    assert_int_equal(seen->hypercall.args[5], 6);
    assert_error(axvcpu_complete_call(&f->vcpu, AX_EPERM, 0), AX_OK);
    assert_int_equal(f->fake.answer_result, AX_EPERM);
    assert_int_equal(seen->hypercall.args[5], 6);

    (void)run_to(f, exit_of(AX_EXIT_CPU_STATUS));
    assert_error(axvcpu_complete_call(&f->vcpu, AX_OK, AX_CPU_ON_PENDING), AX_OK);
    assert_int_equal(f->fake.answer, AX_CPU_ON_PENDING);
    (void)run_to(f, exit_of(AX_EXIT_CONSOLE_READ));
    assert_error(axvcpu_complete_call(&f->vcpu, AX_EAGAIN, 'x'), AX_OK);
    assert_int_equal(f->fake.answer_result, AX_EAGAIN);
    assert_int_equal(f->fake.answer, 'x');
    (void)run_to(f, exit_of(AX_EXIT_SYSREG_READ));
    assert_error(axvcpu_complete_read(&f->vcpu, UINT64_MAX), AX_OK);
    assert_int_equal(f->fake.answer, UINT64_MAX);
    (void)run_to(f, exit_of(AX_EXIT_IO_READ));
    assert_error(axvcpu_complete_read(&f->vcpu, 0x1234), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(0)), 0x34);
}

static void a_retry_leaves_the_guest_on_its_instruction(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    (void)run_to(f, exit_of(AX_EXIT_NESTED_PAGE_FAULT));
    assert_error(axvcpu_complete_retry(&f->vcpu), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_PC), ENTRY);
    (void)run_to(f, exit_of(AX_EXIT_NESTED_PAGE_FAULT));
    assert_error(axvcpu_complete_fault(&f->vcpu), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_PC), FAKE_FAULT_VECTOR);
}

// ---- counters ----

static void exits_are_counted_by_kind(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        for (unsigned i = 0; i <= reason; i++) {
            (void)run_to(f, exit_of(reason));
            assert_error(axvcpu_complete_fault(&f->vcpu),
                         accepted[reason] != 0 ? AX_OK : AX_ENOEXIT);
        }
    }
    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        assert_int_equal(axvcpu_exit_count(&f->vcpu, (AxVCpuExitReason)reason), reason + 1);
        assert_int_equal(axvcpu_handled_count(&f->vcpu, (AxVCpuExitReason)reason), 0);
    }
}

static AxError handle_two_inside(FakeVCpu *fake, AxVCpuExit *exit)
{
    axvcpu_count(&fake->env.stats->handled[AX_EXIT_SYSREG_READ], 2);
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    return AX_OK;
}

static void exits_inside_the_backend_are_counted_apart(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    f->fake.guest = handle_two_inside;
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(axvcpu_handled_count(&f->vcpu, AX_EXIT_SYSREG_READ), 2);
    assert_int_equal(axvcpu_exit_count(&f->vcpu, AX_EXIT_SYSREG_READ), 0);
    assert_int_equal(axvcpu_exit_count(&f->vcpu, AX_EXIT_IDLE), 1);
}

static void a_kind_that_does_not_exist_counts_zero(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    (void)run_to(f, exit_of(AX_EXIT_NOTHING));
    assert_int_equal(axvcpu_exit_count(&f->vcpu, AX_EXIT_COUNT), 0);
    assert_int_equal(axvcpu_exit_count(&f->vcpu, (AxVCpuExitReason)-1), 0);
    assert_int_equal(axvcpu_handled_count(&f->vcpu, AX_EXIT_COUNT), 0);
}

static void the_time_of_every_run_adds_up(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    fake_hal_set_time(&f->host, 1000, 250);
    (void)run_to(f, exit_of(AX_EXIT_NOTHING));
    (void)run_to(f, exit_of(AX_EXIT_NOTHING));
    assert_int_equal(axvcpu_run_time_ns(&f->vcpu), 500);
    fake_fail(&f->fake, FAKE_RUN, AX_EBACKEND, 0);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_EBACKEND);
    assert_int_equal(axvcpu_run_time_ns(&f->vcpu), 750);
    assert_int_equal(axvcpu_exit_count(&f->vcpu, AX_EXIT_NOTHING), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_exit_takes_its_answer_and_no_other),
        TEST(an_exit_without_answer_holds_the_next_run_back),
        TEST(an_exit_waits_through_unbind_and_block),
        TEST(a_read_writes_its_register_with_width_and_sign),
        TEST(the_backend_gets_the_exit_and_the_answer),
        TEST(a_retry_leaves_the_guest_on_its_instruction),
        TEST(exits_are_counted_by_kind),
        TEST(exits_inside_the_backend_are_counted_apart),
        TEST(a_kind_that_does_not_exist_counts_zero),
        TEST(the_time_of_every_run_adds_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
