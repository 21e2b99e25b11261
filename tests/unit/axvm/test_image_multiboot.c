// SPDX-License-Identifier: Apache-2.0
/* Multiboot headers field by field, with addresses of their own and with those of ELF. */
#include "image_fixture.h"

#define HEADER_AT 0x104u
#define FILE_SIZE 0x3000u
#define LOAD      0x200000u
#define SKIPPED   0x80u // bytes of the file before what is loaded

static void put_header(size_t at, uint32_t flags)
{
    put(at, 0x1badb002, 4);
    put(at + 4, flags, 4);
    put(at + 8, 0u - 0x1badb002u - flags, 4);
}

static void good(void)
{
    begin_file(FILE_SIZE);
    put_header(HEADER_AT, 0x10003);
    put(HEADER_AT + 12, LOAD + HEADER_AT - SKIPPED, 4);
    put(HEADER_AT + 16, LOAD, 4);
    put(HEADER_AT + 20, LOAD + 0x1000, 4);
    put(HEADER_AT + 24, LOAD + 0x8000, 4);
    put(HEADER_AT + 28, LOAD + 0x10, 4);
}

static void good_elf(uint16_t machine)
{
    static const uint32_t segment[] = {1, 0x1000, LOAD, LOAD, 0x800, 0x1000, 5, 0x1000};

    begin_file(FILE_SIZE);
    memcpy(file, "\177ELF\1\1\1", 7);
    put(0x10, 2, 2);
    put(0x12, machine, 2);
    put(0x14, 1, 4);
    put(0x18, LOAD + 0x20, 4);
    put(0x1c, 0x40, 4);
    put(0x2a, 32, 2);
    put(0x2c, 1, 2);
    for (size_t i = 0; i < COUNT_OF(segment); i++) {
        put(0x40 + 4 * i, segment[i], 4);
    }
    put_header(HEADER_AT, 3);
}

static void addresses_in_the_header_count(void **state)
{
    (void)state;
    good();
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_MULTIBOOT);
    assert_int_equal(info.protocol, AX_BOOT_MULTIBOOT);
    assert_int_equal(info.machine, AX_MACHINE_I386);
    assert_true(info.fixed);
    assert_int_equal(info.load_min, LOAD);
    assert_int_equal(info.memory_size, 0x8000);
    assert_int_equal(info.entry_offset, 0x10);
    assert_int_equal(info.limit, GIB(4));
    assert_int_equal(info.segment_count, 1);
    assert_int_equal(info.segments[0].file_offset, SKIPPED);
    assert_int_equal(info.segments[0].file_size, 0x1000);
    assert_int_equal(info.segments[0].offset, 0);
    assert_int_equal(info.segments[0].memory_size, 0x8000);
}

static void ends_that_are_missing_are_those_of_the_file(void **state)
{
    (void)state;
    good();
    put(HEADER_AT + 20, 0, 4);
    put(HEADER_AT + 24, 0, 4);
    assert_error(probe(AX_IMAGE_MULTIBOOT), AX_OK);
    assert_int_equal(info.segments[0].file_size, FILE_SIZE - SKIPPED);
    assert_int_equal(info.memory_size, FILE_SIZE - SKIPPED);
}

