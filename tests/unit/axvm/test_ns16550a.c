// SPDX-License-Identifier: Apache-2.0
// The NS16550A as its driver sees it.
#include "test.h"

#include <axvm/devices/ns16550a.h>

enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR, MCR, LSR, MSR, SCR };

#define DLAB     0x80u
#define LOOPBACK 0x10u

// Interrupts as IIR names them, with the FIFOs off.
#define NONE     0x01u
#define MODEM    0x00u
#define THRE     0x02u
#define RECEIVED 0x04u
#define LINE     0x06u
#define TIMEOUT  0x0cu
#define FIFOS    0xc0u

static AxNs16550a uart;
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
    assert_int_equal(irq, 10);
    assert_int_not_equal(high, line_high);
    line_high = high;
    line_changes++;
}

static int setup(void **state)
{
    const AxIrqLine line = {.set = set_line, .controller = &line_high, .irq = 10};

    (void)state;
    sent_count = 0;
    line_high = false;
    line_changes = 0;
    axvm_ns16550a_init(&uart, line, (AxConsoleSink){.put = put, .ctx = sent});
    return 0;
}

static uint64_t read_as(uint64_t offset, AccessWidth width)
{
    uint64_t value = 0xdeadbeef;

    assert_error(axvm_ns16550a_ops.read(&uart, NULL, offset, width, &value), AX_OK);
    return value;
}

static void write_as(uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(axvm_ns16550a_ops.write(&uart, NULL, offset, width, value), AX_OK);
}

static uint64_t get(uint64_t offset)
{
    return read_as(offset, AX_WIDTH_BYTE);
}

static void set(uint64_t offset, uint64_t value)
{
    write_as(offset, AX_WIDTH_BYTE, value);
}

static void receive(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(axvm_ns16550a_receive(&uart, (uint8_t)('a' + i)));
    }
}

// ---- registers ----

typedef struct Reg {
    uint32_t offset;
    uint64_t reset;
    uint64_t writable;
} Reg;

static const Reg regs[] = {
    {RBR, 0, 0},    {IER, 0, 0x0f}, {IIR, NONE, 0}, {LCR, 0, 0xff}, {MCR, 0, 0x1f}, {LSR, 0x60, 0},
    {MSR, 0xb0, 0}, {SCR, 0, 0xff}, {0x08, 0, 0},   {0x80, 0, 0},   {0xfff, 0, 0},
};

static void registers_have_the_values_after_power_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        assert_int_equal(get(regs[i].offset), regs[i].reset);
    }
}

static void registers_read_back_their_writable_bits_only(void **state)
{
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        if (regs[i].writable != 0) {
            setup(state);
            set(regs[i].offset, UINT64_MAX);
            assert_int_equal(get(regs[i].offset), regs[i].writable);
            set(regs[i].offset, 0);
            assert_int_equal(get(regs[i].offset), 0);
        }
    }
}

static void status_registers_cannot_be_written(void **state)
{
    static const uint32_t offsets[] = {LSR, MSR, 0x08, 0xfff};
    static AxNs16550a before;

    (void)state;
    before = uart;
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        set(offsets[i], 0xff);
        set(offsets[i], 0);
    }
    before.lock = uart.lock;
    assert_memory_equal(&uart, &before, sizeof(uart));
}

static void the_divisor_is_behind_the_latch_bit(void **state)
{
    (void)state;
    set(IER, 1);
    set(LCR, DLAB | 3);
    set(DLL, 0x12);
    set(DLM, 0x34);
    assert_int_equal(get(DLL), 0x12);
    assert_int_equal(get(DLM), 0x34);
    assert_int_equal(get(IIR), NONE);
    assert_int_equal(get(LSR), 0x60);
    set(LCR, 3);
    assert_int_equal(get(RBR), 0);
    assert_int_equal(get(IER), 1);
    assert_int_equal(sent_count, 0);
}

static void a_wider_access_reaches_the_register_at_its_address(void **state)
{
    (void)state;
    write_as(SCR, AX_WIDTH_WORD, 0x1234);
    assert_int_equal(get(SCR), 0x34);
    assert_int_equal(read_as(SCR, AX_WIDTH_DWORD), 0x34);
    write_as(THR, AX_WIDTH_DWORD, 0x11223344);
    write_as(THR, AX_WIDTH_QWORD, 'x');
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[0], 0x44);
    assert_int_equal(get(IER), 0);
    assert_int_equal(read_as(LSR, AX_WIDTH_QWORD), 0x60);
    assert_int_equal(read_as(UINT64_MAX, AX_WIDTH_BYTE), 0);
    write_as(UINT64_C(0x100000000), AX_WIDTH_BYTE, 'y');
    assert_int_equal(sent_count, 2);
}

// ---- sending ----

