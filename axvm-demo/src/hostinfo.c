// SPDX-License-Identifier: Apache-2.0
#include "hostinfo.h"

#include <libfdt.h>
#include <string.h>

#define GIC_CELLS    3
#define GIC_SPI      0u
#define GIC_PPI      1u
#define INTID_SPI    32u
#define INTID_PPI    16u
#define INTID_LIMIT  1020u
#define MPIDR_FIELDS UINT64_C(0xff00ffffff)

// Order of the interrupts in the binding of arm,armv8-timer.
enum { TIMER_VIRT = 2, TIMER_HYP = 3 };

// One property as a list of 32-bit cells, checked against its length.
typedef struct Cells {
    const fdt32_t *data;
    int count;
} Cells;

static Cells get_cells(const void *fdt, int node, const char *name)
{
    int length = 0;
    const void *data = fdt_getprop(fdt, node, name, &length);

    return (Cells){.data = data, .count = data != NULL ? length / (int)sizeof(fdt32_t) : 0};
}

static uint64_t cell_number(Cells cells, int first, int width)
{
    uint64_t value = 0;

    for (int i = first; i < first + width; i++) {
        value = value << 32 | fdt32_to_cpu(cells.data[i]);
    }
    return value;
}

// All entries of a node's "reg". False when it is missing, cut, or does not fit the list.
static bool add_reg(const void *fdt, int node, RangeList *list)
{
    const int parent = fdt_parent_offset(fdt, node);
    const int address = fdt_address_cells(fdt, parent);
    const int size = fdt_size_cells(fdt, parent);
    const Cells reg = get_cells(fdt, node, "reg");
    const int entry = address + size;

    if (address < 1 || address > 2 || size < 1 || size > 2 || reg.count == 0 ||
        reg.count % entry != 0) {
        return false;
    }
    for (int i = 0; i < reg.count; i += entry) {
        if (!ranges_add(list, cell_number(reg, i, address), cell_number(reg, i + address, size))) {
            return false;
        }
    }
    return true;
}

// INTID of entry `index` of a node's "interrupts" at a GIC; 0 when it is none.
static uint32_t get_interrupt(const void *fdt, int node, int index)
{
    const Cells cells = get_cells(fdt, node, "interrupts");

    if (cells.count < (index + 1) * GIC_CELLS) {
        return 0;
    }
    const uint64_t type = cell_number(cells, index * GIC_CELLS, 1);
    const uint64_t number = cell_number(cells, index * GIC_CELLS + 1, 1);

    if (type == GIC_PPI && number < INTID_SPI - INTID_PPI) {
        return (uint32_t)number + INTID_PPI;
    }
    return type == GIC_SPI && number < INTID_LIMIT - INTID_SPI ? (uint32_t)number + INTID_SPI : 0;
}

static const char *read_memory(HostInfo *info, const void *fdt)
{
    int node = -1;

    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory",
                                                 sizeof("memory"))) >= 0) {
        if (!add_reg(fdt, node, &info->memory)) {
            return "a memory node has a bad 'reg'";
        }
    }
    return info->memory.count == 0 ? "there is no memory node" : NULL;
}

static const char *read_reserved(HostInfo *info, const void *fdt)
{
    const int parent = fdt_path_offset(fdt, "/reserved-memory");
    int node;

    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        uint64_t base;
        uint64_t size;

        if (fdt_get_mem_rsv(fdt, i, &base, &size) != 0 ||
            !ranges_add(&info->reserved, base, size)) {
            return "a memory reservation is bad";
        }
    }
    if (parent < 0) {
        return NULL;
    }
    fdt_for_each_subnode(node, fdt, parent)
    {
        if (fdt_getprop(fdt, node, "reg", NULL) != NULL && !add_reg(fdt, node, &info->reserved)) {
            return "a node of /reserved-memory has a bad 'reg'";
        }
    }
    return NULL;
}

static bool get_address(const void *fdt, int node, const char *name, uint64_t *value)
{
    const Cells cells = get_cells(fdt, node, name);

    if (cells.count != 1 && cells.count != 2) {
        return false;
    }
    *value = cell_number(cells, 0, cells.count);
    return true;
}

static const char *read_initrd(HostInfo *info, const void *fdt, int chosen)
{
    uint64_t start;
    uint64_t end;

    if (fdt_getprop(fdt, chosen, "linux,initrd-start", NULL) == NULL) {
        return NULL;
    }
    if (!get_address(fdt, chosen, "linux,initrd-start", &start) ||
        !get_address(fdt, chosen, "linux,initrd-end", &end) || end <= start) {
        return "/chosen has a bad 'linux,initrd-start' or 'linux,initrd-end'";
    }
    info->initrd = (Range){.base = start, .size = end - start};
    if (ranges_contain(&info->memory, info->initrd)) {
        return NULL;
    }
    return "/chosen puts the initrd outside memory";
}

