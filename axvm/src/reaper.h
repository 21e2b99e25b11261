// SPDX-License-Identifier: Apache-2.0
/*
 * Frames on their way back to the HAL. They are collected while entries are cleared and given back
 * after one flush, when no pCPU can reach them any more.
 */
#pragma once

#include <axvm/addrspace.h>

#define AX_REAPER_ITEMS 32u

typedef struct AxReaper {
    AxAddrSpace *as;
    bool idle;            /* no vCPU uses the space: nothing to flush */
    uint64_t dirty_start; /* [start, end) holds all entries cleared since the last flush */
    uint64_t dirty_end;   /* 0 = none */
    uint32_t count;
    struct {
        HostPhysAddr first;
        uint64_t frames;
    } items[AX_REAPER_ITEMS];
} AxReaper;

/* Entries of [gpa, gpa + size), or tables above them, have been cleared. Before the next two. */
void axvm_reaper_dirty(AxReaper *reaper, GuestPhysAddr gpa, uint64_t size);

/* RAM of one leaf that was cleared; what belongs to a larger piece waits for the rest of it. */
void axvm_reaper_ram(AxReaper *reaper, HostPhysAddr first, uint64_t frames);
void axvm_reaper_table(AxReaper *reaper, HostPhysAddr table);

/* Flushes and gives everything back. */
void axvm_reaper_finish(AxReaper *reaper);

/*
 * The HAL takes frames back only in the pieces it gave them. As long as a piece has one leaf, the
 * leaf tells its size; one whose leaf is split is remembered here until all of it is unmapped.
 */
AX_MUST_CHECK AxError axvm_chunk_remember(AxAddrSpace *as, HostPhysAddr first, uint64_t frames);

/*
 * A leaf of `frames` frames is unmapped. True when a whole piece may go back now: *first and
 * *frames then tell which.
 */
bool axvm_chunk_release(AxAddrSpace *as, HostPhysAddr *first, uint64_t *frames);
