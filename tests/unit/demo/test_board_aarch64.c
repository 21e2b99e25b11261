// SPDX-License-Identifier: Apache-2.0
// A tree like that of QEMU's virt board is built, one thing in it changed, and read.
#include "aarch64/board.h"
#include "hostinfo_fdt.h"
#include "tree.h"

static void put_devices(void)
{
    check(fdt_begin_node(tree, "pl011@9000000"));
    check(fdt_property(tree, "compatible", "arm,pl011\0arm,primecell", 24));
    CELLS("reg", 0, 0x9000000, 0, 0x1000);
    CELLS("interrupts", 0, 1, 4);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "intc@8000000"));
    check(fdt_property_string(tree, "compatible", "arm,gic-v3"));
    CELLS("#redistributor-regions", 2);
    CELLS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000, 0x40, 0, 0, 0x4000000);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "timer"));
    check(fdt_property_string(tree, "compatible", "arm,armv8-timer"));
    CELLS("interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "psci"));
    check(fdt_property_string(tree, "method", "smc"));
    check(fdt_end_node(tree));
}

static void build(void)
{
    tree_begin();
    put_devices();
    check(fdt_begin_node(tree, "cpus"));
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    check(fdt_begin_node(tree, "cpu@100"));
    check(fdt_property_string(tree, "device_type", "cpu"));
    CELLS("reg", 0x100);
    check(fdt_end_node(tree));
    check(fdt_end_node(tree));
    tree_end();
}

static bool read(Aarch64Board *board, HostInfo *info, const char **why)
{
    *why = "?";
    return hostinfo_read_fdt(info, tree, 0x100, why) && aarch64_board_read(board, info, tree, why);
}

static void must_name(const char *thing)
{
    Aarch64Board board;
    HostInfo info;
    const char *why;

    assert_false(read(&board, &info, &why));
    assert_names(why, thing);
}

static void everything_is_found_in_a_tree_like_qemus(void **state)
{
    Aarch64Board board;
    HostInfo info;
    const char *why;

    (void)state;
    build();
    assert_true(read(&board, &info, &why));
    assert_null(why);
    assert_int_equal(board.uart.base, 0x9000000);
    assert_int_equal(board.uart_irq, 33);
    assert_int_equal(board.gicd.base, 0x8000000);
    assert_int_equal(board.gicr.count, 2);
    assert_int_equal(board.gicr.items[1].base, 0x4000000000);
    assert_int_equal(board.virt_timer_irq, 27);
    assert_int_equal(board.hyp_timer_irq, 26);
}

static void its_devices_belong_to_the_hypervisor(void **state)
{
    static const uint64_t taken[] = {0x9000000, 0x8000000, 0x80a0000, 0x4000000000};
    Aarch64Board board;
    HostInfo info;
    const char *why;

    (void)state;
    build();
    assert_true(read(&board, &info, &why));
    assert_int_equal(info.devices.count, COUNT(taken));
    for (size_t i = 0; i < COUNT(taken); i++) {
        assert_true(ranges_contain(&info.devices, (Range){.base = taken[i], .size = 0x1000}));
    }
}

static void its_cpus_tell_their_counters_rate(void **state)
{
    Aarch64Board board;
    HostInfo info;
    const char *why;

    (void)state;
    build();
    assert_true(read(&board, &info, &why));
    assert_int_equal(info.counter_hz, 0);
    assert_null(info.isa);
}

static void a_missing_node_is_named(void **state)
{
    static const char *const nodes[][2] = {
        {"/psci", "/psci"},
        {"/pl011@9000000", "PL011"},
        {"/intc@8000000", "GICv3"},
        {"/timer", "timer"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(nodes); i++) {
        build();
        check(fdt_del_node(tree, node_at(nodes[i][0])));
        must_name(nodes[i][1]);
    }
}

static void a_damaged_property_is_named(void **state)
{
    static const Damage cuts[] = {
        {"/pl011@9000000", "reg", 0, "PL011"}, {"/pl011@9000000", "interrupts", 8, "PL011"},
        {"/intc@8000000", "reg", 16, "GICv3"}, {"/timer", "interrupts", 36, "timer"},
        {"/psci", "method", 2, "/psci"},       {"/cpus/cpu@100", "reg", 4, "/cpus"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        build();
        tree_damage(&cuts[i]);
        must_name(cuts[i].named);
    }
}

static void redistributor_regions_must_be_listed(void **state)
{
    static const uint32_t bad[] = {0, 3, HOST_GICR_MAX + 1, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        build();
        check(fdt_setprop_u32(tree, node_at("/intc@8000000"), "#redistributor-regions", bad[i]));
        must_name("GICv3");
    }
}

// Whatever one byte of the structure becomes, reading ends, inside the tree.
static void any_damaged_byte_is_survived(void **state)
{
    Aarch64Board board;
    HostInfo info;
    const char *why;

    (void)state;
    build();
    check(fdt_pack(tree));
    const uint32_t size = fdt_totalsize(tree);

    for (uint32_t at = sizeof(struct fdt_header); at < size; at++) {
        uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, tree, size);
        copy[at] ^= 0xff;
        if (hostinfo_read_fdt(&info, copy, 0x100, &why)) {
            const bool good = aarch64_board_read(&board, &info, copy, &why);

            assert_int_equal(good, why == NULL);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_in_a_tree_like_qemus),
        cmocka_unit_test(its_devices_belong_to_the_hypervisor),
        cmocka_unit_test(its_cpus_tell_their_counters_rate),
        cmocka_unit_test(a_missing_node_is_named),
        cmocka_unit_test(a_damaged_property_is_named),
        cmocka_unit_test(redistributor_regions_must_be_listed),
        cmocka_unit_test(any_damaged_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
