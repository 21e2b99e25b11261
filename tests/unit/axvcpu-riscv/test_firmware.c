// SPDX-License-Identifier: Apache-2.0
// SBI 2.0 as a guest sees it: which calls there are, BASE, TIME, and what goes to the host. The
// calls that mean harts, states of harts, and the console have files of their own.
#include "firmware_fixture.h"

// Every extension of the specification up to 3.0, how many functions it has here, and how many of
// the specification's it leaves out.
static const struct {
    uint64_t eid;
    uint64_t functions;
    uint64_t left_out;
} extensions[] = {
    {EID_BASE, 7, 0},   {EID_TIME, 1, 0}, {EID_IPI, 1, 0},  {EID_RFENCE, 3, 4},
    {EID_HSM, 4, 0},    {EID_SRST, 1, 0}, {EID_DBCN, 3, 0}, {0x504d55, 0, 9}, // PMU
    {0x53555350, 0, 1},                                                       // SUSP
    {0x43505043, 0, 4},                                                       // CPPC
    {0x4e41434c, 0, 5},                                                       // NACL
    {0x535441, 0, 1},                                                         // STA
    {0x535345, 0, 10},                                                        // SSE
    {0x46574654, 0, 2},                                                       // FWFT
    {0x44425452, 0, 8},                                                       // DBTR
    {0x4d505859, 0, 7},                                                       // MPXY
};

static void probing_knows_exactly_what_is_there(void **state)
{
    static const uint64_t absent[] = {
        9,
        0xa,
        0xf,
        0x11,
        0x20,
        0x54494d44,
        0x54494d46,
        0x08000000,
        0x08ffffff,
        0x09000000,
        0x0a000000,
        UINT64_MAX,
        UINT64_C(0x100000010),
        UINT64_C(0xffffffff54494d45),
        UINT64_C(1) << 63,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(extensions); i++) {
        assert_answer(f, CALL(EID_BASE, 3, extensions[i].eid), SUCCESS,
                      extensions[i].functions != 0 ? 1 : 0);
    }
    for (uint64_t eid = 0; eid <= 8; eid++) {
        assert_answer(f, CALL(EID_BASE, 3, eid), SUCCESS, 1);
    }
    for (size_t i = 0; i < COUNT(absent); i++) {
        assert_answer(f, CALL(EID_BASE, 3, absent[i]), SUCCESS, 0);
    }
}

static void a_function_that_is_not_there_is_not_supported(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(extensions); i++) {
        const uint64_t first = extensions[i].functions;

        for (uint64_t fid = first; fid < first + extensions[i].left_out + 20; fid++) {
            assert_answer(f, CALL(extensions[i].eid, fid, 1, 0, 2, 3, 4, 5), NOT_SUPPORTED, 0);
        }
        assert_answer(f, CALL(extensions[i].eid, UINT64_MAX, 1), NOT_SUPPORTED, 0);
        assert_answer(f, CALL(extensions[i].eid, UINT64_C(1) << 32, 1), NOT_SUPPORTED, 0);
        assert_answer(f, CALL(extensions[i].eid, UINT64_C(1) << 63, 1), NOT_SUPPORTED, 0);
    }
}

static void an_extension_that_is_not_there_is_not_supported(void **state)
{
    static const uint64_t eids[] = {
        9,
        0xf,
        0x11,
        0x07ffffff,
        0x09000000,
        0x0a000000,
        UINT32_MAX,
        UINT64_MAX,
        UINT64_C(0x108000000),
        UINT64_C(1) << 63,
        UINT64_C(0xffffffff08000000),
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(eids); i++) {
        for (uint64_t fid = 0; fid < 4; fid++) {
            assert_answer(f, CALL(eids[i], fid, 1, 2, 3, 4, 5, 6), NOT_SUPPORTED, 0);
        }
    }
}

static void base_tells_who_this_is(void **state)
{
    Fixture *f = *state;

    assert_answer(f, CALL(EID_BASE, 0, 1, 2), SUCCESS, 0x02000000);
    assert_int_equal(checked_call(f, CALL(EID_BASE, 1, 1, 2)), RISCV_RESUME);
    assert_int_equal(f->vcpu.regs.x[A0], SUCCESS);
    assert_true(f->vcpu.regs.x[A1] > 11); // 0 to 11 are given out to others
    assert_answer(f, CALL(EID_BASE, 2, 1, 2), SUCCESS, 0x000100);
    for (uint64_t fid = 4; fid <= 6; fid++) { // mvendorid, marchid, mimpid
        assert_answer(f, CALL(EID_BASE, fid, 1, 2), SUCCESS, 0);
    }
}

static void what_is_finished_inside_is_counted(void **state)
{
    Fixture *f = *state;

    assert_answer(f, CALL(EID_BASE, 0, 0), SUCCESS, 0x02000000);
    assert_answer(f, CALL(0x09000000, 0, 0), NOT_SUPPORTED, 0);
    assert_int_equal(f->stats.handled[AX_EXIT_HYPERCALL], 2);
    (void)assert_exit(f, CALL(EID_SRST, 0, 0), AX_EXIT_SYSTEM_DOWN);
    assert_int_equal(f->stats.handled[AX_EXIT_HYPERCALL], 2);
}

// ---- TIME ----

