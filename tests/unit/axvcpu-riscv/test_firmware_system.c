// SPDX-License-Identifier: Apache-2.0
// SBI calls about the machine of a guest: HSM, SRST, DBCN, and their legacy forms.
#include "firmware_fixture.h"

#define LAST_CODE ((UINT64_C(1) << GPA_BITS) - 2)

// ---- HSM ----

static const uint64_t good_code[] = {0, 2, 0x80200000, 0x80200002, LAST_CODE};
static const uint64_t bad_code[] = {
    1, 0x80200001, LAST_CODE + 1, LAST_CODE + 2, UINT64_C(1) << 63, UINT64_MAX, 0xffffffff80200000,
};

static void hart_start_asks_the_host(void **state)
{
    static const uint64_t harts[] = {0, 1, OWN_HART, 63, UINT64_C(1) << 32, UINT64_MAX};
    Fixture *f = *state;

    for (size_t h = 0; h < COUNT(harts); h++) {
        for (size_t i = 0; i < COUNT(good_code); i++) {
            const Call *call = CALL(EID_HSM, 0, harts[h], good_code[i], 0xfedcba9876543210);
            const AxVCpuExit *exit = assert_exit(f, call, AX_EXIT_CPU_UP);

            assert_int_equal(exit->cpu_up.target_cpu, harts[h]);
            assert_int_equal(exit->cpu_up.entry.value, good_code[i]);
            assert_int_equal(exit->cpu_up.arg, 0xfedcba9876543210);
            complete(f, AX_OK, 77);
            assert_results(f, SUCCESS, 0);
        }
    }
}

static void code_cannot_be_where_no_instruction_can(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(bad_code); i++) {
        assert_answer(f, CALL(EID_HSM, 0, 1, bad_code[i], 2), INVALID_ADDRESS, 0);
        assert_answer(f, CALL(EID_HSM, 3, 0x80000000, bad_code[i], 2), INVALID_ADDRESS, 0);
    }
}

static void hart_stop_is_the_end_of_the_hart(void **state)
{
    (void)assert_exit(*state, CALL(EID_HSM, 1, 1, 2, 3), AX_EXIT_CPU_DOWN);
}

static void hart_status_has_the_numbers_of_the_specification(void **state)
{
    static const struct {
        uint64_t power;
        uint64_t status;
    } states[] = {{AX_CPU_ON, 0}, {AX_CPU_OFF, 1}, {AX_CPU_ON_PENDING, 2}};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(states); i++) {
        const AxVCpuExit *exit = assert_exit(f, CALL(EID_HSM, 2, 12 + i), AX_EXIT_CPU_STATUS);

        assert_int_equal(exit->cpu_status.target_cpu, 12 + i);
        assert_int_equal(exit->cpu_status.level, 0);
        complete(f, AX_OK, states[i].power);
        assert_results(f, SUCCESS, states[i].status);
    }
}

static void a_retentive_suspend_returns(void **state)
{
    static const uint64_t types[] = {0, UINT64_C(1) << 32, UINT64_C(0xffffffff00000000)};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(types); i++) { // 32 bits are looked at; no address is
        assert_int_equal(make_call(f, CALL(EID_HSM, 3, types[i], 1, 2)), RISCV_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_IDLE);
        assert_results(f, SUCCESS, 0);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    }
}

static void suspend_types_of_nobody_are_invalid(void **state)
{
    static const uint64_t types[] = {
        1,          2,          0x0fffffff, 0x10000000, 0x7fffffff,
        0x80000001, 0x8fffffff, 0x90000000, 0xffffffff, UINT64_MAX,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(types); i++) {
        assert_answer(f, CALL(EID_HSM, 3, types[i], 0x80200000, 2), INVALID_PARAM, 0);
    }
}

static void assert_resumed(const Fixture *f, uint64_t pc)
{
    assert_int_equal(f->exit.reason, AX_EXIT_IDLE);
    assert_int_equal(f->vcpu.regs.pc, pc);
    assert_results(f, OWN_HART, 0x1234567890);
    assert_true(riscv_guest_is_supervisor(&f->vcpu));
    assert_int_equal(riscv_sysreg_get(&f->vcpu, RISCV_VSATP), 0);
    assert_int_equal(riscv_sysreg_get(&f->vcpu, RISCV_VSSTATUS) & SSTATUS_SIE, 0);
}

