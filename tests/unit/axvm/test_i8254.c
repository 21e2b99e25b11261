// SPDX-License-Identifier: Apache-2.0
// The 8254: modes exact to the tick, reading and latching, port 0x61, then long random sequences
// against a model that knows no formula and counts tick by tick.
#include "test.h"

#include <axvm/devices/i8254.h>

#define CONTROL 3u
#define LATCH   0x00u
#define LOW     0x10u
#define HIGH    0x20u
#define BOTH    0x30u
#define MODE(n) ((n) << 1)
#define BCD     1u
#define AT(n)   ((uint32_t)(n) << 6)

#define READ_BACK   0xc0u
#define NO_COUNT    0x20u
#define NO_STATUS   0x10u
#define SELECT(n)   (2u << (n))
#define STATUS_OUT  0x80u
#define STATUS_NULL 0x40u

static AxI8254 pit;
static uint64_t now;
static bool line;
static uint32_t rises;
static uint32_t falls;

static uint64_t read_clock(void *ctx)
{
    return *(uint64_t *)ctx;
}

static void record(void *controller, uint32_t irq, bool high)
{
    (void)controller;
    assert_int_equal(irq, 7);
    assert_int_not_equal(line, high);
    line = high;
    *(high ? &rises : &falls) += 1;
}

// The first nanosecond of a tick, computed another way than the model does.
static uint64_t ns_of(uint64_t tick)
{
    const unsigned __int128 product = (unsigned __int128)tick * 1000000000u;

    return (uint64_t)((product + AX_I8254_HZ - 1) / AX_I8254_HZ);
}

#define START UINT64_C(1000000)

static int setup(void **state)
{
    (void)state;
    now = ns_of(START);
    line = false;
    rises = 0;
    falls = 0;
    axvm_i8254_init(&pit, (AxIrqLine){record, NULL, 7}, (AxClock){read_clock, &now});
    return 0;
}

static void at_tick(uint64_t tick)
{
    now = ns_of(START + tick);
}

static void out(uint32_t port, uint32_t value)
{
    assert_error(axvm_i8254_ops.write(&pit, NULL, port, AX_WIDTH_BYTE, value), AX_OK);
}

static uint32_t in(uint32_t port)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_i8254_ops.read(&pit, NULL, port, AX_WIDTH_BYTE, &value), AX_OK);
    assert_true(value <= UINT8_MAX);
    return (uint32_t)value;
}

static void out61(uint32_t value)
{
    assert_error(axvm_i8254_system_ops.write(&pit, NULL, 0, AX_WIDTH_BYTE, value), AX_OK);
}

static uint32_t in61(void)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_i8254_system_ops.read(&pit, NULL, 0, AX_WIDTH_BYTE, &value), AX_OK);
    return (uint32_t)value;
}

static uint32_t status(uint32_t counter)
{
    out(CONTROL, READ_BACK | NO_COUNT | SELECT(counter));
    return in(counter);
}

static bool is_out(uint32_t counter)
{
    return (status(counter) & STATUS_OUT) != 0;
}

static void start(uint32_t counter, uint32_t control, uint32_t count)
{
    out(CONTROL, AT(counter) | BOTH | control);
    out(counter, count & 0xff);
    out(counter, count >> 8);
}

static uint32_t value(uint32_t counter)
{
    uint32_t low;

    out(CONTROL, AT(counter) | LATCH);
    low = in(counter);
    return low | in(counter) << 8;
}

// ---- modes ----

// The output from the tick of the write on, one character each.
static void watch(uint32_t counter, const char *wanted)
{
    const uint64_t begin = now;
    const uint64_t tick = (uint64_t)(((unsigned __int128)begin * AX_I8254_HZ) / 1000000000u);

    for (uint64_t i = 0; wanted[i] != '\0'; i++) {
        now = ns_of(tick + i);
        if (is_out(counter) != (wanted[i] == '^')) {
            fail_msg("tick %u of %s", (unsigned)i, wanted);
        }
    }
}

