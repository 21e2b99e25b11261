// SPDX-License-Identifier: Apache-2.0
/* Headers of Linux bzImages field by field, and where the kernel goes. */
#include "image_fixture.h"

#define SETUP_SECTS 3u
#define SETUP_SIZE  (512u * (1 + SETUP_SECTS))
#define PM_SIZE     0x1230u

// As Debian's kernels have it.
static void good(void)
{
    begin_file(SETUP_SIZE + PM_SIZE);
    put(0x1f1, SETUP_SECTS, 1);
    put(0x1f4, PM_SIZE / 16, 4);
    put(0x1fe, 0xaa55, 2);
    put(0x200, 0x6aeb, 2);
    put(0x202, 0x53726448, 4);
    put(0x206, 0x20f, 2);
    put(0x211, 1, 1);
    put(0x22c, 0x7fffffff, 4);
    put(0x230, 0x200000, 4);
    put(0x234, 1, 1);
    put(0x236, 0x7f, 2);
    put(0x238, 2047, 4);
    put(0x258, 0x1000000, 8);
    put(0x260, 0x37dd000, 4);
}

static void a_bzimage_is_recognised(void **state)
{
    static const AxImageFormat formats[] = {AX_IMAGE_AUTO, AX_IMAGE_BZIMAGE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        good();
        assert_error(probe(formats[i]), AX_OK);
        assert_int_equal(info.format, AX_IMAGE_BZIMAGE);
        assert_int_equal(info.protocol, AX_BOOT_LINUX64);
        assert_int_equal(info.machine, AX_MACHINE_X86_64);
        assert_false(info.fixed);
        assert_int_equal(info.load_min, 0x1000000);
        assert_int_equal(info.load_align, 0x200000);
        assert_int_equal(info.load_offset, 0);
        assert_int_equal(info.memory_size, 0x37dd000);
        assert_int_equal(info.entry_offset, 0x200);
        assert_int_equal(info.limit, 0x80000000);
        assert_int_equal(info.cmdline_max, 2047);
        assert_int_equal(info.segment_count, 1);
        assert_int_equal(info.segments[0].file_offset, SETUP_SIZE);
        assert_int_equal(info.segments[0].file_size, PM_SIZE);
        assert_int_equal(info.segments[0].offset, 0);
        assert_int_equal(info.segments[0].memory_size, PM_SIZE);
    }
}

static void each_header_field_is_checked(void **state)
{
    static const Change changes[] = {
        {0x1fe, 2, 0xaa54, "boot signature"},
        {0x202, 4, 0x53726449, "magic"},
        {0x206, 2, 0x205, "2.06"},
        {0x206, 2, 0, "2.06"},
        {0x201, 1, 0x8f, "length"}, // into what comes behind in boot_params
        {0x201, 1, 0xff, "length"},
        {0x201, 1, 0x39, "length"}, // before the end of cmdline_size
        {0x201, 1, 0x5f, "length"}, // before the end of init_size
        {0x201, 1, 0, "2.06"},
        {0x201, 1, 0x62, NULL}, // right behind init_size
        {0x201, 1, 0x8e, NULL},
        {0x211, 1, 0, "zImage"},
        {0x1f1, 1, 0xff, "setup part"},
        {0x1f1, 1, 12, "setup part"}, // no byte behind the 64-bit entry
        {0x1f4, 4, PM_SIZE / 16 + 1, "cut off"},
        {0x1f4, 4, UINT32_MAX, "cut off"},
        {0x1f4, 4, 0, NULL},
        {0x230, 4, 0, "kernel_alignment"},
        {0x230, 4, 0x800, "kernel_alignment"},
        {0x230, 4, 0x300000, "kernel_alignment"},
        {0x230, 4, 0x80000000, "kernel_alignment"},
        {0x230, 4, 0x1000, NULL},
        {0x258, 8, 0x1100000, "pref_address"},
        {0x258, 8, 0, "pref_address"},
        {0x258, 8, GIB(4), "pref_address"},
        {0x258, 8, UINT64_C(0xffffffffffe00000), "pref_address"},
        {0x260, 4, 0, "init_size"},
        {0x260, 4, UINT32_MAX, NULL}, // no memory holds it, but that is for the layout to say
        {0x22c, 4, 0xfffff, "ramdisk"},
        {0x22c, 4, UINT32_MAX, NULL},
    };

    (void)state;
    check_changes(AX_IMAGE_BZIMAGE, good, changes, COUNT_OF(changes));
}

static void a_file_of_any_length_is_taken_or_refused(void **state)
{
    (void)state;
    good();
    for (uint64_t size = 1; size <= SETUP_SIZE + PM_SIZE; size++) {
        uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, file, size);
        image = (AxBlob){copy, size};
        // The last unit of 16 bytes need not be whole.
        assert_error(probe(AX_IMAGE_BZIMAGE),
                     size > SETUP_SIZE + PM_SIZE - 16 ? AX_OK : AX_EFORMAT);
        free(copy);
    }
}

