// SPDX-License-Identifier: Apache-2.0
// G-stage translation, Sv39x4 to Sv57x4 (Privileged Architecture 8.5.1): entries as those of Sv39,
// with a root of four tables.
#include "riscv.h"
#include "riscv_regs.h"

#define LEAST_GPA_BITS    13u // two pages
#define ROOT_FRAMES       4u
#define PHYSICAL_RESERVED (~(AX_BIT(56) - 1))

// More pages than this are cheaper to flush with all others of the VM.
#define FLUSH_PAGES_MAX 64u

// Bits that hardware ignores (RSW). A leaf without any right looks like a pointer to a table, so it
// is kept invalid, for hardware; what it maps stays. Memory attributes are those of the physical
// address (PMA), so that a leaf of a device is only remembered as one.
#define PTE_DEVICE AX_BIT(8)
#define PTE_NONE   AX_BIT(9)

#define PTE_RIGHTS (PTE_R | PTE_W | PTE_X)

static AxError root_shape(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames)
{
    const uint8_t most = riscv_gstage_levels();
    uint8_t needed = RISCV_GSTAGE_LEVELS_MIN;

    if (gpa_bits < LEAST_GPA_BITS || most == 0 || gpa_bits > riscv_gstage_bits(most)) {
        return AX_ENOTSUP;
    }
    while (gpa_bits > riscv_gstage_bits(needed)) {
        needed++;
    }
    *levels = needed;
    *root_frames = ROOT_FRAMES;
    return AX_OK;
}

AxError riscv_ept_root_check(const AxEptRoot *root)
{
    return axvcpu_ept_root_check(&riscv_ept_format, root, PHYSICAL_RESERVED);
}

uint64_t riscv_hgatp(const AxEptRoot *root, uint64_t vmid)
{
    return ax_put(riscv_gstage_mode(root->levels), HGATP_MODE) | ax_put(vmid, HGATP_VMID) |
           ax_put(root->base.value / AX_PAGE_SIZE, HGATP_PPN);
}

static bool leaf_allowed(uint8_t level)
{
    return level <= 2;
}

static uint64_t page_number(HostPhysAddr addr)
{
    return ax_put(addr.value / AX_PAGE_SIZE, PTE_PPN);
}

// Writable without readable is reserved. A and D are set: nobody looks at them, and a clear one
// would fault where hardware does not set it.
static uint64_t rights(MappingFlags flags)
{
    uint64_t bits = 0;

    bits |= (flags & AX_MAP_READ) != 0 ? PTE_R : 0;
    bits |= (flags & AX_MAP_WRITE) != 0 ? PTE_R | PTE_W : 0;
    bits |= (flags & AX_MAP_EXECUTE) != 0 ? PTE_X : 0;
    return bits;
}

static uint64_t make_leaf(HostPhysAddr addr, MappingFlags flags, uint8_t level)
{
    const uint64_t bits = rights(flags);
    const uint64_t device = (flags & AX_MAP_DEVICE) != 0 ? PTE_DEVICE : 0;

    (void)level;
    return page_number(addr) | device | bits | PTE_U | PTE_A | PTE_D |
           (bits != 0 ? PTE_V : PTE_NONE);
}

static uint64_t make_table(HostPhysAddr next)
{
    return page_number(next) | PTE_V;
}

static AxEptEntryKind kind(uint64_t entry, uint8_t level)
{
    if ((entry & PTE_V) == 0) {
        return (entry & PTE_NONE) != 0 && leaf_allowed(level) ? AX_EPT_LEAF : AX_EPT_EMPTY;
    }
    if ((entry & PTE_RIGHTS) == 0) {
        return level != 0 ? AX_EPT_TABLE : AX_EPT_EMPTY;
    }
    return leaf_allowed(level) ? AX_EPT_LEAF : AX_EPT_EMPTY;
}

static HostPhysAddr address(uint64_t entry, uint8_t level)
{
    const unsigned size_bits = kind(entry, level) == AX_EPT_LEAF ? 12 + 9u * level : 12;

    return ax_hpa(ax_get(entry, PTE_PPN) * AX_PAGE_SIZE & (UINT64_MAX << size_bits));
}

static MappingFlags flags(uint64_t entry)
{
    MappingFlags result = 0;

    result |= (entry & PTE_R) != 0 ? AX_MAP_READ : 0;
    result |= (entry & PTE_W) != 0 ? AX_MAP_WRITE : 0;
    result |= (entry & PTE_X) != 0 ? AX_MAP_EXECUTE : 0;
    result |= (entry & PTE_DEVICE) != 0 ? AX_MAP_DEVICE : 0;
    return result;
}

// Caches are coherent. Instructions: of this hart here, of the others when they bind the vCPU.
static void sync(const void *memory, uint64_t size)
{
    (void)memory;
    (void)size;
    rv_fence();
    rv_fence_i();
}

// That an entry was invalid may be cached, too.
static void publish(void)
{
    rv_fence();
    rv_hfence_gvma_all();
}

static void flush_here(const AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    const uint64_t offset = gpa.value % AX_PAGE_SIZE;
    uint64_t vmid;

    if (!riscv_vmid_find(root, &vmid)) {
        rv_hfence_gvma_all(); // entries without a VMID, if any
    } else if (size == 0 || size > FLUSH_PAGES_MAX * AX_PAGE_SIZE) {
        rv_hfence_gvma_vmid(vmid);
    } else {
        for (uint64_t at = 0; at < offset + size; at += AX_PAGE_SIZE) {
            rv_hfence_gvma(gpa.value - offset + at, vmid);
        }
    }
}

// Harts that bind a vCPU of this VM later compare `flushes`; those that have one now are recalled.
static void flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    rv_fence(); // the tables have changed before the tag is looked at; see vmid.c
    atomic_fetch_add_explicit(&root->flushes, 1, memory_order_release);
    flush_here(root, gpa, size);
    if (root->recall != NULL) {
        root->recall(root->owner);
    }
}

const AxEptFormat riscv_ept_format = {
    .name = "riscv64 G-stage",
    .root_shape = root_shape,
    .leaf_allowed = leaf_allowed,
    .make_leaf = make_leaf,
    .make_table = make_table,
    .kind = kind,
    .address = address,
    .flags = flags,
    .sync = sync,
    .publish = publish,
    .flush = flush,
};
