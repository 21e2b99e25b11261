// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

static int start(void **state)
{
    (void)state;
    x86_sim_reset();
    return 0;
}

static void a_processor_with_svm_and_nested_paging_can_host(void **state)
{
    (void)state;
    assert_int_equal(x86_hardware_check(NULL), AX_OK);
    assert_ptr_equal(x86_vendor(), &svm_vendor);
}

static void no_svm(void)
{
    x86_sim_leaf(0x80000001)->ecx &= ~UINT32_C(4);
}

static void no_leaf(void)
{
    x86_sim_leaf(0x80000000)->eax = 0x80000008;
}

static void switched_off(void)
{
    x86_sim.reg[X86_SIM_VM_CR] = VM_CR_SVMDIS;
}

static void no_nested_paging(void)
{
    x86_sim_leaf(0x8000000a)->edx = 0;
}

static void no_asids(void)
{
    x86_sim_leaf(0x8000000a)->ebx = 1;
}

static void five_levels(void)
{
    x86_sim.reg[X86_SIM_CR4] |= CR4_LA57;
}

static void what_is_missing_has_its_own_reason(void **state)
{
    static const struct {
        void (*take)(void);
        AxError error;
    } cases[] = {
        {no_svm, AX_ENOHW},           {no_leaf, AX_ENOHW},  {switched_off, AX_EFIRMWARE},
        {no_nested_paging, AX_ENOHW}, {no_asids, AX_ENOHW}, {five_levels, AX_ENOTSUP},
    };
    const char *last = "";

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = NULL;

        x86_sim_reset();
        cases[i].take();
        assert_int_equal(x86_hardware_check(&reason), cases[i].error);
        assert_non_null(reason);
        assert_string_not_equal(reason, last);
        assert_int_equal(x86_hardware_check(NULL), cases[i].error);
        last = reason;
    }
}

static void features_follow_cpuid(void **state)
{
    X86Features features;

    (void)state;
    x86_features_read(&svm_vendor, &features);
    assert_int_equal(features.tag_bits, 4);
    assert_true(features.has_xsave);
    assert_int_equal(features.xcr0, 7);
    assert_false(features.has_next_rip || features.has_clean_bits || features.has_flush_by_tag);
    x86_sim_leaf(0x8000000a)->edx |= 0x68;
    x86_sim_leaf(0x8000000a)->ebx = 0x8000;
    x86_sim_leaf(1)->ecx &= ~(UINT32_C(1) << 26);
    x86_features_read(&svm_vendor, &features);
    assert_int_equal(features.tag_bits, 15);
    assert_false(features.has_xsave);
    assert_int_equal(features.xcr0, 0);
    assert_true(features.has_next_rip && features.has_clean_bits && features.has_flush_by_tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_processor_with_svm_and_nested_paging_can_host, start),
        cmocka_unit_test_setup(what_is_missing_has_its_own_reason, start),
        cmocka_unit_test_setup(features_follow_cpuid, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
