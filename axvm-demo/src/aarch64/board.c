// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "dt.h"

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

// INTID of entry `index` of a node's "interrupts" at a GIC; 0 when it is none.
static uint32_t get_interrupt(const void *fdt, int node, int index)
{
    const Cells cells = dt_cells(fdt, node, "interrupts");

    if (cells.count < (index + 1) * GIC_CELLS) {
        return 0;
    }
    const uint64_t type = dt_number(cells, index * GIC_CELLS, 1);
    const uint64_t number = dt_number(cells, index * GIC_CELLS + 1, 1);

    if (type == GIC_PPI && number < INTID_SPI - INTID_PPI) {
        return (uint32_t)number + INTID_PPI;
    }
    return type == GIC_SPI && number < INTID_LIMIT - INTID_SPI ? (uint32_t)number + INTID_SPI : 0;
}

static const char *read_uart(Aarch64Board *board, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,pl011");
    RangeList reg = {0};

    if (node < 0) {
        return "there is no PL011 (compatible 'arm,pl011')";
    }
    board->uart_irq = get_interrupt(fdt, node, 0);
    if (!dt_add_reg(fdt, node, &reg) || board->uart_irq == 0) {
        return "the PL011 node has a bad 'reg' or 'interrupts'";
    }
    board->uart = reg.items[0];
    return NULL;
}

static const char *read_gic(Aarch64Board *board, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");
    RangeList reg = {0};
    uint32_t regions = 1;

    if (node < 0) {
        return "there is no GICv3 (QEMU needs -M virt,gic-version=3)";
    }
    const Cells count = dt_cells(fdt, node, "#redistributor-regions");

    if (count.count == 1) {
        regions = (uint32_t)dt_number(count, 0, 1);
    }
    if (!dt_add_reg(fdt, node, &reg) || regions == 0 || regions > HOST_GICR_MAX ||
        reg.count < 1 + regions) {
        return "the GICv3 node has a bad 'reg' or '#redistributor-regions'";
    }
    board->gicd = reg.items[0];
    board->gicr.count = regions;
    memcpy(board->gicr.items, &reg.items[1], regions * sizeof(reg.items[0]));
    return NULL;
}

static const char *read_timer(Aarch64Board *board, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "arm,armv8-timer");

    if (node < 0) {
        return "there is no timer (compatible 'arm,armv8-timer')";
    }
    board->virt_timer_irq = get_interrupt(fdt, node, TIMER_VIRT);
    board->hyp_timer_irq = get_interrupt(fdt, node, TIMER_HYP);
    if (board->virt_timer_irq == 0 || board->hyp_timer_irq == 0) {
        return "the timer node has no virtual or no hypervisor interrupt";
    }
    return NULL;
}

static const char *read_psci(Aarch64Board *board, const void *fdt)
{
    const int node = fdt_path_offset(fdt, "/psci");
    const char *method = node < 0 ? NULL : fdt_stringlist_get(fdt, node, "method", 0, NULL);

    (void)board;
    return method == NULL || strcmp(method, "smc") != 0 ? "/psci has no method 'smc'" : NULL;
}

static const char *check_cpus(const HostInfo *info)
{
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        if ((info->cpus[i] & ~MPIDR_FIELDS) != 0) {
            return "a node of /cpus has a bad 'reg'";
        }
    }
    return NULL;
}

static const char *add_devices(const Aarch64Board *board, RangeList *devices)
{
    bool fits = ranges_add(devices, board->uart.base, board->uart.size) &&
                ranges_add(devices, board->gicd.base, board->gicd.size);

    for (uint32_t i = 0; fits && i < board->gicr.count; i++) {
        fits = ranges_add(devices, board->gicr.items[i].base, board->gicr.items[i].size);
    }
    return fits ? NULL : "devices are in too many pieces";
}

bool aarch64_board_read(Aarch64Board *board, HostInfo *info, const void *fdt, const char **why)
{
    static const char *(*const readers[])(Aarch64Board *, const void *) = {
        read_psci,
        read_uart,
        read_gic,
        read_timer,
    };
    const char *problem = check_cpus(info);

    *board = (Aarch64Board){0};
    for (size_t i = 0; problem == NULL && i < sizeof(readers) / sizeof(readers[0]); i++) {
        problem = readers[i](board, fdt);
    }
    *why = problem == NULL ? add_devices(board, &info->devices) : problem;
    return *why == NULL;
}
