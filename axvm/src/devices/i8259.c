// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/i8259.h>

#include "isa.h"

#include <string.h>

#define MASTER 0u
#define SLAVE  1u

#define INPUTS        8u
#define NONE          INPUTS // no input, no rank
#define CASCADE_INPUT 2u
#define SPURIOUS      7u

#define PORT_COMMAND UINT64_C(0)
#define PORT_DATA    UINT64_C(1)

#define ICW1_IC4      0x01u
#define ICW1_SINGLE   0x02u
#define ICW1          0x10u
#define ICW2_VECTORS  0xf8u
#define ICW4_AUTO_EOI 0x02u
#define ICW4_NESTED   0x10u

#define OCW2_INPUT         0x07u
#define OCW2_COMMAND_SHIFT 5
#define OCW3               0x08u
#define OCW3_RIS           0x01u
#define OCW3_RR            0x02u
#define OCW3_POLL          0x04u
#define OCW3_SMM           0x20u
#define OCW3_ESMM          0x40u
#define POLL_REQUEST       0x80u

// What must be edge-triggered: timer, keyboard, cascade; RTC, coprocessor.
static const uint8_t elcr_writable[] = {0xf8, 0xde};

// All below: with the lock held, except where it says otherwise.

// ---- priorities ----

static uint8_t bit_of(uint32_t input)
{
    return (uint8_t)(1u << input);
}

// Rank 0 is the highest.
static uint32_t input_of(const AxI8259Chip *chip, uint32_t rank)
{
    return (chip->lowest + 1u + rank) % INPUTS;
}

static uint32_t best_rank(const AxI8259Chip *chip, uint32_t bits)
{
    uint32_t rank = 0;

    while (rank < INPUTS && (bits & bit_of(input_of(chip, rank))) == 0) {
        rank++;
    }
    return rank;
}

static uint8_t requests(const AxI8259Chip *chip)
{
    return chip->lines & (chip->elcr | chip->cascade | chip->edges);
}

// In the special mask mode what is masked holds nobody up, and no unspecific EOI finds it.
static uint8_t in_service(const AxI8259Chip *chip)
{
    return chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
}

// In the special fully nested mode a slave in service may ask again.
static bool may_nest(const AxI8259Chip *chip, uint32_t input)
{
    return chip->special_nested && (chip->cascade & bit_of(input)) != 0;
}

// The input that the chip asks for, or NONE.
static uint32_t asking(const AxI8259Chip *chip)
{
    const uint32_t rank = best_rank(chip, requests(chip) & ~chip->imr);
    const uint32_t serving = best_rank(chip, in_service(chip));
    const uint32_t input = input_of(chip, rank);

    if (!chip->ready || rank == NONE) {
        return NONE;
    }
    return rank < serving || (rank == serving && may_nest(chip, input)) ? input : NONE;
}

static void drive_chip(AxI8259Chip *chip, uint32_t input, bool high)
{
    const uint8_t bit = bit_of(input);

    if (!high) {
        chip->lines &= ~bit;
        chip->edges &= ~bit;
    } else if ((chip->lines & bit) == 0) {
        chip->lines |= bit;
        chip->edges |= bit;
    }
}

static void update(AxI8259 *pic)
{
    bool high;

    drive_chip(&pic->chips[MASTER], CASCADE_INPUT, asking(&pic->chips[SLAVE]) != NONE);
    high = asking(&pic->chips[MASTER]) != NONE;
    if (high != pic->output_high) {
        pic->output_high = high;
        axvm_irq_set(&pic->output, high);
    }
}

// ---- acknowledge ----

static void take(AxI8259Chip *chip, uint32_t input)
{
    chip->edges &= ~bit_of(input);
    if (!chip->auto_eoi) {
        chip->isr |= bit_of(input);
    } else if (chip->rotate_auto_eoi) {
        chip->lowest = (uint8_t)input;
    }
}

static uint32_t acknowledge_chip(AxI8259Chip *chip)
{
    const uint32_t input = asking(chip);

    if (input == NONE) {
        return SPURIOUS;
    }
    take(chip, input);
    return input;
}

uint8_t axvm_i8259_acknowledge(AxI8259 *pic)
{
    AxI8259Chip *chip = &pic->chips[MASTER];
    uint32_t input;
    uint8_t vector;

    ax_lock(&pic->lock);
    input = acknowledge_chip(chip);
    if ((chip->cascade & bit_of(input)) != 0) {
        chip = &pic->chips[SLAVE];
        input = acknowledge_chip(chip);
    }
    vector = (uint8_t)(chip->vectors | input);
    update(pic);
    ax_unlock(&pic->lock);
    return vector;
}

// ---- initialization command words ----

typedef void (*Writer)(AxI8259Chip *chip, uint8_t value);

