// SPDX-License-Identifier: Apache-2.0
// Extended page tables (SDM volume 3, 29.3). Memory types: write-back or uncacheable, to be combined
// with the guest's PAT.
#include "vmx/vmcs.h"
#include "x86.h"

#define EPT_R         X86_BIT(0)
#define EPT_W         X86_BIT(1)
#define EPT_X         X86_BIT(2)
#define EPT_RIGHTS    (EPT_R | EPT_W | EPT_X)
#define EPT_TYPE_MASK (UINT64_C(7) << 3)
#define EPT_TYPE_UC   (UINT64_C(0) << 3)
#define EPT_TYPE_WB   (UINT64_C(6) << 3)
// Bit that hardware ignores: a leaf without any right is not present, what it maps stays.
#define EPT_NONE X86_BIT(11)

static bool leaf_allowed(uint8_t level)
{
    return level <= 1 || (level == 2 && (X86_READ(VMX_EPT_VPID_CAP) & EPT_CAP_1G) != 0);
}

// Readable is what every present entry is: writable alone is a misconfiguration.
static uint64_t rights(MappingFlags flags)
{
    uint64_t bits = EPT_R;

    if ((flags & AX_MAP_RIGHTS) == 0) {
        return EPT_NONE;
    }
    bits |= (flags & AX_MAP_WRITE) != 0 ? EPT_W : 0;
    bits |= (flags & AX_MAP_EXECUTE) != 0 ? EPT_X : 0;
    return bits;
}

static uint64_t make_leaf(HostPhysAddr addr, MappingFlags flags, uint8_t level)
{
    const uint64_t type = (flags & AX_MAP_DEVICE) != 0 ? EPT_TYPE_UC : EPT_TYPE_WB;
    const uint64_t size = level != 0 ? X86_EPT_PS : 0;

    return (addr.value & X86_EPT_ADDR) | rights(flags) | type | size;
}

static uint64_t make_table(HostPhysAddr next)
{
    return (next.value & X86_EPT_ADDR) | EPT_RIGHTS;
}

static AxEptEntryKind kind(uint64_t entry, uint8_t level)
{
    return x86_ept_kind(entry, level, EPT_RIGHTS | EPT_NONE);
}

static HostPhysAddr address(uint64_t entry, uint8_t level)
{
    return x86_ept_address(entry, level, kind(entry, level));
}

static MappingFlags flags(uint64_t entry)
{
    const MappingFlags device = (entry & EPT_TYPE_MASK) == EPT_TYPE_UC ? AX_MAP_DEVICE : 0;

    return device | ((entry & EPT_R) != 0 ? AX_MAP_READ : 0) |
           ((entry & EPT_W) != 0 ? AX_MAP_WRITE : 0) | ((entry & EPT_X) != 0 ? AX_MAP_EXECUTE : 0);
}

const AxEptFormat vmx_ept_format = {
    .name = "x86_64 extended page tables",
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
