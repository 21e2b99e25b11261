// SPDX-License-Identifier: Apache-2.0
// An image of five pages and the stacks, where the linker script of the demo would have put it.
#include "hostmap.h"
#include "layout.h"
#include "log.h"
#include "platform.h"
#include "test.h"

#define PAGES 24u

__asm__(".bss\n"
        ".balign 4096\n"
        ".globl image_start, image_rodata, image_data, image_data_end, image_end, stacks\n"
        "image_start: .skip 0x2000\n"
        "image_rodata: .skip 0x1000\n"
        "image_data: .skip 0x2000\n"
        "image_data_end:\n"
        ".balign 65536\n"
        "stacks: .skip 65536 * 8\n"
        "image_end:\n"
        ".text\n");
_Static_assert(2 * STACK_SIZE * STACK_COUNT == 65536 * 8, "stacks");

extern char image_start[], image_rodata[], image_data[], image_data_end[], image_end[], stacks[];

static _Alignas(4096) PageTablePage pages[PAGES];
static unsigned invalidations;
static bool expecting_failure;
static jmp_buf failure;

void mmu_invalidate(void)
{
    invalidations++;
}

_Noreturn void demo_fail(const char *format, ...)
{
    if (expecting_failure) {
        longjmp(failure, 1);
    }
    fail_msg("%s", format);
    abort();
}

static void start(uint32_t page_count)
{
    memset(pages, 0, sizeof(pages));
    invalidations = 0;
    hostmap_init(&pagetable_x86_64, pages, page_count);
}

static int start_with_image(void **state)
{
    (void)state;
    start(PAGES);
    return hostmap_add_image() ? 0 : -1;
}

static uint64_t entry_of(uint64_t addr)
{
    const PageTable table = {.format = &pagetable_x86_64, .pages = pages, .page_count = PAGES};

    return pagetable_lookup(&table, addr);
}

static bool is(uint64_t addr, PageKind kind)
{
    const PageFormat *format = &pagetable_x86_64;
    const uint64_t entry = entry_of(addr) & ~format->block;

    return (entry & ~format->addr_mask) == format->leaves[kind] && entry_of(addr) != 0;
}

static uint64_t at(const char *symbol)
{
    return (uintptr_t)symbol;
}

static void assert_image_keeps_its_rights(void)
{
    assert_true(is(at(image_start), PAGE_TEXT));
    assert_true(is(at(image_rodata) - 1, PAGE_TEXT));
    assert_true(is(at(image_rodata), PAGE_RODATA));
    assert_true(is(at(image_data), PAGE_DATA));
    assert_true(is(at(image_data_end) - 1, PAGE_DATA));
    for (uint64_t i = 0; i < STACK_COUNT; i++) {
        const uint64_t stack = at(stacks) + UINT64_C(2) * STACK_SIZE * i;

        assert_int_equal(hostmap_stack_top((uint32_t)i), stack + STACK_SIZE);
        assert_true(is(stack, PAGE_DATA));
        assert_true(is(stack + STACK_SIZE - 1, PAGE_DATA));
        assert_int_equal(entry_of(stack + STACK_SIZE), 0); // the guard
        assert_int_equal(entry_of(stack + 2 * STACK_SIZE - 1), 0);
    }
}

static void sections_have_their_rights_and_guards_none(void **state)
{
    (void)state;
    assert_image_keeps_its_rights();
    assert_int_equal(entry_of(at(image_start) - 1), 0);
}

static void memory_around_the_image_leaves_it_alone(void **state)
{
    const Range image = platform_image();

    (void)state;
    assert_int_equal(image.base, at(image_start));
    assert_int_equal(image.base + image.size, at(image_end));
    assert_true(platform_map(image.base - 0x3000, image.size + 0x5000, false));
    assert_int_equal(invalidations, 1);
    assert_true(is(image.base - 0x3000, PAGE_DATA));
    assert_true(is(image.base - 1, PAGE_DATA));
    assert_true(is(at(image_end), PAGE_DATA));
    assert_true(is(at(image_end) + 0x1fff, PAGE_DATA));
    assert_int_equal(entry_of(at(image_end) + 0x2000), 0);
    assert_image_keeps_its_rights();
}

