// SPDX-License-Identifier: Apache-2.0
#include "ranges.h"
#include "scale.h"
#include "test.h"

static bool covers(const RangeList *list, uint64_t addr)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (addr >= list->items[i].base && addr - list->items[i].base < list->items[i].size) {
            return true;
        }
    }
    return false;
}

static void a_removed_hole_is_all_that_is_missing(void **state)
{
    (void)state;
    for (uint64_t base = 0; base < 50; base++) {
        for (uint64_t size = 0; size < 50; size++) {
            RangeList list = {.count = 2, .items = {{10, 10}, {25, 15}}};
            const RangeList before = list;

            assert_true(ranges_remove(&list, (Range){base, size}));
            for (uint64_t addr = 0; addr < 100; addr++) {
                const bool in_hole = addr >= base && addr < base + size;

                assert_int_equal(covers(&list, addr), covers(&before, addr) && !in_hole);
            }
        }
    }
}

static void a_full_list_refuses_and_stays_as_it_is(void **state)
{
    RangeList list = {0};

    (void)state;
    for (uint64_t i = 0; i < RANGES_MAX; i++) {
        assert_true(ranges_add(&list, i * 100, 50));
    }
    const RangeList before = list;

    assert_false(ranges_add(&list, 5000, 1));
    assert_false(ranges_remove(&list, (Range){110, 10}));
    assert_memory_equal(&list, &before, sizeof(list));
    assert_true(ranges_remove(&list, (Range){100, 10}));
}

static void bad_ranges_are_refused(void **state)
{
    RangeList list = {0};

    (void)state;
    assert_false(ranges_add(&list, 1, 0));
    assert_false(ranges_add(&list, 2, UINT64_MAX - 1));
    assert_false(ranges_add(&list, UINT64_MAX, 1));
    assert_true(ranges_add(&list, 2, UINT64_MAX - 2));
    assert_int_equal(list.count, 1);
}

static void aligning_shrinks_and_drops(void **state)
{
    RangeList list = {
        .count = 5,
        .items = {{0x1001, 0x1ffe}, {0x5001, 0x2fff}, {0x9000, 0x1000}, {1, 5}, {0xa800, 0x1000}}};

    (void)state;
    ranges_align(&list, 0x1000);
    assert_int_equal(list.count, 2);
    assert_true(covers(&list, 0x6000) && covers(&list, 0x7fff) && !covers(&list, 0x5fff));
    assert_true(covers(&list, 0x9000) && !covers(&list, 0xa000) && !covers(&list, 0xb000));
}

static void containment_is_exact(void **state)
{
    const Range outer = {100, 50};

    (void)state;
    assert_true(range_contains(outer, (Range){100, 50}));
    assert_true(range_contains(outer, (Range){120, 30}));
    assert_false(range_contains(outer, (Range){120, 31}));
    assert_false(range_contains(outer, (Range){99, 10}));
    assert_false(range_contains(outer, (Range){150, UINT64_MAX - 149}));
    assert_false(range_contains(outer, (Range){UINT64_MAX - 10, 11}));
}

static void a_list_answers_for_all_its_ranges(void **state)
{
    const RangeList list = {.count = 2, .items = {{100, 50}, {200, 10}}};

    (void)state;
    for (uint64_t base = 90; base < 220; base++) {
        for (uint64_t size = 1; size < 130; size++) {
            bool any = false;

            for (uint64_t addr = base; addr < base + size; addr++) {
                any |= covers(&list, addr);
            }
            assert_int_equal(ranges_overlap(&list, (Range){base, size}), any);
            assert_int_equal(ranges_contain(&list, (Range){base, size}),
                             (base >= 100 && base + size <= 150) ||
                                 (base >= 200 && base + size <= 210));
        }
    }
    assert_false(ranges_overlap(&list, (Range){120, 0}));
}

static void scaling_agrees_with_128_bit_arithmetic(void **state)
{
    static const uint64_t rates[] = {1000000, 24000000, 62500000, 1000000000, 4000000000};
    static const uint64_t values[] = {0, 1, 999999999, UINT64_C(1) << 40, UINT64_C(1) << 58};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        for (size_t k = 0; k < COUNT(values); k++) {
            const unsigned __int128 exact = (unsigned __int128)values[k] * NS_PER_SECOND / rates[i];

            if (exact <= UINT64_MAX) {
                assert_int_equal(scale(values[k], rates[i], NS_PER_SECOND), (uint64_t)exact);
            }
        }
    }
}

// Up to 500 years after the counter began.
static void the_clock_is_at_most_a_nanosecond_ahead_of_128_bit_arithmetic(void **state)
{
    static const uint64_t rates[] = {1,        3,          32768,      1000000,
                                     10000000, 19200000,   24000000,   62500000,
                                     54000001, 1000000000, 1000000007, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        const Clock clock = clock_of(rates[i]);

        for (uint64_t seconds = 0; seconds < UINT64_C(500) * 366 * 86400;
             seconds = seconds * 5 + 1) {
            const uint64_t ticks = seconds * rates[i] + seconds % rates[i];
            const unsigned __int128 exact = (unsigned __int128)ticks * NS_PER_SECOND / rates[i];
            const uint64_t ns = clock_ns(&clock, ticks);

            assert_in_range(ns, (uint64_t)exact, (uint64_t)exact + 1);
            assert_true(clock_ns(&clock, ticks + 1) >= ns);
        }
    }
}

static void the_clock_is_exact_where_a_tick_is_whole_nanoseconds(void **state)
{
    static const uint64_t rates[] = {1, 1000000, 10000000, 62500000, 1000000000};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        const Clock clock = clock_of(rates[i]);
        const uint64_t tick = NS_PER_SECOND / rates[i];

        for (unsigned bit = 0; bit < 64; bit++) {
            const uint64_t ticks = UINT64_MAX / tick >> bit;

            assert_int_equal(clock_ns(&clock, ticks), ticks * tick);
        }
    }
}

// As time_arm() computes the comparator.
static void a_deadline_that_a_timer_has_reached_is_over_by_the_clock(void **state)
{
    static const uint64_t rates[] = {32768, 10000000, 24000000, 62500000, 1000000007, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        const Clock clock = clock_of(rates[i]);

        for (uint64_t deadline = 1; deadline < UINT64_C(1) << 60; deadline = deadline * 3 + 1) {
            const uint64_t ticks = scale(deadline, NS_PER_SECOND, rates[i]) + 1;

            assert_true(clock_ns(&clock, ticks) >= deadline);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_removed_hole_is_all_that_is_missing),
        cmocka_unit_test(a_full_list_refuses_and_stays_as_it_is),
        cmocka_unit_test(bad_ranges_are_refused),
        cmocka_unit_test(aligning_shrinks_and_drops),
        cmocka_unit_test(containment_is_exact),
        cmocka_unit_test(a_list_answers_for_all_its_ranges),
        cmocka_unit_test(scaling_agrees_with_128_bit_arithmetic),
        cmocka_unit_test(the_clock_is_at_most_a_nanosecond_ahead_of_128_bit_arithmetic),
        cmocka_unit_test(the_clock_is_exact_where_a_tick_is_whole_nanoseconds),
        cmocka_unit_test(a_deadline_that_a_timer_has_reached_is_over_by_the_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
