// SPDX-License-Identifier: Apache-2.0
#include "acpi.h"

#include <string.h>

#define RSDP_SIZE_1 20u
#define RSDP_SIZE_2 36u
#define HEADER_SIZE 36u
#define TABLE_MAX   (UINT32_C(1) << 20)

// Where a PC's BIOS leaves the root pointer (5.2.5.1): EBDA, then ROM.
#define EBDA_SEGMENT 0x40eu
#define EBDA_SIZE    1024u
#define ROM_START    0xe0000u
#define ROM_SIZE     0x20000u

#define LAPIC_USUAL  UINT64_C(0xfee00000)
#define IOAPIC_USUAL UINT64_C(0xfec00000)
#define ISA_UART     4u

// Fields of the FADT (5.2.9)
#define FADT_DSDT          40u
#define FADT_SMI_COMMAND   48u
#define FADT_ACPI_ENABLE   52u
#define FADT_PM1A_CONTROL  64u
#define FADT_PM1B_CONTROL  68u
#define FADT_X_DSDT        140u
#define FADT_X_PM1A        172u
#define FADT_X_PM1B        184u
#define FADT_SLEEP_CONTROL 244u
#define REGISTER_SIZE      12u
#define SPACE_MEMORY       0u
#define SPACE_IO           1u

// AML (20.2)
#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_PACKAGE 0x12u
#define AML_ROOT    0x5cu

typedef struct Table {
    const uint8_t *data; // NULL: there is none
    uint32_t length;
} Table;

typedef struct Reader {
    AcpiInfo *acpi;
    HostInfo *info;
    uint64_t boot_cpu;
    MemoryRead read;
    uint32_t uart_gsi;
    uint32_t ioapic_first; // interrupt number of its input 0
} Reader;

// Little-endian, at any alignment; 0 beyond the end, where older versions of a table have no field.
static uint64_t number(Table table, uint32_t offset, uint32_t size)
{
    uint64_t value = 0;

    if (offset > table.length || size > table.length - offset) {
        return 0;
    }
    memcpy(&value, table.data + offset, size);
    return value;
}

static bool sums_to_zero(const uint8_t *data, uint32_t length)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + data[i]);
    }
    return sum == 0;
}

static Table open_table(MemoryRead read, uint64_t addr)
{
    const uint8_t *header = addr == 0 ? NULL : read(addr, HEADER_SIZE);
    Table table = {.data = header, .length = HEADER_SIZE};

    if (header == NULL) {
        return (Table){0};
    }
    table.length = (uint32_t)number(table, 4, 4);
    if (table.length < HEADER_SIZE || table.length > TABLE_MAX) {
        return (Table){0};
    }
    table.data = read(addr, table.length);
    return table.data != NULL && sums_to_zero(table.data, table.length) ? table : (Table){0};
}

static bool is_rsdp(const uint8_t *data)
{
    return memcmp(data, "RSD PTR ", 8) == 0 && sums_to_zero(data, RSDP_SIZE_1);
}

static uint64_t search(MemoryRead read, uint64_t start, uint32_t size)
{
    const uint8_t *data = read(start, size);

    for (uint32_t offset = 0; data != NULL && offset + RSDP_SIZE_2 <= size; offset += 16) {
        if (is_rsdp(data + offset)) {
            return start + offset;
        }
    }
    return 0;
}

static uint64_t search_bios(MemoryRead read)
{
    const uint8_t *segment = read(EBDA_SEGMENT, 2);
    const uint64_t ebda = segment == NULL ? 0 : (segment[0] | (uint64_t)segment[1] << 8) << 4;
    const uint64_t found = ebda < 0x400 ? 0 : search(read, ebda, EBDA_SIZE);

    return found != 0 ? found : search(read, ROM_START, ROM_SIZE);
}

// What lists the tables: the XSDT, or the RSDT of ACPI 1.
static Table open_root(MemoryRead read, uint64_t addr, uint32_t *width)
{
    const Table rsdp = {.data = read(addr, RSDP_SIZE_2), .length = RSDP_SIZE_2};

    *width = 4;
    if (rsdp.data == NULL || !is_rsdp(rsdp.data)) {
        return (Table){0};
    }
    if (number(rsdp, 15, 1) >= 2 && sums_to_zero(rsdp.data, RSDP_SIZE_2)) {
        const Table xsdt = open_table(read, number(rsdp, 24, 8));

        if (xsdt.data != NULL) {
            *width = 8;
            return xsdt;
        }
    }
    return open_table(read, number(rsdp, 16, 4));
}

