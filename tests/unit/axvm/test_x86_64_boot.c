// SPDX-License-Identifier: Apache-2.0
/* What a guest of the PC board finds at its start, byte by byte, and the registers it starts with. */
#include "test.h"

#include <machine/x86_64_boot.h>

#define BLOCK   UINT64_C(0x0fe00000)
#define KERNEL  UINT64_C(0x01000000)
#define RAMDISK UINT64_C(0x0ff00000)
#define ACPI_AT 0x8000u

static AxVM vm;
static AxAcpiBoard board;
static uint8_t kernel[0x400];
static uint8_t block[AX_BOOT_BLOCK_ROOM] __attribute__((aligned(4096)));
static size_t size;
static X86Start start;

static uint64_t get(size_t offset, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, block + offset, bytes);
    return value;
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(block, 0xaa, sizeof(block));
    board = (AxAcpiBoard){.cpu_count = 1, .timer_irq = 2, .sci_irq = 9, .uart_base = 0x3f8};
    axvm_config_init(&vm.config, 0);
    memcpy(vm.config.cmdline, "console=ttyS0", 14);
    vm.config.kernel = (AxBlob){kernel, sizeof(kernel)};
    vm.config.ramdisk = (AxBlob){kernel, 0x12345};
    vm.config.memory[0] = (AxVMMemory){ax_gpa(0), MIB(256), AX_MAP_RIGHTS, AX_MAP_TYPE_ALLOC};
    vm.config.memory_count = 1;
    vm.layout = (AxBootLayout){ax_gpa(KERNEL), ax_gpa(KERNEL + 0x200), ax_gpa(RAMDISK),
                               ax_gpa(BLOCK)};
    return 0;
}

static void describe(AxImageFormat format, AxBootProtocol protocol)
{
    vm.image.format = format;
    vm.image.protocol = protocol;
    assert_error(axvm_x86_64_describe(&board, &vm, block, sizeof(block), &size), AX_OK);
    assert_in_range(size, ACPI_AT + 36, sizeof(block));
    assert_memory_equal(block + ACPI_AT, "RSD PTR ", 8);
}

static void make_bzimage(void)
{
    memset(kernel, 0, sizeof(kernel));
    for (size_t i = 0x1f1; i < sizeof(kernel); i++) {
        kernel[i] = 0x55;
    }
    kernel[0x201] = 0x6a;
    kernel[0x211] = 0x80; // CAN_USE_HEAP
}

// ---- Linux ----

static void the_zero_page_has_the_kernels_header_and_what_it_is_told(void **state)
{
    (void)state;
    make_bzimage();
    describe(AX_IMAGE_BZIMAGE, AX_BOOT_LINUX64);
    assert_int_equal(get(0x70, 8), BLOCK + ACPI_AT);
    assert_int_equal(get(0x1f1, 1), 0x55);
    assert_int_equal(get(0x1fa, 2), 0xffff);
    assert_int_equal(get(0x210, 1), 0xff);
    assert_int_equal(get(0x211, 1), 0x01);
    assert_int_equal(get(0x214, 4), KERNEL);
    assert_int_equal(get(0x218, 4), RAMDISK);
    assert_int_equal(get(0x21c, 4), 0x12345);
    assert_int_equal(get(0x228, 4), BLOCK + 0x1000);
    assert_string_equal((char *)block + 0x1000, "console=ttyS0");
    assert_int_equal(get(0x22c, 4), 0x55555555);
    assert_int_equal(get(0x250, 8), 0); // nobody's setup_data
    assert_int_equal(get(0x258, 8), UINT64_C(0x5555555555555555));
    assert_int_equal(get(0x268, 4), 0x55555555);
    assert_int_equal(get(0x26c, 8), 0);
    assert_int_equal(get(0x290, 8), 0);
}

