// SPDX-License-Identifier: Apache-2.0
// The single ports of a PC: every byte value at each reset port, the ACPI registers in all widths,
// and the PM timer to the tick.
#include "test.h"

#include <axvm/devices/pcports.h>

#define STATUS  0u
#define ENABLE  2u
#define CONTROL AX_PCPORTS_PM_CONTROL
#define TIMER   AX_PCPORTS_PM_TIMER

#define TMR     0x0001u
#define GBL     0x0020u
#define PWRBTN  0x0100u
#define RTC     0x0400u
#define SCI_EN  0x0001u
#define SLP_EN  0x2000u
#define TYPE(n) ((uint32_t)(n) << 10)

static AxPcPorts ports;
static uint64_t now;
static bool sci;
static uint32_t resets;
static uint32_t power_offs;

static uint64_t read_clock(void *ctx)
{
    return *(uint64_t *)ctx;
}

static void record_sci(void *controller, uint32_t irq, bool high)
{
    (void)controller;
    assert_int_equal(irq, 9);
    assert_int_not_equal(sci, high);
    sci = high;
}

// With the lock free, or this would not come back.
static void record_reset(void *ctx)
{
    assert_ptr_equal(ctx, &resets);
    (void)!axvm_pcports_post(&ports);
    resets++;
}

static void record_power_off(void *ctx)
{
    assert_ptr_equal(ctx, &resets);
    (void)!axvm_pcports_post(&ports);
    power_offs++;
}

static int setup(void **state)
{
    (void)state;
    now = 0;
    sci = false;
    resets = 0;
    power_offs = 0;
    axvm_pcports_init(&ports, (AxPcPower){record_reset, record_power_off, &resets},
                      (AxIrqLine){record_sci, NULL, 9}, (AxClock){read_clock, &now});
    return 0;
}

static void out(const AxDeviceOps *ops, uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(ops->write(&ports, NULL, offset, width, value), AX_OK);
}

static uint64_t in(const AxDeviceOps *ops, uint64_t offset, AccessWidth width)
{
    uint64_t value = UINT64_MAX;

    assert_error(ops->read(&ports, NULL, offset, width, &value), AX_OK);
    assert_true((value & ~ax_width_mask(width)) == 0);
    return value;
}

static void out8(const AxDeviceOps *ops, uint32_t value)
{
    out(ops, 0, AX_WIDTH_BYTE, value);
}

static uint32_t in8(const AxDeviceOps *ops)
{
    return (uint32_t)in(ops, 0, AX_WIDTH_BYTE);
}

static void pm_out(uint32_t offset, uint32_t value)
{
    out(&axvm_pcports_pm_ops, offset, AX_WIDTH_WORD, value);
}

static uint32_t pm_in(uint32_t offset)
{
    return (uint32_t)in(&axvm_pcports_pm_ops, offset, AX_WIDTH_WORD);
}

static uint32_t timer(void)
{
    return (uint32_t)in(&axvm_pcports_pm_ops, TIMER, AX_WIDTH_DWORD);
}

// The first nanosecond of a tick, computed another way than the model does.
static uint64_t ns_of(uint64_t tick)
{
    const unsigned __int128 product = (unsigned __int128)tick * 1000000000u;

    return (uint64_t)((product + AX_PCPORTS_PM_HZ - 1) / AX_PCPORTS_PM_HZ);
}

// ---- reset ----

static void a_rising_cpu_bit_at_cf9_resets(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < 256; before++) {
        for (uint32_t value = 0; value < 256; value++) {
            setup(NULL);
            out8(&axvm_pcports_reset_ops, before);
            resets = 0;
            out8(&axvm_pcports_reset_ops, value);
            assert_int_equal(resets, (value & 4) != 0 && (before & 4) == 0);
            assert_int_equal(in8(&axvm_pcports_reset_ops), value & 0x0e);
        }
    }
    assert_int_equal(power_offs, 0);
}

static void the_keyboard_controller_is_empty_and_pulses_the_reset_line(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 256; value++) {
        const bool pulses = value >= 0xf0 && value % 2 == 0;

        setup(NULL);
        out8(&axvm_pcports_kbd_command_ops, value);
        assert_int_equal(resets, pulses);
        out8(&axvm_pcports_kbd_data_ops, 0);
        assert_int_equal(resets, pulses || value == 0xd1);
        out8(&axvm_pcports_kbd_data_ops, 0); // the command took one byte
        assert_int_equal(resets, pulses || value == 0xd1);
        assert_int_equal(in8(&axvm_pcports_kbd_command_ops), 0);
        assert_int_equal(in8(&axvm_pcports_kbd_data_ops), 0);
    }
}

