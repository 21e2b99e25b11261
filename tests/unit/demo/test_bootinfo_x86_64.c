// SPDX-License-Identifier: Apache-2.0
// What QEMU passes by PVH, and what a Multiboot loader passes, with one thing in it changed.
#include "memory.h"
#include "x86_64/bootinfo.h"

#define INFO    0x1000u
#define MODULES 0x2000u
#define MAP     0x3000u
#define CMDLINE 0x4000u
#define WORDS   "axvm.log=debug"
#define RSDP    0xf5a80u

typedef struct Entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
} Entry;

// A hole, and a reservation inside RAM.
static const Entry entries[] = {
    {0, 0x9fc00, 1},          {0x9fc00, 0x400, 2},      {0x100000, 0x1ff00000, 1},
    {0x1ffe0000, 0x20000, 2}, {0xfffc0000, 0x40000, 2}, {0x100000000, 0x80000000, 1},
};

static void put_pvh(void)
{
    memset(memory, 0, sizeof(memory));
    put(INFO, 0x336ec578, 4);
    put(INFO + 4, 1, 4);
    put(INFO + 12, 1, 4);
    put(INFO + 16, MODULES, 8);
    put(INFO + 24, CMDLINE, 8);
    put(INFO + 32, RSDP, 8);
    put(INFO + 40, MAP, 8);
    put(INFO + 48, COUNT(entries), 4);
    put(MODULES, 0x8000000, 8);
    put(MODULES + 8, 0x1234, 8);
    for (size_t i = 0; i < COUNT(entries); i++) {
        put(MAP + 24 * i, entries[i].addr, 8);
        put(MAP + 24 * i + 8, entries[i].size, 8);
        put(MAP + 24 * i + 16, entries[i].type, 4);
    }
    memcpy(memory + CMDLINE, WORDS, sizeof(WORDS));
}

static void put_multiboot(void)
{
    memset(memory, 0, sizeof(memory));
    put(INFO, 0x4c, 4);
    put(INFO + 16, CMDLINE, 4);
    put(INFO + 20, 1, 4);
    put(INFO + 24, MODULES, 4);
    put(INFO + 44, 24 * COUNT(entries), 4);
    put(INFO + 48, MAP, 4);
    put(MODULES, 0x8000000, 4);
    put(MODULES + 4, 0x8001234, 4);
    for (size_t i = 0; i < COUNT(entries); i++) {
        put(MAP + 24 * i, 20, 4);
        put(MAP + 24 * i + 4, entries[i].addr, 8);
        put(MAP + 24 * i + 12, entries[i].size, 8);
        put(MAP + 24 * i + 20, entries[i].type, 4);
    }
    memcpy(memory + CMDLINE, "axvm-demo.bin " WORDS, sizeof("axvm-demo.bin " WORDS));
}

static void (*const loaders[])(void) = {put_pvh, put_multiboot};

typedef struct Result {
    HostInfo info;
    uint64_t rsdp;
    const char *why;
} Result;

static bool read_at(Result *result, uint64_t addr)
{
    result->why = "?";
    return x86_64_bootinfo_read(&result->info, &result->rsdp, addr, memory_read, &result->why);
}

static Result must_read(void)
{
    Result result;

    assert_true(read_at(&result, INFO));
    assert_null(result.why);
    return result;
}

static void must_name(const char *thing)
{
    Result result;

    assert_false(read_at(&result, INFO));
    assert_names(result.why, thing);
}

static const char *words_of(const Result *result)
{
    return result->info.bootargs + strspn(result->info.bootargs, " ");
}

static bool has(const RangeList *list, uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].base == base && list->items[i].size == size) {
            return true;
        }
    }
    return false;
}

static void both_loaders_say_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(loaders); i++) {
        loaders[i]();
        const Result result = must_read();
        const RangeList *ram = &result.info.memory;

        assert_int_equal(ram->count, 3);
        assert_true(has(ram, 0, 0x9fc00));
        assert_true(has(ram, 0x100000, 0x1fee0000));
        assert_true(has(ram, 0x100000000, 0x80000000));
        assert_int_equal(result.info.initrd.base, 0x8000000);
        assert_int_equal(result.info.initrd.size, 0x1234);
        assert_string_equal(words_of(&result), WORDS);
        assert_int_equal(result.rsdp, i == 0 ? RSDP : 0);
        assert_true(ranges_contain(&result.info.reserved, (Range){.base = 0, .size = 0x100000}));
    }
}

static void words_without_an_image_name_are_kept(void **state)
{
    (void)state;
    put_multiboot();
    memcpy(memory + CMDLINE, WORDS, sizeof(WORDS));
    const Result result = must_read();

    assert_string_equal(result.info.bootargs, WORDS);
}

