// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static void set(ArmReg reg, uint64_t mask, uint64_t field)
{
    arm_sim.reg[reg] = (arm_sim.reg[reg] & ~mask) | ax_put(field, mask);
}

static int start(void **state)
{
    (void)state;
    arm_sim_reset();
    return 0;
}

static void a_cortex_a72_at_el2_is_accepted(void **state)
{
    const char *reason = "untouched";

    (void)state;
    assert_int_equal(aarch64_hardware_check(&reason), AX_OK);
    assert_string_equal(reason, "untouched");
    assert_int_equal(aarch64_hardware_check(NULL), AX_OK);
}

static void each_lack_is_refused_with_its_own_reason(void **state)
{
    static const struct {
        ArmReg reg;
        uint64_t mask;
        uint64_t field;
        AxError error;
        const char *word;
    } cases[] = {
        {ARM_REG_ID_AA64PFR0_EL1, ID_AA64PFR0_EL1_EL2, 0, AX_ENOHW, "EL2"},
        {ARM_REG_CurrentEL, CURRENTEL_EL, 0, AX_EPRIVILEGE, "at EL2"},
        {ARM_REG_CurrentEL, CURRENTEL_EL, 1, AX_EPRIVILEGE, "at EL2"},
        {ARM_REG_CurrentEL, CURRENTEL_EL, 3, AX_EPRIVILEGE, "at EL2"},
        {ARM_REG_HCR_EL2, HCR_EL2_E2H, 1, AX_ENOTSUP, "E2H"},
        {ARM_REG_ID_AA64PFR0_EL1, ID_AA64PFR0_EL1_EL1, 0, AX_ENOTSUP, "EL1"},
        {ARM_REG_ID_AA64PFR0_EL1, ID_AA64PFR0_EL1_GIC, 0, AX_ENOTSUP, "GICv3"},
        {ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_TGRAN4, 0xf, AX_ENOTSUP, "4 KiB"},
        {ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_TGRAN4_2, 1, AX_ENOTSUP, "4 KiB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = "";

        arm_sim_reset();
        set(cases[i].reg, cases[i].mask, cases[i].field);
        assert_int_equal(aarch64_hardware_check(&reason), cases[i].error);
        assert_non_null(strstr(reason, cases[i].word));
        assert_int_equal(aarch64_hardware_check(NULL), cases[i].error);
    }
}

// HCR_EL2 cannot be read below EL2: the read itself would be undefined.
static void a_host_below_el2_reads_no_el2_register(void **state)
{
    (void)state;
    set(ARM_REG_CurrentEL, CURRENTEL_EL, 1);
    assert_int_equal(aarch64_hardware_check(NULL), AX_EPRIVILEGE);
    assert_int_equal(arm_sim.reads[ARM_REG_HCR_EL2], 0);
}

static void the_stage_2_granule_overrides_that_of_stage_1(void **state)
{
    (void)state;
    for (uint64_t field = 0; field < 16; field++) {
        for (uint64_t stage1 = 0; stage1 < 16; stage1++) {
            const bool there = field == 0 ? stage1 != 0xf : field != 1;

            set(ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_TGRAN4_2, field);
            set(ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_TGRAN4, stage1);
            assert_int_equal(aarch64_hardware_check(NULL), there ? AX_OK : AX_ENOTSUP);
        }
    }
}

static void address_sizes_above_48_bits_are_not_used(void **state)
{
    static const uint8_t bits[16] = {32, 36, 40, 42, 44, 48, 48, 48,
                                     48, 48, 48, 48, 48, 48, 48, 48};
    Aarch64Features features;

    (void)state;
    for (uint64_t range = 0; range < 16; range++) {
        set(ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_PARANGE, range);
        aarch64_features_read(&features);
        assert_int_equal(features.pa_bits, bits[range]);
    }
}

static void vmids_have_16_bits_only_when_the_field_says_so(void **state)
{
    Aarch64Features features;

    (void)state;
    for (uint64_t field = 0; field < 16; field++) {
        set(ARM_REG_ID_AA64MMFR1_EL1, ID_AA64MMFR1_EL1_VMIDBITS, field);
        aarch64_features_read(&features);
        assert_int_equal(features.vmid_bits, field == 2 ? 16 : 8);
    }
}

static void the_list_registers_are_counted_and_never_more_than_16(void **state)
{
    Aarch64Features features;

    (void)state;
    for (uint64_t field = 0; field < 32; field++) {
        set(ARM_REG_ICH_VTR_EL2, ICH_VTR_LISTREGS, field);
        aarch64_features_read(&features);
        assert_int_equal(features.lr_count, field < 16 ? field + 1 : 16);
    }
}

static void active_priority_registers_follow_the_preemption_bits(void **state)
{
    static const uint8_t registers[8] = {1, 1, 1, 1, 1, 2, 4, 4};
    Aarch64Features features;

    (void)state;
    for (uint64_t field = 0; field < 8; field++) {
        set(ARM_REG_ICH_VTR_EL2, ICH_VTR_PREBITS, field);
        aarch64_features_read(&features);
        assert_int_equal(features.apr_count, registers[field]);
    }
}

static void extensions_are_seen_one_by_one(void **state)
{
    static const struct {
        ArmReg reg;
        uint64_t mask;
        size_t flag;
    } cases[] = {
        {ARM_REG_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_FGT, offsetof(Aarch64Features, has_fgt)},
        {ARM_REG_ID_AA64MMFR1_EL1, ID_AA64MMFR1_EL1_HCX, offsetof(Aarch64Features, has_hcx)},
    };
    const size_t count = sizeof(cases) / sizeof(cases[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        Aarch64Features features;

        arm_sim_reset();
        set(cases[i].reg, cases[i].mask, 1);
        aarch64_features_read(&features);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(*((const bool *)&features + cases[k].flag), k == i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_cortex_a72_at_el2_is_accepted, start),
        cmocka_unit_test_setup(each_lack_is_refused_with_its_own_reason, start),
        cmocka_unit_test_setup(a_host_below_el2_reads_no_el2_register, start),
        cmocka_unit_test_setup(the_stage_2_granule_overrides_that_of_stage_1, start),
        cmocka_unit_test_setup(address_sizes_above_48_bits_are_not_used, start),
        cmocka_unit_test_setup(vmids_have_16_bits_only_when_the_field_says_so, start),
        cmocka_unit_test_setup(the_list_registers_are_counted_and_never_more_than_16, start),
        cmocka_unit_test_setup(active_priority_registers_follow_the_preemption_bits, start),
        cmocka_unit_test_setup(extensions_are_seen_one_by_one, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
