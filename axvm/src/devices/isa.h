// SPDX-License-Identifier: Apache-2.0
/* Byte-wide chips on ports: a wider access is one access per byte, lowest port first. */
#pragma once

#include <axvm/device.h>

static inline uint64_t isa_read(void *chip, uint64_t offset, AccessWidth width,
                                uint8_t (*read)(void *chip, uint64_t offset))
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < (uint32_t)width; i++) {
        value |= (uint64_t)read(chip, offset + i) << i * 8;
    }
    return value;
}

static inline void isa_write(void *chip, uint64_t offset, AccessWidth width, uint64_t value,
                             void (*write)(void *chip, uint64_t offset, uint8_t value))
{
    for (uint32_t i = 0; i < (uint32_t)width; i++) {
        write(chip, offset + i, (uint8_t)(value >> i * 8));
    }
}
