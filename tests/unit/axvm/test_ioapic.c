// SPDX-License-Identifier: Apache-2.0
// The I/O APIC: its registers against a table, the rules of the data sheet one by one, then long
// random sequences against a model with a flag for everything.
#include "test.h"

#include <axvm/devices/ioapic.h>
#include <pthread.h>

#define SELECT 0x00u
#define WINDOW 0x10u
#define EOI    0x40u

#define LOW(input)  (0x10u + 2u * (input))
#define HIGH(input) (0x11u + 2u * (input))

#define LOGICAL    0x00800u
#define ACTIVE_LOW 0x02000u
#define REMOTE_IRR 0x04000u
#define LEVEL      0x08000u
#define MASKED     0x10000u
#define MODE(mode) ((uint32_t)(mode) << 8)

#define WIRED_LOW 20u // the one input of the board that is active low

static AxIoApic ioapic;

typedef struct Log {
    uint32_t count;
    AxApicMessage last;
} Log;

static Log messages;

static void record(void *ctx, const AxApicMessage *message)
{
    Log *to = ctx;

    to->count++;
    to->last = *message;
}

static int setup(void **state)
{
    (void)state;
    axvm_ioapic_init(&ioapic, (AxApicBus){record, &messages}, UINT32_C(1) << WIRED_LOW);
    memset(&messages, 0, sizeof(messages));
    return 0;
}

static uint64_t read_mmio(uint64_t offset, AccessWidth width)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_ioapic_ops.read(&ioapic, NULL, offset, width, &value), AX_OK);
    return value;
}

static void write_mmio(uint64_t offset, AccessWidth width, uint64_t value)
{
    assert_error(axvm_ioapic_ops.write(&ioapic, NULL, offset, width, value), AX_OK);
}

static uint32_t get(uint32_t index)
{
    write_mmio(SELECT, AX_WIDTH_DWORD, index);
    return (uint32_t)read_mmio(WINDOW, AX_WIDTH_DWORD);
}

static void set(uint32_t index, uint32_t value)
{
    write_mmio(SELECT, AX_WIDTH_DWORD, index);
    write_mmio(WINDOW, AX_WIDTH_DWORD, value);
}

static void drive(uint32_t input, bool high)
{
    const AxIrqLine line = axvm_ioapic_line(&ioapic, input);

    axvm_irq_set(&line, high);
}

// ---- registers ----

static void registers_have_their_power_on_values_and_writable_bits(void **state)
{
    static const struct {
        uint32_t index;
        uint32_t reset;
        uint32_t ones; // what is read after writing all ones
    } regs[] = {
        {0x00, 0, 0x0f000000}, {0x01, 0x00170020, 0x00170020},
        {0x02, 0, 0x0f000000}, {0x03, 0, 0},
        {0x0f, 0, 0},          {0x10, 0x10000, 0x1afff},
        {0x11, 0, 0xff000000}, {0x3e, 0x10000, 0x1afff},
        {0x3f, 0, 0xff000000}, {0x40, 0, 0},
        {0xff, 0, 0},
    };

    (void)state;
    for (uint32_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(regs); i++) {
            assert_int_equal(get(regs[i].index), regs[i].reset);
        }
        for (size_t i = 0; i < COUNT_OF(regs); i++) {
            set(regs[i].index, UINT32_MAX);
            assert_int_equal(get(regs[i].index), regs[i].ones);
        }
        axvm_ioapic_reset(&ioapic);
        assert_int_equal(read_mmio(SELECT, AX_WIDTH_DWORD), 0);
    }
    assert_int_equal(messages.count, 0);
}

static void each_entry_is_its_own(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
        set(LOW(i), MASKED | (0x30 + i));
        set(HIGH(i), (i + 1) << 24);
    }
    for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
        assert_int_equal(get(LOW(i)), MASKED | (0x30 + i));
        assert_int_equal(get(HIGH(i)), (i + 1) << 24);
    }
}

static void the_arbitration_register_follows_the_id_and_cannot_be_written(void **state)
{
    (void)state;
    set(0, UINT32_C(5) << 24);
    assert_int_equal(get(2), UINT32_C(5) << 24);
    set(2, UINT32_C(9) << 24);
    assert_int_equal(get(2), UINT32_C(5) << 24);
    assert_int_equal(get(0), UINT32_C(5) << 24);
}

