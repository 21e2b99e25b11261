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
 * architecture has no such instruction, that is a call into a library that nobody links. Instead the
 * lowest bit shifts a de Bruijn sequence, whose 64 windows of 6 bits differ.
 */
static inline uint32_t ax_lowest_bit(uint64_t bits)
{
    static const uint8_t numbers[64] = {
        0,  1,  2,  7,  3,  13, 8,  19, 4,  25, 14, 28, 9,  34, 20, 40, 5,  17, 26, 38, 15, 46,
        29, 48, 10, 31, 35, 54, 21, 50, 41, 57, 63, 6,  12, 18, 24, 27, 33, 39, 16, 37, 45, 47,
        30, 53, 49, 56, 62, 11, 23, 32, 36, 44, 52, 55, 61, 22, 43, 51, 60, 42, 59, 58};

    return numbers[((bits & -bits) * UINT64_C(0x0218a392cd3d5dbf)) >> 58];
}