static void a_short_header_is_copied_as_far_as_it_goes(void **state)
{
    (void)state;
    make_bzimage();
    kernel[0x201] = 0x3a;
    describe(AX_IMAGE_BZIMAGE, AX_BOOT_LINUX32);
    assert_int_equal(get(0x238, 4), 0x55555555);
    assert_int_equal(get(0x23c, 8), 0);
    kernel[0x201] = 0x8e;
    describe(AX_IMAGE_BZIMAGE, AX_BOOT_LINUX32);
    assert_int_equal(get(0x268, 4), 0x55555555);
    assert_int_equal(get(0x26c, 8), 0);
}

static void a_kernel_without_header_gets_one(void **state)
{
    (void)state;
    vm.config.ramdisk.size = 0;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX64);
    assert_int_equal(get(0x1fe, 2), 0xaa55);
    assert_int_equal(get(0x202, 4), 0x53726448);
    assert_int_equal(get(0x206, 2), 0x20c);
    assert_int_equal(get(0x228, 4), BLOCK + 0x1000);
    assert_int_equal(get(0x218, 8), 0);
}

static void assert_e820(uint32_t index, uint64_t base, uint64_t length, uint32_t type)
{
    assert_int_equal(get(0x2d0 + 20 * index, 8), base);
    assert_int_equal(get(0x2d8 + 20 * index, 8), length);
    assert_int_equal(get(0x2e0 + 20 * index, 4), type);
}

static void memory_has_holes_for_the_firmware_and_the_block(void **state)
{
    (void)state;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX64);
    assert_int_equal(get(0x1e8, 1), 5);
    assert_e820(0, 0, 0x9fc00, 1);
    assert_e820(1, 0x9fc00, 0x60400, 2);
    assert_e820(2, MIB(1), BLOCK - MIB(1), 1);
    assert_e820(3, BLOCK, AX_BOOT_BLOCK_ROOM, 3);
    assert_e820(4, BLOCK + AX_BOOT_BLOCK_ROOM, MIB(256) - BLOCK - AX_BOOT_BLOCK_ROOM, 1);
}

static void regions_end_where_they_end(void **state)
{
    (void)state;
    vm.config.memory[0] = (AxVMMemory){ax_gpa(0xa0000), KIB(64), AX_MAP_RIGHTS, 0};
    vm.config.memory[1] = (AxVMMemory){ax_gpa(BLOCK), AX_BOOT_BLOCK_ROOM, AX_MAP_RIGHTS, 0};
    vm.config.memory[2] = (AxVMMemory){ax_gpa(GIB(4)), GIB(1), AX_MAP_RIGHTS, 0};
    vm.config.memory[3] = (AxVMMemory){ax_gpa(GIB(6)), GIB(1), AX_MAP_RIGHTS, AX_MAP_TYPE_RESERVED};
    vm.config.memory[4] = (AxVMMemory){ax_gpa(GIB(8)), GIB(1), AX_MAP_READ | AX_MAP_DEVICE,
                                       AX_MAP_TYPE_IDENTICAL};
    vm.config.memory_count = 5;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX64);
    assert_int_equal(get(0x1e8, 1), 3);
    assert_e820(0, 0xa0000, KIB(64), 2);
    assert_e820(1, BLOCK, AX_BOOT_BLOCK_ROOM, 3);
    assert_e820(2, GIB(4), GIB(1), 1);
}

static void count_up(void *ctx, uint8_t *buffer, size_t bytes)
{
    uint8_t *next = ctx;

    for (size_t i = 0; i < bytes; i++) {
        buffer[i] = (*next)++;
    }
}

static void linux_gets_a_seed_where_there_is_a_source(void **state)
{
    uint8_t next = 1;

    (void)state;
    vm.random = count_up;
    vm.random_ctx = &next;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX64);
    assert_int_equal(get(0x250, 8), BLOCK + 0x1840);
    assert_int_equal(get(0x1840, 8), 0);
    assert_int_equal(get(0x1848, 4), 9);
    assert_int_equal(get(0x184c, 4), 32);
    assert_int_equal(get(0x1850, 1), 1);
    assert_int_equal(get(0x186f, 1), 32);
    assert_int_equal(next, 33);
}