static void accesses_of_other_widths_tear_nothing(void **state)
{
    static const AccessWidth widths[] = {AX_WIDTH_BYTE, AX_WIDTH_WORD, AX_WIDTH_QWORD};

    (void)state;
    set(LOW(1), MASKED | 0x1234 % 0x100);
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        write_mmio(WINDOW, widths[i], 0x41);
        assert_int_equal(get(LOW(1)), MASKED | 0x34);
        assert_int_equal(read_mmio(WINDOW, widths[i]), (MASKED | 0x34) & ax_width_mask(widths[i]));
        write_mmio(SELECT, widths[i], 0xffffff01);
        assert_int_equal(read_mmio(SELECT, widths[i]), 0x01);
        assert_int_equal(read_mmio(WINDOW, AX_WIDTH_DWORD), 0x170020);
    }
}

static void addresses_without_register_do_nothing(void **state)
{
    static const uint64_t offsets[] = {0x01, 0x04, 0x11, 0x14,  0x20,        0x30,
                                       0x41, 0x44, 0x50, 0xffc, 0x100000010, UINT64_MAX - 3};
    static AxIoApic before;

    (void)state;
    write_mmio(SELECT, AX_WIDTH_DWORD, 0);
    before = ioapic;
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        write_mmio(offsets[i], AX_WIDTH_DWORD, UINT32_MAX);
        assert_int_equal(read_mmio(offsets[i], AX_WIDTH_DWORD), 0);
    }
    assert_int_equal(read_mmio(EOI, AX_WIDTH_DWORD), 0);
    assert_int_equal(before.id, ioapic.id);
    assert_int_equal(before.select, ioapic.select);
    assert_memory_equal(before.entries, ioapic.entries, sizeof(before.entries));
}

// ---- messages ----

