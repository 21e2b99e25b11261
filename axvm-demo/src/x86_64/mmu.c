// SPDX-License-Identifier: Apache-2.0
// Paging: what the image needs before the boot information is read, and the rest after.
#include "mmu.h"

#include "cpu.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"

// Enough for some twenty separate areas of memory and devices; see pagetable.h.
#define TABLE_PAGES 64u

#define CPUID_EXTENDED UINT32_C(0x80000001)
#define EDX_PAGE1GB    (UINT32_C(1) << 26)

extern uint32_t mmu_root;

// For CR3 of CPUs that start.S brings up.
uint32_t mmu_root;

static _Alignas(PAGE_SIZE) PageTablePage pages[TABLE_PAGES];
static PageFormat format;

void mmu_invalidate(void)
{
    CPU_WRITE(cr3, mmu_root);
}

// The first page, too: BIOS data is there.
static bool map_early(void)
{
    return hostmap_add_image() && hostmap_add(0, LOW_MEMORY_SIZE, PAGE_DATA);
}

void mmu_start(void)
{
    format = pagetable_x86_64;
    if ((cpuid(CPUID_EXTENDED, 0).edx & EDX_PAGE1GB) == 0) {
        format.block_level = 1;
    }
    mmu_root = (uint32_t)(uintptr_t)pages;
    hostmap_init(&format, pages, TABLE_PAGES);
    if (!map_early()) {
        demo_fail("no room in the page tables for the image");
    }
    mmu_invalidate();
}

void mmu_start_secondary(void)
{
    mmu_invalidate();
}

const void *mmu_read(uint64_t addr, uint64_t size)
{
    if (!hostmap_add_boot_data(addr, size)) {
        return NULL;
    }
    mmu_invalidate();
    return (const void *)(uintptr_t)addr;
}
