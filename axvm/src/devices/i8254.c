// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/i8254.h>

#include "isa.h"
#include "ticks.h"

#include <string.h>

#define NEVER   AX_CLOCK_NEVER
#define SPEAKER 2u // the counter whose gate and output are at port 0x61

#define PORT_CONTROL UINT64_C(3)

// The control word (82C54 data sheet, "Control Word Format").
#define CONTROL_COUNTER_SHIFT 6
#define CONTROL_READ_BACK     3u // in place of a counter
#define CONTROL_RW_SHIFT      4
#define CONTROL_RW_MASK       3u
#define CONTROL_MODE_SHIFT    1
#define CONTROL_MODE_MASK     7u
#define CONTROL_BCD           0x01u
#define CONTROL_KEPT          0x3fu
#define CONTROL_POWER_ON      0x30u // low and high byte, mode 0

#define RW_LATCH 0u
#define RW_LOW   1u
#define RW_HIGH  2u

#define READ_BACK_NO_COUNT  0x20u
#define READ_BACK_NO_STATUS 0x10u
#define READ_BACK_COUNTER_0 0x02u

#define STATUS_OUT  0x80u
#define STATUS_NULL 0x40u

// Port 0x61 (I/O Controller Hub data sheets, NMI_SC).
#define SYSTEM_GATE    0x01u
#define SYSTEM_KEPT    0x0fu // also: speaker, and two enables of NMIs that never come
#define SYSTEM_REFRESH 0x10u
#define SYSTEM_OUT     0x20u
#define REFRESH_TICKS  18u // between its changes: 15.09 us

#define FLOATING 0xffu

// All below: with the lock held, except where it says otherwise.

// ---- modes ----

// By mode (data sheet, "Mode Definitions").
static const struct {
    bool gate_stops;
    bool gate_triggers;
    bool write_loads; // on the next tick, also while it runs
    bool repeats;
} modes[] = {
    {true, false, true, false},  // 0: interrupt on terminal count
    {false, true, false, false}, // 1: hardware retriggerable one-shot
    {true, true, false, true},   // 2: rate generator
    {true, true, false, true},   // 3: square wave
    {true, false, true, false},  // 4: software triggered strobe
    {false, true, false, false}, // 5: hardware triggered strobe
};

#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))

// 6 and 7 are 2 and 3.
static uint32_t mode_of(const AxI8254Counter *counter)
{
    const uint32_t mode = counter->control >> CONTROL_MODE_SHIFT & CONTROL_MODE_MASK;

    return mode < MODE_COUNT ? mode : mode - 4;
}

static bool is_bcd(const AxI8254Counter *counter)
{
    return (counter->control & CONTROL_BCD) != 0;
}

static uint32_t modulus_of(const AxI8254Counter *counter)
{
    return is_bcd(counter) ? 10000 : 0x10000;
}

static uint32_t from_bcd(uint32_t digits)
{
    return (digits >> 12 & 15) * 1000 + (digits >> 8 & 15) * 100 + (digits >> 4 & 15) * 10 +
           (digits & 15);
}