static void the_output_port_resets_with_its_lowest_bit_clear(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 256; value++) {
        setup(NULL);
        out8(&axvm_pcports_kbd_command_ops, 0xd1);
        out8(&axvm_pcports_kbd_data_ops, value);
        assert_int_equal(resets, value % 2 == 0);
    }
    // Another command in between takes it back.
    setup(NULL);
    out8(&axvm_pcports_kbd_command_ops, 0xd1);
    out8(&axvm_pcports_kbd_command_ops, 0xff);
    out8(&axvm_pcports_kbd_data_ops, 0);
    assert_int_equal(resets, 0);
}

static void the_post_port_keeps_its_byte(void **state)
{
    (void)state;
    assert_int_equal(axvm_pcports_post(&ports), 0);
    for (uint32_t value = 0; value < 256; value++) {
        out8(&axvm_pcports_post_ops, value);
        assert_int_equal(axvm_pcports_post(&ports), value);
        assert_int_equal(in8(&axvm_pcports_post_ops), value);
    }
    assert_int_equal(resets + power_offs, 0);
}

static void without_an_owner_nothing_happens(void **state)
{
    (void)state;
    axvm_pcports_init(&ports, (AxPcPower){0}, (AxIrqLine){0}, (AxClock){read_clock, &now});
    out8(&axvm_pcports_reset_ops, 6);
    pm_out(CONTROL, SLP_EN | TYPE(AX_PCPORTS_SLP_S5));
    assert_int_equal(resets + power_offs, 0);
    assert_int_equal(in8(&axvm_pcports_reset_ops), 6);
}

// ---- ACPI ----

static void only_the_type_of_s5_powers_off(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 0x10000; value++) {
        const bool off = (value & SLP_EN) != 0 && (value >> 10 & 7) == AX_PCPORTS_SLP_S5;

        power_offs = 0;
        pm_out(CONTROL, value);
        assert_int_equal(power_offs, off);
        assert_int_equal(pm_in(CONTROL), (value & (TYPE(7) | 2)) | SCI_EN);
    }
    assert_int_equal(resets, 0);
}

static void sleep_takes_the_high_byte_alone_and_wider_writes(void **state)
{
    const uint32_t off = SLP_EN | TYPE(AX_PCPORTS_SLP_S5);

    (void)state;
    out(&axvm_pcports_pm_ops, CONTROL + 1, AX_WIDTH_BYTE, off >> 8);
    assert_int_equal(power_offs, 1);
    out(&axvm_pcports_pm_ops, CONTROL, AX_WIDTH_DWORD, off);
    assert_int_equal(power_offs, 2);
    out(&axvm_pcports_pm_ops, CONTROL, AX_WIDTH_BYTE, off >> 8);
    assert_int_equal(power_offs, 2);
    // The type counts that is written with it.
    pm_out(CONTROL, TYPE(AX_PCPORTS_SLP_S5));
    pm_out(CONTROL, SLP_EN);
    assert_int_equal(power_offs, 2);
}

static void the_power_button_raises_sci_when_enabled(void **state)
{
    (void)state;
    axvm_pcports_press_power(&ports);
    assert_false(sci);
    assert_int_equal(pm_in(STATUS), PWRBTN);
    pm_out(ENABLE, TMR | GBL);
    assert_false(sci);
    pm_out(ENABLE, PWRBTN);
    assert_true(sci);
    pm_out(STATUS, 0xffff & ~PWRBTN);
    assert_int_equal(pm_in(STATUS), PWRBTN);
    assert_true(sci);
    pm_out(STATUS, PWRBTN);
    assert_int_equal(pm_in(STATUS), 0);
    assert_false(sci);
    axvm_pcports_press_power(&ports);
    assert_true(sci);
    out(&axvm_pcports_pm_ops, ENABLE + 1, AX_WIDTH_BYTE, 0);
    assert_false(sci);
}

static void enables_are_kept_where_there_are_events(void **state)
{
    (void)state;
    pm_out(ENABLE, 0xffff);
    assert_int_equal(pm_in(ENABLE), TMR | GBL | PWRBTN | RTC);
    out(&axvm_pcports_pm_ops, ENABLE, AX_WIDTH_BYTE, 0);
    assert_int_equal(pm_in(ENABLE), PWRBTN | RTC);
    assert_int_equal(in(&axvm_pcports_pm_ops, STATUS, AX_WIDTH_DWORD), (PWRBTN | RTC) << 16);
    // Both at once.
    axvm_pcports_press_power(&ports);
    assert_true(sci);
    out(&axvm_pcports_pm_ops, STATUS, AX_WIDTH_DWORD, PWRBTN | TMR << 16);
    assert_int_equal(in(&axvm_pcports_pm_ops, STATUS, AX_WIDTH_DWORD), TMR << 16);
    assert_false(sci);
}

