// SPDX-License-Identifier: Apache-2.0
/*
 * Frame allocator: buddies. Blocks of 2^order frames, aligned to their size, up to 1 GiB; a free
 * block merges with its buddy at once. Not locked, and frames are handed out as they are.
 */
#pragma once

#include "ranges.h"

#include <stddef.h>

#define FRAME_SIZE   UINT64_C(4096)
#define FRAME_ORDERS 19u /* 4 KiB .. 1 GiB */

/* One piece of memory without holes; the first frames of it hold one byte of state per frame. */
typedef struct FrameZone {
    uint64_t first; /* frame numbers: address / FRAME_SIZE */
    uint64_t count;
    uint8_t *state;
} FrameZone;

typedef struct Frames {
    intptr_t linear_offset; /* pointer - address of the memory managed */
    uint32_t zone_count;
    FrameZone zones[RANGES_MAX];
    uint64_t free_lists[FRAME_ORDERS]; /* first free block of each size, 0 = none */
    uint64_t free_count;
} Frames;

void frames_init(Frames *frames, intptr_t linear_offset);

/*
 * Manages the frames of `range` that lie wholly inside it; ranges must not overlap and must not
 * hold address 0. False when there are too many, or the range is too small to be of use.
 */
bool frames_add(Frames *frames, Range range);

/*
 * `count` contiguous frames, the first at a multiple of `align` bytes (a power of two). Counts and
 * alignments beyond 1 GiB are not served. False when there is no such block.
 */
bool frames_alloc(Frames *frames, uint64_t count, uint64_t align, uint64_t *addr);

/*
 * Any part of what was allocated. False, with nothing changed, when one of the frames is not.
 */
bool frames_free(Frames *frames, uint64_t addr, uint64_t count);

/* Frames that are free now. */
uint64_t frames_free_count(const Frames *frames);
