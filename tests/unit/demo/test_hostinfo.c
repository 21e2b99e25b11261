// SPDX-License-Identifier: Apache-2.0
// A tree like that of QEMU's virt board is built, one thing in it changed, and read.
#include "hostinfo.h"
#include "test.h"

#include <libfdt.h>

#define TREE_SIZE 8192

static uint8_t tree[TREE_SIZE];

static void check(int error)
{
    assert_int_equal(error, 0);
}

static void put_cells(const char *name, size_t count, const uint32_t *cells)
{
    fdt32_t data[32];

    for (size_t i = 0; i < count; i++) {
        data[i] = cpu_to_fdt32(cells[i]);
    }
    check(fdt_property(tree, name, data, (int)(count * sizeof(data[0]))));
}

#define CELLS(name, ...) \
    put_cells((name), COUNT(((uint32_t[]){__VA_ARGS__})), (uint32_t[]){__VA_ARGS__})

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
}

static void put_cpus(void)
{
    check(fdt_begin_node(tree, "cpus"));
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    check(fdt_begin_node(tree, "cpu-map"));
    check(fdt_end_node(tree));
    for (uint32_t cpu = 0; cpu < 2; cpu++) {
        check(fdt_begin_node(tree, cpu == 0 ? "cpu@0" : "cpu@100"));
        check(fdt_property_string(tree, "device_type", "cpu"));
        CELLS("reg", cpu * 0x100);
        check(fdt_end_node(tree));
    }
    check(fdt_end_node(tree));
}

static void put_memory(void)
{
    check(fdt_begin_node(tree, "memory@40000000"));
    check(fdt_property_string(tree, "device_type", "memory"));
    CELLS("reg", 0, 0x40000000, 0, 0x40000000);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "memory@1000000000"));
    check(fdt_property_string(tree, "device_type", "memory"));
    CELLS("reg", 0x10, 0, 1, 0);
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "reserved-memory"));
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    check(fdt_begin_node(tree, "firmware@50000000"));
    CELLS("reg", 0, 0x50000000, 0, 0x100000);
    check(fdt_end_node(tree));
    check(fdt_end_node(tree));
}

static void build(void)
{
    check(fdt_create(tree, TREE_SIZE));
    check(fdt_add_reservemap_entry(tree, 0x60000000, 0x1000));
    check(fdt_finish_reservemap(tree));
    check(fdt_begin_node(tree, ""));
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    check(fdt_begin_node(tree, "psci"));
    check(fdt_property_string(tree, "method", "smc"));
    check(fdt_end_node(tree));
    check(fdt_begin_node(tree, "chosen"));
    check(fdt_property_string(tree, "bootargs", "axvm.log=debug"));
    CELLS("rng-seed", 0x00010203, 0x04050607, 2, 3, 4, 5, 6, 0xfffefdfc);
    CELLS("linux,initrd-start", 0x48000000);
    CELLS("linux,initrd-end", 0, 0x48001234);
    check(fdt_end_node(tree));
    put_memory();
    put_devices();
    put_cpus();
    check(fdt_end_node(tree));
    check(fdt_finish(tree));
    check(fdt_open_into(tree, tree, TREE_SIZE));
}

static int node_at(const char *path)
{
    const int node = fdt_path_offset(tree, path);

    assert_in_range(node, 0, TREE_SIZE);
    return node;
}

static HostInfo must_read(void)
{
    HostInfo info;
    const char *why = "?";

    assert_true(hostinfo_read(&info, tree, &why));
    assert_null(why);
    return info;
}

static void must_name(const char *thing)
{
    HostInfo info;
    const char *why = NULL;

    assert_false(hostinfo_read(&info, tree, &why));
    assert_non_null(why);
    if (strstr(why, thing) == NULL) {
        fail_msg("'%s' does not name '%s'", why, thing);
    }
}

static void everything_is_found_in_a_tree_like_qemus(void **state)
{
    (void)state;
    build();
    const HostInfo info = must_read();

    assert_int_equal(info.memory.count, 2);
    assert_int_equal(info.memory.items[1].base, 0x1000000000);
    assert_int_equal(info.memory.items[1].size, 0x100000000);
    assert_int_equal(info.reserved.count, 2);
    assert_int_equal(info.reserved.items[0].base, 0x60000000);
    assert_int_equal(info.reserved.items[1].size, 0x100000);
    assert_int_equal(info.initrd.base, 0x48000000);
    assert_int_equal(info.initrd.size, 0x1234);
    assert_int_equal(info.uart.base, 0x9000000);
    assert_int_equal(info.uart_irq, 33);
    assert_int_equal(info.gicd.base, 0x8000000);
    assert_int_equal(info.gicr.count, 2);
    assert_int_equal(info.gicr.items[1].base, 0x4000000000);
    assert_int_equal(info.virt_timer_irq, 27);
    assert_int_equal(info.hyp_timer_irq, 26);
    assert_int_equal(info.cpu_count, 2);
    assert_int_equal(info.cpus[1], 0x100);
    assert_true(info.has_seed);
    assert_int_equal(info.seed[7], 7);
    assert_int_equal(info.seed[31], 0xfc);
    assert_string_equal(info.bootargs, "axvm.log=debug");
}

