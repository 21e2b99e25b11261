// SPDX-License-Identifier: Apache-2.0
#include "crash.h"
#include "layout.h"
#include "log.h"
#include "platform.h"
#include "test.h"

#include <signal.h>
#include <unistd.h>

#define STACKS_SIZE (2 * STACK_SIZE * STACK_COUNT)
#define LINES_MAX   64u

__asm__(".bss\n"
        ".balign 65536\n"
        ".globl stacks, image_end\n"
        "stacks: .skip 65536 * 8\n"
        "image_end:\n"
        ".text\n");
_Static_assert(STACKS_SIZE == 65536 * 8, "stacks");

extern char stacks[], image_end[];

static unsigned ends;
static sigjmp_buf end;
static uint64_t cpu;
static unsigned unlocks;
static uint64_t lines[LINES_MAX]; // the addresses in the lines
static unsigned line_count;

_Noreturn void platform_exit(bool success)
{
    assert_false(success);
    ends++;
    siglongjmp(end, 1);
}

uint64_t platform_cpu_number(void)
{
    return cpu;
}

void log_break_lock(void)
{
    unlocks++;
}

void log_line(AxLogLevel level, const char *format, ...)
{
    va_list args;

    assert_int_equal(level, AX_LOG_ERROR);
    if (strcmp(format, "  0x%lx") == 0) {
        va_start(args, format);
        lines[line_count++ % LINES_MAX] = va_arg(args, unsigned long);
        va_end(args);
    }
}

static int start(void **state)
{
    (void)state;
    memset(stacks, 0, STACKS_SIZE);
    line_count = 0;
    return 0;
}

static uint64_t *record_at(uint64_t offset)
{
    return (uint64_t *)(uintptr_t)(stacks + offset);
}

// Returns the frame pointer that refers to it.
static uint64_t put_record(uint64_t offset, uint64_t next, uint64_t address)
{
    record_at(offset)[0] = next;
    record_at(offset)[1] = address;
    return (uintptr_t)record_at(offset) + FRAME_RECORD_BELOW;
}

static void a_backtrace_follows_the_frame_records(void **state)
{
    const uint64_t third = put_record(0x300, 0, 0x3333);
    const uint64_t second = put_record(0x200, third, 0x2222);
    const uint64_t first = put_record(0x100, second, 0x1111);

    (void)state;
    crash_backtrace(first);
    assert_int_equal(line_count, 3);
    assert_int_equal(lines[0], 0x1111);
    assert_int_equal(lines[1], 0x2222);
    assert_int_equal(lines[2], 0x3333);
}

static void records_that_lead_back_end_the_backtrace(void **state)
{
    const uint64_t first = put_record(0x100, (uintptr_t)stacks + 0x80 + FRAME_RECORD_BELOW, 1);
    const uint64_t self = put_record(0x200, (uintptr_t)stacks + 0x200 + FRAME_RECORD_BELOW, 2);

    (void)state;
    (void)put_record(0x80, first, 3);
    crash_backtrace(first);
    crash_backtrace(self);
    assert_int_equal(line_count, 2);
}

static void a_backtrace_has_an_end(void **state)
{
    (void)state;
    for (uint64_t offset = 0; offset < STACK_SIZE; offset += 16) {
        (void)put_record(offset, (uintptr_t)stacks + offset + 16 + FRAME_RECORD_BELOW, offset);
    }
    crash_backtrace((uintptr_t)stacks + FRAME_RECORD_BELOW);
    assert_in_range(line_count, 10, LINES_MAX);
}

static void what_is_not_on_a_stack_is_not_read(void **state)
{
    const uint64_t base = (uintptr_t)stacks;
    const uint64_t bad[] = {
        0,
        8,
        UINT64_MAX,
        base - 16,
        base + 8,          // not aligned
        base + STACK_SIZE, // in the guard
        base + 2 * STACK_SIZE - 16,
        (uintptr_t)image_end,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(crash_is_record(bad[i]));
        crash_backtrace(bad[i] + FRAME_RECORD_BELOW);
    }
    assert_int_equal(line_count, 0);
    assert_true(crash_is_record(base));
    assert_true(crash_is_record(base + STACK_SIZE - 16));
    assert_true(crash_is_record((uintptr_t)image_end - STACK_SIZE - 16));
}

static void codes_without_a_text_have_a_common_one(void **state)
{
    static const char *const names[] = {[0] = "zero", [2] = "two"};

    (void)state;
    assert_string_equal(crash_name(names, COUNT(names), 0), "zero");
    assert_string_equal(crash_name(names, COUNT(names), 1), "other cause");
    assert_string_equal(crash_name(names, COUNT(names), 2), "two");
    assert_string_equal(crash_name(names, COUNT(names), 3), "other cause");
    assert_string_equal(crash_name(names, COUNT(names), UINT64_MAX), "other cause");
}

static void one_exception_may_be_expected(void **state)
{
    (void)state;
    assert_false(crash_is_expected());
    crash_expect();
    assert_true(crash_is_expected());
    assert_false(crash_is_expected()); // the next one is not
    crash_expect();
    assert_false(crash_happened());
    assert_false(crash_is_expected()); // it did not come, and is no longer
    crash_expect();
    assert_true(crash_is_expected());
    assert_true(crash_happened());
}

static void stop_waiting(int signal)
{
    (void)signal;
    siglongjmp(end, 2);
}

static void another_cpu_waits_and_a_crash_within_a_crash_ends_the_machine(void **state)
{
    (void)state;
    cpu = 3;
    crash_begin();
    assert_int_equal(unlocks, 1);
    cpu = 4;
    if (sigsetjmp(end, 1) == 0) {
        assert_true(signal(SIGALRM, stop_waiting) != SIG_ERR);
        (void)alarm(1);
        crash_begin();
        fail();
    }
    assert_int_equal(ends, 0);
    cpu = 3;
    if (sigsetjmp(end, 1) == 0) {
        crash_begin();
        fail();
    }
    assert_int_equal(ends, 1);
    assert_int_equal(unlocks, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backtrace_follows_the_frame_records),
        TEST(records_that_lead_back_end_the_backtrace),
        TEST(a_backtrace_has_an_end),
        TEST(what_is_not_on_a_stack_is_not_read),
        TEST(codes_without_a_text_have_a_common_one),
        TEST(one_exception_may_be_expected),
        TEST(another_cpu_waits_and_a_crash_within_a_crash_ends_the_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
