// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/pcports.h>

#include "isa.h"
#include "ticks.h"

#include <string.h>

#define RESET_SYSTEM 0x02u
#define RESET_CPU    0x04u
#define RESET_FULL   0x08u
#define RESET_KEPT   (RESET_SYSTEM | RESET_CPU | RESET_FULL)

#define KBD_WRITE_OUTPUT 0xd1u
#define KBD_PULSE        0xf0u // bits 3:0: lines that are left alone
#define KBD_RESET_LINE   0x01u // low = reset, in the output port too

// ACPI 6.4, tables 4.12 to 4.14; bytes of the ACPI registers.
#define PM_STATUS       0u
#define PM_ENABLE       2u
#define PM_CONTROL      AX_PCPORTS_PM_CONTROL
#define PM_CONTROL_HIGH (PM_CONTROL + 1)
#define PM_TIMER        AX_PCPORTS_PM_TIMER

#define PM1_TIMER        0x0001u
#define PM1_GLOBAL       0x0020u
#define PM1_POWER_BUTTON 0x0100u
#define PM1_RTC          0x0400u // never happens: Linux wants to enable it all the same
#define PM1_ENABLES      (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC)

#define CONTROL_SCI_EN    0x01u
#define CONTROL_BM_RLD    0x02u
#define CONTROL_SLP_TYP   0x1cu // of the high byte, as the next
#define CONTROL_SLP_EN    0x20u
#define CONTROL_SLP_SHIFT 2

#define TIMER_MASK  UINT32_C(0xffffff)
#define TIMER_CARRY 23 // the bit whose changes are events

// What a write asks of the owner, once the lock is free.
typedef enum Wish {
    WISH_NONE,
    WISH_RESET,
    WISH_POWER_OFF,
} Wish;

typedef uint8_t (*PortReader)(AxPcPorts *ports);
typedef Wish (*PortWriter)(AxPcPorts *ports, uint8_t value);

// Without the lock.
static void grant(const AxPcPorts *ports, Wish wish)
{
    if (wish == WISH_RESET && ports->power.reset != NULL) {
        ports->power.reset(ports->power.ctx);
    }
    if (wish == WISH_POWER_OFF && ports->power.power_off != NULL) {
        ports->power.power_off(ports->power.ctx);
    }
}

// All below: with the lock held, except where it says otherwise.

// ---- 0xcf9 ----

static uint8_t read_reset(AxPcPorts *ports)
{
    return ports->reset_control;
}

static Wish write_reset(AxPcPorts *ports, uint8_t value)
{
    const bool rises = (value & ~ports->reset_control & RESET_CPU) != 0;

    ports->reset_control = value & RESET_KEPT;
    return rises ? WISH_RESET : WISH_NONE;
}

// ---- 0x60 and 0x64 ----

static uint8_t read_nothing(AxPcPorts *ports)
{
    (void)ports;
    return 0;
}

static Wish pull(uint8_t lines)
{
    return (lines & KBD_RESET_LINE) == 0 ? WISH_RESET : WISH_NONE;
}

static Wish write_kbd_data(AxPcPorts *ports, uint8_t value)
{
    const bool is_output = ports->output_next;

    ports->output_next = false;
    return is_output ? pull(value) : WISH_NONE;
}

static Wish write_kbd_command(AxPcPorts *ports, uint8_t value)
{
    ports->output_next = value == KBD_WRITE_OUTPUT;
    return value >= KBD_PULSE ? pull(value) : WISH_NONE;
}

// ---- 0x80 ----

static uint8_t read_post(AxPcPorts *ports)
{
    return ports->post;
}

static Wish write_post(AxPcPorts *ports, uint8_t value)
{
    ports->post = value;
    return WISH_NONE;
}

// ---- ACPI ----

static void update_sci(AxPcPorts *ports)
{
    const bool high = (ports->status & ports->enable) != 0;

    if (high != ports->sci_high) {
        ports->sci_high = high;
        axvm_irq_set(&ports->sci, high);
    }
}