static void what_is_optional_may_be_missing(void **state)
{
    (void)state;
    build();
    check(fdt_del_node(tree, node_at("/chosen")));
    check(fdt_del_node(tree, node_at("/reserved-memory")));
    const HostInfo info = must_read();

    assert_int_equal(info.initrd.size, 0);
    assert_int_equal(info.reserved.count, 1);
    assert_string_equal(info.bootargs, "");
    assert_false(info.has_seed);
}

static void a_seed_too_short_is_none(void **state)
{
    (void)state;
    build();
    check(fdt_setprop(tree, node_at("/chosen"), "rng-seed", "0123456789", 10));
    assert_false(must_read().has_seed);
}

static void a_missing_node_is_named(void **state)
{
    static const struct {
        const char *path;
        const char *named;
    } nodes[] = {
        {"/psci", "/psci"},  {"/pl011@9000000", "PL011"}, {"/intc@8000000", "GICv3"},
        {"/timer", "timer"}, {"/cpus", "/cpus"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(nodes); i++) {
        build();
        check(fdt_del_node(tree, node_at(nodes[i].path)));
        must_name(nodes[i].named);
    }
    build();
    check(fdt_del_node(tree, node_at("/memory@40000000")));
    check(fdt_del_node(tree, node_at("/memory@1000000000")));
    must_name("memory");
}

static void a_damaged_property_is_named(void **state)
{
    static const struct {
        const char *path;
        const char *property;
        int length;
        const char *named;
    } cuts[] = {
        {"/memory@40000000", "reg", 12, "memory"},
        {"/reserved-memory/firmware@50000000", "reg", 4, "/reserved-memory"},
        {"/chosen", "linux,initrd-end", 3, "initrd-end"},
        {"/chosen", "bootargs", 4, "bootargs"},
        {"/pl011@9000000", "reg", 0, "PL011"},
        {"/pl011@9000000", "interrupts", 8, "PL011"},
        {"/intc@8000000", "reg", 16, "GICv3"},
        {"/timer", "interrupts", 36, "timer"},
        {"/cpus/cpu@100", "reg", 8, "/cpus"},
        {"/cpus", "#address-cells", 4, "/cpus"},
        {"/psci", "method", 2, "/psci"},
    };
    static const uint8_t junk[64] = {0xff, 0xff, 0xff, 0xff};

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        build();
        check(fdt_setprop(tree, node_at(cuts[i].path), cuts[i].property, junk, cuts[i].length));
        must_name(cuts[i].named);
    }
}

static void an_initrd_must_lie_in_memory_and_have_a_size(void **state)
{
    static const uint64_t bad[][2] = {
        {0x48000000, 0x48000000},
        {0x48000000, 0x47000000},
        {0x30000000, 0x30001000},
        {0x7ffff000, 0x80001000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        build();
        check(fdt_setprop_u64(tree, node_at("/chosen"), "linux,initrd-start", bad[i][0]));
        check(fdt_setprop_u64(tree, node_at("/chosen"), "linux,initrd-end", bad[i][1]));
        must_name("initrd");
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

static void a_command_line_too_long_is_refused(void **state)
{
    char words[HOST_BOOTARGS_SIZE + 1];

    (void)state;
    memset(words, 'x', sizeof(words));
    words[sizeof(words) - 1] = '\0';
    build();
    check(fdt_setprop(tree, node_at("/chosen"), "bootargs", words, (int)sizeof(words)));
    must_name("bootargs");
}

static void what_is_no_tree_is_refused(void **state)
{
    (void)state;
    build();
    tree[0] ^= 1;
    must_name("header");
    memset(tree, 0, sizeof(tree));
    must_name("header");
}

// Whatever one byte of the structure becomes, reading ends, inside the tree.
static void any_damaged_byte_is_survived(void **state)
{
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
        const bool read = hostinfo_read(&info, copy, &why);

        assert_int_equal(read, why == NULL);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_in_a_tree_like_qemus),
        cmocka_unit_test(what_is_optional_may_be_missing),
        cmocka_unit_test(a_seed_too_short_is_none),
        cmocka_unit_test(a_missing_node_is_named),
        cmocka_unit_test(a_damaged_property_is_named),
        cmocka_unit_test(an_initrd_must_lie_in_memory_and_have_a_size),
        cmocka_unit_test(redistributor_regions_must_be_listed),
        cmocka_unit_test(a_command_line_too_long_is_refused),
        cmocka_unit_test(what_is_no_tree_is_refused),
        cmocka_unit_test(any_damaged_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
