// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/cmos.h>

#include "isa.h"
#include "ticks.h"

#include <string.h>

#define NEVER    AX_CLOCK_NEVER
#define SECOND   AX_CLOCK_SECOND
#define CLOCK_HZ UINT64_C(32768)

#define DAY_SECONDS  UINT64_C(86400)
#define HOUR_SECONDS UINT64_C(3600)

// Bytes of the clock.
#define REG_SECOND       0x00u
#define REG_SECOND_ALARM 0x01u
#define REG_MINUTE       0x02u
#define REG_MINUTE_ALARM 0x03u
#define REG_HOUR         0x04u
#define REG_HOUR_ALARM   0x05u
#define REG_WEEKDAY      0x06u
#define REG_DAY          0x07u
#define REG_MONTH        0x08u
#define REG_YEAR         0x09u
#define REG_A            0x0au
#define REG_B            0x0bu
#define REG_C            0x0cu
#define REG_D            0x0du
#define REG_CENTURY      0x32u

#define A_UIP      0x80u
#define A_DIVIDER  0x70u
#define A_RUNNING  0x20u
#define A_RATE     0x0fu
#define B_SET      0x80u
#define B_PIE      0x40u
#define B_AIE      0x20u
#define B_UIE      0x10u
#define B_SQWE     0x08u
#define B_BINARY   0x04u
#define B_24H      0x02u
#define C_IRQF     0x80u
#define C_PF       0x40u
#define C_AF       0x20u
#define C_UF       0x10u
#define C_FLAGS    (C_PF | C_AF | C_UF)
#define D_VRT      0x80u
#define HOUR_PM    0x80u
#define ALARM_ANY  0xc0u // or more
#define INDEX_MASK 0x7fu // bit 7 of the port masks NMIs
#define PORT_INDEX UINT64_C(0)
#define FLOATING   0xffu

_Static_assert(C_PF == B_PIE && C_AF == B_AIE && C_UF == B_UIE,
               "each flag of register C is enabled by the same bit of register B");

// Data sheet, "Update Cycle": UIP rises 244 us before a cycle of 1984 us.
#define UPDATE_NS   UINT64_C(2228000)
#define HALF_SECOND (SECOND / 2)

// Bytes of the BIOS.
#define RAM_BASE_KIB       0x15u
#define RAM_EXTENDED_KIB   0x17u
#define RAM_EXTENDED_KIB_2 0x30u
#define RAM_ABOVE_16M      0x34u // in 64 KiB, as the next
#define RAM_ABOVE_4G       0x5bu
#define RAM_CHECKED_FIRST  0x10u
#define RAM_CHECKED_LAST   0x2du
#define RAM_CHECKSUM       0x2eu // high byte first
#define KIB                UINT64_C(1024)
#define MIB                (KIB * KIB)

// All below: with the lock held, except where it says otherwise.

// ---- calendar ----

typedef struct Date {
    uint64_t year;
    uint32_t month; // 1..12
    uint32_t day;   // 1..31
} Date;

#define ERA_YEARS  400u
#define ERA_DAYS   UINT64_C(146097)
#define EPOCH_DAYS UINT64_C(719468) // from the first of March of year 0 to 1970

// Days of a year that begins in March, before its month 0..11.
static uint64_t days_before_month(uint64_t month)
{
    return (153 * month + 2) / 5;
}

static uint64_t days_before_year(uint64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400;
}

// Days since the first of March of the year before, an era ahead: January of year 0 has a number.
static uint64_t day_number(const Date *date)
{
    const uint64_t year = date->year + ERA_YEARS - (date->month <= 2 ? 1 : 0);

    return days_before_year(year) + days_before_month((date->month + 9) % 12) + date->day - 1;
}

static Date date_of_day(uint64_t number)
{
    const uint64_t day = number % ERA_DAYS;
    // The quotient by 365 would run ahead by the leap days before: they are taken off first.
    const uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    const uint64_t rest = day - days_before_year(year);
    const uint64_t month = (5 * rest + 2) / 153;

    return (Date){
        .year = number / ERA_DAYS * ERA_YEARS + year - ERA_YEARS + (month >= 10 ? 1 : 0),
        .month = (uint32_t)((month + 2) % 12 + 1),
        .day = (uint32_t)(rest - days_before_month(month) + 1),
    };
}

