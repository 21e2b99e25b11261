// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define SCTLR_SPAN  AX_BIT(23)
#define SCTLR_DSSBS AX_BIT(44)

static void each_source_has_its_vector(void **state)
{
    static const struct {
        uint64_t pstate;
        uint64_t offset;
    } sources[] = {
        {PSTATE_M_EL0T, 0x400},           {PSTATE_NRW, 0x600}, // AArch32 User mode
        {PSTATE_NRW | PSTATE_T32, 0x600},                      // in Thumb state
        {PSTATE_M_EL1T, 0x000},           {PSTATE_M_EL1H, 0x200},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(sources); i++) {
        fixture_reset(state);
        f->vcpu.regs.pstate = sources[i].pstate;
        aarch64_inject_undefined(&f->vcpu);
        assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + sources[i].offset);
        assert_int_equal(f->vcpu.regs.pstate & PSTATE_NRW, 0);
        assert_int_equal(f->vcpu.regs.pstate & PSTATE_M, PSTATE_M_EL1H);
    }
}

static void the_handler_starts_with_the_state_of_the_architecture(void **state)
{
    static const struct {
        uint64_t before;
        uint64_t sctlr;
        uint64_t after;
    } cases[] = {
        {0, SCTLR_SPAN, 0},
        {0, 0, PSTATE_PAN},
        {PSTATE_PAN, SCTLR_SPAN, PSTATE_PAN},
        {PSTATE_NZCV, SCTLR_SPAN, PSTATE_NZCV},
        {PSTATE_DIT, SCTLR_SPAN, PSTATE_DIT},
        {PSTATE_SSBS, SCTLR_SPAN, 0},
        {0, SCTLR_SPAN | SCTLR_DSSBS, PSTATE_SSBS},
        {PSTATE_UAO, SCTLR_SPAN, 0},
        {PSTATE_TCO, SCTLR_SPAN, 0},
        {PSTATE_SS, SCTLR_SPAN, 0},
        {PSTATE_IL, SCTLR_SPAN, 0},
        {PSTATE_BTYPE, SCTLR_SPAN, 0},
        {PSTATE_DAIF, SCTLR_SPAN, 0},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        f->vcpu.regs.pstate = cases[i].before | PSTATE_M_EL1H;
        f->vcpu.sys[AARCH64_SCTLR_EL1] = cases[i].sctlr;
        aarch64_inject_undefined(&f->vcpu);
        assert_int_equal(f->vcpu.regs.pstate, cases[i].after | PSTATE_DAIF | PSTATE_M_EL1H);
        assert_int_equal(f->vcpu.sys[AARCH64_SPSR_EL1], cases[i].before | PSTATE_M_EL1H);
    }
}

static void an_exception_saves_where_it_came_from(void **state)
{
    Fixture *f = *state;

    f->vcpu.sys[AARCH64_FAR_EL1] = 0x77;
    aarch64_inject_sync(&f->vcpu, 0x12345678, false, 0x99);
    assert_int_equal(f->vcpu.sys[AARCH64_ELR_EL1], GUEST_PC);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0x12345678);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x77);
    aarch64_inject_sync(&f->vcpu, 0x12345678, true, 0x99);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x99);
    assert_registers_unchanged(f);
}

static void an_undefined_instruction_has_class_zero(void **state)
{
    Fixture *f = *state;

    f->vcpu.sys[AARCH64_FAR_EL1] = 0x77;
    aarch64_inject_undefined(&f->vcpu);
    assert_undefined(f);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x77);
}

static void the_registers_of_a_bound_vcpu_are_those_of_the_cpu(void **state)
{
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    arm_sim.reg[ARM_REG_VBAR_EL1] = 0x8000;
    arm_sim.reg[ARM_REG_SCTLR_EL1] = SCTLR_SPAN;
    aarch64_inject_undefined(&f->vcpu);
    assert_int_equal(f->vcpu.regs.pc, 0x8200);
    assert_int_equal(arm_sim.reg[ARM_REG_ELR_EL1], GUEST_PC);
    assert_int_equal(arm_sim.reg[ARM_REG_SPSR_EL1], PSTATE_M_EL1H);
    assert_int_equal(arm_sim.reg[ARM_REG_ESR_EL1], ESR_ELX_IL);
}

