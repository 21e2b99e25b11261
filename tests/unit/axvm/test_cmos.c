// SPDX-License-Identifier: Apache-2.0
// The clock: dates against the C library's calendar, its formats, the moment of each interrupt to
// the nanosecond, and what a hostile guest may write into it.
#include "test.h"

#include <axvm/devices/cmos.h>
#include <time.h>

#define S UINT64_C(1000000000)

#define SECOND       0x00u
#define SECOND_ALARM 0x01u
#define MINUTE       0x02u
#define MINUTE_ALARM 0x03u
#define HOUR         0x04u
#define HOUR_ALARM   0x05u
#define WEEKDAY      0x06u
#define DAY          0x07u
#define MONTH        0x08u
#define YEAR         0x09u
#define A            0x0au
#define B            0x0bu
#define C            0x0cu
#define D            0x0du
#define CENTURY      0x32u

#define SET    0x80u
#define PIE    0x40u
#define AIE    0x20u
#define UIE    0x10u
#define SQWE   0x08u
#define BINARY 0x04u
#define H24    0x02u
#define UIP    0x80u
#define IRQF   0x80u
#define PF     0x40u
#define AF     0x20u
#define UF     0x10u
#define ANY    0xc0u

#define START     UINT64_C(5000000123)
#define DATE      UINT64_C(1700000000)   // Tuesday 2023-11-14 22:13:20
#define LAST_DATE UINT64_C(253402300799) // the last second of 9999

static AxCmos cmos;
static uint64_t now;
static bool line;

static uint64_t read_clock(void *ctx)
{
    return *(uint64_t *)ctx;
}

static void record(void *controller, uint32_t irq, bool high)
{
    (void)controller;
    assert_int_equal(irq, 8);
    assert_int_not_equal(line, high);
    line = high;
}

static void begin(uint64_t date)
{
    now = START;
    line = false;
    axvm_cmos_init(&cmos, (AxIrqLine){record, NULL, 8}, (AxClock){read_clock, &now}, date);
}

static int setup(void **state)
{
    (void)state;
    begin(DATE);
    return 0;
}

static void out(uint32_t port, uint32_t value)
{
    assert_error(axvm_cmos_ops.write(&cmos, NULL, port, AX_WIDTH_BYTE, value), AX_OK);
}

static uint32_t in(uint32_t port)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_cmos_ops.read(&cmos, NULL, port, AX_WIDTH_BYTE, &value), AX_OK);
    assert_true(value <= UINT8_MAX);
    return (uint32_t)value;
}

static uint32_t get(uint32_t index)
{
    out(0, index);
    return in(1);
}

static void set(uint32_t index, uint32_t value)
{
    out(0, index);
    out(1, value);
}

static uint32_t bcd(int value)
{
    return (uint32_t)(value / 10 * 16 + value % 10);
}

static void assert_time(uint32_t hour, uint32_t minute, uint32_t second)
{
    assert_int_equal(get(HOUR), hour);
    assert_int_equal(get(MINUTE), minute);
    assert_int_equal(get(SECOND), second);
}

static void assert_date(uint32_t century, uint32_t year, uint32_t month, uint32_t day)
{
    assert_int_equal(get(CENTURY), century);
    assert_int_equal(get(YEAR), year);
    assert_int_equal(get(MONTH), month);
    assert_int_equal(get(DAY), day);
}

static void set_time(uint32_t hour, uint32_t minute, uint32_t second)
{
    set(HOUR, hour);
    set(MINUTE, minute);
    set(SECOND, second);
}

static void set_date(uint32_t century, uint32_t year, uint32_t month, uint32_t day)
{
    set(CENTURY, century);
    set(YEAR, year);
    set(MONTH, month);
    set(DAY, day);
}

// ---- date ----

