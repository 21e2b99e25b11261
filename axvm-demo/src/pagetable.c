// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"

#define PAGE_BITS   12u
#define LEVEL_BITS  9u
#define ROOT_LEVEL  3u // counted from the leaf
#define BLOCK_LEVEL 2u // largest leaf: 1 GiB
#define ADDR_LIMIT  (UINT64_C(1) << 48)

#define DESC_VALID     (UINT64_C(1) << 0)
#define DESC_TABLE     (UINT64_C(1) << 1) // at level 0: a page, which is the same bit
#define DESC_ATTR(n)   ((uint64_t)(n) << 2)
#define DESC_AP_RES1   (UINT64_C(1) << 6)
#define DESC_AP_RO     (UINT64_C(1) << 7)
#define DESC_SH_INNER  (UINT64_C(3) << 8)
#define DESC_AF        (UINT64_C(1) << 10)
#define DESC_XN        (UINT64_C(1) << 54)
#define DESC_ADDR_MASK UINT64_C(0x0000fffffffff000)

#define DESC_COMMON (DESC_VALID | DESC_AP_RES1 | DESC_AF | DESC_SH_INNER)

static const uint64_t kinds[PAGE_KIND_COUNT] = {
    [PAGE_TEXT] = DESC_COMMON | DESC_ATTR(1) | DESC_AP_RO,
    [PAGE_RODATA] = DESC_COMMON | DESC_ATTR(1) | DESC_AP_RO | DESC_XN,
    [PAGE_DATA] = DESC_COMMON | DESC_ATTR(1) | DESC_XN,
    [PAGE_DEVICE] = DESC_COMMON | DESC_ATTR(0) | DESC_XN,
};

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

static bool is_table(uint64_t entry)
{
    return (entry & (DESC_VALID | DESC_TABLE)) == (DESC_VALID | DESC_TABLE);
}

static uint64_t *next_page(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & DESC_ADDR_MASK);
}

void pagetable_init(PageTable *table, PageTablePage *pages, uint32_t page_count)
{
    *table = (PageTable){.pages = pages, .page_count = page_count, .used = 1};
}

static bool add_page(PageTable *table, uint64_t *entry)
{
    if (table->used == table->page_count) {
        return false;
    }
    *entry = (uint64_t)(uintptr_t)table->pages[table->used++] | DESC_TABLE | DESC_VALID;
    return true;
}

// Whether a leaf goes here, rather than a table.
static bool leaf_fits(uint64_t entry, unsigned level, uint64_t addr, uint64_t left)
{
    return level == 0 || (level <= BLOCK_LEVEL && !is_table(entry) &&
                          addr % level_size(level) == 0 && left >= level_size(level));
}

// Maps as much as one entry holds; 0 when that is impossible.
static uint64_t map_entry(PageTable *table, uint64_t addr, uint64_t left, PageKind kind)
{
    uint64_t *page = table->pages[0];

    for (unsigned level = ROOT_LEVEL;; level--) {
        uint64_t *entry = entry_at(page, addr, level);

        if (leaf_fits(*entry, level, addr, left)) {
            *entry = addr | kinds[kind] | (level == 0 ? DESC_TABLE : 0);
            return level_size(level);
        }
        if (*entry == 0 && !add_page(table, entry)) {
            return 0;
        }
        if (!is_table(*entry)) {
            return 0;
        }
        page = next_page(*entry);
    }
}

bool pagetable_map(PageTable *table, uint64_t addr, uint64_t size, PageKind kind)
{
    const uint64_t mask = level_size(0) - 1;

    if (size == 0 || addr >= ADDR_LIMIT || size > ADDR_LIMIT - addr) {
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
    uint64_t *page = table->pages[0];

    if (addr >= ADDR_LIMIT) {
        return 0;
    }
    for (unsigned level = ROOT_LEVEL;; level--) {
        const uint64_t entry = *entry_at(page, addr, level);

        if (level == 0 || !is_table(entry)) {
            return entry;
        }
        page = next_page(entry);
    }
}
