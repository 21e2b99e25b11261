// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "bootinfo.h"

#define DEVICE_SIZE UINT64_C(0x1000)

// Registers of a device lie in one page; at 0 there is none.
static bool add_device(RangeList *devices, uint64_t addr)
{
    return addr == 0 || ranges_add(devices, addr - addr % DEVICE_SIZE, DEVICE_SIZE);
}

static const char *add_devices(const AcpiInfo *acpi, RangeList *devices)
{
    const bool fits = add_device(devices, acpi->lapic) && add_device(devices, acpi->ioapic) &&
                      (acpi->sleep_control.io || add_device(devices, acpi->sleep_control.addr));

    return fits ? NULL : "devices are in too many pieces";
}

bool x86_64_board_read(X86Board *board, HostInfo *info, uint64_t addr, uint64_t boot_cpu,
                       MemoryRead read, const char **why)
{
    uint64_t rsdp;

    if (!x86_64_bootinfo_read(info, &rsdp, addr, read, why) ||
        !x86_64_acpi_read(&board->acpi, info, rsdp, boot_cpu, read, why)) {
        return false;
    }
    *why = add_devices(&board->acpi, &info->devices);
    return *why == NULL;
}