static void each_mode_has_the_waveform_of_the_data_sheet(void **state)
{
    static const struct {
        uint32_t mode;
        uint32_t count;
        const char *wave;
    } cases[] = {
        {0, 4, "_____^^^^^"},     {0, 1, "__^^^^"},        {1, 4, "^^^^^^"}, // waits for its gate
        {2, 3, "^^^_^^_^^_^^_"},  {2, 2, "^^_^_^_"},       {2, 1, "^^_^_^_"},
        {6, 4, "^^^^_^^^_^^^_"},  {3, 4, "^^^__^^__^^__"}, {3, 5, "^^^^__^^^__^^^__"},
        {3, 2, "^^_^_^_"},        {3, 1, "^^_^_^_"},       {7, 3, "^^^_^^_"},
        {4, 3, "^^^^_^^^^^^^^^"}, {4, 1, "^^_^^^"},        {5, 3, "^^^^^^"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setup(NULL);
        start(0, MODE(cases[i].mode), cases[i].count);
        watch(0, cases[i].wave);
    }
}

static void each_mode_takes_the_gate_as_the_data_sheet_says(void **state)
{
    static const struct {
        uint32_t mode;
        uint32_t count;
        const char *low;     // with the gate low, from the write on
        const char *raised;  // from the rise of the gate on
        const char *lowered; // from its fall on
        const char *again;   // and its second rise
    } cases[] = {
        {0, 6, "____", "___", "____", "____^^^"},
        {1, 3, "^^^^", "^___^^", "^^", "^___^"},
        {2, 3, "^^^^", "^^^_^^_", "^^^^", "^^^_^^_"},
        {3, 4, "^^^^", "^^^__^^__", "^^^^^", "^^^__^^"},
        {4, 4, "^^^^", "^^^", "^^^^", "^^_^^^"},
        {5, 3, "^^^^", "^^^^_^^^", "^^", "^^^^_^"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setup(NULL);
        start(2, MODE(cases[i].mode), cases[i].count);
        watch(2, cases[i].low);
        out61(1);
        watch(2, cases[i].raised);
        out61(0);
        watch(2, cases[i].lowered);
        out61(1);
        watch(2, cases[i].again);
    }
}

static void a_trigger_restarts_the_hardware_modes(void **state)
{
    (void)state;
    start(2, MODE(1), 4);
    out61(1);
    watch(2, "^___");
    out61(0);
    out61(1);
    watch(2, "_____^^");
    // A new count is for the next trigger.
    out(2, 2);
    out(2, 0);
    assert_int_equal(status(2) & STATUS_NULL, STATUS_NULL);
    watch(2, "^^^");
    out61(0);
    out61(1);
    watch(2, "^__^^");
    assert_int_equal(status(2) & STATUS_NULL, 0);
}

static void counts_read_as_the_modes_count(void **state)
{
    static const struct {
        uint32_t control;
        uint32_t count;
        uint32_t from; // tick of the first value
        uint32_t values[6];
    } cases[] = {
        {MODE(0), 2, 1, {2, 1, 0, 0xffff, 0xfffe, 0xfffd}},
        {MODE(0), 0, 1, {0, 0xffff, 0xfffe, 0xfffd, 0xfffc, 0xfffb}},
        {MODE(0) | BCD, 0x1001, 1, {0x1001, 0x1000, 0x0999, 0x0998, 0x0997, 0x0996}},
        {MODE(4) | BCD, 0x4321, 1, {0x4321, 0x4320, 0x4319, 0x4318, 0x4317, 0x4316}},
        {MODE(0) | BCD, 1, 1, {1, 0, 0x9999, 0x9998, 0x9997, 0x9996}},
        {MODE(0) | BCD, 0, 1, {0, 0x9999, 0x9998, 0x9997, 0x9996, 0x9995}},
        {MODE(2), 3, 1, {3, 2, 1, 3, 2, 1}},
        {MODE(2), 0, 65536, {1, 0, 0xffff, 0xfffe, 0xfffd, 0xfffc}},
        {MODE(2) | BCD, 0, 10000, {1, 0, 0x9999, 0x9998, 0x9997, 0x9996}},
        {MODE(3), 6, 1, {6, 4, 2, 6, 4, 2}},
        {MODE(3), 5, 1, {4, 2, 0, 4, 2, 4}},
        {MODE(3), 0, 1, {0, 0xfffe, 0xfffc, 0xfffa, 0xfff8, 0xfff6}},
        {MODE(4), 1, 1, {1, 0, 0xffff, 0xfffe, 0xfffd, 0xfffc}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setup(NULL);
        start(0, cases[i].control, cases[i].count);
        for (uint32_t tick = 0; tick < 6; tick++) {
            at_tick(cases[i].from + tick);
            assert_int_equal(value(0), cases[i].values[tick]);
        }
    }
}

static void a_new_count_waits_for_the_end_of_a_period(void **state)
{
    (void)state;
    start(0, MODE(2), 4);
    watch(0, "^^");
    out(0, 2);
    out(0, 0);
    watch(0, "^^^_^_^_");
    setup(NULL);
    start(0, MODE(3), 8);
    watch(0, "^^^");
    out(0, 4); // for the second half already
    out(0, 0);
    watch(0, "^^^__^^__^^");
    setup(NULL);
    start(0, MODE(3), 6);
    watch(0, "^^^^__");
    out(0, 3); // in the second half
    out(0, 0);
    assert_int_equal(status(0) & STATUS_NULL, STATUS_NULL);
    watch(0, "__^^_^^_");
    assert_int_equal(status(0) & STATUS_NULL, 0);
}

static void a_new_count_restarts_the_software_modes(void **state)
{
    (void)state;
    start(0, MODE(4), 4);
    watch(0, "^^^");
    out(0, 2);
    out(0, 0);
    watch(0, "^^^_^^");
    setup(NULL);
    start(0, MODE(0), 3);
    watch(0, "____^^");
    out(0, 5);
    watch(0, "_____"); // stands still between the bytes
    assert_int_equal(value(0), 0xffff);
    out(0, 0);
    watch(0, "______^^");
}

// ---- access ----

static void bytes_go_where_the_control_word_says(void **state)
{
    (void)state;
    out(CONTROL, AT(0) | LOW | MODE(2));
    out(0, 0x34);
    at_tick(1);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(0), 0x34);
    out(CONTROL, AT(0) | HIGH | MODE(2));
    out(0, 0x12);
    at_tick(2);
    assert_int_equal(in(0), 0x12);
    at_tick(3);
    assert_int_equal(in(0), 0x11);
    start(0, MODE(2), 0x1234);
    at_tick(4);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(0), 0x12);
    assert_int_equal(in(0), 0x34);
    // A control word begins with the low byte again.
    start(0, MODE(2), 0x5678);
    at_tick(5);
    assert_int_equal(in(0), 0x78);
    out(0, 1); // half of a count
    start(0, MODE(2), 0x4321);
    at_tick(6);
    assert_int_equal(value(0), 0x4321);
}

static void counters_are_apart(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        start(i, MODE(4), 0x100 * (i + 1));
    }
    out61(1);
    at_tick(0x11);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(value(i), 0x100 * (i + 1) - 0x10);
    }
    // Raised before its load: counts from there as well.
    assert_int_equal(value(2), 0x300 - 0x10);
}

