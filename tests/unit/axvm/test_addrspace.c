// SPDX-License-Identifier: Apache-2.0
/*
 * The address space against a simple model, under simulated hardware: a TLB and a cache of table
 * walks keep whatever a pCPU might, and each flush and each freed frame is checked against them.
 */
#include "test.h"

#include <axvm/addrspace.h>
#include <pthread.h>
#include <walker.h>

#define FRAMES    12288u // 48 MiB
#define GPA_BITS  40u
#define RW        (AX_MAP_READ | AX_MAP_WRITE)
#define RX        (AX_MAP_READ | AX_MAP_EXECUTE)
#define LENT_BASE UINT64_C(0x7000000000)

// ---- simulated hardware ----

#define CACHED_MAX 512u

typedef struct CachedLeaf {
    bool valid;
    uint64_t gpa;
    uint64_t hpa;
    MappingFlags flags;
} CachedLeaf;

typedef struct CachedTable {
    bool valid;
    uint64_t gpa; // of what the table covers
    uint64_t size;
    uint64_t frame;
} CachedTable;

typedef struct Hardware {
    CachedLeaf leaves[CACHED_MAX];
    CachedTable tables[CACHED_MAX];
    uint32_t next_leaf;
    uint32_t next_table;
    uint32_t flushes;
    uint32_t publishes;
    uint32_t unbroken;    // flushes of a range in which something was still mapped
    uint32_t freed_early; // frames freed while hardware could reach them
} Hardware;

static Hardware hw;
static AxAddrSpace space;
static FakeHal host;
static AxEptFormat format;
static void (*real_dealloc)(void *ctx, HostPhysAddr first, size_t count);

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static void count_publish(void)
{
    hw.publishes++;
}

static void drop_cached(uint64_t gpa, uint64_t size)
{
    for (uint32_t i = 0; i < CACHED_MAX; i++) {
        if (overlap(hw.leaves[i].gpa, AX_PAGE_SIZE, gpa, size)) {
            hw.leaves[i].valid = false;
        }
        if (overlap(hw.tables[i].gpa, hw.tables[i].size, gpa, size)) {
            hw.tables[i].valid = false;
        }
    }
}

// A flush is right only when what it flushes cannot be cached again at once.
static void check_broken(uint64_t gpa, uint64_t size)
{
    for (uint64_t i = 0; i < 16; i++) {
        AxWalk walk;

        axvm_walk(&space, ax_gpa(gpa + size / 16 * i), &walk);
        hw.unbroken += walk.kind != AX_EPT_EMPTY;
    }
}

static void flush(AxEptRoot *root, GuestPhysAddr gpa, uint64_t size)
{
    assert_ptr_equal(root, &space.root);
    hw.flushes++;
    if (size == 0) {
        memset(hw.leaves, 0, sizeof(hw.leaves));
        memset(hw.tables, 0, sizeof(hw.tables));
        return;
    }
    check_broken(gpa.value, size);
    drop_cached(gpa.value, size);
}

static void checked_dealloc(void *ctx, HostPhysAddr first, size_t count)
{
    for (uint32_t i = 0; i < CACHED_MAX; i++) {
        if (hw.leaves[i].valid &&
            overlap(hw.leaves[i].hpa, AX_PAGE_SIZE, first.value, count * AX_PAGE_SIZE)) {
            hw.freed_early++;
        }
        if (hw.tables[i].valid &&
            overlap(hw.tables[i].frame, AX_PAGE_SIZE, first.value, count * AX_PAGE_SIZE)) {
            hw.freed_early++;
        }
    }
    real_dealloc(ctx, first, count);
}

// What a guest's access to `gpa` leaves in the caches.
static void touch(uint64_t gpa)
{
    AxWalk walk;

    axvm_walk(&space, ax_gpa(gpa), &walk);
    for (uint8_t level = (uint8_t)(space.root.levels - 1); level > walk.level; level--) {
        const uint64_t entry = atomic_load(walk.entry[level]);
        const uint64_t size = axvm_level_size(level);

        hw.tables[hw.next_table++ % CACHED_MAX] = (CachedTable){true, gpa & ~(size - 1), size,
                                                                format.address(entry, level).value};
    }
    if (walk.kind == AX_EPT_LEAF) {
        const uint64_t entry = axvm_walk_value(&walk);
        const uint64_t offset = gpa % axvm_level_size(walk.level) & ~(AX_PAGE_SIZE - 1);

        hw.leaves[hw.next_leaf++ % CACHED_MAX] = (CachedLeaf){
            true, gpa & ~(AX_PAGE_SIZE - 1), format.address(entry, walk.level).value + offset,
            format.flags(entry)};
    }
}

static uint32_t stale_leaves(void)
{
    uint32_t stale = 0;

    for (uint32_t i = 0; i < CACHED_MAX; i++) {
        const CachedLeaf *leaf = &hw.leaves[i];
        HostPhysAddr hpa = ax_hpa(0);

        if (leaf->valid) {
            stale += axvm_translate(&space, ax_gpa(leaf->gpa), leaf->flags, &hpa, NULL) != AX_OK ||
                     hpa.value != leaf->hpa;
        }
    }
    return stale;
}

static void assert_hardware_content(void)
{
    assert_int_equal(hw.unbroken, 0);
    assert_int_equal(hw.freed_early, 0);
    assert_int_equal(stale_leaves(), 0);
    assert_int_equal(host.bad_frees, 0);
}

// ---- fixture ----

static int setup_with(uint8_t gpa_bits)
{
    memset(&hw, 0, sizeof(hw));
    fake_hal_init(&host, FRAMES);
    real_dealloc = host.hal.dealloc_frames;
    host.hal.dealloc_frames = checked_dealloc;
    format = fake_ept_format;
    format.publish = count_publish;
    format.flush = flush;
    assert_error(axvm_addrspace_init(&space, &host.hal, &format, gpa_bits), AX_OK);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(GPA_BITS);
}