// Steps: the word that is expected next at the data port.
#define STEP_ICW2 1u
#define STEP_ICW3 2u
#define STEP_ICW4 3u

static void go_on(AxI8259Chip *chip, uint8_t step)
{
    if (step == STEP_ICW3 && chip->single) {
        step = STEP_ICW4;
    }
    if (step == STEP_ICW4 && !chip->wants_icw4) {
        step = 0;
    }
    chip->step = step;
    chip->ready = step == 0;
}

static void write_icw1(AxI8259Chip *chip, uint8_t value)
{
    *chip = (AxI8259Chip){
        .cascade = chip->cascade,
        .lines = chip->lines,
        .elcr = chip->elcr,
        .vectors = chip->vectors,
        .lowest = INPUTS - 1,
        .single = (value & ICW1_SINGLE) != 0,
        .wants_icw4 = (value & ICW1_IC4) != 0,
    };
    go_on(chip, STEP_ICW2);
}

static void write_icw2(AxI8259Chip *chip, uint8_t value)
{
    chip->vectors = value & ICW2_VECTORS;
    go_on(chip, STEP_ICW3);
}

static void write_icw3(AxI8259Chip *chip, uint8_t value)
{
    (void)value;
    go_on(chip, STEP_ICW4);
}

static void write_icw4(AxI8259Chip *chip, uint8_t value)
{
    chip->auto_eoi = (value & ICW4_AUTO_EOI) != 0;
    chip->special_nested = (value & ICW4_NESTED) != 0;
    go_on(chip, 0);
}

// ---- operation command words ----

static void write_ocw1(AxI8259Chip *chip, uint8_t value)
{
    chip->imr = value;
}

static void end_service(AxI8259Chip *chip, uint8_t input)
{
    chip->isr &= ~bit_of(input);
}

static void end_best(AxI8259Chip *chip, uint8_t input)
{
    const uint32_t rank = best_rank(chip, in_service(chip));

    (void)input;
    if (rank != NONE) {
        end_service(chip, (uint8_t)input_of(chip, rank));
    }
}

static void end_best_and_rotate(AxI8259Chip *chip, uint8_t input)
{
    const uint32_t rank = best_rank(chip, in_service(chip));
    const uint32_t best = input_of(chip, rank);

    (void)input;
    if (rank != NONE) {
        end_service(chip, (uint8_t)best);
        chip->lowest = (uint8_t)best;
    }
}

static void set_lowest(AxI8259Chip *chip, uint8_t input)
{
    chip->lowest = input;
}

static void end_service_and_rotate(AxI8259Chip *chip, uint8_t input)
{
    end_service(chip, input);
    set_lowest(chip, input);
}

static void rotate_auto_eoi_on(AxI8259Chip *chip, uint8_t input)
{
    (void)input;
    chip->rotate_auto_eoi = true;
}

static void rotate_auto_eoi_off(AxI8259Chip *chip, uint8_t input)
{
    (void)input;
    chip->rotate_auto_eoi = false;
}

static void do_nothing(AxI8259Chip *chip, uint8_t input)
{
    (void)chip;
    (void)input;
}

// By R, SL, EOI.
static const Writer commands[] = {
    rotate_auto_eoi_off, end_best,
    do_nothing,          end_service,
    rotate_auto_eoi_on,  end_best_and_rotate,
    set_lowest,          end_service_and_rotate,
};

static void write_ocw2(AxI8259Chip *chip, uint8_t value)
{
    commands[value >> OCW2_COMMAND_SHIFT](chip, value & OCW2_INPUT);
}

static void write_ocw3(AxI8259Chip *chip, uint8_t value)
{
    if ((value & OCW3_ESMM) != 0) {
        chip->special_mask = (value & OCW3_SMM) != 0;
    }
    if ((value & OCW3_RR) != 0) {
        chip->read_isr = (value & OCW3_RIS) != 0;
    }
    chip->poll = (value & OCW3_POLL) != 0;
}

// ---- ports ----

static void write_command(AxI8259Chip *chip, uint8_t value)
{
    if ((value & ICW1) != 0) {
        write_icw1(chip, value);
    } else if ((value & OCW3) != 0) {
        write_ocw3(chip, value);
    } else {
        write_ocw2(chip, value);
    }
}

// By the step of the initialization.
static const Writer data_writers[] = {write_ocw1, write_icw2, write_icw3, write_icw4};

static void write_port(AxI8259 *pic, AxI8259Chip *chip, uint64_t offset, uint8_t value)
{
    if (offset == PORT_COMMAND) {
        write_command(chip, value);
    } else if (offset == PORT_DATA) {
        data_writers[chip->step](chip, value);
    }
    update(pic);
}

