// SPDX-License-Identifier: Apache-2.0
// The pair of 8259: each command word, priorities in all their modes, then long random sequences
// against a model that asks "may this input interrupt?" of every input in turn.
#include "test.h"

#include <axvm/devices/i8259.h>

#define MASTER 0u
#define SLAVE  1u

#define COMMAND 0u
#define DATA    1u

#define ICW1        0x11u
#define ICW4        0x01u
#define AUTO_EOI    0x02u
#define NESTED      0x10u
#define EOI         0x20u
#define EOI_OF(n)   (0x60u + (n))
#define READ_IRR    0x0au
#define READ_ISR    0x0bu
#define POLL        0x0cu
#define MASK_MODE   0x68u
#define NO_MASKMODE 0x48u

static AxI8259 pic;
static bool intr;
static uint32_t changes;

static void record(void *controller, uint32_t irq, bool high)
{
    assert_ptr_equal(controller, &intr);
    assert_int_equal(irq, 256);
    intr = high;
    changes++;
}

static const AxDeviceOps *ops_of(uint32_t chip)
{
    return chip == MASTER ? &axvm_i8259_master_ops : &axvm_i8259_slave_ops;
}

static void out(uint32_t chip, uint32_t port, uint32_t value)
{
    assert_error(ops_of(chip)->write(&pic, NULL, port, AX_WIDTH_BYTE, value), AX_OK);
}

static uint32_t in(uint32_t chip, uint32_t port)
{
    uint64_t value = UINT64_MAX;

    assert_error(ops_of(chip)->read(&pic, NULL, port, AX_WIDTH_BYTE, &value), AX_OK);
    assert_true(value <= UINT8_MAX);
    return (uint32_t)value;
}

static uint32_t irr(uint32_t chip)
{
    out(chip, COMMAND, READ_IRR);
    return in(chip, COMMAND);
}

static uint32_t isr(uint32_t chip)
{
    out(chip, COMMAND, READ_ISR);
    return in(chip, COMMAND);
}

static void program(uint32_t chip, uint32_t vectors, uint32_t icw4)
{
    out(chip, COMMAND, ICW1);
    out(chip, DATA, vectors);
    out(chip, DATA, chip == MASTER ? 4 : 2);
    out(chip, DATA, icw4);
}

static void power_on(void)
{
    axvm_i8259_init(&pic, (AxIrqLine){record, &intr, 256});
    intr = false;
    changes = 0;
}

static int setup(void **state)
{
    (void)state;
    power_on();
    program(MASTER, 0x30, ICW4);
    program(SLAVE, 0x38, ICW4);
    return 0;
}

static void drive(uint32_t irq, bool high)
{
    const AxIrqLine line = axvm_i8259_line(&pic, irq);

    axvm_irq_set(&line, high);
}

static void set_elcr(uint32_t value)
{
    assert_error(axvm_i8259_elcr_ops.write(&pic, NULL, 0, AX_WIDTH_WORD, value), AX_OK);
}

static uint32_t elcr(void)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_i8259_elcr_ops.read(&pic, NULL, 0, AX_WIDTH_WORD, &value), AX_OK);
    return (uint32_t)value;
}

// Only when there is something to acknowledge.
static uint32_t acknowledge(void)
{
    assert_true(intr);
    return axvm_i8259_acknowledge(&pic);
}

// ---- requests ----

static void each_irq_has_its_vector(void **state)
{
    (void)state;
    for (uint32_t irq = 0; irq < AX_I8259_LINES; irq++) {
        if (irq == 2) {
            continue;
        }
        drive(irq, true);
        assert_int_equal(acknowledge(), 0x30 + irq);
        assert_false(intr);
        assert_int_equal(isr(MASTER), irq < 8 ? 1u << irq : 4);
        assert_int_equal(isr(SLAVE), irq < 8 ? 0 : 1u << (irq - 8));
        if (irq >= 8) {
            out(SLAVE, COMMAND, EOI);
        }
        out(MASTER, COMMAND, EOI);
        assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
        drive(irq, false);
    }
}

