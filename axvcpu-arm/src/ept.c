// SPDX-License-Identifier: Apache-2.0
// Stage 2 with 4 KiB granule (Arm ARM D8.2, D8.3).
#include "arm.h"
#include "arm_regs.h"

// Input sizes by the number of levels: D8.2.7 asks for 22..34, 31..43 and 40..48 bits, where up to
// 4 bits beyond one table make the root a row of up to 16 tables.
static const struct {
    uint8_t most_bits;
    uint8_t table_bits; // what one root table covers
    uint8_t levels;
} shapes[] = {
    {30, 30, 2},
    {43, 39, 3},
    {48, 48, 4},
};

#define LEAST_GPA_BITS 25u // VTCR_EL2.T0SZ <= 39
#define LAST_SHAPE     (sizeof(shapes) / sizeof(shapes[0]) - 1)

// ID_AA64MMFR0_EL1.PARange and VTCR_EL2.PS
static const uint8_t pa_sizes[] = {32, 36, 40, 42, 44, 48};
#define PA_SIZE_COUNT (sizeof(pa_sizes) / sizeof(pa_sizes[0]))

// More pages than this are cheaper to flush with all others of the VM.
#define FLUSH_PAGES_MAX 64u

static uint8_t this_pcpu_pa_bits(void)
{
    const uint64_t range = ax_get(ARM_READ(ID_AA64MMFR0_EL1), ID_AA64MMFR0_EL1_PARANGE);

    return pa_sizes[range < PA_SIZE_COUNT ? range : PA_SIZE_COUNT - 1];
}

static AxError root_shape(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames)
{
    size_t i = 0;

    if (gpa_bits < LEAST_GPA_BITS || gpa_bits > this_pcpu_pa_bits()) {
        return AX_ENOTSUP;
    }
    while (i < LAST_SHAPE && gpa_bits > shapes[i].most_bits) {
        i++;
    }
    *levels = shapes[i].levels;
    *root_frames = (uint8_t)(gpa_bits > shapes[i].table_bits
                                 ? UINT32_C(1) << (gpa_bits - shapes[i].table_bits)
                                 : 1);
    return AX_OK;
}

AxError aarch64_ept_root_check(const AxEptRoot *root)
{
    return axvcpu_ept_root_check(&aarch64_ept_format, root, ~VTTBR_EL2_BADDR & ~UINT64_C(1));
}

static uint64_t physical_size_code(uint8_t pa_bits)
{
    uint64_t code = PA_SIZE_COUNT - 1;

    while (code > 0 && pa_sizes[code] > pa_bits) {
        code--;
    }
    return code;
}

uint64_t aarch64_vtcr(const Aarch64Features *features, const AxEptRoot *root)
{
    return VTCR_EL2_RES1 | ax_put(64u - root->gpa_bits, VTCR_EL2_T0SZ) |
           ax_put(root->levels - 2u, VTCR_EL2_SL0) | VTCR_EL2_IRGN0_WBWA | VTCR_EL2_ORGN0_WBWA |
           VTCR_EL2_SH0_INNER | ax_put(physical_size_code(features->pa_bits), VTCR_EL2_PS) |
           (features->vmid_bits == 16 ? VTCR_EL2_VS : 0);
}

uint64_t aarch64_vttbr(const AxEptRoot *root, uint64_t vmid)
{
    return root->base.value | ax_put(vmid, VTTBR_EL2_VMID);
}

static bool leaf_allowed(uint8_t level)
{
    return level <= 2;
}

static uint64_t make_leaf(HostPhysAddr addr, MappingFlags flags, uint8_t level)
{
    const uint64_t memory = (flags & AX_MAP_DEVICE) != 0 ? S2_MEMATTR_DEVICE : S2_MEMATTR_NORMAL;
    uint64_t entry = (addr.value & S2_ADDRESS) | ax_put(memory, S2_MEMATTR) | S2_SH_INNER | S2_AF;

    entry |= level == 0 ? S2_VALID | S2_TABLE_OR_PAGE : S2_VALID;
    entry |= (flags & AX_MAP_READ) != 0 ? S2_AP_READ : 0;
    entry |= (flags & AX_MAP_WRITE) != 0 ? S2_AP_WRITE : 0;
    entry |= (flags & AX_MAP_EXECUTE) != 0 ? 0 : S2_XN;
    return entry;
}

