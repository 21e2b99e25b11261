// SPDX-License-Identifier: Apache-2.0
/* ELF files of both classes, field by field; PVH's note. */
#include "image_fixture.h"

#define TEXT_AT    0x1000u
#define TEXT_SIZE  0x800u
#define DATA_AT    0x2000u
#define NOTE_AT    0x3000u
#define FILE_SIZE  0x3100u
#define HEADERS_AT 0x40u
#define LOAD       0x1000000u
#define SEGMENT(n) (HEADERS_AT + 56u * (n))

static void put_segment(uint32_t index, uint32_t type, uint64_t offset, uint64_t vaddr,
                        uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
    const size_t at = SEGMENT(index);

    put(at, type, 4);
    put(at + 8, offset, 8);
    put(at + 16, vaddr, 8);
    put(at + 24, paddr, 8);
    put(at + 32, filesz, 8);
    put(at + 40, memsz, 8);
}

static void put_note(size_t at, uint32_t type, uint32_t desc_size, uint64_t value)
{
    put(at, 4, 4);
    put(at + 4, desc_size, 4);
    put(at + 8, type, 4);
    memcpy(file + at + 12, "Xen", 4);
    put(at + 16, value, 8);
}

// Like a vmlinux for x86-64, entered at its physical address; the note says nothing of PVH.
static void good(void)
{
    begin_file(FILE_SIZE);
    memcpy(file, "\177ELF\2\1\1", 7);
    put(0x10, 2, 2);
    put(0x12, 62, 2);
    put(0x14, 1, 4);
    put(0x18, LOAD + 0x100, 8);
    put(0x20, HEADERS_AT, 8);
    put(0x34, 64, 2);
    put(0x36, 56, 2);
    put(0x38, 3, 2);
    put_segment(0, 1, TEXT_AT, UINT64_C(0xffffffff81000000), LOAD, TEXT_SIZE, TEXT_SIZE);
    put_segment(1, 1, DATA_AT, UINT64_C(0xffffffff81200000), LOAD + 0x200000, 0x10, 0x5000);
    put_segment(2, 4, NOTE_AT, 0, 0, 0x40, 0x40);
    put_note(NOTE_AT, 6, 8, 7);
    put_note(NOTE_AT + 24, 17, 8, LOAD + 0x180);
}

static void good_pvh(void)
{
    good();
    put_note(NOTE_AT + 24, 18, 8, LOAD + 0x180);
}

static void good_32(void)
{
    static const uint32_t segment[] = {1, TEXT_AT, LOAD, LOAD, TEXT_SIZE, 0x1000, 5, 0x1000};

    begin_file(FILE_SIZE);
    memcpy(file, "\177ELF\1\1\1", 7);
    put(0x10, 2, 2);
    put(0x12, 3, 2);
    put(0x14, 1, 4);
    put(0x18, LOAD + 4, 4);
    put(0x1c, HEADERS_AT, 4);
    put(0x2a, 32, 2);
    put(0x2c, 1, 2);
    for (size_t i = 0; i < COUNT_OF(segment); i++) {
        put(HEADERS_AT + 4 * i, segment[i], 4);
    }
}

static void assert_segment(uint32_t index, uint64_t file_offset, uint64_t file_size,
                           uint64_t offset, uint64_t memory_size)
{
    const AxImageSegment *segment = &info.segments[index];

    assert_int_equal(segment->file_offset, file_offset);
    assert_int_equal(segment->file_size, file_size);
    assert_int_equal(segment->offset, offset);
    assert_int_equal(segment->memory_size, memory_size);
}

static void segments_go_where_their_physical_addresses_say(void **state)
{
    (void)state;
    good();
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_ELF);
    assert_int_equal(info.machine, AX_MACHINE_X86_64);
    assert_int_equal(info.protocol, AX_BOOT_LINUX64);
    assert_true(info.fixed);
    assert_int_equal(info.load_min, LOAD);
    assert_int_equal(info.memory_size, 0x205000);
    assert_int_equal(info.entry_offset, 0x100);
    assert_int_equal(info.limit, GIB(4));
    assert_int_equal(info.segment_count, 2);
    assert_segment(0, TEXT_AT, TEXT_SIZE, 0, TEXT_SIZE);
    assert_segment(1, DATA_AT, 0x10, 0x200000, 0x5000);
}

