// SPDX-License-Identifier: Apache-2.0
/*
 * Writing a device tree from front to back (libfdt's sequential writer). The first error stays and
 * makes the rest do nothing, so that it is asked for once, at the end.
 */
#pragma once

#include <axvcpu/error.h>

typedef struct AxTree {
    void *fdt;
    int error; /* libfdt's */
} AxTree;

#define AX_TREE_CELLS_MAX 32u

void axvm_tree_begin(AxTree *tree, void *buffer, size_t room);
/* AX_ENOSPC when `room` was too small, AX_EFORMAT for a tree that is none. */
AX_MUST_CHECK AxError axvm_tree_finish(AxTree *tree, size_t *size);

void axvm_tree_node(AxTree *tree, const char *name);
/* Named "<name>@<address in hex>"; `name` has at most 31 characters. */
void axvm_tree_node_at(AxTree *tree, const char *name, uint64_t address);
void axvm_tree_end_node(AxTree *tree);

void axvm_tree_empty(AxTree *tree, const char *name);
void axvm_tree_text(AxTree *tree, const char *name, const char *text);
/* Texts one behind the other, e.g. "a\0b": `size` counts all bytes with the last 0. */
void axvm_tree_texts(AxTree *tree, const char *name, const char *texts, size_t size);
#define AX_TREE_TEXTS(tree, name, literal) axvm_tree_texts(tree, name, literal, sizeof(literal))
void axvm_tree_bytes(AxTree *tree, const char *name, const uint8_t *bytes, size_t size);
/* At most AX_TREE_CELLS_MAX. */
void axvm_tree_cells(AxTree *tree, const char *name, const uint32_t *cells, size_t count);
void axvm_tree_u32(AxTree *tree, const char *name, uint32_t value);
void axvm_tree_u64(AxTree *tree, const char *name, uint64_t value);
/* "<path>@<address in hex>" as a text. */
void axvm_tree_path(AxTree *tree, const char *name, const char *path, uint64_t address);
/* "reg" of one range, two cells each for address and size. */
void axvm_tree_reg(AxTree *tree, uint64_t base, uint64_t size);
