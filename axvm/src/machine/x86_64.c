// SPDX-License-Identifier: Apache-2.0
/*
 * The x86_64 board: what Linux and older systems expect of a PC without PCI. Local APICs are in the
 * vCPUs; beside them an IOAPIC, the 8259 pair, the 8254, the RTC, one 16550 at COM1, ACPI's fixed
 * registers and the ports that reset.
 */
#include "x86_64_boot.h"

#include "../targets.h"
#include "../vm_internal.h"
#include "../why.h"
#include "board.h"

#include <axvm/devices/cmos.h>
#include <axvm/devices/i8254.h>
#include <axvm/devices/i8259.h>
#include <axvm/devices/ioapic.h>
#include <axvm/devices/ns16550a.h>
#include <axvm/devices/pcports.h>
#include <axvm/machines.h>

#define LAPIC_BASE  UINT64_C(0xfee00000)
#define IOAPIC_BASE UINT64_C(0xfec00000)

#define PIC_MASTER_PORT 0x20u
#define PIC_SLAVE_PORT  0xa0u
#define PIC_ELCR_PORT   0x4d0u
#define PIT_PORT        0x40u
#define KBD_DATA_PORT   0x60u
#define SYSTEM_PORT     0x61u
#define KBD_PORT        0x64u
#define CMOS_PORT       0x70u
#define POST_PORT       0x80u
#define UART_PORT       0x3f8u
#define UART_PORTS      8u
#define RESET_PORT      0xcf9u
#define RESET_VALUE     0x06u
#define PM_PORT         0x600u // as on QEMU's boards

// ISA interrupts. Each is the input of the same number of the IOAPIC, but for the timer's.
#define TIMER_IRQ   0u
#define UART_IRQ    4u
#define RTC_IRQ     8u
#define SCI_IRQ     9u
#define TIMER_INPUT 2u

// Interrupt of vCPU 0: the 8259s' INTR, at LINT0.
#define EXTINT_IRQ 256u

// No vector of a fixed interrupt is below.
#define FIRST_VECTOR 16u

// Nobody tells what time it is: 2000-01-01.
#define START_DATE UINT64_C(946684800)

// In real mode, in the first segment, above what a BIOS uses.
#define RAW_OFFSET UINT64_C(0x8000)

#define GPA_BITS 40u

struct Board;

// A device whose time goes on by itself, and through which its guest may change what happens next.
typedef struct Timed {
    struct Board *board;
    const AxDeviceOps *ops;
    void *device;
} Timed;

typedef struct Board {
    AxVM *vm;
    AxI8259 pic;
    AxIoApic ioapic;
    AxI8254 pit;
    AxCmos cmos;
    AxPcPorts ports;
    AxNs16550a uart;
    AxScratch scratch;
    Timed timed[3];
    _Atomic uint64_t poll_at; // what the last poll returned
} Board;

// Devices are at addresses that every guest knows, which descriptions do not name.
static void defaults(AxVMConfig *config)
{
    static const AxVMDevice none;

    axvm_board_defaults(config, 0, &none, 0);
}

// ---- power ----

static void power_off(void *ctx)
{
    (void)axvm_end(ctx, AX_VM_STOP_POWER_OFF, NULL);
}

static void system_reset(void *ctx)
{
    (void)axvm_end(ctx, AX_VM_STOP_RESET, NULL);
}

// ---- from devices to vCPUs ----

static bool is_on(const AxVMVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->power, memory_order_acquire) == AX_CPU_ON;
}

static void set_isa(void *controller, uint32_t irq, bool high)
{
    Board *board = controller;

    axvm_i8259_set_line(&board->pic, irq, high);
    axvm_ioapic_set_input(&board->ioapic, irq == TIMER_IRQ ? TIMER_INPUT : irq, high);
}

static AxIrqLine isa_line(Board *board, uint32_t irq)
{
    return (AxIrqLine){.set = set_isa, .controller = board, .irq = irq};
}

