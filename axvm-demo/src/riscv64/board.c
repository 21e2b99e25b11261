// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "dt.h"

#include <string.h>

#define PLIC_CONTEXTS     15872 // PLIC specification 1.0, 3
#define PLIC_CONTEXT_BASE UINT64_C(0x200000)
#define PLIC_CONTEXT_SIZE UINT64_C(0x1000)

#define CAUSE_EXTERNAL 9u // of S mode

static const char *read_uart(Riscv64Board *board, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "ns16550a");
    RangeList reg = {0};
    uint64_t source;

    if (node < 0) {
        return "there is no NS16550A (compatible 'ns16550a')";
    }
    if (!dt_add_reg(fdt, node, &reg) || !dt_get(fdt, node, "interrupts", &source) || source == 0 ||
        source > board->plic_sources) {
        return "the NS16550A node has a bad 'reg' or 'interrupts'";
    }
    board->uart = reg.items[0];
    board->uart_irq = (uint32_t)source;
    return NULL;
}

// Number of the CPU whose interrupt controller has this phandle.
static bool find_cpu(const void *fdt, uint32_t phandle, uint64_t *number)
{
    const int controller = fdt_node_offset_by_phandle(fdt, phandle);
    const int cpu = controller < 0 ? controller : fdt_parent_offset(fdt, controller);

    return cpu >= 0 && dt_get(fdt, cpu, "reg", number);
}

static void set_context(Riscv64Board *board, const HostInfo *info, uint64_t number,
                        uint32_t context)
{
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i] == number) {
            board->contexts[i] = context;
        }
    }
}

// Contexts are numbered in the order of "interrupts-extended".
static bool read_contexts(Riscv64Board *board, const HostInfo *info, const void *fdt, int node)
{
    const Cells wires = dt_cells(fdt, node, "interrupts-extended");

    if (wires.count == 0 || wires.count % 2 != 0 || wires.count / 2 > PLIC_CONTEXTS) {
        return false;
    }
    for (int i = 0; i < wires.count; i += 2) {
        uint64_t number;

        if (dt_number(wires, i + 1, 1) == CAUSE_EXTERNAL &&
            find_cpu(fdt, (uint32_t)dt_number(wires, i, 1), &number)) {
            set_context(board, info, number, (uint32_t)i / 2);
        }
    }
    return true;
}

static bool contexts_fit(const Riscv64Board *board, const HostInfo *info)
{
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        if (board->contexts[i] != PLIC_NO_CONTEXT &&
            PLIC_CONTEXT_BASE + (board->contexts[i] + UINT64_C(1)) * PLIC_CONTEXT_SIZE >
                board->plic.size) {
            return false;
        }
    }
    return true;
}

static const char *read_plic(Riscv64Board *board, const HostInfo *info, const void *fdt)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "riscv,plic0");
    RangeList reg = {0};
    uint64_t sources;

    if (node < 0) {
        node = fdt_node_offset_by_compatible(fdt, -1, "sifive,plic-1.0.0");
    }
    if (node < 0) {
        return "there is no PLIC (QEMU needs -M virt,aia=none)";
    }
    if (!dt_add_reg(fdt, node, &reg) || !dt_get(fdt, node, "riscv,ndev", &sources) ||
        sources == 0 || sources >= PLIC_SOURCES) {
        return "the PLIC node has a bad 'reg' or 'riscv,ndev'";
    }
    board->plic = reg.items[0];
    board->plic_sources = (uint32_t)sources;
    return read_contexts(board, info, fdt, node) && contexts_fit(board, info)
               ? NULL
               : "the PLIC node has a bad 'interrupts-extended'";
}

static void read_test(Riscv64Board *board, const void *fdt)
{
    const int node = fdt_node_offset_by_compatible(fdt, -1, "sifive,test0");
    RangeList reg = {0};

    if (node >= 0 && dt_add_reg(fdt, node, &reg)) {
        board->test = reg.items[0];
    }
}

static const char *read_timebase(HostInfo *info, const void *fdt)
{
    const int cpus = fdt_path_offset(fdt, "/cpus");

    if (!dt_get(fdt, cpus, "timebase-frequency", &info->counter_hz) || info->counter_hz == 0 ||
        info->counter_hz > 1000000000) {
        return "/cpus has no 'timebase-frequency' from 1 Hz to 1 GHz";
    }
    return NULL;
}

// A guest runs on any CPU: what they do not all say nobody is told.
static void read_isa(HostInfo *info, const void *fdt)
{
    const int cpus = fdt_path_offset(fdt, "/cpus");
    int node;

    fdt_for_each_subnode(node, fdt, cpus)
    {
        const char *isa = fdt_stringlist_get(fdt, node, "riscv,isa", 0, NULL);
        uint64_t number;

        if (!dt_get(fdt, node, "reg", &number) ||
            info->cpus[hostinfo_find_cpu(info, number)] != number) {
            continue;
        }
        if (isa == NULL || (info->isa != NULL && strcmp(isa, info->isa) != 0)) {
            info->isa = NULL;
            return;
        }
        info->isa = isa;
    }
}

static const char *add_devices(const Riscv64Board *board, RangeList *devices)
{
    const bool fits = ranges_add(devices, board->uart.base, board->uart.size) &&
                      ranges_add(devices, board->plic.base, board->plic.size) &&
                      (board->test.size == 0 ||
                       ranges_add(devices, board->test.base, board->test.size));

    return fits ? NULL : "devices are in too many pieces";
}

bool riscv64_board_read(Riscv64Board *board, HostInfo *info, const void *fdt, const char **why)
{
    *board = (Riscv64Board){0};
    for (uint32_t i = 0; i < HOST_CPUS_MAX; i++) {
        board->contexts[i] = PLIC_NO_CONTEXT;
    }
    *why = read_plic(board, info, fdt);
    if (*why == NULL) {
        *why = read_uart(board, fdt);
    }
    if (*why == NULL) {
        *why = read_timebase(info, fdt);
    }
    if (*why == NULL) {
        read_isa(info, fdt);
        read_test(board, fdt);
        *why = add_devices(board, &info->devices);
    }
    return *why == NULL;
}
