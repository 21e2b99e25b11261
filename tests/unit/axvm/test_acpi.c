// SPDX-License-Identifier: Apache-2.0
/* ACPI tables byte by byte, and as the reference compiler reads them. */
#include "test.h"

#include <machine/acpi.h>

#include <stdio.h>
#include <unistd.h>

#define ADDRESS UINT64_C(0x0fe08000)
#define ROOM    0x1000u

static uint8_t tables[ROOM];
static size_t size;
static AxAcpiBoard board;

static int setup(void **state)
{
    (void)state;
    board = (AxAcpiBoard){
        .cpu_count = 2,
        .lapic_base = 0xfee00000,
        .ioapic_base = 0xfec00000,
        .ioapic_id = 3,
        .timer_irq = 2,
        .sci_irq = 9,
        .uart_base = 0x3f8,
        .uart_irq = 4,
        .rtc_base = 0x70,
        .rtc_irq = 8,
        .has_8259 = true,
        .has_8042 = true,
        .pm1a_event = 0x600,
        .pm1a_control = 0x604,
        .sleep_control = 0x608,
        .sleep_status = 0x609,
        .s5_type = 5,
        .reset_port = 0xcf9,
        .reset_value = 6,
    };
    memset(tables, 0xaa, sizeof(tables));
    return 0;
}

static void build(void)
{
    assert_error(axvm_acpi_build(&board, ADDRESS, tables, sizeof(tables), &size), AX_OK);
    assert_in_range(size, 1, sizeof(tables));
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static uint8_t sum(const uint8_t *at, size_t bytes)
{
    uint8_t total = 0;

    for (size_t i = 0; i < bytes; i++) {
        total = (uint8_t)(total + at[i]);
    }
    return total;
}

static const uint8_t *at_address(uint64_t address)
{
    assert_in_range(address, ADDRESS, ADDRESS + size - 1);
    return tables + (address - ADDRESS);
}

static const uint8_t *xsdt(void)
{
    return at_address(get(tables + 24, 8));
}

// The table of this name, its length and checksum checked.
static const uint8_t *table(const uint8_t *found, const char *name)
{
    const uint64_t length = get(found + 4, 4);

    assert_memory_equal(found, name, 4);
    assert_in_range(length, 36, size - (size_t)(found - tables));
    assert_int_equal(sum(found, length), 0);
    assert_memory_equal(found + 10, "AXVM  AXVMPC  ", 14);
    return found;
}

static const uint8_t *fadt(void)
{
    return table(at_address(get(xsdt() + 36, 8)), "FACP");
}

static const uint8_t *madt(void)
{
    return table(at_address(get(xsdt() + 44, 8)), "APIC");
}

static const uint8_t *dsdt(void)
{
    return table(at_address(get(fadt() + 140, 8)), "DSDT");
}

static void assert_bytes(const uint8_t *at, size_t count, const uint8_t *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (at[i] != wanted[i]) {
            fail_msg("byte %zu is 0x%02x, not 0x%02x", i, at[i], wanted[i]);
        }
    }
}

