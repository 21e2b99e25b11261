// SPDX-License-Identifier: Apache-2.0
#include "console.h"
#include "test.h"

static char output[4096];
static size_t output_length;

static void put(uint8_t byte)
{
    assert_in_range(output_length, 0, sizeof(output) - 2);
    output[output_length++] = (char)byte;
    output[output_length] = '\0';
}

static Console fresh(void)
{
    Console console;

    output_length = 0;
    output[0] = '\0';
    console_init(&console, put);
    return console;
}

static void say(ConsoleStream *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        console_stream_put(stream, (uint8_t)*text);
    }
}

static void a_guest_alone_is_passed_on_byte_by_byte(void **state)
{
    Console console = fresh();
    ConsoleStream guest;

    (void)state;
    console_stream_init(&guest, &console, NULL);
    say(&guest, "login: \x1b[1m\r\n\xff");
    assert_string_equal(output, "login: \x1b[1m\r\n\xff");
}

static void own_lines_begin_at_column_0(void **state)
{
    Console console = fresh();
    ConsoleStream guest;

    (void)state;
    console_stream_init(&guest, &console, NULL);
    console_line(&console, "one");
    say(&guest, "half");
    console_line(&console, "two");
    say(&guest, "whole\r\n");
    console_line(&console, "three");
    assert_string_equal(output, "one\nhalf\ntwo\nwhole\r\nthree\n");
}

static void lines_of_several_guests_carry_their_names(void **state)
{
    Console console = fresh();
    ConsoleStream a;
    ConsoleStream b;

    (void)state;
    console_stream_init(&a, &console, "a");
    console_stream_init(&b, &console, "b");
    say(&a, "first");
    say(&b, "second\r\n");
    say(&a, " line\r\nrest");
    assert_string_equal(output, "[b] second\n[a] first line\n");
    console_stream_flush(&a);
    assert_string_equal(output, "[b] second\n[a] first line\n[a] rest");
}

static void a_flushed_line_goes_on_unless_somebody_else_spoke(void **state)
{
    Console console = fresh();
    ConsoleStream a;
    ConsoleStream b;

    (void)state;
    console_stream_init(&a, &console, "a");
    console_stream_init(&b, &console, "b");
    say(&a, "$ ");
    console_stream_flush(&a);
    console_stream_flush(&a);
    say(&a, "ls\n");
    assert_string_equal(output, "[a] $ ls\n");
    say(&a, "$ ");
    console_stream_flush(&a);
    say(&b, "hello\n");
    say(&a, "ps\n");
    assert_string_equal(output, "[a] $ ls\n[a] $ \n[b] hello\n[a] ps\n");
}

static void an_own_line_interrupts_a_flushed_one(void **state)
{
    Console console = fresh();
    ConsoleStream a;

    (void)state;
    console_stream_init(&a, &console, "a");
    say(&a, "$ ");
    console_stream_flush(&a);
    console_line(&console, "note");
    say(&a, "x\n");
    assert_string_equal(output, "[a] $ \nnote\n[a] x\n");
}

static void a_line_too_long_to_collect_is_written_in_pieces(void **state)
{
    Console console = fresh();
    ConsoleStream a;

    (void)state;
    console_stream_init(&a, &console, "a");
    for (size_t i = 0; i < 3 * CONSOLE_LINE_SIZE; i++) {
        console_stream_put(&a, 'x');
    }
    console_stream_put(&a, '\n');
    assert_int_equal(output_length, strlen("[a] ") + 3 * CONSOLE_LINE_SIZE + 1);
    assert_null(strchr(output + 1, '['));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_alone_is_passed_on_byte_by_byte),
        cmocka_unit_test(own_lines_begin_at_column_0),
        cmocka_unit_test(lines_of_several_guests_carry_their_names),
        cmocka_unit_test(a_flushed_line_goes_on_unless_somebody_else_spoke),
        cmocka_unit_test(an_own_line_interrupts_a_flushed_one),
        cmocka_unit_test(a_line_too_long_to_collect_is_written_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