static Table find_table(MemoryRead read, Table root, uint32_t width, const char *signature)
{
    for (uint32_t offset = HEADER_SIZE; offset + width <= root.length; offset += width) {
        const uint64_t addr = number(root, offset, width);
        const uint8_t *name = addr == 0 ? NULL : read(addr, 4);

        if (name != NULL && memcmp(name, signature, 4) == 0) {
            return open_table(read, addr);
        }
    }
    return (Table){0};
}

// ---- MADT (5.2.12) ----

static void add_cpu(Reader *reader, uint64_t id, uint64_t flags)
{
    HostInfo *info = reader->info;
    const uint32_t index = hostinfo_find_cpu(info, id);

    if ((flags & 1) != 0 && (info->cpu_count == 0 || info->cpus[index] != id)) {
        hostinfo_add_cpu(info, id, reader->boot_cpu);
    }
}

static void madt_lapic(Reader *reader, Table entry)
{
    add_cpu(reader, number(entry, 3, 1), number(entry, 4, 4));
}

static void madt_x2apic(Reader *reader, Table entry)
{
    add_cpu(reader, number(entry, 4, 4), number(entry, 8, 4));
}

static void madt_lapic_override(Reader *reader, Table entry)
{
    reader->acpi->lapic = number(entry, 4, 8);
}

static void madt_interrupt_override(Reader *reader, Table entry)
{
    const uint64_t flags = number(entry, 8, 2);

    if (number(entry, 2, 1) == 0 && number(entry, 3, 1) == ISA_UART) {
        reader->uart_gsi = (uint32_t)number(entry, 4, 4);
        reader->acpi->uart_active_low = (flags & 3) == 3;
        reader->acpi->uart_level = (flags >> 2 & 3) == 3;
    }
}

// Of several the one that begins closest below the UART's interrupt.
static void madt_ioapic(Reader *reader, Table entry)
{
    const uint32_t first = (uint32_t)number(entry, 8, 4);

    if (first <= reader->uart_gsi && (reader->acpi->ioapic == 0 || first >= reader->ioapic_first)) {
        reader->acpi->ioapic = number(entry, 4, 4);
        reader->ioapic_first = first;
    }
}

typedef struct MadtKind {
    uint8_t type;
    uint8_t length;
    void (*take)(Reader *reader, Table entry);
} MadtKind;

// The overrides come before the IOAPIC they are looked up in.
static const MadtKind madt_first[] = {
    {0, 8, madt_lapic},
    {2, 10, madt_interrupt_override},
    {5, 12, madt_lapic_override},
    {9, 16, madt_x2apic},
};
static const MadtKind madt_second[] = {
    {1, 12, madt_ioapic},
};

static bool take_entry(Reader *reader, Table entry, const MadtKind *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].type == entry.data[0]) {
            if (entry.length < kinds[i].length) {
                return false;
            }
            kinds[i].take(reader, entry);
        }
    }
    return true;
}

static bool walk_madt(Reader *reader, Table madt, const MadtKind *kinds, size_t count)
{
    uint32_t offset = 44;

    while (offset < madt.length) {
        const uint32_t left = madt.length - offset;
        const uint32_t length = left < 2 ? 0 : madt.data[offset + 1];

        if (length < 2 || length > left ||
            !take_entry(reader, (Table){.data = madt.data + offset, .length = length}, kinds,
                        count)) {
            return false;
        }
        offset += length;
    }
    return true;
}

static const char *read_madt(Reader *reader, Table madt)
{
    AcpiInfo *acpi = reader->acpi;
    HostInfo *info = reader->info;

    if (madt.data == NULL) {
        return "there is no valid MADT ('APIC')";
    }
    acpi->lapic = number(madt, 36, 4);
    acpi->ioapic = 0;
    info->cpu_count = 0;
    if (!walk_madt(reader, madt, madt_first, sizeof(madt_first) / sizeof(madt_first[0])) ||
        !walk_madt(reader, madt, madt_second, sizeof(madt_second) / sizeof(madt_second[0]))) {
        return "the MADT has an entry of a bad length";
    }
    if (acpi->lapic == 0 || acpi->lapic % 4096 != 0 || acpi->ioapic % 1024 != 0) {
        return "the MADT has a bad address of an interrupt controller";
    }
    acpi->uart_pin = reader->uart_gsi - reader->ioapic_first;
    if (info->cpu_count == 0 ||
        info->cpus[hostinfo_find_cpu(info, reader->boot_cpu)] != reader->boot_cpu) {
        return "the MADT does not list the CPU that started";
    }
    return NULL;
}

// ---- FADT and DSDT: power-off ----

