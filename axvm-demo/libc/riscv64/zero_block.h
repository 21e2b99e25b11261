// SPDX-License-Identifier: Apache-2.0
// CBO.ZERO (Zicboz) is there only where firmware says so. A "block" is what one straight run of stores
// clears: without a loop around every few of them, they cost a third.
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline size_t zero_block_size(void)
{
    return 256;
}

static inline void zero_block(void *block)
{
    __asm__ volatile(".irp word, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, "
                     "19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
                     "sd zero, 8 * \\word(%0)\n\t"
                     ".endr"
                     :
                     : "r"(block)
                     : "memory");
}