static void set_extint(void *controller, uint32_t irq, bool high)
{
    const Board *board = controller;

    // An invalid vCPU takes interrupts no more; so below.
    (void)!axvcpu_set_interrupt_level(&board->vm->vcpus[0].vcpu, irq, high);
}

// Logical destinations are those of the flat model: bit n for vCPU n.
static bool is_destination(const AxVMVCpu *vcpu, const AxApicMessage *message)
{
    if (message->logical) {
        return axvm_is_target(vcpu, 0, message->destination);
    }
    return message->destination == 0xff || vcpu->cpu_address == message->destination;
}

static void deliver_to(AxVMVCpu *vcpu, const AxApicMessage *message)
{
    const AxTrigger trigger = message->level ? AX_TRIGGER_LEVEL : AX_TRIGGER_EDGE;

    if (message->mode == AX_APIC_NMI) {
        (void)!axvcpu_inject_nmi(&vcpu->vcpu);
    } else if (message->vector >= FIRST_VECTOR) {
        (void)!axvcpu_inject_interrupt(&vcpu->vcpu, message->vector, trigger);
    }
}

// The first one takes what is for that of lowest priority. INIT by an interrupt line is nobody's, and
// the 8259s have a line of their own.
static void deliver(void *ctx, const AxApicMessage *message)
{
    const Board *board = ctx;

    if (message->mode == AX_APIC_INIT || message->mode == AX_APIC_EXTINT) {
        return;
    }
    for (uint32_t i = 0; i < board->vm->vcpu_count; i++) {
        AxVMVCpu *vcpu = &board->vm->vcpus[i];

        if (is_on(vcpu) && is_destination(vcpu, message)) {
            deliver_to(vcpu, message);
            if (message->mode == AX_APIC_LOWEST) {
                return;
            }
        }
    }
}

// The level stays at the vCPU until here; the IOAPIC sends it again if its input is still high.
static void interrupt_end(void *state, AxVCpu *vcpu, uint64_t vector)
{
    Board *board = state;

    (void)!axvcpu_set_interrupt_level(vcpu, (uint32_t)vector, false);
    axvm_ioapic_eoi(&board->ioapic, (uint8_t)vector);
}

static AxError interrupt_acknowledge(void *state, AxVCpu *vcpu, uint64_t *vector)
{
    Board *board = state;

    (void)vcpu;
    *vector = axvm_i8259_acknowledge(&board->pic);
    return AX_OK;
}

// ---- time ----

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_moment(Board *board)
{
    return earlier(axvm_i8254_next(&board->pit),
                   earlier(axvm_cmos_next(&board->cmos), axvm_pcports_next(&board->ports)));
}

// A guest that changes what happens next while this runs finds NEVER and has it looked at again.
static uint64_t poll(void *state)
{
    Board *board = state;
    const AxVCpuHal *hal = board->vm->hal;
    const uint64_t now = hal->now_ns(hal->ctx);
    uint64_t next;

    atomic_store_explicit(&board->poll_at, AX_CLOCK_NEVER, memory_order_seq_cst);
    axvm_i8254_advance(&board->pit, now);
    axvm_cmos_advance(&board->cmos, now);
    axvm_pcports_advance(&board->ports, now);
    next = next_moment(board);
    atomic_store_explicit(&board->poll_at, next, memory_order_seq_cst);
    return next;
}

static void look_again(Board *board)
{
    if (next_moment(board) < atomic_load_explicit(&board->poll_at, memory_order_seq_cst)) {
        axvcpu_kick(&board->vm->vcpus[0].vcpu);
    }
}

static AxError timed_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    const Timed *timed = device;
    const AxError error = timed->ops->read(timed->device, vcpu, offset, width, value);

    look_again(timed->board);
    return error;
}

static AxError timed_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    const Timed *timed = device;
    const AxError error = timed->ops->write(timed->device, vcpu, offset, width, value);

    look_again(timed->board);
    return error;
}

static const AxDeviceOps timed_ops = {.name = "timer", .read = timed_read, .write = timed_write};

// ---- putting devices on the buses ----

