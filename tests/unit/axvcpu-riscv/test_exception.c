// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define FAULT_VA UINT64_C(0xffffffff90000123)

static void a_trap_saves_where_it_came_from(void **state)
{
    Fixture *f = *state;

    riscv_inject_trap(&f->vcpu, CAUSE_BREAKPOINT, FAULT_VA);
    assert_trapped(f, CAUSE_BREAKPOINT, FAULT_VA);
    assert_registers_unchanged(f);
}

static void the_handler_starts_with_the_state_of_the_architecture(void **state)
{
    static const struct {
        bool supervisor;
        uint64_t before;
        uint64_t after;
    } cases[] = {
        {true, 0, SSTATUS_SPP},
        {false, 0, 0},
        {true, SSTATUS_SIE, SSTATUS_SPP | SSTATUS_SPIE},
        {false, SSTATUS_SIE, SSTATUS_SPIE},
        {true, SSTATUS_SPIE, SSTATUS_SPP},
        {false, SSTATUS_SPIE | SSTATUS_SPP, 0},
        {false, SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP, SSTATUS_SPIE},
        {true, SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS_DIRTY | SSTATUS_UXL_64,
         SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS_DIRTY | SSTATUS_UXL_64 | SSTATUS_SPP},
        {false, ~(SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP),
         ~(SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP)},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        riscv_set_guest_mode(&f->vcpu, cases[i].supervisor);
        f->vcpu.sys[RISCV_VSSTATUS] = cases[i].before;
        riscv_inject_trap(&f->vcpu, CAUSE_ILLEGAL_INSTRUCTION, 0);
        assert_int_equal(f->vcpu.sys[RISCV_VSSTATUS], cases[i].after);
        assert_true(riscv_guest_is_supervisor(&f->vcpu));
    }
}

// Vectors are for interrupts.
static void a_vectored_stvec_is_entered_at_its_base(void **state)
{
    Fixture *f = *state;

    f->vcpu.sys[RISCV_VSTVEC] = GUEST_STVEC | STVEC_MODE_VECTORED;
    riscv_inject_trap(&f->vcpu, CAUSE_STORE_PAGE, FAULT_VA);
    assert_int_equal(f->vcpu.regs.pc, GUEST_STVEC);
}

// As the hart does it: the handler's own trap is as good as any, and the first one is lost.
static void a_second_trap_overwrites_the_first(void **state)
{
    Fixture *f = *state;

    f->vcpu.sys[RISCV_VSSTATUS] |= SSTATUS_SIE;
    riscv_set_guest_mode(&f->vcpu, false);
    riscv_inject_trap(&f->vcpu, CAUSE_BREAKPOINT, 1);
    riscv_inject_trap(&f->vcpu, CAUSE_LOAD_ACCESS, 2);
    assert_int_equal(f->vcpu.sys[RISCV_VSCAUSE], CAUSE_LOAD_ACCESS);
    assert_int_equal(f->vcpu.sys[RISCV_VSEPC], GUEST_STVEC);
    assert_int_equal(f->vcpu.sys[RISCV_VSSTATUS], SSTATUS_UXL_64 | SSTATUS_SPP);
}

static void the_csrs_of_a_bound_vcpu_are_those_of_the_hart(void **state)
{
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    rv_sim.reg[RV_REG_VSTVEC] = 0x8000;
    rv_sim.reg[RV_REG_VSSTATUS] = SSTATUS_UXL_64 | SSTATUS_SIE;
    riscv_inject_trap(&f->vcpu, CAUSE_LOAD_PAGE, FAULT_VA);
    assert_int_equal(f->vcpu.regs.pc, 0x8000);
    assert_int_equal(rv_sim.reg[RV_REG_VSEPC], GUEST_PC);
    assert_int_equal(rv_sim.reg[RV_REG_VSCAUSE], CAUSE_LOAD_PAGE);
    assert_int_equal(rv_sim.reg[RV_REG_VSTVAL], FAULT_VA);
    assert_int_equal(rv_sim.reg[RV_REG_VSSTATUS], SSTATUS_UXL_64 | SSTATUS_SPP | SSTATUS_SPIE);
}

// Inside run the mode is in hstatus and sstatus of the hart.
static void the_mode_of_a_running_vcpu_is_that_of_the_hart(void **state)
{
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    f->vcpu.live = true;
    rv_sim.reg[RV_REG_HSTATUS] &= ~HSTATUS_SPVP;
    rv_sim.reg[RV_REG_SSTATUS] &= ~SSTATUS_SPP;
    riscv_inject_trap(&f->vcpu, CAUSE_ILLEGAL_INSTRUCTION, 0);
    assert_int_equal(rv_sim.reg[RV_REG_VSSTATUS] & SSTATUS_SPP, 0);
    assert_int_equal(rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_SPP, SSTATUS_SPP);
    assert_int_equal(rv_sim.reg[RV_REG_HSTATUS] & HSTATUS_SPVP, HSTATUS_SPVP);
}

