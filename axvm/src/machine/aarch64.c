// SPDX-License-Identifier: Apache-2.0
/* The AArch64 board: GICv3, one PL011, PSCI; like QEMU's `virt` where guests care. */
#include "aarch64_fdt.h"

#include "../why.h"
#include "board.h"

#include <axvm/devices/gicv3.h>
#include <axvm/devices/pl011.h>
#include <axvm/machines.h>

// Where QEMU's board has them.
#define RAM_BASE  UINT64_C(0x40000000)
#define GICD_BASE UINT64_C(0x08000000)
#define GICR_BASE UINT64_C(0x080a0000)
#define UART_BASE UINT64_C(0x09000000)
#define UART_IRQ  33u

// Stage 2 of 40 bits is what the smallest CPUs with EL2 have.
#define GPA_BITS 40u

typedef struct Board {
    Aarch64Board map;
    AxGicv3 gic;
    AxPl011 uart;
    AxScratch scratch;
} Board;

static void defaults(AxVMConfig *config)
{
    static const AxVMDevice devices[] = {
        {.name = "gic",
         .base = GICD_BASE,
         .length = AX_GICV3_DIST_SIZE,
         .type = AX_EMU_INTERRUPT_CONTROLLER,
         .config = {GICR_BASE >> 32, (uint32_t)GICR_BASE},
         .config_count = 2},
        {.name = "uart",
         .base = UART_BASE,
         .length = AX_PL011_SIZE,
         .irq = UART_IRQ,
         .type = AX_EMU_CONSOLE},
    };

    axvm_board_defaults(config, RAM_BASE, devices, sizeof(devices) / sizeof(devices[0]));
}

// ---- putting devices on the bus ----

// The redistributors are no window of a device of their own, so config_check has not seen them.
static AxError check_redistributors(const AxVM *vm, AxSpan span, const char **why)
{
    const AxVMConfig *config = &vm->config;
    bool clash = span.base % AX_GICV3_DIST_SIZE != 0 ||
                 !axvm_span_inside(span, (AxSpan){0, UINT64_C(1) << GPA_BITS});

    for (uint32_t i = 0; i < config->memory_count; i++) {
        clash |= axvm_spans_overlap(span,
                                    (AxSpan){config->memory[i].base.value, config->memory[i].size});
    }
    for (uint32_t i = 0; i < config->passthrough_count; i++) {
        clash |= axvm_spans_overlap(
            span, (AxSpan){config->passthrough[i].gpa.value, config->passthrough[i].length});
    }
    return clash ? axvm_because(why, AX_EOVERLAP,
                                "emu_devices: the interrupt controller's redistributors are not "
                                "aligned, out of range, or on something else")
                 : AX_OK;
}

// Few shared interrupts by default: a guest initialises each of them with several traps.
static uint32_t spi_count(const AxVMConfig *config)
{
    const uint32_t most = axvm_board_max_irq(config);

    return most < AX_GICV3_SPI_FIRST + AX_GICV3_SPI_DEFAULT ? AX_GICV3_SPI_DEFAULT : most / 32 * 32;
}

static AxError init_gic(Board *board, AxVM *vm, const char **why)
{
    AxError error = axvm_gicv3_init(&board->gic, spi_count(&vm->config));

    for (uint32_t i = 0; error == AX_OK && i < vm->vcpu_count; i++) {
        error = axvm_gicv3_add_cpu(&board->gic, &vm->vcpus[i].vcpu, vm->vcpus[i].cpu_address);
    }
    return error == AX_OK
               ? AX_OK
               : axvm_because(why, error,
                              "emu_devices: the interrupt controller has no such irq or CPU");
}

