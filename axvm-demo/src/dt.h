// SPDX-License-Identifier: Apache-2.0
/* Properties of a device tree that nobody has checked yet, on top of libfdt. */
#pragma once

#include "ranges.h"

#include <libfdt.h>

/* One property as a list of 32-bit cells, as long as its length says; count 0 when it is missing. */
typedef struct Cells {
    const fdt32_t *data;
    int count;
} Cells;

Cells dt_cells(const void *fdt, int node, const char *name);

/* `width` cells from `first` on as one number: of two or more the last two count. */
uint64_t dt_number(Cells cells, int first, int width);

/* A property of one or two cells. False when it is missing or has another length. */
bool dt_get(const void *fdt, int node, const char *name, uint64_t *value);

/* All entries of a node's "reg". False when it is missing, cut, or does not fit the list. */
bool dt_add_reg(const void *fdt, int node, RangeList *list);
