// SPDX-License-Identifier: Apache-2.0
// The ACPI tables: found as firmware would leave them, with good checksums, true of the machine.
#include "selftest.h"

#include <string.h>

#define SEARCH_BEGIN UINT64_C(0x03c00000) // the last MiBs of memory
#define SEARCH_END   UINT64_C(0x04000000)
#define RSDP_SIZE    36u
#define RSDP_OLD     20u

typedef struct __attribute__((packed)) Rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t checksum_of_all;
    uint8_t reserved[3];
} Rsdp;

typedef struct __attribute__((packed)) Table {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    uint32_t creator[2];
} Table;

typedef struct __attribute__((packed)) Madt {
    Table table;
    uint32_t lapic;
    uint32_t flags;
} Madt;

#define ENTRY_LAPIC  0u
#define ENTRY_IOAPIC 1u

_Static_assert(sizeof(Rsdp) == RSDP_SIZE && sizeof(Table) == 36 && sizeof(Madt) == 44, "ACPI 6.4");

static uint32_t cpu_count;
static uint32_t ioapic_count;
static uint32_t ioapic_address;

static bool sums_to_zero(const void *data, uint32_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    for (uint32_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static const Rsdp *find_rsdp(void)
{
    for (uint64_t at = SEARCH_BEGIN; at < SEARCH_END; at += 16) {
        if (memcmp((const void *)at, "RSD PTR ", 8) == 0) {
            return (const Rsdp *)at;
        }
    }
    return NULL;
}

static const Table *find_table(const Table *xsdt, const char *signature)
{
    const uint8_t *entries = (const uint8_t *)(xsdt + 1);

    for (uint32_t at = 0; at + sizeof(Table) < xsdt->length; at += 8) {
        uint64_t address;

        memcpy(&address, entries + at, sizeof(address));
        if (memcmp((const void *)address, signature, 4) == 0) {
            return (const Table *)address;
        }
    }
    return NULL;
}

static void look_at_madt(const Madt *madt)
{
    const uint8_t *entry = (const uint8_t *)(madt + 1);
    const uint8_t *const end = (const uint8_t *)madt + madt->table.length;

    for (; entry + 2 <= end && entry[1] != 0; entry += entry[1]) {
        if (entry[0] == ENTRY_LAPIC) {
            cpu_count += (entry[4] & 1u) != 0 ? 1 : 0;
        } else if (entry[0] == ENTRY_IOAPIC) {
            ioapic_count++;
            memcpy(&ioapic_address, entry + 4, sizeof(ioapic_address));
        }
    }
}

static bool is_good(const Table *table)
{
    return table != NULL && sums_to_zero(table, table->length);
}

uint32_t selftest_cpus(void)
{
    return cpu_count;
}

void test_firmware(void)
{
    const Rsdp *rsdp = find_rsdp();

    if (!GUEST_CHECK(rsdp != NULL && sums_to_zero(rsdp, RSDP_OLD) && sums_to_zero(rsdp, RSDP_SIZE),
                     "there is an RSDP")) {
        return;
    }
    const Table *xsdt = (const Table *)rsdp->xsdt;

    if (!GUEST_CHECK(is_good(xsdt) && memcmp(xsdt, "XSDT", 4) == 0, "and an XSDT")) {
        return;
    }
    const Table *madt = find_table(xsdt, "APIC");

    if (!GUEST_CHECK(is_good(madt), "and a MADT")) {
        return;
    }
    GUEST_CHECK_EQ(((const Madt *)madt)->lapic, GUEST_LAPIC, "the local APICs are where they are");
    look_at_madt((const Madt *)madt);
    GUEST_CHECK(cpu_count >= 1 && cpu_count <= GUEST_CPUS, "the MADT has the CPUs");
    GUEST_CHECK(ioapic_count == 1 && ioapic_address == GUEST_IOAPIC, "and the I/O APIC");
    GUEST_CHECK(is_good(find_table(xsdt, "FACP")), "there is a FADT");
}
