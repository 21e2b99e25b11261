// SPDX-License-Identifier: Apache-2.0
// Tables like those of QEMU's q35, one thing in them changed.
#include "memory.h"
#include "x86_64/acpi.h"

#define RSDP 0xf5a80u
#define XSDT 0x10000u
#define RSDT 0x11000u
#define FADT 0x12000u
#define DSDT 0x13000u
#define MADT 0x14000u

#define FADT_SIZE 276u
#define DSDT_SIZE 80u
#define S5        (DSDT + 50u)
#define MADT_SIZE 118u

// Entries of the MADT
#define LAPIC_A     (MADT + 44u)
#define LAPIC_B     (MADT + 52u)
#define LAPIC_OFF   (MADT + 60u)
#define X2APIC      (MADT + 68u)
#define IOAPIC      (MADT + 84u)
#define IOAPIC_HIGH (MADT + 96u)
#define OVERRIDE    (MADT + 108u)

static void fix_sum(uint64_t addr, uint32_t length, uint64_t at)
{
    uint8_t sum = 0;

    memory[at] = 0;
    for (uint32_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + memory[addr + i]);
    }
    memory[at] = (uint8_t)(0 - sum);
}

static void fix_table(uint64_t addr)
{
    uint32_t length;

    memcpy(&length, memory + addr + 4, sizeof(length));
    if (addr + length <= MEMORY_SIZE) {
        fix_sum(addr, length, addr + 9);
    }
}

static void put_header(uint64_t addr, const char *signature, uint32_t length)
{
    memcpy(memory + addr, signature, 4);
    put(addr + 4, length, 4);
}

static void put_rsdp(uint64_t addr)
{
    memcpy(memory + addr, "RSD PTR ", 8);
    put(addr + 15, 2, 1);
    put(addr + 16, RSDT, 4);
    put(addr + 20, 36, 4);
    put(addr + 24, XSDT, 8);
    fix_sum(addr, 20, addr + 8);
    fix_sum(addr, 36, addr + 32);
}

static void put_roots(void)
{
    put_header(XSDT, "XSDT", 52);
    put(XSDT + 36, FADT, 8);
    put(XSDT + 44, MADT, 8);
    put_header(RSDT, "RSDT", 40);
    put(RSDT + 36, MADT, 4);
    put_rsdp(RSDP);
}

static void put_fadt(void)
{
    put_header(FADT, "FACP", FADT_SIZE);
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    put(FADT + 52, 2, 1);
    put(FADT + 64, 0x604, 4);
    put_header(DSDT, "DSDT", DSDT_SIZE);
    // Name (_S5, Package (4) {5, 1, Zero, Zero})
    memcpy(memory + S5 - 1, "\x08_S5_\x12\x08\x04\x0a\x05\x01\x00\x00", 13);
}

static void put_lapic(uint64_t addr, uint8_t id, uint32_t flags)
{
    put(addr, 0x0800, 2);
    put(addr + 3, id, 1);
    put(addr + 4, flags, 4);
}

static void put_ioapic(uint64_t addr, uint32_t base, uint32_t first)
{
    put(addr, 0x0c01, 2);
    put(addr + 4, base, 4);
    put(addr + 8, first, 4);
}

static void put_madt(void)
{
    put_header(MADT, "APIC", MADT_SIZE);
    put(MADT + 36, 0xfee00000, 4);
    put_lapic(LAPIC_A, 0, 1);
    put_lapic(LAPIC_B, 4, 1);
    put_lapic(LAPIC_OFF, 6, 0);
    put(X2APIC, 0x1009, 2);
    put(X2APIC + 4, 300, 4);
    put(X2APIC + 8, 1, 4);
    put_ioapic(IOAPIC, 0xfec00000, 0);
    put_ioapic(IOAPIC_HIGH, 0xfec10000, 24);
    put(OVERRIDE, 0x0a02, 2);
    put(OVERRIDE + 3, 9, 1);
    put(OVERRIDE + 4, 9, 4);
}

static void fix_tables(void)
{
    static const uint32_t tables[] = {XSDT, RSDT, FADT, DSDT, MADT};

    for (size_t i = 0; i < COUNT(tables); i++) {
        fix_table(tables[i]);
    }
}

static void build(void)
{
    memset(memory, 0, sizeof(memory));
    put_roots();
    put_fadt();
    put_madt();
    fix_tables();
}

typedef struct Result {
    AcpiInfo acpi;
    HostInfo info;
    const char *why;
} Result;

static bool read_at(Result *result, uint64_t rsdp, uint64_t boot_cpu)
{
    *result = (Result){.why = "?"};
    return x86_64_acpi_read(&result->acpi, &result->info, rsdp, boot_cpu, memory_read,
                            &result->why);
}

static Result must_read(void)
{
    Result result;

    fix_tables();
    assert_true(read_at(&result, RSDP, 4));
    assert_null(result.why);
    return result;
}

static void must_name(const char *thing)
{
    Result result;

    fix_tables();
    assert_false(read_at(&result, RSDP, 4));
    assert_names(result.why, thing);
}

