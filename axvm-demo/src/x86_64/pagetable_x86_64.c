// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"

#define PTE_P   (UINT64_C(1) << 0)
#define PTE_W   (UINT64_C(1) << 1)
#define PTE_PWT (UINT64_C(1) << 3)
#define PTE_PCD (UINT64_C(1) << 4)
#define PTE_A   (UINT64_C(1) << 5)
#define PTE_D   (UINT64_C(1) << 6)
#define PTE_PS  (UINT64_C(1) << 7) // above level 0: a leaf
#define PTE_XD  (UINT64_C(1) << 63)

#define PTE_COMMON (PTE_P | PTE_A)
#define PTE_DATA   (PTE_COMMON | PTE_W | PTE_D | PTE_XD)

// PCD and PWT choose entry 3 of the PAT, which is uncacheable from reset on.
const PageFormat pagetable_x86_64 = {
    .root_level = 3,
    .block_level = 2,
    .addr_bits = 47,
    .addr_shift = 0,
    .addr_mask = UINT64_C(0x000ffffffffff000),
    .table_mask = PTE_P | PTE_W | PTE_PS,
    .table = PTE_P | PTE_W,
    .page = 0,
    .block = PTE_PS,
    .leaves =
        {
            [PAGE_TEXT] = PTE_COMMON,
            [PAGE_RODATA] = PTE_COMMON | PTE_XD,
            [PAGE_DATA] = PTE_DATA,
            [PAGE_DEVICE] = PTE_DATA | PTE_PCD | PTE_PWT,
        },
};
