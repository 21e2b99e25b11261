// SPDX-License-Identifier: Apache-2.0
/*
 * The x86_64 board: a PC with a 16550 at COM1, power-off by the PM1a control register (ACPI 6.4, 4.8.3)
 * and reset by port 0xcf9. Local APICs are in the vCPUs.
 */
#include "../targets.h"
#include "../vm_internal.h"
#include "../why.h"
#include "board.h"

#include <axvm/devices/ns16550a.h>
#include <axvm/machines.h>

#define UART_PORT  0x3f8u
#define UART_PORTS 8u

// As on QEMU's boards.
#define PM1_PORT         0x604u
#define PM1_PORTS        2u
#define PM1_SCI_ENABLE   UINT64_C(0x0001)
#define PM1_SLEEP_ENABLE UINT64_C(0x2000)
#define RESET_PORT       0xcf9u
#define RESET_CPU        UINT64_C(0x04)

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

// ---- power ----

// The one sleeping state is S5, whatever type the guest found for it.
static AxError pm1_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t value)
{
    const Board *board = device;

    (void)vcpu;
    (void)width;
    if ((value << 8 * offset & PM1_SLEEP_ENABLE) != 0) {
        (void)axvm_end(board->vm, AX_VM_STOP_POWER_OFF, NULL);
    }
    return AX_OK;
}

static AxError pm1_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                        uint64_t *value)
{
    (void)device;
    (void)vcpu;
    (void)width;
    *value = offset == 0 ? PM1_SCI_ENABLE : 0;
    return AX_OK;
}

static AxError reset_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    const Board *board = device;

    (void)vcpu;
    (void)offset;
    (void)width;
    if ((value & RESET_CPU) != 0) {
        (void)axvm_end(board->vm, AX_VM_STOP_RESET, NULL);
    }
    return AX_OK;
}

static AxError reset_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    (void)device;
    (void)vcpu;
    (void)offset;
    (void)width;
    *value = 0;
    return AX_OK;
}

static const AxDeviceOps pm1_ops = {.name = "pm1", .read = pm1_read, .write = pm1_write};
static const AxDeviceOps reset_ops = {.name = "reset", .read = reset_read, .write = reset_write};

// ---- putting devices on the buses ----

static AxError add_ports(Board *board, const char **why)
{
    const AxBusRange ranges[] = {
        {.base = UART_PORT, .size = UART_PORTS, .ops = &axvm_ns16550a_ops, .device = &board->uart},
        {.base = PM1_PORT, .size = PM1_PORTS, .ops = &pm1_ops, .device = board},
        {.base = RESET_PORT, .size = 1, .ops = &reset_ops, .device = board},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const AxError error = axvm_bus_add(&board->vm->ports, &ranges[i], NULL);

        if (error != AX_OK) {
            return axvm_because(why, error, "the board's ports cannot be put on the bus");
        }
    }
    return AX_OK;
}

static AxError init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    Board *board = state;
    AxError error;

    board->vm = vm;
    if (vm->counter_hz == 0) {
        return axvm_because(why, AX_EINVAL, "VM: counter_hz must be known");
    }
    axvm_ns16550a_init(&board->uart, (AxIrqLine){0}, sink);
    error = add_ports(board, why);
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
    .image_machine = AX_MACHINE_X86_64,
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
