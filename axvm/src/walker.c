// SPDX-License-Identifier: Apache-2.0
#include "walker.h"

#include "reaper.h"

_Static_assert(sizeof(AxEptEntry) == 8, "entries are 64 bits wide and written in one go");
_Static_assert(AX_EPT_ENTRIES * sizeof(AxEptEntry) == AX_PAGE_SIZE, "a table is one frame");

#define LARGEST_LEAF 2u

// ---- entries ----

static uint64_t load(const AxEptEntry *entry)
{
    return atomic_load_explicit(entry, memory_order_relaxed);
}

// Release: a table that becomes reachable through the entry has been filled before.
static void store(AxEptEntry *entry, uint64_t value)
{
    atomic_store_explicit(entry, value, memory_order_release);
}

static AxEptEntry *table_at(const AxAddrSpace *as, HostPhysAddr frame)
{
    return axvm_host_pointer(as, frame);
}

static uint8_t root_level(const AxAddrSpace *as)
{
    return (uint8_t)(as->root.levels - 1);
}

static AxEptEntry *slot(const AxAddrSpace *as, AxEptEntry *table, GuestPhysAddr gpa, uint8_t level)
{
    const uint64_t frames = level == root_level(as) ? as->root_frames : 1;

    return &table[gpa.value / axvm_level_size(level) % (frames * AX_EPT_ENTRIES)];
}

static GuestPhysAddr start_of(GuestPhysAddr gpa, uint8_t level)
{
    return ax_gpa(gpa.value & ~(axvm_level_size(level) - 1));
}

static GuestPhysAddr after(GuestPhysAddr gpa, uint8_t level)
{
    return ax_gpa(start_of(gpa, level).value + axvm_level_size(level));
}

// ---- descending ----

// Down to `bottom` at most, through tables that are there.
static void descend(const AxAddrSpace *as, GuestPhysAddr gpa, uint8_t bottom, AxWalk *walk)
{
    HostPhysAddr table = as->root.base;

    for (uint8_t level = root_level(as);; level--) {
        AxEptEntry *entry = slot(as, table_at(as, table), gpa, level);
        const uint64_t value = load(entry);

        walk->entry[level] = entry;
        walk->level = level;
        walk->kind = as->format->kind(value, level);
        if (walk->kind != AX_EPT_TABLE || level == bottom) {
            return;
        }
        table = as->format->address(value, level);
    }
}

void axvm_walk(const AxAddrSpace *as, GuestPhysAddr gpa, AxWalk *walk)
{
    descend(as, gpa, 0, walk);
}

uint64_t axvm_walk_value(const AxWalk *walk)
{
    return load(walk->entry[walk->level]);
}

static HostPhysAddr leaf_address(const AxAddrSpace *as, const AxWalk *walk)
{
    return as->format->address(axvm_walk_value(walk), walk->level);
}

static AxError new_table(AxAddrSpace *as, HostPhysAddr *out)
{
    const AxError error = axvcpu_alloc_frame(as->hal, out);

    if (error == AX_OK) {
        as->table_frames++;
    }
    return error;
}

// Makes the tables that are missing on the way to the empty entry for `gpa` at `bottom`.
static AxError make_way(AxAddrSpace *as, GuestPhysAddr gpa, uint8_t bottom, AxWalk *walk)
{
    for (descend(as, gpa, bottom, walk); walk->level > bottom; descend(as, gpa, bottom, walk)) {
        HostPhysAddr table;
        const AxError error = new_table(as, &table);

        if (error != AX_OK) {
            return error;
        }
        store(walk->entry[walk->level], as->format->make_table(table));
    }
    return AX_OK;
}

// ---- mapping ----

static bool fits(const AxAddrSpace *as, uint8_t level, uint64_t addresses, uint64_t left)
{
    return level <= root_level(as) && as->format->leaf_allowed(level) &&
           addresses % axvm_level_size(level) == 0 && left >= axvm_level_size(level);
}

// Largest page up to `most` for addresses whose bits are or-ed together in `addresses`.
static uint8_t leaf_level(const AxAddrSpace *as, uint8_t most, uint64_t addresses, uint64_t left)
{
    uint8_t level = most;

    while (level > 0 && !fits(as, level, addresses, left)) {
        level--;
    }
    return level;
}

