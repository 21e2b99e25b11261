// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"

#define PTE_V (UINT64_C(1) << 0)
#define PTE_R (UINT64_C(1) << 1)
#define PTE_W (UINT64_C(1) << 2)
#define PTE_X (UINT64_C(1) << 3)
#define PTE_A (UINT64_C(1) << 6)
#define PTE_D (UINT64_C(1) << 7)

// A and D are set from the start: a hart may fault rather than set them. What is a device is a
// property of the physical address.
#define PTE_COMMON (PTE_V | PTE_R | PTE_A | PTE_D)

const PageFormat pagetable_sv39 = {
    .root_level = 2,
    .block_level = 2,
    .addr_bits = 38,
    .addr_shift = 2,
    .addr_mask = UINT64_C(0x003ffffffffffc00),
    .table_mask = PTE_V | PTE_R | PTE_W | PTE_X,
    .table = PTE_V,
    .page = 0,
    .leaves =
        {
            [PAGE_TEXT] = PTE_COMMON | PTE_X,
            [PAGE_RODATA] = PTE_COMMON,
            [PAGE_DATA] = PTE_COMMON | PTE_W,
            [PAGE_DEVICE] = PTE_COMMON | PTE_W,
        },
};
