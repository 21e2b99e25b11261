// SPDX-License-Identifier: Apache-2.0
/* The device tree a guest gets: what it needs (Devicetree Specification 0.4, Linux bindings). */
#include "aarch64_fdt.h"

#include "describe.h"

#define PHANDLE_GIC 1u

// Cells of an interrupt for a GICv3 (Linux, arm,gic-v3.yaml): type, number, trigger.
#define GIC_SPI        0u
#define GIC_PPI        1u
#define GIC_LEVEL_HIGH 4u
#define FIRST_SPI      32u

#define CONSOLE "/serial"

static void spi(AxTree *tree, uint32_t intid)
{
    const uint32_t cells[] = {GIC_SPI, intid - FIRST_SPI, GIC_LEVEL_HIGH};

    axvm_tree_cells(tree, "interrupts", cells, 3);
}

// Passed devices may be silent.
static void interrupt(AxTree *tree, uint32_t intid)
{
    if (intid >= FIRST_SPI) {
        spi(tree, intid);
    }
}

static void write_cpus(AxTree *tree, const AxVM *vm)
{
    axvm_describe_cpus(tree);
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        axvm_describe_cpu(tree, "arm,armv8", vm->vcpus[i].cpu_address);
        axvm_tree_text(tree, "enable-method", "psci");
        axvm_tree_end_node(tree);
    }
    axvm_tree_end_node(tree);
}

static void write_psci(AxTree *tree)
{
    axvm_tree_node(tree, "psci");
    AX_TREE_TEXTS(tree, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    axvm_tree_text(tree, "method", "hvc");
    axvm_tree_end_node(tree);
}

static void write_timer(AxTree *tree)
{
    // Secure, non-secure, virtual and hypervisor timer; a guest has only the third.
    static const uint32_t interrupts[] = {
        GIC_PPI, 13, GIC_LEVEL_HIGH, GIC_PPI, 14, GIC_LEVEL_HIGH,
        GIC_PPI, 11, GIC_LEVEL_HIGH, GIC_PPI, 10, GIC_LEVEL_HIGH,
    };

    axvm_tree_node(tree, "timer");
    axvm_tree_text(tree, "compatible", "arm,armv8-timer");
    axvm_tree_cells(tree, "interrupts", interrupts, sizeof(interrupts) / sizeof(interrupts[0]));
    axvm_tree_empty(tree, "always-on");
    axvm_tree_end_node(tree);
}

static void put_u64(uint32_t *cells, uint64_t value)
{
    cells[0] = (uint32_t)(value >> 32);
    cells[1] = (uint32_t)value;
}

static void write_gic(AxTree *tree, const Aarch64Board *board)
{
    uint32_t reg[8];

    put_u64(&reg[0], board->gicd_base);
    put_u64(&reg[2], board->gicd_size);
    put_u64(&reg[4], board->gicr_base);
    put_u64(&reg[6], board->gicr_size);
    axvm_tree_node_at(tree, "interrupt-controller", board->gicd_base);
    axvm_tree_text(tree, "compatible", "arm,gic-v3");
    axvm_tree_u32(tree, "#address-cells", 0);
    axvm_tree_u32(tree, "#interrupt-cells", 3);
    axvm_tree_empty(tree, "interrupt-controller");
    axvm_tree_cells(tree, "reg", reg, 8);
    axvm_tree_u32(tree, "phandle", PHANDLE_GIC);
    axvm_tree_end_node(tree);
}

static void write_uart(AxTree *tree, const Aarch64Board *board)
{
    axvm_tree_node_at(tree, "serial", board->uart_base);
    // Linux takes the first, which needs no clocks; U-Boot and others know the second.
    AX_TREE_TEXTS(tree, "compatible", "arm,sbsa-uart\0arm,pl011");
    axvm_tree_reg(tree, board->uart_base, board->uart_size);
    spi(tree, board->uart_irq);
    axvm_tree_u32(tree, "current-speed", 115200);
    axvm_tree_end_node(tree);
}

static void write_root(AxTree *tree)
{
    static const char compatible[] = "axvm,virt\0linux,dummy-virt";

    axvm_describe_root(tree, compatible, sizeof(compatible));
    axvm_tree_u32(tree, "interrupt-parent", PHANDLE_GIC);
}

AxError axvm_aarch64_describe(const Aarch64Board *board, const AxVM *vm, void *buffer, size_t room,
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
    write_psci(&tree);
    write_timer(&tree);
    write_gic(&tree, board);
    write_uart(&tree, board);
    axvm_describe_passthrough(&tree, &vm->config, interrupt);
    axvm_tree_end_node(&tree);
    return axvm_tree_finish(&tree, size);
}