static void write_leaf(AxAddrSpace *as, const AxWalk *walk, HostPhysAddr hpa, MappingFlags flags)
{
    store(walk->entry[walk->level], as->format->make_leaf(hpa, flags, walk->level));
}

AxError axvm_walker_map(AxAddrSpace *as, GuestPhysAddr gpa, HostPhysAddr hpa, uint64_t size,
                        MappingFlags flags)
{
    for (uint64_t done = 0; done < size;) {
        const GuestPhysAddr at = ax_gpa(gpa.value + done);
        const HostPhysAddr to = ax_hpa(hpa.value + done);
        const uint8_t level = leaf_level(as, LARGEST_LEAF, at.value | to.value, size - done);
        AxWalk walk;
        const AxError error = make_way(as, at, level, &walk);

        if (error != AX_OK) {
            return error;
        }
        write_leaf(as, &walk, to, flags);
        done += axvm_level_size(level);
    }
    as->format->publish();
    return AX_OK;
}

// One contiguous piece of RAM for `gpa`, the largest that can be had, of at most `left` bytes.
static AxError new_ram(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t left, uint8_t *level,
                       HostPhysAddr *out)
{
    uint8_t most = LARGEST_LEAF;

    for (;; most = (uint8_t)(*level - 1)) {
        *level = leaf_level(as, most, gpa.value, left);

        const uint64_t size = axvm_level_size(*level);
        const AxError error = as->hal->alloc_frames(as->hal->ctx, size / AX_PAGE_SIZE, size, out);

        if (error == AX_OK) {
            as->ram_frames += size / AX_PAGE_SIZE;
            as->format->sync(axvm_host_pointer(as, *out), size);
        }
        if (error == AX_OK || *level == 0) {
            return error;
        }
    }
}

static void drop_ram(AxAddrSpace *as, HostPhysAddr first, uint8_t level)
{
    const uint64_t frames = axvm_level_size(level) / AX_PAGE_SIZE;

    as->hal->dealloc_frames(as->hal->ctx, first, frames);
    as->ram_frames -= frames;
}

static AxError populate_one(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t left, MappingFlags flags,
                            uint64_t *done)
{
    HostPhysAddr hpa;
    uint8_t level;
    AxWalk walk;
    AxError error = new_ram(as, gpa, left, &level, &hpa);

    if (error != AX_OK) {
        return error;
    }
    error = make_way(as, gpa, level, &walk);
    if (error != AX_OK) {
        drop_ram(as, hpa, level);
        return error;
    }
    write_leaf(as, &walk, hpa, flags);
    *done += axvm_level_size(level);
    return AX_OK;
}

AxError axvm_walker_populate(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags)
{
    for (uint64_t done = 0; done < size;) {
        const AxError error = populate_one(as, ax_gpa(gpa.value + done), size - done, flags, &done);

        if (error != AX_OK) {
            return error;
        }
    }
    as->format->publish();
    return AX_OK;
}

// ---- changing ----

static void break_entry(AxAddrSpace *as, GuestPhysAddr gpa, const AxWalk *walk)
{
    store(walk->entry[walk->level], 0);
    as->format->publish();
    as->format->flush(&as->root, start_of(gpa, walk->level), axvm_level_size(walk->level));
}

static void fill_split(AxAddrSpace *as, HostPhysAddr table, uint64_t leaf, uint8_t level)
{
    const uint8_t below = (uint8_t)(level - 1);
    const uint64_t base = as->format->address(leaf, level).value;
    const MappingFlags flags = as->format->flags(leaf);
    AxEptEntry *entries = table_at(as, table);

    for (uint32_t i = 0; i < AX_EPT_ENTRIES; i++) {
        const HostPhysAddr hpa = ax_hpa(base + i * axvm_level_size(below));

        store(&entries[i], as->format->make_leaf(hpa, flags, below));
    }
}

