// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static ArmFixture f;

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

    assert_int_equal(aarch64_get_reg(&f.vcpu, reg, &value), AX_OK);
    return value;
}

static void set(AxRegId reg, uint64_t value)
{
    assert_int_equal(aarch64_set_reg(&f.vcpu, reg, value), AX_OK);
}

// A value that register may hold, different from one to the next.
static uint64_t legal_value(AxRegId reg, uint32_t n)
{
    if (reg == AARCH64_REG_PSTATE) {
        return PSTATE_M_EL1T | PSTATE_I | ax_put(n, PSTATE_NZCV);
    }
    if (reg == AARCH64_REG_CNTV_CTL || reg == AARCH64_REG_CNTP_CTL) {
        return CNT_CTL_ENABLE | CNT_CTL_IMASK;
    }
    if (reg == AARCH64_REG_ICH_VMCR) {
        return AX_BIT(1) | ax_put(n, AX_MASK(31, 24));
    }
    if (reg >= AARCH64_REG_ICH_LR(0)) {
        return 0;
    }
    if (reg >= AARCH64_REG_ICH_AP0R(1) && reg <= AARCH64_REG_ICH_AP1R(3) &&
        reg != AARCH64_REG_ICH_AP1R(0)) {
        return 0; // not on this CPU
    }
    return n * UINT64_C(0x10001) + 4;
}

static void the_ids_are_all_different_and_known(void **state)
{
    const AxArchVCpuOps *ops = &aarch64_vcpu_ops;

    (void)state;
    assert_ptr_equal(ops->reg_ids, aarch64_reg_ids);
    assert_true(ops->reg_id_count > 31 + 2 + AARCH64_SYSREG_COUNT + 64);
    for (size_t i = 0; i < ops->reg_id_count; i++) {
        get(ops->reg_ids[i]);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(ops->reg_ids[i], ops->reg_ids[k]);
        }
    }
}

static void write_all(void)
{
    for (uint32_t i = 0; i < AARCH64_REG_ID_COUNT; i++) {
        set(aarch64_reg_ids[i], legal_value(aarch64_reg_ids[i], i));
    }
}

static void check_all(void)
{
    for (uint32_t i = 0; i < AARCH64_REG_ID_COUNT; i++) {
        if (get(aarch64_reg_ids[i]) != legal_value(aarch64_reg_ids[i], i)) {
            fail_msg("register id 0x%x", aarch64_reg_ids[i]);
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
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    check_all();
}

static void a_bound_vcpus_registers_come_from_hardware(void **state)
{
    (void)state;
    fixture_bind(&f);
    arm_sim.reg[ARM_REG_TTBR0_EL1] = 0x42;
    assert_int_equal(get(AARCH64_REG_SYS(AARCH64_TTBR0_EL1)), 0x42);
    set(AARCH64_REG_SYS(AARCH64_TTBR0_EL1), 0x43);
    assert_int_equal(arm_sim.reg[ARM_REG_TTBR0_EL1], 0x43);
}

static void loaded_fp_comes_from_hardware_and_goes_back_at_the_next_use(void **state)
{
    (void)state;
    fixture_bind(&f);
    aarch64_fp_use(&f.vcpu);
    arm_sim.q[3][1] = 33;
    arm_sim.q[4][0] = 44;
    arm_sim.fpsr = 5;
    assert_int_equal(get(AARCH64_REG_Q_HIGH(3)), 33);
    assert_int_equal(get(AARCH64_REG_FPSR), 5);
    assert_true(f.vcpu.fp_loaded);
    set(AARCH64_REG_Q_HIGH(3), 34);
    assert_false(f.vcpu.fp_loaded);
    aarch64_fp_use(&f.vcpu);
    assert_int_equal(arm_sim.q[3][1], 34);
    assert_int_equal(arm_sim.q[4][0], 44);
}

static void general_names_are_the_same_registers(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < AX_REG_ARG_MAX; n++) {
        set(AX_REG_ARG(n), 100 + n);
        assert_int_equal(get(AX_REG_GPR(n)), 100 + n);
    }
    set(AX_REG_RETURN, 7);
    assert_int_equal(f.vcpu.regs.x[0], 7);
    set(AX_REG_PC, 0x1001);
    assert_int_equal(f.vcpu.regs.pc, 0x1001);
}

static void the_stack_pointer_is_the_one_in_use(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        set(AARCH64_REG_SYS(AARCH64_SP_EL0), 0x1000);
        set(AARCH64_REG_SYS(AARCH64_SP_EL1), 0x2000);
        set(AARCH64_REG_PSTATE, PSTATE_M_EL1H);
        assert_int_equal(get(AX_REG_SP), 0x2000);
        set(AARCH64_REG_PSTATE, PSTATE_M_EL1T);
        assert_int_equal(get(AX_REG_SP), 0x1000);
        set(AARCH64_REG_PSTATE, PSTATE_M_EL0T);
        set(AX_REG_SP, 0x3000);
        assert_int_equal(get(AARCH64_REG_SYS(AARCH64_SP_EL0)), 0x3000);
        assert_int_equal(get(AARCH64_REG_SYS(AARCH64_SP_EL1)), 0x2000);
        if (!bound) {
            fixture_bind(&f);
        }
    }
}