static void everything_is_found_in_tables_like_qemus(void **state)
{
    (void)state;
    build();
    const Result result = must_read();

    assert_int_equal(result.info.cpu_count, 3);
    assert_int_equal(result.info.cpus[0], 0);
    assert_int_equal(result.info.cpus[1], 4);
    assert_int_equal(result.info.cpus[2], 300);
    assert_int_equal(result.acpi.lapic, 0xfee00000);
    assert_int_equal(result.acpi.ioapic, 0xfec00000);
    assert_int_equal(result.acpi.uart_pin, 4);
    assert_false(result.acpi.uart_level);
    assert_false(result.acpi.uart_active_low);
    assert_true(result.acpi.has_s5);
    assert_int_equal(result.acpi.sleep_type[0], 5);
    assert_int_equal(result.acpi.sleep_type[1], 1);
    assert_int_equal(result.acpi.pm1_control[0].addr, 0x604);
    assert_true(result.acpi.pm1_control[0].io);
    assert_int_equal(result.acpi.pm1_control[1].addr, 0);
    assert_int_equal(result.acpi.sleep_control.addr, 0);
    assert_int_equal(result.acpi.smi_command, 0xb2);
    assert_int_equal(result.acpi.acpi_enable, 2);
}

static void the_uart_may_be_wired_otherwise(void **state)
{
    (void)state;
    build();
    put(OVERRIDE + 3, 4, 1);
    put(OVERRIDE + 4, 30, 4);
    put(OVERRIDE + 8, 0xf, 2);
    const Result result = must_read();

    assert_int_equal(result.acpi.ioapic, 0xfec10000);
    assert_int_equal(result.acpi.uart_pin, 6);
    assert_true(result.acpi.uart_level);
    assert_true(result.acpi.uart_active_low);
}

static void a_local_apic_above_4_gib_is_found(void **state)
{
    (void)state;
    build();
    put(MADT + 4, MADT_SIZE + 6, 4);
    put(OVERRIDE, 0x0c05, 2);
    put(OVERRIDE + 4, 0x1fee00000, 8);
    put(OVERRIDE + 12, 0x0406, 2); // of a kind that is not known
    assert_int_equal(must_read().acpi.lapic, 0x1fee00000);
}

static void hardware_reduced_machines_have_a_register_of_their_own(void **state)
{
    (void)state;
    build();
    put(FADT + 64, 0, 4);
    put(FADT + 244, 0x0800, 2);
    put(FADT + 248, 0xfea00000, 8);
    const Result result = must_read();

    assert_int_equal(result.acpi.pm1_control[0].addr, 0);
    assert_int_equal(result.acpi.sleep_control.addr, 0xfea00000);
    assert_false(result.acpi.sleep_control.io);
}

static void a_fadt_of_acpi_1_is_enough_to_power_off(void **state)
{
    (void)state;
    build();
    put(FADT + 4, 116, 4);
    const Result result = must_read();

    assert_true(result.acpi.has_s5);
    assert_int_equal(result.acpi.pm1_control[0].addr, 0x604);
}

static void the_root_pointer_is_searched_where_a_bios_leaves_it(void **state)
{
    static const uint32_t places[] = {0xe0000, RSDP, 0xfffd0, 0x9fc10};
    Result result;

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        build();
        put(0x40e, 0x9fc0, 2);
        memset(memory + RSDP, 0, 36);
        put_rsdp(places[i]);
        assert_true(read_at(&result, 0, 4));
        assert_int_equal(result.info.cpu_count, 3);
    }
}

static void without_acpi_there_is_one_cpu(void **state)
{
    Result result;

    (void)state;
    memset(memory, 0, sizeof(memory));
    assert_true(read_at(&result, 0, 7));
    assert_int_equal(result.info.cpu_count, 1);
    assert_int_equal(result.info.cpus[0], 7);
    assert_int_equal(result.acpi.lapic, 0xfee00000);
    assert_int_equal(result.acpi.ioapic, 0xfec00000);
    assert_int_equal(result.acpi.uart_pin, 4);
    assert_false(result.acpi.has_s5);
}

static void a_damaged_xsdt_gives_way_to_the_rsdt(void **state)
{
    Result result;

    (void)state;
    build();
    memory[XSDT + 40] ^= 1;
    assert_true(read_at(&result, RSDP, 4));
    assert_int_equal(result.info.cpu_count, 3);
    assert_false(result.acpi.has_s5);
}

static void damaged_sums_are_noticed(void **state)
{
    Result result;

    (void)state;
    build();
    memory[RSDP + 9] ^= 1;
    assert_false(read_at(&result, RSDP, 4));
    assert_names(result.why, "root pointer");
    build();
    memory[MADT + 37] ^= 1;
    assert_false(read_at(&result, RSDP, 4));
    assert_names(result.why, "MADT");
}

typedef struct Damage {
    uint64_t addr;
    uint64_t value;
    size_t size;
    const char *named;
} Damage;

