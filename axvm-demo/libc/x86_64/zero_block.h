// SPDX-License-Identifier: Apache-2.0
// String instructions work on whole cache lines; a "block" is what one of them clears.
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline size_t zero_block_size(void)
{
    return 512;
}

static inline void zero_block(void *block)
{
    uint64_t count = 512 / 8;

    __asm__ volatile("rep stosq" : "+D"(block), "+c"(count) : "a"(UINT64_C(0)) : "memory");
}
