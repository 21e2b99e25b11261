// SPDX-License-Identifier: Apache-2.0
/* The riscv64 board: PLIC, one NS16550A, SBI; like QEMU's `virt` where guests care. */
#include "riscv64_fdt.h"

#include "../targets.h"
#include "../why.h"
#include "board.h"

#include <axvm/devices/ns16550a.h>
#include <axvm/devices/plic.h>
#include <axvm/machines.h>

// Where QEMU's board has them.
#define RAM_BASE  UINT64_C(0x80000000)
#define PLIC_BASE UINT64_C(0x0c000000)
#define UART_BASE UINT64_C(0x10000000)
#define UART_IRQ  10u

// There the firmware of QEMU's board starts what it does not know.
#define RAW_OFFSET UINT64_C(0x200000)

// Sv39x4, which every CPU with the H extension has.
#define GPA_BITS 41u

// Supervisor software interrupt: what one CPU sends another.
#define IPI_IRQ 1u

typedef struct Board {
    Riscv64Board map;
    AxVM *vm;
    AxPlic plic;
    AxNs16550a uart;
    AxScratch scratch;
} Board;

static void defaults(AxVMConfig *config)
{
    static const AxVMDevice devices[] = {
        {.name = "plic",
         .base = PLIC_BASE,
         .length = AX_PLIC_SIZE,
         .type = AX_EMU_INTERRUPT_CONTROLLER},
        {.name = "uart",
         .base = UART_BASE,
         .length = AX_NS16550A_SIZE,
         .irq = UART_IRQ,
         .type = AX_EMU_CONSOLE},
    };

    axvm_board_defaults(config, RAM_BASE, devices, sizeof(devices) / sizeof(devices[0]));
}

// ---- putting devices on the bus ----

// Few sources by default: a guest initialises each of them with several traps.
static uint32_t source_count(const AxVMConfig *config)
{
    const uint32_t most = axvm_board_max_irq(config);

    return most < AX_PLIC_SOURCE_DEFAULT ? AX_PLIC_SOURCE_DEFAULT : most;
}

static AxError init_plic(Board *board, const char **why)
{
    AxError error = axvm_plic_init(&board->plic, board->map.plic_sources);

    for (uint32_t i = 0; error == AX_OK && i < board->vm->vcpu_count; i++) {
        error = axvm_plic_add_cpu(&board->plic, &board->vm->vcpus[i].vcpu);
    }
    return error == AX_OK
               ? AX_OK
               : axvm_because(why, error,
                              "emu_devices: the interrupt controller has no such irq or CPU");
}

static AxError add_plic(Board *board, const char **why)
{
    const AxVMConfig *config = &board->vm->config;
    const AxVMDevice *device = NULL;
    AxError error;

    if (axvm_board_count(config, AX_EMU_INTERRUPT_CONTROLLER, &device) != 1 ||
        device->length != AX_PLIC_SIZE) {
        return axvm_because(why, AX_EINVAL,
                            "emu_devices: needs one interrupt controller, of length 0x600000");
    }
    board->map.plic_base = device->base;
    board->map.plic_size = device->length;
    board->map.plic_sources = source_count(config);
    error = init_plic(board, why);
    return error != AX_OK ? error
                          : axvm_board_add(board->vm, (AxSpan){device->base, device->length},
                                           &axvm_plic_ops, &board->plic, why);
}

static AxError add_uart(Board *board, AxConsoleSink sink, const char **why)
{
    const AxVMDevice *device = NULL;

    if (axvm_board_count(&board->vm->config, AX_EMU_CONSOLE, &device) != 1 ||
        device->length != AX_NS16550A_SIZE || device->irq == 0) {
        return axvm_because(why, AX_EINVAL,
                            "emu_devices: needs one console, of length 0x1000, with an irq from 1");
    }
    board->map.uart_base = device->base;
    board->map.uart_size = device->length;
    board->map.uart_irq = device->irq;
    axvm_ns16550a_init(&board->uart, axvm_plic_line(&board->plic, device->irq), sink);
    return axvm_board_add(board->vm, (AxSpan){device->base, device->length}, &axvm_ns16550a_ops,
                          &board->uart, why);
}

