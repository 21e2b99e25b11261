// SPDX-License-Identifier: Apache-2.0
/* The device tree a guest gets: what it needs (Devicetree Specification 0.4, Linux bindings). */
#include "aarch64_fdt.h"

#include "tree.h"

#define PHANDLE_GIC 1u

// Cells of an interrupt for a GICv3 (Linux, arm,gic-v3.yaml): type, number, trigger.
#define GIC_SPI        0u
#define GIC_PPI        1u
#define GIC_LEVEL_HIGH 4u
#define FIRST_SPI      32u

// Devicetree Specification, /chosen; what Linux takes at most.
#define KASLR_SEED_SIZE 8u
#define RNG_SEED_SIZE   32u

#define TEXTS(tree, name, literal) axvm_tree_texts(tree, name, literal, sizeof(literal))

static void spi(AxTree *tree, uint32_t intid)
{
    const uint32_t cells[] = {GIC_SPI, intid - FIRST_SPI, GIC_LEVEL_HIGH};

    axvm_tree_cells(tree, "interrupts", cells, 3);
}

// Without them Linux has to wait for its random numbers: it runs a loop until its timing has varied
// enough.
static void write_seeds(AxTree *tree, const AxVM *vm)
{
    uint8_t kaslr[KASLR_SEED_SIZE];
    uint8_t rng[RNG_SEED_SIZE];

    if (vm->random == NULL) {
        return;
    }
    vm->random(vm->random_ctx, kaslr, sizeof(kaslr));
    vm->random(vm->random_ctx, rng, sizeof(rng));
    axvm_tree_bytes(tree, "kaslr-seed", kaslr, sizeof(kaslr));
    axvm_tree_bytes(tree, "rng-seed", rng, sizeof(rng));
}

static void write_chosen(AxTree *tree, const Aarch64Board *board, const AxVM *vm)
{
    const uint64_t ramdisk = vm->layout.ramdisk.value;

    axvm_tree_node(tree, "chosen");
    axvm_tree_text(tree, "bootargs", vm->config.cmdline);
    axvm_tree_path(tree, "stdout-path", "/serial", board->uart_base);
    write_seeds(tree, vm);
    if (vm->config.ramdisk.size != 0) {
        axvm_tree_u64(tree, "linux,initrd-start", ramdisk);
        axvm_tree_u64(tree, "linux,initrd-end", ramdisk + vm->config.ramdisk.size);
    }
    axvm_tree_end_node(tree);
}

static void write_aliases(AxTree *tree, const Aarch64Board *board)
{
    axvm_tree_node(tree, "aliases");
    axvm_tree_path(tree, "serial0", "/serial", board->uart_base);
    axvm_tree_end_node(tree);
}

static void write_memory(AxTree *tree, const AxVMMemory *memory)
{
    if (memory->type == AX_MAP_TYPE_RESERVED || (memory->flags & AX_MAP_DEVICE) != 0) {
        return;
    }
    axvm_tree_node_at(tree, "memory", memory->base.value);
    axvm_tree_text(tree, "device_type", "memory");
    axvm_tree_reg(tree, memory->base.value, memory->size);
    axvm_tree_end_node(tree);
}

static void write_cpus(AxTree *tree, const AxVM *vm)
{
    axvm_tree_node(tree, "cpus");
    axvm_tree_u32(tree, "#address-cells", 1);
    axvm_tree_u32(tree, "#size-cells", 0);
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        // AX_VM_CPUS_MAX keeps Aff3 zero: one cell holds the affinity.
        const uint32_t affinity = (uint32_t)vm->vcpus[i].cpu_address;

        axvm_tree_node_at(tree, "cpu", affinity);
        axvm_tree_text(tree, "device_type", "cpu");
        axvm_tree_text(tree, "compatible", "arm,armv8");
        axvm_tree_text(tree, "enable-method", "psci");
        axvm_tree_u32(tree, "reg", affinity);
        axvm_tree_end_node(tree);
    }
    axvm_tree_end_node(tree);
}

static void write_psci(AxTree *tree)
{
    axvm_tree_node(tree, "psci");
    TEXTS(tree, "compatible", "arm,psci-1.0\0arm,psci-0.2");
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
    TEXTS(tree, "compatible", "arm,sbsa-uart\0arm,pl011");
    axvm_tree_reg(tree, board->uart_base, board->uart_size);
    spi(tree, board->uart_irq);
    axvm_tree_u32(tree, "current-speed", 115200);
    axvm_tree_end_node(tree);
}

static void write_passthrough(AxTree *tree, const AxVMPassthrough *device)
{
    axvm_tree_node_at(tree, device->name, device->gpa.value);
    axvm_tree_text(tree, "compatible", "axvm,passthrough");
    axvm_tree_reg(tree, device->gpa.value, device->length);
    if (device->irq >= FIRST_SPI) {
        spi(tree, device->irq);
    }
    axvm_tree_end_node(tree);
}

static void write_root(AxTree *tree)
{
    TEXTS(tree, "compatible", "axvm,virt\0linux,dummy-virt");
    axvm_tree_text(tree, "model", "axvm virtual machine");
    axvm_tree_u32(tree, "#address-cells", 2);
    axvm_tree_u32(tree, "#size-cells", 2);
    axvm_tree_u32(tree, "interrupt-parent", PHANDLE_GIC);
}

AxError axvm_aarch64_describe(const Aarch64Board *board, const AxVM *vm, void *buffer, size_t room,
                              size_t *size)
{
    AxTree tree;

    axvm_tree_begin(&tree, buffer, room);
    axvm_tree_node(&tree, "");
    write_root(&tree);
    write_aliases(&tree, board);
    write_chosen(&tree, board, vm);
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        write_memory(&tree, &vm->config.memory[i]);
    }
    write_cpus(&tree, vm);
    write_psci(&tree);
    write_timer(&tree);
    write_gic(&tree, board);
    write_uart(&tree, board);
    for (uint32_t i = 0; i < vm->config.passthrough_count; i++) {
        write_passthrough(&tree, &vm->config.passthrough[i]);
    }
    axvm_tree_end_node(&tree);
    return axvm_tree_finish(&tree, size);
}
