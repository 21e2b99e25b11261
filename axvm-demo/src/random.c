// SPDX-License-Identifier: Apache-2.0
#include "random.h"

#include <string.h>

#define WORDS  16u
#define ROUNDS 10u // double rounds

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

static void double_round(uint32_t x[WORDS])
{
    for (unsigned i = 0; i < 4; i++) {
        quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
    }
}

static uint32_t load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void store(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

void random_block(const uint8_t key[RANDOM_KEY_SIZE], uint32_t counter, const uint8_t nonce[12],
                  uint8_t block[RANDOM_BLOCK_SIZE])
{
    uint32_t start[WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, [12] = counter};
    uint32_t x[WORDS];

    for (size_t i = 0; i < 8; i++) {
        start[4 + i] = load(key + 4 * i);
    }
    for (size_t i = 0; i < 3; i++) {
        start[13 + i] = load(nonce + 4 * i);
    }
    memcpy(x, start, sizeof(x));
    for (unsigned i = 0; i < ROUNDS; i++) {
        double_round(x);
    }
    for (size_t i = 0; i < WORDS; i++) {
        store(block + 4 * i, x[i] + start[i]);
    }
}

void random_init(Random *random, const uint8_t key[RANDOM_KEY_SIZE])
{
    memcpy(random->key, key, RANDOM_KEY_SIZE);
}

// The first half of each block is the next key, the second is given out.
void random_bytes(Random *random, uint8_t *buffer, size_t size)
{
    static const uint8_t nonce[12];
    uint8_t block[RANDOM_BLOCK_SIZE];

    while (size > 0) {
        const size_t most = RANDOM_BLOCK_SIZE - RANDOM_KEY_SIZE;
        const size_t part = size < most ? size : most;

        random_block(random->key, 0, nonce, block);
        memcpy(random->key, block, RANDOM_KEY_SIZE);
        memcpy(buffer, block + RANDOM_KEY_SIZE, part);
        buffer += part;
        size -= part;
    }
    memset(block, 0, sizeof(block));
}