static void the_cascade_and_lines_past_the_last_cannot_be_driven(void **state)
{
    (void)state;
    drive(2, true);
    drive(16, true);
    drive(UINT32_MAX, true);
    assert_int_equal(irr(MASTER) | irr(SLAVE), 0);
    assert_int_equal(changes, 0);
}

static void an_edge_asks_once_and_a_level_as_long_as_it_is_high(void **state)
{
    (void)state;
    set_elcr(1u << 5);
    for (uint32_t irq = 4; irq <= 5; irq++) {
        drive(irq, true);
        assert_int_equal(irr(MASTER), 1u << irq);
        assert_int_equal(acknowledge(), 0x30 + irq);
        assert_int_equal(irr(MASTER), irq == 5 ? 1u << irq : 0);
        assert_false(intr);
        out(MASTER, COMMAND, EOI);
        assert_int_equal(intr, irq == 5);
        drive(irq, true); // is no edge
        assert_int_equal(intr, irq == 5);
        drive(irq, false);
        assert_false(intr);
        drive(irq, true);
        assert_true(intr);
        drive(irq, false);
    }
}

static void a_request_ends_with_its_line_and_its_acknowledge_is_spurious(void **state)
{
    (void)state;
    for (uint32_t irq = 0; irq < AX_I8259_LINES; irq += 5) {
        drive(irq, true);
        assert_true(intr);
        drive(irq, false);
        assert_false(intr);
        assert_int_equal(irr(MASTER) | irr(SLAVE), 0);
        assert_int_equal(axvm_i8259_acknowledge(&pic), 0x37);
        assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
    }
    // The real one is told apart by its bit in ISR.
    drive(7, true);
    assert_int_equal(acknowledge(), 0x37);
    assert_int_equal(isr(MASTER), 0x80);
}

static void elcr_keeps_only_what_may_be_level_triggered(void **state)
{
    (void)state;
    assert_int_equal(elcr(), 0);
    set_elcr(0xffff);
    assert_int_equal(elcr(), 0xdef8);
    drive(0, true);
    assert_int_equal(acknowledge(), 0x30);
    assert_int_equal(irr(MASTER), 0);
    // What is high and was served asks when it becomes a level.
    set_elcr(0);
    drive(3, true);
    out(MASTER, COMMAND, EOI);
    assert_int_equal(acknowledge(), 0x33);
    out(MASTER, COMMAND, EOI);
    assert_false(intr);
    set_elcr(8);
    assert_true(intr);
    set_elcr(0);
    assert_false(intr);
}

static void masked_requests_wait(void **state)
{
    (void)state;
    out(MASTER, DATA, 0xff);
    assert_int_equal(in(MASTER, DATA), 0xff);
    drive(1, true);
    drive(9, true);
    assert_false(intr);
    assert_int_equal(irr(MASTER), 0x06);
    out(MASTER, DATA, 0xfb);
    assert_int_equal(acknowledge(), 0x39);
    out(MASTER, DATA, 0xf9);
    assert_int_equal(acknowledge(), 0x31);
    out(SLAVE, COMMAND, EOI);
    out(SLAVE, DATA, 0x55);
    assert_int_equal(in(SLAVE, DATA), 0x55);
    assert_int_equal(in(MASTER, DATA), 0xf9);
}

// ---- priorities ----

static void a_request_interrupts_only_what_is_less_urgent(void **state)
{
    (void)state;
    for (uint32_t serving = 0; serving < 8; serving++) {
        for (uint32_t irq = 0; irq < 8; irq++) {
            if (serving == 2 || irq == 2) {
                continue;
            }
            setup(NULL);
            drive(serving, true);
            assert_int_equal(acknowledge(), 0x30 + serving);
            drive(serving, false);
            drive(irq, true);
            assert_int_equal(intr, irq < serving);
        }
    }
}

