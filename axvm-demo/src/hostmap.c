// SPDX-License-Identifier: Apache-2.0
#include "hostmap.h"

#include "layout.h"
#include "log.h"
#include "platform.h"

extern char image_start[], image_rodata[], image_data[], image_data_end[], image_end[];
extern char stacks[];

static PageTable table;

void hostmap_init(const PageFormat *format, PageTablePage *pages, uint32_t page_count)
{
    pagetable_init(&table, format, pages, page_count);
}

static bool map_symbols(const char *start, const char *end, PageKind kind)
{
    return pagetable_map(&table, (uintptr_t)start, (uint64_t)(end - start), kind);
}

uint64_t hostmap_stack_top(uint32_t index)
{
    return (uintptr_t)stacks + UINT64_C(2) * STACK_SIZE * index + STACK_SIZE;
}

static bool map_stacks(void)
{
    bool mapped = true;

    for (uint32_t i = 0; mapped && i < STACK_COUNT; i++) {
        mapped = pagetable_map(&table, hostmap_stack_top(i) - STACK_SIZE, STACK_SIZE, PAGE_DATA);
    }
    return mapped;
}

bool hostmap_add_image(void)
{
    return map_symbols(image_start, image_rodata, PAGE_TEXT) &&
           map_symbols(image_rodata, image_data, PAGE_RODATA) &&
           map_symbols(image_data, image_data_end, PAGE_DATA) && map_stacks();
}

// The guards are part of the image: they keep having no rights.
static bool map_around_image(uint64_t base, uint64_t end, PageKind kind)
{
    const uint64_t image = (uintptr_t)image_start;
    const uint64_t after = (uintptr_t)image_end;
    const uint64_t below = end < image ? end : image;
    const uint64_t above = base > after ? base : after;

    return (base >= below || pagetable_map(&table, base, below - base, kind)) &&
           (above >= end || pagetable_map(&table, above, end - above, kind));
}

bool hostmap_add(uint64_t base, uint64_t size, PageKind kind)
{
    return size <= UINT64_MAX - base && map_around_image(base, base + size, kind);
}

bool hostmap_add_boot_data(uint64_t base, uint64_t size)
{
    if (size > UINT64_MAX - base) {
        return false;
    }
    for (uint64_t page = base - base % PAGE_SIZE; page < base + size; page += PAGE_SIZE) {
        if (pagetable_lookup(&table, page) == 0 && !hostmap_add(page, PAGE_SIZE, PAGE_RODATA)) {
            return false;
        }
    }
    return true;
}

void hostmap_add_devices(const RangeList *devices)
{
    for (uint32_t i = 0; i < devices->count; i++) {
        if (!platform_map(devices->items[i].base, devices->items[i].size, true)) {
            demo_fail("no room in the page tables for the device at 0x%lx", devices->items[i].base);
        }
    }
}

bool platform_map(uint64_t base, uint64_t size, bool device)
{
    const bool mapped = hostmap_add(base, size, device ? PAGE_DEVICE : PAGE_DATA);

    mmu_invalidate();
    return mapped;
}

Range platform_image(void)
{
    return (Range){.base = (uintptr_t)image_start, .size = (uint64_t)(image_end - image_start)};
}
