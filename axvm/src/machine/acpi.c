// SPDX-License-Identifier: Apache-2.0
/*
 * The tables in the order in which they lie in memory: RSDP, FACS, DSDT, FADT, MADT, XSDT. The
 * DSDT's code is put together by hand (ACPI 6.4, chapter 20).
 */
#include "acpi.h"

#include <string.h>

#define OEM_ID       'A', 'X', 'V', 'M', ' ', ' '
#define OEM_TABLE_ID 'A', 'X', 'V', 'M', 'P', 'C', ' ', ' '
#define CREATOR_ID   'A', 'X', 'V', 'M'

#define TABLE_ALIGN   64u
#define ADDRESS_LIMIT (UINT64_C(1) << 32)

#define RSDP_REVISION 2u
#define XSDT_REVISION 1u
#define FADT_REVISION 6u
#define FADT_MINOR    4u
#define MADT_REVISION 5u
#define DSDT_REVISION 2u
#define FACS_VERSION  2u

typedef struct __attribute__((packed)) Rsdp {
    uint8_t signature[8];
    uint8_t checksum; // of the first 20 bytes
    uint8_t oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum; // of everything
    uint8_t reserved[3];
} Rsdp;

#define RSDP_FIRST_SIZE 20u

typedef struct __attribute__((packed)) Header {
    uint8_t signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    uint8_t oem_id[6];
    uint8_t oem_table_id[8];
    uint32_t oem_revision;
    uint8_t creator_id[4];
    uint32_t creator_revision;
} Header;

typedef struct __attribute__((packed)) GenericAddress {
    uint8_t space;
    uint8_t bits;
    uint8_t offset;
    uint8_t access; // 1: byte, 2: word
    uint64_t address;
} GenericAddress;

typedef struct __attribute__((packed)) Fadt {
    Header header;
    uint32_t facs;
    uint32_t dsdt;
    uint8_t reserved0;
    uint8_t profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_request;
    uint8_t pstate_control;
    uint32_t pm1a_event;
    uint32_t pm1b_event;
    uint32_t pm1a_control;
    uint32_t pm1b_control;
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint32_t gpe0;
    uint32_t gpe1;
    uint8_t pm1_event_size;
    uint8_t pm1_control_size;
    uint8_t pm2_control_size;
    uint8_t pm_timer_size;
    uint8_t gpe0_size;
    uint8_t gpe1_size;
    uint8_t gpe1_base;
    uint8_t cstate_control;
    uint16_t c2_latency;
    uint16_t c3_latency;
    uint16_t flush_size;
    uint16_t flush_stride;
    uint8_t duty_offset;
    uint8_t duty_width;
    uint8_t rtc_day_alarm;
    uint8_t rtc_month_alarm;
    uint8_t rtc_century;
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    GenericAddress reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_flags;
    uint8_t minor;
    uint64_t x_facs;
    uint64_t x_dsdt;
    GenericAddress x_pm1a_event;
    GenericAddress x_pm1b_event;
    GenericAddress x_pm1a_control;
    GenericAddress x_pm1b_control;
    GenericAddress x_pm2_control;
    GenericAddress x_pm_timer;
    GenericAddress x_gpe0;
    GenericAddress x_gpe1;
    GenericAddress sleep_control;
    GenericAddress sleep_status;
    uint64_t hypervisor;
} Fadt;

typedef struct __attribute__((packed)) Facs {
    uint8_t signature[4];
    uint32_t length;
    uint32_t hardware_signature;
    uint32_t waking_vector;
    uint32_t global_lock;
    uint32_t flags;
    uint64_t x_waking_vector;
    uint8_t version;
    uint8_t reserved[31];
} Facs;

typedef struct __attribute__((packed)) Madt {
    Header header;
    uint32_t lapic_base;
    uint32_t flags;
} Madt;

typedef struct __attribute__((packed)) MadtLapic {
    uint8_t type;
    uint8_t length;
    uint8_t uid;
    uint8_t apic_id;
    uint32_t flags;
} MadtLapic;