static uint64_t make_table(HostPhysAddr next)
{
    return (next.value & S2_ADDRESS) | S2_VALID | S2_TABLE_OR_PAGE;
}

static AxEptEntryKind kind(uint64_t entry, uint8_t level)
{
    const bool block = (entry & S2_TABLE_OR_PAGE) == 0;

    if ((entry & S2_VALID) == 0) {
        return AX_EPT_EMPTY;
    }
    if (level == 0) {
        return block ? AX_EPT_EMPTY : AX_EPT_LEAF;
    }
    if (block) {
        return leaf_allowed(level) ? AX_EPT_LEAF : AX_EPT_EMPTY;
    }
    return AX_EPT_TABLE;
}

static HostPhysAddr address(uint64_t entry, uint8_t level)
{
    const unsigned size_bits = kind(entry, level) == AX_EPT_LEAF ? 12 + 9u * level : 12;

    return ax_hpa(entry & S2_ADDRESS & (UINT64_MAX << size_bits));
}

static MappingFlags flags(uint64_t entry)
{
    MappingFlags result = 0;

    result |= (entry & S2_AP_READ) != 0 ? AX_MAP_READ : 0;
    result |= (entry & S2_AP_WRITE) != 0 ? AX_MAP_WRITE : 0;
    result |= (entry & S2_XN) != 0 ? 0 : AX_MAP_EXECUTE;
    result |= ax_get(entry, S2_MEMATTR) == S2_MEMATTR_DEVICE ? AX_MAP_DEVICE : 0;
    return result;
}

// Clean and invalidate to the point of coherency: a guest begins with its MMU, and so its caches, off.
static void sync(const void *memory, uint64_t size)
{
    const uint64_t line = UINT64_C(4) << ax_get(ARM_READ(CTR_EL0), CTR_EL0_DMINLINE);
    const uint64_t end = (uintptr_t)memory + size;

    for (uint64_t at = (uintptr_t)memory & ~(line - 1); at < end; at += line) {
        arm_dc_civac(at);
    }
    arm_dsb_ish();
    arm_ic_ialluis();
    arm_dsb_ish();
}

static void publish(void)
{
    arm_dsb_ishst();
}

// Stage-2 entries first, then what hardware combined of both stages (D8.13.6).
static void flush_pages(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        arm_tlbi_ipas2e1is(first + i);
    }
    arm_dsb_ish();
    arm_tlbi_vmalle1is();
}

static void flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    const uint64_t first = gpa.value / AX_PAGE_SIZE;
    const uint64_t count = (gpa.value % AX_PAGE_SIZE + size + AX_PAGE_SIZE - 1) / AX_PAGE_SIZE;
    uint64_t vmid;
    uint64_t daif;
    uint64_t vttbr;

    arm_dsb_ish(); // the tables have changed before the tag is looked at; see vmid.c
    if (!aarch64_vmid_find(root, &vmid)) {
        return;
    }
    daif = arm_daif_mask();
    vttbr = ARM_READ(VTTBR_EL2);
    ARM_WRITE(VTTBR_EL2, aarch64_vttbr(root, vmid));
    arm_isb();
    if (size == 0 || size > FLUSH_PAGES_MAX * AX_PAGE_SIZE) {
        arm_tlbi_vmalls12e1is();
    } else {
        flush_pages(first, count);
    }
    arm_dsb_ish();
    ARM_WRITE(VTTBR_EL2, vttbr);
    arm_isb();
    arm_daif_restore(daif);
}

const AxEptFormat aarch64_ept_format = {
    .name = "aarch64 stage 2",
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
