// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static const AxEptFormat *const format = &aarch64_ept_format;
static ArmFixture f;

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

// S2InconsistentSL() of the Arm ARM: a start level fits when it resolves 1 to 9 + 4 bits.
static bool start_level_fits(int bits, int levels)
{
    const int below = 9 * (levels - 1) + 12;

    return bits - below >= 1 && bits - below <= 9 + 4;
}

static void the_root_has_a_shape_that_hardware_takes(void **state)
{
    static const int pa_bits[] = {32, 36, 40, 42, 44, 48, 48};

    (void)state;
    for (unsigned range = 0; range < 7; range++) {
        arm_sim.reg[ARM_REG_ID_AA64MMFR0_EL1] = range;
        for (int bits = 0; bits < 256; bits++) {
            uint8_t levels = 0xee;
            uint8_t frames = 0xee;
            const AxError error = format->root_shape((uint8_t)bits, &levels, &frames);

            if (bits < 25 || bits > pa_bits[range]) {
                assert_int_equal(error, AX_ENOTSUP);
                assert_int_equal(levels, 0xee);
                assert_int_equal(frames, 0xee);
                continue;
            }
            assert_int_equal(error, AX_OK);
            assert_true(start_level_fits(bits, levels));
            assert_in_range(levels, 2, 4);
            assert_in_range(frames, 1, 16);
            // The frames hold exactly what is beyond the levels below, or one table holds less.
            const int root_bits = bits - (9 * (levels - 1) + 12);
            assert_int_equal(frames, root_bits > 9 ? 1 << (root_bits - 9) : 1);
            // A four-level walk needs a CPU with at least 44 bits.
            assert_true(levels < 4 || pa_bits[range] >= 44);
        }
    }
}

static void vtcr_describes_the_root(void **state)
{
    static const struct {
        uint8_t gpa_bits;
        uint8_t levels;
        uint8_t pa_bits;
        uint8_t vmid_bits;
        uint64_t vtcr;
    } cases[] = {
        // RES1, VS, PS, 4 KiB, inner shareable, write-back, SL0, T0SZ
        {40, 3, 44, 8, 0x80043558},  {40, 3, 40, 16, 0x800a3558}, {39, 3, 48, 16, 0x800d3559},
        {48, 4, 48, 16, 0x800d3590}, {44, 4, 44, 8, 0x80043594},  {43, 3, 44, 8, 0x80043555},
        {30, 2, 32, 8, 0x80003522},  {36, 3, 36, 8, 0x8001355c},  {42, 3, 42, 8, 0x80033556},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const Aarch64Features features = {.pa_bits = cases[i].pa_bits,
                                          .vmid_bits = cases[i].vmid_bits};
        const AxEptRoot root = {.levels = cases[i].levels, .gpa_bits = cases[i].gpa_bits};

        assert_int_equal(aarch64_vtcr(&features, &root), cases[i].vtcr);
    }
}

static void vttbr_holds_root_and_vmid(void **state)
{
    (void)state;
    assert_int_equal(aarch64_vttbr(&f.root, 0xabcd), UINT64_C(0xabcd000048000000));
}

static void leaves_have_the_bits_of_the_manual(void **state)
{
    static const struct {
        MappingFlags flags;
        uint8_t level;
        uint64_t entry; // for address 0x80000000
    } cases[] = {
        // page: 11, MemAttr 1111, S2AP, SH inner, AF
        {AX_MAP_RIGHTS, 0, UINT64_C(0x00000000800007ff)},
        {AX_MAP_READ | AX_MAP_EXECUTE, 0, UINT64_C(0x000000008000077f)},
        {AX_MAP_READ | AX_MAP_WRITE, 0, UINT64_C(0x00400000800007ff)},
        {AX_MAP_READ, 0, UINT64_C(0x004000008000077f)},
        {AX_MAP_WRITE, 0, UINT64_C(0x00400000800007bf)},
        {0, 0, UINT64_C(0x004000008000073f)},
        {AX_MAP_RIGHTS, 1, UINT64_C(0x00000000800007fd)},
        {AX_MAP_RIGHTS, 2, UINT64_C(0x00000000800007fd)},
        // Device-nGnRE
        {AX_MAP_DEVICE | AX_MAP_READ | AX_MAP_WRITE, 0, UINT64_C(0x00400000800007c7)},
        {AX_MAP_DEVICE | AX_MAP_READ, 1, UINT64_C(0x0040000080000745)},
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
            for (unsigned bit = 12 + 9u * level; bit < 48; bit++) {
                const uint64_t entry = format->make_leaf(ax_hpa(AX_BIT(bit)), flags, level);

                assert_int_equal(format->kind(entry, level), AX_EPT_LEAF);
                assert_int_equal(format->flags(entry), flags);
                assert_int_equal(format->address(entry, level).value, AX_BIT(bit));
            }
        }
    }
}