static void a_latched_count_stays_until_it_is_read(void **state)
{
    (void)state;
    start(0, MODE(2), 0x1000);
    at_tick(1);
    out(CONTROL, AT(0) | LATCH);
    at_tick(300);
    out(CONTROL, AT(0) | LATCH | 0x0f); // a second one has no effect, nor have the low bits
    assert_int_equal(in(0), 0x00);
    at_tick(400);
    assert_int_equal(in(0), 0x10);
    assert_int_equal(in(0) | in(0) << 8, 0x1000 - 399);
    // Programming takes it back.
    out(CONTROL, AT(0) | LATCH);
    start(0, MODE(2), 0x2000);
    at_tick(401);
    assert_int_equal(in(0) | in(0) << 8, 0x2000);
}

static void read_back_latches_what_it_names(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        start(i, MODE(2), 0x2345);
    }
    at_tick(1);
    out(CONTROL, READ_BACK | SELECT(0)); // both, of counter 0
    at_tick(5);
    assert_int_equal(in(0), STATUS_OUT | BOTH | MODE(2));
    assert_int_equal(in(0), 0x45);
    assert_int_equal(in(0), 0x23);
    assert_int_equal(in(0), 0x41); // live
    assert_int_equal(in(0), 0x23);
    assert_int_equal(in(1), 0x41); // was not named
    assert_int_equal(in(1), 0x23);
    out(CONTROL, READ_BACK | NO_STATUS | SELECT(0) | SELECT(1));
    at_tick(6);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(in(i), 0x41);
        assert_int_equal(in(i), 0x23);
    }
    out(CONTROL, READ_BACK | NO_STATUS | NO_COUNT | SELECT(0));
    assert_int_equal(in(0), 0x40);
}