// ---- PM timer ----

static void the_timer_counts_24_bits_exactly(void **state)
{
    static const uint64_t ticks[] = {
        1,        2,         1000,      3579545,       0x7fffff,
        0xffffff, 0x1000000, 0x1000001, 0xabcdef12345, 3579545ull * 86400 * 365 * 500};

    (void)state;
    assert_int_equal(timer(), 0);
    for (size_t i = 0; i < COUNT_OF(ticks); i++) {
        now = ns_of(ticks[i]) - 1;
        assert_int_equal(timer(), (ticks[i] - 1) & 0xffffff);
        now++;
        assert_int_equal(timer(), ticks[i] & 0xffffff);
    }
    now = 0; // does not go back
    assert_int_equal(timer(), ticks[COUNT_OF(ticks) - 1] & 0xffffff);
}

static void the_timer_is_read_in_any_width_and_not_written(void **state)
{
    (void)state;
    now = ns_of(0x123456);
    out(&axvm_pcports_pm_ops, TIMER, AX_WIDTH_DWORD, 0);
    out(&axvm_pcports_pm_ops, 6, AX_WIDTH_WORD, UINT16_MAX);
    assert_int_equal(timer(), 0x123456);
    assert_int_equal(in(&axvm_pcports_pm_ops, TIMER + 1, AX_WIDTH_BYTE), 0x34);
    assert_int_equal(pm_in(TIMER + 2), 0x12);
    assert_int_equal(pm_in(6), 0);
    assert_true(in(&axvm_pcports_pm_ops, CONTROL, AX_WIDTH_QWORD) ==
                (UINT64_C(0x123456) << 32 | SCI_EN));
}

static void the_carry_is_an_event_each_2_3_seconds(void **state)
{
    (void)state;
    assert_true(axvm_pcports_next(&ports) == AX_CLOCK_NEVER);
    pm_out(ENABLE, TMR);
    for (uint64_t carry = 1; carry < 20; carry++) {
        const uint64_t wanted = ns_of(carry << 23);

        assert_true(axvm_pcports_next(&ports) == wanted);
        axvm_pcports_advance(&ports, wanted - 1);
        assert_false(sci);
        axvm_pcports_advance(&ports, wanted);
        assert_true(sci);
        assert_true(axvm_pcports_next(&ports) == AX_CLOCK_NEVER);
        now = wanted;
        assert_int_equal(pm_in(STATUS), TMR);
        pm_out(STATUS, TMR);
        assert_false(sci);
    }
    pm_out(ENABLE, 0);
    now = ns_of(UINT64_C(22) << 23);
    assert_int_equal(pm_in(STATUS), TMR);
    assert_false(sci);
    assert_true(axvm_pcports_next(&ports) == AX_CLOCK_NEVER);
}

// ---- life ----

static void reset_is_power_on_but_for_the_timer(void **state)
{
    (void)state;
    now = ns_of(0x900000);
    out8(&axvm_pcports_reset_ops, 0x0e);
    out8(&axvm_pcports_kbd_command_ops, 0xd1);
    out8(&axvm_pcports_post_ops, 0x55);
    pm_out(ENABLE, TMR);
    pm_out(CONTROL, TYPE(3) | 2);
    assert_true(sci);
    resets = 0;
    axvm_pcports_reset(&ports);
    assert_false(sci);
    assert_int_equal(in8(&axvm_pcports_reset_ops), 0);
    assert_int_equal(axvm_pcports_post(&ports), 0);
    assert_int_equal(pm_in(STATUS), 0);
    assert_int_equal(pm_in(ENABLE), 0);
    assert_int_equal(pm_in(CONTROL), SCI_EN);
    assert_int_equal(timer(), 0x900000);
    out8(&axvm_pcports_kbd_data_ops, 0);
    assert_int_equal(resets, 0);
    out8(&axvm_pcports_reset_ops, 4);
    assert_int_equal(resets, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rising_cpu_bit_at_cf9_resets),
        TEST(the_keyboard_controller_is_empty_and_pulses_the_reset_line),
        TEST(the_output_port_resets_with_its_lowest_bit_clear),
        TEST(the_post_port_keeps_its_byte),
        TEST(without_an_owner_nothing_happens),
        TEST(only_the_type_of_s5_powers_off),
        TEST(sleep_takes_the_high_byte_alone_and_wider_writes),
        TEST(the_power_button_raises_sci_when_enabled),
        TEST(enables_are_kept_where_there_are_events),
        TEST(the_timer_counts_24_bits_exactly),
        TEST(the_timer_is_read_in_any_width_and_not_written),
        TEST(the_carry_is_an_event_each_2_3_seconds),
        TEST(reset_is_power_on_but_for_the_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
