// SPDX-License-Identifier: Apache-2.0
// PSCI 1.1 (DEN 0022) and SMCCC 1.2 (DEN 0028) as a guest sees them.
#include "exit_fixture.h"

#define SUCCESS            UINT64_C(0)
#define NOT_SUPPORTED      UINT64_MAX
#define INVALID_PARAMETERS (UINT64_MAX - 1)
#define DENIED             (UINT64_MAX - 2)
#define ALREADY_ON         (UINT64_MAX - 3)
#define ON_PENDING         (UINT64_MAX - 4)
#define INTERNAL_FAILURE   (UINT64_MAX - 5)
#define NOT_PRESENT        (UINT64_MAX - 6)
#define DISABLED           (UINT64_MAX - 7)
#define INVALID_ADDRESS    (UINT64_MAX - 8)

static Aarch64Next call(Fixture *f, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    f->vcpu.regs.x[0] = x0;
    f->vcpu.regs.x[1] = x1;
    f->vcpu.regs.x[2] = x2;
    f->vcpu.regs.x[3] = x3;
    f->exit.reason = AX_EXIT_COUNT;
    f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_HVC64, 0);
    return aarch64_handle_firmware_call(&f->vcpu, &f->exit);
}

static uint64_t result(Fixture *f, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    assert_int_equal(call(f, x0, x1, x2, x3), AARCH64_RESUME);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
    return f->vcpu.regs.x[0];
}

static AxVCpuExitReason reason(Fixture *f, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    assert_int_equal(call(f, x0, x1, x2, x3), AARCH64_EXIT);
    return f->exit.reason;
}

// ---- what answers at once ----

static void functions_without_a_host_answer_at_once(void **state)
{
    static const struct {
        uint32_t function;
        uint64_t x1;
        uint64_t expected;
    } calls[] = {
        {0x84000000, 0, 0x10001},                 // PSCI_VERSION
        {0x84000006, 0, 2},                       // MIGRATE_INFO_TYPE
        {0x80000000, 0, 0x10002},                 // SMCCC_VERSION
        {0x80000001, 0x80000000, SUCCESS},        // SMCCC_ARCH_FEATURES: SMCCC_VERSION
        {0x80000001, 0x80000001, SUCCESS},        // itself
        {0x80000001, 0x80000002, NOT_SUPPORTED},  // SMCCC_ARCH_SOC_ID
        {0x80000001, 0x80008000, NOT_SUPPORTED},  // SMCCC_ARCH_WORKAROUND_1
        {0x80000001, 0x80007fff, NOT_SUPPORTED},  // 2
        {0x80000001, 0x80003fff, NOT_SUPPORTED},  // 3
        {0x80000001, 0x84000000, NOT_SUPPORTED},  // of another service
        {0x80000001, 0x100000000, NOT_SUPPORTED}, // W1 is 0
        {0x80000001, 0x180000000, SUCCESS},       // W1 is SMCCC_VERSION
        {0x80000002, 0, NOT_SUPPORTED},
        {0x80008000, 0, NOT_SUPPORTED},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_int_equal(result(f, calls[i].function, calls[i].x1, 0, 0), calls[i].expected);
    }
}

// Every PSCI function id of the specification, and whether it is here.
static const struct {
    uint32_t id;
    bool has_64;
    bool supported;
} psci_functions[] = {
    {0x84000000, false, true},  // PSCI_VERSION
    {0x84000001, true, true},   // CPU_SUSPEND
    {0x84000002, false, true},  // CPU_OFF
    {0x84000003, true, true},   // CPU_ON
    {0x84000004, true, true},   // AFFINITY_INFO
    {0x84000005, true, false},  // MIGRATE
    {0x84000006, false, true},  // MIGRATE_INFO_TYPE
    {0x84000007, true, false},  // MIGRATE_INFO_UP_CPU
    {0x84000008, false, true},  // SYSTEM_OFF
    {0x84000009, false, true},  // SYSTEM_RESET
    {0x8400000a, false, true},  // PSCI_FEATURES
    {0x8400000b, false, false}, // CPU_FREEZE
    {0x8400000c, true, false},  // CPU_DEFAULT_SUSPEND
    {0x8400000d, true, false},  // NODE_HW_STATE
    {0x8400000e, true, false},  // SYSTEM_SUSPEND
    {0x8400000f, false, false}, // PSCI_SET_SUSPEND_MODE
    {0x84000010, true, false},  // PSCI_STAT_RESIDENCY
    {0x84000011, true, false},  // PSCI_STAT_COUNT
    {0x84000012, true, true},   // SYSTEM_RESET2
    {0x84000013, false, false}, // MEM_PROTECT
    {0x84000014, true, false},  // MEM_PROTECT_CHECK_RANGE
    {0x84000015, false, false}, // SYSTEM_OFF2 of 1.3
    {0x8400001f, false, false},
};

