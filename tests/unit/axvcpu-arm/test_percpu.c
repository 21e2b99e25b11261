// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static ArmFixture f;

static int start(void **state)
{
    (void)state;
    fixture_start(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// Distinct values in all registers that nothing is derived from.
static void fill_control_registers(void)
{
    static const ArmReg fixed[] = {
        ARM_REG_CurrentEL,        ARM_REG_ID_AA64PFR0_EL1,  ARM_REG_ID_AA64PFR1_EL1,
        ARM_REG_ID_AA64MMFR0_EL1, ARM_REG_ID_AA64MMFR1_EL1, ARM_REG_ICH_VTR_EL2,
        ARM_REG_HCR_EL2,
    };
    uint64_t kept[sizeof(fixed) / sizeof(fixed[0])];

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        kept[i] = arm_sim.reg[fixed[i]];
    }
    for (unsigned i = 0; i < ARM_REG_COUNT; i++) {
        arm_sim.reg[i] = UINT64_C(0x5a00000000000000) | i << 11;
    }
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        arm_sim.reg[fixed[i]] = kept[i];
    }
}

static void give_the_cpu_fgt_and_hcx(void)
{
    arm_sim.reg[ARM_REG_ID_AA64MMFR0_EL1] |= ax_put(1, ID_AA64MMFR0_EL1_FGT);
    arm_sim.reg[ARM_REG_ID_AA64MMFR1_EL1] |= ax_put(1, ID_AA64MMFR1_EL1_HCX);
}

static void disable_puts_every_register_back(void **state)
{
    uint64_t before[ARM_REG_COUNT];

    (void)state;
    for (int extended = 0; extended < 2; extended++) {
        arm_sim_reset();
        if (extended) {
            give_the_cpu_fgt_and_hcx();
        }
        fill_control_registers();
        memcpy(before, arm_sim.reg, sizeof(before));
        assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
        assert_memory_not_equal(before, arm_sim.reg, sizeof(before));
        assert_int_equal(aarch64_percpu_ops.disable(&f.percpu), AX_OK);
        for (unsigned i = 0; i < ARM_REG_COUNT; i++) {
            if (before[i] != arm_sim.reg[i]) {
                fail_msg("%s changed", arm_sim_reg_name((ArmReg)i));
            }
        }
        assert_false(f.percpu.enabled);
    }
}

static void enable_traps_what_is_not_the_guests(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_MDCR_EL2] = 6 | AX_BIT(17);
    arm_sim.reg[ARM_REG_HSTR_EL2] = 0xffff;
    arm_sim.reg[ARM_REG_MDSCR_EL1] = 1;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    assert_true(f.percpu.enabled);
    assert_int_equal(arm_sim.reg[ARM_REG_MDCR_EL2], 0x84e60 | 6);
    assert_int_equal(arm_sim.reg[ARM_REG_HSTR_EL2], 0);
    assert_int_equal(arm_sim.reg[ARM_REG_MDSCR_EL1], 0);
    assert_int_equal(arm_sim.reg[ARM_REG_VPIDR_EL2], arm_sim.reg[ARM_REG_MIDR_EL1]);
    assert_int_equal(arm_sim.reg[ARM_REG_ICC_SRE_EL2] & 9, 9);
    assert_int_equal(arm_sim.reg[ARM_REG_ICH_HCR_EL2], 0);
}

// Host code between enable and bind runs under its own HCR_EL2.
static void enable_leaves_the_hosts_own_controls_alone(void **state)
{
    static const ArmReg host[] = {ARM_REG_HCR_EL2, ARM_REG_VBAR_EL2, ARM_REG_CPTR_EL2,
                                  ARM_REG_VTTBR_EL2, ARM_REG_VTCR_EL2};

    (void)state;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    for (size_t i = 0; i < sizeof(host) / sizeof(host[0]); i++) {
        assert_int_equal(arm_sim.writes[host[i]], 0);
    }
}

static void enable_flushes_what_ran_at_el1_before(void **state)
{
    (void)state;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_ALLE1], 1);
}

static void extension_registers_are_cleared_where_they_exist(void **state)
{
    static const ArmReg regs[] = {ARM_REG_HCRX_EL2,   ARM_REG_HFGRTR_EL2,  ARM_REG_HFGWTR_EL2,
                                  ARM_REG_HFGITR_EL2, ARM_REG_HDFGRTR_EL2, ARM_REG_HDFGWTR_EL2};

    (void)state;
    give_the_cpu_fgt_and_hcx();
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        arm_sim.reg[regs[i]] = UINT64_MAX;
    }
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        assert_int_equal(arm_sim.reg[regs[i]], 0);
    }
}

// They are undefined on a CPU without the extension.
static void extension_registers_are_not_touched_where_they_do_not_exist(void **state)
{
    static const ArmReg regs[] = {ARM_REG_HCRX_EL2,   ARM_REG_HFGRTR_EL2,  ARM_REG_HFGWTR_EL2,
                                  ARM_REG_HFGITR_EL2, ARM_REG_HDFGRTR_EL2, ARM_REG_HDFGWTR_EL2};

    (void)state;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(aarch64_percpu_ops.disable(&f.percpu), AX_OK);
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        assert_int_equal(arm_sim.reads[regs[i]] + arm_sim.writes[regs[i]], 0);
    }
}