static uint16_t to_bcd(uint32_t value)
{
    return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

static uint32_t count_to_load(const AxI8254Counter *counter)
{
    const uint32_t modulus = modulus_of(counter);
    const uint32_t count = is_bcd(counter) ? from_bcd(counter->reload) % modulus : counter->reload;

    if (count == 0) {
        return modulus;
    }
    return count == 1 && modes[mode_of(counter)].repeats ? 2 : count;
}

// ---- the run of a counter ----

static uint64_t elapsed_at(const AxI8254Counter *counter, uint64_t tick)
{
    return counter->halted ? counter->elapsed : tick - counter->origin;
}

// Of a square wave.
static uint32_t high_ticks(uint32_t count)
{
    return (count + 1) / 2;
}

// Mode 3 counts by two, an odd count from the even number below it.
static uint32_t square_value(uint32_t count, uint32_t phase)
{
    const uint32_t high = high_ticks(count);

    return (count & ~1u) - 2 * (phase < high ? phase : phase - high);
}

static uint16_t value_of(const AxI8254Counter *counter)
{
    const uint64_t elapsed = elapsed_at(counter, counter->tick);
    const uint32_t modulus = modulus_of(counter);
    uint32_t value;

    if (!counter->loaded) {
        return counter->held;
    }
    switch (mode_of(counter)) {
    case 2: value = counter->count - (uint32_t)(elapsed % counter->count); break;
    case 3: value = square_value(counter->count, (uint32_t)(elapsed % counter->count)); break;
    default: value = counter->count + modulus - (uint32_t)(elapsed % modulus); break;
    }
    value %= modulus;
    return is_bcd(counter) ? to_bcd(value) : (uint16_t)value;
}

static bool out_at(const AxI8254Counter *counter, uint64_t tick)
{
    const uint64_t elapsed = elapsed_at(counter, tick);
    const uint32_t count = counter->count;

    if (!counter->loaded) {
        return mode_of(counter) != 0;
    }
    switch (mode_of(counter)) {
    case 0:
    case 1: return elapsed >= count;
    case 2: return counter->halted || elapsed % count != count - 1;
    case 3: return counter->halted || elapsed % count < high_ticks(count);
    default: return counter->halted || elapsed != count;
    }
}

static uint64_t change_after_one_shot(uint64_t elapsed, uint32_t count)
{
    return elapsed < count ? count - elapsed : NEVER;
}

static uint64_t change_after_strobe(uint64_t elapsed, uint32_t count)
{
    return elapsed == count ? 1 : change_after_one_shot(elapsed, count);
}

// The output of a repeating mode is low from phase `fall` on.
static uint64_t change_after_phase(uint64_t phase, uint32_t fall, uint32_t count)
{
    return phase < fall ? fall - phase : count - phase;
}

// The first tick after `tick` at which this run, left alone, has another output.
static uint64_t next_change(const AxI8254Counter *counter, uint64_t tick)
{
    const uint64_t elapsed = elapsed_at(counter, tick);
    const uint32_t count = counter->count;
    uint64_t wait;

    if (!counter->loaded || counter->halted) {
        return NEVER;
    }
    switch (mode_of(counter)) {
    case 0:
    case 1: wait = change_after_one_shot(elapsed, count); break;
    case 2: wait = change_after_phase(elapsed % count, count - 1, count); break;
    case 3: wait = change_after_phase(elapsed % count, high_ticks(count), count); break;
    default: wait = change_after_strobe(elapsed, count); break;
    }
    return wait == NEVER ? NEVER : tick + wait;
}

static uint64_t next_rise(const AxI8254Counter *counter, uint64_t tick)
{
    uint64_t change = next_change(counter, tick);

    if (out_at(counter, tick) && change != NEVER) {
        change = next_change(counter, change);
    }
    return change;
}

// ---- loads ----

static void load_next_tick(AxI8254Counter *counter)
{
    counter->load_at = counter->tick + 1;
    counter->load_cyclic = false;
    counter->load_low = false;
}

// A repeating mode takes a new count at the end of its period, mode 3 already of its half-period.
static void load_after_period(AxI8254Counter *counter)
{
    const uint32_t count = counter->count;
    const uint64_t phase = elapsed_at(counter, counter->tick) % count;
    const bool in_first_half = mode_of(counter) == 3 && phase < high_ticks(count);
    const uint64_t end = in_first_half ? high_ticks(count) : count;

    counter->load_at = counter->tick + (end - phase);
    counter->load_cyclic = true;
    counter->load_low = in_first_half;
}

// At tick load_at, which has come. A run that begins in its second half began earlier.
static void load(AxI8254Counter *counter)
{
    counter->count = count_to_load(counter);
    counter->elapsed = counter->load_low ? high_ticks(counter->count) : 0;
    counter->origin = counter->load_at - counter->elapsed;
    counter->halted = modes[mode_of(counter)].gate_stops && !counter->gate;
    counter->loaded = true;
    counter->null_count = false;
    counter->tick = counter->load_at;
    counter->load_at = NEVER;
}

static void unload(AxI8254Counter *counter)
{
    counter->held = value_of(counter);
    counter->loaded = false;
    counter->halted = false;
}

// Moves within a run; whether the output rose on the way.
static bool walk(AxI8254Counter *counter, uint64_t tick)
{
    const bool rose = next_rise(counter, counter->tick) <= tick;

    counter->tick = tick;
    return rose;
}

static bool walk_and_load(AxI8254Counter *counter)
{
    const bool rose = walk(counter, counter->load_at - 1);
    const bool before = out_at(counter, counter->tick);

    load(counter);
    return rose || (!before && out_at(counter, counter->tick));
}

static bool run_to(AxI8254Counter *counter, uint64_t tick)
{
    bool rose = false;

    if (tick <= counter->tick) {
        return false;
    }
    if (counter->load_at <= tick) {
        rose = walk_and_load(counter);
    }
    return walk(counter, tick) || rose;
}

// The tick at which the output rises next, whether in this run or through a load.
static uint64_t next_rise_of(const AxI8254Counter *counter)
{
    const uint64_t rise = next_rise(counter, counter->tick);
    AxI8254Counter ahead = *counter;

    if (rise < counter->load_at || counter->load_at == NEVER) {
        return rise;
    }
    return walk_and_load(&ahead) ? ahead.tick : next_rise(&ahead, ahead.tick);
}

// ---- IRQ 0 ----

static void drive(AxI8254 *pit, bool high)
{
    if (high != pit->line_high) {
        pit->line_high = high;
        axvm_irq_set(&pit->line, high);
    }
}

static bool irq_out(const AxI8254 *pit)
{
    return out_at(&pit->counters[0], pit->counters[0].tick);
}

// `rose`: at some time since the last call, maybe more than once.
static void update_line(AxI8254 *pit, bool rose)
{
    if (rose) {
        drive(pit, false);
    }
    drive(pit, rose || irq_out(pit));
}

static void advance(AxI8254 *pit, uint64_t now)
{
    const uint64_t tick = ticks_of(now, AX_I8254_HZ);
    const bool rose = run_to(&pit->counters[0], tick);

    for (uint32_t i = 1; i < AX_I8254_COUNTERS; i++) {
        (void)run_to(&pit->counters[i], tick);
    }
    update_line(pit, rose);
}

static void catch_up(AxI8254 *pit)
{
    advance(pit, pit->clock.now(pit->clock.ctx));
}

// ---- gate ----

static void raise_gate(AxI8254Counter *counter)
{
    if (modes[mode_of(counter)].gate_triggers) {
        if (counter->programmed) {
            load_next_tick(counter);
        }
    } else if (counter->halted) {
        counter->halted = false;
        counter->origin = counter->tick - counter->elapsed;
    }
}

// The period that a new count waits for does not end any more: the count waits for the gate.
static void lower_gate(AxI8254Counter *counter)
{
    if (counter->loaded && modes[mode_of(counter)].gate_stops && !counter->halted) {
        counter->elapsed = elapsed_at(counter, counter->tick);
        counter->halted = true;
    }
    if (counter->load_cyclic) {
        counter->load_at = NEVER;
    }
}

static void set_gate(AxI8254Counter *counter, bool high)
{
    if (high == counter->gate) {
        return;
    }
    counter->gate = high;
    if (high) {
        raise_gate(counter);
    } else {
        lower_gate(counter);
    }
}

// ---- counters ----

static uint32_t access_of(const AxI8254Counter *counter)
{
    return counter->control >> CONTROL_RW_SHIFT & CONTROL_RW_MASK;
}

static void take_count(AxI8254Counter *counter, uint32_t value)
{
    const uint32_t mode = mode_of(counter);

    counter->reload = (uint16_t)value;
    counter->programmed = true;
    counter->null_count = true;
    if (mode == 0) {
        unload(counter);
    }
    if (modes[mode].write_loads || (modes[mode].repeats && !counter->loaded)) {
        load_next_tick(counter);
    } else if (modes[mode].repeats && !counter->halted && counter->load_at == NEVER) {
        load_after_period(counter);
    }
}

// Mode 0 stops at the first byte of two.
static void take_first_byte(AxI8254Counter *counter, uint8_t value)
{
    counter->first_byte = value;
    counter->write_high = true;
    if (mode_of(counter) == 0) {
        unload(counter);
        counter->load_at = NEVER;
    }
}

static void write_counter(AxI8254Counter *counter, uint8_t value)
{
    switch (access_of(counter)) {
    case RW_LOW: take_count(counter, value); break;
    case RW_HIGH: take_count(counter, (uint32_t)value << 8); break;
    default:
        if (!counter->write_high) {
            take_first_byte(counter, value);
        } else {
            counter->write_high = false;
            take_count(counter, (uint32_t)value << 8 | counter->first_byte);
        }
        break;
    }
}

static uint8_t read_count(AxI8254Counter *counter)
{
    const uint16_t value = counter->count_latched ? counter->latched_count : value_of(counter);
    const uint32_t access = access_of(counter);
    const bool high = access == RW_HIGH || counter->read_high;

    counter->read_high = access != RW_LOW && access != RW_HIGH && !counter->read_high;
    if (!counter->read_high) {
        counter->count_latched = false;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t read_counter(AxI8254Counter *counter)
{
    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->latched_status;
    }
    return read_count(counter);
}

// What is latched stays so until it is read.
static void latch_count(AxI8254Counter *counter)
{
    if (!counter->count_latched) {
        counter->latched_count = value_of(counter);
        counter->count_latched = true;
    }
}

static void latch_status(AxI8254Counter *counter)
{
    if (!counter->status_latched) {
        counter->latched_status = (uint8_t)((out_at(counter, counter->tick) ? STATUS_OUT : 0) |
                                            (counter->null_count ? STATUS_NULL : 0) |
                                            counter->control);
        counter->status_latched = true;
    }
}

static void read_back(AxI8254 *pit, uint8_t value)
{
    for (uint32_t i = 0; i < AX_I8254_COUNTERS; i++) {
        if ((value & READ_BACK_COUNTER_0 << i) == 0) {
            continue;
        }
        if ((value & READ_BACK_NO_COUNT) == 0) {
            latch_count(&pit->counters[i]);
        }
        if ((value & READ_BACK_NO_STATUS) == 0) {
            latch_status(&pit->counters[i]);
        }
    }
}

static void program(AxI8254Counter *counter, uint8_t control)
{
    unload(counter);
    *counter = (AxI8254Counter){
        .control = control & CONTROL_KEPT,
        .gate = counter->gate,
        .null_count = true,
        .held = counter->held,
        .load_at = NEVER,
        .tick = counter->tick,
    };
}

static void write_control(AxI8254 *pit, uint8_t value)
{
    const uint32_t index = value >> CONTROL_COUNTER_SHIFT;

    if (index == CONTROL_READ_BACK) {
        read_back(pit, value);
    } else if ((value >> CONTROL_RW_SHIFT & CONTROL_RW_MASK) == RW_LATCH) {
        latch_count(&pit->counters[index]);
    } else {
        program(&pit->counters[index], value);
    }
}

// ---- ports ----

static uint8_t read_port(void *device, uint64_t offset)
{
    AxI8254 *pit = device;

    return offset < AX_I8254_COUNTERS ? read_counter(&pit->counters[offset]) : FLOATING;
}

// What a write changes at once is an edge too.
static void write_port(void *device, uint64_t offset, uint8_t value)
{
    AxI8254 *pit = device;
    const bool before = irq_out(pit);

    if (offset < AX_I8254_COUNTERS) {
        write_counter(&pit->counters[offset], value);
    } else if (offset == PORT_CONTROL) {
        write_control(pit, value);
    }
    if (irq_out(pit) != before) {
        update_line(pit, !before);
    }
}

static AxError i8254_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    AxI8254 *pit = device;

    (void)vcpu;
    ax_lock(&pit->lock);
    catch_up(pit);
    *value = isa_read(pit, offset, width, read_port);
    ax_unlock(&pit->lock);
    return AX_OK;
}

static AxError i8254_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    AxI8254 *pit = device;

    (void)vcpu;
    ax_lock(&pit->lock);
    catch_up(pit);
    isa_write(pit, offset, width, value, write_port);
    ax_unlock(&pit->lock);
    return AX_OK;
}