static void a_64_bit_start_has_page_tables_of_4_gib(void **state)
{
    (void)state;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX64);
    assert_true(axvm_x86_64_start(&vm, &start));
    assert_int_equal(start.mode, X86_START_LONG);
    assert_int_equal(start.entry.value, KERNEL + 0x200);
    assert_int_equal(start.rsi, BLOCK);
    assert_int_equal(start.rax, 0);
    assert_int_equal(start.rbx, 0);
    assert_int_equal(start.gdt_base, BLOCK + 0x1800);
    assert_int_equal(start.gdt_limit, 31);
    assert_int_equal(get(0x1810, 8), UINT64_C(0x00af9b000000ffff));
    assert_int_equal(get(0x1818, 8), UINT64_C(0x00cf93000000ffff));
    for (uint64_t address = 0; address < GIB(4); address += MIB(2)) {
        const uint64_t pdpt = get(start.cr3 - BLOCK, 8) - BLOCK;
        const uint64_t pd = get((pdpt & ~UINT64_C(0xfff)) + 8 * (address >> 30), 8) - BLOCK;
        const uint64_t entry = get((pd & ~UINT64_C(0xfff)) + 8 * (address >> 21 & 511), 8);

        assert_int_equal(pdpt & 0xfff, 3);
        assert_int_equal(pd & 0xfff, 3);
        assert_int_equal(entry, address | 0x83);
    }
    assert_int_equal(get(start.cr3 - BLOCK + 8, 8), 0);
    assert_int_equal(get(start.cr3 - BLOCK + 0x1000 + 32, 8), 0);
}

static void a_32_bit_start_has_none(void **state)
{
    (void)state;
    describe(AX_IMAGE_ELF, AX_BOOT_LINUX32);
    assert_true(axvm_x86_64_start(&vm, &start));
    assert_int_equal(start.mode, X86_START_PROTECTED);
    assert_int_equal(start.cr3, 0);
    assert_int_equal(start.rsi, BLOCK);
    assert_int_equal(get(0x1810, 8), UINT64_C(0x00cf9b000000ffff));
    assert_int_equal(get(0x2000, 8), 0);
}

// ---- PVH ----

static void pvh_gets_its_start_info(void **state)
{
    (void)state;
    describe(AX_IMAGE_ELF, AX_BOOT_PVH);
    assert_true(axvm_x86_64_start(&vm, &start));
    assert_int_equal(start.mode, X86_START_PROTECTED);
    assert_int_equal(start.rbx, BLOCK);
    assert_int_equal(start.rsi, 0);
    assert_int_equal(get(0, 4), 0x336ec578);
    assert_int_equal(get(4, 4), 1);
    assert_int_equal(get(8, 4), 0);
    assert_int_equal(get(12, 4), 1);
    assert_int_equal(get(24, 8), BLOCK + 0x1000);
    assert_int_equal(get(32, 8), BLOCK + ACPI_AT);
    assert_int_equal(get(40, 8), BLOCK + 0x100);
    assert_int_equal(get(48, 4), 5);

    const size_t module = get(16, 8) - BLOCK;
    assert_int_equal(get(module, 8), RAMDISK);
    assert_int_equal(get(module + 8, 8), 0x12345);
    assert_int_equal(get(module + 16, 8), 0);
    assert_int_equal(get(0x100 + 24 * 3, 8), BLOCK);
    assert_int_equal(get(0x100 + 24 * 3 + 8, 8), AX_BOOT_BLOCK_ROOM);
    assert_int_equal(get(0x100 + 24 * 3 + 16, 8), 3);
}

static void pvh_without_a_ramdisk_has_no_module(void **state)
{
    (void)state;
    vm.config.ramdisk.size = 0;
    describe(AX_IMAGE_ELF, AX_BOOT_PVH);
    assert_int_equal(get(12, 4), 0);
    assert_int_equal(get(16, 8), 0);
}

