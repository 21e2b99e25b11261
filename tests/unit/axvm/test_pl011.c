// SPDX-License-Identifier: Apache-2.0
// The PL011 as its driver sees it.
#include "test.h"

#include <axvm/devices/pl011.h>

enum {
    DR = 0x00,
    RSR = 0x04,
    FR = 0x18,
    ILPR = 0x20,
    IBRD = 0x24,
    FBRD = 0x28,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44,
    DMACR = 0x48,
};

#define INT_RX 0x010u
#define INT_TX 0x020u
#define INT_RT 0x040u
#define INT_OE 0x400u
#define LBE    0x80u
#define ON     0x301u

static AxPl011 uart;
static char sent[64];
static size_t sent_count;
static bool line_high;
static uint32_t line_changes;
static bool lock_was_free;

static void put(void *ctx, uint8_t byte)
{
    assert_ptr_equal(ctx, sent);
    lock_was_free = atomic_load(&uart.lock.next) == atomic_load(&uart.lock.owner);
    if (sent_count < sizeof(sent)) {
        sent[sent_count++] = (char)byte;
    }
}

static void set_line(void *controller, uint32_t irq, bool high)
{
    assert_ptr_equal(controller, &line_high);
    assert_int_equal(irq, 33);
    assert_int_not_equal(high, line_high);
    line_high = high;
    line_changes++;
}

static int setup(void **state)
{
    const AxIrqLine line = {.set = set_line, .controller = &line_high, .irq = 33};

    (void)state;
    sent_count = 0;
    line_high = false;
    line_changes = 0;
    axvm_pl011_init(&uart, line, (AxConsoleSink){.put = put, .ctx = sent});
    return 0;
}

static uint64_t read_as(uint64_t offset, AccessWidth width)
{
    uint64_t value = 0xdeadbeef;

    assert_error(axvm_pl011_ops.read(&uart, NULL, offset, width, &value), AX_OK);
    return value;
}

static void write_as(uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(axvm_pl011_ops.write(&uart, NULL, offset, width, value), AX_OK);
}

static uint64_t get(uint64_t offset)
{
    return read_as(offset, AX_WIDTH_DWORD);
}

static void set(uint64_t offset, uint64_t value)
{
    write_as(offset, AX_WIDTH_DWORD, value);
}

static void receive(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(axvm_pl011_receive(&uart, (uint8_t)('a' + i)));
    }
}

// ---- registers ----

typedef struct Reg {
    uint32_t offset;
    uint64_t reset;
    uint64_t writable;
} Reg;

static const Reg regs[] = {
    {DR, 0, 0},       {RSR, 0, 0},        {0x08, 0, 0},      {0x14, 0, 0},     {FR, 0x97, 0},
    {0x1c, 0, 0},     {ILPR, 0, 0xff},    {IBRD, 0, 0xffff}, {FBRD, 0, 0x3f},  {LCR_H, 0x70, 0xff},
    {CR, ON, 0xff87}, {IFLS, 0x12, 0x3f}, {IMSC, 0, 0x7ff},  {MIS, 0, 0},      {ICR, 0, 0},
    {DMACR, 0, 7},    {0x4c, 0, 0},       {0x80, 0, 0},      {0xfdc, 0, 0},    {0xfe0, 0x11, 0},
    {0xfe4, 0x10, 0}, {0xfe8, 0x34, 0},   {0xfec, 0, 0},     {0xff0, 0x0d, 0}, {0xff4, 0xf0, 0},
    {0xff8, 0x05, 0}, {0xffc, 0xb1, 0},
};

static void registers_have_the_values_that_firmware_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        assert_int_equal(get(regs[i].offset), regs[i].reset);
    }
}

static void registers_read_back_their_writable_bits_only(void **state)
{
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        const uint64_t value = regs[i].writable == 0 ? regs[i].reset : regs[i].writable;

        setup(state);
        set(regs[i].offset, UINT32_MAX);
        assert_int_equal(get(regs[i].offset), value);
        set(regs[i].offset, 0);
        assert_int_equal(get(regs[i].offset), regs[i].writable == 0 ? regs[i].reset : 0);
    }
}

static void registers_may_be_accessed_by_8_16_and_32_bits(void **state)
{
    (void)state;
    set(IBRD, 0x1234);
    assert_int_equal(read_as(IBRD, AX_WIDTH_BYTE), 0x34);
    assert_int_equal(read_as(IBRD, AX_WIDTH_WORD), 0x1234);
    write_as(IMSC, AX_WIDTH_BYTE, 0x50);
    assert_int_equal(get(IMSC), 0x50);
    write_as(DR, AX_WIDTH_BYTE, 'x');
    write_as(DR, AX_WIDTH_WORD, 'y');
    assert_int_equal(sent_count, 2);
    assert_int_equal(read_as(0xfe0, AX_WIDTH_BYTE), 0x11);
}

