// SPDX-License-Identifier: Apache-2.0
#include "input.h"
#include "test.h"

static InputEvent type(InputParser *parser, const char *keys)
{
    InputEvent event = {0};

    for (; *keys != '\0'; keys++) {
        event = input_parse(parser, (uint8_t)*keys);
    }
    return event;
}

static void every_byte_but_the_escape_key_is_text(void **state)
{
    InputParser parser = {0};

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (byte != INPUT_ESCAPE) {
            const InputEvent event = input_parse(&parser, (uint8_t)byte);

            assert_int_equal(event.kind, INPUT_TEXT);
            assert_int_equal(event.byte, byte);
        }
    }
}

static void a_key_after_the_escape_key_is_a_command(void **state)
{
    static const struct {
        uint8_t key;
        InputKind kind;
        uint32_t number;
    } commands[] = {
        {'0', INPUT_FOCUS, 0}, {'7', INPUT_FOCUS, 7},   {'9', INPUT_FOCUS, 9},
        {'n', INPUT_NEXT, 0},  {'x', INPUT_STOP, 0},    {'s', INPUT_SUMMARY, 0},
        {'?', INPUT_HELP, 0},  {'q', INPUT_NOTHING, 0}, {0, INPUT_NOTHING, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(commands); i++) {
        InputParser parser = {0};

        assert_int_equal(input_parse(&parser, INPUT_ESCAPE).kind, INPUT_NOTHING);
        const InputEvent event = input_parse(&parser, commands[i].key);

        assert_int_equal(event.kind, commands[i].kind);
        assert_int_equal(event.number, commands[i].number);
        assert_int_equal(type(&parser, "x").kind, INPUT_TEXT);
    }
}

static void the_escape_key_twice_is_one_for_the_guest(void **state)
{
    InputParser parser = {0};
    const InputEvent event = type(&parser, "ab\x1d\x1d");

    (void)state;
    assert_int_equal(event.kind, INPUT_TEXT);
    assert_int_equal(event.byte, INPUT_ESCAPE);
    assert_int_equal(type(&parser, "n").kind, INPUT_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_but_the_escape_key_is_text),
        cmocka_unit_test(a_key_after_the_escape_key_is_a_command),
        cmocka_unit_test(the_escape_key_twice_is_one_for_the_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