const AxDeviceOps axvm_i8254_ops = {
    .name = "8254",
    .read = i8254_read,
    .write = i8254_write,
};

static uint8_t system_bits(const AxI8254 *pit)
{
    const AxI8254Counter *speaker = &pit->counters[SPEAKER];
    const bool refresh = speaker->tick / REFRESH_TICKS % 2 != 0;

    return (uint8_t)(pit->system | (refresh ? SYSTEM_REFRESH : 0) |
                     (out_at(speaker, speaker->tick) ? SYSTEM_OUT : 0));
}

static AxError system_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t *value)
{
    AxI8254 *pit = device;

    (void)vcpu;
    (void)offset;
    (void)width;
    ax_lock(&pit->lock);
    catch_up(pit);
    *value = system_bits(pit);
    ax_unlock(&pit->lock);
    return AX_OK;
}

static AxError system_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t value)
{
    AxI8254 *pit = device;

    (void)vcpu;
    (void)offset;
    (void)width;
    ax_lock(&pit->lock);
    catch_up(pit);
    pit->system = (uint8_t)(value & SYSTEM_KEPT);
    set_gate(&pit->counters[SPEAKER], (value & SYSTEM_GATE) != 0);
    ax_unlock(&pit->lock);
    return AX_OK;
}

const AxDeviceOps axvm_i8254_system_ops = {
    .name = "port 0x61",
    .read = system_read,
    .write = system_write,
};

