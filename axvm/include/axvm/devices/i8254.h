// SPDX-License-Identifier: Apache-2.0
/*
 * 8254 programmable interval timer (Intel 82C54 data sheet) as a PC wires it, and port 0x61 beside
 * it: counter 0 drives IRQ 0, the gates of counters 0 and 1 are high, counter 2 has its gate and its
 * output at port 0x61.
 *
 * All six modes, binary and BCD, exact to the tick of 1.193182 MHz: time is counted in ticks since
 * the clock's zero, so periods do not drift. The count of 1 that modes 2 and 3 forbid acts as 2.
 * Before it is programmed, a counter does not run and its output is low; it then reads 0.
 *
 * The model does not run by itself. axvm_i8254_next() tells when IRQ 0 rises next, and
 * axvm_i8254_advance() brings the model to the present, as each access to a port does. Rises that
 * are noticed together are one rise: as on hardware, ticks that nobody took are not counted. The
 * line stays high over the call that noticed its rise and falls with a later one, so a tick that is
 * noticed late is not lost.
 *
 * Ports are 8 bits wide; a wider access is one per byte, lowest first. All functions but init may
 * be called on any pCPU at any time.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/devices/clock.h>
#include <axvm/lock.h>

#define AX_I8254_HZ       UINT64_C(1193182)
#define AX_I8254_COUNTERS 3u

#define AX_I8254_SIZE        UINT64_C(4) /* ports 0x40..0x43 on a PC */
#define AX_I8254_SYSTEM_SIZE UINT64_C(1) /* port 0x61 */

typedef struct AxI8254Counter {
    uint8_t control; /* bits 5:0 of the control word: what a status has there */
    bool gate;
    bool write_high; /* the next byte written is the second one, here and below */
    bool read_high;
    bool count_latched;
    bool status_latched;
    bool programmed; /* a count was written after the control word */
    bool null_count; /* and is not loaded yet */
    bool loaded;     /* has a run since the control word */
    bool halted;     /* the run stands still, its gate is low */
    bool load_cyclic;
    bool load_low;
    uint8_t first_byte;
    uint8_t latched_status;
    uint16_t latched_count;
    uint16_t reload;  /* as written */
    uint16_t held;    /* what is read while no run is loaded */
    uint32_t count;   /* the run began with it... */
    uint64_t origin;  /* ...at this tick, modulo 2^64, */
    uint64_t elapsed; /* ...or so many ticks before it was halted */
    uint64_t load_at; /* tick of the next load, or AX_CLOCK_NEVER */
    uint64_t tick;    /* the present */
} AxI8254Counter;

typedef struct AxI8254 {
    AxLock lock;
    AxClock clock;
    AxIrqLine line;
    bool line_high;
    uint8_t system; /* what was written to port 0x61 */
    AxI8254Counter counters[AX_I8254_COUNTERS];
} AxI8254;

/* `line` is driven with the lock held. */
void axvm_i8254_init(AxI8254 *pit, AxIrqLine line, AxClock clock);

/* Power-on values: no counter runs, the line is low. */
void axvm_i8254_reset(AxI8254 *pit);

/*
 * The first nanosecond at which IRQ 0 rises, counted from the last access or advance;
 * AX_CLOCK_NEVER when it does not before the guest acts.
 */
uint64_t axvm_i8254_next(AxI8254 *pit);

/* Brings the model to `now`, a time of its clock. An earlier time than the last changes nothing. */
void axvm_i8254_advance(AxI8254 *pit, uint64_t now);

/* `device` is the AxI8254 for both. */
extern const AxDeviceOps axvm_i8254_ops;
extern const AxDeviceOps axvm_i8254_system_ops;
