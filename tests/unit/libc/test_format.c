// SPDX-License-Identifier: Apache-2.0
#include "axlibc.h"

#include <limits.h>

#define SIZE 200u

// The same text from both, for a buffer of every size up to what is needed.
#define SAME(...)                                                                 \
    do {                                                                          \
        char expected[SIZE];                                                      \
        char actual[SIZE];                                                        \
        const int length = snprintf(expected, SIZE, __VA_ARGS__);                 \
        assert_in_range(length, 0, SIZE - 1);                                     \
        for (size_t size = 0; size <= (size_t)length + 1; size++) {               \
            memset(expected, '#', SIZE);                                          \
            memset(actual, '#', SIZE);                                            \
            /* The text is cut on purpose. */                                     \
            assert_int_equal(axlibc_snprintf(actual, size, __VA_ARGS__), length); \
            assert_int_equal(snprintf_cut(expected, size, __VA_ARGS__), length);  \
            assert_memory_equal(actual, expected, SIZE);                          \
        }                                                                         \
    } while (0)

// Hides the size from the compiler, which warns of a cut that it can foresee.
__attribute__((format(printf, 3, 4))) static int snprintf_cut(char *buffer, volatile size_t size,
                                                              const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int length = vsnprintf(buffer, size, format, args);
    va_end(args);
    return length;
}

static void plain_text_is_copied(void **state)
{
    (void)state;
    SAME("[axvm] all VMs ended: %s", "success");
    SAME("100%%");
    SAME("%s%c%s", "", 'x', "yz");
}

static void numbers_of_every_length_and_sign(void **state)
{
    static const long values[] = {0, 1, 9, 10, -1, -10, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        SAME("%d|%i|%u|%x", (int)values[i], (int)values[i], (unsigned)values[i],
             (unsigned)values[i]);
        SAME("%ld|%lu|%lx", values[i], (unsigned long)values[i], (unsigned long)values[i]);
        SAME("%lld|%llu|%llx", (long long)values[i], (unsigned long long)values[i],
             (unsigned long long)values[i]);
        SAME("%zu|%zx", (size_t)values[i], (size_t)values[i]);
    }
}

static void widths_pad_to_the_side_that_was_asked_for(void **state)
{
    (void)state;
    SAME("[%5d] [%-5d] [%05d] [%5d] [%-5d] [%05d]", 42, 42, 42, -42, -42, -42);
    SAME("[%3s] [%-3s] [%8s] [%-8s]", "four", "four", "four", "four");
    SAME("[%2d] [%02d]", 12345, 12345);
    SAME("[%16lx] [%016lx] [%-16lx]", 0xabcUL, 0xabcUL, 0xabcUL);
    SAME("[%*d] [%*d] [%-*s]", 6, 1, -6, 2, 4, "x");
    SAME("[%3c] [%-3c]", 'a', 'b');
}

static void pointers_look_like_the_hosts(void **state)
{
    (void)state;
    SAME("%p %p", (void *)(uintptr_t)0x40200000, (void *)state);
}

static void a_null_string_is_named(void **state)
{
    char text[16];
    const char *volatile nothing = NULL;

    (void)state;
    assert_int_equal(axlibc_snprintf(text, sizeof(text), "%s", nothing), 6);
    assert_string_equal(text, "(null)");
}

static int format_unchecked(char *buffer, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int length = axlibc_vsnprintf(buffer, size, format, args);
    va_end(args);
    return length;
}

static void an_unknown_conversion_is_written_as_it_stands(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(format_unchecked(text, sizeof(text), "a %5q b"), 7);
    assert_string_equal(text, "a %5q b");
    assert_int_equal(format_unchecked(text, sizeof(text), "end %"), 5);
    assert_string_equal(text, "end %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_copied),
        cmocka_unit_test(numbers_of_every_length_and_sign),
        cmocka_unit_test(widths_pad_to_the_side_that_was_asked_for),
        cmocka_unit_test(pointers_look_like_the_hosts),
        cmocka_unit_test(a_null_string_is_named),
        cmocka_unit_test(an_unknown_conversion_is_written_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
