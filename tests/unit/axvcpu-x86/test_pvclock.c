// SPDX-License-Identifier: Apache-2.0
// KVM's clock: what its MSRs write into the guest's memory, and what they refuse.
#include "x86_fixture.h"

#define PAGE   UINT64_C(0x10000)
#define ENABLE 1u

static X86Fixture f;
static uint8_t *page;

static int start(void **state)
{
    (void)state;
    fixture_start_bound(&f);
    page = fixture_map_page(&f, PAGE);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// True when the guest went on behind the instruction, false when it got #GP.
static bool write_msr(uint32_t number, uint64_t value)
{
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RCX] = number;
    x86_set_edx_eax(&f.vcpu, value);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0), AX_EXIT_HALT);
    if ((scripted.event_seen >> 31 & 1) != 0) {
        assert_int_equal(scripted.event_seen & 0xff, VECTOR_GP);
        return false;
    }
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 3); // WRMSR and HLT
    return true;
}

static uint64_t field(size_t offset, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, page + offset, size);
    return value;
}

// What a guest computes for `ticks` after the page was written (Linux, pvclock_scale_delta).
static uint64_t ns_of(uint64_t ticks)
{
    const int8_t shift = (int8_t)field(28, 1);
    const uint64_t scaled = shift < 0 ? ticks >> -shift : ticks << shift;

    return (uint64_t)((__uint128_t)scaled * field(24, 4) >> 32);
}

static void a_second_of_the_tsc_is_a_second_of_the_clock_at_every_pace(void **state)
{
    static const uint64_t paces[] = {1,          1000000,    999999999,  1000000000,
                                     1000000001, 1999975000, 2000000000, 2000000001,
                                     3600000000, 4000000000, 4000000001, UINT64_C(18000000000)};

    (void)state;
    for (size_t i = 0; i < COUNT(paces); i++) {
        f.vcpu.tsc_hz = paces[i];
        assert_true(write_msr(MSR_SYSTEM_TIME, PAGE | ENABLE));
        assert_in_range(ns_of(paces[i]), 999999990, 1000000010);
    }
}

static void the_page_says_when_it_was_written_by_both_clocks(void **state)
{
    uint64_t value;

    (void)state;
    memset(page, 0xaa, 4096);
    f.now = 123456;
    x86_set_tsc_offset(&f.vcpu, 1000);
    assert_true(write_msr(MSR_SYSTEM_TIME, (PAGE + 64) | ENABLE));
    assert_int_equal(field(64, 4) & 1, 0);
    assert_int_equal(field(64 + 4, 4), 0);
    assert_in_range(field(64 + 8, 8), 1000, x86_guest_tsc(&f.vcpu));
    assert_int_equal(field(64 + 16, 8), 123456);
    assert_int_equal(field(64 + 29, 1), 1); // the same on all processors
    assert_int_equal(field(64 - 1, 1), 0xaa);
    assert_int_equal(field(64 + 32, 1), 0xaa);
    assert_int_equal(x86_get_reg(&f.vcpu, X86_REG_SYSTEM_TIME, &value), AX_OK);
    assert_int_equal(value, (PAGE + 64) | ENABLE);
}

static void a_clock_that_is_switched_off_writes_nothing(void **state)
{
    (void)state;
    memset(page, 0xaa, 4096);
    assert_true(write_msr(MSR_SYSTEM_TIME, PAGE));
    assert_true(write_msr(MSR_SYSTEM_TIME, 0));
    assert_int_equal(field(0, 8), UINT64_C(0xaaaaaaaaaaaaaaaa));
}

static void pages_that_cannot_be_written_are_faults(void **state)
{
    static const uint64_t addresses[] = {PAGE + 2, PAGE + 4096 - 28, HOLE, UINT64_C(1) << 60};

    (void)state;
    memset(page, 0xaa, 4096);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        assert_false(write_msr(MSR_SYSTEM_TIME, addresses[i] | ENABLE));
        assert_int_equal(f.vcpu.system_time, 0);
    }
    assert_false(write_msr(MSR_WALL_CLOCK, PAGE + 4096 - 8));
    assert_false(write_msr(MSR_WALL_CLOCK, HOLE));
    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(page[i], 0xaa);
    }
}

static void nobody_knows_when_the_clock_began(void **state)
{
    (void)state;
    memset(page, 0xaa, 4096);
    assert_true(write_msr(MSR_WALL_CLOCK, PAGE));
    assert_int_equal(field(0, 4) & 1, 0);
    assert_int_equal(field(4, 8), 0);
    assert_int_equal(field(12, 1), 0xaa);
}

static void cpuid_says_that_it_is_there(void **state)
{
    (void)state;
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 0x40000000, 0).eax, 0x40000001);
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 0x40000001, 0).eax, 1u << 3 | 1u << 24);
}

static void a_reset_forgets_the_page(void **state)
{
    (void)state;
    assert_true(write_msr(MSR_SYSTEM_TIME, PAGE | ENABLE));
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.system_time, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_of_the_tsc_is_a_second_of_the_clock_at_every_pace),
        TEST(the_page_says_when_it_was_written_by_both_clocks),
        TEST(a_clock_that_is_switched_off_writes_nothing),
        TEST(pages_that_cannot_be_written_are_faults),
        TEST(nobody_knows_when_the_clock_began),
        TEST(cpuid_says_that_it_is_there),
        TEST(a_reset_forgets_the_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
