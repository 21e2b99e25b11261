// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define FAULT_VA UINT64_C(0x123456)
#define FAULT_PA UINT64_C(0x10000456)

#define SBI_EXT_BASE      UINT64_C(0x10)
#define SBI_NOT_SUPPORTED ((uint64_t)-2)
#define SBI_INVALID_PARAM ((uint64_t)-3)

#define WFI UINT64_C(0x10500073)

static RISCVNext handle(Fixture *f, uint64_t cause)
{
    f->vcpu.trap.cause = cause;
    return riscv_handle_sync(&f->vcpu, &f->exit);
}

// ---- every cause ----

typedef enum Treatment {
    UNHANDLED,
    REFLECT,
    CALL,
    PAGE_FAULT,
    VIRTUAL,
} Treatment;

static const struct {
    uint8_t cause;
    Treatment treatment;
    const char *name;
} causes[] = {
    {0, REFLECT, "instruction address misaligned"},
    {1, REFLECT, "instruction access fault"},
    {2, REFLECT, "illegal instruction"},
    {3, REFLECT, "breakpoint"},
    {4, REFLECT, "load address misaligned"},
    {5, REFLECT, "load access fault"},
    {6, REFLECT, "store or AMO address misaligned"},
    {7, REFLECT, "store or AMO access fault"},
    {8, REFLECT, "call from VU mode"},
    {9, UNHANDLED, "call from HS mode"},
    {10, CALL, "call from VS mode"},
    {11, UNHANDLED, "call from M mode"},
    {12, REFLECT, "instruction page fault"},
    {13, REFLECT, "load page fault"},
    {14, UNHANDLED, "reserved"},
    {15, REFLECT, "store or AMO page fault"},
    {16, UNHANDLED, "double trap"},
    {17, UNHANDLED, "reserved"},
    {18, REFLECT, "software check"},
    {19, REFLECT, "hardware error"},
    {20, PAGE_FAULT, "instruction guest page fault"},
    {21, PAGE_FAULT, "load guest page fault"},
    {22, VIRTUAL, "virtual instruction"},
    {23, PAGE_FAULT, "store or AMO guest page fault"},
};

static void check_unhandled(const Fixture *f, RISCVNext next)
{
    assert_int_equal(next, RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_UNHANDLED);
    assert_int_equal(f->exit.unhandled.cause, f->vcpu.trap.cause);
    assert_int_equal(f->exit.unhandled.info, FAULT_VA);
    assert_int_equal(f->exit.unhandled.addr.value, 0);
    assert_int_equal(f->exit.unhandled.pc.value, GUEST_PC);
    assert_registers_unchanged(f);
}

static void check_reflect(const Fixture *f, RISCVNext next)
{
    assert_int_equal(next, RISCV_RESUME);
    assert_trapped(f, f->vcpu.trap.cause, FAULT_VA);
    assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
}

// a7 of the fixture is no extension that there is.
static void check_call(const Fixture *f, RISCVNext next)
{
    assert_int_equal(next, RISCV_RESUME);
    assert_int_equal(f->vcpu.regs.x[10], SBI_NOT_SUPPORTED);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(f->stats.handled[AX_EXIT_HYPERCALL], 1);
}

// The code at the PC is no load or store.
static void check_page_fault(const Fixture *f, RISCVNext next)
{
    assert_int_equal(next, RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.addr.value, FAULT_PA);
}

// Nor one that a guest may execute.
static void check_virtual(const Fixture *f, RISCVNext next)
{
    assert_int_equal(next, RISCV_RESUME);
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, f->code);
    assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
}

static void every_cause_has_its_treatment(void **state)
{
    static void (*const checks[])(const Fixture *f, RISCVNext next) = {
        [UNHANDLED] = check_unhandled,   [REFLECT] = check_reflect, [CALL] = check_call,
        [PAGE_FAULT] = check_page_fault, [VIRTUAL] = check_virtual,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(causes); i++) {
        RISCVNext next;

        fixture_reset(state);
        assert_int_equal(causes[i].cause, i);
        rv_sim.hlvx_hu = fixture_fetch;
        f->vcpu.trap = (RISCVTrap){.tval = FAULT_VA, .htval = FAULT_PA >> 2};
        next = handle(f, causes[i].cause);
        checks[causes[i].treatment](f, next);
        assert_int_equal(rv_sim.illegal, 0);
    }
}