static int teardown(void **state)
{
    (void)state;
    axvm_addrspace_destroy(&space);
    assert_int_equal(space.table_frames, 0);
    assert_int_equal(space.ram_frames, 0);
    assert_int_equal(host.bad_frees, 0);
    assert_int_equal(fake_hal_fini(&host), 0);
    return 0;
}

static uint8_t level_at(uint64_t gpa)
{
    AxWalk walk;

    axvm_walk(&space, ax_gpa(gpa), &walk);
    return walk.level;
}

static AxError map_linear(uint64_t gpa, uint64_t hpa, uint64_t size, MappingFlags flags)
{
    return axvm_map_linear(&space, ax_gpa(gpa), ax_hpa(hpa), size, flags);
}

static AxError map_ram(uint64_t gpa, uint64_t size, MappingFlags flags, bool populate)
{
    return axvm_map_ram(&space, ax_gpa(gpa), size, flags, populate);
}

static AxError unmap(uint64_t gpa, uint64_t size)
{
    return axvm_unmap(&space, ax_gpa(gpa), size);
}

static AxError protect(uint64_t gpa, uint64_t size, MappingFlags flags)
{
    return axvm_protect(&space, ax_gpa(gpa), size, flags);
}

static AxError fault(uint64_t gpa, MappingFlags access)
{
    return axvm_handle_fault(&space, ax_gpa(gpa), access);
}

static AxError translate(uint64_t gpa, MappingFlags access, uint64_t *hpa)
{
    HostPhysAddr out = ax_hpa(0);
    const AxError error = axvm_translate(&space, ax_gpa(gpa), access, &out, NULL);

    *hpa = out.value;
    return error;
}

static void assert_maps(uint64_t gpa, uint64_t wanted)
{
    uint64_t hpa;

    assert_error(translate(gpa, AX_MAP_READ, &hpa), AX_OK);
    assert_int_equal(hpa, wanted);
}

static void assert_unmapped(uint64_t gpa)
{
    uint64_t hpa;

    assert_error(translate(gpa, 0, &hpa), AX_EFAULT);
}

// ---- life ----

static void init_refuses_missing_parts_and_bad_shapes(void **state)
{
    AxAddrSpace other;

    (void)state;
    assert_error(axvm_addrspace_init(NULL, &host.hal, &format, 40), AX_EINVAL);
    assert_error(axvm_addrspace_init(&other, NULL, &format, 40), AX_EINVAL);
    assert_error(axvm_addrspace_init(&other, &host.hal, NULL, 40), AX_EINVAL);
    assert_error(axvm_addrspace_init(&other, &host.hal, &format, 60), AX_ENOTSUP);
    fake_hal_fail_alloc(&host, 1);
    assert_error(axvm_addrspace_init(&other, &host.hal, &format, 40), AX_ENOMEM);
}

static void every_shape_maps_its_last_page(void **state)
{
    (void)state;
    for (uint8_t bits = 31; bits <= 48; bits++) {
        const uint64_t last = (UINT64_C(1) << bits) - AX_PAGE_SIZE;

        setup_with(bits);
        assert_error(map_linear(last, LENT_BASE, AX_PAGE_SIZE, RW), AX_OK);
        assert_error(map_linear(0, LENT_BASE + MIB(2), AX_PAGE_SIZE, RW), AX_OK);
        assert_maps(last, LENT_BASE);
        assert_maps(0, LENT_BASE + MIB(2));
        assert_error(map_linear(last + AX_PAGE_SIZE, LENT_BASE, AX_PAGE_SIZE, RW), AX_ERANGE);
        assert_error(fault(last + AX_PAGE_SIZE, AX_MAP_READ), AX_ENOENT);
        assert_unmapped(last + AX_PAGE_SIZE);
        assert_unmapped(UINT64_MAX);
        teardown(NULL);
    }
}

// ---- arguments ----

typedef struct BadRange {
    uint64_t gpa;
    uint64_t size;
    MappingFlags flags;
    AxError error;
} BadRange;

static void bad_arguments_are_named_and_change_nothing(void **state)
{
    static const BadRange cases[] = {
        {0x1000, 0, RW, AX_EINVAL},
        {0x1800, 0x1000, RW, AX_EALIGN},
        {0x1000, 0x1800, RW, AX_EALIGN},
        {UINT64_C(1) << GPA_BITS, 0x1000, RW, AX_ERANGE},
        {(UINT64_C(1) << GPA_BITS) - 0x1000, 0x2000, RW, AX_ERANGE},
        {0x1000, UINT64_C(0xfffffffffffff000), RW, AX_ERANGE},
        {UINT64_C(0xfffffffffffff000), 0x1000, RW, AX_ERANGE},
        {0x1000, 0x1000, 0, AX_EINVAL},
        {0x1000, 0x1000, AX_MAP_WRITE, AX_EINVAL},
        {0x1000, 0x1000, AX_MAP_DEVICE, AX_EINVAL},
        {0x1000, 0x1000, RW | 0x10, AX_EINVAL},
    };
    const size_t used = host.frames_used;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const BadRange *c = &cases[i];

        assert_error(map_linear(c->gpa, LENT_BASE, c->size, c->flags), c->error);
        assert_error(map_ram(c->gpa, c->size, c->flags, true), c->error);
        assert_error(map_ram(c->gpa, c->size, c->flags, false), c->error);
        assert_error(protect(c->gpa, c->size, c->flags), c->error);
        if (c->flags == RW) {
            assert_error(unmap(c->gpa, c->size), c->error);
        }
    }
    assert_error(map_linear(0x1000, LENT_BASE + 8, 0x1000, RW), AX_EALIGN);
    assert_error(map_linear(0x1000, UINT64_C(0xfffffffffffff000), 0x2000, RW), AX_ERANGE);
    assert_int_equal(space.region_count, 0);
    assert_int_equal(host.frames_used, used);
}

