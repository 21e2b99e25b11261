// SPDX-License-Identifier: Apache-2.0
// Paging: what the image needs before the boot information is read, and the rest after.
#include "mmu.h"

#include "cpu.h"
#include "layout.h"
#include "log.h"
#include "pagetable.h"
#include "platform.h"

// Enough for some twenty separate areas of memory and devices; see pagetable.h.
#define TABLE_PAGES 64u

#define CPUID_EXTENDED UINT32_C(0x80000001)
#define EDX_PAGE1GB    (UINT32_C(1) << 26)

extern char image_start[], image_rodata[], image_data[], image_data_end[], image_end[];
extern char stacks[];
extern uint32_t mmu_root;

// For CR3 of CPUs that start.S brings up.
uint32_t mmu_root;

static _Alignas(PAGE_SIZE) PageTablePage pages[TABLE_PAGES];
static PageTable table;
static PageFormat format;

static bool map_symbols(const char *start, const char *end, PageKind kind)
{
    return pagetable_map(&table, (uintptr_t)start, (uint64_t)(end - start), kind);
}

static bool map_stacks(void)
{
    bool mapped = true;

    for (uint64_t i = 0; mapped && i < STACK_COUNT; i++) {
        mapped = pagetable_map(&table, (uintptr_t)stacks + UINT64_C(2) * STACK_SIZE * i, STACK_SIZE,
                               PAGE_DATA);
    }
    return mapped;
}

// The first page, too: BIOS data is there.
static bool map_early(void)
{
    return pagetable_map(&table, 0, LOW_MEMORY_SIZE, PAGE_DATA) &&
           map_symbols(image_start, image_rodata, PAGE_TEXT) &&
           map_symbols(image_rodata, image_data, PAGE_RODATA) &&
           map_symbols(image_data, image_data_end, PAGE_DATA) && map_stacks();
}

static void invalidate(void)
{
    CPU_WRITE(cr3, mmu_root);
}

void mmu_start(void)
{
    format = pagetable_x86_64;
    if ((cpuid(CPUID_EXTENDED, 0).edx & EDX_PAGE1GB) == 0) {
        format.block_level = 1;
    }
    mmu_root = (uint32_t)(uintptr_t)pages;
    pagetable_init(&table, &format, pages, TABLE_PAGES);
    if (!map_early()) {
        demo_fail("no room in the page tables for the image");
    }
    invalidate();
}

void mmu_start_secondary(void)
{
    invalidate();
}

// The image's own pages keep their rights; the guards keep having none.
static bool map_around_image(uint64_t base, uint64_t end, PageKind kind)
{
    const uint64_t image = (uintptr_t)image_start;
    const uint64_t after = (uintptr_t)image_end;
    const uint64_t below = end < image ? end : image;
    const uint64_t above = base > after ? base : after;

    return (base >= below || pagetable_map(&table, base, below - base, kind)) &&
           (above >= end || pagetable_map(&table, above, end - above, kind));
}

bool platform_map(uint64_t base, uint64_t size, bool device)
{
    const bool mapped = size <= UINT64_MAX - base &&
                        map_around_image(base, base + size, device ? PAGE_DEVICE : PAGE_DATA);

    invalidate();
    return mapped;
}

// In pages, because the memory around it is mapped later: a block would have to be split.
const void *mmu_read(uint64_t addr, uint64_t size)
{
    if (size > UINT64_MAX - addr) {
        return NULL;
    }
    for (uint64_t page = addr - addr % PAGE_SIZE; page < addr + size; page += PAGE_SIZE) {
        if (pagetable_lookup(&table, page) == 0 &&
            !map_around_image(page, page + PAGE_SIZE, PAGE_RODATA)) {
            return NULL;
        }
    }
    invalidate();
    return (const void *)(uintptr_t)addr;
}

Range platform_image(void)
{
    return (Range){.base = (uintptr_t)image_start, .size = (uint64_t)(image_end - image_start)};
}