static void assert_registers_say(uint64_t date)
{
    const time_t seconds = (time_t)date;
    struct tm tm;

    assert_non_null(gmtime_r(&seconds, &tm));
    assert_time(bcd(tm.tm_hour), bcd(tm.tm_min), bcd(tm.tm_sec));
    assert_date(bcd((tm.tm_year + 1900) / 100), bcd(tm.tm_year % 100), bcd(tm.tm_mon + 1),
                bcd(tm.tm_mday));
    assert_int_equal(get(WEEKDAY), tm.tm_wday + 1);
}

static void it_begins_with_the_date_it_is_given(void **state)
{
    static const uint64_t dates[] = {0,          1,          951782399,  951782400,
                                     951868800,  DATE,       1709164800, 1709251199,
                                     4102444799, 4107542400, 4107628800, LAST_DATE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        begin(dates[i]);
        assert_registers_say(dates[i]);
    }
    for (uint64_t day = 0; day < 2932000; day += 37) {
        begin(day * 86400 + 4242);
        assert_registers_say(day * 86400 + 4242);
    }
}

static void it_counts_like_the_calendar(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};
    uint64_t date = DATE;

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        const uint64_t seconds = random_below(&random, i % 10 == 0 ? 1000000 : 3000);

        date += seconds;
        now += seconds * S;
        assert_registers_say(date);
    }
}

static void a_second_changes_at_its_nanosecond(void **state)
{
    (void)state;
    now = START + S - 1;
    assert_time(0x22, 0x13, 0x20);
    now = START + S;
    assert_time(0x22, 0x13, 0x21);
    now = START + 3600 * S - 1;
    assert_time(0x23, 0x13, 0x19);
    now = START; // does not go back
    assert_time(0x23, 0x13, 0x19);
}

