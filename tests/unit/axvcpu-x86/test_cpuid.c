// SPDX-License-Identifier: Apache-2.0
// What guests see of CPUID: nothing that does not work in a guest, whatever the host has.
#include "x86_fixture.h"

#define BIT32(n) (UINT32_C(1) << (n))

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound_as(&f, 3);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static X86CpuidResult cpuid(uint32_t leaf, uint32_t subleaf)
{
    return x86_guest_cpuid(&f.vcpu, leaf, subleaf);
}

// A host that has all there is.
static void promise_everything(void)
{
    static const uint32_t leaves[] = {0x1, 0x7, 0x80000001, 0x80000007};

    for (size_t i = 0; i < COUNT(leaves); i++) {
        *x86_sim_leaf(leaves[i]) = (X86CpuidResult){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    }
    x86_sim_leaf(0xd)->eax = UINT32_MAX;
    if (fixture_is_vmx) {
        x86_sim_leaf(0x80000001)->ecx &= ~BIT32(2); // or it would be one with SVM
    }
}

static void what_does_not_work_in_a_guest_is_never_shown(void **state)
{
    static const struct {
        uint32_t leaf;
        uint32_t ebx;
        uint32_t ecx;
        uint32_t edx;
    } hidden[] = {
        // MONITOR VMX SMX EIST TM2 PCID; MCE MTRR MCA
        {0x1, 0, BIT32(3) | BIT32(5) | BIT32(6) | BIT32(7) | BIT32(8) | BIT32(17),
         BIT32(7) | BIT32(12) | BIT32(14)},
        // SGX RTM AVX512F PT; PKU LA57
        {0x7, BIT32(2) | BIT32(11) | BIT32(16) | BIT32(25), BIT32(3) | BIT32(16), UINT32_MAX},
        // SVM SKINIT; RDTSCP
        {0x80000001, 0, BIT32(2) | BIT32(12), BIT32(27)},
    };

    (void)state;
    promise_everything();
    for (size_t i = 0; i < COUNT(hidden); i++) {
        const X86CpuidResult r = cpuid(hidden[i].leaf, 0);

        assert_int_equal(r.ebx & hidden[i].ebx, 0);
        assert_int_equal(r.ecx & hidden[i].ecx, 0);
        assert_int_equal(r.edx & hidden[i].edx, 0);
    }
    assert_int_equal(cpuid(0xd, 0).eax & ~7u, 0); // no state beyond AVX
}

static void leaves_that_are_not_offered_read_as_zeros(void **state)
{
    static const uint32_t leaves[] = {0x3,        0x5,        0xa,        0x12,
                                      0x14,       0x17,       0x40,       0x40000002,
                                      0x80000009, 0x8000000a, 0x8000001d, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(leaves); i++) {
        const X86CpuidResult r = cpuid(leaves[i], 0);

        assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
    }
}

static void a_processor_knows_its_own_number(void **state)
{
    (void)state;
    assert_int_equal(cpuid(1, 0).ebx >> 24, 3);
    assert_int_equal(cpuid(0xb, 0).edx, 3);
    assert_int_equal(cpuid(0xb, 1).edx, 3);
    assert_int_equal(cpuid(0xb, 0).ecx, 0x100); // threads ...
    assert_int_equal(cpuid(0xb, 1).ecx, 0x201); // ... cores ...
    assert_int_equal(cpuid(0xb, 2).ecx, 2);     // ... and no more
    assert_int_equal(cpuid(0xb, 2).ebx, 0);
}

static void without_xsave_there_is_neither_avx_nor_its_state(void **state)
{
    (void)state;
    x86_sim_leaf(1)->ecx &= ~BIT32(26);
    assert_int_equal(cpuid(1, 0).ecx & (BIT32(12) | BIT32(28) | BIT32(29)), 0);
    assert_int_equal(cpuid(7, 0).ebx & BIT32(5), 0);
    assert_int_equal(cpuid(0xd, 0).eax, 0);
}

static void the_state_of_xsave_is_what_is_offered(void **state)
{
    (void)state;
    assert_int_equal(cpuid(0xd, 0).eax, 7);
    assert_int_equal(cpuid(0xd, 0).ecx, X86_FP_WORDS * 8);
    assert_int_equal(cpuid(0xd, 1).eax & ~5u, 0); // neither XSAVEC nor XSAVES
    assert_int_equal(cpuid(0xd, 1).ebx, 0);
    assert_int_not_equal(cpuid(0xd, 2).eax, 0);
    for (uint32_t subleaf = 3; subleaf < 70; subleaf++) {
        assert_int_equal(cpuid(0xd, subleaf).eax, 0);
    }
    x86_sim_leaf(0xd)->eax = 3; // no AVX
    assert_int_equal(cpuid(0xd, 0).ecx, 576);
    assert_int_equal(cpuid(1, 0).ecx & BIT32(28), 0);
}

static void further_subleaves_of_7_are_empty(void **state)
{
    (void)state;
    assert_int_not_equal(cpuid(7, 0).ebx, 0);
    assert_int_equal(cpuid(7, 0).eax, 0);
    assert_int_equal(cpuid(7, 1).ebx, 0);
}

static void an_apic_that_is_off_is_not_there(void **state)
{
    (void)state;
    assert_int_not_equal(cpuid(1, 0).edx & BIT32(9), 0);
    assert_true(x86_set_apic_base(&f.vcpu, X86_APIC_PAGE));
    assert_int_equal(cpuid(1, 0).edx & BIT32(9), 0);
}

static void a_hypervisor_is_named(void **state)
{
    (void)state;
    assert_int_not_equal(cpuid(1, 0).ecx & BIT32(31), 0);
    assert_int_equal(cpuid(0x40000000, 0).eax, 0x40000001);
    assert_int_equal(cpuid(0x40000000, 0).ebx, 0x4b4d564b);
}

static void the_highest_leaves_are_those_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(cpuid(0, 0).eax, 0x16);
    assert_int_equal(cpuid(0x80000000, 0).eax, 0x80000008);
    x86_sim_leaf(0x80000000)->eax = 0x80000004;
    assert_int_equal(cpuid(0x80000000, 0).eax, 0x80000004);
}

// 2 GHz is the fixture's.
static void the_pace_of_the_tsc_is_told(void **state)
{
    const X86CpuidResult r = cpuid(0x15, 0);

    (void)state;
    assert_int_not_equal(r.eax, 0);
    assert_int_equal((uint64_t)r.ecx * r.ebx / r.eax, TSC_HZ);
    assert_int_equal(cpuid(0x16, 0).eax, TSC_HZ / 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(what_does_not_work_in_a_guest_is_never_shown),
        ON_BOTH(leaves_that_are_not_offered_read_as_zeros),
        ON_BOTH(a_processor_knows_its_own_number),
        ON_BOTH(without_xsave_there_is_neither_avx_nor_its_state),
        ON_BOTH(the_state_of_xsave_is_what_is_offered),
        ON_BOTH(further_subleaves_of_7_are_empty),
        ON_BOTH(an_apic_that_is_off_is_not_there),
        ON_BOTH(a_hypervisor_is_named),
        ON_BOTH(the_highest_leaves_are_those_of_the_table),
        ON_BOTH(the_pace_of_the_tsc_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