// A guest at EL2, or an illegal return, is what must not come out of a snapshot.
static void pstate_leads_to_el0_or_el1_only(void **state)
{
    (void)state;
    for (uint64_t mode = 0; mode < 32; mode++) {
        const bool good = mode == 0 || mode == 4 || mode == 5 || mode == 0x10;
        const AxError error = aarch64_set_reg(&f.vcpu, AARCH64_REG_PSTATE, mode | PSTATE_F);

        assert_int_equal(error, good ? AX_OK : AX_EINVAL);
        assert_int_equal(f.vcpu.regs.pstate == (mode | PSTATE_F), good);
    }
    for (unsigned bit = 26; bit < 64; bit++) {
        const AxError error = aarch64_set_reg(&f.vcpu, AARCH64_REG_PSTATE,
                                              AX_BIT(bit) | PSTATE_M_EL1H);

        assert_int_equal(error, bit >= 28 && bit < 32 ? AX_OK : AX_EINVAL);
    }
    assert_int_equal(aarch64_set_reg(&f.vcpu, AARCH64_REG_PSTATE, AX_BIT(32) | 0x10), AX_EINVAL);
}

static void fp_control_registers_have_32_bits(void **state)
{
    (void)state;
    assert_int_equal(aarch64_set_reg(&f.vcpu, AARCH64_REG_FPCR, AX_BIT(32)), AX_EINVAL);
    assert_int_equal(aarch64_set_reg(&f.vcpu, AARCH64_REG_FPSR, AX_BIT(63)), AX_EINVAL);
    assert_int_equal(get(AARCH64_REG_FPCR), 0);
}

static bool is_second_name(AxRegId reg)
{
    return reg == AX_REG_SP || reg == AX_REG_RETURN ||
           (reg >= AX_REG_ARG(0) && reg < AX_REG_ARG(AX_REG_ARG_MAX));
}

static bool is_listed(AxRegId reg)
{
    for (size_t i = 0; i < AARCH64_REG_ID_COUNT; i++) {
        if (aarch64_reg_ids[i] == reg) {
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
        assert_int_equal(aarch64_get_reg(&f.vcpu, reg, &value), AX_ENOENT);
        assert_int_equal(value, 1);
        assert_int_equal(aarch64_set_reg(&f.vcpu, reg, 0), AX_ENOENT);
    }
    assert_int_equal(aarch64_set_reg(&f.vcpu, UINT32_MAX, 0), AX_ENOENT);
}

static void register_31_is_the_zero_register(void **state)
{
    (void)state;
    aarch64_set_x(&f.vcpu, 31, 5);
    assert_int_equal(aarch64_x(&f.vcpu, 31), 0);
    assert_int_equal(f.vcpu.regs.pc, 0x40000000);
    aarch64_set_x(&f.vcpu, 30, 6);
    assert_int_equal(aarch64_x(&f.vcpu, 30), 6);
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
        TEST(loaded_fp_comes_from_hardware_and_goes_back_at_the_next_use),
        TEST(general_names_are_the_same_registers),
        TEST(the_stack_pointer_is_the_one_in_use),
        TEST(pstate_leads_to_el0_or_el1_only),
        TEST(fp_control_registers_have_32_bits),
        TEST(every_other_number_is_unknown),
        TEST(register_31_is_the_zero_register),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
