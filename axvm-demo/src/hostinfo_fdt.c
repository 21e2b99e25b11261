// SPDX-License-Identifier: Apache-2.0
#include "hostinfo_fdt.h"

#include "dt.h"

#include <string.h>

static const char *read_memory(HostInfo *info, const void *fdt)
{
    int node = -1;

    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory",
                                                 sizeof("memory"))) >= 0) {
        if (!dt_add_reg(fdt, node, &info->memory)) {
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
        if (fdt_getprop(fdt, node, "reg", NULL) != NULL &&
            !dt_add_reg(fdt, node, &info->reserved)) {
            return "a node of /reserved-memory has a bad 'reg'";
        }
    }
    return NULL;
}

static const char *read_initrd(HostInfo *info, const void *fdt, int chosen)
{
    uint64_t start;
    uint64_t end;

    if (fdt_getprop(fdt, chosen, "linux,initrd-start", NULL) == NULL) {
        return NULL;
    }
    if (!dt_get(fdt, chosen, "linux,initrd-start", &start) ||
        !dt_get(fdt, chosen, "linux,initrd-end", &end) || end <= start) {
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

// One that firmware keeps for itself, or that cannot run this code.
static bool is_disabled(const void *fdt, int node)
{
    const char *status = fdt_stringlist_get(fdt, node, "status", 0, NULL);

    return status != NULL && strcmp(status, "okay") != 0 && strcmp(status, "ok") != 0;
}

static bool is_cpu(const void *fdt, int node)
{
    const char *type = fdt_stringlist_get(fdt, node, "device_type", 0, NULL);

    return type != NULL && strcmp(type, "cpu") == 0 && !is_disabled(fdt, node);
}

static const char *read_cpus(HostInfo *info, const void *fdt, uint64_t boot_cpu)
{
    const int parent = fdt_path_offset(fdt, "/cpus");
    const int width = parent < 0 ? 0 : fdt_address_cells(fdt, parent);
    int node;

    if (width < 1 || width > 2) {
        return "/cpus is missing or has a bad '#address-cells'";
    }
    fdt_for_each_subnode(node, fdt, parent)
    {
        const Cells reg = dt_cells(fdt, node, "reg");

        if (!is_cpu(fdt, node)) {
            continue;
        }
        if (reg.count != width) {
            return "a node of /cpus has a bad 'reg'";
        }
        hostinfo_add_cpu(info, dt_number(reg, 0, width), boot_cpu);
    }
    return info->cpu_count == 0 ? "/cpus has no cpu" : NULL;
}

// The tree itself lies in memory.
static const char *reserve_tree(HostInfo *info, const void *fdt)
{
    return ranges_add(&info->reserved, (uintptr_t)fdt, fdt_totalsize(fdt))
               ? NULL
               : "memory is cut into too many pieces";
}

bool hostinfo_read_fdt(HostInfo *info, const void *fdt, uint64_t boot_cpu, const char **why)
{
    static const char *(*const readers[])(HostInfo *, const void *) = {
        read_memory,
        read_reserved,
        reserve_tree,
        read_chosen,
    };
    const char *problem = NULL;

    if (fdt == NULL) {
        problem = "the boot loader passed none: boot axvm-demo.bin, not axvm-demo.elf";
    } else if (fdt_check_header(fdt) != 0) {
        problem = "it has no valid header";
    }

    *info = (HostInfo){0};
    for (size_t i = 0; problem == NULL && i < sizeof(readers) / sizeof(readers[0]); i++) {
        problem = readers[i](info, fdt);
    }
    *why = problem == NULL ? read_cpus(info, fdt, boot_cpu) : problem;
    return *why == NULL;
}
