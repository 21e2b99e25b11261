// SPDX-License-Identifier: Apache-2.0
/* Image headers field by field, and where the parts of a boot image go. */
#include "test.h"

#include <axvm/image.h>
#include <span.h>

#define RAM_BASE  GIB(1)
#define FILE_SIZE 0x3000u

// ---- Linux arm64 headers ----

static uint8_t file[FILE_SIZE];

static void put(size_t offset, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        file[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

// As Debian's kernels have it.
static AxBlob good_image(void)
{
    memset(file, 0, sizeof(file));
    put(0x00, 0xd1004fe8fa405a4d, 8);
    put(0x08, 0, 8);
    put(0x10, 0x24f0000, 8);
    put(0x18, 0xa, 8);
    put(0x38, 0x644d5241, 4);
    put(0x3c, 0x40, 4);
    return (AxBlob){file, sizeof(file)};
}

static AxError probe(AxImageFormat format, AxBlob image, AxImageInfo *info)
{
    const char *why = NULL;
    const AxError error = axvm_image_probe(axvm_image_all, format, &image, info, &why);

    assert_int_equal(error == AX_OK, why == NULL);
    return error;
}

static void a_linux_image_is_recognised(void **state)
{
    static const AxImageFormat formats[] = {AX_IMAGE_AUTO, AX_IMAGE_LINUX_ARM64};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        AxImageInfo info;

        assert_error(probe(formats[i], good_image(), &info), AX_OK);
        assert_int_equal(info.format, AX_IMAGE_LINUX_ARM64);
        assert_int_equal(info.load_offset, 0);
        assert_int_equal(info.load_align, MIB(2));
        assert_int_equal(info.memory_size, 0x24f0000);
        assert_int_equal(info.entry_offset, 0);
    }
}

static void each_header_field_is_checked(void **state)
{
    static const struct {
        size_t offset;
        size_t size;
        uint64_t value;
        AxError error;
    } cases[] = {
        {0x38, 4, 0x644d5242, AX_EFORMAT}, // magic
        {0x10, 8, 0, AX_EFORMAT},          // image_size of old kernels
        {0x18, 8, 0xb, AX_EFORMAT},        // big-endian
        {0x18, 8, 0xc, AX_EFORMAT},        // 16 KiB pages
        {0x18, 8, 0xe, AX_EFORMAT},        // 64 KiB pages
        {0x18, 8, 0x1a, AX_EFORMAT},       // an unknown flag
        {0x18, 8, UINT64_C(1) << 63, AX_EFORMAT},
        {0x08, 8, 0x80001, AX_EFORMAT},  // text_offset is no page
        {0x08, 8, 0x200000, AX_EFORMAT}, // nor below 2 MiB
        {0x08, 8, ~UINT64_C(0xfff), AX_EFORMAT},
        {0x08, 8, 0x80000, AX_OK},
        {0x18, 8, 0x0, AX_OK}, // unspecified pages, near the base of RAM
        {0x18, 8, 0x2, AX_OK},
        {0x18, 8, 0x8, AX_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxBlob image = good_image();
        AxImageInfo info;

        put(cases[i].offset, cases[i].value, cases[i].size);
        assert_error(probe(AX_IMAGE_LINUX_ARM64, image, &info), cases[i].error);
    }
}

// ---- Linux riscv64 headers ----

// As Debian's kernels have it.
static AxBlob good_riscv64_image(void)
{
    memset(file, 0, sizeof(file));
    put(0x00, 0x1c32006f5a4d, 8);
    put(0x08, 0x200000, 8);
    put(0x10, 0x1f3c000, 8);
    put(0x18, 0, 8);
    put(0x20, 2, 4);
    put(0x30, 0x5643534952, 8);
    put(0x38, 0x05435352, 4);
    put(0x3c, 0x40, 4);
    return (AxBlob){file, sizeof(file)};
}

static void a_linux_image_for_riscv64_is_recognised(void **state)
{
    static const AxImageFormat formats[] = {AX_IMAGE_AUTO, AX_IMAGE_LINUX_RISCV64};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        AxImageInfo info;

        assert_error(probe(formats[i], good_riscv64_image(), &info), AX_OK);
        assert_int_equal(info.format, AX_IMAGE_LINUX_RISCV64);
        assert_int_equal(info.load_offset, MIB(2));
        assert_int_equal(info.load_align, MIB(2));
        assert_int_equal(info.memory_size, 0x1f3c000);
        assert_int_equal(info.entry_offset, 0);
    }
}

static void each_header_field_for_riscv64_is_checked(void **state)
{
    static const struct {
        size_t offset;
        size_t size;
        uint64_t value;
        AxError error;
    } cases[] = {
        {0x38, 4, 0x05435353, AX_EFORMAT}, // magic
        {0x38, 4, 0x644d5241, AX_EFORMAT}, // that of arm64
        {0x10, 8, 0, AX_EFORMAT},          // no image_size
        {0x18, 8, 1, AX_EFORMAT},          // big-endian
        {0x18, 8, 2, AX_EFORMAT},          // an unknown flag
        {0x18, 8, UINT64_C(1) << 63, AX_EFORMAT},
        {0x08, 8, 0x1000, AX_EFORMAT}, // text_offset is no multiple of 2 MiB
        {0x08, 8, 0x300000, AX_EFORMAT},
        {0x08, 8, UINT64_MAX, AX_EFORMAT},
        {0x08, 8, 0, AX_OK},
        {0x08, 8, 0x400000, AX_OK},
        {0x30, 8, 0, AX_OK}, // the magic of version 0.1 may be gone
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxBlob image = good_riscv64_image();
        AxImageInfo info;

        put(cases[i].offset, cases[i].value, cases[i].size);
        assert_error(probe(AX_IMAGE_LINUX_RISCV64, image, &info), cases[i].error);
    }
}

static void kernels_of_another_architecture_are_refused(void **state)
{
    AxImageInfo info;

    (void)state;
    assert_error(probe(AX_IMAGE_LINUX_RISCV64, good_image(), &info), AX_EFORMAT);
    assert_error(probe(AX_IMAGE_LINUX_ARM64, good_riscv64_image(), &info), AX_EFORMAT);
}

static void a_riscv64_file_may_be_larger_or_smaller_than_its_memory(void **state)
{
    AxImageInfo info;
    AxBlob image = good_riscv64_image();

    (void)state;
    put(0x10, 0x1000, 8);
    assert_error(probe(AX_IMAGE_AUTO, image, &info), AX_OK);
    assert_int_equal(info.memory_size, FILE_SIZE);
    for (uint64_t size = 1; size < 64; size++) {
        image.size = size;
        assert_error(probe(AX_IMAGE_LINUX_RISCV64, image, &info), AX_EFORMAT);
        assert_error(probe(AX_IMAGE_AUTO, image, &info), AX_OK);
        assert_int_equal(info.format, AX_IMAGE_RAW);
    }
}

// ---- both, and raw ----

static void a_file_may_be_larger_or_smaller_than_its_memory(void **state)
{
    AxImageInfo info;
    AxBlob image = good_image();

    (void)state;
    put(0x10, 0x1000, 8);
    assert_error(probe(AX_IMAGE_AUTO, image, &info), AX_OK);
    assert_int_equal(info.memory_size, FILE_SIZE);
    put(0x10, 0x10000, 8);
    assert_error(probe(AX_IMAGE_AUTO, image, &info), AX_OK);
    assert_int_equal(info.memory_size, 0x10000);
}

static void a_file_without_magic_is_raw_unless_linux_is_wanted(void **state)
{
    AxImageInfo info;
    AxBlob image = good_image();

    (void)state;
    file[0x38] = 0;
    assert_error(probe(AX_IMAGE_AUTO, image, &info), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_RAW);
    assert_int_equal(info.memory_size, FILE_SIZE);
    assert_error(probe(AX_IMAGE_LINUX_ARM64, image, &info), AX_EFORMAT);
    assert_error(probe(AX_IMAGE_RAW, good_image(), &info), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_RAW);
}

static void short_files_are_raw_or_refused(void **state)
{
    AxImageInfo info;

    (void)state;
    for (uint64_t size = 0; size <= 64; size++) {
        AxBlob image = good_image();

        image.size = size;
        assert_error(probe(AX_IMAGE_LINUX_ARM64, image, &info), size < 64 ? AX_EFORMAT : AX_OK);
        assert_error(probe(AX_IMAGE_RAW, image, &info), size == 0 ? AX_EFORMAT : AX_OK);
        assert_error(probe(AX_IMAGE_AUTO, image, &info), size == 0 ? AX_EFORMAT : AX_OK);
    }
    assert_error(probe(AX_IMAGE_RAW, (AxBlob){NULL, 8}, &info), AX_EFORMAT);
    assert_error(probe(AX_IMAGE_FORMAT_COUNT, good_image(), &info), AX_ENOTSUP);
    assert_error(axvm_image_probe(axvm_image_all, AX_IMAGE_RAW, NULL, &info, NULL), AX_EFORMAT);
}

// ---- layout ----

static AxVMConfig config;
static AxImageInfo info;
static AxBootLayout layout;
static const char *why;

static int setup(void **state)
{
    (void)state;
    axvm_config_init(&config, 0);
    config.kernel = (AxBlob){file, sizeof(file)};
    config.memory[0] = (AxVMMemory){ax_gpa(RAM_BASE), MIB(256), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory_count = 1;
    info = (AxImageInfo){
        .format = AX_IMAGE_LINUX_ARM64, .load_align = MIB(2), .memory_size = MIB(32)};
    why = NULL;
    return 0;
}

static void want_ramdisk(uint64_t size)
{
    config.ramdisk = (AxBlob){file, size};
}

static AxError lay_out(void)
{
    const AxError error = axvm_boot_layout(&config, &info, &layout, &why);

    assert_int_equal(error == AX_OK, why == NULL);
    return error;
}

static void assert_refused(AxError wanted, const char *word)
{
    assert_error(lay_out(), wanted);
    assert_non_null(strstr(why, word));
    why = NULL;
}

static AxSpan home(void)
{
    return (AxSpan){config.memory[0].base.value, config.memory[0].size};
}

// What must hold for every layout inside the first region.
static void assert_sound(void)
{
    const AxSpan kernel = {layout.kernel.value, info.memory_size};
    const AxSpan ramdisk = {layout.ramdisk.value, config.ramdisk.size};
    const AxSpan boot_block = {layout.boot_block.value, AX_BOOT_BLOCK_ROOM};

    assert_true(axvm_span_inside(kernel, home()));
    assert_true(axvm_span_inside(boot_block, home()));
    assert_true(config.ramdisk.size == 0 || axvm_span_inside(ramdisk, home()));
    assert_false(axvm_spans_overlap(kernel, ramdisk));
    assert_false(axvm_spans_overlap(kernel, boot_block));
    assert_false(axvm_spans_overlap(ramdisk, boot_block));
    assert_int_equal(boot_block.base % 8, 0);
    assert_int_equal(boot_block.base / MIB(2), (boot_block.base + AX_BOOT_BLOCK_ROOM - 1) / MIB(2));
    assert_int_equal((kernel.base - info.load_offset) % info.load_align, 0);
    assert_int_equal(layout.entry.value, kernel.base + info.entry_offset);
}

static void the_kernel_goes_low_the_rest_high(void **state)
{
    (void)state;
    info.load_offset = 0x80000;
    want_ramdisk(MIB(3) + 5);
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.kernel.value, RAM_BASE + 0x80000);
    assert_int_equal(layout.entry.value, layout.kernel.value);
    assert_int_equal(layout.ramdisk.value, RAM_BASE + MIB(253) - KIB(4));
    assert_int_equal(layout.boot_block.value, RAM_BASE + MIB(253) - 2 * AX_BOOT_BLOCK_ROOM);
}

static void ram_that_is_not_aligned_is_used_from_the_next_2_mib(void **state)
{
    (void)state;
    config.memory[0].base.value += KIB(4);
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.kernel.value, RAM_BASE + MIB(2));
}