// It is woken by what it enabled before, so that has to stay.
static void a_non_retentive_suspend_resumes_like_a_hart_that_starts(void **state)
{
    static const uint64_t types[] = {0x80000000, 0xffffffff80000000}; // zero- and sign-extended
    Fixture *f = *state;

    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t i = 0; i < COUNT(good_code); i++) {
            f->vcpu.sys[RISCV_VSATP] = UINT64_C(8) << 60 | 0x80400;
            f->vcpu.sys[RISCV_VSSTATUS] = SSTATUS_UXL_64 | SSTATUS_SIE | SSTATUS_SUM;
            f->vcpu.sys[RISCV_VSIE] = SIP_SSIP | SIP_SEIP;
            assert_int_equal(make_call(f, CALL(EID_HSM, 3, types[t], good_code[i], 0x1234567890)),
                             RISCV_EXIT);
            assert_resumed(f, good_code[i]);
            assert_int_equal(f->vcpu.sys[RISCV_VSIE], SIP_SSIP | SIP_SEIP);
        }
    }
}

// ---- SRST ----

static void a_reset_has_a_type_and_a_reason(void **state)
{
    static const struct {
        uint64_t type;
        AxVCpuExitReason reason;
    } types[] = {
        {0, AX_EXIT_SYSTEM_DOWN},
        {1, AX_EXIT_SYSTEM_RESET},
        {2, AX_EXIT_SYSTEM_RESET},
        {UINT64_C(1) << 32, AX_EXIT_SYSTEM_DOWN}, // 32 bits are looked at
        {UINT64_C(0x500000001), AX_EXIT_SYSTEM_RESET},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(types); i++) {
        for (uint64_t reason = 0; reason < 2; reason++) {
            const Call *call = CALL(EID_SRST, 0, types[i].type, reason);

            assert_int_equal(assert_exit(f, call, types[i].reason)->reset.type,
                             types[i].type & UINT32_MAX);
        }
    }
}

static void reserved_and_platform_resets_are_invalid(void **state)
{
    static const uint64_t types[] = {3, 0x7fffffff, 0xefffffff, 0xf0000000, 0xffffffff, UINT64_MAX};
    static const uint64_t reasons[] = {
        2, 0xdfffffff, 0xe0000000, 0xefffffff, 0xf0000000, 0xffffffff, UINT64_MAX,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(types); i++) {
        assert_answer(f, CALL(EID_SRST, 0, types[i], 0), INVALID_PARAM, 0);
        assert_answer(f, CALL(EID_SRST, 0, types[i], 1), INVALID_PARAM, 0);
    }
    for (size_t i = 0; i < COUNT(reasons); i++) {
        for (uint64_t type = 0; type < 3; type++) {
            assert_answer(f, CALL(EID_SRST, 0, type, reasons[i]), INVALID_PARAM, 0);
        }
    }
}

static void a_legacy_shutdown_is_a_shutdown(void **state)
{
    const AxVCpuExit *exit = assert_exit(*state, CALL(EID_SHUTDOWN, 3, 9, 9), AX_EXIT_SYSTEM_DOWN);

    assert_int_equal(exit->reset.type, 0);
}

// ---- DBCN ----

static const AxVCpuExitReason transfers[] = {AX_EXIT_CONSOLE_WRITE, AX_EXIT_CONSOLE_READ};

static void bytes_go_through_the_guests_memory(void **state)
{
    static const struct {
        uint64_t size;
        uint64_t addr;
    } ranges[] = {
        {1, 0},          {100, 0x80200003}, {UINT64_MAX, 0},
        {UINT64_MAX, 1}, {1, UINT64_MAX},   {0x1000, 0xfffffffffffff000},
    };
    Fixture *f = *state;

    for (uint64_t fid = 0; fid < 2; fid++) {
        for (size_t i = 0; i < COUNT(ranges); i++) {
            const Call *call = CALL(EID_DBCN, fid, ranges[i].size, ranges[i].addr, 0);
            const AxVCpuExit *exit = assert_exit(f, call, transfers[fid]);

            assert_int_equal(exit->console.size, ranges[i].size);
            assert_int_equal(exit->console.addr.value, ranges[i].addr);
            assert_false(exit->console.in_register);
            complete(f, AX_OK, 42);
            assert_results(f, SUCCESS, 42);
        }
    }
}