// The read after a poll command is an acknowledge, at either port.
static uint8_t poll(AxI8259Chip *chip)
{
    const uint32_t input = asking(chip);

    chip->poll = false;
    if (input == NONE) {
        return 0;
    }
    take(chip, input);
    return (uint8_t)(POLL_REQUEST | input);
}

static uint8_t read_chip(AxI8259Chip *chip, uint64_t offset)
{
    if (chip->poll) {
        return poll(chip);
    }
    if (offset == PORT_COMMAND) {
        return chip->read_isr ? chip->isr : requests(chip);
    }
    return chip->imr;
}

static uint8_t read_port(AxI8259 *pic, AxI8259Chip *chip, uint64_t offset)
{
    const uint8_t value = read_chip(chip, offset);

    update(pic);
    return value;
}

static uint8_t read_master(void *device, uint64_t offset)
{
    AxI8259 *pic = device;

    return read_port(pic, &pic->chips[MASTER], offset);
}

static void write_master(void *device, uint64_t offset, uint8_t value)
{
    AxI8259 *pic = device;

    write_port(pic, &pic->chips[MASTER], offset, value);
}

static uint8_t read_slave(void *device, uint64_t offset)
{
    AxI8259 *pic = device;

    return read_port(pic, &pic->chips[SLAVE], offset);
}

static void write_slave(void *device, uint64_t offset, uint8_t value)
{
    AxI8259 *pic = device;

    write_port(pic, &pic->chips[SLAVE], offset, value);
}

static uint8_t read_elcr(void *device, uint64_t offset)
{
    const AxI8259 *pic = device;

    return pic->chips[offset % 2].elcr;
}

static void write_elcr(void *device, uint64_t offset, uint8_t value)
{
    AxI8259 *pic = device;

    pic->chips[offset % 2].elcr = value & elcr_writable[offset % 2];
    update(pic);
}

// Without the lock, here and below.
static AxError read_locked(AxI8259 *pic, uint64_t offset, AccessWidth width, uint64_t *value,
                           uint8_t (*read)(void *device, uint64_t offset))
{
    ax_lock(&pic->lock);
    *value = isa_read(pic, offset, width, read);
    ax_unlock(&pic->lock);
    return AX_OK;
}

static AxError write_locked(AxI8259 *pic, uint64_t offset, AccessWidth width, uint64_t value,
                            void (*write)(void *device, uint64_t offset, uint8_t value))
{
    ax_lock(&pic->lock);
    isa_write(pic, offset, width, value, write);
    ax_unlock(&pic->lock);
    return AX_OK;
}

static AxError master_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t *value)
{
    (void)vcpu;
    return read_locked(device, offset, width, value, read_master);
}

static AxError master_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t value)
{
    (void)vcpu;
    return write_locked(device, offset, width, value, write_master);
}

static AxError slave_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    (void)vcpu;
    return read_locked(device, offset, width, value, read_slave);
}

static AxError slave_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    (void)vcpu;
    return write_locked(device, offset, width, value, write_slave);
}

static AxError elcr_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    (void)vcpu;
    return read_locked(device, offset, width, value, read_elcr);
}

static AxError elcr_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    (void)vcpu;
    return write_locked(device, offset, width, value, write_elcr);
}

const AxDeviceOps axvm_i8259_master_ops = {
    .name = "8259 master",
    .read = master_read,
    .write = master_write,
};

const AxDeviceOps axvm_i8259_slave_ops = {
    .name = "8259 slave",
    .read = slave_read,
    .write = slave_write,
};

const AxDeviceOps axvm_i8259_elcr_ops = {
    .name = "8259 ELCR",
    .read = elcr_read,
    .write = elcr_write,
};

// ---- inputs ----

void axvm_i8259_set_line(void *controller, uint32_t irq, bool high)
{
    AxI8259 *pic = controller;

    if (irq >= AX_I8259_LINES || irq == CASCADE_INPUT) {
        return;
    }
    ax_lock(&pic->lock);
    drive_chip(&pic->chips[irq / INPUTS], irq % INPUTS, high);
    update(pic);
    ax_unlock(&pic->lock);
}

// ---- life ----

void axvm_i8259_init(AxI8259 *pic, AxIrqLine output)
{
    memset(pic, 0, sizeof(*pic));
    pic->output = output;
    axvm_i8259_reset(pic);
}

void axvm_i8259_reset(AxI8259 *pic)
{
    ax_lock(&pic->lock);
    pic->chips[MASTER] = (AxI8259Chip){.cascade = bit_of(CASCADE_INPUT)};
    pic->chips[SLAVE] = (AxI8259Chip){0};
    update(pic);
    ax_unlock(&pic->lock);
}

void axvm_i8259_vcpu_reset(AxI8259 *pic)
{
    ax_lock(&pic->lock);
    axvm_irq_set(&pic->output, pic->output_high);
    ax_unlock(&pic->lock);
}