// ---- the time in its registers ----

static bool is_set(const AxCmos *cmos, uint32_t bit_of_b)
{
    return (cmos->bytes[REG_B] & bit_of_b) != 0;
}

static uint32_t from_bcd(uint32_t byte)
{
    return byte / 16 * 10 + byte % 16;
}

static uint8_t to_bcd(uint64_t value)
{
    return (uint8_t)(value / 10 % 10 * 16 + value % 10);
}

static uint32_t decode(const AxCmos *cmos, uint32_t byte)
{
    return is_set(cmos, B_BINARY) ? byte : from_bcd(byte);
}

static uint8_t encode(const AxCmos *cmos, uint64_t value)
{
    return is_set(cmos, B_BINARY) ? (uint8_t)value : to_bcd(value);
}

static uint32_t decode_hour(const AxCmos *cmos, uint32_t byte)
{
    if (is_set(cmos, B_24H)) {
        return decode(cmos, byte);
    }
    return decode(cmos, byte & ~HOUR_PM) % 12 + ((byte & HOUR_PM) != 0 ? 12 : 0);
}

static uint8_t encode_hour(const AxCmos *cmos, uint64_t hour)
{
    const uint64_t of_12 = hour % 12 == 0 ? 12 : hour % 12;

    if (is_set(cmos, B_24H)) {
        return encode(cmos, hour);
    }
    return encode(cmos, of_12) | (hour >= 12 ? HOUR_PM : 0);
}

static uint64_t second_of_day(const AxCmos *cmos)
{
    return (uint64_t)(decode_hour(cmos, cmos->bytes[REG_HOUR]) % 24) * HOUR_SECONDS +
           (uint64_t)(decode(cmos, cmos->bytes[REG_MINUTE]) % 60) * 60 +
           decode(cmos, cmos->bytes[REG_SECOND]) % 60;
}

static void set_second_of_day(AxCmos *cmos, uint64_t second)
{
    cmos->bytes[REG_SECOND] = encode(cmos, second % 60);
    cmos->bytes[REG_MINUTE] = encode(cmos, second / 60 % 60);
    cmos->bytes[REG_HOUR] = encode_hour(cmos, second / HOUR_SECONDS);
}

// The century is always BCD, as BIOSes have it.
static uint64_t day_of_registers(const AxCmos *cmos)
{
    const uint32_t day = decode(cmos, cmos->bytes[REG_DAY]);
    const Date date = {
        .year = (uint64_t)(from_bcd(cmos->bytes[REG_CENTURY]) % 100) * 100 +
                decode(cmos, cmos->bytes[REG_YEAR]) % 100,
        .month = (decode(cmos, cmos->bytes[REG_MONTH]) + 11) % 12 + 1,
        .day = day == 0 ? 1 : day,
    };

    return day_number(&date);
}

static void set_day(AxCmos *cmos, uint64_t number)
{
    const Date date = date_of_day(number);

    cmos->bytes[REG_DAY] = encode(cmos, date.day);
    cmos->bytes[REG_MONTH] = encode(cmos, date.month);
    cmos->bytes[REG_YEAR] = encode(cmos, date.year % 100);
    cmos->bytes[REG_CENTURY] = to_bcd(date.year / 100);
}

// The day of the week counts for itself: 1 is what the guest takes for it.
static void add_days(AxCmos *cmos, uint64_t days)
{
    const uint64_t weekday = decode(cmos, cmos->bytes[REG_WEEKDAY]) + UINT64_C(6);

    cmos->bytes[REG_WEEKDAY] = encode(cmos, (weekday + days) % 7 + 1);
    set_day(cmos, day_of_registers(cmos) + days);
}

