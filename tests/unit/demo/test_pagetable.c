// SPDX-License-Identifier: Apache-2.0
#include "pagetable.h"
#include "test.h"

#define PAGES 12u
#define KIB   UINT64_C(1024)
#define MIB   (KIB * KIB)
#define GIB   (KIB * MIB)

// What an entry must say in each format, in bits of its own.
typedef struct Sample {
    const PageFormat *format;
    uint64_t limit; // lowest address that is refused
    uint64_t kinds[PAGE_KIND_COUNT];
} Sample;

// A leaf for a page at address 0.
static const Sample samples[] = {
    {
        &pagetable_aarch64,
        UINT64_C(1) << 48,
        // AttrIndx 1 or 0, inner shareable, AF, RES1; AP[2] read-only, XN.
        {
            [PAGE_TEXT] = 0x7c7,
            [PAGE_RODATA] = UINT64_C(0x00400000000007c7),
            [PAGE_DATA] = UINT64_C(0x0040000000000747),
            [PAGE_DEVICE] = UINT64_C(0x0040000000000743),
        },
    },
    {
        &pagetable_sv39,
        UINT64_C(1) << 38,
        // D A G U X W R V
        {
            [PAGE_TEXT] = 0xcb,
            [PAGE_RODATA] = 0xc3,
            [PAGE_DATA] = 0xc7,
            [PAGE_DEVICE] = 0xc7,
        },
    },
    {
        &pagetable_x86_64,
        UINT64_C(1) << 47,
        // P, R/W, PWT, PCD, A, D; XD
        {
            [PAGE_TEXT] = 0x21,
            [PAGE_RODATA] = UINT64_C(0x8000000000000021),
            [PAGE_DATA] = UINT64_C(0x8000000000000063),
            [PAGE_DEVICE] = UINT64_C(0x800000000000007b),
        },
    },
};

static _Alignas(4096) PageTablePage pages[PAGES];

static PageTable fresh_of(const PageFormat *format, uint32_t count)
{
    PageTable table;

    memset(pages, 0, sizeof(pages));
    pagetable_init(&table, format, pages, count);
    return table;
}

static PageTable fresh(uint32_t count)
{
    return fresh_of(&pagetable_aarch64, count);
}

static uint64_t target(const PageTable *table, uint64_t addr)
{
    return (pagetable_lookup(table, addr) & table->format->addr_mask) << table->format->addr_shift;
}

static void check_identity(PageTable table)
{
    assert_true(pagetable_map(&table, 0x9000000, 0x1000, PAGE_DEVICE));
    assert_true(pagetable_map(&table, GIB, GIB + 6 * MIB + 8 * KIB, PAGE_DATA));
    assert_int_equal(target(&table, 0x9000000), 0x9000000);
    assert_int_equal(target(&table, GIB + 123 * MIB), GIB);
    assert_int_equal(target(&table, 2 * GIB + 5 * MIB), 2 * GIB + 4 * MIB);
    assert_int_equal(target(&table, 2 * GIB + 6 * MIB + 4 * KIB), 2 * GIB + 6 * MIB + 4 * KIB);
    assert_int_equal(pagetable_lookup(&table, 2 * GIB + 6 * MIB + 8 * KIB), 0);
    assert_int_equal(pagetable_lookup(&table, 0), 0);
}

static void every_mapping_is_the_identity(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        check_identity(fresh_of(samples[i].format, PAGES));
    }
}

static void entries_say_what_their_kind_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        for (PageKind kind = 0; kind < PAGE_KIND_COUNT; kind++) {
            PageTable table = fresh_of(samples[i].format, PAGES);

            assert_true(pagetable_map(&table, 0, 1, kind));
            assert_int_equal(pagetable_lookup(&table, 0xfff), samples[i].kinds[kind]);
        }
    }
}

static void blocks_and_pages_differ_where_the_format_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        PageTable table = fresh_of(samples[i].format, PAGES);

        assert_true(pagetable_map(&table, 0, 2 * MIB, PAGE_DATA));
        assert_int_equal((pagetable_lookup(&table, MIB) ^ samples[i].format->block) |
                             samples[i].format->page,
                         samples[i].kinds[PAGE_DATA]);
    }
}

static void blocks_are_no_larger_than_the_format_says(void **state)
{
    PageFormat format = pagetable_x86_64;
    PageTable table;

    (void)state;
    format.block_level = 1;
    table = fresh_of(&format, PAGES);
    assert_true(pagetable_map(&table, GIB, GIB, PAGE_DATA));
    assert_int_equal(target(&table, GIB + 123 * MIB), GIB + 122 * MIB);
    assert_int_equal(target(&table, 2 * GIB - 1), 2 * GIB - 2 * MIB);
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
    assert_int_equal(pagetable_lookup(&table, GIB + 4 * KIB) - GIB - 4 * KIB,
                     samples[0].kinds[PAGE_DATA]);
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

static void addresses_beyond_the_format_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        PageTable table = fresh_of(samples[i].format, PAGES);
        const uint64_t limit = samples[i].limit;
        const uint64_t bad[][2] = {
            {0, 0}, {limit, 1}, {limit - 1, 2}, {0, limit + 1}, {UINT64_MAX, 1}, {1, UINT64_MAX},
        };

        for (size_t j = 0; j < COUNT(bad); j++) {
            assert_false(pagetable_map(&table, bad[j][0], bad[j][1], PAGE_DATA));
        }
        assert_true(pagetable_map(&table, limit - 1, 1, PAGE_DATA));
        assert_int_equal(target(&table, limit - 1), limit - 4 * KIB);
        assert_int_equal(pagetable_lookup(&table, limit), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mapping_is_the_identity),
        cmocka_unit_test(entries_say_what_their_kind_is),
        cmocka_unit_test(blocks_and_pages_differ_where_the_format_says_so),
        cmocka_unit_test(blocks_are_no_larger_than_the_format_says),
        cmocka_unit_test(ranges_are_widened_to_whole_pages),
        cmocka_unit_test(a_later_mapping_keeps_finer_entries),
        cmocka_unit_test(a_block_is_not_split),
        cmocka_unit_test(the_end_of_the_pages_is_an_error),
        cmocka_unit_test(addresses_beyond_the_format_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