static void the_os_lock_is_open_while_enabled_and_as_before_afterwards(void **state)
{
    (void)state;
    for (uint64_t locked = 0; locked < 2; locked++) {
        arm_sim.reg[ARM_REG_OSLSR_EL1] = 8 | ax_put(locked, OSLSR_EL1_OSLK);
        assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
        assert_int_equal(arm_sim.reg[ARM_REG_OSLSR_EL1], 8);
        assert_int_equal(aarch64_percpu_ops.disable(&f.percpu), AX_OK);
        assert_int_equal(ax_get(arm_sim.reg[ARM_REG_OSLSR_EL1], OSLSR_EL1_OSLK), locked);
    }
}

static unsigned all_writes(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < ARM_REG_COUNT; i++) {
        sum += arm_sim.writes[i];
    }
    return sum;
}

static void unfit_hardware_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_HCR_EL2] = HCR_EL2_E2H;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_ENOTSUP);
    assert_int_equal(all_writes(), 0);
    assert_false(f.percpu.enabled);
}

static void refuse_sre(ArmReg reg, uint64_t value)
{
    if (reg == ARM_REG_ICC_SRE_EL2) {
        arm_sim.reg[reg] = value & ~UINT64_C(1);
    }
}

static void a_gic_interface_that_firmware_keeps_is_reported(void **state)
{
    (void)state;
    arm_sim.write_hook = refuse_sre;
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_EFIRMWARE);
    assert_int_equal(arm_sim.reads[ARM_REG_ICH_VTR_EL2], 0);
    assert_int_equal(atomic_load(&aarch64_host_vbar) & 0x7ff, 0);
    assert_false(f.percpu.enabled);
}

static void pcpus_must_share_one_vector_table(void **state)
{
    Aarch64PerCpu other;

    (void)state;
    assert_int_equal(aarch64_percpu_ops.init(&other, 1, &f.host.hal), AX_OK);
    assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(atomic_load(&aarch64_host_vbar), HOST_VBAR | 1);

    arm_sim.reg[ARM_REG_VBAR_EL2] = HOST_VBAR + 0x800;
    arm_sim_clear_log();
    assert_int_equal(aarch64_percpu_ops.enable(&other), AX_EBUSY);
    assert_int_equal(all_writes(), 0);

    arm_sim.reg[ARM_REG_VBAR_EL2] = HOST_VBAR;
    assert_int_equal(aarch64_percpu_ops.enable(&other), AX_OK);
    assert_int_equal(atomic_load(&aarch64_host_vbar), HOST_VBAR | 2);
    assert_int_equal(aarch64_percpu_ops.disable(&other), AX_OK);
    assert_int_equal(aarch64_percpu_ops.disable(&f.percpu), AX_OK);

    // All off: another table may come.
    arm_sim.reg[ARM_REG_VBAR_EL2] = HOST_VBAR + 0x800;
    assert_int_equal(aarch64_percpu_ops.enable(&other), AX_OK);
    assert_int_equal(aarch64_percpu_ops.disable(&other), AX_OK);
}

static void capabilities_follow_the_id_registers(void **state)
{
    static const struct {
        uint64_t range;
        uint64_t vmid;
        AxPerCpuCaps caps;
    } cases[] = {
        {2, 0, {.ept_levels = 3, .gpa_bits = 40, .tag_bits = 8}},
        {4, 2, {.ept_levels = 4, .gpa_bits = 44, .tag_bits = 16}},
        {6, 2, {.ept_levels = 4, .gpa_bits = 48, .tag_bits = 16}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AxPerCpuCaps caps;

        arm_sim.reg[ARM_REG_ID_AA64MMFR0_EL1] = cases[i].range;
        arm_sim.reg[ARM_REG_ID_AA64MMFR1_EL1] = ax_put(cases[i].vmid, AX_MASK(7, 4));
        assert_int_equal(aarch64_percpu_ops.enable(&f.percpu), AX_OK);
        caps = aarch64_percpu_ops.caps(&f.percpu);
        assert_memory_equal(&caps, &cases[i].caps, sizeof(caps));
        assert_int_equal(aarch64_percpu_ops.disable(&f.percpu), AX_OK);
    }
}

static void the_ops_table_is_complete(void **state)
{
    (void)state;
    assert_non_null(aarch64_percpu_ops.name);
    assert_non_null(aarch64_percpu_ops.caps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(disable_puts_every_register_back),
        TEST(enable_traps_what_is_not_the_guests),
        TEST(enable_leaves_the_hosts_own_controls_alone),
        TEST(enable_flushes_what_ran_at_el1_before),
        TEST(extension_registers_are_cleared_where_they_exist),
        TEST(extension_registers_are_not_touched_where_they_do_not_exist),
        TEST(the_os_lock_is_open_while_enabled_and_as_before_afterwards),
        TEST(unfit_hardware_is_refused_and_nothing_changes),
        TEST(a_gic_interface_that_firmware_keeps_is_reported),
        TEST(pcpus_must_share_one_vector_table),
        TEST(capabilities_follow_the_id_registers),
        TEST(the_ops_table_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