static void add_seconds(AxCmos *cmos, uint64_t seconds)
{
    const uint64_t second = second_of_day(cmos) + seconds;

    set_second_of_day(cmos, second % DAY_SECONDS);
    if (second >= DAY_SECONDS) {
        add_days(cmos, second / DAY_SECONDS);
    }
}

// ---- alarm ----

// A field of the alarm: which value it waits for.
#define ANY UINT32_MAX

typedef struct Alarm {
    uint32_t hour;
    uint32_t minute;
    uint32_t second;
} Alarm;

static bool fits(uint32_t wanted, uint64_t value)
{
    return wanted == ANY || wanted == value;
}

static bool can_come(const Alarm *alarm)
{
    return (alarm->hour == ANY || alarm->hour < 24) &&
           (alarm->minute == ANY || alarm->minute < 60) &&
           (alarm->second == ANY || alarm->second < 60);
}

static Alarm alarm_of(const AxCmos *cmos)
{
    const uint8_t hour = cmos->bytes[REG_HOUR_ALARM];
    const uint8_t minute = cmos->bytes[REG_MINUTE_ALARM];
    const uint8_t second = cmos->bytes[REG_SECOND_ALARM];

    return (Alarm){
        .hour = hour >= ALARM_ANY ? ANY : decode_hour(cmos, hour),
        .minute = minute >= ALARM_ANY ? ANY : decode(cmos, minute),
        .second = second >= ALARM_ANY ? ANY : decode(cmos, second),
    };
}

// The first second from `second` on that can fit, given that it does not.
static uint64_t skip(const Alarm *alarm, uint64_t second)
{
    if (!fits(alarm->hour, second / HOUR_SECONDS % 24)) {
        return (second / HOUR_SECONDS + 1) * HOUR_SECONDS;
    }
    if (!fits(alarm->minute, second / 60 % 60)) {
        return (second / 60 + 1) * 60;
    }
    return second + 1;
}

static bool is_alarm(const Alarm *alarm, uint64_t second)
{
    return fits(alarm->hour, second / HOUR_SECONDS % 24) && fits(alarm->minute, second / 60 % 60) &&
           fits(alarm->second, second % 60);
}

// Updates until the alarm, at least 1; NEVER for one that cannot come. What can come does within a
// day, and the search skips hours, then minutes, then seconds: about 200 steps.
static uint64_t updates_to_alarm(const AxCmos *cmos)
{
    const Alarm alarm = alarm_of(cmos);
    const uint64_t now = second_of_day(cmos);
    uint64_t second = now + 1;

    if (!can_come(&alarm)) {
        return NEVER;
    }
    while (!is_alarm(&alarm, second)) {
        second = skip(&alarm, second);
    }
    return second - now;
}

// ---- time goes on ----

static bool is_running(const AxCmos *cmos)
{
    return (cmos->bytes[REG_A] & A_DIVIDER) == A_RUNNING;
}