typedef struct __attribute__((packed)) MadtIoapic {
    uint8_t type;
    uint8_t length;
    uint8_t id;
    uint8_t reserved;
    uint32_t base;
    uint32_t first_irq;
} MadtIoapic;

typedef struct __attribute__((packed)) MadtOverride {
    uint8_t type;
    uint8_t length;
    uint8_t bus;
    uint8_t source;
    uint32_t irq;
    uint16_t flags;
} MadtOverride;

typedef struct __attribute__((packed)) MadtLapicNmi {
    uint8_t type;
    uint8_t length;
    uint8_t uid;
    uint16_t flags;
    uint8_t lint;
} MadtLapicNmi;

_Static_assert(sizeof(Rsdp) == 36, "section 5.2.5.3");
_Static_assert(sizeof(Header) == 36, "section 5.2.6");
_Static_assert(sizeof(Fadt) == 276, "section 5.2.9");
_Static_assert(offsetof(Fadt, boot_flags) == 109 && offsetof(Fadt, flags) == 112, "section 5.2.9");
_Static_assert(offsetof(Fadt, reset_register) == 116, "section 5.2.9");
_Static_assert(offsetof(Fadt, x_dsdt) == 140, "section 5.2.9");
_Static_assert(offsetof(Fadt, sleep_control) == 244, "section 5.2.9");
_Static_assert(sizeof(Facs) == 64, "section 5.2.10");
_Static_assert(sizeof(Madt) == 44, "section 5.2.12");
_Static_assert(sizeof(MadtLapic) == 8 && sizeof(MadtIoapic) == 12, "section 5.2.12");
_Static_assert(sizeof(MadtOverride) == 10 && sizeof(MadtLapicNmi) == 6, "section 5.2.12");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are");

#define SPACE_IO 1u

#define BOOT_LEGACY  (1u << 0) // devices of an ISA bus
#define BOOT_8042    (1u << 1)
#define BOOT_NO_VGA  (1u << 2)
#define BOOT_NO_MSI  (1u << 3)
#define BOOT_NO_CMOS (1u << 5)

#define FADT_WBINVD     (1u << 0)
#define FADT_C1         (1u << 2)
#define FADT_NO_POWER   (1u << 4) // no power button in PM1
#define FADT_NO_SLEEP   (1u << 5) // no sleep button in PM1
#define FADT_NO_RTC     (1u << 6) // no alarm in PM1
#define FADT_RESET      (1u << 10)
#define FADT_HW_REDUCED (1u << 20)

// Latencies that mean: there is no such state.
#define NO_C2 0xffffu
#define NO_C3 0xffffu

#define MADT_8259            1u
#define MADT_LAPIC           0u
#define MADT_IOAPIC          1u
#define MADT_OVERRIDE        2u
#define MADT_LAPIC_NMI       4u
#define MADT_ENABLED         1u
#define MADT_ALL_CPUS        0xffu
#define MADT_BUS_DEFAULT     0u
#define MADT_LEVEL_HIGH      0xdu // active high, level
#define ISA_TIMER            0u
#define NMI_LINT             1u
#define S5_TYPE_MAX          7u
#define TABLES_IN_XSDT       2u
#define AML_LENGTH_TWO_BYTES 0x40u

// Room that was asked for beyond the end is remembered, and asked for once, at the end.
typedef struct Writer {
    uint8_t *buffer;
    size_t room;
    size_t used;
    bool full;
} Writer;

// ---- writing ----

static void put(Writer *writer, const void *bytes, size_t size)
{
    if (writer->full || size > writer->room - writer->used) {
        writer->full = true;
        return;
    }
    memcpy(writer->buffer + writer->used, bytes, size);
    writer->used += size;
}

static void put_byte(Writer *writer, uint8_t byte)
{
    put(writer, &byte, 1);
}

static void put_u16(Writer *writer, uint16_t value)
{
    put(writer, &value, sizeof(value));
}

static size_t align(Writer *writer)
{
    while (!writer->full && writer->used % TABLE_ALIGN != 0) {
        put_byte(writer, 0);
    }
    return writer->used;
}

static uint8_t sum_to_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)(0u - sum);
}

