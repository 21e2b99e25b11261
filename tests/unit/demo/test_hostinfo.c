// SPDX-License-Identifier: Apache-2.0
// A tree like that of QEMU's virt board is built, one thing in it changed, and read.
#include "hostinfo_fdt.h"
#include "tree.h"

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

static void put_chosen(void)
{
    check(fdt_begin_node(tree, "chosen"));
    check(fdt_property_string(tree, "bootargs", "axvm.log=debug"));
    CELLS("rng-seed", 0x00010203, 0x04050607, 2, 3, 4, 5, 6, 0xfffefdfc);
    CELLS("linux,initrd-start", 0x48000000);
    CELLS("linux,initrd-end", 0, 0x48001234);
    check(fdt_end_node(tree));
}

static void build(void)
{
    tree_begin();
    put_memory();
    put_chosen();
    put_cpus();
    tree_end();
}

static HostInfo must_read(void)
{
    HostInfo info;
    const char *why = "?";

    assert_true(hostinfo_read_fdt(&info, tree, 0, &why));
    assert_null(why);
    return info;
}

static void must_name(const char *thing)
{
    HostInfo info;
    const char *why = NULL;

    assert_false(hostinfo_read_fdt(&info, tree, 0, &why));
    assert_names(why, thing);
}

static void everything_is_found_in_a_tree_like_qemus(void **state)
{
    (void)state;
    build();
    const HostInfo info = must_read();

    assert_int_equal(info.memory.count, 2);
    assert_int_equal(info.memory.items[1].base, 0x1000000000);
    assert_int_equal(info.memory.items[1].size, 0x100000000);
    assert_int_equal(info.reserved.count, 3);
    assert_int_equal(info.reserved.items[0].base, 0x60000000);
    assert_int_equal(info.reserved.items[1].size, 0x100000);
    assert_int_equal(info.reserved.items[2].base, (uintptr_t)tree);
    assert_int_equal(info.reserved.items[2].size, TREE_SIZE);
    assert_int_equal(info.initrd.base, 0x48000000);
    assert_int_equal(info.initrd.size, 0x1234);
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
    assert_int_equal(info.reserved.count, 2);
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
    (void)state;
    build();
    check(fdt_del_node(tree, node_at("/cpus")));
    must_name("/cpus");
    build();
    check(fdt_del_node(tree, node_at("/memory@40000000")));
    check(fdt_del_node(tree, node_at("/memory@1000000000")));
    must_name("memory");
}

static void a_damaged_property_is_named(void **state)
{
    static const Damage cuts[] = {
        {"/memory@40000000", "reg", 12, "memory"},
        {"/reserved-memory/firmware@50000000", "reg", 4, "/reserved-memory"},
        {"/chosen", "linux,initrd-end", 3, "initrd-end"},
        {"/chosen", "bootargs", 4, "bootargs"},
        {"/cpus/cpu@100", "reg", 8, "/cpus"},
        {"/cpus", "#address-cells", 4, "/cpus"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        build();
        tree_damage(&cuts[i]);
        must_name(cuts[i].named);
    }
}

static void cpus_that_are_not_ours_are_left_out(void **state)
{
    static const char *const texts[] = {"disabled", "fail", "fail-sss", "okay but"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        build();
        check(fdt_setprop(tree, node_at("/cpus/cpu@0"), "status", texts[i],
                          (int)strlen(texts[i]) + 1));
        const HostInfo info = must_read();

        assert_int_equal(info.cpu_count, 1);
        assert_int_equal(info.cpus[0], 0x100);
    }
    build();
    check(fdt_setprop_string(tree, node_at("/cpus/cpu@0"), "status", "okay"));
    assert_int_equal(must_read().cpu_count, 2);
}

// Numbers 0x10 .. 0x1b, as the loader counts.
static void build_many_cpus(void)
{
    tree_begin();
    check(fdt_begin_node(tree, "cpus"));
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    for (uint32_t cpu = 0; cpu < HOST_CPUS_MAX + 4; cpu++) {
        char name[16];

        snprintf(name, sizeof(name), "cpu@%x", cpu + 0x10);
        check(fdt_begin_node(tree, name));
        check(fdt_property_string(tree, "device_type", "cpu"));
        CELLS("reg", cpu + 0x10);
        check(fdt_end_node(tree));
    }
    check(fdt_end_node(tree));
    tree_end();
}

static void the_boot_cpu_is_never_one_too_many(void **state)
{
    HostInfo info;
    const char *why;

    (void)state;
    build_many_cpus();
    for (uint32_t boot = 0x10; boot < 0x10 + HOST_CPUS_MAX + 4; boot++) {
        assert_true(hostinfo_read_fdt(&info, tree, boot, &why));
        assert_int_equal(info.cpu_count, HOST_CPUS_MAX);
        assert_int_equal(info.cpus[hostinfo_find_cpu(&info, boot)], boot);
        assert_int_equal(info.cpus[0], 0x10);
    }
    assert_int_equal(hostinfo_find_cpu(&info, 0x99), 0);
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
        const bool read = hostinfo_read_fdt(&info, copy, 0, &why);

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
        cmocka_unit_test(cpus_that_are_not_ours_are_left_out),
        cmocka_unit_test(the_boot_cpu_is_never_one_too_many),
        cmocka_unit_test(an_initrd_must_lie_in_memory_and_have_a_size),
        cmocka_unit_test(a_command_line_too_long_is_refused),
        cmocka_unit_test(what_is_no_tree_is_refused),
        cmocka_unit_test(any_damaged_byte_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