static void days_carry_into_months_years_and_centuries(void **state)
{
    static const struct {
        uint32_t before[4];
        uint32_t after[4];
    } cases[] = {
        {{0x20, 0x23, 0x02, 0x28}, {0x20, 0x23, 0x03, 0x01}},
        {{0x20, 0x24, 0x02, 0x28}, {0x20, 0x24, 0x02, 0x29}},
        {{0x20, 0x24, 0x02, 0x29}, {0x20, 0x24, 0x03, 0x01}},
        {{0x20, 0x00, 0x02, 0x28}, {0x20, 0x00, 0x02, 0x29}},
        {{0x21, 0x00, 0x02, 0x28}, {0x21, 0x00, 0x03, 0x01}},
        {{0x19, 0x99, 0x12, 0x31}, {0x20, 0x00, 0x01, 0x01}},
        {{0x20, 0x23, 0x04, 0x30}, {0x20, 0x23, 0x05, 0x01}},
        {{0x00, 0x00, 0x01, 0x01}, {0x00, 0x00, 0x01, 0x02}},
        {{0x99, 0x99, 0x12, 0x31}, {0x00, 0x00, 0x01, 0x01}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(DATE);
        set_date(cases[i].before[0], cases[i].before[1], cases[i].before[2], cases[i].before[3]);
        set_time(0x23, 0x59, 0x59);
        set(WEEKDAY, 7);
        now += S;
        assert_date(cases[i].after[0], cases[i].after[1], cases[i].after[2], cases[i].after[3]);
        assert_time(0, 0, 0);
        assert_int_equal(get(WEEKDAY), 1);
    }
}

// ---- formats ----

static void hours_are_written_as_register_b_says(void **state)
{
    static const struct {
        uint32_t b;
        uint32_t hours[24];
    } cases[] = {
        {H24, {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11,
               0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x22, 0x23}},
        {H24 | BINARY,
         {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
        {0, {0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11,
             0x92, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91}},
        {BINARY, {12,  1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,
                  140, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const uint32_t last = (cases[i].b & BINARY) != 0 ? 59 : 0x59;

        begin(DATE);
        set(B, cases[i].b);
        for (uint32_t hour = 0; hour < 24; hour++) {
            set_time(cases[i].hours[hour], last, last);
            now += S;
            assert_time(cases[i].hours[(hour + 1) % 24], 0, 0);
        }
    }
}

static void binary_mode_is_for_the_date_too(void **state)
{
    (void)state;
    set(B, H24 | BINARY);
    set_date(0x20, 23, 12, 31);
    set_time(23, 59, 59);
    now += S;
    assert_date(0x20, 24, 1, 1);
    now += 30 * 86400 * S;
    assert_date(0x20, 24, 1, 31);
}

static void what_is_no_time_becomes_one_at_the_next_update(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        const uint32_t b = (uint32_t)random_below(&random, 256) & (BINARY | H24 | AIE);

        set(B, b);
        for (uint32_t index = 0; index <= YEAR; index++) {
            set(index, (uint32_t)random_next(&random) & 0xff);
        }
        set(CENTURY, (uint32_t)random_next(&random) & 0xff);
        (void)axvm_cmos_next(&cmos);
        now += (1 + random_below(&random, 200000)) * S;
        set(B, b & ~BINARY);
        set(B, b);
        assert_true(get(SECOND) <= ((b & BINARY) != 0 ? 59 : 0x59));
        assert_true(get(MINUTE) <= ((b & BINARY) != 0 ? 59 : 0x59));
        assert_true((get(HOUR) & 0x7f) <= ((b & BINARY) != 0 ? 23 : 0x23));
    }
    set(B, H24);
    set_date(0xff, 0xff, 0x00, 0x00);
    set(WEEKDAY, 0xff);
    set_time(0x23, 0x59, 0x59);
    now += S;
    // Century 165 and year 165 fold to 65, month 0 to the one before January.
    assert_date(0x65, 0x65, 0x12, 0x02);
    assert_true(get(WEEKDAY) >= 1 && get(WEEKDAY) <= 7);
}

// ---- update cycle ----

static void uip_announces_the_update(void **state)
{
    (void)state;
    now = START + S - 2228000 - 1;
    assert_int_equal(get(A), 0x26);
    now++;
    assert_int_equal(get(A), UIP | 0x26);
    set(B, H24 | SET);
    assert_int_equal(get(A), 0x26);
    set(B, H24);
    now = START + S - 1;
    assert_int_equal(get(A), UIP | 0x26);
    now++;
    assert_int_equal(get(A), 0x26);
    now = START + 2 * S - 1;
    set(A, 0x60 | UIP); // the divider is held
    assert_int_equal(get(A), 0x60);
}

static void set_stops_updates_but_not_the_divider(void **state)
{
    (void)state;
    set(B, H24 | SET | UIE);
    assert_int_equal(get(B), H24 | SET); // ends the update interrupts
    now = START + 10 * S + S / 4;
    assert_time(0x22, 0x13, 0x20);
    assert_int_equal(get(C), PF);
    set_time(0x01, 0x02, 0x03);
    set(B, H24);
    now = START + 11 * S - 1;
    assert_time(0x01, 0x02, 0x03);
    now++;
    assert_time(0x01, 0x02, 0x04);
    assert_int_equal(get(C) & UF, UF);
}

static void a_held_divider_stops_time_and_restarts_half_a_second_early(void **state)
{
    static const uint32_t held[] = {0x00, 0x10, 0x30, 0x40, 0x50, 0x60, 0x70};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        begin(DATE);
        set(B, H24 | UIE | PIE | AIE);
        set(A, held[i] | 6);
        assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
        now += 100 * S + 12345;
        assert_time(0x22, 0x13, 0x20);
        assert_int_equal(get(C), 0);
        set(A, 0x20);
        assert_true(axvm_cmos_next(&cmos) == now + S / 2);
        now += S / 2 - 1;
        assert_time(0x22, 0x13, 0x20);
        now++;
        assert_time(0x22, 0x13, 0x21);
        set(A, 0x26); // the same divider: nothing restarts
        assert_int_equal(get(C), IRQF | UF);
        now += S - 1;
        assert_time(0x22, 0x13, 0x21);
        now++;
        assert_time(0x22, 0x13, 0x22);
    }
}

// ---- interrupts ----

static void update_interrupts_come_each_second(void **state)
{
    (void)state;
    assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
    set(B, H24 | UIE);
    for (uint64_t second = 1; second < 100; second++) {
        const uint64_t wanted = START + second * S;

        assert_true(axvm_cmos_next(&cmos) == wanted);
        axvm_cmos_advance(&cmos, wanted - 1);
        assert_false(line);
        axvm_cmos_advance(&cmos, wanted);
        assert_true(line);
        assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
        now = wanted;
        assert_int_equal(get(C) & ~PF, IRQF | UF);
        assert_false(line);
        assert_int_equal(get(C), 0);
    }
}

static void periodic_interrupts_have_their_rates_and_do_not_drift(void **state)
{
    static const uint32_t hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};

    (void)state;
    for (uint32_t rate = 0; rate < 16; rate++) {
        begin(DATE);
        set(A, 0x20 | rate);
        set(B, H24 | PIE);
        if (hz[rate] == 0) {
            assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
            now += 10 * S;
            assert_int_equal(get(C), UF);
            continue;
        }
        for (uint64_t tick = 1; tick <= 3 * hz[rate]; tick++) {
            const uint64_t wanted = START + (tick * S + hz[rate] - 1) / hz[rate];

            assert_true(axvm_cmos_next(&cmos) == wanted);
            axvm_cmos_advance(&cmos, wanted - 1);
            assert_false(line);
            now = wanted;
            assert_int_equal(get(C) & ~UF, IRQF | PF);
        }
    }
}

static void alarms_come_when_their_fields_fit(void **state)
{
    // From 22:13:20.
    static const struct {
        uint32_t b;
        uint32_t alarm[3];
        uint64_t after; // seconds; 0 = never
    } cases[] = {
        {H24, {0x22, 0x13, 0x21}, 1},     {H24, {0x22, 0x13, 0x20}, 86400},
        {H24, {0x22, 0x13, 0x19}, 86399}, {H24, {0x22, 0x14, 0x00}, 40},
        {H24, {0x00, 0x00, 0x00}, 6400},  {H24, {ANY, ANY, ANY}, 1},
        {H24, {0xff, 0xc1, 0x20}, 60},    {H24, {ANY, 0x13, 0x20}, 3600},
        {H24, {ANY, 0x00, ANY}, 2800},    {H24, {0x23, ANY, ANY}, 2800},
        {H24, {0x21, ANY, ANY}, 82000},   {H24, {0x24, ANY, ANY}, 0},
        {H24, {ANY, 0x60, ANY}, 0},       {H24, {ANY, ANY, 0x60}, 0},
        {H24, {ANY, ANY, 0xbf}, 0},       {H24, {0x16, ANY, ANY}, 64000},
        {H24 | BINARY, {22, 13, 59}, 39}, {0, {0x91, 0x00, 0x00}, 2800},
        {0, {0x12, 0x00, 0x00}, 6400},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const bool binary = (cases[i].b & BINARY) != 0;
        const bool h24 = (cases[i].b & H24) != 0;

        begin(DATE);
        set(B, cases[i].b | AIE);
        set_time(!h24 ? 0x90 : binary ? 22 : 0x22, binary ? 13 : 0x13, binary ? 20 : 0x20);
        set(HOUR_ALARM, cases[i].alarm[0]);
        set(MINUTE_ALARM, cases[i].alarm[1]);
        set(SECOND_ALARM, cases[i].alarm[2]);
        if (cases[i].after == 0) {
            assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
            now += 3 * 86400 * S;
            assert_int_equal(get(C) & AF, 0);
            continue;
        }
        assert_int_equal(axvm_cmos_next(&cmos), START + cases[i].after * S);
        axvm_cmos_advance(&cmos, START + cases[i].after * S - 1);
        assert_false(line);
        axvm_cmos_advance(&cmos, START + cases[i].after * S);
        assert_true(line);
    }
}

static void the_next_alarm_is_the_first_second_that_fits(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};

    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        const uint64_t sod = random_below(&random, 86400);
        const uint32_t any = (uint32_t)random_below(&random, 8);
        const uint32_t want[3] = {(uint32_t)random_below(&random, 24),
                                  (uint32_t)random_below(&random, 60),
                                  (uint32_t)random_below(&random, 60)};
        uint64_t after = 1;

        begin(DATE / 86400 * 86400 + sod);
        set(B, H24 | AIE);
        set(HOUR_ALARM, (any & 1) != 0 ? ANY : bcd((int)want[0]));
        set(MINUTE_ALARM, (any & 2) != 0 ? ANY : bcd((int)want[1]));
        set(SECOND_ALARM, (any & 4) != 0 ? ANY : bcd((int)want[2]));
        while (((any & 1) == 0 && (sod + after) / 3600 % 24 != want[0]) ||
               ((any & 2) == 0 && (sod + after) / 60 % 60 != want[1]) ||
               ((any & 4) == 0 && (sod + after) % 60 != want[2])) {
            after++;
        }
        assert_int_equal(axvm_cmos_next(&cmos), START + after * S);
    }
}

