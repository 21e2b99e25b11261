// SPDX-License-Identifier: Apache-2.0
#include "describe.h"

// Devicetree Specification, /chosen; what Linux takes at most.
#define KASLR_SEED_SIZE 8u
#define RNG_SEED_SIZE   32u

void axvm_describe_root(AxTree *tree, const char *compatible, size_t size)
{
    axvm_tree_texts(tree, "compatible", compatible, size);
    axvm_tree_text(tree, "model", "axvm virtual machine");
    axvm_tree_u32(tree, "#address-cells", 2);
    axvm_tree_u32(tree, "#size-cells", 2);
}

void axvm_describe_aliases(AxTree *tree, const char *console, uint64_t base)
{
    axvm_tree_node(tree, "aliases");
    axvm_tree_path(tree, "serial0", console, base);
    axvm_tree_end_node(tree);
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

void axvm_describe_chosen(AxTree *tree, const AxVM *vm, const char *console, uint64_t base)
{
    const uint64_t ramdisk = vm->layout.ramdisk.value;

    axvm_tree_node(tree, "chosen");
    axvm_tree_text(tree, "bootargs", vm->config.cmdline);
    axvm_tree_path(tree, "stdout-path", console, base);
    write_seeds(tree, vm);
    if (vm->config.ramdisk.size != 0) {
        axvm_tree_u64(tree, "linux,initrd-start", ramdisk);
        axvm_tree_u64(tree, "linux,initrd-end", ramdisk + vm->config.ramdisk.size);
    }
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

void axvm_describe_memory(AxTree *tree, const AxVMConfig *config)
{
    for (uint32_t i = 0; i < config->memory_count; i++) {
        write_memory(tree, &config->memory[i]);
    }
}

void axvm_describe_cpus(AxTree *tree)
{
    axvm_tree_node(tree, "cpus");
    axvm_tree_u32(tree, "#address-cells", 1);
    axvm_tree_u32(tree, "#size-cells", 0);
}

// AX_VM_CPUS_MAX keeps addresses small: one cell holds them.
void axvm_describe_cpu(AxTree *tree, const char *compatible, uint64_t address)
{
    axvm_tree_node_at(tree, "cpu", address);
    axvm_tree_text(tree, "device_type", "cpu");
    axvm_tree_text(tree, "compatible", compatible);
    axvm_tree_u32(tree, "reg", (uint32_t)address);
}

static void write_passthrough(AxTree *tree, const AxVMPassthrough *device,
                              void (*interrupt)(AxTree *tree, uint32_t irq))
{
    axvm_tree_node_at(tree, device->name, device->gpa.value);
    axvm_tree_text(tree, "compatible", "axvm,passthrough");
    axvm_tree_reg(tree, device->gpa.value, device->length);
    interrupt(tree, device->irq);
    axvm_tree_end_node(tree);
}

void axvm_describe_passthrough(AxTree *tree, const AxVMConfig *config,
                               void (*interrupt)(AxTree *tree, uint32_t irq))
{
    for (uint32_t i = 0; i < config->passthrough_count; i++) {
        write_passthrough(tree, &config->passthrough[i], interrupt);
    }
}
