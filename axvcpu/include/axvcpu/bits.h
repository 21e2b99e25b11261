// SPDX-License-Identifier: Apache-2.0
/* Bits and fields of 64-bit registers. A field is named by its mask; its place follows from that. */
#pragma once

#include <stdint.h>

#define AX_BIT(n)          (UINT64_C(1) << (n))
#define AX_MASK(high, low) ((UINT64_MAX >> (63 - (high))) & (UINT64_MAX << (low)))

/* The field of `value` under `mask`, which is not 0, moved to bit 0. */
static inline uint64_t ax_get(uint64_t value, uint64_t mask)
{
    return (value & mask) / (mask & -mask);
}

/* `field` moved under `mask`, bits that do not fit cut off. */
static inline uint64_t ax_put(uint64_t field, uint64_t mask)
{
    return (field * (mask & -mask)) & mask;
}

/*
 * Number of the lowest bit set in `bits`, which is not 0. Not the compiler's builtin: where the
 * architecture has no such instruction, that is a call into a library that nobody links.
 */
static inline uint32_t ax_lowest_bit(uint64_t bits)
{
    uint32_t number = 0;

    for (uint32_t half = 32; half != 0; half /= 2) {
        if ((bits & (UINT64_MAX >> (64 - half))) == 0) {
            bits >>= half;
            number += half;
        }
    }
    return number;
}
