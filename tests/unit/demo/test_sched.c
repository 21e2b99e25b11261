// SPDX-License-Identifier: Apache-2.0
#include "sched.h"
#include "test.h"

#define NOW  UINT64_C(5000000000)
#define LATE (NOW + 100 * SCHED_SLICE_NS)

static SchedView view_of(uint64_t runnable, uint32_t current, uint64_t slice_end)
{
    return (SchedView){
        .now_ns = NOW,
        .runnable = runnable,
        .current = current,
        .slice_end = slice_end,
        .deadline = SCHED_NEVER,
    };
}

static void nobody_runnable_means_nobody_picked(void **state)
{
    const SchedView view = view_of(0, 3, LATE);

    (void)state;
    assert_int_equal(sched_pick(&view), SCHED_NONE);
}

static void the_current_one_keeps_its_slice(void **state)
{
    const SchedView view = view_of(0xff, 3, NOW + 1);

    (void)state;
    assert_int_equal(sched_pick(&view), 3);
}

static void the_next_one_follows_when_the_slice_is_over(void **state)
{
    static const struct {
        uint64_t runnable;
        uint32_t current;
        uint32_t next;
    } cases[] = {
        {0xff, 3, 4}, {0x0f, 3, 0},  {0x8000000000000001, 0, 63}, {0x8000000000000001, 63, 0},
        {0x08, 3, 3}, {0x100, 3, 8}, {0x101, SCHED_NONE, 0},      {UINT64_C(1) << 63, 63, 63},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const SchedView view = view_of(cases[i].runnable, cases[i].current, NOW);

        assert_int_equal(sched_pick(&view), cases[i].next);
    }
}

static void one_that_cannot_run_loses_its_slice(void **state)
{
    const SchedView view = view_of(0x06, 3, LATE);

    (void)state;
    assert_int_equal(sched_pick(&view), 1);
}

static void everybody_gets_a_turn(void **state)
{
    const uint64_t runnable = UINT64_C(0x8100000000010013);
    uint32_t current = SCHED_NONE;
    uint64_t seen = 0;

    (void)state;
    for (int i = 0; i < __builtin_popcountll(runnable); i++) {
        const SchedView view = view_of(runnable, current, NOW);

        current = sched_pick(&view);
        seen |= UINT64_C(1) << current;
    }
    assert_int_equal(seen, runnable);
}

static void one_alone_is_not_interrupted(void **state)
{
    const SchedView view = view_of(0x04, 2, NOW);

    (void)state;
    assert_int_equal(sched_timer(&view, 2), SCHED_NEVER);
}

static void a_slice_ends_where_it_began_to_end(void **state)
{
    const SchedView going_on = view_of(0x0c, 2, NOW + 7);
    const SchedView fresh = view_of(0x0c, 3, NOW);

    (void)state;
    assert_int_equal(sched_timer(&going_on, 2), NOW + 7);
    assert_int_equal(sched_timer(&fresh, 2), NOW + SCHED_SLICE_NS);
}

static void the_timer_of_one_that_waits_comes_first_when_it_is_earlier(void **state)
{
    SchedView view = view_of(0x0c, 2, NOW + 7);

    (void)state;
    view.deadline = NOW + 3;
    assert_int_equal(sched_timer(&view, 2), NOW + 3);
    view.runnable = 0;
    assert_int_equal(sched_timer(&view, SCHED_NONE), NOW + 3);
}

static void what_has_to_be_tried_again_is_tried_soon(void **state)
{
    SchedView view = view_of(0x04, 2, NOW);

    (void)state;
    view.retry_soon = true;
    assert_int_equal(sched_timer(&view, 2), NOW + SCHED_RETRY_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_runnable_means_nobody_picked),
        cmocka_unit_test(the_current_one_keeps_its_slice),
        cmocka_unit_test(the_next_one_follows_when_the_slice_is_over),
        cmocka_unit_test(one_that_cannot_run_loses_its_slice),
        cmocka_unit_test(everybody_gets_a_turn),
        cmocka_unit_test(one_alone_is_not_interrupted),
        cmocka_unit_test(a_slice_ends_where_it_began_to_end),
        cmocka_unit_test(the_timer_of_one_that_waits_comes_first_when_it_is_earlier),
        cmocka_unit_test(what_has_to_be_tried_again_is_tried_soon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