static void init_devices(Board *board, AxConsoleSink sink)
{
    const AxVCpuHal *hal = board->vm->hal;
    const AxClock clock = {.now = hal->now_ns, .ctx = hal->ctx};
    const AxPcPower power = {.reset = system_reset, .power_off = power_off, .ctx = board->vm};

    axvm_i8259_init(&board->pic,
                    (AxIrqLine){.set = set_extint, .controller = board, .irq = EXTINT_IRQ});
    axvm_ioapic_init(&board->ioapic, (AxApicBus){.deliver = deliver, .ctx = board}, 0);
    axvm_i8254_init(&board->pit, isa_line(board, TIMER_IRQ), clock);
    axvm_cmos_init(&board->cmos, isa_line(board, RTC_IRQ), clock, START_DATE);
    axvm_pcports_init(&board->ports, power, isa_line(board, SCI_IRQ), clock);
    axvm_ns16550a_init(&board->uart, isa_line(board, UART_IRQ), sink);
    board->timed[0] = (Timed){board, &axvm_i8254_ops, &board->pit};
    board->timed[1] = (Timed){board, &axvm_cmos_ops, &board->cmos};
    board->timed[2] = (Timed){board, &axvm_pcports_pm_ops, &board->ports};
}

static AxError add_ports(Board *board, const char **why)
{
    const AxBusRange ranges[] = {
        {PIC_MASTER_PORT, AX_I8259_SIZE, &axvm_i8259_master_ops, &board->pic},
        {PIC_SLAVE_PORT, AX_I8259_SIZE, &axvm_i8259_slave_ops, &board->pic},
        {PIC_ELCR_PORT, AX_I8259_SIZE, &axvm_i8259_elcr_ops, &board->pic},
        {PIT_PORT, AX_I8254_SIZE, &timed_ops, &board->timed[0]},
        {SYSTEM_PORT, AX_I8254_SYSTEM_SIZE, &axvm_i8254_system_ops, &board->pit},
        {CMOS_PORT, AX_CMOS_SIZE, &timed_ops, &board->timed[1]},
        {PM_PORT, AX_PCPORTS_PM_SIZE, &timed_ops, &board->timed[2]},
        {KBD_DATA_PORT, AX_PCPORTS_SIZE, &axvm_pcports_kbd_data_ops, &board->ports},
        {KBD_PORT, AX_PCPORTS_SIZE, &axvm_pcports_kbd_command_ops, &board->ports},
        {POST_PORT, AX_PCPORTS_SIZE, &axvm_pcports_post_ops, &board->ports},
        {RESET_PORT, AX_PCPORTS_SIZE, &axvm_pcports_reset_ops, &board->ports},
        {UART_PORT, UART_PORTS, &axvm_ns16550a_ops, &board->uart},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        const AxError error = axvm_bus_add(&board->vm->ports, &ranges[i], NULL);

        if (error != AX_OK) {
            return axvm_because(why, error, "the board's ports cannot be put on the bus");
        }
    }
    return AX_OK;
}

// RAM below and above 4 GiB.
static void tell_memory(Board *board)
{
    const AxVMConfig *config = &board->vm->config;
    uint64_t size[2] = {0, 0};

    for (uint32_t i = 0; i < config->memory_count; i++) {
        const AxVMMemory *memory = &config->memory[i];

        if (memory->type != AX_MAP_TYPE_RESERVED && (memory->flags & AX_MAP_DEVICE) == 0) {
            size[memory->base.value >> 32 != 0 ? 1 : 0] += memory->size;
        }
    }
    axvm_cmos_set_memory(&board->cmos, size[0], size[1]);
}