static void files_of_32_bits_are_read_as_well(void **state)
{
    (void)state;
    good_32();
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.machine, AX_MACHINE_I386);
    assert_int_equal(info.protocol, AX_BOOT_LINUX32);
    assert_int_equal(info.load_min, LOAD);
    assert_int_equal(info.memory_size, 0x1000);
    assert_int_equal(info.entry_offset, 4);
    assert_int_equal(info.segment_count, 1);
    assert_segment(0, TEXT_AT, TEXT_SIZE, 0, 0x1000);
}

static void other_architectures_start_natively_and_anywhere(void **state)
{
    static const uint16_t machines[] = {AX_MACHINE_AARCH64, AX_MACHINE_RISCV};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(machines); i++) {
        good_pvh();
        put(0x12, machines[i], 2);
        assert_error(probe(AX_IMAGE_AUTO), AX_OK);
        assert_int_equal(info.machine, machines[i]);
        assert_int_equal(info.protocol, AX_BOOT_NATIVE);
        assert_int_equal(info.entry_offset, 0x100);
        assert_int_equal(info.limit, 0);
    }
}

static void a_virtual_entry_point_is_found_by_its_segment(void **state)
{
    (void)state;
    good();
    put(0x18, UINT64_C(0xffffffff81200008), 8);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.entry_offset, 0x200008);
    put(0x18, UINT64_C(0xffffffff81205000), 8);
    assert_refused_because(AX_IMAGE_AUTO, AX_EFORMAT, "entry point");
}

static void each_header_field_is_checked(void **state)
{
    static const Change changes[] = {
        {0x00, 1, 0x7e, "magic"},
        {0x04, 1, 0, "32 nor 64"},
        {0x04, 1, 3, "32 nor 64"},
        {0x05, 1, 2, "big-endian"},
        {0x06, 1, 2, "version"},
        {0x10, 2, 1, "no executable"},
        {0x10, 2, 4, "no executable"},
        {0x10, 2, 3, NULL},
        {0x18, 8, LOAD - 1, "entry point"},
        {0x18, 8, LOAD + TEXT_SIZE, "entry point"},
        {0x18, 8, UINT64_MAX, "entry point"},
        {0x20, 8, FILE_SIZE - 167, "program headers"},
        {0x20, 8, UINT64_MAX, "program headers"},
        {0x36, 2, 32, "program headers"},
        {0x36, 2, 0, "program headers"},
        {0x38, 2, 0, "program headers"},
        {0x38, 2, 65, "program headers"},
        {0x38, 2, 0xffff, "program headers"},
    };

    (void)state;
    check_changes(AX_IMAGE_ELF, good, changes, COUNT_OF(changes));
}

static void each_field_of_a_segment_is_checked(void **state)
{
    static const Change changes[] = {
        {SEGMENT(0) + 8, 8, FILE_SIZE - TEXT_SIZE, NULL},
        {SEGMENT(0) + 8, 8, FILE_SIZE - TEXT_SIZE + 1, "cut off"},
        {SEGMENT(0) + 8, 8, UINT64_MAX, "cut off"},
        {SEGMENT(0) + 32, 8, UINT64_MAX, "cut off"},
        {SEGMENT(0) + 32, 8, TEXT_SIZE + 1, "larger than its memory"},
        {SEGMENT(1) + 40, 8, UINT64_MAX, "last address"},
        {SEGMENT(1) + 24, 8, UINT64_MAX - 0x5000, NULL},
        {SEGMENT(1) + 24, 8, UINT64_MAX - 0x4fff, "last address"},
        {SEGMENT(1) + 24, 8, LOAD + TEXT_SIZE - 1, "overlap"},
        {SEGMENT(1) + 24, 8, LOAD - 0x4fff, "overlap"},
        {SEGMENT(1) + 24, 8, LOAD + TEXT_SIZE, NULL},
        {SEGMENT(1) + 24, 8, LOAD - 0x5000, NULL},
        {SEGMENT(1) + 40, 8, 0, NULL}, // not loaded: nothing in it matters
        {SEGMENT(1), 4, 0, NULL},
        {SEGMENT(0), 4, 0, "entry point"},
        {SEGMENT(2) + 8, 8, UINT64_MAX, NULL}, // notes that are not there
    };

    (void)state;
    check_changes(AX_IMAGE_ELF, good, changes, COUNT_OF(changes));
    good();
    put(SEGMENT(0), 0, 4);
    put(SEGMENT(1), 0, 4);
    assert_refused_because(AX_IMAGE_ELF, AX_EFORMAT, "nothing to load");
    good();
    put(SEGMENT(1) + 24, LOAD, 8);
    assert_refused_because(AX_IMAGE_ELF, AX_EOVERLAP, "overlap");
}

