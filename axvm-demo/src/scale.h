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