static void a_message_says_what_the_entry_says(void **state)
{
    static const struct {
        uint32_t low;
        uint32_t sent;
        AxApicMessage message;
    } cases[] = {
        {0x31, 1, {AX_APIC_FIXED, false, false, 0x5a, 0x31}},
        {LOGICAL | 0xff, 1, {AX_APIC_FIXED, true, false, 0x5a, 0xff}},
        {LEVEL | 0x00, 1, {AX_APIC_FIXED, false, true, 0x5a, 0x00}},
        {MODE(1) | LEVEL | 0x40, 1, {AX_APIC_LOWEST, false, true, 0x5a, 0x40}},
        {MODE(1) | 0x40, 1, {AX_APIC_LOWEST, false, false, 0x5a, 0x40}},
        {MODE(2) | 0x40, 0, {0}}, // SMI
        {MODE(3) | 0x40, 0, {0}},
        {MODE(4) | LEVEL | 0x40, 1, {AX_APIC_NMI, false, false, 0x5a, 0x40}},
        {MODE(5) | LEVEL | 0x00, 1, {AX_APIC_INIT, false, false, 0x5a, 0x00}},
        {MODE(6) | LEVEL | 0x40, 0, {0}},
        {MODE(7) | LEVEL | LOGICAL, 1, {AX_APIC_EXTINT, true, false, 0x5a, 0x00}},
        {MASKED | 0x31, 0, {0}},
        {MASKED | LEVEL | 0x31, 0, {0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const AxApicMessage *wanted = &cases[i].message;

        setup(NULL);
        set(HIGH(4), UINT32_C(0x5a) << 24);
        set(LOW(4), cases[i].low);
        assert_int_equal(messages.count, 0);
        drive(4, true);
        assert_int_equal(messages.count, cases[i].sent);
        assert_int_equal(messages.last.mode, wanted->mode);
        assert_int_equal(messages.last.logical, wanted->logical);
        assert_int_equal(messages.last.level, wanted->level);
        assert_int_equal(messages.last.destination, wanted->destination);
        assert_int_equal(messages.last.vector, wanted->vector);
        assert_int_equal((get(LOW(4)) & REMOTE_IRR) != 0, wanted->level);
    }
}

static void an_edge_counts_once_and_only_while_unmasked(void **state)
{
    (void)state;
    set(LOW(1), 0x31);
    drive(1, true);
    drive(1, true);
    assert_int_equal(messages.count, 1);
    drive(1, false);
    assert_int_equal(messages.count, 1);
    drive(1, true);
    assert_int_equal(messages.count, 2);
    drive(1, false);
    set(LOW(1), MASKED | 0x31);
    drive(1, true);
    set(LOW(1), 0x31);
    assert_int_equal(messages.count, 2); // lost
    axvm_ioapic_eoi(&ioapic, 0x31);
    assert_int_equal(messages.count, 2);
}

static void a_level_asks_again_after_its_end_while_it_is_high(void **state)
{
    (void)state;
    set(LOW(1), LEVEL | 0x31);
    drive(1, true);
    drive(1, false);
    drive(1, true);
    assert_int_equal(messages.count, 1); // not ended yet
    axvm_ioapic_eoi(&ioapic, 0x32);
    assert_int_equal(messages.count, 1);
    axvm_ioapic_eoi(&ioapic, 0x31);
    assert_int_equal(messages.count, 2);
    drive(1, false);
    assert_int_equal(get(LOW(1)), LEVEL | REMOTE_IRR | 0x31);
    write_mmio(EOI, AX_WIDTH_DWORD, 0xabcd31);
    assert_int_equal(messages.count, 2);
    assert_int_equal(get(LOW(1)), LEVEL | 0x31);
    drive(1, true);
    assert_int_equal(messages.count, 3);
}

static void one_end_reaches_all_entries_with_the_vector(void **state)
{
    (void)state;
    set(LOW(1), LEVEL | 0x31);
    set(LOW(23), LEVEL | 0x31);
    set(LOW(5), LEVEL | 0x35);
    drive(1, true);
    drive(23, true);
    drive(5, true);
    assert_int_equal(messages.count, 3);
    axvm_ioapic_eoi(&ioapic, 0x31);
    assert_int_equal(messages.count, 5);
}

static void a_level_is_seen_when_it_is_unmasked(void **state)
{
    (void)state;
    set(LOW(1), MASKED | LEVEL | 0x31);
    drive(1, true);
    assert_int_equal(messages.count, 0);
    set(HIGH(1), UINT32_C(3) << 24);
    assert_int_equal(messages.count, 0);
    set(LOW(1), LEVEL | 0x31);
    assert_int_equal(messages.count, 1);
    assert_int_equal(messages.last.destination, 3);
    // Masked while it is served, its end is taken, and it does not ask.
    set(LOW(1), MASKED | LEVEL | 0x31);
    assert_int_equal(get(LOW(1)), MASKED | LEVEL | REMOTE_IRR | 0x31);
    axvm_ioapic_eoi(&ioapic, 0x31);
    assert_int_equal(get(LOW(1)), MASKED | LEVEL | 0x31);
    assert_int_equal(messages.count, 1);
}

static void a_switch_to_edges_forgets_the_level(void **state)
{
    (void)state;
    set(LOW(1), LEVEL | 0x31);
    drive(1, true);
    set(LOW(1), MASKED | 0x31);
    assert_int_equal(get(LOW(1)), MASKED | 0x31);
    set(LOW(1), LEVEL | 0x31);
    assert_int_equal(messages.count, 2);
}

static void polarity_is_that_of_the_wire(void **state)
{
    (void)state;
    // Told rightly, the wiring makes no difference.
    set(LOW(WIRED_LOW), ACTIVE_LOW | LEVEL | 0x31);
    assert_int_equal(messages.count, 0);
    drive(WIRED_LOW, true);
    assert_int_equal(messages.count, 1);
    // Told wrongly, idle is active.
    set(LOW(2), ACTIVE_LOW | LEVEL | 0x32);
    assert_int_equal(messages.count, 2);
    drive(2, true);
    axvm_ioapic_eoi(&ioapic, 0x32);
    assert_int_equal(messages.count, 2);
    // An edge is then the end of the assertion; switching the polarity is none.
    set(LOW(3), 0x33);
    drive(3, true);
    set(LOW(3), ACTIVE_LOW | 0x33);
    set(LOW(3), 0x33);
    set(LOW(3), ACTIVE_LOW | 0x33);
    assert_int_equal(messages.count, 3);
    drive(3, false);
    assert_int_equal(messages.count, 4);
}

static void inputs_that_do_not_exist_are_ignored(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
        set(LOW(i), 0x31);
    }
    drive(AX_IOAPIC_INPUTS, true);
    drive(32, true);
    drive(UINT32_MAX, true);
    assert_int_equal(messages.count, 0);
    assert_int_equal(ioapic.asserted, 0);
}

static void without_a_bus_messages_are_dropped(void **state)
{
    (void)state;
    axvm_ioapic_init(&ioapic, (AxApicBus){0}, UINT32_MAX);
    set(LOW(1), ACTIVE_LOW | LEVEL | 0x31);
    drive(1, true);
    assert_int_equal(get(LOW(1)), ACTIVE_LOW | LEVEL | REMOTE_IRR | 0x31);
}

static void reset_forgets_inputs_and_ends(void **state)
{
    (void)state;
    set(LOW(1), LEVEL | 0x31);
    drive(1, true);
    axvm_ioapic_reset(&ioapic);
    set(LOW(1), LEVEL | 0x31);
    assert_int_equal(messages.count, 1);
    drive(1, true);
    assert_int_equal(messages.count, 2);
}

// ---- random sequences against a model ----

typedef struct Model {
    bool pin;
    bool masked;
    bool level;
    bool inverted;
    bool irr;
    uint32_t mode;
    uint8_t vector;
    uint32_t sent;
} Model;

static Model model[AX_IOAPIC_INPUTS];

static bool model_levels(const Model *m)
{
    return m->level && m->mode <= 1;
}

static bool model_sends(const Model *m)
{
    return m->mode != 2 && m->mode != 3 && m->mode != 6;
}

static void model_level(Model *m)
{
    if (model_levels(m) && !m->masked && !m->irr && m->pin != m->inverted) {
        m->irr = true;
        m->sent++;
    }
}

static void model_drive(uint32_t input, bool high)
{
    Model *m = &model[input];
    const bool pin = high != (input == WIRED_LOW);
    const bool edge = pin != m->pin && pin != m->inverted;

    m->pin = pin;
    if (edge && !model_levels(m) && !m->masked && model_sends(m)) {
        m->sent++;
    }
    model_level(m);
}

static void model_write(uint32_t input, uint32_t value)
{
    Model *m = &model[input];

    m->vector = (uint8_t)value;
    m->mode = value >> 8 & 7;
    m->inverted = (value & ACTIVE_LOW) != 0;
    m->level = (value & LEVEL) != 0;
    m->masked = (value & MASKED) != 0;
    m->irr = m->irr && m->level;
    model_level(m);
}

static void model_eoi(uint8_t vector)
{
    for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
        if (model[i].irr && model[i].vector == vector) {
            model[i].irr = false;
            model_level(&model[i]);
        }
    }
}