static void other_accesses_have_no_effect(void **state)
{
    static AxPl011 before;

    (void)state;
    receive(3);
    before = uart;
    for (uint64_t offset = 0; offset < AX_PL011_SIZE; offset++) {
        if (offset % 4 != 0) {
            for (unsigned width = 1; width <= 4 && offset + width <= AX_PL011_SIZE; width *= 2) {
                assert_int_equal(read_as(offset, (AccessWidth)width), 0);
                write_as(offset, (AccessWidth)width, UINT32_MAX);
            }
        }
        if (offset + 8 <= AX_PL011_SIZE) {
            assert_int_equal(read_as(offset, AX_WIDTH_QWORD), 0);
            write_as(offset, AX_WIDTH_QWORD, UINT64_MAX);
        }
    }
    assert_memory_equal(&uart, &before, sizeof(uart));
    assert_int_equal(sent_count, 0);
}

// ---- sending ----

static void bytes_go_out_in_order_and_at_once(void **state)
{
    (void)state;
    for (const char *text = "hello"; *text != 0; text++) {
        assert_int_equal(get(FR) & 0xa8, 0x80); // empty, not full, not busy
        set(DR, (uint8_t)*text | 0xffffff00);
        assert_true(lock_was_free);
    }
    assert_int_equal(sent_count, 5);
    assert_memory_equal(sent, "hello", 5);
}

static void each_byte_sent_asserts_the_transmit_interrupt(void **state)
{
    (void)state;
    assert_int_equal(get(RIS), 0);
    set(IMSC, INT_TX);
    assert_false(line_high);
    set(DR, 'x');
    assert_true(line_high);
    assert_int_equal(get(MIS), INT_TX);
    set(ICR, INT_TX);
    assert_false(line_high);
    set(DR, 'y');
    assert_true(line_high);
    set(IMSC, 0);
    assert_false(line_high);
    assert_int_equal(get(RIS), INT_TX);
}

static void nothing_goes_out_while_the_transmitter_is_off(void **state)
{
    static const uint32_t off[] = {0, 0x300, 0x201};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(off); i++) {
        set(CR, off[i]);
        set(DR, 'x');
        assert_int_equal(get(RIS), 0);
    }
    assert_int_equal(sent_count, 0);
}

static void a_uart_without_sink_and_line_works(void **state)
{
    (void)state;
    axvm_pl011_init(&uart, (AxIrqLine){0}, (AxConsoleSink){0});
    set(IMSC, INT_TX);
    set(DR, 'x');
    assert_int_equal(get(MIS), INT_TX);
}

// ---- receiving ----

static void bytes_come_in_in_order(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        receive(20);
        for (unsigned i = 0; i < 20; i++) {
            assert_int_equal(get(FR) & 0x10, 0);
            assert_int_equal(get(DR), 'a' + i);
        }
        assert_int_equal(get(FR) & 0x10, 0x10);
        assert_int_equal(get(DR), 0);
    }
}

static void a_full_fifo_takes_nothing(void **state)
{
    (void)state;
    receive(AX_PL011_FIFO - 1);
    assert_int_equal(get(FR) & 0x40, 0);
    receive(1);
    assert_int_equal(get(FR) & 0x40, 0x40);
    assert_false(axvm_pl011_receive(&uart, 'x'));
    assert_int_equal(get(RIS) & INT_OE, 0);
    assert_int_equal(get(DR), 'a');
    assert_true(axvm_pl011_receive(&uart, 'x'));
}

static void without_fifo_one_byte_can_wait(void **state)
{
    (void)state;
    set(LCR_H, 0x60);
    set(IMSC, INT_RX | INT_RT);
    receive(1);
    assert_true(line_high);
    assert_int_equal(get(MIS), INT_RX);
    assert_int_equal(get(FR) & 0x50, 0x40);
    assert_false(axvm_pl011_receive(&uart, 'x'));
    assert_int_equal(get(DR), 'a');
    assert_false(line_high);
}

static void a_change_of_the_fifo_mode_drops_what_waits(void **state)
{
    (void)state;
    set(IMSC, INT_RX | INT_RT);
    receive(30);
    assert_true(line_high);
    set(LCR_H, 0x73); // still on
    assert_int_equal(get(FR) & 0x10, 0);
    set(LCR_H, 0x63);
    assert_int_equal(get(FR) & 0x10, 0x10);
    assert_false(line_high);
}