static AxError init(void *state, AxVM *vm, AxConsoleSink sink, const char **why)
{
    Board *board = state;
    AxError error;

    board->vm = vm;
    if (vm->counter_hz == 0) {
        return axvm_because(why, AX_EINVAL, "VM: counter_hz must be known");
    }
    init_devices(board, sink);
    tell_memory(board);
    error = add_ports(board, why);
    if (error == AX_OK) {
        error = axvm_board_add(vm, (AxSpan){IOAPIC_BASE, AX_IOAPIC_SIZE}, &axvm_ioapic_ops,
                               &board->ioapic, why);
    }
    return error == AX_OK ? axvm_board_add_scratch(vm, &board->scratch, why) : error;
}

// Controllers first: the lines of the devices go low with them, and stay so.
static void reset(void *state)
{
    Board *board = state;

    axvm_i8259_reset(&board->pic);
    axvm_ioapic_reset(&board->ioapic);
    axvm_i8254_reset(&board->pit);
    axvm_cmos_reset(&board->cmos);
    axvm_pcports_reset(&board->ports);
    axvm_ns16550a_reset(&board->uart);
    axvm_scratch_init(&board->scratch);
}

// ---- what the guest finds ----

static AxError describe(void *state, const AxVM *vm, void *buffer, size_t room, size_t *size)
{
    const AxAcpiBoard acpi = {
        .cpu_count = vm->vcpu_count,
        .lapic_base = LAPIC_BASE,
        .ioapic_base = IOAPIC_BASE,
        .timer_irq = TIMER_INPUT,
        .sci_irq = SCI_IRQ,
        .uart_base = UART_PORT,
        .uart_irq = UART_IRQ,
        .rtc_base = CMOS_PORT,
        .rtc_irq = RTC_IRQ,
        .has_8259 = true,
        .pm1a_event = PM_PORT + AX_PCPORTS_PM_EVENT,
        .pm1a_control = PM_PORT + AX_PCPORTS_PM_CONTROL,
        .s5_type = AX_PCPORTS_SLP_S5,
        .reset_port = RESET_PORT,
        .reset_value = RESET_VALUE,
    };

    (void)state;
    return axvm_x86_64_describe(&acpi, vm, buffer, room, size);
}

static AxError start(void *state, const AxVM *vm, AxVCpu *vcpu)
{
    X86Start first;

    (void)state;
    return axvm_x86_64_start(vm, &first) ? axvm_x86_64_set_start(vcpu, &first) : AX_OK;
}

static void vcpu_reset(void *state, AxVCpuId id)
{
    Board *board = state;

    if (id == 0) {
        axvm_i8259_vcpu_reset(&board->pic);
    }
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

// The first processor, where firmware would begin anew, has none: that is a reset.
static void send_init(AxVM *vm, AxVMVCpu *target)
{
    if (axvcpu_is_bsp(&target->vcpu)) {
        system_reset(vm);
    } else {
        axvm_power_init(vm, target);
    }
}

static void send_to(AxVM *vm, AxVMVCpu *target, const AxVCpuExit *exit)
{
    switch (exit->ipi.kind) {
    case AX_IPI_INTERRUPT:
        (void)!axvcpu_inject_interrupt(&target->vcpu, exit->ipi.vector, AX_TRIGGER_EDGE);
        break;
    case AX_IPI_NMI: axvm_power_nmi(vm, target); break;
    case AX_IPI_INIT: send_init(vm, target); break;
    }
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
            send_to(board->vm, target, exit);
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

static const AxImageReader *const images[] = {&axvm_image_bzimage, &axvm_image_multiboot,
                                              &axvm_image_elf, &axvm_image_raw, NULL};

const AxMachineOps axvm_machine_x86_64 = {
    .name = "x86_64-pc",
    .state_size = sizeof(Board),
    .gpa_bits = GPA_BITS,
    .images = images,
    .image_machine = AX_MACHINE_X86_64,
    .raw_offset = RAW_OFFSET,
    .defaults = defaults,
    .init = init,
    .reset = reset,
    .describe = describe,
    .start = start,
    .vcpu_reset = vcpu_reset,
    .send_ipi = send_ipi,
    .interrupt_end = interrupt_end,
    .interrupt_acknowledge = interrupt_acknowledge,
    .poll = poll,
    .console_input = console_input,
    .console_take = console_take,
};