static AxError split_leaf(AxAddrSpace *as, GuestPhysAddr gpa, const AxWalk *walk, AxOwner owner)
{
    const uint64_t leaf = axvm_walk_value(walk);
    HostPhysAddr table;
    AxError error = new_table(as, &table);

    if (error != AX_OK) {
        return error;
    }
    if (owner == AX_OWNER_SELF) {
        error = axvm_chunk_remember(as, leaf_address(as, walk),
                                    axvm_level_size(walk->level) / AX_PAGE_SIZE);
    }
    if (error != AX_OK) {
        axvcpu_dealloc_frame(as->hal, table);
        as->table_frames--;
        return error;
    }
    fill_split(as, table, leaf, walk->level);
    break_entry(as, gpa, walk);
    store(walk->entry[walk->level], as->format->make_table(table));
    as->format->publish();
    return AX_OK;
}

AxError axvm_walker_split(AxAddrSpace *as, GuestPhysAddr gpa, AxOwner owner)
{
    AxWalk walk;

    for (axvm_walk(as, gpa, &walk);
         walk.kind == AX_EPT_LEAF && start_of(gpa, walk.level).value != gpa.value;
         axvm_walk(as, gpa, &walk)) {
        const AxError error = split_leaf(as, gpa, &walk, owner);

        if (error != AX_OK) {
            return error;
        }
    }
    return AX_OK;
}

void axvm_walker_protect(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags)
{
    AxWalk walk;

    for (GuestPhysAddr at = gpa; at.value < gpa.value + size; at = after(at, walk.level)) {
        axvm_walk(as, at, &walk);
        if (walk.kind == AX_EPT_LEAF && as->format->flags(axvm_walk_value(&walk)) != flags) {
            const HostPhysAddr hpa = leaf_address(as, &walk);

            break_entry(as, at, &walk);
            write_leaf(as, &walk, hpa, flags);
        }
    }
    as->format->publish();
}

// ---- clearing ----

static bool is_empty(const AxAddrSpace *as, const AxEptEntry *table, uint8_t level)
{
    for (uint32_t i = 0; i < AX_EPT_ENTRIES; i++) {
        if (as->format->kind(load(&table[i]), level) != AX_EPT_EMPTY) {
            return false;
        }
    }
    return true;
}

// Takes tables out that hold nothing any more, upwards from the one with walk's entry.
static void prune(AxReaper *reaper, GuestPhysAddr gpa, const AxWalk *walk)
{
    AxAddrSpace *as = reaper->as;

    for (uint8_t level = walk->level; level < root_level(as); level++) {
        AxEptEntry *parent = walk->entry[level + 1];
        const HostPhysAddr table = as->format->address(load(parent), (uint8_t)(level + 1));

        if (!is_empty(as, table_at(as, table), level)) {
            return;
        }
        store(parent, 0);
        axvm_reaper_dirty(reaper, start_of(gpa, 0), AX_PAGE_SIZE);
        axvm_reaper_table(reaper, table);
    }
}

static void clear_leaf(AxReaper *reaper, GuestPhysAddr gpa, const AxWalk *walk, AxOwner owner)
{
    const uint64_t size = axvm_level_size(walk->level);
    const HostPhysAddr hpa = leaf_address(reaper->as, walk);

    store(walk->entry[walk->level], 0);
    axvm_reaper_dirty(reaper, gpa, size);
    if (owner == AX_OWNER_SELF) {
        axvm_reaper_ram(reaper, hpa, size / AX_PAGE_SIZE);
    }
}

static void clear(AxReaper *reaper, GuestPhysAddr gpa, uint64_t size, AxOwner owner)
{
    const uint64_t end = gpa.value + size;
    AxWalk walk;

    for (GuestPhysAddr at = gpa; at.value < end;) {
        axvm_walk(reaper->as, at, &walk);
        if (walk.kind == AX_EPT_LEAF) {
            clear_leaf(reaper, at, &walk, owner);
        }

        const GuestPhysAddr next = after(at, walk.level);

        // Once per table: when the range leaves it.
        if (next.value >= end || next.value % axvm_level_size((uint8_t)(walk.level + 1)) == 0) {
            prune(reaper, at, &walk);
        }
        at = next;
    }
    axvm_reaper_finish(reaper);
}

void axvm_walker_clear(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, AxOwner owner)
{
    AxReaper reaper = {.as = as};

    clear(&reaper, gpa, size, owner);
}

void axvm_walker_clear_idle(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, AxOwner owner)
{
    AxReaper reaper = {.as = as, .idle = true};

    clear(&reaper, gpa, size, owner);
}