static void psci_features_knows_exactly_what_is_there(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(psci_functions); i++) {
        const uint32_t id = psci_functions[i].id;
        const uint64_t expected = psci_functions[i].supported ? SUCCESS : NOT_SUPPORTED;
        const uint64_t wide = psci_functions[i].has_64 ? expected : NOT_SUPPORTED;

        assert_int_equal(result(f, 0x8400000a, id, 0, 0), expected);
        assert_int_equal(result(f, 0x8400000a, id | 0x40000000, 0, 0), wide);
        assert_int_equal(result(f, 0x8400000a, id | UINT64_C(0xabc00000000), 0, 0), expected);
    }
    assert_int_equal(result(f, 0x8400000a, 0x80000000, 0, 0), SUCCESS); // SMCCC_VERSION
    assert_int_equal(result(f, 0x8400000a, 0x80000001, 0, 0), NOT_SUPPORTED);
}

static void a_function_that_is_not_there_is_not_supported(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(psci_functions); i++) {
        const uint32_t id = psci_functions[i].id;

        if (!psci_functions[i].supported) {
            assert_int_equal(result(f, id, 1, 2, 3), NOT_SUPPORTED);
        }
        if (!psci_functions[i].supported || !psci_functions[i].has_64) {
            assert_int_equal(result(f, id | 0x40000000, 1, 2, 3), NOT_SUPPORTED);
        }
    }
}

// Fast calls of all owners but the two that exist, and of these what they do not have.
static void an_unknown_fast_call_is_not_supported(void **state)
{
    Fixture *f = *state;

    for (uint32_t owner = 0; owner < 64; owner++) {
        for (uint32_t wide = 0; wide < 2; wide++) {
            const uint32_t id = 0x80000000 | wide << 30 | owner << 24;

            assert_int_equal(result(f, id | 0xff00, 1, 2, 3), NOT_SUPPORTED);
            assert_int_equal(result(f, id | 0xffff, 1, 2, 3), NOT_SUPPORTED);
            assert_int_equal(result(f, id | 0x10000, 1, 2, 3), NOT_SUPPORTED); // SVE hint
        }
    }
}

static void a_call_changes_no_register_but_x0(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(psci_functions); i++) {
        fixture_reset(state);
        f->vcpu.regs.x[0] = psci_functions[i].id;
        f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_HVC64, 0);
        (void)aarch64_handle_firmware_call(&f->vcpu, &f->exit);
        f->vcpu.regs.x[0] = UINT64_C(0x1111222233330000);
        assert_registers_unchanged(f);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    }
}

// ---- exits ----

static void a_call_that_is_no_firmware_call_goes_to_the_host(void **state)
{
    static const uint64_t numbers[] = {0, 1, 0x7fffffff, 0x04000000, UINT64_C(0xdeadbeef00000007)};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(numbers); i++) {
        fixture_reset(state);
        f->vcpu.regs.x[0] = numbers[i];
        f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_HVC64, 0);
        assert_int_equal(aarch64_handle_firmware_call(&f->vcpu, &f->exit), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_HYPERCALL);
        assert_int_equal(f->exit.hypercall.nr, numbers[i]);
        for (unsigned n = 0; n < 6; n++) {
            assert_int_equal(f->exit.hypercall.args[n], UINT64_C(0x1111222233330001) + n);
        }
        // By SMC the same numbers are unknown firmware calls.
        f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_SMC64, 0);
        assert_int_equal(aarch64_handle_firmware_call(&f->vcpu, &f->exit), AARCH64_RESUME);
        assert_int_equal(f->vcpu.regs.x[0], NOT_SUPPORTED);
    }
}

static void cpu_on_asks_for_another_cpu(void **state)
{
    Fixture *f = *state;

    assert_int_equal(reason(f, 0xc4000003, 0xff00ffffff, 0xffff000040080000, UINT64_MAX),
                     AX_EXIT_CPU_UP);
    assert_int_equal(f->exit.cpu_up.target_cpu, 0xff00ffffff);
    assert_int_equal(f->exit.cpu_up.entry.value, 0xffff000040080000);
    assert_int_equal(f->exit.cpu_up.arg, UINT64_MAX);
    // The 32-bit function has 32-bit arguments.
    assert_int_equal(reason(f, 0x84000003, UINT64_C(0xdead00000000) + 0x101,
                            UINT64_C(0xdead00000000) + 0x40080000, UINT64_MAX),
                     AX_EXIT_CPU_UP);
    assert_int_equal(f->exit.cpu_up.target_cpu, 0x101);
    assert_int_equal(f->exit.cpu_up.entry.value, 0x40080000);
    assert_int_equal(f->exit.cpu_up.arg, UINT32_MAX);
}

