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

// ---- VMX ----

static void a_processor_with_vmx_ept_and_unrestricted_guests_can_host(void **state)
{
    (void)state;
    x86_sim_reset_vmx();
    assert_int_equal(x86_hardware_check(NULL), AX_OK);
    assert_ptr_equal(x86_vendor(), &vmx_vendor);
    assert_ptr_equal(x86_ept_format(), &vmx_ept_format);
}

#define MAY_BE(bits) ((uint64_t)(bits) << 32)

static void what_vmx_lacks_is_named(void **state)
{
    static const struct {
        X86SimReg msr;
        uint64_t clear;
        AxError error;
        const char *reason; // says
    } cases[] = {
        {X86_SIM_FEATURE_CONTROL, FEATURE_CONTROL_VMX_OUTSIDE_SMX, AX_EFIRMWARE, "firmware"},
        {X86_SIM_VMX_TRUE_PRIMARY_CONTROLS, MAY_BE(PRIMARY_SECONDARY_CONTROLS), AX_ENOHW, "EPT"},
        {X86_SIM_VMX_SECONDARY_CONTROLS, MAY_BE(SECONDARY_EPT), AX_ENOHW, "EPT"},
        {X86_SIM_VMX_SECONDARY_CONTROLS, MAY_BE(SECONDARY_UNRESTRICTED_GUEST), AX_ENOHW,
         "unrestricted"},
        {X86_SIM_VMX_TRUE_PIN_CONTROLS, MAY_BE(PIN_VIRTUAL_NMIS), AX_ENOHW, "NMI"},
        {X86_SIM_VMX_TRUE_PRIMARY_CONTROLS, MAY_BE(PRIMARY_TPR_SHADOW), AX_ENOHW, "TPR"},
        {X86_SIM_VMX_TRUE_EXIT_CONTROLS, MAY_BE(EXIT_HOST_ADDRESS_SPACE_SIZE), AX_ENOHW, "64-bit"},
        {X86_SIM_VMX_TRUE_ENTRY_CONTROLS, MAY_BE(ENTRY_IA32E_MODE_GUEST), AX_ENOHW, "64-bit"},
        {X86_SIM_VMX_EPT_VPID_CAP, EPT_CAP_4_LEVELS, AX_ENOHW, "four levels"},
        {X86_SIM_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT, AX_ENOHW, "INVEPT"},
        {X86_SIM_VMX_EPT_VPID_CAP, EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL, AX_ENOHW, "INVEPT"},
        {X86_SIM_VMX_EPT_VPID_CAP, EPT_CAP_INVVPID, AX_ENOHW, "INVVPID"},
        {X86_SIM_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS, AX_ENOHW, "CR3"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = NULL;

        x86_sim_reset_vmx();
        x86_sim.reg[cases[i].msr] &= ~cases[i].clear;
        assert_int_equal(x86_hardware_check(&reason), cases[i].error);
        assert_non_null(strstr(reason, cases[i].reason));
        assert_int_equal(x86_hardware_check(NULL), cases[i].error);
    }
}

static void an_unlocked_feature_control_is_good(void **state)
{
    (void)state;
    x86_sim_reset_vmx();
    x86_sim.reg[X86_SIM_FEATURE_CONTROL] = 0;
    assert_int_equal(x86_hardware_check(NULL), AX_OK);
}

static void without_either_extension_the_reason_names_both(void **state)
{
    const char *reason = NULL;

    (void)state;
    x86_sim_reset_vmx();
    x86_sim_leaf(1)->ecx &= ~UINT32_C(0x20);
    assert_null(x86_vendor());
    assert_int_equal(x86_hardware_check(&reason), AX_ENOHW);
    assert_non_null(strstr(reason, "SVM"));
    assert_non_null(strstr(reason, "VMX"));
}

static void features_of_vmx_follow_the_capabilities(void **state)
{
    X86Features features;

    (void)state;
    x86_sim_reset_vmx();
    x86_features_read(&vmx_vendor, &features);
    assert_int_equal(features.tag_bits, 16);
    assert_true(features.has_flush_by_tag && features.has_next_rip);
    assert_true((features.controls.secondary & SECONDARY_VPID) != 0);
    x86_sim.reg[X86_SIM_VMX_SECONDARY_CONTROLS] &= ~MAY_BE(SECONDARY_VPID);
    x86_sim.reg[X86_SIM_VMX_CR4_FIXED1] &= ~CR4_SMAP;
    x86_features_read(&vmx_vendor, &features);
    assert_false(features.has_flush_by_tag);
    assert_int_equal(features.cr4 & CR4_SMAP, 0);
}

static void features_follow_cpuid(void **state)
{
    X86Features features;

    (void)state;
    x86_features_read(&svm_vendor, &features);
    assert_int_equal(features.tag_bits, 4);
    assert_int_equal(features.physical_bits, x86_sim_leaf(0x80000008)->eax & 0xff);
    assert_true(features.has_1g_pages);
    assert_true(features.has_xsave);
    assert_int_equal(features.xcr0, 7);
    assert_false(features.has_next_rip || features.has_clean_bits || features.has_flush_by_tag);
    x86_sim_leaf(0x8000000a)->edx |= 0x68;
    x86_sim_leaf(0x8000000a)->ebx = 0x8000;
    x86_sim_leaf(1)->ecx &= ~(UINT32_C(1) << 26);
    x86_sim_leaf(0x80000001)->edx &= ~(UINT32_C(1) << 26);
    x86_features_read(&svm_vendor, &features);
    assert_int_equal(features.tag_bits, 15);
    assert_false(features.has_1g_pages);
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
        cmocka_unit_test_setup(a_processor_with_vmx_ept_and_unrestricted_guests_can_host, start),
        cmocka_unit_test_setup(what_vmx_lacks_is_named, start),
        cmocka_unit_test_setup(an_unlocked_feature_control_is_good, start),
        cmocka_unit_test_setup(without_either_extension_the_reason_names_both, start),
        cmocka_unit_test_setup(features_of_vmx_follow_the_capabilities, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