static void a_range_beside_or_inside_the_image_is_no_special_case(void **state)
{
    (void)state;
    assert_true(platform_map(at(image_start) - 0x1000, 0x1000, true));
    assert_true(is(at(image_start) - 1, PAGE_DEVICE));
    assert_true(platform_map(at(image_end), 0x1000, true));
    assert_true(is(at(image_end), PAGE_DEVICE));
    assert_true(platform_map(at(image_data), 0x1000, true));
    assert_image_keeps_its_rights();
}

static void a_range_that_wraps_is_refused(void **state)
{
    (void)state;
    assert_false(platform_map(UINT64_MAX - 0xfff, 0x1001, false));
    assert_false(platform_map(0x1000, UINT64_MAX, false));
    assert_false(hostmap_add_boot_data(UINT64_MAX - 0xfff, 0x1001));
}

// A block would have to be split when the memory around it is mapped.
static void boot_data_is_mapped_in_pages(void **state)
{
    const uint64_t base = UINT64_C(64) << 20;

    (void)state;
    assert_true(hostmap_add_boot_data(base + 0x10, 0x200000));
    assert_true(is(base, PAGE_RODATA));
    assert_true(is(base + 0x200000, PAGE_RODATA));
    assert_int_equal(entry_of(base + 0x201000), 0);
    assert_true(platform_map(base - 0x100000, 0x800000, false));
    assert_true(is(base - 0x100000, PAGE_DATA));
    assert_true(is(base, PAGE_DATA));
    assert_true(is(base + 0x200000, PAGE_DATA));
}

static void boot_data_that_is_mapped_stays_as_it_is(void **state)
{
    const uint64_t base = UINT64_C(64) << 20;

    (void)state;
    assert_true(platform_map(base, 0x1000, false));
    assert_true(hostmap_add_boot_data(base, 0x2000));
    assert_true(is(base, PAGE_DATA));
    assert_true(is(base + 0x1000, PAGE_RODATA));
    assert_true(hostmap_add_boot_data(at(image_start), at(image_end) - at(image_start)));
    assert_image_keeps_its_rights();
}

static void devices_are_mapped_as_such(void **state)
{
    const RangeList devices = {.count = 2, .items = {{0x9000000, 0x1000}, {0x8000000, 0x20000}}};

    (void)state;
    hostmap_add_devices(&devices);
    assert_true(is(0x9000000, PAGE_DEVICE));
    assert_true(is(0x801ffff, PAGE_DEVICE));
    assert_int_equal(entry_of(0x8020000), 0);
    assert_int_equal(invalidations, 2);
}

static void a_machine_without_room_for_its_devices_ends(void **state)
{
    const RangeList devices = {.count = 1, .items = {{0x9000000, 0x1000}}};

    (void)state;
    start(1);
    assert_false(hostmap_add_image());
    assert_false(hostmap_add_boot_data(0x9000000, 1));
    expecting_failure = true;
    if (setjmp(failure) == 0) {
        hostmap_add_devices(&devices);
        fail();
    }
    expecting_failure = false;
}

#define TEST(name) cmocka_unit_test_setup(name, start_with_image)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sections_have_their_rights_and_guards_none),
        TEST(memory_around_the_image_leaves_it_alone),
        TEST(a_range_beside_or_inside_the_image_is_no_special_case),
        TEST(a_range_that_wraps_is_refused),
        TEST(boot_data_is_mapped_in_pages),
        TEST(boot_data_that_is_mapped_stays_as_it_is),
        TEST(devices_are_mapped_as_such),
        TEST(a_machine_without_room_for_its_devices_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