// In cycles of the oscillator; 0 = none (data sheet, "Periodic Interrupt Rate").
static uint64_t period(const AxCmos *cmos)
{
    const uint32_t rate = cmos->bytes[REG_A] & A_RATE;

    if (rate == 0) {
        return 0;
    }
    return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static void update_line(AxCmos *cmos)
{
    const bool high = (cmos->bytes[REG_C] & cmos->bytes[REG_B] & C_FLAGS) != 0;

    if (high != cmos->line_high) {
        cmos->line_high = high;
        axvm_irq_set(&cmos->line, high);
    }
}

static void run_divider(AxCmos *cmos, uint64_t from, uint64_t to)
{
    const uint64_t cycles = period(cmos);

    if (cycles != 0 && ticks_of(from, CLOCK_HZ) / cycles != ticks_of(to, CLOCK_HZ) / cycles) {
        cmos->bytes[REG_C] |= C_PF;
    }
}

static void run_updates(AxCmos *cmos, uint64_t count)
{
    if (count == 0 || is_set(cmos, B_SET)) {
        return;
    }
    if (updates_to_alarm(cmos) <= count) {
        cmos->bytes[REG_C] |= C_AF;
    }
    cmos->bytes[REG_C] |= C_UF;
    add_seconds(cmos, count);
}

static void advance(AxCmos *cmos, uint64_t now)
{
    const uint64_t from = cmos->seen - cmos->anchor;
    const uint64_t to = now - cmos->anchor;

    if (now <= cmos->seen) {
        return;
    }
    cmos->seen = now;
    if (is_running(cmos)) {
        run_divider(cmos, from, to);
        run_updates(cmos, to / SECOND - from / SECOND);
        update_line(cmos);
    }
}

static void catch_up(AxCmos *cmos)
{
    advance(cmos, cmos->clock.now(cmos->clock.ctx));
}

// Within a second, from update to update.
static uint64_t phase(const AxCmos *cmos)
{
    return (cmos->seen - cmos->anchor) % SECOND;
}

static bool is_updating(const AxCmos *cmos)
{
    return is_running(cmos) && !is_set(cmos, B_SET) && phase(cmos) >= SECOND - UPDATE_NS;
}

// ---- registers ----

static uint8_t read_c(AxCmos *cmos)
{
    const uint8_t flags = cmos->bytes[REG_C];

    cmos->bytes[REG_C] = 0;
    return flags | (cmos->line_high ? C_IRQF : 0);
}

static uint8_t read_data(AxCmos *cmos)
{
    switch (cmos->index) {
    case REG_A: return cmos->bytes[REG_A] | (is_updating(cmos) ? A_UIP : 0);
    case REG_C: return read_c(cmos);
    case REG_D: return D_VRT;
    default: return cmos->bytes[cmos->index];
    }
}

static void write_a(AxCmos *cmos, uint8_t value)
{
    const bool was_running = is_running(cmos);

    cmos->bytes[REG_A] = value & (uint8_t)~A_UIP;
    if (is_running(cmos) && !was_running) {
        cmos->anchor = cmos->seen - HALF_SECOND;
    }
}

// Setting the time ends the update interrupts.
static void write_b(AxCmos *cmos, uint8_t value)
{
    cmos->bytes[REG_B] = (value & B_SET) != 0 ? value & (uint8_t)~B_UIE : value;
}

static void write_data(AxCmos *cmos, uint8_t value)
{
    switch (cmos->index) {
    case REG_A: write_a(cmos, value); break;
    case REG_B: write_b(cmos, value); break;
    case REG_C:
    case REG_D: break;
    default: cmos->bytes[cmos->index] = value; break;
    }
}

// ---- ports ----

static uint8_t read_port(void *device, uint64_t offset)
{
    return offset == PORT_INDEX ? FLOATING : read_data(device);
}

static void write_port(void *device, uint64_t offset, uint8_t value)
{
    AxCmos *cmos = device;

    if (offset == PORT_INDEX) {
        cmos->index = value & INDEX_MASK;
    } else {
        write_data(cmos, value);
    }
}

static AxError cmos_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    AxCmos *cmos = device;

    (void)vcpu;
    ax_lock(&cmos->lock);
    catch_up(cmos);
    *value = isa_read(cmos, offset, width, read_port);
    update_line(cmos);
    ax_unlock(&cmos->lock);
    return AX_OK;
}

static AxError cmos_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    AxCmos *cmos = device;

    (void)vcpu;
    ax_lock(&cmos->lock);
    catch_up(cmos);
    isa_write(cmos, offset, width, value, write_port);
    update_line(cmos);
    ax_unlock(&cmos->lock);
    return AX_OK;
}

const AxDeviceOps axvm_cmos_ops = {
    .name = "RTC",
    .read = cmos_read,
    .write = cmos_write,
};

// ---- time ----

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// From the anchor on, like what the next three return.
static uint64_t after_updates(const AxCmos *cmos, uint64_t count)
{
    const uint64_t seconds = (cmos->seen - cmos->anchor) / SECOND;

    return count == NEVER ? NEVER : (seconds + count) * SECOND;
}

static uint64_t next_periodic(const AxCmos *cmos)
{
    const uint64_t cycles = period(cmos);
    const uint64_t now = ticks_of(cmos->seen - cmos->anchor, CLOCK_HZ);

    return cycles == 0 ? NEVER : ns_of_tick((now / cycles + 1) * cycles, CLOCK_HZ);
}

