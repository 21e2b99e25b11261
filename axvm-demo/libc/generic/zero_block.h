// SPDX-License-Identifier: Apache-2.0
// A host has no instruction to zero a cache block; one of 64 bytes stands in, so that the code
// around it is tested.
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline size_t zero_block_size(void)
{
    return 64;
}

static inline void zero_block(void *block)
{
    uint64_t *words = block;

    for (size_t i = 0; i < 64 / sizeof(*words); i++) {
        words[i] = 0;
    }
}