// ---- time ----

uint64_t axvm_i8254_next(AxI8254 *pit)
{
    uint64_t tick;

    ax_lock(&pit->lock);
    tick = next_rise_of(&pit->counters[0]);
    ax_unlock(&pit->lock);
    return tick == NEVER ? NEVER : ns_of_tick(tick, AX_I8254_HZ);
}

void axvm_i8254_advance(AxI8254 *pit, uint64_t now)
{
    ax_lock(&pit->lock);
    advance(pit, now);
    ax_unlock(&pit->lock);
}

// ---- life ----

void axvm_i8254_init(AxI8254 *pit, AxIrqLine line, AxClock clock)
{
    memset(pit, 0, sizeof(*pit));
    pit->line = line;
    pit->clock = clock;
    axvm_i8254_reset(pit);
}

void axvm_i8254_reset(AxI8254 *pit)
{
    const uint64_t tick = ticks_of(pit->clock.now(pit->clock.ctx), AX_I8254_HZ);

    ax_lock(&pit->lock);
    pit->system = 0;
    for (uint32_t i = 0; i < AX_I8254_COUNTERS; i++) {
        pit->counters[i] = (AxI8254Counter){
            .control = CONTROL_POWER_ON,
            .gate = i != SPEAKER,
            .load_at = NEVER,
            .tick = tick,
        };
    }
    update_line(pit, false);
    ax_unlock(&pit->lock);
}