static AcpiRegister extended_register(Table fadt, uint32_t offset)
{
    const uint64_t space = number(fadt, offset, 1);
    const uint64_t addr = number(fadt, offset + 4, 8);
    const bool usable = offset + REGISTER_SIZE <= fadt.length &&
                        (space == SPACE_MEMORY || (space == SPACE_IO && addr <= UINT16_MAX));

    return (AcpiRegister){.addr = usable ? addr : 0, .io = space == SPACE_IO};
}

static AcpiRegister pm1_register(Table fadt, uint32_t extended, uint32_t port)
{
    const AcpiRegister reg = extended_register(fadt, extended);
    const uint64_t addr = number(fadt, port, 4);

    return reg.addr != 0 ? reg : (AcpiRegister){.addr = addr <= UINT16_MAX ? addr : 0, .io = true};
}

// Length of the encoding of a package's length; it says itself.
static uint32_t package_length_size(uint8_t lead)
{
    return 1 + (lead >> 6);
}

// An integer of those that sleep types are written as. False when it is another object.
static bool small_integer(Table dsdt, uint32_t *offset, uint8_t *value)
{
    const uint64_t op = number(dsdt, *offset, 1);

    *value = (uint8_t)(op == AML_BYTE ? number(dsdt, *offset + 1, 1) : op);
    *offset += op == AML_BYTE ? 2 : 1;
    return *offset <= dsdt.length && (op == AML_ZERO || op == AML_ONE || op == AML_BYTE);
}

// The values of Name (_S5, Package () {a, b, ...}) whose name is at `offset`.
static bool read_s5(AcpiInfo *acpi, Table dsdt, uint32_t offset)
{
    const uint8_t before = dsdt.data[offset - 1];

    if (before != AML_NAME && (before != AML_ROOT || dsdt.data[offset - 2] != AML_NAME)) {
        return false;
    }
    offset += 4;
    if (number(dsdt, offset, 1) != AML_PACKAGE || dsdt.length - offset < 4) {
        return false;
    }
    offset += 1 + package_length_size(dsdt.data[offset + 1]);
    if (number(dsdt, offset, 1) < 2) {
        return false;
    }
    offset++;
    return small_integer(dsdt, &offset, &acpi->sleep_type[0]) &&
           small_integer(dsdt, &offset, &acpi->sleep_type[1]);
}

static bool find_s5(AcpiInfo *acpi, Table dsdt)
{
    for (uint32_t offset = HEADER_SIZE + 2; offset + 8 <= dsdt.length; offset++) {
        if (memcmp(dsdt.data + offset, "_S5_", 4) == 0 && read_s5(acpi, dsdt, offset)) {
            return true;
        }
    }
    return false;
}

// Whatever is missing here is done without.
static void read_power(Reader *reader, Table fadt)
{
    AcpiInfo *acpi = reader->acpi;
    uint64_t dsdt;

    if (fadt.data == NULL) {
        return;
    }
    dsdt = number(fadt, FADT_X_DSDT, 8);
    acpi->has_s5 = find_s5(acpi,
                           open_table(reader->read, dsdt != 0 ? dsdt : number(fadt, FADT_DSDT, 4)));
    acpi->pm1_control[0] = pm1_register(fadt, FADT_X_PM1A, FADT_PM1A_CONTROL);
    acpi->pm1_control[1] = pm1_register(fadt, FADT_X_PM1B, FADT_PM1B_CONTROL);
    acpi->sleep_control = extended_register(fadt, FADT_SLEEP_CONTROL);
    acpi->acpi_enable = (uint8_t)number(fadt, FADT_ACPI_ENABLE, 1);
    acpi->smi_command = (uint16_t)number(fadt, FADT_SMI_COMMAND, 4);
}

bool x86_64_acpi_read(AcpiInfo *acpi, HostInfo *info, uint64_t rsdp, uint64_t boot_cpu,
                      MemoryRead read, const char **why)
{
    Reader reader = {
        .acpi = acpi,
        .info = info,
        .boot_cpu = boot_cpu,
        .read = read,
        .uart_gsi = ISA_UART,
    };
    uint32_t width;
    Table root;

    *acpi = (AcpiInfo){.lapic = LAPIC_USUAL, .ioapic = IOAPIC_USUAL, .uart_pin = ISA_UART};
    info->cpus[0] = boot_cpu;
    info->cpu_count = 1;
    *why = NULL;
    if (rsdp == 0) {
        rsdp = search_bios(read);
    }
    if (rsdp == 0) {
        return true;
    }
    root = open_root(read, rsdp, &width);
    if (root.data == NULL) {
        *why = "the root pointer, the XSDT or the RSDT is damaged";
        return false;
    }
    read_power(&reader, find_table(read, root, width, "FACP"));
    *why = read_madt(&reader, find_table(read, root, width, "APIC"));
    return *why == NULL;
}