static void one_typed_byte_raises_the_time_out_interrupt(void **state)
{
    (void)state;
    set(IMSC, INT_RX | INT_RT);
    receive(1);
    assert_true(line_high);
    assert_int_equal(get(MIS), INT_RT);
    assert_int_equal(get(DR), 'a');
    assert_false(line_high);
    receive(2);
    set(ICR, INT_RT);
    assert_false(line_high);
    receive(1);
    assert_true(line_high);
    assert_int_equal(line_changes, 5);
}

static void the_receive_interrupt_follows_the_trigger_level(void **state)
{
    static const uint8_t levels[] = {4, 8, 16, 24, 28, 28, 28, 28};

    for (uint32_t select = 0; select < 8; select++) {
        setup(state);
        set(IFLS, select << 3);
        set(IMSC, INT_RX);
        receive(levels[select] - 1u);
        assert_false(line_high);
        receive(1);
        assert_true(line_high);
        (void)get(DR);
        assert_false(line_high);
    }
}

static void nothing_comes_in_while_the_receiver_is_off(void **state)
{
    static const uint32_t off[] = {0, 0x300, 0x101, ON | LBE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(off); i++) {
        set(CR, off[i]);
        assert_false(axvm_pl011_receive(&uart, 'x'));
    }
    set(CR, ON);
    assert_true(axvm_pl011_receive(&uart, 'x'));
}

static void loop_back_keeps_bytes_inside(void **state)
{
    (void)state;
    set(CR, ON | LBE);
    set(DR, 'q');
    assert_int_equal(sent_count, 0);
    assert_int_equal(get(DR), 'q');
    set(CR, 0x101 | LBE);
    set(DR, 'r');
    assert_int_equal(get(FR) & 0x10, 0x10);
}

static void an_overrun_is_reported_and_marks_the_next_byte(void **state)
{
    (void)state;
    set(CR, ON | LBE);
    set(IMSC, INT_OE);
    for (unsigned i = 0; i < AX_PL011_FIFO; i++) {
        set(DR, i);
    }
    assert_false(line_high);
    set(DR, 'x'); // lost
    assert_true(line_high);
    assert_int_equal(get(RSR), 8);
    set(ICR, INT_OE);
    assert_false(line_high);
    for (unsigned i = 0; i < AX_PL011_FIFO; i++) {
        assert_int_equal(get(DR), i);
    }
    assert_int_equal(get(RSR), 8); // until it is written
    set(RSR, 0);
    set(DR, 'y');
    assert_int_equal(get(DR), 'y' | 0x800);
    assert_int_equal(get(RSR), 8);
    set(RSR, 0xff);
    assert_int_equal(get(RSR), 0);
    set(DR, 'z');
    assert_int_equal(get(DR), 'z');
}

static void reset_brings_back_power_on_values(void **state)
{
    (void)state;
    receive(30);
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        set(regs[i].offset, UINT32_MAX);
    }
    set(IMSC, INT_RX | INT_TX | INT_RT);
    set(CR, ON);
    set(DR, 'x');
    receive(1);
    assert_true(line_high);
    axvm_pl011_reset(&uart);
    assert_false(line_high);
    registers_have_the_values_that_firmware_leaves(state);
    assert_int_equal(get(RIS), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_have_the_values_that_firmware_leaves),
        TEST(registers_read_back_their_writable_bits_only),
        TEST(registers_may_be_accessed_by_8_16_and_32_bits),
        TEST(other_accesses_have_no_effect),
        TEST(bytes_go_out_in_order_and_at_once),
        TEST(each_byte_sent_asserts_the_transmit_interrupt),
        TEST(nothing_goes_out_while_the_transmitter_is_off),
        TEST(a_uart_without_sink_and_line_works),
        TEST(bytes_come_in_in_order),
        TEST(a_full_fifo_takes_nothing),
        TEST(without_fifo_one_byte_can_wait),
        TEST(a_change_of_the_fifo_mode_drops_what_waits),
        TEST(one_typed_byte_raises_the_time_out_interrupt),
        TEST(the_receive_interrupt_follows_the_trigger_level),
        TEST(nothing_comes_in_while_the_receiver_is_off),
        TEST(loop_back_keeps_bytes_inside),
        TEST(an_overrun_is_reported_and_marks_the_next_byte),
        TEST(reset_brings_back_power_on_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