static void the_slave_counts_as_the_masters_input_2(void **state)
{
    (void)state;
    drive(3, true);
    drive(12, true);
    assert_int_equal(acknowledge(), 0x3c);
    drive(9, true);
    assert_false(intr); // the master sees input 2 again
    drive(1, true);
    assert_int_equal(acknowledge(), 0x31);
    out(MASTER, COMMAND, EOI);
    out(MASTER, COMMAND, EOI);
    assert_int_equal(acknowledge(), 0x39);
    out(SLAVE, COMMAND, EOI);
    out(SLAVE, COMMAND, EOI);
    out(MASTER, COMMAND, EOI);
    assert_int_equal(acknowledge(), 0x33);
}

static void the_special_fully_nested_mode_lets_the_slave_nest(void **state)
{
    (void)state;
    program(MASTER, 0x30, ICW4 | NESTED);
    drive(12, true);
    assert_int_equal(acknowledge(), 0x3c);
    drive(13, true);
    assert_false(intr);
    drive(3, true);
    assert_false(intr); // less urgent than the slave
    drive(9, true);
    assert_int_equal(acknowledge(), 0x39);
    assert_int_equal(isr(SLAVE), 0x12);
    assert_int_equal(isr(MASTER), 0x04);
    // It is the master's mode: the slave's input 2 does not nest.
    program(SLAVE, 0x38, ICW4 | NESTED);
    setup(NULL);
    program(SLAVE, 0x38, ICW4 | NESTED);
    drive(10, true);
    assert_int_equal(acknowledge(), 0x3a);
    out(MASTER, COMMAND, EOI);
    drive(10, false);
    drive(10, true);
    assert_false(intr);
}

static void the_special_mask_mode_ignores_what_is_masked_in_service(void **state)
{
    (void)state;
    drive(1, true);
    assert_int_equal(acknowledge(), 0x31);
    drive(4, true);
    out(MASTER, COMMAND, MASK_MODE);
    assert_false(intr);
    out(MASTER, DATA, 0x02);
    assert_true(intr);
    out(MASTER, COMMAND, 0x08); // without ESMM: no change
    assert_true(intr);
    out(MASTER, COMMAND, 0x28);
    assert_true(intr);
    assert_int_equal(acknowledge(), 0x34);
    out(MASTER, COMMAND, EOI); // finds 4, not the masked 1
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, COMMAND, EOI);
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, COMMAND, EOI_OF(1));
    assert_int_equal(isr(MASTER), 0);
    drive(4, false);
    out(MASTER, DATA, 0);
    drive(1, false);
    drive(1, true);
    assert_int_equal(acknowledge(), 0x31);
    out(MASTER, DATA, 2);
    drive(4, true);
    assert_true(intr);
    out(MASTER, COMMAND, NO_MASKMODE);
    assert_false(intr);
}

// ---- commands ----