// Reserved, custom, and an interrupt, which is not for this table.
static void a_cause_beyond_the_known_ones_is_unhandled(void **state)
{
    static const uint64_t others[] = {
        24, 31, 32, 47, 48, 63, 64, 1000, SCAUSE_INTERRUPT | 5, SCAUSE_INTERRUPT | 20, UINT64_MAX,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(others); i++) {
        fixture_reset(state);
        f->vcpu.trap.tval = FAULT_VA;
        check_unhandled(f, handle(f, others[i]));
    }
}

static void exits_to_the_host_are_not_counted_here(void **state)
{
    Fixture *f = *state;

    f->code = WFI;
    rv_sim.hlvx_hu = fixture_fetch;
    assert_int_equal(handle(f, CAUSE_VIRTUAL_INSTRUCTION), RISCV_EXIT);
    assert_int_equal(handle(f, CAUSE_FETCH_GUEST_PAGE), RISCV_EXIT);
    assert_int_equal(handle(f, CAUSE_ECALL_HS), RISCV_EXIT);
    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        assert_int_equal(f->stats.handled[reason], 0);
    }
}

static void a_call_returns_behind_itself(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[17] = SBI_EXT_BASE;
    f->vcpu.regs.x[16] = 0; // sbi_get_spec_version
    assert_int_equal(handle(f, CAUSE_ECALL_VS), RISCV_RESUME);
    assert_int_equal(f->vcpu.regs.x[10], 0);
    assert_int_equal(f->vcpu.regs.x[11], 0x2000000);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(f->stats.handled[AX_EXIT_HYPERCALL], 1);
}

// ---- completions ----

static void a_call_is_completed_with_a_result(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_HYPERCALL};
    Fixture *f = *state;

    assert_int_equal(riscv_complete_call(&f->vcpu, &exit, AX_OK, 0x1234), AX_OK);
    assert_int_equal(f->vcpu.regs.x[10], 0);
    assert_int_equal(f->vcpu.regs.x[11], 0x1234);
    assert_int_equal(riscv_complete_call(&f->vcpu, &exit, AX_EINVAL, 0x1234), AX_OK);
    assert_int_equal(f->vcpu.regs.x[10], SBI_INVALID_PARAM);
    assert_int_equal(f->vcpu.regs.x[11], 0);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

static void a_call_nobody_answers_is_not_supported(void **state)
{
    static const AxVCpuExitReason calls[] = {
        AX_EXIT_HYPERCALL,    AX_EXIT_CPU_UP,       AX_EXIT_CPU_STATUS,    AX_EXIT_SEND_IPI,
        AX_EXIT_REMOTE_FENCE, AX_EXIT_CONSOLE_READ, AX_EXIT_CONSOLE_WRITE,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(calls); i++) {
        const AxVCpuExit exit = {.reason = calls[i]};

        fixture_reset(state);
        f->vcpu.regs.x[17] = 0x4442434e; // DBCN
        assert_int_equal(riscv_complete_fault(&f->vcpu, &exit), AX_OK);
        assert_int_equal(f->vcpu.regs.x[10], SBI_NOT_SUPPORTED);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    }
}

static void a_csr_nobody_has_is_an_illegal_instruction(void **state)
{
    static const AxVCpuExit exits[] = {{.reason = AX_EXIT_SYSREG_READ},
                                       {.reason = AX_EXIT_SYSREG_WRITE}};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(exits); i++) {
        fixture_reset(state);
        f->vcpu.instruction = 0x5c0022f3; // csrr x5, 0x5c0
        assert_int_equal(riscv_complete_fault(&f->vcpu, &exits[i]), AX_OK);
        assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, 0x5c0022f3);
        assert_registers_unchanged(f);
    }
}