static Header header(const char signature[4], uint8_t revision)
{
    Header result = {.revision = revision,
                     .oem_id = {OEM_ID},
                     .oem_table_id = {OEM_TABLE_ID},
                     .oem_revision = 1,
                     .creator_id = {CREATOR_ID},
                     .creator_revision = 1};

    memcpy(result.signature, signature, sizeof(result.signature));
    return result;
}

// The table that began at `start` ends here.
static void finish_table(Writer *writer, size_t start)
{
    uint8_t *table = writer->buffer + start;
    const uint32_t length = (uint32_t)(writer->used - start);

    if (writer->full) {
        return;
    }
    memcpy(table + offsetof(Header, length), &length, sizeof(length));
    table[offsetof(Header, checksum)] = sum_to_zero(table, length);
}

// ---- RSDP, XSDT ----

static Rsdp rsdp(uint64_t xsdt)
{
    Rsdp table = {.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
                  .oem_id = {OEM_ID},
                  .revision = RSDP_REVISION,
                  .length = sizeof(Rsdp),
                  .xsdt = xsdt};

    table.checksum = sum_to_zero((const uint8_t *)&table, RSDP_FIRST_SIZE);
    table.extended_checksum = sum_to_zero((const uint8_t *)&table, sizeof(table));
    return table;
}

static void put_xsdt(Writer *writer, uint64_t fadt, uint64_t madt)
{
    const size_t start = align(writer);
    const Header head = header("XSDT", XSDT_REVISION);
    const uint64_t tables[TABLES_IN_XSDT] = {fadt, madt};

    put(writer, &head, sizeof(head));
    put(writer, tables, sizeof(tables));
    finish_table(writer, start);
}

// ---- FADT, FACS ----

static void put_facs(Writer *writer)
{
    const Facs facs = {
        .signature = {'F', 'A', 'C', 'S'}, .length = sizeof(Facs), .version = FACS_VERSION};

    put(writer, &facs, sizeof(facs));
}

static GenericAddress port(uint16_t base, uint8_t bytes)
{
    // A block of two registers is accessed as such.
    const uint8_t access = bytes == 1 ? 1 : 2;

    return (GenericAddress){SPACE_IO, (uint8_t)(bytes * 8), 0, access, base};
}

static void add_pm1(Fadt *fadt, const AxAcpiBoard *board)
{
    fadt->sci_irq = board->sci_irq;
    fadt->pm1a_event = board->pm1a_event;
    fadt->pm1_event_size = 4;
    fadt->x_pm1a_event = port(board->pm1a_event, 4);
    fadt->pm1a_control = board->pm1a_control;
    fadt->pm1_control_size = 2;
    fadt->x_pm1a_control = port(board->pm1a_control, 2);
}

static void add_sleep_registers(Fadt *fadt, const AxAcpiBoard *board)
{
    fadt->flags |= FADT_HW_REDUCED;
    fadt->sleep_control = port(board->sleep_control, 1);
    fadt->sleep_status = port(board->sleep_status, 1);
}

static uint16_t boot_flags(const AxAcpiBoard *board)
{
    return (uint16_t)(BOOT_LEGACY | BOOT_NO_VGA | BOOT_NO_MSI | (board->has_8042 ? BOOT_8042 : 0) |
                      (board->rtc_base == 0 ? BOOT_NO_CMOS : 0));
}

static void put_fadt(Writer *writer, const AxAcpiBoard *board, uint64_t facs, uint64_t dsdt)
{
    const size_t start = align(writer);
    Fadt fadt = {
        .header = header("FACP", FADT_REVISION),
        .facs = (uint32_t)facs,
        .dsdt = (uint32_t)dsdt,
        .c2_latency = NO_C2,
        .c3_latency = NO_C3,
        .boot_flags = boot_flags(board),
        .flags = FADT_WBINVD | FADT_C1 | FADT_NO_POWER | FADT_NO_SLEEP | FADT_NO_RTC | FADT_RESET,
        .reset_register = port(board->reset_port, 1),
        .reset_value = board->reset_value,
        .minor = FADT_MINOR,
        .x_dsdt = dsdt,
    };

    if (board->hardware_reduced) {
        add_sleep_registers(&fadt, board);
    } else {
        add_pm1(&fadt, board);
    }
    put(writer, &fadt, sizeof(fadt));
    finish_table(writer, start);
}

