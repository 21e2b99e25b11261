// SPDX-License-Identifier: Apache-2.0
#include "axlibc.h"

static const char *const strings[] = {
    "", "a", "b", "aa", "ab", "abc", "abd", "ABC", "\xff", "\x80z", "console=ttyAMA0", "console=",
};

static void lengths_agree_with_the_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        assert_int_equal(axlibc_strlen(strings[i]), strlen(strings[i]));
        for (size_t limit = 0; limit < 20; limit++) {
            assert_int_equal(axlibc_strnlen(strings[i], limit), strnlen(strings[i], limit));
        }
    }
}

static void strnlen_does_not_read_beyond_its_limit(void **state)
{
    char *text = malloc(4);

    (void)state;
    assert_non_null(text);
    memcpy(text, "full", 4);
    assert_int_equal(axlibc_strnlen(text, 4), 4);
    free(text);
}

static void comparisons_agree_with_the_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        for (size_t j = 0; j < COUNT(strings); j++) {
            assert_int_equal(sign(axlibc_strcmp(strings[i], strings[j])),
                             sign(strcmp(strings[i], strings[j])));
            for (size_t limit = 0; limit < 12; limit++) {
                assert_int_equal(sign(axlibc_strncmp(strings[i], strings[j], limit)),
                                 sign(strncmp(strings[i], strings[j], limit)));
            }
        }
    }
}

static void searches_find_what_the_host_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        for (int byte = 0; byte < 256; byte++) {
            assert_ptr_equal(axlibc_strchr(strings[i], byte), strchr(strings[i], byte));
            assert_ptr_equal(axlibc_strrchr(strings[i], byte), strrchr(strings[i], byte));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_agree_with_the_host),
        cmocka_unit_test(strnlen_does_not_read_beyond_its_limit),
        cmocka_unit_test(comparisons_agree_with_the_host),
        cmocka_unit_test(searches_find_what_the_host_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