static void an_address_where_nothing_is_gives_an_access_fault(void **state)
{
    static const struct {
        uint64_t cause;
        AxVCpuExitReason reason;
        uint64_t fault;
    } cases[] = {
        {CAUSE_LOAD_GUEST_PAGE, AX_EXIT_MMIO_READ, CAUSE_LOAD_ACCESS},
        {CAUSE_STORE_GUEST_PAGE, AX_EXIT_MMIO_WRITE, CAUSE_STORE_ACCESS},
        {CAUSE_LOAD_GUEST_PAGE, AX_EXIT_NESTED_PAGE_FAULT, CAUSE_LOAD_ACCESS},
        {CAUSE_STORE_GUEST_PAGE, AX_EXIT_NESTED_PAGE_FAULT, CAUSE_STORE_ACCESS},
        {CAUSE_FETCH_GUEST_PAGE, AX_EXIT_NESTED_PAGE_FAULT, CAUSE_FETCH_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const AxVCpuExit exit = {.reason = cases[i].reason};

        fixture_reset(state);
        f->vcpu.trap = (RISCVTrap){.cause = cases[i].cause, .tval = FAULT_VA};
        assert_int_equal(riscv_complete_fault(&f->vcpu, &exit), AX_OK);
        assert_trapped(f, cases[i].fault, FAULT_VA);
        assert_registers_unchanged(f);
    }
}

// Which completion an exit takes. Every other one is refused and changes nothing.
static void the_wrong_completion_changes_nothing(void **state)
{
    enum {
        READ = 1,
        WRITE = 2,
        CALL_DONE = 4,
        FAULT = 8,
    };
    static const uint8_t taken[AX_EXIT_COUNT] = {
        [AX_EXIT_HYPERCALL] = CALL_DONE | FAULT,     [AX_EXIT_CPU_UP] = CALL_DONE | FAULT,
        [AX_EXIT_CPU_STATUS] = CALL_DONE | FAULT,    [AX_EXIT_SEND_IPI] = CALL_DONE | FAULT,
        [AX_EXIT_REMOTE_FENCE] = CALL_DONE | FAULT,  [AX_EXIT_CONSOLE_READ] = CALL_DONE | FAULT,
        [AX_EXIT_CONSOLE_WRITE] = CALL_DONE | FAULT, [AX_EXIT_MMIO_READ] = READ | FAULT,
        [AX_EXIT_MMIO_WRITE] = WRITE | FAULT,        [AX_EXIT_SYSREG_READ] = READ | FAULT,
        [AX_EXIT_SYSREG_WRITE] = WRITE | FAULT,      [AX_EXIT_NESTED_PAGE_FAULT] = FAULT,
    };
    Fixture *f = *state;

    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        const AxVCpuExit exit = {.reason = (AxVCpuExitReason)reason, .mmio = {.width = 4}};
        const RISCVVCpu before = f->vcpu;

        if ((taken[reason] & READ) == 0) {
            assert_int_equal(riscv_complete_read(&f->vcpu, &exit, 1), AX_EINVAL);
        }
        if ((taken[reason] & WRITE) == 0) {
            assert_int_equal(riscv_complete_write(&f->vcpu, &exit), AX_EINVAL);
        }
        if ((taken[reason] & CALL_DONE) == 0) {
            assert_int_equal(riscv_complete_call(&f->vcpu, &exit, AX_OK, 1), AX_EINVAL);
        }
        if ((taken[reason] & FAULT) == 0) {
            assert_int_equal(riscv_complete_fault(&f->vcpu, &exit), AX_EINVAL);
        }
        assert_memory_equal(&f->vcpu, &before, sizeof(before));
    }
}

static void a_result_that_is_no_error_value_is_refused(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_CPU_UP};
    Fixture *f = *state;

    assert_int_equal(riscv_complete_call(&f->vcpu, &exit, AX_ERROR_COUNT, 0), AX_EINVAL);
    assert_registers_unchanged(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(every_cause_has_its_treatment),
        TEST(a_cause_beyond_the_known_ones_is_unhandled),
        TEST(exits_to_the_host_are_not_counted_here),
        TEST(a_call_returns_behind_itself),
        TEST(a_call_is_completed_with_a_result),
        TEST(a_call_nobody_answers_is_not_supported),
        TEST(a_csr_nobody_has_is_an_illegal_instruction),
        TEST(an_address_where_nothing_is_gives_an_access_fault),
        TEST(the_wrong_completion_changes_nothing),
        TEST(a_result_that_is_no_error_value_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