static void bytes_go_out_in_order_and_at_once(void **state)
{
    (void)state;
    for (const char *text = "hello"; *text != 0; text++) {
        assert_int_equal(get(LSR), 0x60); // holding and shift register empty
        set(THR, (uint8_t)*text);
        assert_true(lock_was_free);
    }
    assert_int_equal(sent_count, 5);
    assert_memory_equal(sent, "hello", 5);
}

static void the_transmit_interrupt_comes_when_it_is_switched_on(void **state)
{
    (void)state;
    assert_int_equal(get(IIR), NONE);
    set(IER, 2);
    assert_true(line_high);
    assert_int_equal(get(IIR), THRE);
    // Reading IIR takes it away; what is on already does not bring it back.
    assert_false(line_high);
    assert_int_equal(get(IIR), NONE);
    set(IER, 2);
    set(IER, 3);
    assert_false(line_high);
    set(IER, 1);
    set(IER, 3);
    assert_true(line_high);
}

static void each_byte_sent_brings_the_transmit_interrupt(void **state)
{
    (void)state;
    set(IER, 2);
    (void)get(IIR);
    set(THR, 'x');
    assert_true(line_high);
    set(THR, 'y');
    assert_true(line_high);
    assert_int_equal(get(IIR), THRE);
    assert_false(line_high);
    set(THR, 'z');
    set(IER, 0);
    assert_false(line_high);
    assert_int_equal(get(IIR), NONE);
}

static void a_uart_without_sink_and_line_works(void **state)
{
    (void)state;
    axvm_ns16550a_init(&uart, (AxIrqLine){0}, (AxConsoleSink){0});
    set(IER, 2);
    set(THR, 'x');
    assert_int_equal(get(IIR), THRE);
}

// ---- receiving ----

static void bytes_come_in_in_order(void **state)
{
    (void)state;
    set(FCR, 1);
    for (int round = 0; round < 5; round++) {
        receive(10);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(get(LSR), 0x61);
            assert_int_equal(get(RBR), 'a' + i);
        }
        assert_int_equal(get(LSR), 0x60);
        assert_int_equal(get(RBR), 0);
    }
}

static void a_full_fifo_takes_nothing(void **state)
{
    (void)state;
    set(FCR, 1);
    receive(AX_NS16550A_FIFO);
    assert_false(axvm_ns16550a_receive(&uart, 'x'));
    assert_int_equal(get(LSR), 0x61);
    assert_int_equal(get(RBR), 'a');
    assert_true(axvm_ns16550a_receive(&uart, 'x'));
}

static void without_fifo_one_byte_can_wait(void **state)
{
    (void)state;
    set(IER, 1);
    receive(1);
    assert_true(line_high);
    assert_int_equal(get(IIR), RECEIVED);
    assert_true(line_high);
    assert_false(axvm_ns16550a_receive(&uart, 'x'));
    assert_int_equal(get(RBR), 'a');
    assert_false(line_high);
    assert_int_equal(get(IIR), NONE);
}

static void the_receive_interrupt_follows_the_trigger_level(void **state)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    for (uint32_t select = 0; select < COUNT_OF(levels); select++) {
        setup(state);
        set(FCR, select << 6 | 1);
        set(IER, 1);
        receive(levels[select]);
        assert_int_equal(get(IIR), FIFOS | RECEIVED);
        (void)get(RBR);
        // What is left below the level has waited long enough.
        assert_int_equal(get(IIR), FIFOS | (levels[select] > 1 ? TIMEOUT : NONE));
        assert_int_equal(line_high, levels[select] > 1);
    }
}

static void one_typed_byte_raises_the_time_out_interrupt(void **state)
{
    (void)state;
    set(FCR, 0x81);
    set(IER, 1);
    receive(2);
    assert_true(line_high);
    assert_int_equal(get(IIR), FIFOS | TIMEOUT);
    assert_int_equal(get(RBR), 'a');
    assert_true(line_high);
    assert_int_equal(get(RBR), 'b');
    assert_false(line_high);
    assert_int_equal(line_changes, 2);
}

static void fcr_shows_itself_and_clears(void **state)
{
    (void)state;
    set(FCR, 0xc6); // without the enable bit the others are not taken
    assert_int_equal(get(IIR), NONE);
    receive(1);
    set(FCR, 0x06);
    assert_int_equal(get(LSR), 0x61);
    set(FCR, 0x01); // switched: empty
    assert_int_equal(get(LSR), 0x60);
    assert_int_equal(get(IIR), FIFOS | NONE);
    receive(3);
    set(FCR, 0xc1); // on already: stays
    assert_int_equal(get(LSR), 0x61);
    set(FCR, 0xc5); // transmit FIFO
    assert_int_equal(get(LSR), 0x61);
    set(FCR, 0x03);
    assert_int_equal(get(LSR), 0x60);
    receive(3);
    set(FCR, 0x00);
    assert_int_equal(get(LSR), 0x60);
    assert_int_equal(get(IIR), NONE);
    set(FCR, 0x21); // what a 16750 would show in bit 5
    assert_int_equal(get(IIR), FIFOS | NONE);
}

