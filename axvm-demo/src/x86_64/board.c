// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "bootinfo.h"

#define LAPIC_SIZE  UINT64_C(0x1000)
#define IOAPIC_SIZE UINT64_C(0x1000)

static const char *add_devices(const AcpiInfo *acpi, RangeList *devices)
{
    const bool fits = ranges_add(devices, acpi->lapic, LAPIC_SIZE) &&
                      (acpi->ioapic == 0 || ranges_add(devices, acpi->ioapic, IOAPIC_SIZE));

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
