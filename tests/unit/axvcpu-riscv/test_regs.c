// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

static RISCVFixture f;

static int start(void **state)
{
    (void)state;
    fixture_start_free(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static uint64_t get(AxRegId reg)
{
    uint64_t value = UINT64_C(0xdeaddeaddeaddead);

    assert_int_equal(riscv_get_reg(&f.vcpu, reg, &value), AX_OK);
    return value;
}

static void set(AxRegId reg, uint64_t value)
{
    assert_int_equal(riscv_set_reg(&f.vcpu, reg, value), AX_OK);
}

// A value that register may hold, different from one to the next where it can be.
static uint64_t legal_value(AxRegId reg, uint32_t n)
{
    switch (reg) {
    case RISCV_REG_MODE: return 0;
    case RISCV_REG_SYS(RISCV_VSSTATUS): return SSTATUS_UXL_64 | SSTATUS_SUM;
    case RISCV_REG_SYS(RISCV_VSIE): return SIP_STIP;
    case RISCV_REG_HVIP: return HIP_VSSIP;
    case RISCV_REG_FCSR: return 0xe5;
    default: return n * UINT64_C(0x10002) + 4;
    }
}

static void the_ids_are_all_different_and_known(void **state)
{
    const AxArchVCpuOps *ops = &riscv_vcpu_ops;

    (void)state;
    assert_ptr_equal(ops->reg_ids, riscv_reg_ids);
    assert_true(ops->reg_id_count > 31 + 2 + RISCV_SYSREG_COUNT + 32);
    for (size_t i = 0; i < ops->reg_id_count; i++) {
        get(ops->reg_ids[i]);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(ops->reg_ids[i], ops->reg_ids[k]);
        }
    }
}

static void write_all(void)
{
    for (uint32_t i = 0; i < RISCV_REG_ID_COUNT; i++) {
        set(riscv_reg_ids[i], legal_value(riscv_reg_ids[i], i));
    }
}

static void check_all(void)
{
    for (uint32_t i = 0; i < RISCV_REG_ID_COUNT; i++) {
        if (get(riscv_reg_ids[i]) != legal_value(riscv_reg_ids[i], i)) {
            fail_msg("register id 0x%x", riscv_reg_ids[i]);
        }
    }
}

static void each_register_keeps_its_value_while_not_bound(void **state)
{
    (void)state;
    write_all();
    check_all();
}

static void each_register_keeps_its_value_while_bound(void **state)
{
    (void)state;
    fixture_bind(&f);
    write_all();
    check_all();
}

static void each_register_survives_bind_and_unbind(void **state)
{
    (void)state;
    write_all();
    fixture_bind(&f);
    check_all();
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    check_all();
}

static void a_bound_vcpus_registers_come_from_hardware(void **state)
{
    (void)state;
    fixture_bind(&f);
    rv_sim.reg[RV_REG_VSSCRATCH] = 0x42;
    assert_int_equal(get(RISCV_REG_SYS(RISCV_VSSCRATCH)), 0x42);
    set(RISCV_REG_SYS(RISCV_VSSCRATCH), 0x43);
    assert_int_equal(rv_sim.reg[RV_REG_VSSCRATCH], 0x43);
}

static void a_bound_vcpus_fp_is_changed_in_hardware(void **state)
{
    (void)state;
    fixture_bind(&f);
    rv_sim.f[3] = 33;
    rv_sim.f[4] = 44;
    rv_sim.fcsr = 5;
    assert_int_equal(get(RISCV_REG_F(3)), 33);
    assert_int_equal(get(RISCV_REG_FCSR), 5);
    set(RISCV_REG_F(3), 34);
    assert_int_equal(rv_sim.f[3], 34);
    assert_int_equal(rv_sim.f[4], 44);
    set(RISCV_REG_FCSR, 0xff);
    assert_int_equal(rv_sim.fcsr, 0xff);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(get(RISCV_REG_F(3)), 34);
    assert_int_equal(get(RISCV_REG_F(4)), 44);
    assert_int_equal(get(RISCV_REG_FCSR), 0xff);
}

static void general_names_are_the_same_registers(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < AX_REG_ARG_MAX; n++) {
        set(AX_REG_ARG(n), 100 + n);
        assert_int_equal(get(AX_REG_GPR(10 + n)), 100 + n);
    }
    set(AX_REG_RETURN, 7);
    assert_int_equal(f.vcpu.regs.x[10], 7);
    set(AX_REG_SP, 0x3000);
    assert_int_equal(f.vcpu.regs.x[2], 0x3000);
    assert_int_equal(get(AX_REG_SP), 0x3000);
    assert_int_equal(get(AX_REG_RETURN), 7);
    set(AX_REG_PC, 0x1002);
    assert_int_equal(f.vcpu.regs.pc, 0x1002);
}