static void every_table_reads_back_as_it_was_made(void **state)
{
    (void)state;
    for (uint8_t level = 1; level <= 3; level++) {
        for (unsigned bit = 12; bit < 48; bit++) {
            const uint64_t entry = format->make_table(ax_hpa(AX_BIT(bit)));

            assert_int_equal(format->kind(entry, level), AX_EPT_TABLE);
            assert_int_equal(format->address(entry, level).value, AX_BIT(bit));
        }
    }
}

static void the_low_bits_tell_the_kind(void **state)
{
    static const AxEptEntryKind kinds[4][4] = {
        // 00, block, 10, page or table
        {AX_EPT_EMPTY, AX_EPT_EMPTY, AX_EPT_EMPTY, AX_EPT_LEAF},
        {AX_EPT_EMPTY, AX_EPT_LEAF, AX_EPT_EMPTY, AX_EPT_TABLE},
        {AX_EPT_EMPTY, AX_EPT_LEAF, AX_EPT_EMPTY, AX_EPT_TABLE},
        {AX_EPT_EMPTY, AX_EPT_EMPTY, AX_EPT_EMPTY, AX_EPT_TABLE}, // no blocks of 512 GiB
    };

    (void)state;
    for (uint8_t level = 0; level < 4; level++) {
        assert_int_equal(format->leaf_allowed(level), level < 3);
        for (uint64_t low = 0; low < 4; low++) {
            assert_int_equal(format->kind(UINT64_C(0xfffffffffffc) | low, level),
                             kinds[level][low]);
        }
    }
}

static void a_change_is_published_to_the_walkers(void **state)
{
    (void)state;
    format->publish();
    assert_int_equal(arm_sim.log_count, 1);
    assert_int_equal(arm_sim.ops[ARM_SIM_DSB_ISHST], 1);
}

// ---- flush ----

// The operations of the log but for register accesses.
static size_t operations(ArmSimEvent *out, size_t most)
{
    size_t count = 0;

    for (size_t i = 0; i < arm_sim.log_count; i++) {
        if (arm_sim.log[i].op != ARM_SIM_READ && arm_sim.log[i].op != ARM_SIM_WRITE) {
            assert_true(count < most);
            out[count++] = arm_sim.log[i];
        }
    }
    return count;
}

static void memory_is_synced_line_by_line_before_the_instruction_caches(void **state)
{
    // Simulated cache lines are 64 bytes: 100 bytes from the end of one touch three.
    const uintptr_t memory = 0x40000000 + 60;

    (void)state;
    arm_sim_clear_log();
    format->sync((const void *)memory, 100);
    assert_int_equal(arm_sim.ops[ARM_SIM_DC_CIVAC], 3);
    assert_int_equal(arm_sim.ops[ARM_SIM_DSB_ISH], 2);
    assert_int_equal(arm_sim.ops[ARM_SIM_IC_IALLUIS], 1);
    arm_sim_clear_log();
    format->sync((const void *)memory, 0);
    assert_int_equal(arm_sim.ops[ARM_SIM_DC_CIVAC], 1);
}

static void a_root_that_never_ran_has_nothing_to_flush(void **state)
{
    (void)state;
    format->flush(&f.root, ax_gpa(0), 0);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS], 0);
    assert_int_equal(arm_sim.writes[ARM_REG_VTTBR_EL2], 0);
}

static uint64_t give_the_root_a_vmid(void)
{
    uint64_t vmid;

    assert_int_equal(aarch64_vmid_acquire(&f.root, 8, &vmid), AX_OK);
    aarch64_vmid_release(&f.root);
    arm_sim.reg[ARM_REG_VTTBR_EL2] = 0x1230; // of somebody else
    arm_sim.reg[ARM_REG_DAIF] = 0x40;
    arm_sim_clear_log();
    return aarch64_vttbr(&f.root, vmid);
}

