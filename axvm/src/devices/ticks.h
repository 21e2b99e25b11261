// SPDX-License-Identifier: Apache-2.0
/* Oscillators: exact conversions between nanoseconds and cycles, without drift or overflow. */
#pragma once

#include <axvm/devices/clock.h>

/* Whole cycles of `hz` in `ns`; hz up to 2^33. */
static inline uint64_t ticks_of(uint64_t ns, uint64_t hz)
{
    return ns / AX_CLOCK_SECOND * hz + ns % AX_CLOCK_SECOND * hz / AX_CLOCK_SECOND;
}

/* The first nanosecond of cycle `tick`; AX_CLOCK_NEVER past the end of time. */
static inline uint64_t ns_of_tick(uint64_t tick, uint64_t hz)
{
    const uint64_t seconds = tick / hz;
    const uint64_t rest = (tick % hz * AX_CLOCK_SECOND + hz - 1) / hz;

    if (seconds >= AX_CLOCK_NEVER / AX_CLOCK_SECOND) {
        return AX_CLOCK_NEVER;
    }
    return seconds * AX_CLOCK_SECOND + rest;
}