static void overlapping_regions_are_refused(void **state)
{
    (void)state;
    assert_error(map_linear(MIB(4), LENT_BASE, MIB(2), RW), AX_OK);
    assert_error(map_ram(MIB(4) - 0x1000, 0x2000, RW, true), AX_EOVERLAP);
    assert_error(map_ram(MIB(6) - 0x1000, 0x2000, RW, true), AX_EOVERLAP);
    assert_error(map_ram(MIB(2), MIB(6), RW, false), AX_EOVERLAP);
    assert_error(map_ram(MIB(5), 0x1000, RW, false), AX_EOVERLAP);
    assert_error(map_ram(MIB(6), 0x1000, RW, false), AX_OK);
    assert_error(map_ram(MIB(4) - 0x1000, 0x1000, RW, false), AX_OK);
}

static void the_region_table_has_an_end(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < AX_REGIONS_MAX; i++) {
        assert_error(map_ram(i * KIB(64), KIB(16), RW, false), AX_OK);
    }
    assert_error(map_ram(GIB(1), KIB(16), RW, false), AX_ENOSPC);
    assert_error(unmap(KIB(4), KIB(4)), AX_ENOSPC);
    assert_error(protect(KIB(4), KIB(4), AX_MAP_READ), AX_ENOSPC);
    assert_error(protect(0, KIB(4), AX_MAP_READ), AX_ENOSPC);
    assert_error(unmap(KIB(64), KIB(16)), AX_OK);
    assert_error(protect(0, KIB(4), AX_MAP_READ), AX_OK);
    assert_error(protect(KIB(8), KIB(4), AX_MAP_READ), AX_ENOSPC);
    assert_error(unmap(KIB(8), KIB(4)), AX_ENOSPC);
    assert_error(unmap(0, KIB(4)), AX_OK);
    assert_int_equal(space.region_count, AX_REGIONS_MAX - 1);
}

// ---- sizes of pages ----

static void linear_maps_use_the_largest_pages(void **state)
{
    (void)state;
    // Up to the middle of 2 MiB, then 2 MiB, then 1 GiB, and the same downwards.
    assert_error(map_linear(GIB(1) - MIB(4) - KIB(4), LENT_BASE + GIB(1) - MIB(4) - KIB(4),
                            GIB(1) + MIB(4) + KIB(4) + MIB(2) + KIB(8), RW),
                 AX_OK);
    assert_int_equal(level_at(GIB(1) - MIB(4) - KIB(4)), 0);
    assert_int_equal(level_at(GIB(1) - MIB(4)), 1);
    assert_int_equal(level_at(GIB(1)), 2);
    assert_int_equal(level_at(GIB(2)), 1);
    assert_int_equal(level_at(GIB(2) + MIB(2)), 0);
    assert_int_equal(level_at(GIB(2) + MIB(2) + KIB(4)), 0);
    assert_unmapped(GIB(2) + MIB(2) + KIB(8));
    assert_unmapped(GIB(1) - MIB(4) - KIB(8));
    assert_maps(GIB(1) + MIB(513) + 5, LENT_BASE + GIB(1) + MIB(513) + 5);
}

static void pages_are_small_where_addresses_do_not_agree(void **state)
{
    (void)state;
    assert_error(map_linear(MIB(2), LENT_BASE + KIB(4), MIB(2), RW), AX_OK);
    assert_int_equal(level_at(MIB(3)), 0);
    assert_maps(MIB(3) + 1, LENT_BASE + MIB(1) + KIB(4) + 1);
}

static void populated_ram_falls_back_to_small_pages(void **state)
{
    static HostPhysAddr hog[FRAMES];
    uint32_t hogs = 0;

    (void)state;
    assert_error(map_ram(MIB(2), MIB(4), RW, true), AX_OK);
    assert_int_equal(level_at(MIB(2)), 1);
    assert_int_equal(space.ram_frames, 1024);
    // Leave much memory, but no piece of 2 MiB.
    while (axvcpu_alloc_frame(&host.hal, &hog[hogs]) == AX_OK) {
        hogs++;
    }
    for (uint32_t i = 0; i < hogs; i++) {
        if (hog[i].value % MIB(2) != 0) {
            axvcpu_dealloc_frame(&host.hal, hog[i]);
        }
    }
    assert_error(map_ram(MIB(8), MIB(2), RW, true), AX_OK);
    assert_int_equal(level_at(MIB(8)), 0);
    assert_int_equal(space.ram_frames, 1536);
    for (uint32_t i = 0; i < hogs; i++) {
        if (hog[i].value % MIB(2) == 0) {
            axvcpu_dealloc_frame(&host.hal, hog[i]);
        }
    }
}

static void translate_tells_how_far_memory_is_contiguous(void **state)
{
    HostPhysAddr hpa;
    uint64_t run = 0;

    (void)state;
    assert_error(map_linear(MIB(2), LENT_BASE, MIB(2) + KIB(4), RW), AX_OK);
    assert_error(axvm_translate(&space, ax_gpa(MIB(3) + 7), 0, &hpa, &run), AX_OK);
    assert_int_equal(run, MIB(1) - 7);
    assert_error(axvm_translate(&space, ax_gpa(MIB(4) + 8), 0, &hpa, &run), AX_OK);
    assert_int_equal(run, KIB(4) - 8);
}

static void translate_checks_each_right(void **state)
{
    uint64_t hpa;

    (void)state;
    for (MappingFlags flags = 1; flags < 8; flags += 2) {
        assert_error(map_linear(MIB(2) * flags, LENT_BASE, MIB(2), flags), AX_OK);
        for (MappingFlags access = 0; access < 8; access++) {
            assert_error(translate(MIB(2) * flags, access, &hpa),
                         (access & ~flags) == 0 ? AX_OK : AX_EPERM);
            assert_error(fault(MIB(2) * flags, access), (access & ~flags) == 0 ? AX_OK : AX_EPERM);
        }
    }
}