#define ASSERT_BYTES(at, ...) \
    assert_bytes(at, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

static void the_rsdp_leads_to_the_xsdt(void **state)
{
    (void)state;
    build();
    assert_memory_equal(tables, "RSD PTR ", 8);
    assert_int_equal(sum(tables, 20), 0);
    assert_int_equal(sum(tables, 36), 0);
    assert_memory_equal(tables + 9, "AXVM  ", 6);
    assert_int_equal(tables[15], 2);
    assert_int_equal(get(tables + 16, 4), 0);
    assert_int_equal(get(tables + 20, 4), 36);
    assert_int_equal(get(table(xsdt(), "XSDT") + 4, 4), 36 + 2 * 8);
}

static void the_fadt_says_where_pm1a_and_reset_are(void **state)
{
    const uint8_t *at;

    (void)state;
    build();
    at = fadt();
    assert_int_equal(get(at + 4, 4), 276);
    assert_int_equal(at[8], 6);
    assert_int_equal(get(at + 40, 4), get(at + 140, 8));
    assert_int_equal(get(at + 46, 2), 9);
    assert_int_equal(get(at + 48, 4), 0); // no SMI: ACPI is on from the start
    assert_int_equal(get(at + 56, 4), 0x600);
    assert_int_equal(get(at + 64, 4), 0x604);
    assert_int_equal(at[88], 4);
    assert_int_equal(at[89], 2);
    assert_int_equal(get(at + 109, 2), 0x0f);
    assert_int_equal(get(at + 112, 4), 0x475);
    ASSERT_BYTES(at + 116, 1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0);
    assert_int_equal(at[128], 6);
    ASSERT_BYTES(at + 148, 1, 32, 0, 2, 0x00, 0x06, 0, 0, 0, 0, 0, 0);
    ASSERT_BYTES(at + 172, 1, 16, 0, 2, 0x04, 0x06, 0, 0, 0, 0, 0, 0);
    ASSERT_BYTES(at + 244, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void there_is_a_facs_where_it_must_be(void **state)
{
    const uint8_t *at;

    (void)state;
    build();
    at = at_address(get(fadt() + 36, 4));
    assert_int_equal((at - tables) % 64, 0);
    assert_memory_equal(at, "FACS", 4);
    assert_int_equal(get(at + 4, 4), 64);
    assert_int_equal(at[32], 2);
}

static void reduced_hardware_has_sleep_registers_instead(void **state)
{
    const uint8_t *at;

    (void)state;
    board.hardware_reduced = true;
    board.has_8042 = false;
    board.rtc_base = 0;
    build();
    at = fadt();
    assert_int_equal(get(at + 36, 4), 0);
    assert_int_equal(get(at + 46, 2), 0);
    assert_int_equal(get(at + 56, 4), 0);
    assert_int_equal(get(at + 64, 4), 0);
    assert_int_equal(get(at + 88, 2), 0);
    assert_int_equal(get(at + 109, 2), 0x2d);
    assert_int_equal(get(at + 112, 4), 0x100475);
    ASSERT_BYTES(at + 244, 1, 8, 0, 1, 0x08, 0x06, 0, 0, 0, 0, 0, 0);
    ASSERT_BYTES(at + 256, 1, 8, 0, 1, 0x09, 0x06, 0, 0, 0, 0, 0, 0);
}

static void the_madt_lists_cpus_and_wires(void **state)
{
    const uint8_t *at;

    (void)state;
    build();
    at = madt();
    assert_int_equal(get(at + 4, 4), 44 + 2 * 8 + 12 + 2 * 10 + 6);
    assert_int_equal(get(at + 36, 4), 0xfee00000);
    assert_int_equal(get(at + 40, 4), 1);
    ASSERT_BYTES(at + 44, 0, 8, 0, 0, 1, 0, 0, 0,           //
                 0, 8, 1, 1, 1, 0, 0, 0,                    //
                 1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, //
                 2, 10, 0, 0, 2, 0, 0, 0, 0, 0,             //
                 2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,          //
                 4, 6, 0xff, 0, 0, 1);
    board.has_8259 = false;
    build();
    assert_int_equal(get(madt() + 40, 4), 0);
}

static void as_many_cpus_as_apic_ids_are_possible(void **state)
{
    const uint8_t *last;

    (void)state;
    board.cpu_count = 255;
    build();
    last = madt() + 44 + 254 * 8;
    ASSERT_BYTES(last, 0, 8, 254, 254, 1, 0, 0, 0, 1, 12);
}

static void the_dsdt_is_this_code(void **state)
{
    static const uint8_t code[] = {
        0x08, '\\', '_',  'S',  '5',  '_',  0x12, 0x49, 0x00, 0x04, 0x0a, 5,    0x0a,
        5,    0x00, 0x00, 0x10, 0x4d, 0x03, '\\', '_',  'S',  'B',  '_',  0x5b, 0x82,
        0x44, 0x03, 'C',  'O',  'M',  '1',  0x08, '_',  'H',  'I',  'D',  0x0c, 0x41,
        0xd0, 0x05, 0x01, 0x08, '_',  'U',  'I',  'D',  0x00, 0x08, '_',  'S',  'T',
        'A',  0x0a, 0x0f, 0x08, '_',  'C',  'R',  'S',  0x11, 0x41, 0x01, 0x0a, 13,
        0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08, 0x22, 0x10, 0x00, 0x79, 0x00,
    };
    const uint8_t *at;

    (void)state;
    board.rtc_base = 0;
    build();
    at = dsdt();
    assert_int_equal(at[8], 2);
    assert_int_equal(get(at + 4, 4), 36 + sizeof(code));
    assert_bytes(at + 36, sizeof(code), code);
}

static void bad_arguments_are_named(void **state)
{
    static const struct {
        uint32_t cpus;
        uint64_t address;
        uint8_t s5_type;
        uint8_t irq;
        AxError error;
    } cases[] = {
        {0, ADDRESS, 5, 4, AX_ERANGE},      {256, ADDRESS, 5, 4, AX_ERANGE},
        {1, ADDRESS + 32, 5, 4, AX_EALIGN}, {1, GIB(4), 5, 4, AX_ERANGE},
        {1, ADDRESS, 8, 4, AX_ERANGE},      {1, ADDRESS, 7, 16, AX_ERANGE},
        {1, ADDRESS, 7, 15, AX_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        board.cpu_count = cases[i].cpus;
        board.s5_type = cases[i].s5_type;
        board.uart_irq = cases[i].irq;
        assert_error(axvm_acpi_build(&board, cases[i].address, tables, sizeof(tables), &size),
                     cases[i].error);
    }
}

static void tables_that_do_not_fit_are_refused(void **state)
{
    size_t whole;

    (void)state;
    build();
    whole = size;
    for (size_t room = 0; room <= whole; room++) {
        uint8_t *buffer = malloc(room + 1);

        assert_non_null(buffer);
        assert_error(axvm_acpi_build(&board, ADDRESS, buffer, room, &size),
                     room < whole ? AX_ENOSPC : AX_OK);
        free(buffer);
    }
}

// ---- the reference compiler ----

static void write_table(const char *directory, const char *name, const uint8_t *at)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s.aml", directory, name);
    out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(at, 1, get(at + 4, 4), out), get(at + 4, 4));
    assert_int_equal(fclose(out), 0);
}

// Disassembles a table; its text lies in `text` then.
static void disassemble(const char *directory, const char *name, char *text, size_t room)
{
    char command[512];
    FILE *pipe;

    snprintf(command, sizeof(command),
             "cd %s && iasl -d %s.aml >%s.log 2>&1 && ! grep -iE 'error|warning|invalid' %s.log "
             "&& cat %s.dsl",
             directory, name, name, name, name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, room - 1, pipe)] = '\0';
    if (pclose(pipe) != 0) {
        fail_msg("iasl does not like the %s: %s", name, text);
    }
}

// The words must follow each other.
static void assert_says(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(text, words[i]);

        if (found == NULL) {
            fail_msg("no \"%s\" in: %s", words[i], text);
        }
        text = found;
    }
}

