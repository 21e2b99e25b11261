// SPDX-License-Identifier: Apache-2.0
#include "platform.h"
#include "receive.h"
#include "test.h"

#define RING 256u

static uint32_t typed; // bytes that have reached the UART
static uint32_t taken; // of these, fetched: byte n is n % 251
static bool listening;
static unsigned changes; // of `listening`

bool uart_fetch(uint8_t *byte)
{
    if (taken == typed) {
        return false;
    }
    *byte = (uint8_t)(taken++ % 251);
    return true;
}

void uart_listen(bool on)
{
    listening = on;
    changes++;
}

static void type(uint32_t count)
{
    typed += count;
    if (listening) {
        receive_all();
    }
}

// All that can be got, in order.
static uint32_t get_all(uint32_t first)
{
    uint32_t count = 0;
    uint8_t byte;

    while (uart_get(&byte)) {
        assert_int_equal(byte, (first + count++) % 251);
    }
    return count;
}

static int start(void **state)
{
    (void)state;
    typed = 0;
    taken = 0;
    listening = true;
    changes = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    typed = taken;
    (void)get_all(0);
    return 0;
}

static void bytes_come_out_in_order(void **state)
{
    uint8_t byte;

    (void)state;
    assert_false(uart_get(&byte));
    type(3);
    assert_int_equal(get_all(0), 3);
    type(200);
    assert_int_equal(get_all(3), 200);
    assert_int_equal(changes, 0);
}

static void what_has_no_room_stays_in_the_uart_without_an_interrupt(void **state)
{
    (void)state;
    type(RING + 10);
    assert_int_equal(taken, RING);
    assert_false(listening);
    type(5);
    assert_int_equal(taken, RING);
    assert_int_equal(get_all(0), RING + 15);
    assert_true(listening);
}

static void more_than_two_rings_at_once_are_taken_in_turns(void **state)
{
    (void)state;
    type(5 * RING + 7);
    assert_int_equal(get_all(0), 5 * RING + 7);
    assert_true(listening);
    type(1);
    assert_int_equal(get_all(5 * RING + 7), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_out_in_order),
        TEST(what_has_no_room_stays_in_the_uart_without_an_interrupt),
        TEST(more_than_two_rings_at_once_are_taken_in_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