static void the_host_takes_what_the_guest_would_have_read(void **state)
{
    uint8_t byte = 0;

    (void)state;
    set(FCR, 1);
    set(IER, 1);
    assert_false(axvm_ns16550a_take(&uart, &byte));
    receive(2);
    assert_true(axvm_ns16550a_take(&uart, &byte));
    assert_int_equal(byte, 'a');
    assert_true(line_high);
    assert_true(axvm_ns16550a_take(&uart, &byte));
    assert_int_equal(byte, 'b');
    assert_false(line_high);
    assert_false(axvm_ns16550a_take(&uart, &byte));
    assert_int_equal(byte, 'b');
}

// ---- priorities ----

static void interrupts_are_named_by_priority(void **state)
{
    (void)state;
    set(FCR, 0x41);
    set(MCR, LOOPBACK);
    set(MCR, LOOPBACK | 1);
    for (unsigned i = 0; i <= AX_NS16550A_FIFO; i++) {
        set(THR, i);
    }
    assert_int_equal(get(IIR), FIFOS | NONE);
    assert_false(line_high);
    set(IER, 0x0f);
    assert_int_equal(get(IIR), FIFOS | LINE);
    (void)get(LSR);
    assert_int_equal(get(IIR), FIFOS | RECEIVED);
    for (unsigned i = 0; i < 13; i++) {
        (void)get(RBR);
    }
    assert_int_equal(get(IIR), FIFOS | TIMEOUT);
    set(FCR, 0x43);
    assert_int_equal(get(IIR), FIFOS | THRE);
    assert_int_equal(get(IIR), FIFOS | MODEM);
    assert_true(line_high);
    (void)get(MSR);
    assert_int_equal(get(IIR), FIFOS | NONE);
    assert_false(line_high);
}

static void each_interrupt_has_its_enable_bit(void **state)
{
    static const struct {
        uint8_t enable;
        uint8_t id;
    } cases[] = {{1, RECEIVED}, {2, THRE}, {4, LINE}, {8, MODEM}};

    (void)state;
    set(MCR, LOOPBACK);
    set(THR, 'x');
    set(THR, 'y'); // overrun
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set(IER, cases[i].enable);
        assert_true(line_high);
        assert_int_equal(get(IIR), cases[i].id);
        set(IER, 0);
        assert_false(line_high);
    }
}

// ---- loopback and modem lines ----

static void loopback_keeps_bytes_inside(void **state)
{
    (void)state;
    set(MCR, LOOPBACK);
    assert_false(axvm_ns16550a_receive(&uart, 'x'));
    set(THR, 'q');
    assert_int_equal(sent_count, 0);
    assert_int_equal(get(RBR), 'q');
    set(MCR, 0);
    set(THR, 'r');
    assert_int_equal(sent_count, 1);
    assert_int_equal(get(LSR), 0x60);
}

