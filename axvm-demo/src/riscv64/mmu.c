// SPDX-License-Identifier: Apache-2.0
// Sv39: what the image needs before the device tree is read, and the rest after.
#include "mmu.h"

#include "cpu.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"

// Enough for some ten separate areas of memory and devices; see pagetable.h.
#define TABLE_PAGES 40u
// A device tree is at most 2 MiB and need not begin at a multiple of that.
#define FDT_WINDOW UINT64_C(0x400000)

#define SATP_MODE_SV39 (UINT64_C(8) << 60)
#define SATP_PPN_SHIFT 12

static _Alignas(PAGE_SIZE) PageTablePage pages[TABLE_PAGES];

static bool map_early(uint64_t fdt)
{
    return hostmap_add_image() && hostmap_add(EARLY_UART, PAGE_SIZE, PAGE_DEVICE) &&
           (fdt == 0 || hostmap_add_boot_data(fdt & ~(FDT_WINDOW / 2 - 1), FDT_WINDOW));
}

void mmu_invalidate(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

static void enable(void)
{
    mmu_invalidate();
    CPU_WRITE(satp, SATP_MODE_SV39 | (uintptr_t)pages >> SATP_PPN_SHIFT);
    mmu_invalidate();
}

void mmu_start(uint64_t fdt)
{
    hostmap_init(&pagetable_sv39, pages, TABLE_PAGES);
    if (!map_early(fdt)) {
        demo_fail("no room in the page tables for the image and the device tree");
    }
    enable();
}

void mmu_start_secondary(void)
{
    enable();
}