static void the_status_is_that_of_its_moment(void **state)
{
    (void)state;
    out(CONTROL, AT(0) | LOW | MODE(7) | BCD);
    assert_int_equal(status(0), STATUS_OUT | STATUS_NULL | LOW | MODE(7) | BCD);
    out(0, 4);
    out(CONTROL, READ_BACK | NO_COUNT | SELECT(0));
    at_tick(1);
    out(CONTROL, READ_BACK | NO_COUNT | SELECT(0));
    assert_int_equal(in(0), STATUS_OUT | STATUS_NULL | LOW | MODE(7) | BCD);
    assert_int_equal(status(0), STATUS_OUT | LOW | MODE(7) | BCD);
    at_tick(3);
    assert_int_equal(status(0), LOW | MODE(7) | BCD);
}

static void the_control_port_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(in(CONTROL), 0xff);
    assert_int_equal(in(0), 0);
}

static void a_wide_access_is_one_per_byte(void **state)
{
    uint64_t both;

    (void)state;
    out(CONTROL, AT(0) | LOW | MODE(2));
    out(CONTROL, AT(1) | LOW | MODE(2));
    assert_error(axvm_i8254_ops.write(&pit, NULL, 0, AX_WIDTH_WORD, 0x2211), AX_OK);
    at_tick(1);
    assert_error(axvm_i8254_ops.read(&pit, NULL, 0, AX_WIDTH_WORD, &both), AX_OK);
    assert_int_equal(both, 0x2211);
}

// ---- port 0x61 ----

static void port_61_shows_gate_output_and_refresh(void **state)
{
    uint32_t changes = 0;
    uint32_t last;

    (void)state;
    out61(0xff);
    assert_int_equal(in61() & ~0x10u, 0x0f);
    out61(0x00);
    assert_int_equal(in61() & ~0x10u, 0x00);
    start(2, MODE(0), 5);
    out61(0x01);
    at_tick(5);
    assert_int_equal(in61() & 0x20, 0);
    at_tick(6);
    assert_int_equal(in61() & 0x20, 0x20);
    last = in61();
    for (uint64_t tick = 7; tick <= 7 + 18 * 100; tick++) {
        at_tick(tick);
        changes += last != in61();
        last = in61();
    }
    assert_int_equal(changes, 100);
}

// ---- IRQ 0 ----

static void an_unprogrammed_timer_never_interrupts(void **state)
{
    (void)state;
    assert_true(axvm_i8254_next(&pit) == AX_CLOCK_NEVER);
    axvm_i8254_advance(&pit, UINT64_MAX);
    assert_int_equal(rises, 0);
    assert_true(axvm_i8254_next(&pit) == AX_CLOCK_NEVER);
    assert_int_equal(in61() & 0x20, 0);
}