static uint64_t next_interrupt(const AxCmos *cmos)
{
    const bool updates = !is_set(cmos, B_SET);
    uint64_t next = NEVER;

    if (is_set(cmos, B_PIE)) {
        next = next_periodic(cmos);
    }
    if (is_set(cmos, B_UIE) && updates) {
        next = earlier(next, after_updates(cmos, 1));
    }
    if (is_set(cmos, B_AIE) && updates) {
        next = earlier(next, after_updates(cmos, updates_to_alarm(cmos)));
    }
    return next;
}

uint64_t axvm_cmos_next(AxCmos *cmos)
{
    uint64_t next = NEVER;

    ax_lock(&cmos->lock);
    if (is_running(cmos) && !cmos->line_high) {
        next = next_interrupt(cmos);
    }
    if (next != NEVER) {
        next += cmos->anchor;
    }
    ax_unlock(&cmos->lock);
    return next;
}

void axvm_cmos_advance(AxCmos *cmos, uint64_t now)
{
    ax_lock(&cmos->lock);
    advance(cmos, now);
    ax_unlock(&cmos->lock);
}

// ---- life ----

void axvm_cmos_init(AxCmos *cmos, AxIrqLine line, AxClock clock, uint64_t date)
{
    const uint64_t days = date / DAY_SECONDS;

    memset(cmos, 0, sizeof(*cmos));
    cmos->line = line;
    cmos->clock = clock;
    cmos->bytes[REG_A] = A_RUNNING | 6; // 1024 Hz, as a BIOS leaves it
    cmos->bytes[REG_B] = B_24H;
    set_second_of_day(cmos, date % DAY_SECONDS);
    set_day(cmos, EPOCH_DAYS + ERA_DAYS + days);
    cmos->bytes[REG_WEEKDAY] = (uint8_t)((days + 4) % 7 +
                                         1); // 1970 began on a Thursday; Sunday = 1
    cmos->seen = clock.now(clock.ctx);
    cmos->anchor = cmos->seen;
}

void axvm_cmos_reset(AxCmos *cmos)
{
    ax_lock(&cmos->lock);
    catch_up(cmos);
    cmos->bytes[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    cmos->bytes[REG_C] = 0;
    update_line(cmos);
    ax_unlock(&cmos->lock);
}

static uint64_t units_above(uint64_t size, uint64_t base, uint64_t unit, uint64_t limit)
{
    return size <= base ? 0 : earlier((size - base) / unit, limit);
}

static void put(AxCmos *cmos, uint32_t at, uint64_t value, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cmos->bytes[at + i] = (uint8_t)(value >> i * 8);
    }
}

static void put_checksum(AxCmos *cmos)
{
    uint32_t sum = 0;

    for (uint32_t i = RAM_CHECKED_FIRST; i <= RAM_CHECKED_LAST; i++) {
        sum += cmos->bytes[i];
    }
    cmos->bytes[RAM_CHECKSUM] = (uint8_t)(sum >> 8);
    cmos->bytes[RAM_CHECKSUM + 1] = (uint8_t)sum;
}

void axvm_cmos_set_memory(AxCmos *cmos, uint64_t below_4g, uint64_t above_4g)
{
    const uint64_t extended = units_above(below_4g, MIB, KIB, UINT16_MAX);

    ax_lock(&cmos->lock);
    put(cmos, RAM_BASE_KIB, earlier(below_4g / KIB, 640), 2);
    put(cmos, RAM_EXTENDED_KIB, extended, 2);
    put(cmos, RAM_EXTENDED_KIB_2, extended, 2);
    put(cmos, RAM_ABOVE_16M, units_above(below_4g, 16 * MIB, 64 * KIB, UINT16_MAX), 2);
    put(cmos, RAM_ABOVE_4G, units_above(above_4g, 0, 64 * KIB, 0xffffff), 3);
    put_checksum(cmos);
    ax_unlock(&cmos->lock);
}