static void loopback_wires_the_modem_outputs_to_the_inputs(void **state)
{
    static const struct {
        uint8_t mcr;
        uint8_t msr;
    } cases[] = {{0x00, 0x00}, {0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40},
                 {0x08, 0x80}, {0x0a, 0x90}, {0x0f, 0xf0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set(MCR, LOOPBACK | cases[i].mcr);
        assert_int_equal(get(MSR) & 0xf0, cases[i].msr);
    }
    set(MCR, 0x0f);
    assert_int_equal(get(MSR) & 0xf0, 0xb0);
}

static void changes_of_modem_lines_are_noted_until_they_are_read(void **state)
{
    (void)state;
    set(MCR, LOOPBACK); // all lines fall
    assert_int_equal(get(MSR), 0x0b);
    assert_int_equal(get(MSR), 0x00);
    set(MCR, LOOPBACK | 0x04);
    assert_int_equal(get(MSR), 0x40); // the beginning of a ring does not count
    set(MCR, LOOPBACK);
    assert_int_equal(get(MSR), 0x04);
    set(MCR, LOOPBACK | 0x02);
    set(MCR, LOOPBACK);
    assert_int_equal(get(MSR), 0x01);
    set(MCR, LOOPBACK);
    assert_int_equal(get(MSR), 0x00);
}

static void an_overrun_is_reported_once(void **state)
{
    (void)state;
    set(FCR, 1);
    set(MCR, LOOPBACK);
    set(IER, 4);
    for (unsigned i = 0; i < AX_NS16550A_FIFO; i++) {
        set(THR, i);
    }
    assert_false(line_high);
    set(THR, 'x'); // lost
    assert_true(line_high);
    assert_int_equal(get(LSR), 0x63);
    assert_false(line_high);
    assert_int_equal(get(LSR), 0x61);
    for (unsigned i = 0; i < AX_NS16550A_FIFO; i++) {
        assert_int_equal(get(RBR), i);
    }
    assert_int_equal(get(LSR), 0x60);
}

static void without_fifo_an_overrun_loses_the_older_byte(void **state)
{
    (void)state;
    set(MCR, LOOPBACK);
    set(THR, 'x');
    set(THR, 'y');
    assert_int_equal(get(LSR), 0x63);
    assert_int_equal(get(RBR), 'y');
    assert_int_equal(get(LSR), 0x60);
}

// ---- what Linux does to find out what it has ----

static void the_probing_of_linux_finds_a_16550a(void **state)
{
    (void)state;
    // Is there a UART at all (8250_port.c, autoconfig).
    set(IER, 0);
    assert_int_equal(get(IER) & 0x0f, 0);
    set(IER, 0x0f);
    assert_int_equal(get(IER) & 0x0f, 0x0f);
    set(IER, 0);
    set(MCR, LOOPBACK | 0x0a);
    assert_int_equal(get(MSR) & 0xf0, 0x90);
    set(MCR, 0);
    // FIFOs: both bits of a working 16550A, and none of the enhanced feature register.
    set(LCR, 0xbf);
    set(2, 0);
    set(LCR, 0);
    set(FCR, 1);
    assert_int_equal(get(IIR) & 0xc0, 0xc0);
    set(LCR, 0x80);
    assert_int_not_equal(get(2), 0);
    set(LCR, 0xbf);
    assert_int_not_equal(get(2), 0);
    // No 16750 (64 bytes) with and without DLAB, no UUE bit of an XScale.
    set(LCR, 0);
    set(FCR, 0x21);
    assert_int_equal(get(IIR) & 0xe0, 0xc0);
    set(FCR, 1);
    set(LCR, 0x80);
    set(FCR, 0x21);
    assert_int_equal(get(IIR) & 0xe0, 0xc0);
    set(LCR, 0);
    set(IER, 0x40);
    assert_int_equal(get(IER), 0);
    // The interrupt of an empty transmitter comes again each time it is switched on (THRE test).
    set(IER, 2);
    assert_int_equal(get(IIR) & 0x0f, THRE);
    set(IER, 0);
    set(IER, 2);
    assert_int_equal(get(IIR) & 0x0f, THRE);
    assert_int_equal(sent_count, 0);
}

static void reset_brings_back_power_on_values(void **state)
{
    (void)state;
    set(FCR, 0xc1);
    receive(16);
    set(LCR, DLAB);
    set(DLL, 0x11);
    set(DLM, 0x22);
    set(LCR, 0x1b);
    set(IER, 0x0f);
    set(SCR, 0x5a);
    set(MCR, 0x1f);
    set(THR, 'x');
    assert_true(line_high);
    axvm_ns16550a_reset(&uart);
    assert_false(line_high);
    registers_have_the_values_after_power_on(state);
    set(LCR, DLAB);
    assert_int_equal(get(DLL), 0);
    assert_int_equal(get(DLM), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_have_the_values_after_power_on),
        TEST(registers_read_back_their_writable_bits_only),
        TEST(status_registers_cannot_be_written),
        TEST(the_divisor_is_behind_the_latch_bit),
        TEST(a_wider_access_reaches_the_register_at_its_address),
        TEST(bytes_go_out_in_order_and_at_once),
        TEST(the_transmit_interrupt_comes_when_it_is_switched_on),
        TEST(each_byte_sent_brings_the_transmit_interrupt),
        TEST(a_uart_without_sink_and_line_works),
        TEST(bytes_come_in_in_order),
        TEST(a_full_fifo_takes_nothing),
        TEST(without_fifo_one_byte_can_wait),
        TEST(the_receive_interrupt_follows_the_trigger_level),
        TEST(one_typed_byte_raises_the_time_out_interrupt),
        TEST(fcr_shows_itself_and_clears),
        TEST(the_host_takes_what_the_guest_would_have_read),
        TEST(interrupts_are_named_by_priority),
        TEST(each_interrupt_has_its_enable_bit),
        TEST(loopback_keeps_bytes_inside),
        TEST(loopback_wires_the_modem_outputs_to_the_inputs),
        TEST(changes_of_modem_lines_are_noted_until_they_are_read),
        TEST(an_overrun_is_reported_once),
        TEST(without_fifo_an_overrun_loses_the_older_byte),
        TEST(the_probing_of_linux_finds_a_16550a),
        TEST(reset_brings_back_power_on_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
