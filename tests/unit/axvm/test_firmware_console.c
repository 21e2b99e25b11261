// SPDX-License-Identifier: Apache-2.0
// The console of firmware calls: bytes out of and into the guest's memory, or its registers.
#include "vm_fixture.h"

#define BUFFER (RAM + MIB(1))
#define HOLE   GIB(3)
#define CHUNK  256u // as much as one call does

static char sent[2 * CHUNK];
static size_t sent_count;

static void put(void *ctx, uint8_t byte)
{
    assert_ptr_equal(ctx, sent);
    sent[sent_count++ % sizeof(sent)] = (char)byte;
}

// What is typed, one behind the other, until the 0.
static const char *keys;

static bool take_key(void *state, uint8_t *byte)
{
    (void)state;
    *byte = (uint8_t)*keys;
    keys += *keys != '\0';
    return *byte != 0;
}

static int set_up_console(void **state)
{
    set_up(state);
    keys = "";
    sent_count = 0;
    fx.machine.console_take = take_key;
    fx.params.console = (AxConsoleSink){put, sent};
    assert_error(create(), AX_OK);
    assert_error(axvm_boot(&fx.vm), AX_OK);
    return 0;
}

#define CONSOLE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_console, tear_down)

// The answer of the call, which must be `wanted`; the number of bytes, or the byte.
static uint64_t call(AxVCpuExit exit, AxError wanted)
{
    const AxVCpuExit *last = NULL;

    assert_true(fake_push_exit(fake(0), exit));
    assert_true(fake_push_reason(fake(0), AX_EXIT_IDLE));
    assert_error(axvm_run_vcpu(&fx.vm, 0, &fx.percpu[0], &last), AX_OK);
    assert_int_equal(last->reason, AX_EXIT_IDLE);
    assert_error(fake(0)->answer_result, wanted);
    return fake(0)->answer;
}

static AxVCpuExit memory_call(AxVCpuExitReason reason, uint64_t addr, uint64_t size)
{
    return (AxVCpuExit){.reason = reason, .console = {.addr = ax_gpa(addr), .size = size}};
}

static AxVCpuExit byte_call(AxVCpuExitReason reason, char byte)
{
    return (AxVCpuExit){.reason = reason, .console = {.in_register = true, .byte = (uint8_t)byte}};
}

static void fill(uint64_t addr, const char *text)
{
    assert_error(axvm_copy_to_guest(&fx.vm.memory, ax_gpa(addr), text, strlen(text)), AX_OK);
}

static void assert_guest_text(uint64_t addr, const char *text)
{
    char seen[64] = "";

    assert_error(axvm_copy_from_guest(&fx.vm.memory, ax_gpa(addr), seen, strlen(text) + 1), AX_OK);
    assert_string_equal(seen, text);
}

// ---- writing ----

static void text_in_memory_goes_out(void **state)
{
    (void)state;
    fill(BUFFER, "hello");
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_WRITE, BUFFER, 5), AX_OK), 5);
    assert_int_equal(sent_count, 5);
    assert_memory_equal(sent, "hello", 5);
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_WRITE, BUFFER, 0), AX_OK), 0);
    assert_int_equal(call(byte_call(AX_EXIT_CONSOLE_WRITE, '!'), AX_OK), 1);
    assert_int_equal(sent_count, 6);
    assert_int_equal(sent[5], '!');
}

static void a_call_does_a_bounded_part_of_a_long_text(void **state)
{
    static const uint64_t sizes[] = {CHUNK, CHUNK + 1, MIB(1), RAM_SIZE, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        sent_count = 0;
        assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_WRITE, BUFFER, sizes[i]), AX_OK), CHUNK);
        assert_int_equal(sent_count, CHUNK);
    }
}

static void text_outside_of_memory_is_refused_and_nothing_goes_out(void **state)
{
    static const uint64_t addresses[] = {HOLE, RAM - 1, RAM + RAM_SIZE - 4, UINT64_MAX - 2, 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        (void)call(memory_call(AX_EXIT_CONSOLE_WRITE, addresses[i], 8), AX_EFAULT);
    }
    assert_int_equal(sent_count, 0);
}

static void without_a_console_text_is_dropped(void **state)
{
    (void)state;
    fx.vm.console.put = NULL;
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_WRITE, BUFFER, 5), AX_OK), 5);
    assert_int_equal(call(byte_call(AX_EXIT_CONSOLE_WRITE, 'x'), AX_OK), 1);
    assert_int_equal(sent_count, 0);
}

// ---- reading ----

static void typed_bytes_go_into_memory(void **state)
{
    (void)state;
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_READ, BUFFER, 8), AX_OK), 0);
    keys = "abcde";
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_READ, BUFFER, 3), AX_OK), 3);
    assert_guest_text(BUFFER, "abc");
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_READ, BUFFER, UINT64_C(1) << 40), AX_OK), 2);
    assert_guest_text(BUFFER, "dec");
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_READ, BUFFER, 0), AX_OK), 0);
}

static void a_call_takes_a_bounded_part_of_what_was_typed(void **state)
{
    static char many[2 * CHUNK + 1];

    (void)state;
    memset(many, 'm', 2 * CHUNK);
    keys = many;
    assert_int_equal(call(memory_call(AX_EXIT_CONSOLE_READ, BUFFER, MIB(1)), AX_OK), CHUNK);
    assert_int_equal(strlen(keys), CHUNK);
}

static void what_was_typed_is_not_lost_to_a_bad_address(void **state)
{
    static const uint64_t addresses[] = {HOLE, RAM - 1, RAM + RAM_SIZE - 4, UINT64_MAX - 2, 0};

    (void)state;
    keys = "abc";
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        (void)call(memory_call(AX_EXIT_CONSOLE_READ, addresses[i], 8), AX_EFAULT);
    }
    assert_string_equal(keys, "abc");
}

static void typed_bytes_go_into_registers_one_by_one(void **state)
{
    (void)state;
    keys = "ab";
    assert_int_equal(call(byte_call(AX_EXIT_CONSOLE_READ, 0), AX_OK), 'a');
    assert_int_equal(call(byte_call(AX_EXIT_CONSOLE_READ, 0), AX_OK), 'b');
    (void)call(byte_call(AX_EXIT_CONSOLE_READ, 0), AX_EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONSOLE_TEST(text_in_memory_goes_out),
        CONSOLE_TEST(a_call_does_a_bounded_part_of_a_long_text),
        CONSOLE_TEST(text_outside_of_memory_is_refused_and_nothing_goes_out),
        CONSOLE_TEST(without_a_console_text_is_dropped),
        CONSOLE_TEST(typed_bytes_go_into_memory),
        CONSOLE_TEST(a_call_takes_a_bounded_part_of_what_was_typed),
        CONSOLE_TEST(what_was_typed_is_not_lost_to_a_bad_address),
        CONSOLE_TEST(typed_bytes_go_into_registers_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
