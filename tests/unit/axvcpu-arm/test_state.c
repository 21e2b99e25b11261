// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static ArmFixture f;

static const ArmReg hardware[AARCH64_SYSREG_COUNT] = {
#define HARDWARE(reg) [AARCH64_##reg] = ARM_REG_##reg,
    AARCH64_EL1_REGS(HARDWARE)
#undef HARDWARE
};

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

static uint64_t value_for(unsigned n, unsigned salt)
{
    return UINT64_C(0x0101010101010101) * salt + n;
}

static void bind_moves_each_el1_register_into_hardware(void **state)
{
    (void)state;
    for (unsigned n = 0; n < AARCH64_SYSREG_COUNT; n++) {
        f.vcpu.sys[n] = value_for(n, 3);
    }
    fixture_bind(&f);
    for (unsigned n = 0; n < AARCH64_SYSREG_COUNT; n++) {
        assert_int_equal(arm_sim.reg[hardware[n]], value_for(n, 3));
        assert_int_equal(arm_sim.writes[hardware[n]], 1);
    }
}

static void unbind_moves_each_el1_register_into_memory(void **state)
{
    (void)state;
    fixture_bind(&f);
    for (unsigned n = 0; n < AARCH64_SYSREG_COUNT; n++) {
        arm_sim.reg[hardware[n]] = value_for(n, 5);
    }
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    for (unsigned n = 0; n < AARCH64_SYSREG_COUNT; n++) {
        assert_int_equal(f.vcpu.sys[n], value_for(n, 5));
    }
}

// The registers are listed twice, for storage and for hardware: no two may be mixed up.
static void each_register_has_hardware_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < AARCH64_SYSREG_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_int_not_equal(hardware[a], hardware[b]);
        }
    }
}

static void a_register_is_found_where_it_lives(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        for (unsigned n = 0; n < AARCH64_SYSREG_COUNT; n++) {
            const uint64_t value = value_for(n, 7 + (unsigned)bound);

            aarch64_sysreg_set(&f.vcpu, (Aarch64SysReg)n, value);
            assert_int_equal(aarch64_sysreg_get(&f.vcpu, (Aarch64SysReg)n), value);
            assert_int_equal(arm_sim.reg[hardware[n]] == value, bound);
        }
        if (!bound) {
            assert_int_equal(arm_sim.log_count, 0);
            fixture_bind(&f);
        }
    }
}

static void a_register_beyond_the_list_reads_0_and_ignores_writes(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        const size_t logged = arm_sim.log_count;

        aarch64_sysreg_set(&f.vcpu, AARCH64_SYSREG_COUNT, 1);
        assert_int_equal(aarch64_sysreg_get(&f.vcpu, AARCH64_SYSREG_COUNT), 0);
        assert_int_equal(arm_sim.log_count, logged);
        if (!bound) {
            fixture_bind(&f);
        }
    }
}

static void implementation_defined_registers_keep_what_the_cpu_came_up_with(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_ACTLR_EL1] = 0x1234;
    arm_sim.reg[ARM_REG_AMAIR_EL1] = 0x5678;
    assert_int_equal(aarch64_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.sys[AARCH64_ACTLR_EL1], 0x1234);
    assert_int_equal(f.vcpu.sys[AARCH64_AMAIR_EL1], 0x5678);
}

static void a_virtual_serror_survives_unbind_until_the_guest_took_it(void **state)
{
    (void)state;
    aarch64_hcr_set(&f.vcpu, HCR_EL2_VSE);
    assert_int_equal(arm_sim.writes[ARM_REG_HCR_EL2], 0);
    fixture_bind(&f);
    assert_int_not_equal(arm_sim.reg[ARM_REG_HCR_EL2] & HCR_EL2_VSE, 0);
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_not_equal(f.vcpu.hcr & HCR_EL2_VSE, 0);

    fixture_bind(&f);
    arm_sim.reg[ARM_REG_HCR_EL2] &= ~HCR_EL2_VSE; // hardware, when it was taken
    aarch64_hcr_set(&f.vcpu, 0);
    assert_int_equal(arm_sim.reg[ARM_REG_HCR_EL2] & HCR_EL2_VSE, 0);
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.hcr & HCR_EL2_VSE, 0);
    assert_int_equal(f.vcpu.hcr & ~HCR_EL2_VSE, aarch64_hcr_base() | HCR_EL2_TWI);
}

// MDE would turn on the host's breakpoints.
static void single_steps_of_the_guest_act_and_nothing_else_of_mdscr(void **state)
{
    (void)state;
    aarch64_mdscr_set(&f.vcpu, UINT64_MAX);
    assert_int_equal(arm_sim.writes[ARM_REG_MDSCR_EL1], 0);
    fixture_bind(&f);
    assert_int_equal(arm_sim.reg[ARM_REG_MDSCR_EL1], MDSCR_EL1_SS | MDSCR_EL1_KDE);
    aarch64_mdscr_set(&f.vcpu, ~MDSCR_EL1_SS);
    assert_int_equal(arm_sim.reg[ARM_REG_MDSCR_EL1], MDSCR_EL1_KDE);
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(arm_sim.reg[ARM_REG_MDSCR_EL1], 0);
    assert_int_equal(f.vcpu.mdscr, ~MDSCR_EL1_SS);
}

