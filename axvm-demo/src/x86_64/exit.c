// SPDX-License-Identifier: Apache-2.0
// Ending the machine: ACPI's soft off (6.4, 16.1.7); emulators have ports of their own for it.
#include "exit.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"
#include "uart.h"

#define PM1_SCI_ENABLE      UINT16_C(1)
#define PM1_SLEEP_MASK      UINT16_C(0x3c00)
#define PM1_SLEEP_SHIFT     10
#define PM1_SLEEP_ENABLE    UINT16_C(0x2000)
#define SLEEP_CONTROL_SHIFT 2
#define SLEEP_CONTROL_GO    UINT8_C(0x20)
#define ACPI_WAIT           100000u // reads of a port

static AcpiInfo acpi;

void exit_use_acpi(const AcpiInfo *info)
{
    acpi = *info;
}

static void enter_acpi_mode(uint16_t control)
{
    if (acpi.smi_command == 0 || acpi.acpi_enable == 0) {
        return;
    }
    if ((port_read16(control) & PM1_SCI_ENABLE) == 0) {
        port_write8(acpi.smi_command, acpi.acpi_enable);
    }
    for (uint32_t i = 0; i < ACPI_WAIT && (port_read16(control) & PM1_SCI_ENABLE) == 0; i++) {
    }
}

static uint16_t pm1_value(uint16_t now, uint8_t sleep_type)
{
    return (uint16_t)((now & ~(uint32_t)PM1_SLEEP_MASK) | (uint32_t)sleep_type << PM1_SLEEP_SHIFT |
                      PM1_SLEEP_ENABLE);
}

static void sleep_by_pm1(void)
{
    enter_acpi_mode((uint16_t)acpi.pm1_control[0].addr);
    for (unsigned i = 0; i < 2; i++) {
        const uint16_t port = (uint16_t)acpi.pm1_control[i].addr;

        if (port != 0) {
            port_write16(port, pm1_value(port_read16(port), acpi.sleep_type[i]));
        }
    }
}

static void sleep_by_control(void)
{
    const uint8_t value = (uint8_t)((uint32_t)acpi.sleep_type[0] << SLEEP_CONTROL_SHIFT |
                                    SLEEP_CONTROL_GO);

    if (acpi.sleep_control.io) {
        port_write8((uint16_t)acpi.sleep_control.addr, value);
    } else {
        mmio_write8(acpi.sleep_control.addr, value);
    }
}

static void sleep_by_acpi(void)
{
    if (!acpi.has_s5) {
        return;
    }
    if (acpi.sleep_control.addr != 0) {
        sleep_by_control();
    }
    if (acpi.pm1_control[0].addr != 0 && acpi.pm1_control[0].io) {
        sleep_by_pm1();
    }
}

static void tell_bochs(void)
{
    static const char word[] = "Shutdown";

    for (unsigned i = 0; word[i] != '\0'; i++) {
        port_write8(BOCHS_SHUTDOWN, (uint8_t)word[i]);
    }
}

void platform_exit(bool success)
{
    uart_drain();
    if (!success) {
        port_write8(QEMU_DEBUG_EXIT, 0); // status 1, where there is this device
    }
    sleep_by_acpi();
    tell_bochs();
    port_write16(QEMU_PM_CONTROL, QEMU_PM_SOFT_OFF);
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}