static void cpu_on_refuses_what_no_cpu_can_be(void **state)
{
    Fixture *f = *state;

    for (unsigned bit = 0; bit < 64; bit++) {
        const bool is_affinity = bit < 24 || (bit >= 32 && bit < 40);

        if (is_affinity) {
            assert_int_equal(reason(f, 0xc4000003, UINT64_C(1) << bit, 0, 0), AX_EXIT_CPU_UP);
            assert_int_equal(reason(f, 0xc4000004, UINT64_C(1) << bit, 0, 0), AX_EXIT_CPU_STATUS);
        } else {
            assert_int_equal(result(f, 0xc4000003, UINT64_C(1) << bit, 0, 0), INVALID_PARAMETERS);
            assert_int_equal(result(f, 0xc4000004, UINT64_C(1) << bit, 0, 0), INVALID_PARAMETERS);
        }
    }
    assert_int_equal(reason(f, 0xc4000003, 1, 0x40000004, 0), AX_EXIT_CPU_UP);
    for (uint64_t entry = 1; entry < 4; entry++) {
        assert_int_equal(result(f, 0xc4000003, 1, 0x40000000 + entry, 0), INVALID_ADDRESS);
        assert_int_equal(result(f, 0x84000003, 1, 0x40000000 + entry, 0), INVALID_ADDRESS);
    }
}

static void affinity_info_asks_for_a_level(void **state)
{
    Fixture *f = *state;

    for (uint64_t level = 0; level <= 3; level++) {
        assert_int_equal(reason(f, 0xc4000004, 0x102, level, 0), AX_EXIT_CPU_STATUS);
        assert_int_equal(f->exit.cpu_status.target_cpu, 0x102);
        assert_int_equal(f->exit.cpu_status.level, level);
    }
    assert_int_equal(result(f, 0xc4000004, 0x102, 4, 0), INVALID_PARAMETERS);
    assert_int_equal(result(f, 0x84000004, 0x102, UINT32_MAX, 0), INVALID_PARAMETERS);
    assert_int_equal(reason(f, 0x84000004, UINT64_C(0x100000003), 0, 0), AX_EXIT_CPU_STATUS);
    assert_int_equal(f->exit.cpu_status.target_cpu, 3);
}

static void suspend_is_a_wait_that_succeeds(void **state)
{
    static const uint32_t functions[] = {0x84000001, 0xc4000001};
    static const uint64_t states[] = {0x00000000, 0x0000ffff, 0x00010000, 0x03010000, 0x0301ffff};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(functions); i++) {
        for (size_t k = 0; k < COUNT(states); k++) {
            assert_int_equal(reason(f, functions[i], states[k], 0x40000000, 7), AX_EXIT_IDLE);
            assert_int_equal(f->vcpu.regs.x[0], SUCCESS);
        }
        for (unsigned bit = 17; bit < 32; bit++) {
            if (bit != 24 && bit != 25) {
                assert_int_equal(result(f, functions[i], UINT64_C(1) << bit, 0, 0),
                                 INVALID_PARAMETERS);
            }
        }
    }
}

static void cpu_off_stops_this_cpu(void **state)
{
    Fixture *f = *state;

    assert_int_equal(reason(f, 0x84000002, 0x10000, 0, 0), AX_EXIT_CPU_DOWN);
    assert_int_equal(f->exit.cpu_down.state, 0x10000);
}

static void the_system_is_switched_off_and_reset(void **state)
{
    Fixture *f = *state;

    assert_int_equal(reason(f, 0x84000008, 1, 2, 3), AX_EXIT_SYSTEM_DOWN);
    assert_int_equal(reason(f, 0x84000009, 1, 2, 3), AX_EXIT_SYSTEM_RESET);
    assert_int_equal(f->exit.reset.type, 0);
    assert_int_equal(reason(f, 0x84000012, 0, 2, 3), AX_EXIT_SYSTEM_RESET);
    assert_int_equal(reason(f, 0xc4000012, UINT64_C(0x100000000), 2, 3), AX_EXIT_SYSTEM_RESET);
    assert_int_equal(f->exit.reset.type, 0);
    assert_int_equal(result(f, 0x84000012, 1, 0, 0), INVALID_PARAMETERS);
    assert_int_equal(result(f, 0xc4000012, 0x7fffffff, 0, 0), INVALID_PARAMETERS);
    assert_int_equal(result(f, 0xc4000012, 0x80000000, 0, 0), NOT_SUPPORTED);
    assert_int_equal(result(f, 0x84000012, 0xffffffff, 0, 0), NOT_SUPPORTED);
}

// ---- what the host answers ----