static void pages_are_flushed_in_the_order_of_the_manual(void **state)
{
    static const ArmSimOp order[] = {
        ARM_SIM_DSB_ISH, // tables written
        ARM_SIM_ISB,     // VMID switched
        ARM_SIM_TLBI_IPAS2E1IS,
        ARM_SIM_TLBI_IPAS2E1IS,
        ARM_SIM_DSB_ISH,
        ARM_SIM_TLBI_VMALLE1IS,
        ARM_SIM_DSB_ISH,
        ARM_SIM_ISB, // and back
    };
    ArmSimEvent events[16];
    size_t count;
    const uint64_t vttbr = give_the_root_a_vmid();

    (void)state;
    format->flush(&f.root, ax_gpa(0x40001000), 0x2000);
    count = operations(events, 16);
    assert_int_equal(count, sizeof(order) / sizeof(order[0]));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].op, order[i]);
    }
    assert_int_equal(events[2].value, 0x40001);
    assert_int_equal(events[3].value, 0x40002);
    for (size_t i = 1; i < count - 1; i++) {
        assert_int_equal(events[i].vttbr, vttbr);
    }
    assert_int_equal(arm_sim.reg[ARM_REG_VTTBR_EL2], 0x1230);
}

static void a_whole_space_is_flushed_at_once(void **state)
{
    const uint64_t vttbr = give_the_root_a_vmid();
    ArmSimEvent events[16];

    (void)state;
    format->flush(&f.root, ax_gpa(0), 0);
    assert_int_equal(operations(events, 16), 5);
    assert_int_equal(events[2].op, ARM_SIM_TLBI_VMALLS12E1IS);
    assert_int_equal(events[2].vttbr, vttbr);
    assert_int_equal(events[3].op, ARM_SIM_DSB_ISH);
}

static void a_large_range_does_not_go_page_by_page(void **state)
{
    static const struct {
        uint64_t gpa;
        uint64_t size;
        unsigned pages; // 0: everything
    } cases[] = {
        {0, 1, 1},       {0xfff, 2, 2},      {0x1000, 0x1000, 1},     {0, 0x40000, 64},
        {0, 0x40001, 0}, {0, UINT64_MAX, 0}, {0x200000, 0x200000, 0},
    };

    (void)state;
    give_the_root_a_vmid();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        arm_sim_clear_log();
        format->flush(&f.root, ax_gpa(cases[i].gpa), cases[i].size);
        assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_IPAS2E1IS], cases[i].pages);
        assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS], cases[i].pages == 0);
    }
}

static uint64_t daif_at_tlbi;

static void note_daif(ArmReg reg, uint64_t value)
{
    if (reg == ARM_REG_VTTBR_EL2 && value != 0x1230) {
        daif_at_tlbi = arm_sim.reg[ARM_REG_DAIF];
    }
}

// A host that was preempted here could run another guest under this VMID.
static void nothing_interrupts_a_flush(void **state)
{
    (void)state;
    give_the_root_a_vmid();
    daif_at_tlbi = 0;
    arm_sim.write_hook = note_daif;
    format->flush(&f.root, ax_gpa(0), 0x1000);
    assert_int_equal(daif_at_tlbi, 0x3c0);
    assert_int_equal(arm_sim.reg[ARM_REG_DAIF], 0x40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_has_a_shape_that_hardware_takes),
        TEST(vtcr_describes_the_root),
        TEST(vttbr_holds_root_and_vmid),
        TEST(leaves_have_the_bits_of_the_manual),
        TEST(every_leaf_reads_back_as_it_was_made),
        TEST(every_table_reads_back_as_it_was_made),
        TEST(the_low_bits_tell_the_kind),
        TEST(a_change_is_published_to_the_walkers),
        TEST(memory_is_synced_line_by_line_before_the_instruction_caches),
        TEST(a_root_that_never_ran_has_nothing_to_flush),
        TEST(pages_are_flushed_in_the_order_of_the_manual),
        TEST(a_whole_space_is_flushed_at_once),
        TEST(a_large_range_does_not_go_page_by_page),
        TEST(nothing_interrupts_a_flush),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