static void hostile_lengths_and_values_are_named(void **state)
{
    static const Damage damages[] = {
        {MADT + 4, 35, 4, "MADT"},
        {MADT + 4, UINT32_MAX, 4, "MADT"},
        {MADT + 4, MADT_SIZE - 1, 4, "bad length"},
        {MADT + 4, 45, 4, "bad length"},
        {MADT + 4, 40, 4, "does not list"},
        {LAPIC_A + 1, 0, 1, "bad length"},
        {LAPIC_A + 1, 1, 1, "bad length"},
        {LAPIC_A + 1, 7, 1, "bad length"},
        {OVERRIDE + 1, 255, 1, "bad length"},
        {IOAPIC + 1, 11, 1, "bad length"},
        {LAPIC_B + 4, 0, 4, "does not list"},
        {LAPIC_B + 3, 5, 1, "does not list"},
        {MADT + 36, 0, 4, "bad address"},
        {MADT + 36, 0xfee00001, 4, "bad address"},
        {IOAPIC + 4, 0xfec00004, 4, "bad address"},
        {XSDT + 44, 0, 8, "MADT"},
        {XSDT + 44, UINT64_MAX, 8, "MADT"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(damages); i++) {
        build();
        put(damages[i].addr, damages[i].value, damages[i].size);
        must_name(damages[i].named);
    }
}

static void what_is_wrong_with_power_off_does_not_stop_the_rest(void **state)
{
    static const Damage damages[] = {
        {FADT + 40, 0, 4, NULL},
        {FADT + 40, UINT32_MAX, 4, NULL},
        {DSDT + 4, 54, 4, NULL},
        {S5, 0, 1, NULL},
        {S5 - 1, 0, 1, NULL},
        {S5 + 4, 0x13, 1, NULL},
        {S5 + 5, 0xc8, 1, NULL},
        {S5 + 6, 1, 1, NULL},
        {S5 + 7, 0x0b, 1, NULL},
        {DSDT + 4, 59, 4, NULL},
        {FADT + 4, UINT32_MAX, 4, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(damages); i++) {
        build();
        put(damages[i].addr, damages[i].value, damages[i].size);
        const Result result = must_read();

        assert_false(result.acpi.has_s5);
        assert_int_equal(result.info.cpu_count, 3);
    }
}

static void a_cpu_that_is_listed_twice_counts_once(void **state)
{
    (void)state;
    build();
    put(X2APIC + 4, 4, 4);
    assert_int_equal(must_read().info.cpu_count, 2);
}

static void the_boot_cpu_is_never_one_too_many(void **state)
{
    Result result;

    (void)state;
    build();
    put(MADT + 4, 44 + 8 * (HOST_CPUS_MAX + 4), 4);
    for (uint8_t i = 0; i < HOST_CPUS_MAX + 4; i++) {
        put_lapic(MADT + 44 + UINT64_C(8) * i, (uint8_t)(i * 2), 1);
    }
    fix_tables();
    for (uint64_t boot = 0; boot < UINT64_C(2) * (HOST_CPUS_MAX + 4); boot += 2) {
        assert_true(read_at(&result, RSDP, boot));
        assert_int_equal(result.info.cpu_count, HOST_CPUS_MAX);
        assert_int_equal(result.info.cpus[hostinfo_find_cpu(&result.info, boot)], boot);
    }
}

static void random_bytes_do_no_harm(void **state)
{
    static const uint32_t tables[] = {RSDP, XSDT, FADT, DSDT, MADT};
    Result result;

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 3000; i++) {
        build();
        for (unsigned j = 0; j < 3; j++) {
            put(tables[(size_t)rand() % COUNT(tables)] + (uint64_t)rand() % 128, (uint64_t)rand(),
                1);
        }
        fix_tables();
        fix_sum(RSDP, 20, RSDP + 8);
        fix_sum(RSDP, 36, RSDP + 32);
        if (read_at(&result, RSDP, 4)) {
            assert_true(result.info.cpu_count > 0);
        } else {
            assert_non_null(result.why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_in_tables_like_qemus),
        cmocka_unit_test(the_uart_may_be_wired_otherwise),
        cmocka_unit_test(a_local_apic_above_4_gib_is_found),
        cmocka_unit_test(hardware_reduced_machines_have_a_register_of_their_own),
        cmocka_unit_test(a_fadt_of_acpi_1_is_enough_to_power_off),
        cmocka_unit_test(the_root_pointer_is_searched_where_a_bios_leaves_it),
        cmocka_unit_test(without_acpi_there_is_one_cpu),
        cmocka_unit_test(a_damaged_xsdt_gives_way_to_the_rsdt),
        cmocka_unit_test(damaged_sums_are_noticed),
        cmocka_unit_test(hostile_lengths_and_values_are_named),
        cmocka_unit_test(what_is_wrong_with_power_off_does_not_stop_the_rest),
        cmocka_unit_test(a_cpu_that_is_listed_twice_counts_once),
        cmocka_unit_test(the_boot_cpu_is_never_one_too_many),
        cmocka_unit_test(random_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
