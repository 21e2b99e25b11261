// SPDX-License-Identifier: Apache-2.0
/*
 * Single ports of a PC, with what the guest wants as calls to the owner:
 *
 * - 0xcf9, the reset control register (I/O Controller Hub data sheets): RST_CPU going from 0 to 1
 *   resets the VM, hard or soft.
 * - 0x60 and 0x64: no keyboard controller but its reset line. Both read 0: nothing to read, ready
 *   for a command, so nobody waits. Commands 0xf0..0xff with bit 0 clear pulse the line, and so does
 *   command 0xd1 followed by a byte with bit 0 clear. A20 is always on.
 * - 0x80: POST code and delay; reads give what was written last.
 * - The ACPI fixed registers (ACPI 6.4, 4.8.3): PM1a event block at 0, PM1a control at 4, the
 *   24-bit PM timer at 8. SCI_EN is always set (the FADT has no SMI_CMD), SLP_EN with the type of
 *   S5 is power-off, other sleeping states do not exist and do nothing. Of the events there are the
 *   timer's carry and the power button.
 *
 * An access of several bytes to the ACPI registers is one. All functions but init may be called on
 * any pCPU at any time.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/devices/clock.h>
#include <axvm/lock.h>

#define AX_PCPORTS_SIZE    UINT64_C(1)  /* of the four single ports */
#define AX_PCPORTS_PM_SIZE UINT64_C(12) /* of the ACPI registers */

/* Where they are in it, for the FADT. */
#define AX_PCPORTS_PM_EVENT   0u
#define AX_PCPORTS_PM_CONTROL 4u
#define AX_PCPORTS_PM_TIMER   8u

#define AX_PCPORTS_PM_HZ  UINT64_C(3579545)
#define AX_PCPORTS_SLP_S5 5u /* both values of \_S5 in the DSDT */

/*
 * Called on the pCPU of the vCPU that wrote the port, without locks held, while its exit is
 * handled; may be called by several at once. NULL: nothing happens.
 */
typedef struct AxPcPower {
    void (*reset)(void *ctx);
    void (*power_off)(void *ctx);
    void *ctx;
} AxPcPower;

typedef struct AxPcPorts {
    AxLock lock;
    AxPcPower power;
    AxIrqLine sci;
    AxClock clock;
    bool sci_high;
    bool output_next; /* the next byte at 0x60 is for the output port */
    uint8_t reset_control;
    uint8_t post;
    uint16_t status;
    uint16_t enable;
    uint16_t control;
    uint64_t ticks; /* of the PM timer: the present */
} AxPcPorts;

/* `sci` (level, active while high) is driven with the lock held. */
void axvm_pcports_init(AxPcPorts *ports, AxPcPower power, AxIrqLine sci, AxClock clock);

/* Power-on values, SCI low. The PM timer goes on. */
void axvm_pcports_reset(AxPcPorts *ports);

/* Somebody presses the power button: asks the guest to power off, if it listens. */
void axvm_pcports_press_power(AxPcPorts *ports);

/* The byte that the guest wrote last to port 0x80. */
AX_MUST_CHECK uint8_t axvm_pcports_post(AxPcPorts *ports);

/* The time of the PM timer's next carry that raises SCI; AX_CLOCK_NEVER when none will. */
uint64_t axvm_pcports_next(AxPcPorts *ports);

/* Brings the PM timer to `now`, a time of its clock; an earlier one changes nothing. */
void axvm_pcports_advance(AxPcPorts *ports, uint64_t now);

/* `device` is the AxPcPorts for all: 0xcf9, 0x60, 0x64, 0x80, and the ACPI registers. */
extern const AxDeviceOps axvm_pcports_reset_ops;
extern const AxDeviceOps axvm_pcports_kbd_data_ops;
extern const AxDeviceOps axvm_pcports_kbd_command_ops;
extern const AxDeviceOps axvm_pcports_post_ops;
extern const AxDeviceOps axvm_pcports_pm_ops;
