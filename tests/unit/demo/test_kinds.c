// SPDX-License-Identifier: Apache-2.0
#include "kinds.h"
#include "test.h"

static void counters_that_are_not_0_are_listed_with_their_sum(void **state)
{
    uint64_t counts[AX_EXIT_COUNT] = {0};
    char text[100];

    (void)state;
    counts[AX_EXIT_MMIO_READ] = 5;
    counts[AX_EXIT_SYSTEM_DOWN] = 1;
    counts[AX_EXIT_HYPERCALL] = UINT64_C(10000000000);
    assert_int_equal(kinds_print(text, sizeof(text), counts), UINT64_C(10000000006));
    assert_string_equal(text, "hypercall 10000000000, mmio-read 5, system-down 1");
}

static void no_exits_are_none(void **state)
{
    const uint64_t counts[AX_EXIT_COUNT] = {0};
    char text[8];

    (void)state;
    assert_int_equal(kinds_print(text, sizeof(text), counts), 0);
    assert_string_equal(text, "none");
}

static void a_short_buffer_cuts_the_list_but_not_the_sum(void **state)
{
    uint64_t counts[AX_EXIT_COUNT];

    (void)state;
    for (size_t i = 0; i < AX_EXIT_COUNT; i++) {
        counts[i] = 1;
    }
    for (size_t size = 1; size < 600; size++) {
        char *text = malloc(size);

        assert_non_null(text);
        assert_int_equal(kinds_print(text, size, counts), AX_EXIT_COUNT);
        assert_in_range(strnlen(text, size), 0, size - 1);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_that_are_not_0_are_listed_with_their_sum),
        cmocka_unit_test(no_exits_are_none),
        cmocka_unit_test(a_short_buffer_cuts_the_list_but_not_the_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
