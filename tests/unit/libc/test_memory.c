// SPDX-License-Identifier: Apache-2.0
#include "axlibc.h"

#define AREA  4096u
#define SHIFT 9u // offsets 0..8 cross every alignment of a word

static const size_t sizes[] = {0,   1,   2,   7,   8,   9,    15,   16,   63,   64,   65,  127,
                               128, 129, 135, 200, 512, 1023, 1024, 1025, 1151, 2048, 3000};

static uint8_t ours[AREA];
static uint8_t theirs[AREA];
static uint8_t source[AREA];

static void fill(void)
{
    for (size_t i = 0; i < AREA; i++) {
        source[i] = (uint8_t)(i * 31 + i / 251);
        ours[i] = theirs[i] = (uint8_t)(i * 17 + 3);
    }
}

static void memcpy_copies_every_size_at_every_alignment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t d = 0; d < SHIFT; d++) {
            for (size_t s = 0; s < SHIFT; s++) {
                fill();
                assert_ptr_equal(axlibc_memcpy(ours + d, source + s, sizes[i]), ours + d);
                memcpy(theirs + d, source + s, sizes[i]);
                assert_memory_equal(ours, theirs, AREA);
            }
        }
    }
}

static void memmove_copies_areas_that_overlap_either_way(void **state)
{
    static const int distances[] = {-200, -65, -64, -16, -8, -7, -1, 0, 1, 7, 8, 16, 64, 65, 200};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t k = 0; k < COUNT(distances); k++) {
            for (size_t s = 256; s < 256 + SHIFT; s++) {
                uint8_t *to = ours + s + distances[k];

                fill();
                assert_ptr_equal(axlibc_memmove(to, ours + s, sizes[i]), to);
                memmove(theirs + s + distances[k], theirs + s, sizes[i]);
                assert_memory_equal(ours, theirs, AREA);
            }
        }
    }
}

static void memset_fills_exactly_the_area(void **state)
{
    static const int bytes[] = {0, 0x5a, 0xff, 0x100, -1};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t d = 0; d < SHIFT; d++) {
            for (size_t k = 0; k < COUNT(bytes); k++) {
                fill();
                assert_ptr_equal(axlibc_memset(ours + d, bytes[k], sizes[i]), ours + d);
                memset(theirs + d, bytes[k], sizes[i]);
                assert_memory_equal(ours, theirs, AREA);
            }
        }
    }
}

static void memcmp_orders_by_the_first_byte_that_differs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t d = 0; d < SHIFT; d++) {
            for (size_t at = 0; at <= sizes[i]; at += sizes[i] / 5 + 1) {
                fill();
                memcpy(ours + d, source, sizes[i]);
                assert_int_equal(axlibc_memcmp(ours + d, source, sizes[i]), 0);
                ours[d + at] ^= 0x80;
                assert_int_equal(sign(axlibc_memcmp(ours + d, source, sizes[i])),
                                 sign(memcmp(ours + d, source, sizes[i])));
            }
        }
    }
}

static void memchr_finds_the_first_byte_inside_the_area(void **state)
{
    (void)state;
    fill();
    for (size_t size = 0; size < 300; size += 13) {
        for (int byte = -2; byte < 300; byte++) {
            assert_ptr_equal(axlibc_memchr(source, byte, size), memchr(source, byte, size));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memcpy_copies_every_size_at_every_alignment),
        cmocka_unit_test(memmove_copies_areas_that_overlap_either_way),
        cmocka_unit_test(memset_fills_exactly_the_area),
        cmocka_unit_test(memcmp_orders_by_the_first_byte_that_differs),
        cmocka_unit_test(memchr_finds_the_first_byte_inside_the_area),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
