// SPDX-License-Identifier: Apache-2.0
// Sv39: what the image needs before the device tree is read, and the rest after.
#include "mmu.h"
#include "cpu.h"
#include "layout.h"
#include "log.h"
#include "pagetable.h"
#include "platform.h"

// Enough for some ten separate areas of memory and devices; see pagetable.h.
#define TABLE_PAGES 40u
// A device tree is at most 2 MiB and need not begin at a multiple of that.
#define FDT_WINDOW UINT64_C(0x400000)

#define SATP_MODE_SV39 (UINT64_C(8) << 60)
#define SATP_PPN_SHIFT 12

extern char image_start[], image_rodata[], image_data[], image_data_end[], image_end[];
extern char stacks[];

static _Alignas(PAGE_SIZE) PageTablePage pages[TABLE_PAGES];
static PageTable table;

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

static bool map_early(uint64_t fdt)
{
    // In pages, because the memory around it is mapped later: a block would have to be split.
    bool mapped = true;

    for (uint64_t offset = 0; mapped && fdt != 0 && offset < FDT_WINDOW; offset += PAGE_SIZE) {
        mapped = pagetable_map(&table, (fdt & ~(FDT_WINDOW / 2 - 1)) + offset, 1, PAGE_RODATA);
    }
    return mapped && map_symbols(image_start, image_rodata, PAGE_TEXT) &&
           map_symbols(image_rodata, image_data, PAGE_RODATA) &&
           map_symbols(image_data, image_data_end, PAGE_DATA) && map_stacks() &&
           pagetable_map(&table, EARLY_UART, 1, PAGE_DEVICE);
}

static void invalidate(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

static void enable(void)
{
    invalidate();
    CPU_WRITE(satp, SATP_MODE_SV39 | (uintptr_t)pages >> SATP_PPN_SHIFT);
    invalidate();
}

void mmu_start(uint64_t fdt)
{
    pagetable_init(&table, &pagetable_sv39, pages, TABLE_PAGES);
    if (!map_early(fdt)) {
        demo_fail("no room in the page tables for the image and the device tree");
    }
    enable();
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

void mmu_start_secondary(void)
{
    enable();
}

bool platform_map(uint64_t base, uint64_t size, bool device)
{
    const bool mapped = size <= UINT64_MAX - base &&
                        map_around_image(base, base + size, device ? PAGE_DEVICE : PAGE_DATA);

    invalidate();
    return mapped;
}

Range platform_image(void)
{
    return (Range){.base = (uintptr_t)image_start, .size = (uint64_t)(image_end - image_start)};
}