// With 1, 4 and 6 in service, then all asking: who is next shows the priorities.
static void each_end_of_interrupt_does_what_it_says(void **state)
{
    static const uint32_t served[] = {6, 4, 1};
    static const struct {
        uint32_t command;
        uint32_t in_service;
        uint32_t first; // of the priorities, as seen when nothing is in service
    } cases[] = {
        {0x00, 0x52, 0}, {0x20, 0x50, 0}, {0x40, 0x52, 0}, {0x64, 0x42, 0},
        {0x63, 0x52, 0}, {0x80, 0x52, 0}, {0xa0, 0x50, 2}, {0xc3, 0x52, 4},
        {0xe4, 0x42, 5}, {0xe5, 0x52, 6}, {0xc7, 0x52, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setup(NULL);
        for (size_t n = 0; n < COUNT_OF(served); n++) {
            drive(served[n], true);
            assert_int_equal(acknowledge(), 0x30 + served[n]);
            drive(served[n], false);
        }
        out(MASTER, COMMAND, cases[i].command);
        assert_int_equal(isr(MASTER), cases[i].in_service);
        for (uint32_t irq = 0; irq < 8; irq++) {
            out(MASTER, COMMAND, EOI_OF(irq));
            drive(irq, true);
        }
        drive(8, true);
        assert_int_equal(acknowledge(), cases[i].first == 2 ? 0x38 : 0x30 + cases[i].first);
    }
}

static void an_end_of_nothing_rotates_nothing(void **state)
{
    (void)state;
    out(MASTER, COMMAND, 0xa0);
    drive(7, true);
    drive(0, true);
    assert_int_equal(acknowledge(), 0x30);
}

static void automatic_ends_leave_nothing_in_service(void **state)
{
    (void)state;
    program(MASTER, 0x30, ICW4 | AUTO_EOI);
    program(SLAVE, 0x38, ICW4 | AUTO_EOI);
    drive(9, true);
    drive(12, true);
    drive(1, true);
    assert_int_equal(acknowledge(), 0x31);
    assert_int_equal(acknowledge(), 0x39);
    assert_int_equal(acknowledge(), 0x3c);
    assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
    assert_false(intr);
}

static void automatic_ends_rotate_when_told(void **state)
{
    (void)state;
    program(MASTER, 0x30, ICW4 | AUTO_EOI);
    set_elcr(0xf8);
    drive(3, true);
    drive(4, true);
    assert_int_equal(acknowledge(), 0x33);
    assert_int_equal(acknowledge(), 0x33);
    out(MASTER, COMMAND, 0x80);
    assert_int_equal(acknowledge(), 0x33);
    assert_int_equal(acknowledge(), 0x34);
    assert_int_equal(acknowledge(), 0x33);
    out(MASTER, COMMAND, 0x00);
    assert_int_equal(acknowledge(), 0x34);
    assert_int_equal(acknowledge(), 0x34);
}

static void a_poll_is_an_acknowledge_at_either_port(void **state)
{
    (void)state;
    for (uint32_t port = COMMAND; port <= DATA; port++) {
        setup(NULL);
        out(MASTER, DATA, 0x20);
        out(MASTER, COMMAND, POLL);
        assert_int_equal(in(MASTER, port), 0);
        drive(3, true);
        drive(9, true);
        out(MASTER, COMMAND, POLL);
        assert_int_equal(in(MASTER, port), 0x82);
        assert_int_equal(in(MASTER, DATA), 0x20); // once only
        out(SLAVE, COMMAND, POLL);
        assert_int_equal(in(SLAVE, port), 0x81);
        assert_int_equal(isr(MASTER), 0x04);
        assert_int_equal(isr(SLAVE), 0x02);
        assert_false(intr);
        out(MASTER, COMMAND, POLL);
        out(MASTER, COMMAND, READ_ISR); // takes the poll back
        assert_int_equal(in(MASTER, COMMAND), 0x04);
    }
}

static void the_register_to_read_is_remembered(void **state)
{
    (void)state;
    drive(3, true);
    assert_int_equal(acknowledge(), 0x33);
    drive(4, true);
    out(MASTER, COMMAND, READ_ISR);
    assert_int_equal(in(MASTER, COMMAND), 0x08);
    out(MASTER, COMMAND, 0x08);
    assert_int_equal(in(MASTER, COMMAND), 0x08);
    out(MASTER, COMMAND, 0x09); // without RR
    assert_int_equal(in(MASTER, COMMAND), 0x08);
    out(MASTER, COMMAND, READ_IRR);
    out(MASTER, COMMAND, 0x09);
    assert_int_equal(in(MASTER, COMMAND), 0x10);
}

// ---- initialization ----

static void nothing_asks_before_the_last_word(void **state)
{
    static const struct {
        uint32_t icw1;
        uint32_t words;
    } cases[] = {{0x10, 2}, {0x11, 3}, {0x12, 1}, {0x13, 2}, {0x19, 3}, {0x1f, 2}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        power_on();
        out(MASTER, COMMAND, cases[i].icw1);
        drive(1, true);
        assert_int_equal(axvm_i8259_acknowledge(&pic), 7);
        for (uint32_t word = 1; word <= cases[i].words; word++) {
            assert_false(intr);
            out(MASTER, DATA, word == 1 ? 0x5d : 0);
        }
        assert_int_equal(in(MASTER, DATA), 0);
        assert_int_equal(acknowledge(), 0x59);
        out(MASTER, DATA, 0xa5);
        assert_int_equal(in(MASTER, DATA), 0xa5);
    }
}

static void power_on_asks_for_nothing(void **state)
{
    (void)state;
    power_on();
    drive(0, true);
    drive(8, true);
    assert_int_equal(changes, 0);
    assert_int_equal(axvm_i8259_acknowledge(&pic), 7);
}

static void initialization_forgets_modes_and_edges_but_not_levels(void **state)
{
    (void)state;
    set_elcr(0x20);
    program(MASTER, 0x30, ICW4 | AUTO_EOI);
    out(MASTER, COMMAND, 0xc4); // lowest: 4
    out(MASTER, COMMAND, 0x80);
    out(MASTER, COMMAND, MASK_MODE);
    out(MASTER, COMMAND, READ_ISR);
    out(MASTER, DATA, 0x10);
    drive(5, true);
    drive(1, true);
    out(MASTER, COMMAND, POLL);
    program(MASTER, 0x40, ICW4);
    assert_int_equal(in(MASTER, DATA), 0);
    assert_int_equal(in(MASTER, COMMAND), 0x20); // IRR, no edge
    assert_int_equal(elcr(), 0x20);
    drive(1, false);
    drive(1, true);
    assert_int_equal(acknowledge(), 0x41);
    out(MASTER, DATA, 0x02);
    assert_false(intr); // 1 is in service, neither ended nor ignored
    program(MASTER, 0x40, 0x01);
    assert_int_equal(isr(MASTER), 0);
}

static void reset_is_power_on_again(void **state)
{
    static AxI8259 fresh;

    (void)state;
    axvm_i8259_init(&fresh, (AxIrqLine){0});
    set_elcr(0xffff);
    drive(3, true);
    drive(9, true);
    assert_true(intr);
    axvm_i8259_reset(&pic);
    assert_false(intr);
    assert_memory_equal(pic.chips, fresh.chips, sizeof(fresh.chips));
}

static void a_vcpu_that_was_reset_is_told_again(void **state)
{
    (void)state;
    drive(3, true);
    intr = false;
    axvm_i8259_vcpu_reset(&pic);
    assert_true(intr);
    drive(3, false);
    intr = true;
    axvm_i8259_vcpu_reset(&pic);
    assert_false(intr);
}

static void a_wide_access_is_one_per_byte(void **state)
{
    uint64_t value;

    (void)state;
    power_on();
    assert_error(axvm_i8259_slave_ops.write(&pic, NULL, 0, AX_WIDTH_WORD, 0x7013), AX_OK);
    assert_error(axvm_i8259_slave_ops.write(&pic, NULL, 1, AX_WIDTH_BYTE, 1), AX_OK);
    assert_error(axvm_i8259_slave_ops.write(&pic, NULL, 0, AX_WIDTH_WORD, 0xfd0a), AX_OK);
    drive(11, true);
    assert_error(axvm_i8259_slave_ops.read(&pic, NULL, 0, AX_WIDTH_WORD, &value), AX_OK);
    assert_int_equal(value, 0xfd08);
    // Past the range there is nothing.
    assert_error(axvm_i8259_slave_ops.write(&pic, NULL, 2, AX_WIDTH_BYTE, 0), AX_OK);
    assert_int_equal(in(SLAVE, DATA), 0xfd);
}

// ---- random sequences against a model ----

typedef struct ModelChip {
    bool line[8];
    bool edge[8];
    bool level[8];
    bool masked[8];
    bool serving[8];
    uint32_t order[8]; // most urgent first
    bool auto_eoi;
    bool rotates;
    bool special_mask;
    bool nests;
    uint32_t vectors;
} ModelChip;

static ModelChip model[2];

static void model_lowest(ModelChip *chip, uint32_t input)
{
    for (uint32_t i = 0; i < 8; i++) {
        chip->order[i] = (input + 1 + i) % 8;
    }
}

static void model_program(uint32_t index, uint32_t vectors, uint32_t icw4)
{
    ModelChip *chip = &model[index];
    ModelChip fresh = {.vectors = vectors};

    memcpy(fresh.line, chip->line, sizeof(fresh.line));
    memcpy(fresh.level, chip->level, sizeof(fresh.level));
    fresh.auto_eoi = (icw4 & AUTO_EOI) != 0;
    fresh.nests = index == MASTER && (icw4 & NESTED) != 0;
    model_lowest(&fresh, 7);
    *chip = fresh;
}

static uint32_t model_asks(const ModelChip *chip)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t input = chip->order[i];
        const bool asks = chip->line[input] && (chip->level[input] || chip->edge[input]) &&
                          !chip->masked[input];
        const bool holds = chip->serving[input] && !(chip->special_mask && chip->masked[input]);

        if (asks && (!holds || (chip->nests && input == 2))) {
            return input;
        }
        if (holds) {
            return 8;
        }
    }
    return 8;
}