static void fp_traps_until_it_is_used(void **state)
{
    (void)state;
    fixture_bind(&f);
    assert_int_equal(aarch64_cptr(&f.vcpu) & CPTR_EL2_TFP, CPTR_EL2_TFP);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_LOAD], 0);
    f.vcpu.fp.q[7][1] = 77;
    f.vcpu.fp.fpcr = 8;
    aarch64_fp_use(&f.vcpu);
    assert_int_equal(arm_sim.q[7][1], 77);
    assert_int_equal(arm_sim.fpcr, 8);
    assert_int_equal(arm_sim.reg[ARM_REG_CPTR_EL2] & CPTR_EL2_TFP, 0);
}

static void sve_and_sme_trap_always(void **state)
{
    const uint64_t always = CPTR_EL2_TZ | CPTR_EL2_TSM | CPTR_EL2_TTA;

    (void)state;
    fixture_bind(&f);
    assert_int_equal(aarch64_cptr(&f.vcpu) & always, always);
    aarch64_fp_use(&f.vcpu);
    assert_int_equal(aarch64_cptr(&f.vcpu) & always, always);
}

static void unused_fp_is_not_saved(void **state)
{
    (void)state;
    fixture_bind(&f);
    memset(arm_sim.q, 0xbb, sizeof(arm_sim.q)); // somebody else's
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_SAVE], 0);
    assert_int_equal(f.vcpu.fp.q[0][0], 0);
}

// FP accesses of the hypervisor would trap under the host's CPTR_EL2.
static void used_fp_is_saved_with_the_trap_open_and_the_hosts_put_back(void **state)
{
    (void)state;
    fixture_bind(&f);
    aarch64_fp_use(&f.vcpu);
    memset(arm_sim.q, 0xcc, sizeof(arm_sim.q));
    arm_sim.fpsr = 3;
    arm_sim.reg[ARM_REG_CPTR_EL2] = CPTR_EL2_RES1 | CPTR_EL2_TFP;
    arm_sim_clear_log();
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.fp.q[31][1], UINT64_C(0xcccccccccccccccc));
    assert_int_equal(f.vcpu.fp.fpsr, 3);
    assert_false(f.vcpu.fp_loaded);
    assert_int_equal(arm_sim.reg[ARM_REG_CPTR_EL2], CPTR_EL2_RES1 | CPTR_EL2_TFP);
    assert_int_equal(arm_sim.log[1].op, ARM_SIM_WRITE);
    assert_int_equal(arm_sim.log[1].reg, ARM_REG_CPTR_EL2);
    assert_int_equal(arm_sim.log[1].value & CPTR_EL2_TFP, 0);
    assert_int_equal(arm_sim.log[2].op, ARM_SIM_ISB);
    assert_int_equal(arm_sim.log[3].op, ARM_SIM_FP_SAVE);
}

static void fp_of_two_vcpus_does_not_mix(void **state)
{
    static Aarch64VCpu other;

    (void)state;
    fixture_create_vcpu(&f, &other, 1);
    fixture_setup_vcpu(&f, &other);
    fixture_bind(&f);
    aarch64_fp_use(&f.vcpu);
    memset(arm_sim.q, 0x11, sizeof(arm_sim.q));
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);

    assert_int_equal(aarch64_vcpu_ops.bind(&other, &f.percpu), AX_OK);
    assert_int_equal(aarch64_cptr(&other) & CPTR_EL2_TFP, CPTR_EL2_TFP);
    aarch64_fp_use(&other);
    assert_int_equal(arm_sim.q[0][0], 0);
    assert_int_equal(aarch64_vcpu_ops.unbind(&other), AX_OK);

    fixture_bind(&f);
    aarch64_fp_use(&f.vcpu);
    assert_int_equal(arm_sim.q[0][0], UINT64_C(0x1111111111111111));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bind_moves_each_el1_register_into_hardware),
        TEST(unbind_moves_each_el1_register_into_memory),
        TEST(each_register_has_hardware_of_its_own),
        TEST(a_register_is_found_where_it_lives),
        TEST(a_register_beyond_the_list_reads_0_and_ignores_writes),
        TEST(implementation_defined_registers_keep_what_the_cpu_came_up_with),
        TEST(a_virtual_serror_survives_unbind_until_the_guest_took_it),
        TEST(single_steps_of_the_guest_act_and_nothing_else_of_mdscr),
        TEST(fp_traps_until_it_is_used),
        TEST(sve_and_sme_trap_always),
        TEST(unused_fp_is_not_saved),
        TEST(used_fp_is_saved_with_the_trap_open_and_the_hosts_put_back),
        TEST(fp_of_two_vcpus_does_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
