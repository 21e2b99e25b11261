// SPDX-License-Identifier: Apache-2.0
// Written for images of tens of megabytes: 64 bytes per turn of a loop, as load and store pairs.
#include "zero_block.h"

#include <stdbool.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) Word;

#define WORD       sizeof(Word)
#define TURN_WORDS 8u
#define TURN       (TURN_WORDS * WORD)
// Below this many bytes, asking for the block size costs more than it saves.
#define ZERO_BLOCK_MIN 1024u

// Bytes from `addr` to the next multiple of `align`, a power of two.
static size_t gap(const void *addr, size_t align)
{
    return -(uintptr_t)addr & (align - 1);
}

static bool same_phase(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

static void copy_bytes(uint8_t *dst, const uint8_t *src, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        dst[i] = src[i];
    }
}

// All loads of a turn come before its stores: with dst below src the areas may overlap.
static void copy_turns(Word *dst, const Word *src, size_t turns)
{
    for (; turns > 0; turns--, dst += TURN_WORDS, src += TURN_WORDS) {
        const Word a = src[0], b = src[1], c = src[2], d = src[3];
        const Word e = src[4], f = src[5], g = src[6], h = src[7];

        dst[0] = a;
        dst[1] = b;
        dst[2] = c;
        dst[3] = d;
        dst[4] = e;
        dst[5] = f;
        dst[6] = g;
        dst[7] = h;
    }
}

static void copy_words(Word *dst, const Word *src, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        dst[i] = src[i];
    }
}

static void copy_up(uint8_t *dst, const uint8_t *src, size_t size)
{
    if (size >= 2 * WORD && same_phase(dst, src)) {
        const size_t head = gap(dst, WORD);
        const size_t body = (size - head) & ~(TURN - 1);
        const size_t words = (size - head - body) / WORD;

        copy_bytes(dst, src, head);
        copy_turns((void *)(dst + head), (const void *)(src + head), body / TURN);
        dst += head + body;
        src += head + body;
        copy_words((void *)dst, (const void *)src, words);
        dst += words * WORD;
        src += words * WORD;
        size -= head + body + words * WORD;
    }
    copy_bytes(dst, src, size);
}

static void copy_down(uint8_t *dst, const uint8_t *src, size_t size)
{
    while (size > 0 && (!same_phase(dst, src) || gap(dst + size, WORD) != 0 || size < WORD)) {
        size--;
        dst[size] = src[size];
    }
    for (; size >= WORD; size -= WORD) {
        *(Word *)(void *)(dst + size - WORD) = *(const Word *)(const void *)(src + size - WORD);
    }
    while (size > 0) {
        size--;
        dst[size] = src[size];
    }
}

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
    copy_up(dst, src, size);
    return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
    if ((uintptr_t)dst - (uintptr_t)src >= size) {
        copy_up(dst, src, size);
    } else {
        copy_down(dst, src, size);
    }
    return dst;
}

static void set_bytes(uint8_t *dst, uint8_t byte, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        dst[i] = byte;
    }
}

static void set_turns(Word *dst, Word value, size_t turns)
{
    for (; turns > 0; turns--, dst += TURN_WORDS) {
        for (size_t i = 0; i < TURN_WORDS; i++) {
            dst[i] = value;
        }
    }
}

static void set_words(uint8_t *dst, uint8_t byte, size_t size)
{
    if (size >= 2 * TURN) {
        const size_t head = gap(dst, WORD);
        const size_t body = (size - head) & ~(TURN - 1);

        set_bytes(dst, byte, head);
        set_turns((void *)(dst + head), byte * UINT64_C(0x0101010101010101), body / TURN);
        dst += head + body;
        size -= head + body;
    }
    set_bytes(dst, byte, size);
}

// Four at a time: the loop would cost as much as the instruction.
static void zero_blocks(uint8_t *dst, size_t count, size_t block)
{
    for (; count >= 4; count -= 4, dst += 4 * block) {
        zero_block(dst);
        zero_block(dst + block);
        zero_block(dst + 2 * block);
        zero_block(dst + 3 * block);
    }
    for (; count > 0; count--, dst += block) {
        zero_block(dst);
    }
}

// Zeroes the whole blocks of a large area; what is left lies at its two ends.
static void zero_large(uint8_t *dst, size_t size, size_t block)
{
    const size_t head = gap(dst, block);
    const size_t body = (size - head) & ~(block - 1);

    set_words(dst, 0, head);
    zero_blocks(dst + head, body / block, block);
    set_words(dst + head + body, 0, size - head - body);
}

void *memset(void *dst, int byte, size_t size)
{
    if ((uint8_t)byte == 0 && size >= ZERO_BLOCK_MIN) {
        const size_t block = zero_block_size();

        if (block != 0 && block <= size / 2) {
            zero_large(dst, size, block);
            return dst;
        }
    }
    set_words(dst, (uint8_t)byte, size);
    return dst;
}

// Bytes at the front that are equal by whole words; cheap, and exact enough to skip them.
static size_t equal_words(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t done = 0;

    if (!same_phase(a, b) || gap(a, WORD) != 0) {
        return 0;
    }
    while (size - done >= WORD &&
           *(const Word *)(const void *)(a + done) == *(const Word *)(const void *)(b + done)) {
        done += WORD;
    }
    return done;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a;
    const uint8_t *y = b;

    for (size_t i = equal_words(x, y, size); i < size; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}

void *memchr(const void *area, int byte, size_t size)
{
    const uint8_t *bytes = area;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == (uint8_t)byte) {
            return (void *)(uintptr_t)(bytes + i);
        }
    }
    return NULL;
}