static void modules_and_words_may_be_missing(void **state)
{
    Result result;

    (void)state;
    put_pvh();
    put(INFO + 12, 0, 4);
    put(INFO + 24, 0, 8);
    result = must_read();
    assert_int_equal(result.info.initrd.size, 0);
    assert_string_equal(result.info.bootargs, "");
    put_multiboot();
    put(INFO, 0x40, 4);
    result = must_read();
    assert_int_equal(result.info.initrd.size, 0);
    assert_string_equal(result.info.bootargs, "");
}

// A field, what is put there, and what the sentence names.
typedef struct Damage {
    uint64_t addr;
    uint64_t value;
    size_t size;
    const char *named;
} Damage;

static const Damage pvh_damages[] = {
    {INFO + 4, 0, 4, "memory map"},
    {INFO + 40, 0, 8, "memory map"},
    {INFO + 40, UINT64_MAX - 8, 8, "memory map"},
    {INFO + 40, MEMORY_SIZE - 24, 8, "memory map"},
    {INFO + 48, UINT32_MAX, 4, "memory map"},
    {INFO + 48, 0, 4, "no RAM"},
    {MAP + 8, UINT64_MAX, 8, "no RAM"},
    {MAP + 16 + 48, 0, 8, "module"},
    {INFO + 24, MEMORY_SIZE, 8, "command line"},
    {INFO + 24, UINT64_MAX, 8, "command line"},
    {INFO + 16, MEMORY_SIZE - 4, 8, "list of modules"},
    {INFO + 16, 0, 8, "list of modules"},
    {MODULES, 0x1ffdf000, 8, "module"},
    {MODULES, UINT64_MAX, 8, "module"},
    {MODULES + 8, 0, 8, "module"},
    {MODULES + 8, UINT64_MAX, 8, "module"},
};

static const Damage multiboot_damages[] = {
    {INFO, 0x0c, 4, "memory map"},
    {INFO + 44, 23, 4, "memory map"},
    {INFO + 44, UINT32_MAX, 4, "memory map"},
    {INFO + 44, 0, 4, "no RAM"},
    {INFO + 48, MEMORY_SIZE - 30, 4, "memory map"},
    {MAP, 0, 4, "memory map"},
    {MAP, 19, 4, "memory map"},
    {MAP + 24, 21, 4, "memory map"},
    {INFO + 24, MEMORY_SIZE - 8, 4, "list of modules"},
    {MODULES + 4, 0x7ffffff, 4, "list of modules"},
    {MODULES + 4, 0x8000000, 4, "module"},
};

static void check_damages(void (*load)(void), const Damage *damages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        load();
        if (damages[i].size == 8 && damages[i].addr == MAP + 8) {
            // The first entry swallows all memory, as something that is not RAM.
            put(MAP, 1, 8);
            put(MAP + 16, 2, 4);
        }
        put(damages[i].addr, damages[i].value, damages[i].size);
        if (damages[i].addr == MAP + 16 + 48) {
            put(MAP + 16 + 48, 2, 4); // the RAM that the module lies in
        }
        must_name(damages[i].named);
    }
}

static void damage_is_named(void **state)
{
    (void)state;
    check_damages(put_pvh, pvh_damages, COUNT(pvh_damages));
    check_damages(put_multiboot, multiboot_damages, COUNT(multiboot_damages));
}

static void words_that_are_too_many_are_refused(void **state)
{
    (void)state;
    put_pvh();
    memset(memory + CMDLINE, 'x', HOST_BOOTARGS_SIZE);
    must_name("511");
    memory[CMDLINE + HOST_BOOTARGS_SIZE - 1] = '\0';
    assert_int_equal(strlen(must_read().info.bootargs), HOST_BOOTARGS_SIZE - 1);
}

static void an_address_of_nothing_is_refused(void **state)
{
    static const uint64_t addresses[] = {0, MEMORY_SIZE - 3, MEMORY_SIZE, UINT64_MAX - 3,
                                         UINT64_MAX};
    Result result;

    (void)state;
    put_pvh();
    for (size_t i = 0; i < COUNT(addresses); i++) {
        assert_false(read_at(&result, addresses[i]));
        assert_names(result.why, "cannot be read");
    }
}

// Whatever comes: no access outside what was read, and the sentence or memory.
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 2000; i++) {
        Result result;

        loaders[i % COUNT(loaders)]();
        for (unsigned j = 0; j < 4; j++) {
            const uint64_t areas[] = {INFO, MODULES, MAP};

            put(areas[(size_t)rand() % COUNT(areas)] + (uint64_t)rand() % 64, (uint64_t)rand(), 1);
        }
        if (read_at(&result, INFO)) {
            assert_true(result.info.memory.count > 0);
        } else {
            assert_non_null(result.why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_loaders_say_the_same),
        cmocka_unit_test(words_without_an_image_name_are_kept),
        cmocka_unit_test(modules_and_words_may_be_missing),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(words_that_are_too_many_are_refused),
        cmocka_unit_test(an_address_of_nothing_is_refused),
        cmocka_unit_test(random_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
