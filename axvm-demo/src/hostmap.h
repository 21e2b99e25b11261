// SPDX-License-Identifier: Apache-2.0
/*
 * The hypervisor's own address space: one for all pCPUs, everything at its own address. What entries
 * and registers look like is in <arch>/mmu.c; platform_map() and platform_image() are here. False
 * everywhere: the pages are used up, or the range is none.
 */
#pragma once

#include "pagetable.h"
#include "ranges.h"

/* `pages`, zero and aligned to their size, become the tables; the first one is their root. */
void hostmap_init(const PageFormat *format, PageTablePage *pages, uint32_t page_count);

/* The sections of the image with their rights, and the stacks without the guards below them. */
bool hostmap_add_image(void);

/* Where stack number `index`, below STACK_COUNT, begins to grow down. */
uint64_t hostmap_stack_top(uint32_t index);

/* What lies in the image keeps its rights. */
bool hostmap_add(uint64_t base, uint64_t size, PageKind kind);

/*
 * What firmware and boot loader left, for reading. In pages, because the memory around it is mapped
 * later and a block would have to be split; what is mapped already stays as it is.
 */
bool hostmap_add_boot_data(uint64_t base, uint64_t size);

/* Registers that the hypervisor uses. Ends the machine when there is no room. */
void hostmap_add_devices(const RangeList *devices);

/* ---- <arch>/mmu.c ---- */
/* Boot CPU: the tables have changed. */
void mmu_invalidate(void);
