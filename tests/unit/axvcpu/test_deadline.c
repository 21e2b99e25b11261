// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#define SECOND UINT64_C(1000000000)
#define FAST   UINT64_C(40000000000) // where a second's ticks in ns do not fit into 64 bits

static const struct {
    uint64_t now;
    uint64_t ticks;
    uint64_t hz;
    uint64_t result;
} cases[] = {
    {0, 0, 1, 0},
    {7, 0, 62500000, 7},
    {7, 1, 62500000, 23},
    {0, 1, 3, 333333334}, // rounded up
    {0, 3, 3, SECOND},
    {5, 10000000, 10000000, SECOND + 5},
    {0, 1, SECOND, 1},
    {0, 1, SECOND + 1, 1},
    {0, UINT64_MAX, SECOND, AX_DEADLINE_NONE},
    {0, UINT64_MAX - 1, SECOND, UINT64_MAX - 1},
    {2, UINT64_MAX - 2, SECOND, AX_DEADLINE_NONE},
    {UINT64_MAX - 1, 1, SECOND, AX_DEADLINE_NONE},
    {UINT64_MAX - 1, 2, SECOND, AX_DEADLINE_NONE},
    {0, UINT64_MAX, 1, AX_DEADLINE_NONE},
    {UINT64_MAX, UINT64_MAX, UINT64_MAX, AX_DEADLINE_NONE},
    {9, FAST, FAST, SECOND + 9},
    {9, 2 * FAST - 1, FAST, SECOND + 9}, // early
    {9, 1000, 0, 9},
    {9, UINT64_MAX, 0, 9},
};

static void a_deadline_is_rounded_up_and_never_wraps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(axvcpu_deadline_after(cases[i].now, cases[i].ticks, cases[i].hz),
                         cases[i].result);
    }
}

// Against 128 bits.
static void a_deadline_is_exact_for_every_frequency_that_fits(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t hz = random % UINT64_C(18000000000) + 1;
        const uint64_t ticks = random >> (i % 64);
        const unsigned __int128 exact = ((unsigned __int128)ticks * SECOND + hz - 1) / hz + 17;

        assert_int_equal(axvcpu_deadline_after(17, ticks, hz),
                         exact > UINT64_MAX ? UINT64_MAX : (uint64_t)exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_rounded_up_and_never_wraps),
        cmocka_unit_test(a_deadline_is_exact_for_every_frequency_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
