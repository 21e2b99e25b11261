// SPDX-License-Identifier: Apache-2.0
/* A device tree like that of QEMU's virt board, built piece by piece; tests change one thing in it. */
#pragma once

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

/* The root is open afterwards. */
static void tree_begin(void)
{
    check(fdt_create(tree, TREE_SIZE));
    check(fdt_add_reservemap_entry(tree, 0x60000000, 0x1000));
    check(fdt_finish_reservemap(tree));
    check(fdt_begin_node(tree, ""));
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    check(fdt_begin_node(tree, "memory@40000000"));
    check(fdt_property_string(tree, "device_type", "memory"));
    CELLS("reg", 0, 0x40000000, 0, 0x40000000);
    check(fdt_end_node(tree));
}

static void tree_end(void)
{
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

/* One property of a node, and what the sentence names that refuses a tree where it is damaged. */
typedef struct Damage {
    const char *path;
    const char *property;
    int length; /* of junk that it is replaced by */
    const char *named;
} Damage;

static void tree_damage(const Damage *damage)
{
    static const uint8_t junk[64] = {0xff, 0xff, 0xff, 0xff};

    check(fdt_setprop(tree, node_at(damage->path), damage->property, junk, damage->length));
}

static void assert_names(const char *why, const char *thing)
{
    assert_non_null(why);
    if (strstr(why, thing) == NULL) {
        fail_msg("'%s' does not name '%s'", why, thing);
    }
}