static void model_cascade(void)
{
    model[MASTER].line[2] = model_asks(&model[SLAVE]) != 8;
    model[MASTER].level[2] = true;
}

static void model_drive(uint32_t irq, bool high)
{
    ModelChip *chip = &model[irq / 8];

    chip->edge[irq % 8] = high && (chip->edge[irq % 8] || !chip->line[irq % 8]);
    chip->line[irq % 8] = high;
}

static uint32_t model_take(ModelChip *chip)
{
    const uint32_t input = model_asks(chip);

    if (input == 8) {
        return 7;
    }
    chip->edge[input] = false;
    if (!chip->auto_eoi) {
        chip->serving[input] = true;
    } else if (chip->rotates) {
        model_lowest(chip, input);
    }
    return input;
}

static uint32_t model_acknowledge(void)
{
    const uint32_t input = model_take(&model[MASTER]);

    return input == 2 ? model[SLAVE].vectors + model_take(&model[SLAVE])
                      : model[MASTER].vectors + input;
}

static uint32_t model_best(const ModelChip *chip)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t input = chip->order[i];

        if (chip->serving[input] && !(chip->special_mask && chip->masked[input])) {
            return input;
        }
    }
    return 8;
}

static void model_ocw2(ModelChip *chip, uint32_t value)
{
    const bool specific = (value & 0x40) != 0;
    const bool rotates = (value & 0x80) != 0;
    const uint32_t input = specific ? value & 7 : model_best(chip);

    if ((value & 0x20) == 0 && !specific) {
        chip->rotates = rotates;
        return;
    }
    if (input < 8 && (value & 0x20) != 0) {
        chip->serving[input] = false;
    }
    if (input < 8 && rotates) {
        model_lowest(chip, input);
    }
}