// ---- flushes ----

static void a_new_mapping_needs_no_flush(void **state)
{
    (void)state;
    assert_error(map_linear(GIB(1), LENT_BASE, MIB(6), RW), AX_OK);
    assert_error(map_ram(GIB(2), MIB(6), RW, true), AX_OK);
    assert_error(map_ram(GIB(3), MIB(6), RW, false), AX_OK);
    assert_error(fault(GIB(3) + 0x1234, AX_MAP_READ), AX_OK);
    assert_int_equal(hw.flushes, 0);
    assert_int_equal(hw.publishes, 3);
}

// Some CPUs cache that an entry was empty: the one that faults on what is there is told.
static void a_fault_on_a_page_that_is_there_publishes_it_again(void **state)
{
    (void)state;
    assert_error(map_linear(GIB(1), LENT_BASE, KIB(4), RW), AX_OK);
    assert_error(map_ram(GIB(2), KIB(8), RW, false), AX_OK);
    assert_error(fault(GIB(2), AX_MAP_READ), AX_OK);
    assert_int_equal(hw.publishes, 2);
    assert_error(fault(GIB(2), AX_MAP_WRITE), AX_OK);
    assert_int_equal(hw.publishes, 3);
    assert_error(fault(GIB(1) + 0xfff, AX_MAP_READ), AX_OK);
    assert_int_equal(hw.publishes, 4);
    // A fault that is the guest's own gets nothing.
    assert_error(fault(GIB(1), AX_MAP_EXECUTE), AX_EPERM);
    assert_error(fault(GIB(3), AX_MAP_READ), AX_ENOENT);
    assert_int_equal(hw.publishes, 4);
    assert_int_equal(hw.flushes, 0);
}

static void protecting_flushes_only_what_changes(void **state)
{
    (void)state;
    assert_error(map_linear(GIB(1), LENT_BASE, MIB(6), RW), AX_OK);
    touch(GIB(1));
    touch(GIB(1) + MIB(2));
    assert_error(protect(GIB(1), MIB(6), RW), AX_OK);
    assert_int_equal(hw.flushes, 0);
    assert_error(protect(GIB(1) + MIB(2), MIB(2), AX_MAP_READ), AX_OK);
    assert_int_equal(hw.flushes, 1);
    assert_int_equal(space.region_count, 3);
    assert_hardware_content();
    assert_error(protect(GIB(1) + MIB(2), MIB(2), RW), AX_OK);
    assert_int_equal(space.region_count, 1);
}

static void unmapping_flushes_in_steps_of_the_frames_it_frees(void **state)
{
    (void)state;
    assert_error(map_ram(KIB(4), KIB(256), RW, true), AX_OK);
    for (uint64_t i = 0; i < 64; i++) {
        touch(KIB(4) + KIB(4) * i);
    }
    assert_error(unmap(KIB(4), KIB(256)), AX_OK);
    assert_int_equal(hw.flushes, 3);
    assert_int_equal(space.table_frames, 2);
    assert_hardware_content();
}

// ---- changes ----

static void unmapping_a_page_splits_the_large_ones_around_it(void **state)
{
    const uint64_t hole = GIB(1) + MIB(510) + KIB(12);

    (void)state;
    assert_error(map_linear(GIB(1), LENT_BASE, GIB(1), RX), AX_OK);
    touch(hole);
    assert_error(unmap(hole, KIB(4)), AX_OK);
    assert_unmapped(hole);
    assert_int_equal(level_at(GIB(1)), 1);
    assert_int_equal(level_at(hole - KIB(4)), 0);
    assert_maps(hole - 1, LENT_BASE + (hole - 1 - GIB(1)));
    assert_maps(hole + KIB(4), LENT_BASE + (hole + KIB(4) - GIB(1)));
    assert_maps(GIB(2) - 1, LENT_BASE + GIB(1) - 1);
    assert_int_equal(space.region_count, 2);
    assert_hardware_content();
    assert_error(fault(hole, AX_MAP_READ), AX_ENOENT);
}

static void tables_go_when_they_are_empty(void **state)
{
    const uint64_t before = space.table_frames;

    (void)state;
    assert_error(map_linear(GIB(1) + KIB(4), LENT_BASE, KIB(8), RW), AX_OK);
    assert_int_equal(space.table_frames, before + 2);
    assert_error(unmap(GIB(1) + KIB(4), KIB(4)), AX_OK);
    assert_int_equal(space.table_frames, before + 2);
    assert_error(unmap(GIB(1) + KIB(8), KIB(4)), AX_OK);
    assert_int_equal(space.table_frames, before);
    assert_int_equal(space.region_count, 0);
}

static void holes_make_a_change_fail_as_a_whole(void **state)
{
    (void)state;
    assert_error(map_linear(MIB(2), LENT_BASE, MIB(2), RW), AX_OK);
    assert_error(map_linear(MIB(4) + KIB(4), LENT_BASE, KIB(4), RW), AX_OK);
    assert_error(unmap(MIB(2), MIB(2) + KIB(8)), AX_EFAULT);
    assert_error(protect(MIB(3), MIB(2), AX_MAP_READ), AX_EFAULT);
    assert_error(unmap(MIB(1), MIB(2)), AX_EFAULT);
    assert_maps(MIB(2), LENT_BASE);
    assert_int_equal(space.region_count, 2);
    assert_int_equal(hw.flushes, 0);
}