static uint32_t random_entry(Random *random)
{
    static const uint32_t mode[] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
    const uint32_t flags = (uint32_t)random_next(random) & (LEVEL | ACTIVE_LOW);
    const uint32_t masked = random_below(random, 4) == 0 ? MASKED : 0;

    return flags | masked | MODE(mode[random_below(random, COUNT_OF(mode))]) |
           (uint32_t)random_below(random, 4);
}

static void random_step(Random *random)
{
    const uint32_t input = (uint32_t)random_below(random, AX_IOAPIC_INPUTS);
    const bool high = random_below(random, 2) != 0;
    const uint32_t value = random_entry(random);

    switch (random_below(random, 5)) {
    case 0:
    case 1:
    case 2:
        drive(input, high);
        model_drive(input, high);
        break;
    case 3:
        set(LOW(input), value);
        model_write(input, value);
        break;
    default:
        axvm_ioapic_eoi(&ioapic, (uint8_t)(value & 3));
        model_eoi((uint8_t)(value & 3));
        break;
    }
}

static void random_sequences_agree_with_the_model(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};
    uint32_t with_irr = 0;

    (void)state;
    for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
        model[i] = (Model){.masked = true, .pin = i == WIRED_LOW};
    }
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t sent = 0;

        random_step(&random);
        for (uint32_t i = 0; i < AX_IOAPIC_INPUTS; i++) {
            assert_int_equal((get(LOW(i)) & REMOTE_IRR) != 0, model[i].irr);
            with_irr += model[i].irr;
            sent += model[i].sent;
        }
        assert_int_equal(messages.count, sent);
    }
    assert_true(with_irr > 10000);
    assert_true(messages.count > 10000);
}

// ---- several pCPUs ----

#define EDGES_EACH 20000u

static void *send_edges(void *input)
{
    for (uint32_t i = 0; i < EDGES_EACH; i++) {
        drive((uint32_t)(uintptr_t)input, true);
        drive((uint32_t)(uintptr_t)input, false);
    }
    return NULL;
}

static void no_edge_is_lost_when_several_pcpus_drive(void **state)
{
    pthread_t threads[2];

    (void)state;
    set(LOW(1), 0x31);
    set(LOW(2), 0x32);
    for (uintptr_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_edges, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(messages.count, 2 * EDGES_EACH);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_have_their_power_on_values_and_writable_bits),
        TEST(each_entry_is_its_own),
        TEST(the_arbitration_register_follows_the_id_and_cannot_be_written),
        TEST(accesses_of_other_widths_tear_nothing),
        TEST(addresses_without_register_do_nothing),
        TEST(a_message_says_what_the_entry_says),
        TEST(an_edge_counts_once_and_only_while_unmasked),
        TEST(a_level_asks_again_after_its_end_while_it_is_high),
        TEST(one_end_reaches_all_entries_with_the_vector),
        TEST(a_level_is_seen_when_it_is_unmasked),
        TEST(a_switch_to_edges_forgets_the_level),
        TEST(polarity_is_that_of_the_wire),
        TEST(inputs_that_do_not_exist_are_ignored),
        TEST(without_a_bus_messages_are_dropped),
        TEST(reset_forgets_inputs_and_ends),
        TEST(random_sequences_agree_with_the_model),
        TEST(no_edge_is_lost_when_several_pcpus_drive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