static uint32_t model_bits(const bool *flags)
{
    uint32_t bits = 0;

    for (uint32_t i = 0; i < 8; i++) {
        bits |= (uint32_t)flags[i] << i;
    }
    return bits;
}

static uint32_t model_irr(const ModelChip *chip)
{
    bool asks[8];

    for (uint32_t i = 0; i < 8; i++) {
        asks[i] = chip->line[i] && (chip->level[i] || chip->edge[i]);
    }
    return model_bits(asks);
}

static void model_masks(ModelChip *chip, uint32_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        chip->masked[i] = (value >> i & 1) != 0;
    }
}

static void model_elcr(uint32_t value)
{
    for (uint32_t irq = 0; irq < 16; irq++) {
        if (irq != 2) {
            model[irq / 8].level[irq % 8] = (0xdef8 >> irq & value >> irq & 1) != 0;
        }
    }
}

static void random_mode(Random *random, uint32_t chip)
{
    const uint32_t value = (uint32_t)random_next(random);

    switch (random_below(random, 4)) {
    case 0:
        program(chip, 0x40 + 8 * chip, value & 0x13);
        model_program(chip, 0x40 + 8 * chip, value & 0x13);
        break;
    case 1:
        out(chip, COMMAND, (value & 1) != 0 ? MASK_MODE : NO_MASKMODE);
        model[chip].special_mask = (value & 1) != 0;
        break;
    case 2:
        set_elcr(value & 0xffff);
        model_elcr(value);
        break;
    default:
        out(chip, DATA, value & value >> 8 & 0xff);
        model_masks(&model[chip], value & value >> 8);
        break;
    }
}