static void a_change_runs_across_regions_of_all_kinds(void **state)
{
    (void)state;
    assert_error(map_linear(MIB(2), LENT_BASE, MIB(2), RW), AX_OK);
    assert_error(map_ram(MIB(4), MIB(2), RW, true), AX_OK);
    assert_error(map_ram(MIB(6), MIB(2), RW, false), AX_OK);
    assert_error(fault(MIB(6), AX_MAP_WRITE), AX_OK);
    assert_error(protect(MIB(3), MIB(4), AX_MAP_READ), AX_OK);
    assert_int_equal(space.region_count, 5);
    assert_error(fault(MIB(6), AX_MAP_WRITE), AX_EPERM);
    assert_error(fault(MIB(6) + KIB(4), AX_MAP_WRITE), AX_EPERM);
    assert_error(fault(MIB(7), AX_MAP_WRITE), AX_OK);
    assert_error(unmap(MIB(2), MIB(6)), AX_OK);
    assert_int_equal(space.region_count, 0);
    assert_int_equal(space.ram_frames, 0);
    assert_int_equal(space.table_frames, 2);
    assert_hardware_content();
}

static void a_piece_of_ram_goes_back_when_all_of_it_is_unmapped(void **state)
{
    (void)state;
    assert_error(map_ram(MIB(2), MIB(4), RW, true), AX_OK);
    assert_error(unmap(MIB(2), KIB(4)), AX_OK);
    assert_int_equal(space.ram_frames, 1024);
    // Another region in the hole must not be taken for a part of the piece.
    assert_error(map_ram(MIB(2), KIB(4), RW, true), AX_OK);
    assert_int_equal(space.ram_frames, 1025);
    assert_error(unmap(MIB(2) + KIB(4), MIB(2) - KIB(4)), AX_OK);
    assert_int_equal(space.ram_frames, 513);
    assert_error(unmap(MIB(2), KIB(4)), AX_OK);
    assert_int_equal(space.ram_frames, 512);
    assert_error(unmap(MIB(5), KIB(4)), AX_OK);
    assert_int_equal(space.ram_frames, 512);
    assert_hardware_content();
}

static void many_split_pieces_are_remembered(void **state)
{
    (void)state;
    assert_error(map_ram(MIB(2), MIB(36), RW, true), AX_OK);
    for (uint64_t i = 0; i < 18; i++) {
        assert_error(protect(MIB(2) * (i + 1), KIB(4), AX_MAP_READ), i < 16 ? AX_OK : AX_ENOSPC);
    }
    assert_error(protect(MIB(2), MIB(36), RW), AX_OK);
    assert_int_equal(space.region_count, 1);
    assert_error(unmap(MIB(2), MIB(36)), AX_OK);
    assert_int_equal(space.ram_frames, 0);
    assert_int_equal(space.table_frames, 2);
}

// ---- on demand ----

static void pages_on_demand_come_one_by_one(void **state)
{
    (void)state;
    assert_error(map_ram(MIB(2), MIB(2), RW, false), AX_OK);
    assert_int_equal(space.ram_frames, 0);
    assert_unmapped(MIB(2));
    assert_error(fault(MIB(2) + 0x1fff, AX_MAP_WRITE), AX_OK);
    assert_int_equal(space.ram_frames, 1);
    assert_unmapped(MIB(2));
    assert_error(fault(MIB(2) + 0x1000, AX_MAP_READ), AX_OK);
    assert_int_equal(space.ram_frames, 1);
    assert_error(fault(MIB(2), AX_MAP_EXECUTE), AX_EPERM);
    assert_error(fault(MIB(1), AX_MAP_READ), AX_ENOENT);
    assert_int_equal(hw.flushes, 0);
}

static void no_memory_for_a_page_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_error(map_ram(MIB(2), MIB(2), RW, false), AX_OK);
    for (uint32_t n = 1; n <= 3; n++) {
        const size_t used = host.frames_used;

        fake_hal_fail_alloc(&host, n);
        assert_error(fault(MIB(2), AX_MAP_READ), AX_ENOMEM);
        assert_int_equal(host.frames_used, used);
        assert_int_equal(space.table_frames, 2);
        assert_int_equal(space.ram_frames, 0);
    }
    fake_hal_fail_alloc(&host, 0);
    assert_error(fault(MIB(2), AX_MAP_READ), AX_OK);
}

#define THREADS      2
#define SHARED_PAGES 64u

typedef struct Faulter {
    pthread_t thread;
    uint32_t number;
    uint32_t errors;
} Faulter;

// Each touches every page, in an order of its own, and writes a word of its own.
static void *fault_everywhere(void *ctx)
{
    Faulter *self = ctx;

    for (uint32_t i = 0; i < SHARED_PAGES; i++) {
        const uint64_t page = (i * 7 + self->number * 32) % SHARED_PAGES;
        const uint64_t gpa = MIB(2) + page * AX_PAGE_SIZE;
        const uint64_t stamp = page + 1;

        self->errors += fault(gpa, AX_MAP_WRITE) != AX_OK;
        self->errors += axvm_copy_to_guest(&space, ax_gpa(gpa + 8 * self->number), &stamp,
                                           sizeof(stamp)) != AX_OK;
    }
    return NULL;
}

static void pcpus_that_fault_at_once_get_the_same_page(void **state)
{
    Faulter faulters[THREADS] = {0};
    uint64_t stamps[THREADS];

    (void)state;
    assert_error(map_ram(MIB(2), SHARED_PAGES * AX_PAGE_SIZE, RW, false), AX_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        faulters[i].number = i;
        assert_int_equal(pthread_create(&faulters[i].thread, NULL, fault_everywhere, &faulters[i]),
                         0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(faulters[i].thread, NULL), 0);
        assert_int_equal(faulters[i].errors, 0);
    }
    assert_int_equal(space.ram_frames, SHARED_PAGES);
    for (uint64_t page = 0; page < SHARED_PAGES; page++) {
        assert_error(axvm_copy_from_guest(&space, ax_gpa(MIB(2) + page * AX_PAGE_SIZE), stamps,
                                          sizeof(stamps)),
                     AX_OK);
        for (uint32_t i = 0; i < THREADS; i++) {
            assert_int_equal(stamps[i], page + 1);
        }
    }
}