static void set_timer_reaches_the_timer(void **state)
{
    static const uint64_t eids[] = {EID_TIME, EID_SET_TIMER};
    static const uint64_t times[] = {0, 1, 0x123456789abcdef0, UINT64_MAX};
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    for (size_t i = 0; i < COUNT(eids); i++) {
        for (size_t n = 0; n < COUNT(times); n++) {
            f->percpu.features.has_sstc = true;
            assert_answer(f, CALL(eids[i], 0, times[n], 7), SUCCESS, 0);
            assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], times[n]);
            rv_sim.reg[RV_REG_VSTIMECMP] = 0x77;
            f->percpu.features.has_sstc = false;
            assert_answer(f, CALL(eids[i], 0, times[n], 7), SUCCESS, 0);
            assert_int_equal(f->vcpu.timer.deadline, times[n]);
            assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 0x77);
        }
    }
}

// ---- calls of the host ----

static void the_experimental_space_goes_to_the_host(void **state)
{
    static const uint64_t eids[] = {EID_HOST_FIRST, EID_HOST_FIRST + 1, 0x08abcdef, EID_HOST_LAST};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(eids); i++) {
        const Call call = {eids[i], 3, {11, 12, 13, 14, 15, UINT64_MAX}};
        const AxVCpuExit *exit = assert_exit(f, &call, AX_EXIT_HYPERCALL);

        assert_int_equal(exit->hypercall.nr, eids[i]);
        assert_memory_equal(exit->hypercall.args, call.args, sizeof(call.args));
        complete(f, AX_OK, 0xfedcba9876543210);
        assert_results(f, SUCCESS, 0xfedcba9876543210);
    }
}

static const uint64_t usual_errors[AX_ERROR_COUNT] = {
    [AX_EINVAL] = INVALID_PARAM,     [AX_ENOENT] = INVALID_PARAM,
    [AX_ENOTSUP] = NOT_SUPPORTED,    [AX_EPERM] = DENIED,
    [AX_EEXIST] = ALREADY_AVAILABLE, [AX_EBUSY] = ALREADY_AVAILABLE,
    [AX_EAGAIN] = ALREADY_AVAILABLE, [AX_EFAULT] = INVALID_ADDRESS,
    [AX_ERANGE] = INVALID_ADDRESS,   [AX_EALIGN] = INVALID_ADDRESS,
};

static void errors_of_the_host_become_errors_of_the_interface(void **state)
{
    Fixture *f = *state;

    assert_errors(f, CALL(EID_HOST_FIRST, 0, 1), usual_errors);
    assert_errors(f, CALL(EID_IPI, 0, 1, 0), usual_errors);
    assert_errors(f, CALL(EID_RFENCE, 0, 1, 0), usual_errors);
    assert_errors(f, CALL(EID_HSM, 0, 1, 0x80200000, 0), usual_errors);
    assert_errors(f, CALL(EID_HSM, 2, 1), usual_errors);
}

static void a_call_that_nobody_answers_is_not_supported(void **state)
{
    static const Call calls[] = {
        {EID_HOST_FIRST, 0, {1}},          {EID_IPI, 0, {1, 0}}, {EID_RFENCE, 1, {1, 0, 0, 0}},
        {EID_HSM, 0, {1, 0x80200000, 0}},  {EID_HSM, 2, {1}},    {EID_DBCN, 0, {1, 0x80200000, 0}},
        {EID_DBCN, 1, {1, 0x80200000, 0}}, {EID_DBCN, 2, {'a'}},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_int_equal(checked_call(f, &calls[i]), RISCV_EXIT);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_results(f, NOT_SUPPORTED, 0);
    }
}

static void a_completion_that_fits_nothing_changes_nothing(void **state)
{
    static const bool is_call[AX_EXIT_COUNT] = {
        [AX_EXIT_HYPERCALL] = true,    [AX_EXIT_CPU_UP] = true,
        [AX_EXIT_CPU_STATUS] = true,   [AX_EXIT_SEND_IPI] = true,
        [AX_EXIT_REMOTE_FENCE] = true, [AX_EXIT_CONSOLE_WRITE] = true,
        [AX_EXIT_CONSOLE_READ] = true,
    };
    Fixture *f = *state;

    for (int reason = 0; reason < AX_EXIT_COUNT; reason++) {
        const AxVCpuExit exit = {.reason = (AxVCpuExitReason)reason};
        const AxError expected = is_call[reason] ? AX_OK : AX_EINVAL;

        fixture_reset(state);
        assert_int_equal(riscv_firmware_complete(&f->vcpu, &exit, AX_ERROR_COUNT, 1), AX_EINVAL);
        assert_int_equal(riscv_firmware_complete(&f->vcpu, &exit, (AxError)-1, 1), AX_EINVAL);
        if (!is_call[reason]) {
            assert_int_equal(riscv_firmware_complete(&f->vcpu, &exit, AX_OK, 1), AX_EINVAL);
        }
        assert_registers_unchanged(f);
        assert_int_equal(riscv_firmware_complete(&f->vcpu, &exit, AX_OK, 1), expected);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, firmware_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(probing_knows_exactly_what_is_there),
        TEST(a_function_that_is_not_there_is_not_supported),
        TEST(an_extension_that_is_not_there_is_not_supported),
        TEST(base_tells_who_this_is),
        TEST(what_is_finished_inside_is_counted),
        TEST(set_timer_reaches_the_timer),
        TEST(the_experimental_space_goes_to_the_host),
        TEST(errors_of_the_host_become_errors_of_the_interface),
        TEST(a_call_that_nobody_answers_is_not_supported),
        TEST(a_completion_that_fits_nothing_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