static void segments_need_not_be_sorted(void **state)
{
    (void)state;
    good();
    put(SEGMENT(1) + 24, LOAD - 0x10000, 8);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.load_min, LOAD - 0x10000);
    assert_int_equal(info.memory_size, 0x10000 + TEXT_SIZE);
    assert_int_equal(info.entry_offset, 0x10100);
    assert_segment(0, TEXT_AT, TEXT_SIZE, 0x10000, TEXT_SIZE);
    assert_segment(1, DATA_AT, 0x10, 0, 0x5000);
}

static void more_segments_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    good();
    for (uint32_t i = 2; i < 16; i++) {
        put_segment(i, 1, 0, 0, GIB(1) + MIB(i), 1, 1);
    }
    put(0x38, 16, 2);
    assert_error(probe(AX_IMAGE_ELF), AX_OK);
    put_segment(16, 1, 0, 0, GIB(1), 1, 1);
    put(0x38, 17, 2);
    assert_refused_because(AX_IMAGE_ELF, AX_EFORMAT, "more than 16");
}

static void a_pvh_note_says_the_entry_point(void **state)
{
    static const uint32_t sizes[] = {4, 8};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        good();
        put_note(NOTE_AT + 24, 18, sizes[i], LOAD + 0x180);
        assert_error(probe(AX_IMAGE_AUTO), AX_OK);
        assert_int_equal(info.protocol, AX_BOOT_PVH);
        assert_int_equal(info.entry_offset, 0x180);
        assert_int_equal(info.limit, GIB(4));
    }
}

static void notes_are_checked(void **state)
{
    static const Change no_pvh[] = {
        {NOTE_AT + 24 + 4, 4, 2, NULL},    // an entry of two bytes
        {NOTE_AT + 24 + 4, 4, 12, NULL},   // behind the segment
        {NOTE_AT + 24 + 12, 1, 'x', NULL}, // somebody else's
        {NOTE_AT + 24, 4, 5, NULL},        // an odd name
        {NOTE_AT, 4, UINT32_MAX, NULL},    // beyond the file
        {NOTE_AT + 4, 4, UINT32_MAX, NULL},
        {SEGMENT(2) + 32, 8, 24, NULL},       // ends before
        {SEGMENT(2) + 32, 8, 40, NULL},       // ends in it
        {SEGMENT(2) + 8, 8, FILE_SIZE, NULL}, // not in the file
        {SEGMENT(2), 4, 5, NULL},             // no notes
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(no_pvh); i++) {
        good_pvh();
        put(no_pvh[i].offset, no_pvh[i].value, no_pvh[i].size);
        assert_error(probe(AX_IMAGE_ELF), AX_OK);
        assert_int_equal(info.protocol, AX_BOOT_LINUX64);
        assert_int_equal(info.entry_offset, 0x100);
    }
    good();
    put_note(NOTE_AT + 24, 18, 8, LOAD + TEXT_SIZE);
    assert_refused_because(AX_IMAGE_ELF, AX_EFORMAT, "entry point");
}

static void a_file_of_any_length_is_taken_or_refused(void **state)
{
    (void)state;
    good_pvh();
    for (uint64_t size = 1; size <= FILE_SIZE; size++) {
        uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, file, size);
        image = (AxBlob){copy, size};
        assert_error(probe(AX_IMAGE_ELF), size >= DATA_AT + 0x10 ? AX_OK : AX_EFORMAT);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_go_where_their_physical_addresses_say),
        cmocka_unit_test(files_of_32_bits_are_read_as_well),
        cmocka_unit_test(other_architectures_start_natively_and_anywhere),
        cmocka_unit_test(a_virtual_entry_point_is_found_by_its_segment),
        cmocka_unit_test(each_header_field_is_checked),
        cmocka_unit_test(each_field_of_a_segment_is_checked),
        cmocka_unit_test(segments_need_not_be_sorted),
        cmocka_unit_test(more_segments_than_there_is_room_for_are_refused),
        cmocka_unit_test(a_pvh_note_says_the_entry_point),
        cmocka_unit_test(notes_are_checked),
        cmocka_unit_test(a_file_of_any_length_is_taken_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