// A guest cannot ask its CPU what its time counter runs at.
static AxError check_counter(const AxVM *vm, const char **why)
{
    return vm->counter_hz != 0 && vm->counter_hz <= UINT32_MAX
               ? AX_OK
               : axvm_because(why, AX_EINVAL, "VM: counter_hz must be known and below 2^32");
}

// ---- the table ----

static AxError init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    Board *board = state;
    AxError error = check_counter(vm, why);

    board->vm = vm;
    if (error == AX_OK) {
        error = add_plic(board, why);
    }
    if (error == AX_OK) {
        error = add_uart(board, sink, why);
    }
    return error == AX_OK ? axvm_board_add_scratch(vm, &board->scratch, why) : error;
}

static void reset(void *state)
{
    Board *board = state;

    axvm_plic_reset(&board->plic);
    axvm_ns16550a_reset(&board->uart);
    axvm_scratch_init(&board->scratch);
}

static AxError describe(void *state, const AxVM *vm, void *buffer, size_t room, size_t *size)
{
    const Board *board = state;

    return axvm_riscv64_describe(&board->map, vm, buffer, room, size);
}

static void vcpu_reset(void *state, AxVCpuId id)
{
    Board *board = state;

    axvm_plic_vcpu_reset(&board->plic, id);
}

// ---- interrupts between CPUs ----

static bool is_named(const AxVMVCpu *vcpu, const AxVCpu *sender, const AxVCpuExit *exit)
{
    const bool self = &vcpu->vcpu == sender;

    if (exit->ipi.to_all || exit->ipi.to_self) {
        return self ? exit->ipi.to_self : exit->ipi.to_all;
    }
    return axvm_is_target(vcpu, exit->ipi.target_cpu, exit->ipi.target_list);
}

static bool is_on(const AxVMVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->power, memory_order_acquire) == AX_CPU_ON;
}

// A CPU that is off, or going on, gets nothing: it would be lost or come at a bad time.
static void send(const Board *board, const AxVCpu *sender, const AxVCpuExit *exit)
{
    for (uint32_t i = 0; i < board->vm->vcpu_count; i++) {
        AxVMVCpu *target = &board->vm->vcpus[i];

        if (is_named(target, sender, exit) && is_on(target)) {
            // Invalid ones take interrupts no more.
            (void)!axvcpu_inject_interrupt(&target->vcpu, exit->ipi.vector, AX_TRIGGER_EDGE);
        }
    }
}

static bool targets_exist(const Board *board, const AxVCpuExit *exit)
{
    return exit->ipi.to_all || exit->ipi.to_self ||
           axvm_targets_exist(board->vm, exit->ipi.target_cpu, exit->ipi.target_list);
}

static AxError send_ipi(void *state, AxVCpu *sender, const AxVCpuExit *exit)
{
    const Board *board = state;

    if (exit->reason != AX_EXIT_SEND_IPI) {
        return AX_EINVAL;
    }
    if (exit->ipi.vector != IPI_IRQ) {
        return AX_ERANGE;
    }
    if (!targets_exist(board, exit)) {
        return AX_EINVAL;
    }
    send(board, sender, exit);
    return AX_OK;
}

// ---- console ----

static bool console_input(void *state, uint8_t byte)
{
    Board *board = state;

    return axvm_ns16550a_receive(&board->uart, byte);
}

static bool console_take(void *state, uint8_t *byte)
{
    Board *board = state;

    return axvm_ns16550a_take(&board->uart, byte);
}

static const AxImageReader *const images[] = {&axvm_image_linux_riscv64, &axvm_image_elf,
                                              &axvm_image_raw, NULL};

const AxMachineOps axvm_machine_riscv64 = {
    .name = "riscv64-virt",
    .state_size = sizeof(Board),
    .gpa_bits = GPA_BITS,
    .images = images,
    .image_machine = AX_MACHINE_RISCV,
    .raw_offset = RAW_OFFSET,
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