static void advance(AxPcPorts *ports, uint64_t now)
{
    const uint64_t ticks = ticks_of(now, AX_PCPORTS_PM_HZ);

    if (ticks <= ports->ticks) {
        return;
    }
    if (ticks >> TIMER_CARRY != ports->ticks >> TIMER_CARRY) {
        ports->status |= PM1_TIMER;
    }
    ports->ticks = ticks;
    update_sci(ports);
}

static void catch_up(AxPcPorts *ports)
{
    advance(ports, ports->clock.now(ports->clock.ctx));
}

static uint32_t timer_value(const AxPcPorts *ports)
{
    return (uint32_t)ports->ticks & TIMER_MASK;
}

static uint8_t read_pm_byte(void *device, uint64_t offset)
{
    const AxPcPorts *ports = device;
    const struct {
        uint64_t base;
        uint32_t value;
    } registers[] = {
        {PM_STATUS, ports->status | (uint32_t)ports->enable << 16},
        {PM_CONTROL, ports->control},
        {PM_TIMER, timer_value(ports)},
    };

    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        if (offset - registers[i].base < sizeof(registers[i].value)) {
            return (uint8_t)(registers[i].value >> (offset - registers[i].base) * 8);
        }
    }
    return 0;
}

static uint16_t replace_byte(uint16_t word, uint32_t index, uint8_t value)
{
    return (uint16_t)((word & ~(0xffu << index * 8)) | (uint32_t)value << index * 8);
}

// Type and enable of sleep are in one byte, so they come together.
static Wish write_control_high(AxPcPorts *ports, uint8_t value)
{
    const bool sleeps = (value & CONTROL_SLP_EN) != 0;
    const uint32_t type = (value & CONTROL_SLP_TYP) >> CONTROL_SLP_SHIFT;

    ports->control = replace_byte(ports->control, 1, value & CONTROL_SLP_TYP);
    return sleeps && type == AX_PCPORTS_SLP_S5 ? WISH_POWER_OFF : WISH_NONE;
}

static Wish write_pm_byte(AxPcPorts *ports, uint64_t offset, uint8_t value)
{
    switch (offset) {
    case PM_STATUS:
    case PM_STATUS + 1:
        ports->status &= (uint16_t) ~((uint32_t)value << (offset - PM_STATUS) * 8);
        break;
    case PM_ENABLE:
    case PM_ENABLE + 1:
        ports->enable = replace_byte(ports->enable, (uint32_t)offset - PM_ENABLE, value) &
                        PM1_ENABLES;
        break;
    case PM_CONTROL:
        ports->control = replace_byte(ports->control, 0, (value & CONTROL_BM_RLD) | CONTROL_SCI_EN);
        break;
    case PM_CONTROL_HIGH: return write_control_high(ports, value);
    default: break;
    }
    return WISH_NONE;
}

static Wish write_pm(AxPcPorts *ports, uint64_t offset, AccessWidth width, uint64_t value)
{
    Wish wish = WISH_NONE;

    for (uint32_t i = 0; i < (uint32_t)width; i++) {
        const Wish asked = write_pm_byte(ports, offset + i, (uint8_t)(value >> i * 8));

        wish = asked != WISH_NONE ? asked : wish;
    }
    update_sci(ports);
    return wish;
}

// Without the lock, here and below.
static AxError pm_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                       uint64_t *value)
{
    AxPcPorts *ports = device;

    (void)vcpu;
    ax_lock(&ports->lock);
    catch_up(ports);
    *value = isa_read(ports, offset, width, read_pm_byte);
    ax_unlock(&ports->lock);
    return AX_OK;
}

static AxError pm_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                        uint64_t value)
{
    AxPcPorts *ports = device;
    Wish wish;

    (void)vcpu;
    ax_lock(&ports->lock);
    catch_up(ports);
    wish = write_pm(ports, offset, width, value);
    ax_unlock(&ports->lock);
    grant(ports, wish);
    return AX_OK;
}

