// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

static const AxEptFormat *const format = &riscv_ept_format;
static RISCVFixture f;

static int start(void **state)
{
    (void)state;
    fixture_start_free(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void the_root_has_a_shape_that_hardware_takes(void **state)
{
    static const struct {
        uint32_t modes;
        int bits;
    } harts[] = {{0x101, 41}, {0x301, 50}, {0x701, 59}, {0x001, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(harts) / sizeof(harts[0]); i++) {
        rv_sim.gstage_modes = harts[i].modes;
        for (int bits = 0; bits < 256; bits++) {
            uint8_t levels = 0xee;
            uint8_t frames = 0xee;
            const AxError error = format->root_shape((uint8_t)bits, &levels, &frames);

            if (bits < 13 || bits > harts[i].bits) {
                assert_int_equal(error, AX_ENOTSUP);
                assert_int_equal(levels, 0xee);
                assert_int_equal(frames, 0xee);
                continue;
            }
            assert_int_equal(error, AX_OK);
            assert_int_equal(frames, 4);
            // the smallest of Sv39x4, Sv48x4 and Sv57x4 that holds them
            assert_int_equal(levels, bits <= 41 ? 3 : bits <= 50 ? 4 : 5);
        }
    }
}

// A host that asks before it has found out about the hardware is told no.
static void without_h_no_root_has_a_shape(void **state)
{
    uint8_t levels;
    uint8_t frames;

    (void)state;
    rv_sim.missing[RV_REG_HGATP] = true;
    assert_int_equal(format->root_shape(39, &levels, &frames), AX_ENOTSUP);
    rv_sim.missing[RV_REG_HGATP] = false;
}

static void hgatp_holds_mode_vmid_and_root(void **state)
{
    static const struct {
        uint8_t levels;
        uint64_t hgatp;
    } cases[] = {{3, UINT64_C(0x80abc00000088000)},
                 {4, UINT64_C(0x90abc00000088000)},
                 {5, UINT64_C(0xa0abc00000088000)}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f.root.levels = cases[i].levels;
        assert_int_equal(riscv_hgatp(&f.root, 0xabc), cases[i].hgatp);
    }
}

static void leaves_have_the_bits_of_the_manual(void **state)
{
    static const struct {
        MappingFlags flags;
        uint8_t level;
        uint64_t entry; // for address 0x80000000
    } cases[] = {
        // D A G=0 U X W R V
        {AX_MAP_RIGHTS, 0, 0x200000df},
        {AX_MAP_READ | AX_MAP_EXECUTE, 0, 0x200000db},
        {AX_MAP_READ | AX_MAP_WRITE, 0, 0x200000d7},
        {AX_MAP_READ, 0, 0x200000d3},
        {AX_MAP_EXECUTE, 0, 0x200000d9},
        {AX_MAP_WRITE, 0, 0x200000d7}, // W alone is reserved
        {0, 0, 0x200002d0},            // invalid, remembered
        {AX_MAP_RIGHTS, 1, 0x200000df},
        {AX_MAP_RIGHTS, 2, 0x200000df},
        {AX_MAP_DEVICE | AX_MAP_READ | AX_MAP_WRITE, 0, 0x200001d7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t entry = format->make_leaf(ax_hpa(0x80000000), cases[i].flags,
                                                 cases[i].level);

        assert_int_equal(entry, cases[i].entry);
    }
}

static void every_leaf_reads_back_as_it_was_made(void **state)
{
    (void)state;
    for (uint8_t level = 0; level <= 2; level++) {
        for (MappingFlags flags = 0; flags <= AX_MAP_ALL; flags++) {
            const MappingFlags implied = (flags & AX_MAP_WRITE) != 0 ? AX_MAP_READ : 0;

            for (unsigned bit = 12 + 9u * level; bit < 56; bit++) {
                const uint64_t entry = format->make_leaf(ax_hpa(AX_BIT(bit)), flags, level);

                assert_int_equal(format->kind(entry, level), AX_EPT_LEAF);
                assert_int_equal(format->flags(entry), flags | implied);
                assert_int_equal(format->address(entry, level).value, AX_BIT(bit));
            }
        }
    }
}

static void every_table_reads_back_as_it_was_made(void **state)
{
    (void)state;
    for (uint8_t level = 1; level <= 4; level++) {
        for (unsigned bit = 12; bit < 56; bit++) {
            const uint64_t entry = format->make_table(ax_hpa(AX_BIT(bit)));

            assert_int_equal(format->kind(entry, level), AX_EPT_TABLE);
            assert_int_equal(format->address(entry, level).value, AX_BIT(bit));
        }
    }
}

// As hardware walks: V, then R, W and X.
static void the_low_bits_tell_the_kind(void **state)
{
    (void)state;
    for (uint8_t level = 0; level < 5; level++) {
        assert_int_equal(format->leaf_allowed(level), level < 3);
        for (uint64_t low = 0; low < 16; low++) {
            const AxEptEntryKind leaf = level < 3 ? AX_EPT_LEAF : AX_EPT_EMPTY;
            const AxEptEntryKind pointer = level > 0 ? AX_EPT_TABLE : AX_EPT_EMPTY;
            const AxEptEntryKind kind = (low & 1) == 0 ? AX_EPT_EMPTY : low == 1 ? pointer : leaf;

            assert_int_equal(format->kind(UINT64_C(0x3ffffffffffcf0) | low, level), kind);
        }
    }
}

// Also that an entry was invalid may be cached.
static void a_change_is_published_to_the_walkers(void **state)
{
    (void)state;
    format->publish();
    assert_int_equal(rv_sim.log_count, 2);
    assert_int_equal(rv_sim.log[0].op, RV_SIM_FENCE);
    assert_int_equal(rv_sim.log[1].op, RV_SIM_HFENCE_GVMA_ALL);
}

static void memory_is_synced_before_the_instructions(void **state)
{
    (void)state;
    format->sync(&f, sizeof(f));
    assert_int_equal(rv_sim.log_count, 2);
    assert_int_equal(rv_sim.log[0].op, RV_SIM_FENCE);
    assert_int_equal(rv_sim.log[1].op, RV_SIM_FENCE_I);
}

// ---- flush ----

static unsigned recalls;
static uint64_t flushes_at_recall;

static void recall(void *owner)
{
    assert_ptr_equal(owner, &f);
    recalls++;
    flushes_at_recall = atomic_load(&f.root.flushes);
    assert_int_equal(rv_sim.ops[RV_SIM_FENCE], 1);
}

static uint64_t give_the_root_a_vmid(void)
{
    fixture_bind(&f);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    rv_sim_clear_log();
    return f.vcpu.vmid;
}

// Harts without VMIDs have entries all the same.
static void a_root_without_a_vmid_flushes_what_has_none(void **state)
{
    (void)state;
    format->flush(&f.root, ax_gpa(0), 0x1000);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_ALL], 1);
}

static void a_flush_is_told_to_all_who_may_hold_entries(void **state)
{
    const uint64_t vmid = give_the_root_a_vmid();

    (void)state;
    recalls = 0;
    f.root.recall = recall;
    f.root.owner = &f;
    format->flush(&f.root, ax_gpa(0x80001000), 0x1000);
    assert_int_equal(rv_sim.log_count, 2);
    assert_int_equal(rv_sim.log[0].op, RV_SIM_FENCE); // tables written
    assert_int_equal(rv_sim.log[1].op, RV_SIM_HFENCE_GVMA);
    assert_int_equal(rv_sim.log[1].value, 0x80001000);
    assert_int_equal(rv_sim.log[1].id, vmid);
    assert_int_equal(recalls, 1);
    assert_int_equal(flushes_at_recall, 1); // whoever binds meanwhile sees it
}

static void a_large_range_does_not_go_page_by_page(void **state)
{
    static const struct {
        uint64_t gpa;
        uint64_t size;
        unsigned pages; // 0: everything
    } cases[] = {
        {0, 1, 1},       {0xfff, 2, 2},      {0x1000, 0x1000, 1},     {0, 0x40000, 64},
        {0, 0x40001, 0}, {0, UINT64_MAX, 0}, {0x200000, 0x200000, 0}, {0, 0, 0},
    };
    const uint64_t vmid = give_the_root_a_vmid();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rv_sim_clear_log();
        format->flush(&f.root, ax_gpa(cases[i].gpa), cases[i].size);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA], cases[i].pages);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], cases[i].pages == 0);
        assert_int_equal(rv_sim.log[1].id, vmid);
        assert_int_equal(rv_sim.log[1].value % AX_PAGE_SIZE, 0);
    }
    assert_int_equal(atomic_load(&f.root.flushes), sizeof(cases) / sizeof(cases[0]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_has_a_shape_that_hardware_takes),
        TEST(without_h_no_root_has_a_shape),
        TEST(hgatp_holds_mode_vmid_and_root),
        TEST(leaves_have_the_bits_of_the_manual),
        TEST(every_leaf_reads_back_as_it_was_made),
        TEST(every_table_reads_back_as_it_was_made),
        TEST(the_low_bits_tell_the_kind),
        TEST(a_change_is_published_to_the_walkers),
        TEST(memory_is_synced_before_the_instructions),
        TEST(a_root_without_a_vmid_flushes_what_has_none),
        TEST(a_flush_is_told_to_all_who_may_hold_entries),
        TEST(a_large_range_does_not_go_page_by_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
