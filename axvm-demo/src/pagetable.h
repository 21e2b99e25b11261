// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own translation: identity-mapped, pages of 4 KiB, 512 entries per table. Plain
 * computation on tables in memory; what entries look like is a table per architecture.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PAGETABLE_ENTRIES 512u

typedef uint64_t PageTablePage[PAGETABLE_ENTRIES];

/* What lies in a mapping. None is both writable and executable. */
typedef enum PageKind { PAGE_TEXT, PAGE_RODATA, PAGE_DATA, PAGE_DEVICE, PAGE_KIND_COUNT } PageKind;

/* Entries are 0 where nothing is mapped. */
typedef struct PageFormat {
    uint8_t root_level;  /* counted from the leaf */
    uint8_t block_level; /* of the largest leaf */
    uint8_t addr_bits;   /* identity-mapped addresses have no more */
    uint8_t addr_shift;  /* an entry holds address >> addr_shift ... */
    uint64_t addr_mask;  /* ... in these bits */
    uint64_t table_mask; /* above level 0 an entry refers to a table when of these bits ... */
    uint64_t table;      /* ... these are set */
    uint64_t page;       /* set in leaves at level 0 only */
    uint64_t block;      /* set in the others */
    uint64_t leaves[PAGE_KIND_COUNT];
} PageFormat;

/* Stage 1 with a granule of 4 KiB (VMSAv8-64, Arm ARM D8), and the MAIR_EL2 that its leaves need. */
extern const PageFormat pagetable_aarch64;
#define PAGETABLE_AARCH64_MAIR UINT64_C(0xff04)

/* Sv39 (Privileged Architecture 4.4): of its two halves the lower one. */
extern const PageFormat pagetable_sv39;

/* Four levels (SDM 3, 4.5), EFER.NXE set. CPUs without 1 GiB pages need block_level 1. */
extern const PageFormat pagetable_x86_64;

/* The pages are zero and aligned to their size; pages[0] is the root. */
typedef struct PageTable {
    const PageFormat *format;
    PageTablePage *pages;
    uint32_t page_count;
    uint32_t used;
} PageTable;

void pagetable_init(PageTable *table, const PageFormat *format, PageTablePage *pages,
                    uint32_t page_count);

/*
 * Maps [addr, addr + size), widened to whole pages, with the largest entries that fit. A mapping
 * made before keeps its entry sizes and gets the new kind. False, with a part mapped, when the
 * pages are used up, a block would have to be split, or the range exceeds the format.
 */
bool pagetable_map(PageTable *table, uint64_t addr, uint64_t size, PageKind kind);

/* Entry that translates `addr`, 0 when none does. */
uint64_t pagetable_lookup(const PageTable *table, uint64_t addr);
