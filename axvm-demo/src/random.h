// SPDX-License-Identifier: Apache-2.0
/*
 * Unpredictable bytes from one unpredictable key: ChaCha20 (RFC 8439) with fast key erasure. Each
 * call replaces the key, so that what was given out cannot be computed again. Not locked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RANDOM_KEY_SIZE   32u
#define RANDOM_BLOCK_SIZE 64u

typedef struct Random {
    uint8_t key[RANDOM_KEY_SIZE];
} Random;

void random_init(Random *random, const uint8_t key[RANDOM_KEY_SIZE]);
void random_bytes(Random *random, uint8_t *buffer, size_t size);

/* The block function, RFC 8439 2.3: with a counter, and a nonce of 12 bytes. */
void random_block(const uint8_t key[RANDOM_KEY_SIZE], uint32_t counter, const uint8_t nonce[12],
                  uint8_t block[RANDOM_BLOCK_SIZE]);
