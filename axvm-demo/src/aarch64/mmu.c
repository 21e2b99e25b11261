// SPDX-License-Identifier: Apache-2.0
// EL2 stage 1: what the image needs before the device tree is read, and the rest after.
#include "mmu.h"

#include "cpu.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"

// Enough for some ten separate areas of memory and devices; see pagetable.h.
#define TABLE_PAGES 40u
// A device tree is at most 2 MiB and need not begin at a multiple of that.
#define FDT_WINDOW UINT64_C(0x400000)

#define TCR_EL2_RES1     ((UINT64_C(1) << 31) | (UINT64_C(1) << 23))
#define TCR_EL2_T0SZ_48  UINT64_C(16)
#define TCR_EL2_WB_INNER ((UINT64_C(1) << 8) | (UINT64_C(1) << 10) | (UINT64_C(3) << 12))
#define TCR_EL2_PS_SHIFT 16
#define PARANGE_MASK     UINT64_C(0xf)
#define PARANGE_48       UINT64_C(5)

#define SCTLR_EL2_RES1 UINT64_C(0x30c50830)
#define SCTLR_EL2_M    (UINT64_C(1) << 0)
#define SCTLR_EL2_C    (UINT64_C(1) << 2)
#define SCTLR_EL2_SA   (UINT64_C(1) << 3)
#define SCTLR_EL2_I    (UINT64_C(1) << 12)
#define SCTLR_EL2_WXN  (UINT64_C(1) << 19)

static _Alignas(PAGE_SIZE) PageTablePage pages[TABLE_PAGES];

static bool map_early(uint64_t fdt)
{
    return hostmap_add_image() && hostmap_add(EARLY_UART, PAGE_SIZE, PAGE_DEVICE) &&
           (fdt == 0 || hostmap_add_boot_data(fdt & ~(FDT_WINDOW / 2 - 1), FDT_WINDOW));
}

static uint64_t physical_size(void)
{
    const uint64_t parange = CPU_READ(id_aa64mmfr0_el1) & PARANGE_MASK;

    return parange > PARANGE_48 ? PARANGE_48 : parange;
}

void mmu_invalidate(void)
{
    __asm__ volatile("dsb ish\n\ttlbi alle2is\n\tdsb ish\n\tisb" : : : "memory");
}

static void enable(void)
{
    CPU_WRITE(mair_el2, PAGETABLE_AARCH64_MAIR);
    CPU_WRITE(tcr_el2, TCR_EL2_RES1 | TCR_EL2_T0SZ_48 | TCR_EL2_WB_INNER |
                           physical_size() << TCR_EL2_PS_SHIFT);
    CPU_WRITE(ttbr0_el2, (uintptr_t)pages);
    mmu_invalidate();
    CPU_WRITE(sctlr_el2, SCTLR_EL2_RES1 | SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_SA | SCTLR_EL2_I |
                             SCTLR_EL2_WXN);
    cpu_isb();
}

void mmu_start(uint64_t fdt)
{
    hostmap_init(&pagetable_aarch64, pages, TABLE_PAGES);
    if (!map_early(fdt)) {
        demo_fail("no room in the page tables for the image and the device tree");
    }
    enable();
}

void mmu_start_secondary(void)
{
    enable();
}