static void an_abort_tells_what_the_access_was(void **state)
{
    static const struct {
        uint64_t pstate;
        bool instruction;
        uint64_t iss; // of ESR_EL2
        uint64_t esr; // of ESR_EL1
    } cases[] = {
        {PSTATE_M_EL1H, false, 0x04, 0x96000010},
        {PSTATE_M_EL0T, false, 0x04, 0x92000010},
        {PSTATE_M_EL1H, false, 0x44, 0x96000050},               // write
        {PSTATE_M_EL1H, false, 0x144, 0x96000150},              // cache maintenance
        {PSTATE_M_EL1H, false, 0x410, 0x96000410},              // FAR not valid
        {PSTATE_M_EL1H, false, 0x01c00084 | 0x200, 0x96000010}, // ISV, SAS, S1PTW, EA go
        {PSTATE_M_EL1H, true, 0x06, 0x86000010},
        {PSTATE_M_EL0T, true, 0x06, 0x82000010},
        {PSTATE_NRW, true, 0x06, 0x82000010},
        {PSTATE_M_EL1H, true, 0x446, 0x86000410},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint64_t ec = cases[i].instruction ? ESR_ELX_EC_IABT_LOW : ESR_ELX_EC_DABT_LOW;

        fixture_reset(state);
        f->vcpu.regs.pstate = cases[i].pstate;
        f->vcpu.syndrome = (Aarch64Syndrome){.esr = esr_of(ec, cases[i].iss), .far = 0xabcd};
        aarch64_inject_abort(&f->vcpu, cases[i].instruction);
        assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], cases[i].esr);
        assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0xabcd);
    }
}

static void a_16_bit_instruction_keeps_its_length(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pstate = PSTATE_NRW | PSTATE_T32;
    f->vcpu.syndrome.esr = ax_put(ESR_ELX_EC_DABT_LOW, ESR_ELX_EC) | 0x04;
    aarch64_inject_abort(&f->vcpu, false);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0x90000010);
}

// Classes that come in pairs are set to the level at which the guest stands.
static void every_class_can_be_injected(void **state)
{
    static const uint8_t leveled[] = {0x20, 0x24, 0x30, 0x32, 0x34};
    Fixture *f = *state;

    for (uint32_t ec = 0; ec < 64; ec++) {
        const AxException exception = {.vector = ec, .has_error_code = true, .error_code = 0x1234};
        uint64_t expected = ec;

        if (ec == ESR_ELX_EC_SERROR) {
            continue;
        }
        for (size_t i = 0; i < sizeof(leveled); i++) {
            expected = (ec & ~1u) == leveled[i] ? ec | 1u : expected;
        }
        fixture_reset(state);
        assert_int_equal(aarch64_inject_exception(&f->vcpu, &exception), AX_OK);
        assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], esr_of(expected, 0x1234));
        assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + 0x200);
    }
}

static void an_injected_abort_at_el0_is_from_a_lower_level(void **state)
{
    const AxException exception = {.vector = 0x25, .has_address = true, .address = 0x1000};
    Fixture *f = *state;

    f->vcpu.regs.pstate = PSTATE_M_EL0T;
    assert_int_equal(aarch64_inject_exception(&f->vcpu, &exception), AX_OK);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], esr_of(0x24, 0));
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x1000);
}

static void an_injected_serror_waits_until_the_guest_takes_it(void **state)
{
    const AxException exception = {.vector = ESR_ELX_EC_SERROR};
    Fixture *f = *state;

    assert_int_equal(aarch64_inject_exception(&f->vcpu, &exception), AX_OK);
    assert_true(f->vcpu.serror_pending);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

static void a_class_or_syndrome_that_is_none_changes_nothing(void **state)
{
    static const AxException bad[] = {
        {.vector = 64},
        {.vector = UINT32_MAX},
        {.vector = 0x25, .has_error_code = true, .error_code = UINT64_C(1) << 25},
        {.vector = 0x25, .has_error_code = true, .error_code = UINT64_MAX},
    };
    Fixture *f = *state;
    const Aarch64GuestRegs regs = f->vcpu.regs;

    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(aarch64_inject_exception(&f->vcpu, &bad[i]), AX_EINVAL);
        assert_memory_equal(&f->vcpu.regs, &regs, sizeof(regs));
        assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0);
    }
}

static void a_reflected_exception_keeps_its_syndrome(void **state)
{
    Fixture *f = *state;

    f->vcpu.syndrome = (Aarch64Syndrome){.esr = esr_of(0x26, 0) | AX_MASK(63, 32), .far = 0x1234};
    aarch64_reflect_sync(&f->vcpu);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], esr_of(0x26, 0));
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_source_has_its_vector, fixture_reset),
        cmocka_unit_test_setup(the_handler_starts_with_the_state_of_the_architecture,
                               fixture_reset),
        cmocka_unit_test_setup(an_exception_saves_where_it_came_from, fixture_reset),
        cmocka_unit_test_setup(an_undefined_instruction_has_class_zero, fixture_reset),
        cmocka_unit_test_setup(the_registers_of_a_bound_vcpu_are_those_of_the_cpu, fixture_reset),
        cmocka_unit_test_setup(an_abort_tells_what_the_access_was, fixture_reset),
        cmocka_unit_test_setup(a_16_bit_instruction_keeps_its_length, fixture_reset),
        cmocka_unit_test_setup(every_class_can_be_injected, fixture_reset),
        cmocka_unit_test_setup(an_injected_abort_at_el0_is_from_a_lower_level, fixture_reset),
        cmocka_unit_test_setup(an_injected_serror_waits_until_the_guest_takes_it, fixture_reset),
        cmocka_unit_test_setup(a_class_or_syndrome_that_is_none_changes_nothing, fixture_reset),
        cmocka_unit_test_setup(a_reflected_exception_keeps_its_syndrome, fixture_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