static void the_earliest_interrupt_is_next(void **state)
{
    (void)state;
    set(A, 0x2f);
    set(SECOND_ALARM, 0x20);
    set(MINUTE_ALARM, ANY);
    set(HOUR_ALARM, ANY);
    set(B, H24 | AIE);
    assert_true(axvm_cmos_next(&cmos) == START + 60 * S);
    set(B, H24 | AIE | UIE);
    assert_true(axvm_cmos_next(&cmos) == START + S);
    set(B, H24 | AIE | UIE | PIE);
    assert_true(axvm_cmos_next(&cmos) == START + S / 2);
    set(B, H24 | AIE | UIE | PIE | SET);
    assert_true(axvm_cmos_next(&cmos) == START + S / 2);
    set(B, H24 | AIE | SET);
    assert_true(axvm_cmos_next(&cmos) == AX_CLOCK_NEVER);
}

static void flags_are_set_without_interrupts_and_raise_them_when_enabled(void **state)
{
    (void)state;
    set(A, 0x20);
    now += S;
    axvm_cmos_advance(&cmos, now);
    assert_false(line);
    set(B, H24 | PIE | AIE);
    assert_false(line);
    set(B, H24 | UIE);
    assert_true(line);
    set(B, H24);
    assert_false(line);
    assert_int_equal(get(C), UF);
    set(B, H24 | UIE);
    assert_false(line);
    // All at once, in one read.
    set(A, 0x26);
    set(SECOND_ALARM, ANY);
    set(MINUTE_ALARM, ANY);
    set(HOUR_ALARM, ANY);
    now += S;
    assert_int_equal(get(C), IRQF | PF | AF | UF);
    assert_false(line);
}

