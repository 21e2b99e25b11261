// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <libfdt.h>

#define NAME_ROOM 64u

static void note(AxTree *tree, int error)
{
    if (tree->error == 0) {
        tree->error = error;
    }
}

void axvm_tree_begin(AxTree *tree, void *buffer, size_t room)
{
    *tree = (AxTree){.fdt = buffer};
    note(tree, room <= INT_MAX ? fdt_create(buffer, (int)room) : -FDT_ERR_NOSPACE);
    note(tree, tree->error == 0 ? fdt_finish_reservemap(buffer) : 0);
}

AxError axvm_tree_finish(AxTree *tree, size_t *size)
{
    note(tree, tree->error == 0 ? fdt_finish(tree->fdt) : 0);
    if (tree->error != 0) {
        return tree->error == -FDT_ERR_NOSPACE ? AX_ENOSPC : AX_EFORMAT;
    }
    *size = fdt_totalsize(tree->fdt);
    return AX_OK;
}

void axvm_tree_node(AxTree *tree, const char *name)
{
    note(tree, tree->error == 0 ? fdt_begin_node(tree->fdt, name) : 0);
}

void axvm_tree_end_node(AxTree *tree)
{
    note(tree, tree->error == 0 ? fdt_end_node(tree->fdt) : 0);
}

static void property(AxTree *tree, const char *name, const void *value, size_t size)
{
    note(tree, tree->error == 0 ? fdt_property(tree->fdt, name, value, (int)size) : 0);
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
    }
    return length;
}

// "<text>@<address>" into NAME_ROOM bytes, cut where they end.
static void join(char *out, const char *text, uint64_t address)
{
    size_t at = 0;
    unsigned shift = 60;

    for (; *text != '\0' && at < NAME_ROOM - 18; text++) {
        out[at++] = *text;
    }
    out[at++] = '@';
    while (shift > 0 && address >> shift == 0) {
        shift -= 4;
    }
    for (;; shift -= 4) {
        out[at++] = "0123456789abcdef"[address >> shift & 0xf];
        if (shift == 0) {
            break;
        }
    }
    out[at] = '\0';
}

void axvm_tree_node_at(AxTree *tree, const char *name, uint64_t address)
{
    char full[NAME_ROOM];

    join(full, name, address);
    axvm_tree_node(tree, full);
}

void axvm_tree_path(AxTree *tree, const char *name, const char *path, uint64_t address)
{
    char full[NAME_ROOM];

    join(full, path, address);
    axvm_tree_text(tree, name, full);
}

void axvm_tree_empty(AxTree *tree, const char *name)
{
    property(tree, name, "", 0);
}

void axvm_tree_text(AxTree *tree, const char *name, const char *text)
{
    property(tree, name, text, length_of(text) + 1);
}

void axvm_tree_texts(AxTree *tree, const char *name, const char *texts, size_t size)
{
    property(tree, name, texts, size);
}

void axvm_tree_bytes(AxTree *tree, const char *name, const uint8_t *bytes, size_t size)
{
    property(tree, name, bytes, size);
}

void axvm_tree_cells(AxTree *tree, const char *name, const uint32_t *cells, size_t count)
{
    fdt32_t big[AX_TREE_CELLS_MAX];

    if (count > AX_TREE_CELLS_MAX) {
        note(tree, -FDT_ERR_NOSPACE);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        big[i] = cpu_to_fdt32(cells[i]);
    }
    property(tree, name, big, count * sizeof(big[0]));
}

void axvm_tree_u32(AxTree *tree, const char *name, uint32_t value)
{
    axvm_tree_cells(tree, name, &value, 1);
}

void axvm_tree_u64(AxTree *tree, const char *name, uint64_t value)
{
    const uint32_t cells[] = {(uint32_t)(value >> 32), (uint32_t)value};

    axvm_tree_cells(tree, name, cells, 2);
}

void axvm_tree_reg(AxTree *tree, uint64_t base, uint64_t size)
{
    const uint32_t cells[] = {(uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32),
                              (uint32_t)size};

    axvm_tree_cells(tree, "reg", cells, 4);
}