static void memory_that_cannot_be_is_an_invalid_parameter(void **state)
{
    static const uint64_t calls[][3] = {
        {1, 0x80200000, 1}, {0, 0x80200000, 1}, {1, 0x80200000, UINT64_MAX},
        {2, UINT64_MAX, 0}, {UINT64_MAX, 2, 0}, {0x1001, 0xfffffffffffff000, 0},
    };
    Fixture *f = *state;

    for (uint64_t fid = 0; fid < 2; fid++) {
        for (size_t i = 0; i < COUNT(calls); i++) {
            assert_answer(f, CALL(EID_DBCN, fid, calls[i][0], calls[i][1], calls[i][2]),
                          INVALID_PARAM, 0);
        }
    }
}

static void no_bytes_are_done_at_once(void **state)
{
    static const uint64_t addrs[] = {0, 0x80200000, UINT64_MAX};
    Fixture *f = *state;

    for (uint64_t fid = 0; fid < 2; fid++) {
        for (size_t i = 0; i < COUNT(addrs); i++) {
            assert_answer(f, CALL(EID_DBCN, fid, 0, addrs[i], 0), SUCCESS, 0);
        }
    }
}

static void one_byte_goes_in_a_register(void **state)
{
    static const uint64_t eids[][2] = {{EID_DBCN, 2}, {EID_PUTCHAR, 77}};
    static const uint64_t bytes[] = {0, 'a', 0xff, 0x12345678900, UINT64_MAX};
    Fixture *f = *state;

    for (size_t e = 0; e < COUNT(eids); e++) {
        for (size_t i = 0; i < COUNT(bytes); i++) {
            const Call *call = CALL(eids[e][0], eids[e][1], bytes[i], 0x1111);
            const AxVCpuExit *exit = assert_exit(f, call, AX_EXIT_CONSOLE_WRITE);

            assert_true(exit->console.in_register);
            assert_int_equal(exit->console.byte, bytes[i] & 0xff);
            complete(f, AX_OK, 1); // the host tells the number of bytes, the guest hears 0
            assert_results(f, SUCCESS, e == 0 ? 0 : 0x1111);
        }
    }
}

static const uint64_t console_errors[AX_ERROR_COUNT] = {
    [AX_EINVAL] = INVALID_PARAM, [AX_EFAULT] = INVALID_PARAM,  [AX_ERANGE] = INVALID_PARAM,
    [AX_EALIGN] = INVALID_PARAM, [AX_ENOTSUP] = NOT_SUPPORTED, [AX_EPERM] = DENIED,
};

static void errors_of_the_console_are_those_of_its_extension(void **state)
{
    Fixture *f = *state;

    assert_errors(f, CALL(EID_DBCN, 0, 1, 0x80200000, 0), console_errors);
    assert_errors(f, CALL(EID_DBCN, 1, 1, 0x80200000, 0), console_errors);
    assert_errors(f, CALL(EID_DBCN, 2, 'a'), console_errors);
    assert_errors(f, CALL(EID_PUTCHAR, 0, 'a'), console_errors);
}

static void getchar_is_a_byte_or_minus_1(void **state)
{
    const Call *call = CALL(EID_GETCHAR, 5, 0x2222, 0x1111);
    Fixture *f = *state;

    for (uint64_t byte = 0; byte < 256; byte++) {
        assert_true(assert_exit(f, call, AX_EXIT_CONSOLE_READ)->console.in_register);
        complete(f, AX_OK, byte | 0xabcd00);
        assert_results(f, byte, 0x1111);
    }
    for (AxError error = AX_EINVAL; error < AX_ERROR_COUNT; error++) {
        assert_int_equal(checked_call(f, call), RISCV_EXIT);
        complete(f, error, 'x');
        assert_results(f, UINT64_MAX, 0x1111);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, firmware_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hart_start_asks_the_host),
        TEST(code_cannot_be_where_no_instruction_can),
        TEST(hart_stop_is_the_end_of_the_hart),
        TEST(hart_status_has_the_numbers_of_the_specification),
        TEST(a_retentive_suspend_returns),
        TEST(suspend_types_of_nobody_are_invalid),
        TEST(a_non_retentive_suspend_resumes_like_a_hart_that_starts),
        TEST(a_reset_has_a_type_and_a_reason),
        TEST(reserved_and_platform_resets_are_invalid),
        TEST(a_legacy_shutdown_is_a_shutdown),
        TEST(bytes_go_through_the_guests_memory),
        TEST(memory_that_cannot_be_is_an_invalid_parameter),
        TEST(no_bytes_are_done_at_once),
        TEST(one_byte_goes_in_a_register),
        TEST(errors_of_the_console_are_those_of_its_extension),
        TEST(getchar_is_a_byte_or_minus_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