static void periods_are_exact_and_do_not_drift(void **state)
{
    static const uint32_t counts[] = {11932, 4773, 1193, 65536, 3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        setup(NULL);
        start(0, MODE(2), counts[i] & 0xffff);
        assert_int_equal(rises, 1); // the output of mode 2 is high at once
        for (uint64_t period = 1; period <= 1000; period++) {
            const uint64_t wanted = ns_of(START + 1 + period * counts[i]);

            assert_true(axvm_i8254_next(&pit) == wanted);
            axvm_i8254_advance(&pit, wanted - 1);
            assert_int_equal(rises, period);
            assert_true(axvm_i8254_next(&pit) == wanted);
            axvm_i8254_advance(&pit, wanted);
            assert_int_equal(rises, period + 1);
        }
    }
}

static void a_one_shot_comes_once(void **state)
{
    (void)state;
    start(0, MODE(0), 100);
    assert_true(axvm_i8254_next(&pit) == ns_of(START + 101));
    axvm_i8254_advance(&pit, ns_of(START + 101) - 1);
    assert_false(line);
    axvm_i8254_advance(&pit, ns_of(START + 101));
    assert_true(line);
    assert_true(axvm_i8254_next(&pit) == AX_CLOCK_NEVER);
    axvm_i8254_advance(&pit, ns_of(START + 1000000));
    assert_int_equal(rises, 1);
    now = ns_of(START + 1000000);
    out(0, 1);
    assert_false(line);
    assert_true(axvm_i8254_next(&pit) == AX_CLOCK_NEVER);
}

static void ticks_that_are_noticed_together_are_one(void **state)
{
    (void)state;
    start(0, MODE(2), 10);
    rises = 0;
    axvm_i8254_advance(&pit, ns_of(START + 10005));
    assert_int_equal(rises, 1);
    assert_true(axvm_i8254_next(&pit) == ns_of(START + 10011));
    // Noticed while the output is low again: high for this call.
    setup(NULL);
    start(0, MODE(3), 10);
    rises = 0;
    axvm_i8254_advance(&pit, ns_of(START + 18));
    assert_int_equal(rises, 1);
    assert_true(line);
    axvm_i8254_advance(&pit, ns_of(START + 19));
    assert_false(line);
    axvm_i8254_advance(&pit, ns_of(START + 21));
    assert_int_equal(rises, 2);
}

static void time_does_not_go_back(void **state)
{
    (void)state;
    start(0, MODE(2), 100);
    axvm_i8254_advance(&pit, ns_of(START + 51));
    at_tick(10);
    assert_int_equal(value(0), 50);
    axvm_i8254_advance(&pit, 0);
    assert_int_equal(value(0), 50);
}

static void reset_stops_everything(void **state)
{
    (void)state;
    start(0, MODE(2), 100);
    out61(3);
    assert_true(line);
    axvm_i8254_reset(&pit);
    assert_false(line);
    assert_true(axvm_i8254_next(&pit) == AX_CLOCK_NEVER);
    assert_int_equal(in61() & 0x2f, 0);
    assert_int_equal(status(0), BOTH);
}

// ---- random sequences against a model ----

typedef struct Model {
    uint32_t control;
    uint32_t mode;
    bool gate;
    bool written; // a count, since the control word
    bool load;    // on the next tick
    bool loaded;
    bool stopped; // between the bytes of mode 0
    bool null;
    bool struck;
    bool out;
    uint32_t reload;
    uint32_t count; // of the present period
    uint32_t now;
    uint32_t first;
    bool second;
    uint32_t rises;
} Model;

static Model model[3];

static uint32_t modulus(const Model *m)
{
    return (m->control & BCD) != 0 ? 10000 : 65536;
}

static void model_out(Model *m, bool high)
{
    m->rises += high && !m->out;
    m->out = high;
}

static uint32_t model_reload(const Model *m)
{
    uint32_t count = m->reload;

    if ((m->control & BCD) != 0) {
        count = 0;
        for (uint32_t digit = 0; digit < 4; digit++) {
            count = count * 10 + (m->reload >> (12 - 4 * digit) & 15);
        }
        count %= 10000;
    }
    count = count == 0 ? modulus(m) : count;
    return count == 1 && (m->mode == 2 || m->mode == 3) ? 2 : count;
}