static void without_the_64_bit_entry_the_32_bit_one_is_used(void **state)
{
    static const Change changes[] = {{0x236, 2, 0x7e, NULL}, {0x206, 2, 0x20b, NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        good();
        put(changes[i].offset, changes[i].value, changes[i].size);
        assert_error(probe(AX_IMAGE_AUTO), AX_OK);
        assert_int_equal(info.protocol, AX_BOOT_LINUX32);
        assert_int_equal(info.machine, AX_MACHINE_I386);
        assert_int_equal(info.entry_offset, 0);
    }
}

static void a_kernel_that_does_not_relocate_stays_where_it_wants(void **state)
{
    (void)state;
    good();
    put(0x234, 0, 1);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_true(info.fixed);
    assert_int_equal(info.load_min, 0x1000000);
}

static void old_kernels_are_loaded_at_1_mib(void **state)
{
    (void)state;
    good();
    put(0x206, 0x206, 2);
    put(0x201, 0x3a, 1);
    put(0x258, 0x123, 8); // nothing of it is in this version
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_true(info.fixed);
    assert_int_equal(info.load_min, MIB(1));
    assert_int_equal(info.memory_size, PM_SIZE);
    assert_int_equal(info.protocol, AX_BOOT_LINUX32);
}

static void no_setup_sectors_are_four(void **state)
{
    (void)state;
    good();
    put(0x1f1, 0, 1);
    put(0x1f4, 0, 4);
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    assert_int_equal(info.segments[0].file_offset, 5 * 512);
    assert_int_equal(info.segments[0].file_size, SETUP_SIZE + PM_SIZE - 5 * 512);
}

// ---- layout ----

static AxVMConfig config;
static AxBootLayout layout;

static AxError lay_out(uint64_t base, uint64_t size)
{
    config.memory[0] = (AxVMMemory){ax_gpa(base), size, AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory_count = 1;
    why = NULL;

    const AxError error = axvm_boot_layout(&config, &info, &layout, &why);

    assert_int_equal(error == AX_OK, why == NULL);
    return error;
}

static void begin_layout(void)
{
    good();
    assert_error(probe(AX_IMAGE_AUTO), AX_OK);
    axvm_config_init(&config, 0);
    config.kernel = image;
    config.ramdisk = (AxBlob){file, MIB(1)};
}

static void the_kernel_goes_where_it_prefers_to_be(void **state)
{
    (void)state;
    begin_layout();
    assert_error(lay_out(0, MIB(256)), AX_OK);
    assert_int_equal(layout.kernel.value, 0x1000000);
    assert_int_equal(layout.entry.value, 0x1000200);
    assert_int_equal(layout.ramdisk.value, MIB(255));
    assert_int_equal(layout.boot_block.value, MIB(255) - AX_BOOT_BLOCK_ROOM);
}

static void or_above_if_memory_begins_there(void **state)
{
    (void)state;
    begin_layout();
    assert_error(lay_out(MIB(33), MIB(256)), AX_OK);
    assert_int_equal(layout.kernel.value, MIB(34));
    info.fixed = true;
    assert_error(lay_out(MIB(33), MIB(256)), AX_ERANGE);
    assert_error(lay_out(0, MIB(64)), AX_ERANGE);
    assert_error(lay_out(0, MIB(128)), AX_OK);
}

static void everything_stays_below_what_the_kernel_reaches(void **state)
{
    (void)state;
    begin_layout();
    assert_error(lay_out(0, GIB(3)), AX_OK);
    assert_int_equal(layout.ramdisk.value, GIB(2) - MIB(1));
    assert_true(layout.boot_block.value < GIB(2));
    assert_error(lay_out(GIB(2), GIB(1)), AX_ERANGE);
    assert_error(lay_out(GIB(4), GIB(1)), AX_ERANGE);
    config.ramdisk_load_addr = ax_gpa(GIB(2) - MIB(1));
    assert_error(lay_out(0, GIB(3)), AX_OK);
    config.ramdisk_load_addr.value += KIB(4);
    assert_error(lay_out(0, GIB(3)), AX_ERANGE);
    assert_non_null(strstr(why, "ramdisk_load_addr"));
}

static void a_fixed_load_address_must_be_possible(void **state)
{
    (void)state;
    begin_layout();
    config.kernel_load_addr = ax_gpa(MIB(32));
    assert_error(lay_out(0, MIB(256)), AX_OK);
    assert_int_equal(layout.kernel.value, MIB(32));
    config.kernel_load_addr = ax_gpa(MIB(33));
    assert_error(lay_out(0, MIB(256)), AX_EALIGN);
    config.kernel_load_addr = ax_gpa(MIB(14));
    assert_error(lay_out(0, MIB(256)), AX_ERANGE);
    assert_non_null(strstr(why, "kernel_load_addr"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bzimage_is_recognised),
        cmocka_unit_test(each_header_field_is_checked),
        cmocka_unit_test(a_file_of_any_length_is_taken_or_refused),
        cmocka_unit_test(without_the_64_bit_entry_the_32_bit_one_is_used),
        cmocka_unit_test(a_kernel_that_does_not_relocate_stays_where_it_wants),
        cmocka_unit_test(old_kernels_are_loaded_at_1_mib),
        cmocka_unit_test(no_setup_sectors_are_four),
        cmocka_unit_test(the_kernel_goes_where_it_prefers_to_be),
        cmocka_unit_test(or_above_if_memory_begins_there),
        cmocka_unit_test(everything_stays_below_what_the_kernel_reaches),
        cmocka_unit_test(a_fixed_load_address_must_be_possible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
