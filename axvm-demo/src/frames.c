// SPDX-License-Identifier: Apache-2.0
#include "frames.h"

#include <string.h>

// State of a frame. Free blocks are marked at their first frame, with their order.
#define STATE_RESERVED  0u // holds the states
#define STATE_ALLOCATED 1u
#define STATE_FREE      2u
#define STATE_HEAD(n)   ((uint8_t)(0x80u | (n)))

#define FRAMES_MAX (UINT64_C(1) << (FRAME_ORDERS - 1))

// Lies in each free block. Links are frame numbers, 0 = none.
typedef struct FreeBlock {
    uint64_t next;
    uint64_t previous;
} FreeBlock;

static void *frame_pointer(const Frames *frames, uint64_t frame)
{
    return (void *)(uintptr_t)(frame * FRAME_SIZE + (uint64_t)frames->linear_offset);
}

static FreeBlock *block_at(const Frames *frames, uint64_t frame)
{
    return frame_pointer(frames, frame);
}

static FrameZone *zone_of(Frames *frames, uint64_t frame)
{
    for (uint32_t i = 0; i < frames->zone_count; i++) {
        FrameZone *zone = &frames->zones[i];

        if (frame >= zone->first && frame - zone->first < zone->count) {
            return zone;
        }
    }
    return NULL;
}

static uint8_t *state_of(FrameZone *zone, uint64_t frame)
{
    return &zone->state[frame - zone->first];
}

static void push(Frames *frames, FrameZone *zone, uint64_t frame, unsigned order)
{
    const uint64_t next = frames->free_lists[order];

    *block_at(frames, frame) = (FreeBlock){.next = next};
    if (next != 0) {
        block_at(frames, next)->previous = frame;
    }
    frames->free_lists[order] = frame;
    *state_of(zone, frame) = STATE_HEAD(order);
}

static void unlink_block(Frames *frames, FrameZone *zone, uint64_t frame, unsigned order)
{
    const FreeBlock block = *block_at(frames, frame);

    if (block.previous != 0) {
        block_at(frames, block.previous)->next = block.next;
    } else {
        frames->free_lists[order] = block.next;
    }
    if (block.next != 0) {
        block_at(frames, block.next)->previous = block.previous;
    }
    *state_of(zone, frame) = STATE_FREE;
}

static bool is_free_block(FrameZone *zone, uint64_t frame, unsigned order)
{
    return frame >= zone->first && frame - zone->first < zone->count &&
           *state_of(zone, frame) == STATE_HEAD(order);
}

// Joins the block with its free buddies as far up as it goes.
static void insert_block(Frames *frames, FrameZone *zone, uint64_t frame, unsigned order)
{
    for (; order + 1 < FRAME_ORDERS; order++) {
        const uint64_t buddy = frame ^ UINT64_C(1) << order;

        if (!is_free_block(zone, buddy, order)) {
            break;
        }
        unlink_block(frames, zone, buddy, order);
        frame &= ~(UINT64_C(1) << order);
    }
    push(frames, zone, frame, order);
}

// Largest block that begins at `frame` and has no more than `count` frames.
static unsigned fitting_order(uint64_t frame, uint64_t count)
{
    unsigned order = 0;

    while (order + 1 < FRAME_ORDERS && frame % (UINT64_C(2) << order) == 0 &&
           count >= UINT64_C(2) << order) {
        order++;
    }
    return order;
}

static void insert_range(Frames *frames, FrameZone *zone, uint64_t frame, uint64_t count)
{
    memset(state_of(zone, frame), STATE_FREE, count);
    frames->free_count += count;
    while (count > 0) {
        const unsigned order = fitting_order(frame, count);

        insert_block(frames, zone, frame, order);
        frame += UINT64_C(1) << order;
        count -= UINT64_C(1) << order;
    }
}

void frames_init(Frames *frames, intptr_t linear_offset)
{
    *frames = (Frames){.linear_offset = linear_offset};
}

bool frames_add(Frames *frames, Range range)
{
    const uint64_t first = (range.base + FRAME_SIZE - 1) / FRAME_SIZE;
    const uint64_t end = (range.base + range.size) / FRAME_SIZE;
    const uint64_t count = end > first ? end - first : 0;
    const uint64_t overhead = (count + FRAME_SIZE - 1) / FRAME_SIZE;

    if (frames->zone_count == RANGES_MAX || first == 0 || count <= overhead) {
        return false;
    }
    FrameZone *zone = &frames->zones[frames->zone_count++];

    *zone = (FrameZone){.first = first, .count = count, .state = frame_pointer(frames, first)};
    memset(zone->state, STATE_RESERVED, overhead);
    insert_range(frames, zone, first + overhead, count - overhead);
    return true;
}

// Takes a block of `order` off the lists, splitting a larger one: the upper halves go back.
static bool take_block(Frames *frames, unsigned order, uint64_t *frame)
{
    unsigned from = order;

    while (from < FRAME_ORDERS && frames->free_lists[from] == 0) {
        from++;
    }
    if (from == FRAME_ORDERS) {
        return false;
    }
    *frame = frames->free_lists[from];

    FrameZone *zone = zone_of(frames, *frame);

    unlink_block(frames, zone, *frame, from);
    while (from > order) {
        from--;
        push(frames, zone, *frame + (UINT64_C(1) << from), from);
    }
    return true;
}

bool frames_alloc(Frames *frames, uint64_t count, uint64_t align, uint64_t *addr)
{
    const uint64_t align_frames = align / FRAME_SIZE;
    unsigned order = 0;
    uint64_t frame;

    if (count == 0 || count > FRAMES_MAX || align_frames > FRAMES_MAX) {
        return false;
    }
    while (UINT64_C(1) << order < count || UINT64_C(1) << order < align_frames) {
        order++;
    }
    if (!take_block(frames, order, &frame)) {
        return false;
    }
    const uint64_t size = UINT64_C(1) << order;
    FrameZone *zone = zone_of(frames, frame);

    memset(state_of(zone, frame), STATE_ALLOCATED, count);
    frames->free_count -= size;
    if (size > count) {
        insert_range(frames, zone, frame + count, size - count);
    }
    *addr = frame * FRAME_SIZE;
    return true;
}

static bool all_allocated(FrameZone *zone, uint64_t frame, uint64_t count)
{
    const uint8_t *state = state_of(zone, frame);

    for (uint64_t i = 0; i < count; i++) {
        if (state[i] != STATE_ALLOCATED) {
            return false;
        }
    }
    return true;
}

bool frames_free(Frames *frames, uint64_t addr, uint64_t count)
{
    const uint64_t frame = addr / FRAME_SIZE;
    FrameZone *zone = zone_of(frames, frame);

    if (zone == NULL || addr % FRAME_SIZE != 0 || count == 0 ||
        count > zone->count - (frame - zone->first) || !all_allocated(zone, frame, count)) {
        return false;
    }
    insert_range(frames, zone, frame, count);
    return true;
}

uint64_t frames_free_count(const Frames *frames)
{
    return frames->free_count;
}
