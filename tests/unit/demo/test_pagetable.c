// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"
#include "test.h"

#define PAGES 12u
#define KIB   UINT64_C(1024)
#define MIB   (KIB * KIB)
#define GIB   (KIB * MIB)

#define VALID UINT64_C(1)
#define RO    (UINT64_C(1) << 7)
#define XN    (UINT64_C(1) << 54)
#define ATTR  (UINT64_C(7) << 2)

static _Alignas(4096) PageTablePage pages[PAGES];

static PageTable fresh(uint32_t count)
{
    PageTable table;

    memset(pages, 0, sizeof(pages));
    pagetable_init(&table, pages, count);
    return table;
}

static uint64_t target(const PageTable *table, uint64_t addr)
{
    return pagetable_lookup(table, addr) & UINT64_C(0x0000fffffffff000);
}

static void every_mapping_is_the_identity(void **state)
{
    PageTable table = fresh(PAGES);

    (void)state;
    assert_true(pagetable_map(&table, 0x9000000, 0x1000, PAGE_DEVICE));
    assert_true(pagetable_map(&table, GIB, GIB + 6 * MIB + 8 * KIB, PAGE_DATA));
    assert_int_equal(target(&table, 0x9000000), 0x9000000);
    assert_int_equal(target(&table, GIB + 123 * MIB), GIB);
    assert_int_equal(target(&table, 2 * GIB + 5 * MIB), 2 * GIB + 4 * MIB);
    assert_int_equal(target(&table, 2 * GIB + 6 * MIB + 4 * KIB), 2 * GIB + 6 * MIB + 4 * KIB);
    assert_int_equal(pagetable_lookup(&table, 2 * GIB + 6 * MIB + 8 * KIB), 0);
    assert_int_equal(pagetable_lookup(&table, 0), 0);
    assert_int_equal(pagetable_lookup(&table, UINT64_C(1) << 48), 0);
}

static void nothing_is_both_writable_and_executable(void **state)
{
    (void)state;
    for (PageKind kind = 0; kind < PAGE_KIND_COUNT; kind++) {
        PageTable table = fresh(PAGES);

        assert_true(pagetable_map(&table, 0x1000, 1, kind));
        const uint64_t entry = pagetable_lookup(&table, 0x1fff);

        assert_true((entry & VALID) != 0);
        assert_true((entry & (RO | XN)) != 0);
        assert_int_equal((entry & ATTR) == 0, kind == PAGE_DEVICE);
    }
}

static void ranges_are_widened_to_whole_pages(void **state)
{
    PageTable table = fresh(PAGES);

    (void)state;
    assert_true(pagetable_map(&table, 0x1fff, 2, PAGE_DATA));
    assert_int_equal(target(&table, 0x1000), 0x1000);
    assert_int_equal(target(&table, 0x2fff), 0x2000);
    assert_int_equal(pagetable_lookup(&table, 0x3000), 0);
}

static void a_later_mapping_keeps_finer_entries(void **state)
{
    PageTable table = fresh(PAGES);

    (void)state;
    assert_true(pagetable_map(&table, GIB + 4 * KIB, 4 * KIB, PAGE_RODATA));
    assert_true(pagetable_map(&table, GIB, GIB, PAGE_DATA));
    assert_int_equal(pagetable_lookup(&table, GIB + 4 * KIB) & (RO | XN), XN);
    assert_int_equal(target(&table, GIB + 8 * KIB), GIB + 8 * KIB);
    assert_int_equal(target(&table, GIB + 3 * MIB), GIB + 2 * MIB);
}

static void a_block_is_not_split(void **state)
{
    PageTable table = fresh(PAGES);

    (void)state;
    assert_true(pagetable_map(&table, GIB, GIB, PAGE_DATA));
    assert_false(pagetable_map(&table, GIB + 4 * KIB, 4 * KIB, PAGE_RODATA));
    assert_int_equal(target(&table, GIB + 4 * KIB), GIB);
}

static void the_end_of_the_pages_is_an_error(void **state)
{
    PageTable table = fresh(4);

    (void)state;
    assert_true(pagetable_map(&table, 0x1000, 1, PAGE_DATA));
    assert_false(pagetable_map(&table, GIB, 1, PAGE_DATA));
    assert_true(pagetable_map(&table, 0x2000, 1, PAGE_DATA));
}

static void addresses_beyond_48_bits_are_refused(void **state)
{
    static const struct {
        uint64_t addr;
        uint64_t size;
    } bad[] = {
        {0, 0},
        {UINT64_C(1) << 48, 1},
        {(UINT64_C(1) << 48) - 1, 2},
        {0, (UINT64_C(1) << 48) + 1},
        {UINT64_MAX, 1},
        {1, UINT64_MAX},
    };
    PageTable table = fresh(PAGES);

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(pagetable_map(&table, bad[i].addr, bad[i].size, PAGE_DATA));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mapping_is_the_identity),
        cmocka_unit_test(nothing_is_both_writable_and_executable),
        cmocka_unit_test(ranges_are_widened_to_whole_pages),
        cmocka_unit_test(a_later_mapping_keeps_finer_entries),
        cmocka_unit_test(a_block_is_not_split),
        cmocka_unit_test(the_end_of_the_pages_is_an_error),
        cmocka_unit_test(addresses_beyond_48_bits_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
