// SPDX-License-Identifier: Apache-2.0
#include "dt.h"

Cells dt_cells(const void *fdt, int node, const char *name)
{
    int length = 0;
    const void *data = fdt_getprop(fdt, node, name, &length);

    return (Cells){.data = data, .count = data != NULL ? length / (int)sizeof(fdt32_t) : 0};
}

uint64_t dt_number(Cells cells, int first, int width)
{
    uint64_t value = 0;

    for (int i = first; i < first + width; i++) {
        value = value << 32 | fdt32_to_cpu(cells.data[i]);
    }
    return value;
}

bool dt_get(const void *fdt, int node, const char *name, uint64_t *value)
{
    const Cells cells = dt_cells(fdt, node, name);

    if (cells.count != 1 && cells.count != 2) {
        return false;
    }
    *value = dt_number(cells, 0, cells.count);
    return true;
}

bool dt_add_reg(const void *fdt, int node, RangeList *list)
{
    const int parent = fdt_parent_offset(fdt, node);
    const int address = fdt_address_cells(fdt, parent);
    const int size = fdt_size_cells(fdt, parent);
    const Cells reg = dt_cells(fdt, node, "reg");
    const int entry = address + size;

    if (address < 1 || address > 2 || size < 1 || size > 2 || reg.count == 0 ||
        reg.count % entry != 0) {
        return false;
    }
    for (int i = 0; i < reg.count; i += entry) {
        if (!ranges_add(list, dt_number(reg, i, address), dt_number(reg, i + address, size))) {
            return false;
        }
    }
    return true;
}