// ---- MADT ----

static void put_lapics(Writer *writer, uint32_t count)
{
    for (uint32_t id = 0; id < count; id++) {
        const MadtLapic lapic = {MADT_LAPIC, sizeof(lapic), (uint8_t)id, (uint8_t)id, MADT_ENABLED};

        put(writer, &lapic, sizeof(lapic));
    }
}

static void put_override(Writer *writer, uint8_t source, uint8_t irq, uint16_t flags)
{
    const MadtOverride entry = {MADT_OVERRIDE, sizeof(entry), MADT_BUS_DEFAULT, source, irq, flags};

    put(writer, &entry, sizeof(entry));
}

static void put_madt(Writer *writer, const AxAcpiBoard *board)
{
    const size_t start = align(writer);
    const Madt madt = {header("APIC", MADT_REVISION), board->lapic_base,
                       board->has_8259 ? MADT_8259 : 0};
    const MadtIoapic ioapic = {MADT_IOAPIC, sizeof(ioapic),     board->ioapic_id,
                               0,           board->ioapic_base, 0};
    const MadtLapicNmi nmi = {MADT_LAPIC_NMI, sizeof(nmi), MADT_ALL_CPUS, 0, NMI_LINT};

    put(writer, &madt, sizeof(madt));
    put_lapics(writer, board->cpu_count);
    put(writer, &ioapic, sizeof(ioapic));
    put_override(writer, ISA_TIMER, board->timer_irq, 0);
    put_override(writer, board->sci_irq, board->sci_irq, MADT_LEVEL_HIGH);
    put(writer, &nmi, sizeof(nmi));
    finish_table(writer, start);
}

// ---- DSDT: AML terms (section 20.2) ----

#define AML_ZERO       0x00
#define AML_NAME       0x08
#define AML_BYTE       0x0a
#define AML_DWORD      0x0c
#define AML_SCOPE      0x10
#define AML_BUFFER     0x11
#define AML_PACKAGE    0x12
#define AML_EXTENDED   0x5b
#define AML_DEVICE     0x82 // behind AML_EXTENDED
#define AML_ROOT       '\\'
#define RESOURCE_IO    0x47 // section 6.4.2.5
#define IO_DECODE_16   0x01
#define RESOURCE_IRQ   0x22 // section 6.4.2.1: edge, active high
#define RESOURCE_END   0x79
#define RESOURCE_BYTES 13u
#define STA_PRESENT    0x0f // there, enabled, shown, working

// Compressed EISA ids, in the order of their bytes.
#define EISA_PNP0501 0x41, 0xd0, 0x05, 0x01
#define EISA_PNP0B00 0x41, 0xd0, 0x0b, 0x00