static void model_begin(Model *m)
{
    m->count = model_reload(m);
    m->now = m->mode == 3 ? m->count & ~1u : m->count;
    m->null = false;
}

static void model_load(Model *m)
{
    model_begin(m);
    m->load = false;
    m->loaded = true;
    m->stopped = false;
    m->struck = false;
    model_out(m, m->mode >= 2);
}

static void model_down(Model *m)
{
    m->now = m->now == 0 ? modulus(m) - 1 : m->now - 1;
}

static void model_square(Model *m)
{
    const bool waits = m->count % 2 != 0 && m->out;

    if (m->now != 0) {
        m->now -= 2;
    } else {
        model_begin(m);
        model_out(m, !m->out);
        return;
    }
    if (m->now == 0 && !waits) {
        model_begin(m);
        model_out(m, !m->out);
    }
}

static void model_rate(Model *m)
{
    if (m->now == 1) {
        model_begin(m);
        model_out(m, true);
        return;
    }
    m->now--;
    if (m->now == 1) {
        model_out(m, false);
    }
}

static void model_shot(Model *m)
{
    model_down(m);
    if (m->now == 0) {
        model_out(m, true);
    }
}

static void model_strobe(Model *m)
{
    model_down(m);
    model_out(m, m->struck || m->now != 0);
    m->struck = m->struck || m->now == 0;
}

static void model_tick(Model *m)
{
    static void (*const ticks[])(Model * m) = {model_shot,   model_shot,   model_rate,
                                               model_square, model_strobe, model_strobe};
    const bool ungated = m->mode == 1 || m->mode == 5;

    if (m->load) {
        model_load(m);
    } else if (m->loaded && !m->stopped && (m->gate || ungated)) {
        ticks[m->mode](m);
    }
}

static void model_program(Model *m, uint32_t control)
{
    const uint32_t mode = control >> 1 & 7;

    *m = (Model){.control = control & 0x3f,
                 .mode = mode < 6 ? mode : mode - 4,
                 .gate = m->gate,
                 .null = true,
                 .out = m->out,
                 .rises = m->rises};
    model_out(m, m->mode != 0);
}

static void model_count(Model *m, uint32_t count)
{
    m->reload = count;
    m->null = true;
    if (m->mode == 0) {
        model_out(m, false);
        m->stopped = true;
    }
    if (m->mode == 0 || m->mode == 4 || ((m->mode == 2 || m->mode == 3) && !m->loaded)) {
        m->load = true;
    }
    m->written = true;
}

static void model_byte(Model *m, uint32_t byte)
{
    const uint32_t access = m->control & BOTH;

    if (access == LOW) {
        model_count(m, byte);
    } else if (access == HIGH) {
        model_count(m, byte << 8);
    } else if (m->second) {
        m->second = false;
        model_count(m, m->first | byte << 8);
    } else {
        m->second = true;
        m->first = byte;
        if (m->mode == 0) {
            model_out(m, false);
            m->stopped = true;
            m->load = false;
        }
    }
}

static void model_gate(Model *m, bool high)
{
    const bool triggers = m->mode != 0 && m->mode != 4;

    if (high && !m->gate && triggers && m->written) {
        m->load = true;
    }
    if (!high && (m->mode == 2 || m->mode == 3)) {
        model_out(m, true);
    }
    m->gate = high;
}

