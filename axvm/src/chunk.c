// SPDX-License-Identifier: Apache-2.0
/* Pieces of RAM whose leaf was split: a list of frames full of records, empty most of the time. */
#include "reaper.h"
#include "walker.h"

typedef struct Chunk {
    uint64_t base;
    uint64_t frames; // 0 = record is free
    uint64_t mapped; // frames of it that still have a leaf
} Chunk;

#define CHUNKS_PER_PAGE ((AX_PAGE_SIZE - sizeof(HostPhysAddr)) / sizeof(Chunk))

typedef struct ChunkPage {
    HostPhysAddr next; // valid unless this is the last of as->chunk_pages
    Chunk chunks[CHUNKS_PER_PAGE];
} ChunkPage;

_Static_assert(sizeof(ChunkPage) <= AX_PAGE_SIZE, "one frame");

typedef bool (*Matches)(const Chunk *chunk, uint64_t address);

static bool is_free(const Chunk *chunk, uint64_t address)
{
    (void)address;
    return chunk->frames == 0;
}

// A free record holds nothing.
static bool holds(const Chunk *chunk, uint64_t address)
{
    return address - chunk->base < chunk->frames * AX_PAGE_SIZE;
}

static ChunkPage *page_at(const AxAddrSpace *as, HostPhysAddr frame)
{
    return axvm_host_pointer(as, frame);
}

static Chunk *find_in(ChunkPage *page, Matches matches, uint64_t address)
{
    for (size_t i = 0; i < CHUNKS_PER_PAGE; i++) {
        if (matches(&page->chunks[i], address)) {
            return &page->chunks[i];
        }
    }
    return NULL;
}

static Chunk *find(const AxAddrSpace *as, Matches matches, uint64_t address)
{
    HostPhysAddr frame = as->chunk_list;
    Chunk *chunk = NULL;

    for (uint32_t i = 0; i < as->chunk_pages && chunk == NULL; i++) {
        ChunkPage *page = page_at(as, frame);

        chunk = find_in(page, matches, address);
        frame = page->next;
    }
    return chunk;
}

static AxError grow(AxAddrSpace *as)
{
    HostPhysAddr frame;
    const AxError error = axvcpu_alloc_frame(as->hal, &frame);

    if (error != AX_OK) {
        return error;
    }
    page_at(as, frame)->next = as->chunk_list;
    as->chunk_list = frame;
    as->chunk_pages++;
    as->table_frames++;
    return AX_OK;
}

static void shrink(AxAddrSpace *as)
{
    for (; as->chunk_pages > 0; as->chunk_pages--) {
        const HostPhysAddr frame = as->chunk_list;

        as->chunk_list = page_at(as, frame)->next;
        axvcpu_dealloc_frame(as->hal, frame);
        as->table_frames--;
    }
}

AxError axvm_chunk_remember(AxAddrSpace *as, HostPhysAddr first, uint64_t frames)
{
    if (find(as, holds, first.value) != NULL) {
        return AX_OK;
    }

    Chunk *chunk = find(as, is_free, 0);

    if (chunk == NULL) {
        const AxError error = grow(as);

        if (error != AX_OK) {
            return error;
        }
        chunk = find(as, is_free, 0);
    }
    *chunk = (Chunk){.base = first.value, .frames = frames, .mapped = frames};
    as->chunk_count++;
    return AX_OK;
}

bool axvm_chunk_release(AxAddrSpace *as, HostPhysAddr *first, uint64_t *frames)
{
    Chunk *chunk = find(as, holds, first->value);

    if (chunk == NULL) {
        return true;
    }
    chunk->mapped -= *frames;
    if (chunk->mapped != 0) {
        return false;
    }
    *first = ax_hpa(chunk->base);
    *frames = chunk->frames;
    chunk->frames = 0;
    as->chunk_count--;
    if (as->chunk_count == 0) {
        shrink(as);
    }
    return true;
}
