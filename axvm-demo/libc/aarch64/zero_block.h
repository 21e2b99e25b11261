// SPDX-License-Identifier: Apache-2.0
// Zeroing by cache block: DC ZVA (Arm ARM C5.3.9). Alignment-faults with the MMU off.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DCZID_EL0_BS  UINT64_C(0xf)
#define DCZID_EL0_DZP (UINT64_C(1) << 4)

// Bytes that zero_block() clears, a power of two; 0 when the CPU forbids it.
static inline size_t zero_block_size(void)
{
    uint64_t dczid;

    __asm__("mrs %0, dczid_el0" : "=r"(dczid));
    return (dczid & DCZID_EL0_DZP) != 0 ? 0 : (size_t)4 << (dczid & DCZID_EL0_BS);
}

static inline void zero_block(void *block)
{
    __asm__ volatile("dc zva, %0" : : "r"(block) : "memory");
}