// ---- errors in the middle ----

typedef AxError (*Operation)(void);

static AxError op_linear(void)
{
    return map_linear(GIB(4) - MIB(2) - KIB(4), LENT_BASE + GIB(4) - MIB(2) - KIB(4),
                      MIB(4) + KIB(8), RW);
}

static AxError op_populate(void)
{
    return map_ram(GIB(5) - MIB(2) - KIB(4), MIB(4) + KIB(8), RW, true);
}

static AxError op_unmap(void)
{
    return unmap(MIB(2) + KIB(4), MIB(4));
}

static AxError op_protect(void)
{
    return protect(MIB(2) + KIB(4), MIB(4), AX_MAP_READ);
}

static uint64_t mapped_pages(void)
{
    uint64_t pages = 0;
    HostPhysAddr hpa;

    for (uint64_t gpa = 0; gpa < MIB(10); gpa += AX_PAGE_SIZE) {
        pages += axvm_translate(&space, ax_gpa(gpa), RW, &hpa, NULL) == AX_OK;
    }
    return pages;
}

static void each_failing_allocation_is_undone(void **state)
{
    static const Operation operations[] = {op_linear, op_populate, op_unmap, op_protect};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        AxError error = AX_ENOMEM;
        uint64_t pages;

        assert_error(map_ram(MIB(2), MIB(6), RW, true), AX_OK);
        pages = mapped_pages();
        assert_int_equal(pages, 1536);
        for (uint32_t n = 1; error != AX_OK; n++) {
            assert_in_range(n, 1, 20);
            fake_hal_fail_alloc(&host, n);
            error = operations[i]();
            if (error != AX_OK) {
                assert_error(error, AX_ENOMEM);
                assert_int_equal(mapped_pages(), pages);
                assert_int_equal(space.region_count, 1);
                assert_int_equal(host.frames_used, space.table_frames + space.ram_frames);
            }
        }
        fake_hal_fail_alloc(&host, 0);
        teardown(NULL);
        setup(NULL);
    }
}

static void a_failed_map_gives_every_frame_back(void **state)
{
    const size_t used = host.frames_used;

    (void)state;
    for (uint32_t n = 1; n <= 4; n++) {
        fake_hal_fail_alloc(&host, n);
        assert_error(op_linear(), AX_ENOMEM);
        assert_int_equal(host.frames_used, used);
    }
    // A piece of 2 MiB that cannot be had becomes small pages, so only one or two frames count.
    assert_error(map_ram(GIB(3), AX_PAGE_SIZE * FRAMES, RW, true), AX_ENOMEM);
    assert_int_equal(host.frames_used, used);
    assert_int_equal(space.table_frames, used);
}

// ---- copies ----

static void copies_cross_pages_and_regions(void **state)
{
    static uint8_t out[MIB(1)];
    static uint8_t in[MIB(1)];
    const uint64_t at = MIB(4) - KIB(300) - 3;
    Random random = {42};

    (void)state;
    assert_error(map_ram(MIB(2), MIB(2), RX, true), AX_OK);
    assert_error(map_ram(MIB(4), MIB(2), AX_MAP_READ, false), AX_OK);
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)random_next(&random);
    }
    assert_error(axvm_copy_to_guest(&space, ax_gpa(at), out, sizeof(out)), AX_OK);
    assert_error(axvm_copy_from_guest(&space, ax_gpa(at), in, sizeof(in)), AX_OK);
    assert_memory_equal(in, out, sizeof(in));
    assert_error(axvm_copy_from_guest(&space, ax_gpa(at - 1), in, 2), AX_OK);
    assert_int_equal(in[0], 0);
    assert_int_equal(in[1], out[0]);
    assert_error(axvm_copy_from_guest(&space, ax_gpa(at), in, 0), AX_OK);
}

static void a_guest_without_caches_sees_what_the_host_writes(void **state)
{
    const uint8_t data[100] = {1};

    (void)state;
    fake_ept_log()->synced_bytes = 0;
    assert_int_equal(map_ram(0, 2 * AX_PAGE_SIZE, RW, true), AX_OK);
    assert_int_equal(fake_ept_log()->synced_bytes, 2 * AX_PAGE_SIZE);
    assert_int_equal(map_ram(0x100000, 2 * AX_PAGE_SIZE, RW, false), AX_OK);
    assert_int_equal(fake_ept_log()->synced_bytes, 2 * AX_PAGE_SIZE);
    assert_int_equal(axvm_handle_fault(&space, ax_gpa(0x100000), AX_MAP_READ), AX_OK);
    assert_int_equal(fake_ept_log()->synced_bytes, 3 * AX_PAGE_SIZE);
    assert_int_equal(axvm_copy_to_guest(&space, ax_gpa(AX_PAGE_SIZE - 50), data, 100), AX_OK);
    assert_int_equal(fake_ept_log()->synced_bytes, 3 * AX_PAGE_SIZE + 100);
}

static void copies_outside_of_memory_do_nothing(void **state)
{
    uint8_t buffer[16] = {1};

    (void)state;
    assert_error(map_ram(MIB(2), KIB(4), RW, true), AX_OK);
    assert_error(map_linear(MIB(2) + KIB(4), LENT_BASE, KIB(4), RW | AX_MAP_DEVICE), AX_OK);
    assert_error(axvm_copy_to_guest(&space, ax_gpa(MIB(2) - 1), buffer, 2), AX_EFAULT);
    assert_error(axvm_copy_to_guest(&space, ax_gpa(MIB(2) + KIB(4) - 1), buffer, 2), AX_EFAULT);
    assert_error(axvm_copy_to_guest(&space, ax_gpa(UINT64_MAX), buffer, 2), AX_EFAULT);
    assert_error(axvm_copy_from_guest(&space, ax_gpa(MIB(2) + KIB(4) - 1), buffer, 1), AX_OK);
    assert_int_equal(buffer[0], 0);
}