static AxError add_gic(Board *board, AxVM *vm, const char **why)
{
    const AxVMDevice *device = NULL;
    AxSpan redist = {.size = vm->vcpu_count * AX_GICV3_REDIST_SIZE};
    AxError error;

    if (axvm_board_count(&vm->config, AX_EMU_INTERRUPT_CONTROLLER, &device) != 1 ||
        device->length != AX_GICV3_DIST_SIZE || device->config_count != 2) {
        return axvm_because(why, AX_EINVAL,
                            "emu_devices: needs one interrupt controller, of length 0x10000, with "
                            "[high, low] words of the redistributors' address");
    }
    redist.base = (uint64_t)device->config[0] << 32 | device->config[1];
    board->map.gicd_base = device->base;
    board->map.gicd_size = device->length;
    board->map.gicr_base = redist.base;
    board->map.gicr_size = redist.size;
    error = check_redistributors(vm, redist, why);
    if (error == AX_OK) {
        error = init_gic(board, vm, why);
    }
    if (error == AX_OK) {
        error = axvm_board_add(vm, (AxSpan){device->base, device->length}, &axvm_gicv3_dist_ops,
                               &board->gic, why);
    }
    return error == AX_OK ? axvm_board_add(vm, redist, &axvm_gicv3_redist_ops, &board->gic, why)
                          : error;
}

static AxError add_uart(Board *board, AxVM *vm, AxConsoleSink sink, const char **why)
{
    const AxVMDevice *device = NULL;

    if (axvm_board_count(&vm->config, AX_EMU_CONSOLE, &device) != 1 ||
        device->length != AX_PL011_SIZE || device->irq < AX_GICV3_SPI_FIRST) {
        return axvm_because(
            why, AX_EINVAL,
            "emu_devices: needs one console, of length 0x1000, with an irq from 32");
    }
    board->map.uart_base = device->base;
    board->map.uart_size = device->length;
    board->map.uart_irq = device->irq;
    axvm_pl011_init(&board->uart, axvm_gicv3_spi_line(&board->gic, device->irq), sink);
    return axvm_board_add(vm, (AxSpan){device->base, device->length}, &axvm_pl011_ops, &board->uart,
                          why);
}

// ---- the table ----

static AxError init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    Board *board = state;
    AxError error;

    error = add_gic(board, vm, why);
    if (error == AX_OK) {
        error = add_uart(board, vm, sink, why);
    }
    return error == AX_OK ? axvm_board_add_scratch(vm, &board->scratch, why) : error;
}

static void reset(void *state)
{
    Board *board = state;

    axvm_gicv3_reset(&board->gic);
    axvm_pl011_reset(&board->uart);
    axvm_scratch_init(&board->scratch);
}

static AxError describe(void *state, const AxVM *vm, void *buffer, size_t room, size_t *size)
{
    const Board *board = state;

    return axvm_aarch64_describe(&board->map, vm, buffer, room, size);
}

static void vcpu_reset(void *state, AxVCpuId id)
{
    Board *board = state;

    axvm_gicv3_vcpu_reset(&board->gic, id);
}

static AxError send_ipi(void *state, AxVCpu *sender, const AxVCpuExit *exit)
{
    Board *board = state;

    return axvm_gicv3_send_sgi(&board->gic, sender, exit);
}

static bool console_input(void *state, uint8_t byte)
{
    Board *board = state;

    return axvm_pl011_receive(&board->uart, byte);
}

// PSCI has no console.
static bool console_take(void *state, uint8_t *byte)
{
    (void)state;
    *byte = 0;
    return false;
}

static const AxImageReader *const images[] = {&axvm_image_linux_arm64, &axvm_image_elf,
                                              &axvm_image_raw, NULL};

const AxMachineOps axvm_machine_aarch64 = {
    .name = "aarch64-virt",
    .state_size = sizeof(Board),
    .gpa_bits = GPA_BITS,
    .images = images,
    .image_machine = AX_MACHINE_AARCH64,
    .defaults = defaults,
    .init = init,
    .reset = reset,
    .describe = describe,
    .start = axvm_board_start,
    .vcpu_reset = vcpu_reset,
    .send_ipi = send_ipi,
    .interrupt_end = axvm_board_interrupt_end,
    .interrupt_acknowledge = axvm_board_interrupt_acknowledge,
    .poll = axvm_board_poll,
    .console_input = console_input,
    .console_take = console_take,
};