static void random_step(Random *random)
{
    const uint32_t chip = (uint32_t)random_below(random, 2);
    const uint32_t irq = (uint32_t)random_below(random, 16);
    const uint32_t value = (uint32_t)random_next(random);

    switch (random_below(random, 20)) {
    case 0: random_mode(random, chip); break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        out(chip, COMMAND, value & 0xe7);
        model_ocw2(&model[chip], value & 0xe7);
        break;
    case 7:
    case 8:
    case 9:
    case 10: assert_int_equal(axvm_i8259_acknowledge(&pic), model_acknowledge()); break;
    case 11:
        out(chip, COMMAND, POLL);
        if (model_asks(&model[chip]) == 8) {
            assert_int_equal(in(chip, DATA), 0);
        } else {
            assert_int_equal(in(chip, DATA), 0x80 | model_take(&model[chip]));
        }
        break;
    default:
        if (irq != 2) {
            drive(irq, (value & 1) != 0);
            model_drive(irq, (value & 1) != 0);
        }
        break;
    }
    model_cascade();
}

static void random_sequences_agree_with_the_model(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};
    uint32_t high = 0;

    (void)state;
    memset(model, 0, sizeof(model));
    model_program(MASTER, 0x30, ICW4);
    model_program(SLAVE, 0x38, ICW4);
    for (uint32_t i = 0; i < 200000; i++) {
        random_step(&random);
        assert_int_equal(intr, model_asks(&model[MASTER]) != 8);
        for (uint32_t chip = 0; chip < 2; chip++) {
            assert_int_equal(irr(chip), model_irr(&model[chip]));
            assert_int_equal(isr(chip), model_bits(model[chip].serving));
        }
        high += intr;
    }
    assert_true(high > 20000 && high < 180000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_irq_has_its_vector),
        TEST(the_cascade_and_lines_past_the_last_cannot_be_driven),
        TEST(an_edge_asks_once_and_a_level_as_long_as_it_is_high),
        TEST(a_request_ends_with_its_line_and_its_acknowledge_is_spurious),
        TEST(elcr_keeps_only_what_may_be_level_triggered),
        TEST(masked_requests_wait),
        TEST(a_request_interrupts_only_what_is_less_urgent),
        TEST(the_slave_counts_as_the_masters_input_2),
        TEST(the_special_fully_nested_mode_lets_the_slave_nest),
        TEST(the_special_mask_mode_ignores_what_is_masked_in_service),
        TEST(each_end_of_interrupt_does_what_it_says),
        TEST(an_end_of_nothing_rotates_nothing),
        TEST(automatic_ends_leave_nothing_in_service),
        TEST(automatic_ends_rotate_when_told),
        TEST(a_poll_is_an_acknowledge_at_either_port),
        TEST(the_register_to_read_is_remembered),
        TEST(nothing_asks_before_the_last_word),
        TEST(power_on_asks_for_nothing),
        TEST(initialization_forgets_modes_and_edges_but_not_levels),
        TEST(reset_is_power_on_again),
        TEST(a_vcpu_that_was_reset_is_told_again),
        TEST(a_wide_access_is_one_per_byte),
        TEST(random_sequences_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
