// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"

#define PAGE_BITS  12u
#define LEVEL_BITS 9u

static unsigned level_shift(unsigned level)
{
    return PAGE_BITS + LEVEL_BITS * level;
}

static uint64_t level_size(unsigned level)
{
    return UINT64_C(1) << level_shift(level);
}

static uint64_t *entry_at(uint64_t *page, uint64_t addr, unsigned level)
{
    return &page[(addr >> level_shift(level)) % PAGETABLE_ENTRIES];
}

static bool is_table(const PageFormat *format, uint64_t entry)
{
    return (entry & format->table_mask) == format->table;
}

static uint64_t *next_page(const PageFormat *format, uint64_t entry)
{
    return (uint64_t *)(uintptr_t)((entry & format->addr_mask) << format->addr_shift);
}

void pagetable_init(PageTable *table, const PageFormat *format, PageTablePage *pages,
                    uint32_t page_count)
{
    *table = (PageTable){.format = format, .pages = pages, .page_count = page_count, .used = 1};
}

static bool add_page(PageTable *table, uint64_t *entry)
{
    if (table->used == table->page_count) {
        return false;
    }
    *entry = (uint64_t)(uintptr_t)table->pages[table->used++] >> table->format->addr_shift |
             table->format->table;
    return true;
}

// Whether a leaf goes here, rather than a table.
static bool leaf_fits(const PageFormat *format, uint64_t entry, unsigned level, uint64_t addr,
                      uint64_t left)
{
    return level == 0 || (level <= format->block_level && !is_table(format, entry) &&
                          addr % level_size(level) == 0 && left >= level_size(level));
}

static uint64_t leaf(const PageFormat *format, unsigned level, uint64_t addr, PageKind kind)
{
    return addr >> format->addr_shift | format->leaves[kind] |
           (level == 0 ? format->page : format->block);
}

// Maps as much as one entry holds; 0 when that is impossible.
static uint64_t map_entry(PageTable *table, uint64_t addr, uint64_t left, PageKind kind)
{
    const PageFormat *format = table->format;
    uint64_t *page = table->pages[0];

    for (unsigned level = format->root_level;; level--) {
        uint64_t *entry = entry_at(page, addr, level);

        if (leaf_fits(format, *entry, level, addr, left)) {
            *entry = leaf(format, level, addr, kind);
            return level_size(level);
        }
        if (*entry == 0 && !add_page(table, entry)) {
            return 0;
        }
        if (!is_table(format, *entry)) {
            return 0;
        }
        page = next_page(format, *entry);
    }
}

bool pagetable_map(PageTable *table, uint64_t addr, uint64_t size, PageKind kind)
{
    const uint64_t limit = UINT64_C(1) << table->format->addr_bits;
    const uint64_t mask = level_size(0) - 1;

    if (size == 0 || addr >= limit || size > limit - addr) {
        return false;
    }
    const uint64_t end = (addr + size + mask) & ~mask;

    for (addr &= ~mask; addr < end;) {
        const uint64_t done = map_entry(table, addr, end - addr, kind);

        if (done == 0) {
            return false;
        }
        addr += done;
    }
    return true;
}

uint64_t pagetable_lookup(const PageTable *table, uint64_t addr)
{
    const PageFormat *format = table->format;
    uint64_t *page = table->pages[0];

    if (addr >> format->addr_bits != 0) {
        return 0;
    }
    for (unsigned level = format->root_level;; level--) {
        const uint64_t entry = *entry_at(page, addr, level);

        if (level == 0 || !is_table(format, entry)) {
            return entry;
        }
        page = next_page(format, entry);
    }
}