static void small_memory_is_filled_to_the_last_page(void **state)
{
    (void)state;
    info.memory_size = MIB(2);
    want_ramdisk(MIB(1));
    config.memory[0].size = MIB(3) + AX_BOOT_BLOCK_ROOM;
    assert_error(lay_out(), AX_OK);
    assert_sound();
    config.memory[0].size -= KIB(4);
    assert_refused(AX_ERANGE, "device tree");
    config.memory[0].size = MIB(3) - KIB(4);
    assert_refused(AX_ERANGE, "ramdisk");
    config.memory[0].size = MIB(2) - KIB(4);
    assert_refused(AX_ERANGE, "kernel");
}

static void the_first_region_that_is_large_enough_is_home(void **state)
{
    (void)state;
    config.memory[0].base = ax_gpa(GIB(2));
    config.memory[1] = (AxVMMemory){ax_gpa(GIB(1)), MIB(16), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory[2] = (AxVMMemory){ax_gpa(GIB(3)), MIB(256), AX_MAP_RIGHTS, AX_MAP_TYPE_RESERVED};
    config.memory_count = 3;
    assert_error(lay_out(), AX_OK);
    assert_sound();
    config.memory[0].type = AX_MAP_TYPE_RESERVED;
    assert_refused(AX_ERANGE, "kernel");
    config.memory[0].type = AX_MAP_TYPE_IDENTICAL;
    config.memory[0].flags |= AX_MAP_DEVICE;
    assert_refused(AX_ERANGE, "kernel");
    config.memory_count = 0;
    assert_refused(AX_ERANGE, "kernel");
}

static void large_memory_keeps_to_the_windows_of_linux(void **state)
{
    (void)state;
    config.memory[0].size = GIB(64);
    want_ramdisk(MIB(8));
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.ramdisk.value, GIB(4) - MIB(8));
    config.memory[0].base = ax_gpa(GIB(5) + MIB(512));
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.ramdisk.value, GIB(37) - MIB(8));
}

