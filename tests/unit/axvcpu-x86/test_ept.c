// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static MappingFlags readable(MappingFlags flags)
{
    return (flags & (AX_MAP_WRITE | AX_MAP_EXECUTE)) != 0 ? flags | AX_MAP_READ : flags;
}

static void a_leaf_says_what_it_was_made_of(void **state)
{
    const AxEptFormat *ept = x86_ept_format();

    (void)state;
    for (uint8_t level = 0; level <= 2; level++) {
        const HostPhysAddr addr = ax_hpa(UINT64_C(0x7c0000000));

        for (MappingFlags flags = 0; flags <= AX_MAP_ALL; flags++) {
            const uint64_t entry = ept->make_leaf(addr, flags, level);

            assert_int_equal(ept->kind(entry, level), AX_EPT_LEAF);
            assert_int_equal(ept->address(entry, level).value, addr.value);
            assert_int_equal(ept->flags(entry), readable(flags));
            assert_int_equal(entry & 1, (flags & AX_MAP_RIGHTS) != 0);
            assert_int_equal(entry >> 7 & 1, level != 0);
        }
    }
}

static void a_table_is_no_leaf(void **state)
{
    const AxEptFormat *ept = x86_ept_format();
    const uint64_t entry = ept->make_table(ax_hpa(0x123000));

    (void)state;
    for (uint8_t level = 1; level <= 3; level++) {
        assert_int_equal(ept->kind(entry, level), AX_EPT_TABLE);
        assert_int_equal(ept->address(entry, level).value, 0x123000);
        assert_int_equal(ept->kind(0, level), AX_EPT_EMPTY);
    }
    assert_int_equal(entry & 7, 7);
}

static void the_root_has_four_levels_of_at_most_48_bits(void **state)
{
    const AxEptFormat *ept = x86_ept_format();
    uint8_t levels = 0;
    uint8_t frames = 0;

    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        const bool fits = bits >= 13 && bits <= 48;

        assert_int_equal(ept->root_shape((uint8_t)bits, &levels, &frames),
                         fits ? AX_OK : AX_ENOTSUP);
    }
    assert_int_equal(levels, 4);
    assert_int_equal(frames, 1);
    x86_sim_leaf(0x80000008)->eax = 40;
    assert_int_equal(ept->root_shape(41, &levels, &frames), AX_ENOTSUP);
}

static void lookup_finds_what_is_mapped_with_the_right(void **state)
{
    (void)state;
    assert_ptr_equal(x86_ept_lookup(&f.vcpu, CODE_PAGE + 0x123, AX_MAP_WRITE), f.code + 0x123);
    assert_null(x86_ept_lookup(&f.vcpu, CODE_PAGE + 0x1000, AX_MAP_READ));
    assert_null(x86_ept_lookup(&f.vcpu, HOLE, AX_MAP_READ));
    assert_null(x86_ept_lookup(&f.vcpu, UINT64_C(1) << 40 | CODE_PAGE, AX_MAP_READ));
}

static void a_flush_is_heeded_at_the_next_entry(void **state)
{
    (void)state;
    (void)fixture_run_halt(&f);
    assert_int_equal(fixture_vmcb(&f)->tlb_control, 0);
    assert_false(x86_vmid_is_stale(&f.vcpu));
    x86_ept_format()->flush(&f.root, ax_gpa(0), 0);
    assert_true(x86_vmid_is_stale(&f.vcpu));
    x86_vmid_flush(&f.vcpu);
    assert_int_equal(fixture_vmcb(&f)->tlb_control, TLB_CONTROL_FLUSH_ALL);
    assert_false(x86_vmid_is_stale(&f.vcpu));
}

static void a_flush_goes_to_the_processor(void **state)
{
    unsigned invepts;

    (void)state;
    (void)fixture_run_halt(&f);
    invepts = x86_sim.vmx.invepts;
    (void)fixture_run_halt(&f);
    assert_int_equal(x86_sim.vmx.invepts, invepts);
    x86_ept_format()->flush(&f.root, ax_gpa(0), 0);
    assert_true(x86_vmid_is_stale(&f.vcpu));
    (void)fixture_run_halt(&f);
    assert_int_equal(x86_sim.vmx.invepts, invepts + 1);
    assert_false(x86_vmid_is_stale(&f.vcpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_leaf_says_what_it_was_made_of),
        ON_BOTH(a_table_is_no_leaf),
        ON_BOTH(the_root_has_four_levels_of_at_most_48_bits),
        ON_BOTH(lookup_finds_what_is_mapped_with_the_right),
        ON_SVM(a_flush_is_heeded_at_the_next_entry),
        ON_VMX(a_flush_goes_to_the_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