// One that is too short is as good as none.
static void read_seed(HostInfo *info, const void *fdt, int chosen)
{
    int length = 0;
    const void *seed = fdt_getprop(fdt, chosen, "rng-seed", &length);

    if (seed != NULL && length >= (int)sizeof(info->seed)) {
        memcpy(info->seed, seed, sizeof(info->seed));
        info->has_seed = true;
    }
}

static const char *read_chosen(HostInfo *info, const void *fdt)
{
    const int chosen = fdt_path_offset(fdt, "/chosen");
    int length = 0;
    const char *bootargs;

    if (chosen < 0) {
        return NULL;
    }
    bootargs = fdt_getprop(fdt, chosen, "bootargs", &length);
    if (bootargs != NULL) {
        if (length < 1 || (size_t)length > sizeof(info->bootargs) || bootargs[length - 1] != '\0') {
            return "'bootargs' of /chosen is longer than 511 characters";
        }
        memcpy(info->bootargs, bootargs, (size_t)length);
    }
    read_seed(info, fdt, chosen);
    return read_initrd(info, fdt, chosen);
}

static const char *read_uart(HostInfo *info, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,pl011");
    RangeList reg = {0};

    if (node < 0) {
        return "there is no PL011 (compatible 'arm,pl011')";
    }
    info->uart_irq = get_interrupt(fdt, node, 0);
    if (!add_reg(fdt, node, &reg) || info->uart_irq == 0) {
        return "the PL011 node has a bad 'reg' or 'interrupts'";
    }
    info->uart = reg.items[0];
    return NULL;
}

static const char *read_gic(HostInfo *info, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");
    RangeList reg = {0};
    uint32_t regions = 1;

    if (node < 0) {
        return "there is no GICv3 (QEMU needs -M virt,gic-version=3)";
    }
    const Cells count = get_cells(fdt, node, "#redistributor-regions");

    if (count.count == 1) {
        regions = (uint32_t)cell_number(count, 0, 1);
    }
    if (!add_reg(fdt, node, &reg) || regions == 0 || regions > HOST_GICR_MAX ||
        reg.count < 1 + regions) {
        return "the GICv3 node has a bad 'reg' or '#redistributor-regions'";
    }
    info->gicd = reg.items[0];
    info->gicr.count = regions;
    memcpy(info->gicr.items, &reg.items[1], regions * sizeof(reg.items[0]));
    return NULL;
}

static const char *read_timer(HostInfo *info, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,armv8-timer");

    if (node < 0) {
        return "there is no timer (compatible 'arm,armv8-timer')";
    }
    info->virt_timer_irq = get_interrupt(fdt, node, TIMER_VIRT);
    info->hyp_timer_irq = get_interrupt(fdt, node, TIMER_HYP);
    if (info->virt_timer_irq == 0 || info->hyp_timer_irq == 0) {
        return "the timer node has no virtual or no hypervisor interrupt";
    }
    return NULL;
}

static const char *read_psci(const void *fdt)
{
    const int node = fdt_path_offset(fdt, "/psci");
    const char *method = node < 0 ? NULL : fdt_getprop(fdt, node, "method", NULL);

    return method == NULL || strcmp(method, "smc") != 0 ? "/psci has no method 'smc'" : NULL;
}

static const char *read_cpus(HostInfo *info, const void *fdt)
{
    const int parent = fdt_path_offset(fdt, "/cpus");
    const int width = parent < 0 ? 0 : fdt_address_cells(fdt, parent);
    int node;

    if (width < 1 || width > 2) {
        return "/cpus is missing or has a bad '#address-cells'";
    }
    fdt_for_each_subnode(node, fdt, parent)
    {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);
        const Cells reg = get_cells(fdt, node, "reg");

        if (type == NULL || strcmp(type, "cpu") != 0) {
            continue;
        }
        if (reg.count != width || (cell_number(reg, 0, width) & ~MPIDR_FIELDS) != 0) {
            return "a node of /cpus has a bad 'reg'";
        }
        if (info->cpu_count < HOST_CPUS_MAX) {
            info->cpus[info->cpu_count++] = cell_number(reg, 0, width);
        }
    }
    return info->cpu_count == 0 ? "/cpus has no cpu" : NULL;
}

bool hostinfo_read(HostInfo *info, const void *fdt, const char **why)
{
    static const char *(*const readers[])(HostInfo *, const void *) = {
        read_memory, read_reserved, read_chosen, read_uart, read_gic, read_timer, read_cpus,
    };
    const char *problem = fdt_check_header(fdt) == 0 ? read_psci(fdt) : "it has no valid header";

    *info = (HostInfo){0};
    for (size_t i = 0; problem == NULL && i < sizeof(readers) / sizeof(readers[0]); i++) {
        problem = readers[i](info, fdt);
    }
    *why = problem;
    return problem == NULL;
}
