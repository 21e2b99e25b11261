// SPDX-License-Identifier: Apache-2.0
/* The device tree a guest gets: what it needs (Devicetree Specification 0.4, Linux bindings). */
#include "riscv64_fdt.h"

#include "describe.h"

#include <axvm/devices/plic.h>

#define PHANDLE_PLIC     1u
#define PHANDLE_INTC(id) (2u + (id)) // of vCPU `id`

#define CONSOLE      "/soc/serial"
#define UART_CLOCK   3686400u // 115200 baud is a divisor of 2; nothing depends on it
#define FALLBACK_ISA "rv64imac"

_Static_assert(2 * AX_VM_CPUS_MAX <= AX_TREE_CELLS_MAX, "interrupts-extended names each vCPU");

static void interrupt(AxTree *tree, uint32_t irq)
{
    if (irq != 0) {
        axvm_tree_u32(tree, "interrupts", irq);
    }
}

static void write_intc(AxTree *tree, AxVCpuId id)
{
    axvm_tree_node(tree, "interrupt-controller");
    axvm_tree_text(tree, "compatible", "riscv,cpu-intc");
    axvm_tree_u32(tree, "#address-cells", 0);
    axvm_tree_u32(tree, "#interrupt-cells", 1);
    axvm_tree_empty(tree, "interrupt-controller");
    axvm_tree_u32(tree, "phandle", PHANDLE_INTC(id));
    axvm_tree_end_node(tree);
}

static void write_cpu(AxTree *tree, const AxVM *vm, AxVCpuId id)
{
    axvm_describe_cpu(tree, "riscv", vm->vcpus[id].cpu_address);
    axvm_tree_text(tree, "status", "okay");
    axvm_tree_text(tree, "riscv,isa", vm->isa[0] != '\0' ? vm->isa : FALLBACK_ISA);
    // The one that all have. A guest that finds wider ones by trying may use them.
    axvm_tree_text(tree, "mmu-type", "riscv,sv39");
    write_intc(tree, id);
    axvm_tree_end_node(tree);
}

static void write_cpus(AxTree *tree, const AxVM *vm)
{
    axvm_describe_cpus(tree);
    axvm_tree_u32(tree, "timebase-frequency", (uint32_t)vm->counter_hz);
    for (AxVCpuId id = 0; id < vm->vcpu_count; id++) {
        write_cpu(tree, vm, id);
    }
    axvm_tree_end_node(tree);
}

// Context n is the n-th entry.
static void write_contexts(AxTree *tree, const AxVM *vm)
{
    uint32_t cells[2 * AX_VM_CPUS_MAX];
    size_t count = 0;

    for (AxVCpuId id = 0; id < vm->vcpu_count; id++) {
        cells[count++] = PHANDLE_INTC(id);
        cells[count++] = AX_PLIC_IRQ;
    }
    axvm_tree_cells(tree, "interrupts-extended", cells, count);
}

static void write_plic(AxTree *tree, const Riscv64Board *board, const AxVM *vm)
{
    axvm_tree_node_at(tree, "plic", board->plic_base);
    AX_TREE_TEXTS(tree, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    axvm_tree_u32(tree, "#address-cells", 0);
    axvm_tree_u32(tree, "#interrupt-cells", 1);
    axvm_tree_empty(tree, "interrupt-controller");
    axvm_tree_reg(tree, board->plic_base, board->plic_size);
    write_contexts(tree, vm);
    axvm_tree_u32(tree, "riscv,ndev", board->plic_sources);
    axvm_tree_u32(tree, "phandle", PHANDLE_PLIC);
    axvm_tree_end_node(tree);
}

static void write_uart(AxTree *tree, const Riscv64Board *board)
{
    axvm_tree_node_at(tree, "serial", board->uart_base);
    axvm_tree_text(tree, "compatible", "ns16550a");
    axvm_tree_reg(tree, board->uart_base, board->uart_size);
    interrupt(tree, board->uart_irq);
    axvm_tree_u32(tree, "clock-frequency", UART_CLOCK);
    axvm_tree_u32(tree, "reg-shift", 0);
    axvm_tree_end_node(tree);
}

static void write_soc(AxTree *tree, const Riscv64Board *board, const AxVM *vm)
{
    axvm_tree_node(tree, "soc");
    axvm_tree_text(tree, "compatible", "simple-bus");
    axvm_tree_u32(tree, "#address-cells", 2);
    axvm_tree_u32(tree, "#size-cells", 2);
    axvm_tree_u32(tree, "interrupt-parent", PHANDLE_PLIC);
    axvm_tree_empty(tree, "ranges");
    write_plic(tree, board, vm);
    write_uart(tree, board);
    axvm_describe_passthrough(tree, &vm->config, interrupt);
    axvm_tree_end_node(tree);
}

static void write_root(AxTree *tree)
{
    static const char compatible[] = "axvm,virt\0riscv-virtio";

    axvm_describe_root(tree, compatible, sizeof(compatible));
}

AxError axvm_riscv64_describe(const Riscv64Board *board, const AxVM *vm, void *buffer, size_t room,
                              size_t *size)
{
    AxTree tree;

    axvm_tree_begin(&tree, buffer, room);
    axvm_tree_node(&tree, "");
    write_root(&tree);
    axvm_describe_aliases(&tree, CONSOLE, board->uart_base);
    axvm_describe_chosen(&tree, vm, CONSOLE, board->uart_base);
    axvm_describe_memory(&tree, &vm->config);
    write_cpus(&tree, vm);
    write_soc(&tree, board, vm);
    axvm_tree_end_node(&tree);
    return axvm_tree_finish(&tree, size);
}