static void an_illegal_instruction_names_the_instruction(void **state)
{
    Fixture *f = *state;

    riscv_inject_illegal(&f->vcpu, 0x60002573);
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, 0x60002573);
}

static void an_access_fault_tells_what_the_access_was(void **state)
{
    static const struct {
        uint64_t cause;
        uint32_t instruction;
        uint64_t expected;
    } cases[] = {
        {CAUSE_FETCH_GUEST_PAGE, 0, CAUSE_FETCH_ACCESS},
        {CAUSE_FETCH_GUEST_PAGE, 0x003120af, CAUSE_FETCH_ACCESS}, // a stale amoadd.w
        {CAUSE_LOAD_GUEST_PAGE, 0x00012083, CAUSE_LOAD_ACCESS},   // lw
        {CAUSE_LOAD_GUEST_PAGE, 0x100120af, CAUSE_LOAD_ACCESS},   // lr.w
        {CAUSE_LOAD_GUEST_PAGE, 0, CAUSE_LOAD_ACCESS},
        {CAUSE_LOAD_GUEST_PAGE, 0x003120af, CAUSE_STORE_ACCESS},  // amoadd.w on QEMU 7.2
        {CAUSE_LOAD_GUEST_PAGE, 0x183120af, CAUSE_STORE_ACCESS},  // sc.w
        {CAUSE_STORE_GUEST_PAGE, 0x003130af, CAUSE_STORE_ACCESS}, // amoadd.d
        {CAUSE_STORE_GUEST_PAGE, 0x00112023, CAUSE_STORE_ACCESS}, // sw
        {CAUSE_STORE_GUEST_PAGE, 0, CAUSE_STORE_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        f->vcpu.trap = (RISCVTrap){.cause = cases[i].cause, .tval = FAULT_VA};
        f->vcpu.instruction = cases[i].instruction;
        riscv_inject_access_fault(&f->vcpu);
        assert_trapped(f, cases[i].expected, FAULT_VA);
    }
}

static void a_reflected_trap_is_as_it_came(void **state)
{
    Fixture *f = *state;

    f->vcpu.trap = (RISCVTrap){.cause = CAUSE_STORE_MISALIGNED, .tval = FAULT_VA};
    riscv_reflect_trap(&f->vcpu);
    assert_trapped(f, CAUSE_STORE_MISALIGNED, FAULT_VA);
}

static bool is_guest_cause(uint32_t cause)
{
    static const uint8_t causes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 18, 19};

    return cause < 64 && memchr(causes, (int)cause, sizeof(causes)) != NULL;
}

static void every_exception_of_a_guest_can_be_injected_and_no_other(void **state)
{
    Fixture *f = *state;

    for (uint32_t cause = 0; cause < 256; cause++) {
        const AxException exception = {.vector = cause, .has_address = true, .address = FAULT_VA};
        RISCVVCpu before;

        fixture_reset(state);
        before = f->vcpu;
        if (is_guest_cause(cause)) {
            assert_int_equal(riscv_inject_exception(&f->vcpu, &exception), AX_OK);
            assert_trapped(f, cause, FAULT_VA);
        } else {
            assert_int_equal(riscv_inject_exception(&f->vcpu, &exception), AX_EINVAL);
            assert_memory_equal(&f->vcpu, &before, sizeof(before));
        }
    }
}

static void an_exception_without_address_clears_stval(void **state)
{
    const AxException exception = {.vector = CAUSE_BREAKPOINT, .address = FAULT_VA};
    Fixture *f = *state;

    f->vcpu.sys[RISCV_VSTVAL] = 0x77;
    assert_int_equal(riscv_inject_exception(&f->vcpu, &exception), AX_OK);
    assert_trapped(f, CAUSE_BREAKPOINT, 0);
}

static void what_is_no_exception_changes_nothing(void **state)
{
    static const AxException bad[] = {
        {.vector = UINT32_MAX},
        {.vector = 0x80000001},
        {.vector = 1u << 6 | CAUSE_BREAKPOINT},
        {.vector = CAUSE_BREAKPOINT, .has_error_code = true},
    };
    Fixture *f = *state;
    const RISCVVCpu before = f->vcpu;

    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(riscv_inject_exception(&f->vcpu, &bad[i]), AX_EINVAL);
        assert_memory_equal(&f->vcpu, &before, sizeof(before));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(a_trap_saves_where_it_came_from),
        TEST(the_handler_starts_with_the_state_of_the_architecture),
        TEST(a_vectored_stvec_is_entered_at_its_base),
        TEST(a_second_trap_overwrites_the_first),
        TEST(the_csrs_of_a_bound_vcpu_are_those_of_the_hart),
        TEST(the_mode_of_a_running_vcpu_is_that_of_the_hart),
        TEST(an_illegal_instruction_names_the_instruction),
        TEST(an_access_fault_tells_what_the_access_was),
        TEST(a_reflected_trap_is_as_it_came),
        TEST(every_exception_of_a_guest_can_be_injected_and_no_other),
        TEST(an_exception_without_address_clears_stval),
        TEST(what_is_no_exception_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
