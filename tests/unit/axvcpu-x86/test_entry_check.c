// SPDX-License-Identifier: Apache-2.0
// Every check of VMRUN finds its own mistake in a control block that is otherwise good.
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    (void)state;
    fixture_start_bound(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void a_new_vcpu_passes(void **state)
{
    (void)state;
    assert_null(svm_entry_problem(fixture_vmcb(&f)));
}

#define LONG_MODE(vmcb)                                                                \
    ((vmcb)->efer |= EFER_LME, (vmcb)->cr0 |= CR0_PG | CR0_PE, (vmcb)->cr4 |= CR4_PAE, \
     (vmcb)->cs.attributes = 0x29b)

static void spoil(Vmcb *vmcb, unsigned how)
{
    switch (how) {
    case 0: vmcb->efer &= ~EFER_SVME; break;
    case 1: vmcb->efer |= X86_BIT(20); break;
    case 2: vmcb->cr0 = CR0_NW; break;
    case 3: vmcb->cr0 |= X86_BIT(32); break;
    case 4: vmcb->cr4 |= X86_BIT(31); break;
    case 5: vmcb->dr7 |= X86_BIT(32); break;
    case 6: vmcb->cr4 &= ~CR4_PAE; break;
    case 7: vmcb->cr0 &= ~CR0_PE; break;
    case 8: vmcb->cs.attributes |= 0x400; break;
    case 9: vmcb->intercept_2 = 0; break;
    case 10: vmcb->asid = 0; break;
    case 11: vmcb->n_cr3 |= 8; break;
    case 12: vmcb->cr3 = X86_BIT(60); break;
    case 13: vmcb->msrpm_base = X86_BIT(48) - 0x1000; break;
    case 14: vmcb->pat = 0x0203; break;
    default: vmcb->event_inj = EVENT_VALID | UINT64_C(3) << 8 | 2; break;
    }
}

static void each_mistake_has_its_own_words(void **state)
{
    const char *last = "";

    (void)state;
    for (unsigned how = 0; how < 16; how++) {
        Vmcb vmcb = *fixture_vmcb(&f);

        LONG_MODE(&vmcb);
        assert_null(svm_entry_problem(&vmcb));
        spoil(&vmcb, how);
        assert_non_null(svm_entry_problem(&vmcb));
        assert_string_not_equal(svm_entry_problem(&vmcb), last);
        last = svm_entry_problem(&vmcb);
    }
}

static void a_refused_entry_is_told_to_the_host(void **state)
{
    (void)state;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_INVALID, 0, 0, 0), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(f.exit.fail_entry.hardware_reason, VMEXIT_INVALID);
    assert_non_null(strstr(fixture_logged, "none of the known reasons"));
}

// The run ends with the reason, and VMRUN is not executed.
static void a_guest_that_would_be_refused_is_not_entered(void **state)
{
    (void)state;
    fixture_vmcb(&f)->cr4 = X86_BIT(31);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_FAIL_ENTRY);
    assert_int_equal(f.exit.fail_entry.hardware_reason, VMEXIT_INVALID);
    assert_int_equal(scripted.entries, 0);
    assert_non_null(strstr(fixture_logged, "CR4 has reserved bits"));
    fixture_vmcb(&f)->cr4 = 0;
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_vcpu_passes),
        TEST(each_mistake_has_its_own_words),
        TEST(a_refused_entry_is_told_to_the_host),
        TEST(a_guest_that_would_be_refused_is_not_entered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