static void a_copy_without_memory_copies_nothing(void **state)
{
    uint8_t byte = 7;

    (void)state;
    assert_error(map_ram(MIB(2), MIB(2), RW, false), AX_OK);
    assert_error(fault(MIB(2), AX_MAP_READ), AX_OK);
    fake_hal_fail_alloc(&host, 1);
    assert_error(axvm_copy_to_guest(&space, ax_gpa(MIB(2) + KIB(4) - 1), "ab", 2), AX_ENOMEM);
    assert_error(axvm_copy_from_guest(&space, ax_gpa(MIB(2) + KIB(4) - 1), &byte, 1), AX_OK);
    assert_int_equal(byte, 0);
}

static void in_region_looks_at_every_byte(void **state)
{
    (void)state;
    assert_error(map_ram(MIB(2), KIB(4), RW, false), AX_OK);
    assert_error(map_ram(MIB(2) + KIB(4), KIB(4), RX, true), AX_OK);
    assert_true(axvm_in_region(&space, ax_gpa(MIB(2)), KIB(8)));
    assert_true(axvm_in_region(&space, ax_gpa(MIB(2) + KIB(8) - 1), 1));
    assert_false(axvm_in_region(&space, ax_gpa(MIB(2)), KIB(8) + 1));
    assert_false(axvm_in_region(&space, ax_gpa(MIB(2) - 1), 2));
    assert_false(axvm_in_region(&space, ax_gpa(MIB(2)), UINT64_MAX));
    assert_false(axvm_in_region(&space, ax_gpa(UINT64_MAX), 1));
}

// ---- the model ----

#define MODEL_BASE  (GIB(1) - MIB(6))
#define MODEL_PAGES 3072u // 12 MiB around a multiple of 1 GiB

typedef enum PageKind { PAGE_NONE, PAGE_LENT, PAGE_OWN, PAGE_DEMAND } PageKind;

typedef struct ModelPage {
    PageKind kind;
    MappingFlags flags;
    uint64_t hpa;   // LENT
    uint64_t stamp; // OWN and DEMAND: content; 0 = never written
    bool present;
} ModelPage;

static ModelPage model[MODEL_PAGES];

typedef struct Range {
    uint32_t first;
    uint32_t count;
} Range;

static uint64_t model_gpa(uint32_t page)
{
    return MODEL_BASE + page * AX_PAGE_SIZE;
}

// Small and large ranges, often with ends that suit large pages.
static Range random_range(Random *random)
{
    uint32_t first = (uint32_t)random_below(random, MODEL_PAGES);
    uint32_t count = 1 + (uint32_t)random_below(random, random_below(random, 2) ? 8 : 1500);

    if (random_below(random, 2) != 0) {
        first &= ~511u;
        count = (count + 511u) & ~511u;
    }
    return (Range){first, first + count > MODEL_PAGES ? MODEL_PAGES - first : count};
}

static MappingFlags random_flags(Random *random)
{
    return AX_MAP_READ | (MappingFlags)random_below(random, AX_MAP_DEVICE);
}

static bool all_pages(Range range, bool mapped)
{
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        if ((model[i].kind != PAGE_NONE) != mapped) {
            return false;
        }
    }
    return true;
}

static void model_map(Range range, PageKind kind, MappingFlags flags, uint64_t hpa)
{
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        model[i] = (ModelPage){.kind = kind,
                               .flags = flags,
                               .hpa = hpa + (i - range.first) * AX_PAGE_SIZE,
                               .present = kind != PAGE_DEMAND};
    }
}

static void model_set_flags(Range range, MappingFlags flags)
{
    for (uint32_t i = range.first; i < range.first + range.count; i++) {
        model[i].flags = flags;
    }
}

static bool is_refusal(AxError error)
{
    return error == AX_ENOMEM || error == AX_ENOSPC;
}

static void step_map(Random *random)
{
    const Range range = random_range(random);
    const MappingFlags flags = random_flags(random);
    const PageKind kind = (PageKind)(PAGE_LENT + random_below(random, 3));
    const uint64_t hpa = LENT_BASE + (random_below(random, 2) ? model_gpa(range.first)
                                                              : random_below(random, 100) * 4096);
    const uint64_t gpa = model_gpa(range.first);
    const uint64_t size = range.count * AX_PAGE_SIZE;
    const size_t used = host.frames_used;
    const uint32_t flushes = hw.flushes;
    const AxError error = kind == PAGE_LENT ? map_linear(gpa, hpa, size, flags)
                                            : map_ram(gpa, size, flags, kind == PAGE_OWN);

    if (error == AX_OK) {
        assert_true(all_pages(range, false));
        assert_int_equal(hw.flushes, flushes);
        model_map(range, kind, flags, hpa);
        return;
    }
    assert_int_equal(host.frames_used, used);
    assert_true(is_refusal(error) || (error == AX_EOVERLAP && !all_pages(range, false)));
}

static void step_unmap(Random *random)
{
    const Range range = random_range(random);
    const AxError error = unmap(model_gpa(range.first), range.count * AX_PAGE_SIZE);

    if (error == AX_OK) {
        assert_true(all_pages(range, true));
        memset(&model[range.first], 0, range.count * sizeof(model[0]));
        return;
    }
    assert_true(is_refusal(error) || (error == AX_EFAULT && !all_pages(range, true)));
}

static void step_protect(Random *random)
{
    const Range range = random_range(random);
    const MappingFlags flags = random_flags(random);
    const AxError error = protect(model_gpa(range.first), range.count * AX_PAGE_SIZE, flags);

    if (error == AX_OK) {
        assert_true(all_pages(range, true));
        model_set_flags(range, flags);
        return;
    }
    assert_true(is_refusal(error) || (error == AX_EFAULT && !all_pages(range, true)));
}

