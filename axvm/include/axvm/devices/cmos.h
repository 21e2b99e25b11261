// SPDX-License-Identifier: Apache-2.0
/*
 * Real-time clock and CMOS RAM of a PC (Motorola MC146818A data sheet): an index and a data port,
 * 128 bytes, interrupt on IRQ 8. The year's century is byte 0x32, as the FADT says it, and counts
 * along; leap years are those of the Gregorian calendar. Daylight saving (DSE) and the square wave
 * have no effect. Time goes on only with the divider at 010 (32.768 kHz); after another value the
 * first update comes half a second later.
 *
 * Registers change at the end of an update, which UIP announces 2228 us before. Values that are no
 * time (the guest may write any) are folded into one at the next update.
 *
 * The model does not run by itself: axvm_cmos_next() tells when the line rises next,
 * axvm_cmos_advance() brings it to the present, as each access does. Events that are noticed
 * together set their flag once.
 *
 * All functions but init may be called on any pCPU at any time.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/devices/clock.h>
#include <axvm/lock.h>

#define AX_CMOS_SIZE  UINT64_C(2) /* ports 0x70 and 0x71 on a PC */
#define AX_CMOS_BYTES 128u

typedef struct AxCmos {
    AxLock lock;
    AxIrqLine line;
    AxClock clock;
    bool line_high;
    uint8_t index;
    uint8_t bytes[AX_CMOS_BYTES];
    uint64_t anchor; /* an end of an update, modulo 2^64 */
    uint64_t seen;   /* the present */
} AxCmos;

/*
 * 24 hours, BCD, no interrupts; `date` is now, in seconds since 1970 (UTC), below the year 10000.
 * `line` is driven with the lock held.
 */
void axvm_cmos_init(AxCmos *cmos, AxIrqLine line, AxClock clock, uint64_t date);

/*
 * The bytes from which guests of the BIOS era read the size of memory: RAM below 4 GiB (with the
 * hole below 1 MiB counted as RAM) and above it, in bytes. Sizes too large for them are cut.
 */
void axvm_cmos_set_memory(AxCmos *cmos, uint64_t below_4g, uint64_t above_4g);

/* The reset line: interrupts off, flags clear; time and RAM go on. */
void axvm_cmos_reset(AxCmos *cmos);

/*
 * The time at which the line rises next; AX_CLOCK_NEVER when it is high or will not rise before the
 * guest acts.
 */
uint64_t axvm_cmos_next(AxCmos *cmos);

/* Brings the model to `now`, a time of its clock. An earlier time than the last changes nothing. */
void axvm_cmos_advance(AxCmos *cmos, uint64_t now);

/* `device` is the AxCmos. */
extern const AxDeviceOps axvm_cmos_ops;