#define ASSERT_SAYS(text, ...)                            \
    assert_says(text, (const char *const[]){__VA_ARGS__}, \
                COUNT_OF(((const char *const[]){__VA_ARGS__})))

static void check_disassembly(const char *directory)
{
    static char text[32768];

    disassemble(directory, "dsdt", text, sizeof(text));
    ASSERT_SAYS(text, "Name (\\_S5, Package (0x04)", "0x05", "Scope (\\_SB)", "Device (COM1)",
                "EisaId (\"PNP0501\")", "IO (Decode16,", "0x03F8,", "0x03F8,", "0x08,",
                "IRQNoFlags ()", "{4}", "Device (RTC)", "EisaId (\"PNP0B00\")", "0x0070,", "{8}");
    disassemble(directory, "facp", text, sizeof(text));
    ASSERT_SAYS(text, "SCI Interrupt : 0009", "PM1A Event Block Address : 00000600",
                "PM1A Control Block Address : 00000604", "Reset Register Supported (V2) : 1",
                "Hardware Reduced (V5) : 0", "Address : 0000000000000CF9",
                "Value to cause reset : 06");
    disassemble(directory, "apic", text, sizeof(text));
    ASSERT_SAYS(text, "Local Apic Address : FEE00000", "PC-AT Compatibility : 1",
                "Local Apic ID : 00", "Local Apic ID : 01", "Address : FEC00000", "Source : 00",
                "Interrupt : 00000002", "Source : 09", "Interrupt : 00000009", "Polarity : 1",
                "Trigger Mode : 3", "Interrupt Input LINT : 01");
    disassemble(directory, "xsdt", text, sizeof(text));
    ASSERT_SAYS(text, "ACPI Table Address   0", "ACPI Table Address   1");
}

static void the_reference_compiler_reads_them(void **state)
{
    char directory[] = "/tmp/axvm-acpi-XXXXXX";
    char command[128];

    (void)state;
    if (system("iasl -v >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no iasl (package acpica-tools)\n");
        skip();
    }
    build();
    assert_non_null(mkdtemp(directory));
    write_table(directory, "dsdt", dsdt());
    write_table(directory, "facp", fadt());
    write_table(directory, "apic", madt());
    write_table(directory, "xsdt", xsdt());
    check_disassembly(directory);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_rsdp_leads_to_the_xsdt),
        TEST(the_fadt_says_where_pm1a_and_reset_are),
        TEST(there_is_a_facs_where_it_must_be),
        TEST(reduced_hardware_has_sleep_registers_instead),
        TEST(the_madt_lists_cpus_and_wires),
        TEST(as_many_cpus_as_apic_ids_are_possible),
        TEST(the_dsdt_is_this_code),
        TEST(bad_arguments_are_named),
        TEST(tables_that_do_not_fit_are_refused),
        TEST(the_reference_compiler_reads_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