static void step_fault(Random *random)
{
    const uint32_t index = (uint32_t)random_below(random, MODEL_PAGES);
    const MappingFlags access = (MappingFlags)random_below(random, 8);
    ModelPage *page = &model[index];
    const uint32_t flushes = hw.flushes;
    const AxError error = fault(model_gpa(index) + random_below(random, 4096), access);

    if (page->kind == PAGE_NONE) {
        assert_error(error, AX_ENOENT);
    } else if ((access & ~page->flags) != 0) {
        assert_error(error, AX_EPERM);
    } else if (error != AX_ENOMEM) {
        assert_error(error, AX_OK);
        page->present = true;
    }
    assert_true(error == AX_ENOMEM || hw.flushes == flushes);
}

static void step_write(Random *random)
{
    const uint32_t index = (uint32_t)random_below(random, MODEL_PAGES);
    const uint64_t stamp = random_next(random) | 1;
    ModelPage *page = &model[index];

    if (page->kind != PAGE_OWN && page->kind != PAGE_DEMAND) {
        return;
    }

    const AxError error = axvm_copy_to_guest(&space, ax_gpa(model_gpa(index) + 8), &stamp,
                                             sizeof(stamp));

    if (error != AX_ENOMEM) {
        assert_error(error, AX_OK);
        page->stamp = stamp;
        page->present = true;
    }
}

static void check_page(uint32_t index)
{
    const ModelPage *page = &model[index];
    HostPhysAddr hpa;
    const AxError error = axvm_translate(&space, ax_gpa(model_gpa(index)), page->flags, &hpa, NULL);

    assert_int_equal(axvm_in_region(&space, ax_gpa(model_gpa(index)), 1), page->kind != PAGE_NONE);
    if (!page->present) {
        assert_error(error, AX_EFAULT);
        return;
    }
    assert_error(error, AX_OK);
    assert_error(axvm_translate(&space, ax_gpa(model_gpa(index)), AX_MAP_RIGHTS, &hpa, NULL),
                 page->flags == AX_MAP_RIGHTS ? AX_OK : AX_EPERM);
    assert_error(axvm_translate(&space, ax_gpa(model_gpa(index)), 0, &hpa, NULL), AX_OK);
    if (page->kind == PAGE_LENT) {
        assert_int_equal(hpa.value, page->hpa);
        return;
    }
    assert_true(fake_hal_is_allocated(&host, hpa));
    const uint64_t *content = ax_ptr_from_hva(host.hal.phys_to_virt(&host, hpa));

    assert_int_equal(content[1], page->stamp);
}

static void random_operations_agree_with_a_model(void **state)
{
    static void (*const steps[])(Random *) = {step_map,   step_map,   step_unmap, step_protect,
                                              step_fault, step_fault, step_write, step_write};
    Random random = {20261122};

    (void)state;
    memset(model, 0, sizeof(model));
    for (uint32_t i = 0; i < 4000; i++) {
        fake_hal_fail_alloc(
            &host, random_below(&random, 6) == 0 ? 1 + (uint32_t)random_below(&random, 8) : 0);
        steps[random_below(&random, COUNT_OF(steps))](&random);
        assert_hardware_content();
        for (uint32_t j = 0; j < 16; j++) {
            touch(model_gpa((uint32_t)random_below(&random, MODEL_PAGES)));
            check_page((uint32_t)random_below(&random, MODEL_PAGES));
        }
        if (i % 256 == 0) {
            for (uint32_t j = 0; j < MODEL_PAGES; j++) {
                check_page(j);
            }
        }
    }
    fake_hal_fail_alloc(&host, 0);
    assert_int_equal(host.frames_used, space.table_frames + space.ram_frames);
}

#define IN_SPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SPACE(init_refuses_missing_parts_and_bad_shapes),
        cmocka_unit_test(every_shape_maps_its_last_page),
        IN_SPACE(bad_arguments_are_named_and_change_nothing),
        IN_SPACE(overlapping_regions_are_refused),
        IN_SPACE(the_region_table_has_an_end),
        IN_SPACE(linear_maps_use_the_largest_pages),
        IN_SPACE(pages_are_small_where_addresses_do_not_agree),
        IN_SPACE(populated_ram_falls_back_to_small_pages),
        IN_SPACE(translate_tells_how_far_memory_is_contiguous),
        IN_SPACE(translate_checks_each_right),
        IN_SPACE(a_new_mapping_needs_no_flush),
        IN_SPACE(a_fault_on_a_page_that_is_there_publishes_it_again),
        IN_SPACE(protecting_flushes_only_what_changes),
        IN_SPACE(unmapping_flushes_in_steps_of_the_frames_it_frees),
        IN_SPACE(unmapping_a_page_splits_the_large_ones_around_it),
        IN_SPACE(tables_go_when_they_are_empty),
        IN_SPACE(holes_make_a_change_fail_as_a_whole),
        IN_SPACE(a_change_runs_across_regions_of_all_kinds),
        IN_SPACE(a_piece_of_ram_goes_back_when_all_of_it_is_unmapped),
        IN_SPACE(many_split_pieces_are_remembered),
        IN_SPACE(pages_on_demand_come_one_by_one),
        IN_SPACE(no_memory_for_a_page_leaves_nothing_behind),
        IN_SPACE(pcpus_that_fault_at_once_get_the_same_page),
        IN_SPACE(each_failing_allocation_is_undone),
        IN_SPACE(a_failed_map_gives_every_frame_back),
        IN_SPACE(copies_cross_pages_and_regions),
        IN_SPACE(a_guest_without_caches_sees_what_the_host_writes),
        IN_SPACE(copies_outside_of_memory_do_nothing),
        IN_SPACE(a_copy_without_memory_copies_nothing),
        IN_SPACE(in_region_looks_at_every_byte),
        IN_SPACE(random_operations_agree_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