static void a_fixed_kernel_must_fit_and_be_aligned(void **state)
{
    (void)state;
    config.kernel_load_addr = ax_gpa(RAM_BASE + MIB(224));
    want_ramdisk(MIB(8));
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.ramdisk.value, RAM_BASE + MIB(216));
    config.kernel_load_addr.value += KIB(4);
    assert_refused(AX_ERANGE, "kernel_load_addr");
    config.kernel_load_addr.value -= MIB(2);
    assert_refused(AX_EALIGN, "kernel_load_addr");
    info.load_offset = KIB(4);
    assert_error(lay_out(), AX_OK);
    config.kernel_load_addr = ax_gpa(RAM_BASE - MIB(2));
    assert_refused(AX_ERANGE, "kernel_load_addr");
    config.kernel_load_addr = ax_gpa(0);
    assert_refused(AX_ERANGE, "kernel_load_addr");
}

static void a_fixed_ramdisk_must_fit_and_be_free(void **state)
{
    (void)state;
    want_ramdisk(MIB(8));
    config.ramdisk_load_addr = ax_gpa(RAM_BASE + MIB(248));
    assert_error(lay_out(), AX_OK);
    assert_sound();
    assert_int_equal(layout.ramdisk.value, RAM_BASE + MIB(248));
    assert_int_equal(layout.boot_block.value, RAM_BASE + MIB(248) - AX_BOOT_BLOCK_ROOM);
    config.ramdisk_load_addr.value += 1;
    assert_refused(AX_ERANGE, "ramdisk_load_addr");
    config.ramdisk_load_addr = ax_gpa(RAM_BASE + MIB(32) - 1);
    assert_refused(AX_EOVERLAP, "ramdisk_load_addr");
    config.ramdisk_load_addr.value += 1;
    assert_error(lay_out(), AX_OK);
    assert_sound();
    config.ramdisk_load_addr = ax_gpa(UINT64_MAX - 1);
    assert_refused(AX_ERANGE, "ramdisk_load_addr");
}