// A trigger of mode 1 and 5 leaves the output as it is until the load; so does this model.
static uint32_t model_value(const Model *m)
{
    const uint32_t v = m->now % modulus(m);

    if ((m->control & BCD) == 0) {
        return v;
    }
    return v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static uint64_t ticks;

static void model_ticks(uint64_t tick)
{
    for (; ticks < tick; ticks++) {
        for (uint32_t i = 0; i < 3; i++) {
            model_tick(&model[i]);
        }
    }
}

// Each rise at the tick that was told, and no other.
static void go_to(uint64_t tick)
{
    uint64_t next = axvm_i8254_next(&pit);

    while (next <= ns_of(START + tick)) {
        const uint64_t at = (uint64_t)(((unsigned __int128)next * AX_I8254_HZ) / 1000000000u) -
                            START;

        model_ticks(at - 1);
        assert_int_equal(model[0].rises, rises);
        model_ticks(at);
        axvm_i8254_advance(&pit, next);
        assert_int_equal(model[0].rises, rises);
        next = axvm_i8254_next(&pit);
    }
    model_ticks(tick);
    at_tick(tick);
    assert_int_equal(model[0].rises, rises);
}

static void random_step(Random *random)
{
    const uint32_t i = (uint32_t)random_below(random, 3);
    const uint32_t byte = (uint32_t)random_below(random, 12);
    const uint32_t access = (uint32_t)(1 + random_below(random, 3)) << 4;
    uint32_t control = access | (uint32_t)random_below(random, 16);

    switch (random_below(random, 6)) {
    case 0:
        out(CONTROL, AT(i) | control);
        model_program(&model[i], control);
        break;
    case 1:
    case 2:
    case 3:
        // Short periods mostly: the high byte is 0 unless it comes first.
        control = model[i].second || (model[i].control & BOTH) == HIGH ? byte / 11 : byte;
        out(i, control);
        model_byte(&model[i], control);
        break;
    default:
        // The data sheet does not say what the gate does to a strobe that is under way.
        if (model[2].mode != 4 || model[2].out) {
            out61(byte & 1);
            model_gate(&model[2], (byte & 1) != 0);
        }
        break;
    }
}

static void compare(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        const Model *m = &model[i];
        const uint32_t wanted = (m->out ? STATUS_OUT : 0) | (m->null ? STATUS_NULL : 0) |
                                m->control;
        AxI8254 before = pit;

        assert_int_equal(status(i), wanted);
        if (m->loaded) {
            out(CONTROL, READ_BACK | NO_STATUS | SELECT(i));
            assert_int_equal(pit.counters[i].latched_count, model_value(m));
        }
        pit.counters[i] = before.counters[i]; // nothing stays latched
    }
}

static void random_sequences_agree_with_the_model(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};
    uint64_t tick = 0;

    (void)state;
    ticks = 0;
    for (uint32_t i = 0; i < 3; i++) {
        model[i] = (Model){.control = BOTH, .gate = i != 2};
    }
    for (uint32_t i = 0; i < 60000; i++) {
        random_step(&random);
        assert_int_equal(model[0].rises, rises);
        tick += random_below(&random, 3) == 0 ? random_below(&random, 40)
                                              : random_below(&random, 4);
        go_to(tick);
        compare();
    }
    assert_true(rises > 10000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_mode_has_the_waveform_of_the_data_sheet),
        TEST(each_mode_takes_the_gate_as_the_data_sheet_says),
        TEST(a_trigger_restarts_the_hardware_modes),
        TEST(counts_read_as_the_modes_count),
        TEST(a_new_count_waits_for_the_end_of_a_period),
        TEST(a_new_count_restarts_the_software_modes),
        TEST(bytes_go_where_the_control_word_says),
        TEST(counters_are_apart),
        TEST(a_latched_count_stays_until_it_is_read),
        TEST(read_back_latches_what_it_names),
        TEST(the_status_is_that_of_its_moment),
        TEST(the_control_port_cannot_be_read),
        TEST(a_wide_access_is_one_per_byte),
        TEST(port_61_shows_gate_output_and_refresh),
        TEST(an_unprogrammed_timer_never_interrupts),
        TEST(periods_are_exact_and_do_not_drift),
        TEST(a_one_shot_comes_once),
        TEST(ticks_that_are_noticed_together_are_one),
        TEST(time_does_not_go_back),
        TEST(reset_stops_everything),
        TEST(random_sequences_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
