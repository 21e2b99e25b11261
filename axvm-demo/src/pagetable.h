// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own translation: identity-mapped, 4 KiB granule, four levels of AArch64 stage 1
 * (VMSAv8-64, Arm ARM D8). Plain computation on tables in memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PAGETABLE_ENTRIES 512u

typedef uint64_t PageTablePage[PAGETABLE_ENTRIES];

/* What lies in a mapping. None is both writable and executable. */
typedef enum PageKind { PAGE_TEXT, PAGE_RODATA, PAGE_DATA, PAGE_DEVICE, PAGE_KIND_COUNT } PageKind;

/* MAIR_EL2 that the entries refer to: 0 device-nGnRE, 1 normal write-back. */
#define PAGETABLE_MAIR UINT64_C(0xff04)

/* The pages are zero and aligned to their size; pages[0] is the root. */
typedef struct PageTable {
    PageTablePage *pages;
    uint32_t page_count;
    uint32_t used;
} PageTable;

void pagetable_init(PageTable *table, PageTablePage *pages, uint32_t page_count);

/*
 * Maps [addr, addr + size), widened to whole pages, with the largest entries that fit. A mapping
 * made before keeps its entry sizes and gets the new kind. False, with a part mapped, when the
 * pages are used up, a block would have to be split, or the range exceeds 48 bits.
 */
bool pagetable_map(PageTable *table, uint64_t addr, uint64_t size, PageKind kind);

/* Entry that translates `addr`, 0 when none does. */
uint64_t pagetable_lookup(const PageTable *table, uint64_t addr);