const AxDeviceOps axvm_pcports_pm_ops = {
    .name = "ACPI PM",
    .read = pm_read,
    .write = pm_write,
};

// ---- single ports ----

static AxError read_single(AxPcPorts *ports, PortReader read, uint64_t *value)
{
    ax_lock(&ports->lock);
    *value = read(ports);
    ax_unlock(&ports->lock);
    return AX_OK;
}

static AxError write_single(AxPcPorts *ports, PortWriter write, uint64_t value)
{
    Wish wish;

    ax_lock(&ports->lock);
    wish = write(ports, (uint8_t)value);
    ax_unlock(&ports->lock);
    grant(ports, wish);
    return AX_OK;
}

static AxError reset_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t *value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return read_single(device, read_reset, value);
}

static AxError reset_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                           uint64_t value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return write_single(device, write_reset, value);
}

static AxError kbd_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                        uint64_t *value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return read_single(device, read_nothing, value);
}

static AxError kbd_data_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                              uint64_t value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return write_single(device, write_kbd_data, value);
}

static AxError kbd_command_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                                 uint64_t value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return write_single(device, write_kbd_command, value);
}

static AxError post_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                         uint64_t *value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return read_single(device, read_post, value);
}

static AxError post_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                          uint64_t value)
{
    (void)vcpu;
    (void)offset;
    (void)width;
    return write_single(device, write_post, value);
}

const AxDeviceOps axvm_pcports_reset_ops = {
    .name = "reset port",
    .read = reset_read,
    .write = reset_write,
};

const AxDeviceOps axvm_pcports_kbd_data_ops = {
    .name = "keyboard data port",
    .read = kbd_read,
    .write = kbd_data_write,
};

const AxDeviceOps axvm_pcports_kbd_command_ops = {
    .name = "keyboard command port",
    .read = kbd_read,
    .write = kbd_command_write,
};

const AxDeviceOps axvm_pcports_post_ops = {
    .name = "POST port",
    .read = post_read,
    .write = post_write,
};

uint8_t axvm_pcports_post(AxPcPorts *ports)
{
    uint8_t post;

    ax_lock(&ports->lock);
    post = ports->post;
    ax_unlock(&ports->lock);
    return post;
}

// ---- events ----

void axvm_pcports_press_power(AxPcPorts *ports)
{
    ax_lock(&ports->lock);
    ports->status |= PM1_POWER_BUTTON;
    update_sci(ports);
    ax_unlock(&ports->lock);
}

uint64_t axvm_pcports_next(AxPcPorts *ports)
{
    uint64_t next = AX_CLOCK_NEVER;

    ax_lock(&ports->lock);
    if ((ports->enable & PM1_TIMER) != 0 && !ports->sci_high) {
        next = ns_of_tick(((ports->ticks >> TIMER_CARRY) + 1) << TIMER_CARRY, AX_PCPORTS_PM_HZ);
    }
    ax_unlock(&ports->lock);
    return next;
}

void axvm_pcports_advance(AxPcPorts *ports, uint64_t now)
{
    ax_lock(&ports->lock);
    advance(ports, now);
    ax_unlock(&ports->lock);
}

// ---- life ----

void axvm_pcports_init(AxPcPorts *ports, AxPcPower power, AxIrqLine sci, AxClock clock)
{
    memset(ports, 0, sizeof(*ports));
    ports->power = power;
    ports->sci = sci;
    ports->clock = clock;
    ports->ticks = ticks_of(clock.now(clock.ctx), AX_PCPORTS_PM_HZ);
    axvm_pcports_reset(ports);
}

void axvm_pcports_reset(AxPcPorts *ports)
{
    ax_lock(&ports->lock);
    catch_up(ports);
    ports->output_next = false;
    ports->reset_control = 0;
    ports->post = 0;
    ports->status = 0;
    ports->enable = 0;
    ports->control = CONTROL_SCI_EN;
    update_sci(ports);
    ax_unlock(&ports->lock);
}
