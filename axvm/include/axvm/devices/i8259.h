// SPDX-License-Identifier: Apache-2.0
/*
 * The two cascaded 8259A interrupt controllers of a PC (Intel 8259A data sheet) with the
 * edge/level control registers of PC chipsets (ELCR). IRQ 0..7 are the master's inputs, 8..15 the
 * slave's, whose output is wired to the master's input 2.
 *
 * As in the chipsets: always 8086 mode; the cascade is wired, so ICW3 is taken and has no effect;
 * ELCR stands in for ICW1.LTIM; buffered mode has no effect. A chip asks for nothing before its
 * initialization sequence is complete.
 *
 * An input must stay high until the acknowledge, also one that is edge-triggered: a request ends
 * with its line. An acknowledge that finds none gets the spurious vector, number 7 of the master.
 * The cascade follows at once, so the slave never asks for what it does not have: its number 7
 * comes as a spurious one only where the hardware would need a race between the two INTA cycles,
 * that is never.
 *
 * Ports are 8 bits wide; a wider access is one per byte, lowest first. All functions but init may
 * be called on any pCPU at any time.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_I8259_SIZE  UINT64_C(2) /* of each of the three ranges */
#define AX_I8259_LINES 16u

typedef struct AxI8259Chip {
    uint8_t cascade; /* inputs that a slave drives: always follow its level */
    uint8_t lines;   /* inputs, as driven */
    uint8_t edges;   /* rising edges that were not acknowledged yet */
    uint8_t elcr;    /* level-triggered inputs */
    uint8_t isr;
    uint8_t imr;
    uint8_t vectors; /* the first of eight */
    uint8_t lowest;  /* the input of lowest priority; the next one has the highest */
    uint8_t step;    /* of the initialization sequence; 0 = not in it */
    bool ready;      /* was initialized */
    bool single;
    bool wants_icw4;
    bool auto_eoi;
    bool rotate_auto_eoi;
    bool special_mask;
    bool special_nested;
    bool poll;
    bool read_isr;
} AxI8259Chip;

typedef struct AxI8259 {
    AxLock lock;
    AxIrqLine output; /* INTR */
    bool output_high;
    AxI8259Chip chips[2]; /* master, slave */
} AxI8259;

/* `output` (INTR) is driven with the lock held, and may not call back. */
void axvm_i8259_init(AxI8259 *pic, AxIrqLine output);

/* Power-on values: not initialized, all inputs low until driven anew, edge-triggered. */
void axvm_i8259_reset(AxI8259 *pic);

/* Drives INTR again, after the vCPU behind it was reset and forgot its level. */
void axvm_i8259_vcpu_reset(AxI8259 *pic);

/* The INTA cycles: the vector, with the request in service (or ended, with automatic EOI). */
AX_MUST_CHECK uint8_t axvm_i8259_acknowledge(AxI8259 *pic);

/* `device` is the AxI8259 for all three: ports 0x20, 0xa0 and 0x4d0 on a PC. */
extern const AxDeviceOps axvm_i8259_master_ops;
extern const AxDeviceOps axvm_i8259_slave_ops;
extern const AxDeviceOps axvm_i8259_elcr_ops;

/* An AxIrqLine.set. IRQ 2, the cascade, and what is above 15 are ignored. */
void axvm_i8259_set_line(void *controller, uint32_t irq, bool high);

static inline AxIrqLine axvm_i8259_line(AxI8259 *pic, uint32_t irq)
{
    return (AxIrqLine){.set = axvm_i8259_set_line, .controller = pic, .irq = irq};
}