static void reset_ends_interrupts_and_keeps_the_time(void **state)
{
    (void)state;
    set(0x40, 0x77);
    set(B, BINARY | H24 | UIE | AIE | PIE | SQWE);
    now += 3 * S;
    axvm_cmos_advance(&cmos, now);
    assert_true(line);
    axvm_cmos_reset(&cmos);
    assert_false(line);
    assert_int_equal(get(B), BINARY | H24);
    assert_int_equal(get(C), 0);
    assert_int_equal(get(0x40), 0x77);
    assert_int_equal(get(SECOND), 0x23);
}

// ---- ports ----

static void bytes_of_ram_keep_what_is_written(void **state)
{
    (void)state;
    for (uint32_t i = D + 1; i < AX_CMOS_BYTES; i++) {
        assert_int_equal(get(i), i == CENTURY ? 0x20 : 0);
        set(i, i ^ 0xa5);
    }
    for (uint32_t i = D + 1; i < AX_CMOS_BYTES; i++) {
        assert_int_equal(get(i | 0x80), i ^ 0xa5); // bit 7 is not the index's
    }
    assert_int_equal(in(0), 0xff);
    set(C, 0xff);
    set(D, 0x00);
    assert_int_equal(get(C), 0);
    assert_int_equal(get(D), 0x80);
}