// ---- Multiboot ----

static void multiboot_gets_its_info(void **state)
{
    (void)state;
    describe(AX_IMAGE_MULTIBOOT, AX_BOOT_MULTIBOOT);
    assert_true(axvm_x86_64_start(&vm, &start));
    assert_int_equal(start.mode, X86_START_PROTECTED);
    assert_int_equal(start.rax, 0x2badb002);
    assert_int_equal(start.rbx, BLOCK);
    assert_int_equal(get(0, 4), 0x24d);
    assert_int_equal(get(4, 4), 639);
    assert_int_equal(get(8, 4), (BLOCK >> 10) - 1024);
    assert_int_equal(get(16, 4), BLOCK + 0x1000);
    assert_int_equal(get(20, 4), 1);
    assert_int_equal(get(44, 4), 5 * 24);

    const size_t module = get(24, 4) - BLOCK;
    const size_t map = get(48, 4) - BLOCK;
    assert_int_equal(get(module, 4), RAMDISK);
    assert_int_equal(get(module + 4, 4), RAMDISK + 0x12345);
    assert_int_equal(get(map + 24, 4), 20);
    assert_int_equal(get(map + 28, 8), 0x9fc00);
    assert_int_equal(get(map + 36, 8), 0x60400);
    assert_int_equal(get(map + 44, 4), 2);
    assert_string_equal((char *)block + (get(64, 4) - BLOCK), "axvm");
}

static void memory_that_is_not_there_counts_nothing(void **state)
{
    (void)state;
    vm.config.memory[0].base = ax_gpa(MIB(2));
    vm.config.ramdisk.size = 0;
    describe(AX_IMAGE_MULTIBOOT, AX_BOOT_MULTIBOOT);
    assert_int_equal(get(4, 8), 0);
    assert_int_equal(get(20, 4), 0);
}

// ---- all ----

static void a_native_start_is_the_backends(void **state)
{
    (void)state;
    describe(AX_IMAGE_RAW, AX_BOOT_NATIVE);
    assert_false(axvm_x86_64_start(&vm, &start));
    for (size_t i = 0; i < ACPI_AT; i++) {
        assert_int_equal(block[i], 0);
    }
}

static void a_block_that_does_not_fit_is_refused(void **state)
{
    static const uint64_t places[] = {GIB(4), MIB(1) - KIB(64), UINT64_MAX};

    (void)state;
    describe(AX_IMAGE_ELF, AX_BOOT_PVH);
    const size_t whole = size;
    for (size_t room = 0; room < whole; room += 4) {
        assert_error(axvm_x86_64_describe(&board, &vm, block, room, &size), AX_ENOSPC);
    }
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        vm.layout.boot_block = ax_gpa(places[i]);
        assert_error(axvm_x86_64_describe(&board, &vm, block, sizeof(block), &size), AX_ERANGE);
    }
    vm.layout.boot_block = ax_gpa(BLOCK);
    board.cpu_count = 0;
    assert_error(axvm_x86_64_describe(&board, &vm, block, sizeof(block), &size), AX_ERANGE);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_zero_page_has_the_kernels_header_and_what_it_is_told),
        TEST(a_short_header_is_copied_as_far_as_it_goes),
        TEST(a_kernel_without_header_gets_one),
        TEST(memory_has_holes_for_the_firmware_and_the_block),
        TEST(regions_end_where_they_end),
        TEST(linux_gets_a_seed_where_there_is_a_source),
        TEST(a_64_bit_start_has_page_tables_of_4_gib),
        TEST(a_32_bit_start_has_none),
        TEST(pvh_gets_its_start_info),
        TEST(pvh_without_a_ramdisk_has_no_module),
        TEST(multiboot_gets_its_info),
        TEST(memory_that_is_not_there_counts_nothing),
        TEST(a_native_start_is_the_backends),
        TEST(a_block_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
