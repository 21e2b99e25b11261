// SPDX-License-Identifier: Apache-2.0
#include <fake_arch.h>

#include <string.h>

#define ADDRESS_MASK UINT64_C(0x0000fffffffff000)
#define FLAGS_SHIFT  2u

static FakeEptLog ept_log = {.max_gpa_bits = 48};

FakeEptLog *fake_ept_log(void)
{
    return &ept_log;
}

void fake_ept_reset(void)
{
    memset(&ept_log, 0, sizeof(ept_log));
    ept_log.max_gpa_bits = 48;
}

static AxError root_shape(uint8_t gpa_bits, uint8_t *levels, uint8_t *root_frames)
{
    if (gpa_bits < 31 || gpa_bits > ept_log.max_gpa_bits) {
        return AX_ENOTSUP;
    }
    *levels = gpa_bits > 41 ? 4 : 3;
    *root_frames = gpa_bits == 40 ? 2 : gpa_bits == 41 ? 4 : 1;
    return AX_OK;
}

static bool leaf_allowed(uint8_t level)
{
    return level <= 2;
}

static uint64_t make_leaf(HostPhysAddr addr, MappingFlags flags, uint8_t level)
{
    (void)level;
    return (addr.value & ADDRESS_MASK) | (uint64_t)(flags & AX_MAP_ALL) << FLAGS_SHIFT |
           FAKE_EPT_PRESENT;
}

static uint64_t make_table(HostPhysAddr next)
{
    return (next.value & ADDRESS_MASK) | FAKE_EPT_TABLE | FAKE_EPT_PRESENT;
}

static AxEptEntryKind kind(uint64_t entry, uint8_t level)
{
    if ((entry & FAKE_EPT_PRESENT) == 0) {
        return AX_EPT_EMPTY;
    }
    return level != 0 && (entry & FAKE_EPT_TABLE) != 0 ? AX_EPT_TABLE : AX_EPT_LEAF;
}

static HostPhysAddr address(uint64_t entry, uint8_t level)
{
    (void)level;
    return ax_hpa(entry & ADDRESS_MASK);
}

static MappingFlags flags_of(uint64_t entry)
{
    return (MappingFlags)(entry >> FLAGS_SHIFT) & AX_MAP_ALL;
}

static void sync_memory(const void *memory, uint64_t size)
{
    (void)memory;
    atomic_fetch_add_explicit(&ept_log.synced_bytes, size, memory_order_relaxed);
}

static void publish(void)
{
    atomic_fetch_add_explicit(&ept_log.publish_count, 1, memory_order_relaxed);
}

static void flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    const uint32_t slot = atomic_fetch_add_explicit(&ept_log.flush_count, 1, memory_order_relaxed);

    if (slot < FAKE_FLUSH_MAX) {
        ept_log.flush[slot] = (FakeFlush){root, gpa, size};
    }
    atomic_fetch_add_explicit(&root->flushes, 1, memory_order_seq_cst);
    if (root->recall != NULL) {
        root->recall(root->owner);
    }
}

const AxEptFormat fake_ept_format = {
    .name = "fake",
    .root_shape = root_shape,
    .leaf_allowed = leaf_allowed,
    .make_leaf = make_leaf,
    .make_table = make_table,
    .kind = kind,
    .address = address,
    .flags = flags_of,
    .sync = sync_memory,
    .publish = publish,
    .flush = flush,
};
