// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"

#define DESC_VALID    (UINT64_C(1) << 0)
#define DESC_TABLE    (UINT64_C(1) << 1) // at level 0: a page, which is the same bit
#define DESC_ATTR(n)  ((uint64_t)(n) << 2)
#define DESC_AP_RES1  (UINT64_C(1) << 6)
#define DESC_AP_RO    (UINT64_C(1) << 7)
#define DESC_SH_INNER (UINT64_C(3) << 8)
#define DESC_AF       (UINT64_C(1) << 10)
#define DESC_XN       (UINT64_C(1) << 54)

#define DESC_COMMON (DESC_VALID | DESC_AP_RES1 | DESC_AF | DESC_SH_INNER)

// MAIR: 0 device-nGnRE, 1 normal write-back.
const PageFormat pagetable_aarch64 = {
    .root_level = 3,
    .block_level = 2,
    .addr_bits = 48,
    .addr_shift = 0,
    .addr_mask = UINT64_C(0x0000fffffffff000),
    .table_mask = DESC_VALID | DESC_TABLE,
    .table = DESC_VALID | DESC_TABLE,
    .page = DESC_TABLE,
    .leaves =
        {
            [PAGE_TEXT] = DESC_COMMON | DESC_ATTR(1) | DESC_AP_RO,
            [PAGE_RODATA] = DESC_COMMON | DESC_ATTR(1) | DESC_AP_RO | DESC_XN,
            [PAGE_DATA] = DESC_COMMON | DESC_ATTR(1) | DESC_XN,
            [PAGE_DEVICE] = DESC_COMMON | DESC_ATTR(0) | DESC_XN,
        },
};