static void a_wide_write_is_index_and_data(void **state)
{
    uint64_t value;

    (void)state;
    assert_error(axvm_cmos_ops.write(&cmos, NULL, 0, AX_WIDTH_WORD, 0x5a50), AX_OK);
    assert_error(axvm_cmos_ops.read(&cmos, NULL, 0, AX_WIDTH_WORD, &value), AX_OK);
    assert_int_equal(value, 0x5aff);
}

static uint32_t ram(uint32_t at, uint32_t count)
{
    uint32_t value = 0;

    for (uint32_t i = count; i > 0; i--) {
        value = value << 8 | get(at + i - 1);
    }
    return value;
}

static void memory_sizes_are_where_a_bios_has_them(void **state)
{
    static const struct {
        uint64_t below;
        uint64_t above;
        uint32_t base;
        uint32_t extended;
        uint32_t above_16m;
        uint32_t above_4g;
    } cases[] = {
        {0, 0, 0, 0, 0, 0},
        {KIB(512), 0, 512, 0, 0, 0},
        {MIB(1), 0, 640, 0, 0, 0},
        {MIB(16), 0, 640, 15360, 0, 0},
        {MIB(64), 0, 640, 64512, 768, 0},
        {MIB(128), 0, 640, 65535, 1792, 0},
        {GIB(3), GIB(5), 640, 65535, 48896, 81920},
        {UINT64_MAX, UINT64_MAX, 640, 65535, 65535, 0xffffff},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t sum = 0;

        set(0x14, 0x0f);
        axvm_cmos_set_memory(&cmos, cases[i].below, cases[i].above);
        assert_int_equal(ram(0x15, 2), cases[i].base);
        assert_int_equal(ram(0x17, 2), cases[i].extended);
        assert_int_equal(ram(0x30, 2), cases[i].extended);
        assert_int_equal(ram(0x34, 2), cases[i].above_16m);
        assert_int_equal(ram(0x5b, 3), cases[i].above_4g);
        for (uint32_t at = 0x10; at <= 0x2d; at++) {
            sum += get(at);
        }
        assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
        assert_int_equal(get(CENTURY), 0x20);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_begins_with_the_date_it_is_given),
        TEST(it_counts_like_the_calendar),
        TEST(a_second_changes_at_its_nanosecond),
        TEST(days_carry_into_months_years_and_centuries),
        TEST(hours_are_written_as_register_b_says),
        TEST(binary_mode_is_for_the_date_too),
        TEST(what_is_no_time_becomes_one_at_the_next_update),
        TEST(uip_announces_the_update),
        TEST(set_stops_updates_but_not_the_divider),
        TEST(a_held_divider_stops_time_and_restarts_half_a_second_early),
        TEST(update_interrupts_come_each_second),
        TEST(periodic_interrupts_have_their_rates_and_do_not_drift),
        TEST(alarms_come_when_their_fields_fit),
        TEST(the_next_alarm_is_the_first_second_that_fits),
        TEST(the_earliest_interrupt_is_next),
        TEST(flags_are_set_without_interrupts_and_raise_them_when_enabled),
        TEST(reset_ends_interrupts_and_keeps_the_time),
        TEST(bytes_of_ram_keep_what_is_written),
        TEST(a_wide_write_is_index_and_data),
        TEST(memory_sizes_are_where_a_bios_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
