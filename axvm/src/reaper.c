// SPDX-License-Identifier: Apache-2.0
#include "reaper.h"

void axvm_reaper_dirty(AxReaper *reaper, GuestPhysAddr gpa, uint64_t size)
{
    if (reaper->dirty_end == 0 || gpa.value < reaper->dirty_start) {
        reaper->dirty_start = gpa.value;
    }
    if (gpa.value + size > reaper->dirty_end) {
        reaper->dirty_end = gpa.value + size;
    }
}

static void flush(AxReaper *reaper)
{
    AxAddrSpace *as = reaper->as;

    if (reaper->dirty_end != 0 && !reaper->idle) {
        as->format->publish();
        as->format->flush(&as->root, ax_gpa(reaper->dirty_start),
                          reaper->dirty_end - reaper->dirty_start);
    }
    reaper->dirty_end = 0;
}

void axvm_reaper_finish(AxReaper *reaper)
{
    const AxVCpuHal *hal = reaper->as->hal;

    flush(reaper);
    for (uint32_t i = 0; i < reaper->count; i++) {
        hal->dealloc_frames(hal->ctx, reaper->items[i].first, reaper->items[i].frames);
    }
    reaper->count = 0;
}

static void add(AxReaper *reaper, HostPhysAddr first, uint64_t frames)
{
    reaper->items[reaper->count].first = first;
    reaper->items[reaper->count].frames = frames;
    reaper->count++;
    if (reaper->count == AX_REAPER_ITEMS) {
        axvm_reaper_finish(reaper);
    }
}

void axvm_reaper_ram(AxReaper *reaper, HostPhysAddr first, uint64_t frames)
{
    if (axvm_chunk_release(reaper->as, &first, &frames)) {
        reaper->as->ram_frames -= frames;
        add(reaper, first, frames);
    }
}

void axvm_reaper_table(AxReaper *reaper, HostPhysAddr table)
{
    reaper->as->table_frames--;
    add(reaper, table, 1);
}
