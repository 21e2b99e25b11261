// SPDX-License-Identifier: Apache-2.0
// Nested page tables (APM volume 2, 15.25): entries as those of the host's own four levels. The
// processor looks at them as a user access, and at PAT with the guest's.
#include "x86.h"

#define PTE_P   X86_BIT(0)
#define PTE_W   X86_BIT(1)
#define PTE_U   X86_BIT(2)
#define PTE_PWT X86_BIT(3)
#define PTE_PCD X86_BIT(4)
#define PTE_A   X86_BIT(5)
#define PTE_D   X86_BIT(6)
// Bit that hardware ignores: a leaf without any right is not present, what it maps stays.
#define PTE_NONE X86_BIT(9)
#define PTE_NX   X86_BIT(63)

static bool leaf_allowed(uint8_t level)
{
    return level <= 1 || (level == 2 && x86_has_1g_pages());
}

// Readable is what every present entry is.
static uint64_t rights(MappingFlags flags)
{
    uint64_t bits = PTE_P | PTE_NX;

    if ((flags & AX_MAP_RIGHTS) == 0) {
        return PTE_NONE;
    }
    bits |= (flags & AX_MAP_WRITE) != 0 ? PTE_W : 0;
    bits &= (flags & AX_MAP_EXECUTE) != 0 ? ~PTE_NX : UINT64_MAX;
    return bits;
}

static uint64_t make_leaf(HostPhysAddr addr, MappingFlags flags, uint8_t level)
{
    const uint64_t device = (flags & AX_MAP_DEVICE) != 0 ? PTE_PCD | PTE_PWT : 0;
    const uint64_t size = level != 0 ? X86_EPT_PS : 0;

    return (addr.value & X86_EPT_ADDR) | rights(flags) | device | size | PTE_U | PTE_A | PTE_D;
}

static uint64_t make_table(HostPhysAddr next)
{
    return (next.value & X86_EPT_ADDR) | PTE_P | PTE_W | PTE_U | PTE_A;
}

static AxEptEntryKind kind(uint64_t entry, uint8_t level)
{
    return x86_ept_kind(entry, level, PTE_P | PTE_NONE);
}

static HostPhysAddr address(uint64_t entry, uint8_t level)
{
    return x86_ept_address(entry, level, kind(entry, level));
}

static MappingFlags flags(uint64_t entry)
{
    const MappingFlags device = (entry & PTE_PCD) != 0 ? AX_MAP_DEVICE : 0;

    if ((entry & PTE_P) == 0) {
        return device;
    }
    return device | AX_MAP_READ | ((entry & PTE_W) != 0 ? AX_MAP_WRITE : 0) |
           ((entry & PTE_NX) == 0 ? AX_MAP_EXECUTE : 0);
}

const AxEptFormat svm_npt_format = {
    .name = "x86_64 nested page tables",
    .root_shape = x86_ept_root_shape,
    .leaf_allowed = leaf_allowed,
    .make_leaf = make_leaf,
    .make_table = make_table,
    .kind = kind,
    .address = address,
    .flags = flags,
    .sync = x86_ept_sync,
    .publish = x86_ept_publish,
    .flush = x86_ept_flush,
};
