// SPDX-License-Identifier: Apache-2.0
/* The x86_64 board: a PC with a 16550 at COM1. Local APICs are in the vCPUs. */
#include "../targets.h"
#include "../why.h"
#include "board.h"

#include <axvm/devices/ns16550a.h>
#include <axvm/machines.h>

#define UART_PORT  0x3f8u
#define UART_PORTS 8u

// In real mode, in the first segment, above what a BIOS uses.
#define RAW_OFFSET UINT64_C(0x8000)

#define GPA_BITS 40u

typedef struct Board {
    AxVM *vm;
    AxNs16550a uart;
    AxScratch scratch;
} Board;

// Devices are at ports, which descriptions do not name.
static void defaults(AxVMConfig *config)
{
    static const AxVMDevice none;

    axvm_board_defaults(config, 0, &none, 0);
}

static AxError add_uart(Board *board, AxVM *vm, AxConsoleSink sink, const char **why)
{
    const AxBusRange range = {
        .base = UART_PORT, .size = UART_PORTS, .ops = &axvm_ns16550a_ops, .device = &board->uart};
    AxError error;

    axvm_ns16550a_init(&board->uart, (AxIrqLine){0}, sink);
    error = axvm_bus_add(&vm->ports, &range, NULL);
    return error == AX_OK ? AX_OK : axvm_because(why, error, "COM1 cannot be put on the bus");
}

static AxError init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    Board *board = state;
    AxError error;

    board->vm = vm;
    if (vm->counter_hz == 0) {
        return axvm_because(why, AX_EINVAL, "VM: counter_hz must be known");
    }
    error = add_uart(board, vm, sink, why);
    return error == AX_OK ? axvm_board_add_scratch(vm, &board->scratch, why) : error;
}

static void reset(void *state)
{
    Board *board = state;

    axvm_ns16550a_reset(&board->uart);
    axvm_scratch_init(&board->scratch);
}

// What a raw image needs to know of this machine it knows.
static AxError describe(void *state, const AxVM *vm, void *buffer, size_t room, size_t *size)
{
    (void)state;
    (void)vm;
    (void)buffer;
    (void)room;
    *size = 0;
    return AX_OK;
}

static void vcpu_reset(void *state, AxVCpuId id)
{
    (void)state;
    (void)id;
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

// A local APIC that nobody answers says so by nothing but a status that guests no longer read.
static AxError send_ipi(void *state, AxVCpu *sender, const AxVCpuExit *exit)
{
    const Board *board = state;

    if (exit->reason != AX_EXIT_SEND_IPI) {
        return AX_EINVAL;
    }
    for (uint32_t i = 0; i < board->vm->vcpu_count; i++) {
        AxVMVCpu *target = &board->vm->vcpus[i];

        if (is_named(target, sender, exit) && is_on(target)) {
            // Invalid ones take interrupts no more.
            (void)!axvcpu_inject_interrupt(&target->vcpu, exit->ipi.vector, AX_TRIGGER_EDGE);
        }
    }
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

const AxMachineOps axvm_machine_x86_64 = {
    .name = "x86_64-pc",
    .state_size = sizeof(Board),
    .gpa_bits = GPA_BITS,
    .raw_offset = RAW_OFFSET,
    .defaults = defaults,
    .init = init,
    .reset = reset,
    .describe = describe,
    .vcpu_reset = vcpu_reset,
    .send_ipi = send_ipi,
    .console_input = console_input,
    .console_take = console_take,
};
