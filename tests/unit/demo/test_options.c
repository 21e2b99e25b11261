// SPDX-License-Identifier: Apache-2.0
#include "options.h"
#include "test.h"

static void no_words_leave_the_defaults(void **state)
{
    static const char *const empty[] = {"", " ", " \t\n "};
    Options options;
    char why[OPTIONS_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(empty); i++) {
        memset(&options, 0xff, sizeof(options));
        assert_true(options_parse(&options, empty[i], why));
        assert_string_equal(options.guest, "");
        assert_int_equal(options.vcpus, 0);
        assert_int_equal(options.log, AX_LOG_INFO);
    }
}

static void every_word_sets_its_option(void **state)
{
    Options options;
    char why[OPTIONS_WHY_SIZE];

    (void)state;
    assert_true(options_parse(&options, " axvm.vcpus=3  axvm.guest=bench\taxvm.log=debug", why));
    assert_string_equal(options.guest, "bench");
    assert_int_equal(options.vcpus, 3);
    assert_int_equal(options.log, AX_LOG_DEBUG);
}

static void the_last_word_of_a_kind_counts(void **state)
{
    Options options;
    char why[OPTIONS_WHY_SIZE];

    (void)state;
    assert_true(options_parse(&options, "axvm.vcpus=1 axvm.vcpus=8", why));
    assert_int_equal(options.vcpus, 8);
}

static void a_wrong_word_is_named(void **state)
{
    static const struct {
        const char *words;
        const char *named;
    } bad[] = {
        {"quiet", "unknown option 'quiet'"},
        {"axvm.vcpus=2 axvm.gues=x", "unknown option 'axvm.gues=x'"},
        {"axvm.guest", "unknown option 'axvm.guest'"},
        {"axvm.guest=", "option 'axvm.guest='"},
        {"axvm.vcpus=", "option 'axvm.vcpus='"},
        {"axvm.vcpus=0", "option 'axvm.vcpus=0'"},
        {"axvm.vcpus=9", "option 'axvm.vcpus=9'"},
        {"axvm.vcpus=12", "option 'axvm.vcpus=12'"},
        {"axvm.vcpus=x", "option 'axvm.vcpus=x'"},
        {"axvm.log=loud", "option 'axvm.log=loud'"},
        {"axvm.log=debugger", "option 'axvm.log=debugger'"},
        {"axvm.guest=0123456789012345678901234567890123456789", "option 'axvm.guest=0123456789"},
    };
    Options options;
    char why[OPTIONS_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(options_parse(&options, bad[i].words, why));
        assert_non_null(strstr(why, bad[i].named));
    }
}

static void an_endless_word_does_not_overflow_the_message(void **state)
{
    char words[5000];
    char why[OPTIONS_WHY_SIZE];
    Options options;

    (void)state;
    memset(words, 'w', sizeof(words));
    words[sizeof(words) - 1] = '\0';
    assert_false(options_parse(&options, words, why));
    assert_in_range(strnlen(why, sizeof(why)), 1, sizeof(why) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_words_leave_the_defaults),
        cmocka_unit_test(every_word_sets_its_option),
        cmocka_unit_test(the_last_word_of_a_kind_counts),
        cmocka_unit_test(a_wrong_word_is_named),
        cmocka_unit_test(an_endless_word_does_not_overflow_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