static const uint64_t codes[AX_ERROR_COUNT] = {
    [AX_OK] = SUCCESS,
    [AX_EINVAL] = INVALID_PARAMETERS,
    [AX_ESTATE] = DISABLED,
    [AX_EBUSY] = ON_PENDING,
    [AX_EAGAIN] = ON_PENDING,
    [AX_EEXIST] = ALREADY_ON,
    [AX_ENOENT] = INVALID_PARAMETERS,
    [AX_ENOMEM] = INTERNAL_FAILURE,
    [AX_ENOSPC] = INTERNAL_FAILURE,
    [AX_ERANGE] = INVALID_ADDRESS,
    [AX_EALIGN] = INVALID_ADDRESS,
    [AX_EOVERLAP] = INTERNAL_FAILURE,
    [AX_EPERM] = DENIED,
    [AX_EFAULT] = INVALID_ADDRESS,
    [AX_EFORMAT] = INTERNAL_FAILURE,
    [AX_ENOTSUP] = NOT_SUPPORTED,
    [AX_ENOHW] = NOT_PRESENT,
    [AX_EPRIVILEGE] = INTERNAL_FAILURE,
    [AX_EFIRMWARE] = INTERNAL_FAILURE,
    [AX_EWRONGCPU] = INTERNAL_FAILURE,
    [AX_EPENDING] = INTERNAL_FAILURE,
    [AX_ENOEXIT] = INTERNAL_FAILURE,
    [AX_EBACKEND] = INTERNAL_FAILURE,
};

static void every_answer_of_the_host_has_its_psci_code(void **state)
{
    static const uint32_t functions[] = {0x84000003, 0xc4000003, 0x84000004, 0xc4000004};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(functions); i++) {
        for (unsigned error = 0; error < AX_ERROR_COUNT; error++) {
            assert_int_equal(call(f, functions[i], 1, 0, 0), AARCH64_EXIT);
            assert_int_equal(aarch64_complete_call(&f->vcpu, &f->exit, (AxError)error, 0), AX_OK);
            assert_int_equal(f->vcpu.regs.x[0], codes[error]);
            assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
        }
    }
}

static void affinity_info_returns_the_power_state(void **state)
{
    static const struct {
        uint64_t value;
        uint64_t code;
    } states[] = {
        {AX_CPU_ON, 0},
        {AX_CPU_OFF, 1},
        {AX_CPU_ON_PENDING, 2},
        {3, INTERNAL_FAILURE},
        {UINT64_MAX, INTERNAL_FAILURE},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(states); i++) {
        assert_int_equal(call(f, 0xc4000004, 1, 0, 0), AARCH64_EXIT);
        assert_int_equal(aarch64_complete_call(&f->vcpu, &f->exit, AX_OK, states[i].value), AX_OK);
        assert_int_equal(f->vcpu.regs.x[0], states[i].code);
    }
}

static void cpu_on_ignores_a_value(void **state)
{
    Fixture *f = *state;

    assert_int_equal(call(f, 0xc4000003, 1, 0, 0), AARCH64_EXIT);
    assert_int_equal(aarch64_complete_call(&f->vcpu, &f->exit, AX_OK, 77), AX_OK);
    assert_int_equal(f->vcpu.regs.x[0], SUCCESS);
}

static void a_hypercall_returns_what_the_host_says(void **state)
{
    Fixture *f = *state;

    for (unsigned error = 0; error < AX_ERROR_COUNT; error++) {
        uint64_t expected = UINT64_MAX - 2; // SMCCC_INVALID_PARAMETER

        if (error == AX_OK) {
            expected = 0x1234567812345678;
        } else if (error == AX_ENOTSUP) {
            expected = NOT_SUPPORTED;
        }
        assert_int_equal(call(f, 5, 1, 2, 3), AARCH64_EXIT);
        assert_int_equal(
            aarch64_complete_call(&f->vcpu, &f->exit, (AxError)error, 0x1234567812345678), AX_OK);
        assert_int_equal(f->vcpu.regs.x[0], expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(functions_without_a_host_answer_at_once),
        TEST(psci_features_knows_exactly_what_is_there),
        TEST(a_function_that_is_not_there_is_not_supported),
        TEST(an_unknown_fast_call_is_not_supported),
        TEST(a_call_changes_no_register_but_x0),
        TEST(a_call_that_is_no_firmware_call_goes_to_the_host),
        TEST(cpu_on_asks_for_another_cpu),
        TEST(cpu_on_refuses_what_no_cpu_can_be),
        TEST(affinity_info_asks_for_a_level),
        TEST(suspend_is_a_wait_that_succeeds),
        TEST(cpu_off_stops_this_cpu),
        TEST(the_system_is_switched_off_and_reset),
        TEST(every_answer_of_the_host_has_its_psci_code),
        TEST(affinity_info_returns_the_power_state),
        TEST(cpu_on_ignores_a_value),
        TEST(a_hypercall_returns_what_the_host_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