static void each_address_is_checked(void **state)
{
    static const Change changes[] = {
        {HEADER_AT + 12, 4, LOAD - 1, "load_addr"},
        {HEADER_AT + 12, 4, LOAD + HEADER_AT, NULL}, // loaded from the first byte on
        {HEADER_AT + 12, 4, LOAD + HEADER_AT + 1, "load_addr"},
        {HEADER_AT + 16, 4, UINT32_MAX, "load_addr"},
        {HEADER_AT + 16, 4, 0, "load_addr"},
        {HEADER_AT + 20, 4, LOAD, "load_end_addr"},
        {HEADER_AT + 20, 4, 1, "load_end_addr"},
        {HEADER_AT + 20, 4, LOAD + FILE_SIZE - SKIPPED, NULL},
        {HEADER_AT + 20, 4, LOAD + FILE_SIZE - SKIPPED + 1, "cut off"},
        {HEADER_AT + 20, 4, UINT32_MAX, "cut off"},
        {HEADER_AT + 24, 4, LOAD + 0x1000, NULL},
        {HEADER_AT + 24, 4, LOAD + 0xfff, "bss_end_addr"},
        {HEADER_AT + 24, 4, 1, "bss_end_addr"},
        {HEADER_AT + 24, 4, UINT32_MAX, NULL}, // for the layout to refuse
        {HEADER_AT + 28, 4, LOAD - 1, "entry_addr"},
        {HEADER_AT + 28, 4, LOAD + 0x8000, "entry_addr"},
        {HEADER_AT + 28, 4, LOAD + 0x7fff, NULL},
    };

    (void)state;
    check_changes(AX_IMAGE_MULTIBOOT, good, changes, COUNT_OF(changes));
}

static void requirements_that_are_not_met_are_refused(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 32; bit++) {
        good();
        put_header(HEADER_AT, 0x10000 | UINT32_C(1) << bit);
        assert_error(probe(AX_IMAGE_MULTIBOOT), bit >= 2 && bit < 16 ? AX_ENOTSUP : AX_OK);
    }
    good();
    put_header(HEADER_AT, 0x10004);
    assert_refused_because(AX_IMAGE_MULTIBOOT, AX_ENOTSUP, "video");
}

static void the_header_is_looked_for_in_8_kib_at_multiples_of_4(void **state)
{
    (void)state;
    for (size_t at = 0; at <= 8196; at++) {
        begin_file(FILE_SIZE);
        put_header(at, 4);
        (void)!probe(AX_IMAGE_AUTO);
        // Refused for what it asks for, once it is found.
        assert_int_equal(why != NULL, at % 4 == 0 && at + 12 <= 8192);
    }
    good();
    put(HEADER_AT + 8, 0, 4);
    assert_refused_because(AX_IMAGE_MULTIBOOT, AX_EFORMAT, "no Multiboot header");
}

static void without_addresses_those_of_elf_count(void **state)
{
    (void)state;
    good_elf(AX_MACHINE_I386);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_MULTIBOOT);
    assert_int_equal(info.protocol, AX_BOOT_MULTIBOOT);
    assert_int_equal(info.load_min, LOAD);
    assert_int_equal(info.memory_size, 0x1000);
    assert_int_equal(info.entry_offset, 0x20);
    assert_int_equal(info.limit, GIB(4));
    good_elf(AX_MACHINE_RISCV);
    assert_refused_because(AX_IMAGE_MULTIBOOT, AX_EFORMAT, "not for x86");
    good_elf(AX_MACHINE_I386);
    file[0] = 0;
    assert_refused_because(AX_IMAGE_MULTIBOOT, AX_EFORMAT, "ELF");
    good_elf(AX_MACHINE_I386);
    put(HEADER_AT, 0, 4);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_ELF);
}

static void a_file_of_any_length_is_taken_or_refused(void **state)
{
    (void)state;
    good();
    for (uint64_t size = 1; size <= FILE_SIZE; size++) {
        uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, file, size);
        image = (AxBlob){copy, size};
        assert_error(probe(AX_IMAGE_MULTIBOOT), size >= SKIPPED + 0x1000 ? AX_OK : AX_EFORMAT);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_in_the_header_count),
        cmocka_unit_test(ends_that_are_missing_are_those_of_the_file),
        cmocka_unit_test(each_address_is_checked),
        cmocka_unit_test(requirements_that_are_not_met_are_refused),
        cmocka_unit_test(the_header_is_looked_for_in_8_kib_at_multiples_of_4),
        cmocka_unit_test(without_addresses_those_of_elf_count),
        cmocka_unit_test(a_file_of_any_length_is_taken_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