static void a_ramdisk_may_have_a_region_of_its_own(void **state)
{
    (void)state;
    want_ramdisk(MIB(8));
    config.memory[1] = (AxVMMemory){ax_gpa(GIB(2)), MIB(8), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    config.memory_count = 2;
    config.ramdisk_load_addr = ax_gpa(GIB(2));
    assert_error(lay_out(), AX_OK);
    assert_int_equal(layout.ramdisk.value, GIB(2));
    assert_int_equal(layout.boot_block.value, RAM_BASE + MIB(256) - AX_BOOT_BLOCK_ROOM);
}

static void the_entry_point_must_be_memory(void **state)
{
    (void)state;
    config.entry_point = ax_gpa(RAM_BASE + MIB(1));
    assert_error(lay_out(), AX_OK);
    assert_int_equal(layout.entry.value, RAM_BASE + MIB(1));
    config.entry_point = ax_gpa(RAM_BASE + MIB(256));
    assert_refused(AX_ERANGE, "entry_point");
    config.entry_point = AX_ADDR_AUTO;
    info.entry_offset = GIB(1);
    assert_refused(AX_ERANGE, "entry_point");
}

static void without_a_kernel_the_entry_point_tells_the_region(void **state)
{
    (void)state;
    config.kernel.size = 0;
    info.memory_size = 0;
    config.entry_point = ax_gpa(RAM_BASE + MIB(1));
    assert_error(lay_out(), AX_OK);
    assert_int_equal(layout.entry.value, RAM_BASE + MIB(1));
    assert_int_equal(layout.boot_block.value, RAM_BASE + MIB(256) - AX_BOOT_BLOCK_ROOM);
    config.entry_point = ax_gpa(0x1000);
    assert_refused(AX_ERANGE, "entry_point");
}

// Sizes and places at random: a layout is sound, or refused for a reason.
static void every_layout_that_is_made_is_sound(void **state)
{
    Random random = {7};
    uint32_t made = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        config.memory[0].base = ax_gpa(random_below(&random, 2048) * MIB(8) +
                                       random_below(&random, 2) * KIB(4));
        config.memory[0].size = (1 + random_below(&random, 4096)) * KIB(64);
        info.memory_size = 1 + random_below(&random, MIB(64));
        info.load_offset = random_below(&random, 3) * KIB(512);
        info.load_align = random_below(&random, 2) ? MIB(2) : KIB(4);
        want_ramdisk(random_below(&random, MIB(64)));
        config.ramdisk_load_addr = random_below(&random, 2)
                                       ? AX_ADDR_AUTO
                                       : ax_gpa(config.memory[0].base.value +
                                                random_below(&random, MIB(64)));
        config.kernel_load_addr = random_below(&random, 2)
                                      ? AX_ADDR_AUTO
                                      : ax_gpa(config.memory[0].base.value + info.load_offset +
                                               random_below(&random, 32) * MIB(2));
        if (lay_out() == AX_OK) {
            assert_sound();
            made++;
        }
        why = NULL;
    }
    assert_in_range(made, 2000, 18000);
}

