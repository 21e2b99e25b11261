// SPDX-License-Identifier: Apache-2.0
/* Unit conversion without overflow. */
#pragma once

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* value * to / from, rounded down; `from` and `to` below 2^32 and not 0, the result below 2^64. */
static inline uint64_t scale(uint64_t value, uint64_t from, uint64_t to)
{
    return value / from * to + value % from * to / from;
}

/* What a counter says in nanoseconds, without a division at every reading of it. */
typedef struct Clock {
    uint64_t whole;    /* nanoseconds per tick ... */
    uint64_t fraction; /* ... and the rest of them in units of 2^-64, rounded up */
} Clock;

/* `hz` below 2^32 and not 0. */
static inline Clock clock_of(uint64_t hz)
{
    const uint64_t high = (NS_PER_SECOND % hz << 32) / hz;
    const uint64_t rest = (NS_PER_SECOND % hz << 32) % hz;

    return (Clock){
        .whole = NS_PER_SECOND / hz,
        .fraction = high << 32 | ((rest << 32) / hz + ((rest << 32) % hz != 0 ? 1 : 0)),
    };
}

/*
 * Never less than the exact value rounded down, so that a deadline that has passed in ticks has passed
 * in nanoseconds, and at most 1 ns more. Monotonic as long as the result is below 2^64.
 */
static inline uint64_t clock_ns(const Clock *clock, uint64_t ticks)
{
    return ticks * clock->whole + (uint64_t)(((unsigned __int128)ticks * clock->fraction) >> 64);
}
