// SPDX-License-Identifier: Apache-2.0
/* The low memory of a PC, as firmware and boot loader filled it; tests change one thing in it. */
#pragma once

#include "test.h"

#define MEMORY_SIZE 0x100000u

static uint8_t memory[MEMORY_SIZE];

/* Exactly what was asked for, in a block of its own: what is read beyond it is found. */
static const void *memory_read(uint64_t addr, uint64_t size)
{
    static void *blocks[512];
    static size_t used;
    void *block;

    if (addr > MEMORY_SIZE || size > MEMORY_SIZE - addr) {
        return NULL;
    }
    block = malloc(size);
    assert_non_null(block);
    memcpy(block, memory + addr, size);
    free(blocks[used % COUNT(blocks)]);
    blocks[used++ % COUNT(blocks)] = block;
    return block;
}

static void put(uint64_t addr, uint64_t value, size_t size)
{
    assert_true(addr + size <= MEMORY_SIZE);
    memcpy(memory + addr, &value, size);
}

static void assert_names(const char *why, const char *thing)
{
    assert_non_null(why);
    if (strstr(why, thing) == NULL) {
        fail_msg("'%s' does not name '%s'", why, thing);
    }
}