static void spans_do_not_wrap(void **state)
{
    const AxSpan all = {0, UINT64_MAX};

    (void)state;
    assert_true(axvm_span_inside((AxSpan){UINT64_MAX - 1, 1}, all));
    assert_false(axvm_span_inside((AxSpan){UINT64_MAX - 1, 2}, all));
    assert_false(axvm_span_inside((AxSpan){2, UINT64_MAX}, all));
    assert_true(axvm_spans_overlap((AxSpan){UINT64_MAX, 1}, (AxSpan){UINT64_MAX - 1, 2}));
    assert_false(axvm_spans_overlap((AxSpan){UINT64_MAX - 1, 1}, (AxSpan){UINT64_MAX, 1}));
    assert_false(axvm_spans_overlap((AxSpan){5, 0}, (AxSpan){0, 10}));
    assert_int_equal(axvm_align_up(UINT64_MAX - 5, 16), UINT64_MAX - 15);
    assert_int_equal(axvm_align_up(17, 16), 32);
    assert_int_equal(axvm_align_up(32, 16), 32);
}

#define LAYOUT(test) cmocka_unit_test_setup(test, setup)

static void a_machine_reads_its_own_formats_only(void **state)
{
    static const AxImageReader *const readers[] = {&axvm_image_linux_riscv64, &axvm_image_elf,
                                                   NULL};
    static const AxImageReader *const with_raw[] = {&axvm_image_elf, &axvm_image_raw, NULL};
    const AxBlob image = good_image();

    (void)state;
    assert_error(axvm_image_probe(readers, AX_IMAGE_LINUX_ARM64, &image, &info, &why), AX_ENOTSUP);
    assert_string_equal(why, "kernel: no image format of this machine");
    assert_error(axvm_image_probe(readers, AX_IMAGE_AUTO, &image, &info, &why), AX_ENOTSUP);
    assert_error(axvm_image_probe(with_raw, AX_IMAGE_AUTO, &image, &info, &why), AX_OK);
    assert_int_equal(info.format, AX_IMAGE_RAW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linux_image_is_recognised),
        cmocka_unit_test(each_header_field_is_checked),
        cmocka_unit_test(a_linux_image_for_riscv64_is_recognised),
        cmocka_unit_test(each_header_field_for_riscv64_is_checked),
        cmocka_unit_test(kernels_of_another_architecture_are_refused),
        cmocka_unit_test(a_riscv64_file_may_be_larger_or_smaller_than_its_memory),
        cmocka_unit_test(a_file_may_be_larger_or_smaller_than_its_memory),
        cmocka_unit_test(a_file_without_magic_is_raw_unless_linux_is_wanted),
        cmocka_unit_test(short_files_are_raw_or_refused),
        LAYOUT(the_kernel_goes_low_the_rest_high),
        LAYOUT(ram_that_is_not_aligned_is_used_from_the_next_2_mib),
        LAYOUT(small_memory_is_filled_to_the_last_page),
        LAYOUT(the_first_region_that_is_large_enough_is_home),
        LAYOUT(large_memory_keeps_to_the_windows_of_linux),
        LAYOUT(a_fixed_kernel_must_fit_and_be_aligned),
        LAYOUT(a_fixed_ramdisk_must_fit_and_be_free),
        LAYOUT(a_ramdisk_may_have_a_region_of_its_own),
        LAYOUT(the_entry_point_must_be_memory),
        LAYOUT(without_a_kernel_the_entry_point_tells_the_region),
        LAYOUT(every_layout_that_is_made_is_sound),
        cmocka_unit_test(spans_do_not_wrap),
        cmocka_unit_test(a_machine_reads_its_own_formats_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
