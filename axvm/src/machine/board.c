// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "../why.h"

#include <string.h>

#define RAM_SIZE (UINT64_C(256) << 20)

static void add_default_ram(AxVMConfig *config, uint64_t base)
{
    config->memory[0] = (AxVMMemory){
        .base = ax_gpa(base), .size = RAM_SIZE, .flags = AX_MAP_RIGHTS, .type = AX_MAP_TYPE_ALLOC};
    config->memory_count = 1;
}

void axvm_board_defaults(AxVMConfig *config, uint64_t ram_base, const AxVMDevice *devices,
                         uint32_t count)
{
    if (config->memory_count == 0) {
        add_default_ram(config, ram_base);
    }
    if (config->device_count == 0) {
        memcpy(config->devices, devices, count * sizeof(*devices));
        config->device_count = count;
    }
}

uint32_t axvm_board_count(const AxVMConfig *config, uint32_t type, const AxVMDevice **found)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->device_count; i++) {
        if (config->devices[i].type == type) {
            *found = &config->devices[i];
            count++;
        }
    }
    return count;
}

uint32_t axvm_board_max_irq(const AxVMConfig *config)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < config->device_count; i++) {
        most = config->devices[i].irq > most ? config->devices[i].irq : most;
    }
    for (uint32_t i = 0; i < config->passthrough_count; i++) {
        most = config->passthrough[i].irq > most ? config->passthrough[i].irq : most;
    }
    return most;
}

AxError axvm_board_add(AxVM *vm, AxSpan span, const AxDeviceOps *ops, void *device,
                       const char **why)
{
    const AxBusRange range = {.base = span.base, .size = span.size, .ops = ops, .device = device};
    const AxError error = axvm_bus_add(&vm->mmio, &range, NULL);

    return error == AX_OK ? AX_OK
                          : axvm_because(why, error, "emu_devices: devices overlap, or too many");
}

AxError axvm_board_add_scratch(AxVM *vm, AxScratch *scratch, const char **why)
{
    const AxVMDevice *device = NULL;
    const uint32_t count = axvm_board_count(&vm->config, AX_EMU_SCRATCH, &device);

    if (count == 0) {
        return AX_OK;
    }
    if (count > 1 || device->length != AX_SCRATCH_SIZE) {
        return axvm_because(why, AX_EINVAL,
                            "emu_devices: at most one scratch page, of length 0x1000");
    }
    axvm_scratch_init(scratch);
    return axvm_board_add(vm, (AxSpan){device->base, device->length}, &axvm_scratch_ops, scratch,
                          why);
}

AxError axvm_board_start(void *state, const AxVM *vm, AxVCpu *vcpu)
{
    (void)state;
    (void)vm;
    (void)vcpu;
    return AX_OK;
}

void axvm_board_interrupt_end(void *state, AxVCpu *vcpu, uint64_t vector)
{
    (void)state;
    (void)vcpu;
    (void)vector;
}

AxError axvm_board_interrupt_acknowledge(void *state, AxVCpu *vcpu, uint64_t *vector)
{
    (void)state;
    (void)vcpu;
    *vector = 0;
    return AX_ENOTSUP;
}

uint64_t axvm_board_poll(void *state)
{
    (void)state;
    return AX_DEADLINE_NONE;
}