// A value that it cannot hold is refused, and nothing changes.
static void values_that_a_register_cannot_hold_are_refused(void **state)
{
    static const struct {
        AxRegId reg;
        uint64_t value;
    } cases[] = {
        {AX_REG_GPR(0), 1},           {AX_REG_PC, 0x1001},          {RISCV_REG_MODE, 2},
        {RISCV_REG_MODE, UINT64_MAX}, {RISCV_REG_FCSR, 0x100},      {RISCV_REG_FCSR, UINT64_MAX},
        {RISCV_REG_HVIP, AX_BIT(0)},  {RISCV_REG_HVIP, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t before = get(cases[i].reg);

        assert_int_equal(riscv_set_reg(&f.vcpu, cases[i].reg, cases[i].value), AX_EINVAL);
        assert_int_equal(get(cases[i].reg), before);
    }
}

// HS mode is what must not come out of a snapshot.
static void the_mode_is_user_or_supervisor_of_a_guest(void **state)
{
    (void)state;
    assert_int_equal(get(RISCV_REG_MODE), 1);
    set(RISCV_REG_MODE, 0);
    assert_false(riscv_guest_is_supervisor(&f.vcpu));
    assert_int_equal(f.vcpu.hstatus & HSTATUS_SPV, HSTATUS_SPV);
    set(RISCV_REG_MODE, 1);
    assert_int_equal(f.vcpu.hstatus & HSTATUS_SPV, HSTATUS_SPV);
}

static bool is_second_name(AxRegId reg)
{
    return reg == AX_REG_GPR(0) || reg == AX_REG_SP || reg == AX_REG_RETURN ||
           (reg >= AX_REG_ARG(0) && reg < AX_REG_ARG(AX_REG_ARG_MAX));
}

static bool is_listed(AxRegId reg)
{
    for (size_t i = 0; i < RISCV_REG_ID_COUNT; i++) {
        if (riscv_reg_ids[i] == reg) {
            return true;
        }
    }
    return false;
}

static void every_other_number_is_unknown(void **state)
{
    (void)state;
    for (AxRegId reg = 0; reg < 0x400; reg++) {
        uint64_t value = 1;

        if (is_listed(reg) || is_second_name(reg)) {
            continue;
        }
        assert_int_equal(riscv_get_reg(&f.vcpu, reg, &value), AX_ENOENT);
        assert_int_equal(value, 1);
        assert_int_equal(riscv_set_reg(&f.vcpu, reg, 0), AX_ENOENT);
    }
    assert_int_equal(riscv_set_reg(&f.vcpu, UINT32_MAX, 0), AX_ENOENT);
}

static void register_0_is_the_zero_register(void **state)
{
    (void)state;
    riscv_set_x(&f.vcpu, 0, 5);
    assert_int_equal(riscv_x(&f.vcpu, 0), 0);
    riscv_set_x(&f.vcpu, 32, 5);
    assert_int_equal(riscv_x(&f.vcpu, 0), 0);
    riscv_set_x(&f.vcpu, 31, 6);
    assert_int_equal(riscv_x(&f.vcpu, 31), 6);
    assert_int_equal(f.vcpu.regs.pc, ENTRY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_ids_are_all_different_and_known),
        TEST(each_register_keeps_its_value_while_not_bound),
        TEST(each_register_keeps_its_value_while_bound),
        TEST(each_register_survives_bind_and_unbind),
        TEST(a_bound_vcpus_registers_come_from_hardware),
        TEST(a_bound_vcpus_fp_is_changed_in_hardware),
        TEST(general_names_are_the_same_registers),
        TEST(values_that_a_register_cannot_hold_are_refused),
        TEST(the_mode_is_user_or_supervisor_of_a_guest),
        TEST(every_other_number_is_unknown),
        TEST(register_0_is_the_zero_register),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