#define PUT_BYTES(writer, ...) \
    put(writer, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// Lengths count themselves; always of two bytes here.
static size_t begin_package(Writer *writer)
{
    const size_t start = writer->used;

    put_u16(writer, 0);
    return start;
}

static void end_package(Writer *writer, size_t start)
{
    const size_t length = writer->used - start;

    if (!writer->full) {
        writer->buffer[start] = (uint8_t)(AML_LENGTH_TWO_BYTES | (length & 0xf));
        writer->buffer[start + 1] = (uint8_t)(length >> 4);
    }
}

static void put_s5(Writer *writer, uint8_t type)
{
    size_t package;

    PUT_BYTES(writer, AML_NAME, AML_ROOT, '_', 'S', '5', '_', AML_PACKAGE);
    package = begin_package(writer);
    PUT_BYTES(writer, 4, AML_BYTE, type, AML_BYTE, type, AML_ZERO, AML_ZERO);
    end_package(writer, package);
}

static void put_resources(Writer *writer, uint16_t base, uint8_t ports, uint8_t irq)
{
    size_t buffer;

    PUT_BYTES(writer, AML_NAME, '_', 'C', 'R', 'S', AML_BUFFER);
    buffer = begin_package(writer);
    PUT_BYTES(writer, AML_BYTE, RESOURCE_BYTES, RESOURCE_IO, IO_DECODE_16);
    put_u16(writer, base);
    put_u16(writer, base);
    PUT_BYTES(writer, 1, ports, RESOURCE_IRQ);
    put_u16(writer, (uint16_t)(1u << irq));
    PUT_BYTES(writer, RESOURCE_END, 0);
    end_package(writer, buffer);
}

typedef struct IsaDevice {
    uint8_t name[4];
    uint8_t eisa_id[4];
    uint8_t ports;
} IsaDevice;

static void put_device(Writer *writer, const IsaDevice *device, uint16_t base, uint8_t irq)
{
    size_t package;

    PUT_BYTES(writer, AML_EXTENDED, AML_DEVICE);
    package = begin_package(writer);
    put(writer, device->name, sizeof(device->name));
    PUT_BYTES(writer, AML_NAME, '_', 'H', 'I', 'D', AML_DWORD);
    put(writer, device->eisa_id, sizeof(device->eisa_id));
    PUT_BYTES(writer, AML_NAME, '_', 'U', 'I', 'D', AML_ZERO);
    PUT_BYTES(writer, AML_NAME, '_', 'S', 'T', 'A', AML_BYTE, STA_PRESENT);
    put_resources(writer, base, device->ports, irq);
    end_package(writer, package);
}

static void put_devices(Writer *writer, const AxAcpiBoard *board)
{
    static const IsaDevice uart = {{'C', 'O', 'M', '1'}, {EISA_PNP0501}, 8};
    static const IsaDevice rtc = {{'R', 'T', 'C', '_'}, {EISA_PNP0B00}, 2};
    size_t scope;

    put_byte(writer, AML_SCOPE);
    scope = begin_package(writer);
    PUT_BYTES(writer, AML_ROOT, '_', 'S', 'B', '_');
    put_device(writer, &uart, board->uart_base, board->uart_irq);
    if (board->rtc_base != 0) {
        put_device(writer, &rtc, board->rtc_base, board->rtc_irq);
    }
    end_package(writer, scope);
}

static void put_dsdt(Writer *writer, const AxAcpiBoard *board)
{
    const size_t start = align(writer);
    const Header head = header("DSDT", DSDT_REVISION);

    put(writer, &head, sizeof(head));
    put_s5(writer, board->s5_type);
    put_devices(writer, board);
    finish_table(writer, start);
}

// ---- all of them ----

static AxError check(const AxAcpiBoard *board, uint64_t address)
{
    if (address % TABLE_ALIGN != 0) {
        return AX_EALIGN;
    }
    return address < ADDRESS_LIMIT && board->cpu_count != 0 &&
                   board->cpu_count <= AX_ACPI_CPUS_MAX && board->s5_type <= S5_TYPE_MAX &&
                   board->uart_irq < 16 && board->rtc_irq < 16
               ? AX_OK
               : AX_ERANGE;
}

AxError axvm_acpi_build(const AxAcpiBoard *board, uint64_t address, void *buffer, size_t room,
                        size_t *size)
{
    Writer writer = {.buffer = buffer, .room = room};
    const AxError error = check(board, address);
    Rsdp first = {0};
    uint64_t facs = 0;

    if (error != AX_OK) {
        return error;
    }
    put(&writer, &first, sizeof(first));
    if (!board->hardware_reduced) {
        facs = address + align(&writer);
        put_facs(&writer);
    }

    const uint64_t dsdt = address + align(&writer);
    put_dsdt(&writer, board);
    const uint64_t fadt = address + align(&writer);
    put_fadt(&writer, board, facs, dsdt);
    const uint64_t madt = address + align(&writer);
    put_madt(&writer, board);
    first = rsdp(address + align(&writer));
    put_xsdt(&writer, fadt, madt);
    if (writer.full) {
        return AX_ENOSPC;
    }
    memcpy(buffer, &first, sizeof(first));
    *size = writer.used;
    return AX_OK;
}
