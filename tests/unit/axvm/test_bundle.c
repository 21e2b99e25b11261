// SPDX-License-Identifier: Apache-2.0
/* Bundles as tools/mkbundle.py makes them, and each way in which one can be broken. */
#include "test.h"

#include <axvm/config.h>
#include <libfdt.h>
#include <stdio.h>

#define ROOM        8192u
#define KERNEL_AT   0x2000u
#define KERNEL_SIZE 0x1800u
#define RAMDISK_AT  0x3800u
#define TOTAL       0x4000u

static _Alignas(8) uint8_t blob[TOTAL + 64];

// ---- making bundles ----

typedef struct Recipe {
    const char *skip;   // property left out
    const char *change; // property with other content:
    const void *value;
    int size;
    uint32_t extra_devices;
    uint32_t extra_passed;
} Recipe;

static const Recipe *recipe;

static void put(const char *name, const void *value, int size)
{
    if (recipe->skip != NULL && strcmp(recipe->skip, name) == 0) {
        return;
    }
    if (recipe->change != NULL && strcmp(recipe->change, name) == 0) {
        value = recipe->value;
        size = recipe->size;
    }
    assert_int_equal(fdt_property(blob, name, value, size), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, (int)strlen(text) + 1);
}

static void put_u32s(const char *name, const uint32_t *values, int count)
{
    fdt32_t big[64];

    for (int i = 0; i < count; i++) {
        big[i] = cpu_to_fdt32(values[i]);
    }
    put(name, big, count * 4);
}

static void put_u32(const char *name, uint32_t value)
{
    put_u32s(name, &value, 1);
}

static void put_u64s(const char *name, const uint64_t *values, int count)
{
    fdt64_t big[16];

    for (int i = 0; i < count; i++) {
        big[i] = cpu_to_fdt64(values[i]);
    }
    put(name, big, count * 8);
}

static void put_u64(const char *name, uint64_t value)
{
    put_u64s(name, &value, 1);
}

static void begin(const char *name)
{
    assert_int_equal(fdt_begin_node(blob, name), 0);
}

static void end(void)
{
    assert_int_equal(fdt_end_node(blob), 0);
}

static void make_device(uint32_t number)
{
    static const uint32_t words[] = {0, 0x080a0000};
    char name[32];

    snprintf(name, sizeof(name), "device@%u", number);
    begin(name);
    snprintf(name, sizeof(name), "dev%u", number);
    put_text("device-name", name);
    put_u64("base", 0x08000000 + number * UINT64_C(0x10000));
    put_u64("length", 0x10000);
    put_u32("irq", 33 + number);
    put_u32("type", 1);
    put_u32s("config", words, 2);
    end();
}

static void make_passed(uint32_t number)
{
    char name[32];

    snprintf(name, sizeof(name), "passthrough@%u", number);
    begin(name);
    snprintf(name, sizeof(name), "passed%u", number);
    put_text("device-name", name);
    put_u64("gpa", 0x0b000000 + number * UINT64_C(0x1000));
    put_u64("hpa", 0x0c000000 + number * UINT64_C(0x1000));
    put_u64("length", 0x1000);
    put_u32("irq", 60 + number);
    end();
}

static void make_vm(uint32_t index)
{
    // [gpa, size, flags, map_type] each: plain RAM, and a device with the flag for users
    static const uint32_t regions[] = {0, 0x40000000, 0, 0x4000000, 0x7,  0,
                                       0, 0x0a000000, 0, 0x1000,    0x1b, 2};
    char name[32];

    snprintf(name, sizeof(name), "vm@%u", index);
    begin(name);
    put_text("vm-name", index == 0 ? "first" : "second");
    put_u32("vm-id", 10 + index);
    put_u32("cpu-num", 2);
    put_text("image-format", "linux-arm64");
    put_text("cmdline", "console=ttyAMA0 quiet");
    put_u64s("kernel", (const uint64_t[]){KERNEL_AT, KERNEL_SIZE}, 2);
    put_u64s("ramdisk", (const uint64_t[]){RAMDISK_AT, TOTAL - RAMDISK_AT}, 2);
    put_u64("entry-point", 0x40200004);
    put_u64("kernel-load-addr", 0x40200000);
    put_u64("ramdisk-load-addr", 0x42000000);
    put_u32s("memory-regions", regions, COUNT_OF(regions));
    for (uint32_t i = 0; i < 1 + recipe->extra_devices; i++) {
        make_device(i);
    }
    for (uint32_t i = 0; i < 1 + recipe->extra_passed; i++) {
        make_passed(i);
    }
    end();
}

static void make(const Recipe *wanted, uint32_t vms)
{
    recipe = wanted;
    memset(blob, 0x5a, sizeof(blob));
    assert_int_equal(fdt_create(blob, ROOM), 0);
    assert_int_equal(fdt_finish_reservemap(blob), 0);
    begin("");
    put_u32("#address-cells", 2);
    put_u32("#size-cells", 2);
    put_text("compatible", "axvm,bundle");
    put_u32("version", 1);
    put_u64("total-size", TOTAL);
    for (uint32_t i = 0; i < vms; i++) {
        make_vm(i);
    }
    end();
    assert_int_equal(fdt_finish(blob), 0);
}

static const Recipe plain = {0};

static AxBundle bundle;
static AxVMConfig config;
static const char *why;

static AxError open_sized(uint64_t size)
{
    why = NULL;
    return axvm_bundle_open(&bundle, blob, size, &why);
}

static AxError read_vm(uint32_t index)
{
    why = NULL;
    return axvm_bundle_vm(&bundle, index, &config, &why);
}

// ---- whole ones ----

static void a_description_comes_out_as_it_went_in(void **state)
{
    (void)state;
    make(&plain, 2);
    assert_error(open_sized(sizeof(blob)), AX_OK);
    assert_int_equal(bundle.vm_count, 2);
    assert_int_equal(bundle.size, TOTAL);
    assert_error(read_vm(1), AX_OK);
    assert_int_equal(config.id, 11);
    assert_string_equal(config.name, "second");
    assert_int_equal(config.cpu_num, 2);
    assert_int_equal(config.image_format, AX_IMAGE_LINUX_ARM64);
    assert_string_equal(config.cmdline, "console=ttyAMA0 quiet");
    assert_ptr_equal(config.kernel.data, blob + KERNEL_AT);
    assert_int_equal(config.kernel.size, KERNEL_SIZE);
    assert_ptr_equal(config.ramdisk.data, blob + RAMDISK_AT);
    assert_int_equal(config.ramdisk.size, TOTAL - RAMDISK_AT);
    assert_int_equal(config.entry_point.value, 0x40200004);
    assert_int_equal(config.kernel_load_addr.value, 0x40200000);
    assert_int_equal(config.ramdisk_load_addr.value, 0x42000000);
    assert_error(read_vm(0), AX_OK);
    assert_string_equal(config.name, "first");
    assert_error(read_vm(2), AX_ERANGE);
}

static void flags_of_memory_are_translated(void **state)
{
    (void)state;
    make(&plain, 1);
    assert_error(open_sized(TOTAL), AX_OK);
    assert_error(read_vm(0), AX_OK);
    assert_int_equal(config.memory_count, 2);
    assert_int_equal(config.memory[0].base.value, 0x40000000);
    assert_int_equal(config.memory[0].size, 0x4000000);
    assert_int_equal(config.memory[0].flags, AX_MAP_RIGHTS);
    assert_int_equal(config.memory[0].type, AX_MAP_TYPE_ALLOC);
    assert_int_equal(config.memory[1].flags, AX_MAP_READ | AX_MAP_WRITE | AX_MAP_DEVICE);
    assert_int_equal(config.memory[1].type, AX_MAP_TYPE_RESERVED);
}

static void devices_are_read_in_order(void **state)
{
    static const Recipe three = {.extra_devices = 2, .extra_passed = 1};

    (void)state;
    make(&three, 1);
    assert_error(open_sized(TOTAL), AX_OK);
    assert_error(read_vm(0), AX_OK);
    assert_int_equal(config.device_count, 3);
    assert_string_equal(config.devices[2].name, "dev2");
    assert_int_equal(config.devices[2].base, 0x08020000);
    assert_int_equal(config.devices[2].length, 0x10000);
    assert_int_equal(config.devices[2].irq, 35);
    assert_int_equal(config.devices[2].type, 1);
    assert_int_equal(config.devices[2].config_count, 2);
    assert_int_equal(config.devices[2].config[1], 0x080a0000);
    assert_int_equal(config.passthrough_count, 2);
    assert_string_equal(config.passthrough[1].name, "passed1");
    assert_int_equal(config.passthrough[1].gpa.value, 0x0b001000);
    assert_int_equal(config.passthrough[1].hpa.value, 0x0c001000);
    assert_int_equal(config.passthrough[1].length, 0x1000);
    assert_int_equal(config.passthrough[1].irq, 61);
}

static void what_may_be_missing_has_defaults(void **state)
{
    static const char *const optional[] = {"ramdisk",           "entry-point", "kernel-load-addr",
                                           "ramdisk-load-addr", "config",      "memory-regions"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(optional); i++) {
        const Recipe without = {.skip = optional[i]};

        make(&without, 1);
        assert_error(open_sized(TOTAL), AX_OK);
        assert_error(read_vm(0), AX_OK);
    }
    assert_int_equal(config.memory_count, 0);
    make(&(Recipe){.skip = "entry-point"}, 1);
    assert_error(open_sized(TOTAL), AX_OK);
    assert_error(read_vm(0), AX_OK);
    assert_int_equal(config.entry_point.value, AX_ADDR_AUTO.value);
}

static void every_image_format_has_a_name(void **state)
{
    static const struct {
        const char *name;
        AxImageFormat format;
    } cases[] = {{"auto", AX_IMAGE_AUTO},
                 {"raw", AX_IMAGE_RAW},
                 {"linux-arm64", AX_IMAGE_LINUX_ARM64},
                 {"linux-riscv64", AX_IMAGE_LINUX_RISCV64},
                 {"bzimage", AX_IMAGE_BZIMAGE},
                 {"multiboot", AX_IMAGE_MULTIBOOT},
                 {"elf", AX_IMAGE_ELF}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const Recipe changed = {.change = "image-format",
                                .value = cases[i].name,
                                .size = (int)strlen(cases[i].name) + 1};

        make(&changed, 1);
        assert_error(open_sized(TOTAL), AX_OK);
        assert_error(read_vm(0), AX_OK);
        assert_int_equal(config.image_format, cases[i].format);
    }
}

// ---- broken ones ----

static void something_else_is_no_bundle(void **state)
{
    (void)state;
    make(&plain, 1);
    assert_error(axvm_bundle_open(&bundle, NULL, 8, &why), AX_EINVAL);
    assert_error(axvm_bundle_open(NULL, blob, 8, &why), AX_EINVAL);
    assert_error(axvm_bundle_open(&bundle, blob + 4, TOTAL, &why), AX_EALIGN);
    blob[0] ^= 1;
    assert_error(open_sized(TOTAL), AX_EFORMAT);
    assert_non_null(strstr(why, "device tree"));
    make(&plain, 0);
    assert_error(open_sized(TOTAL), AX_EFORMAT);
    assert_non_null(strstr(why, "no VM"));
}

static void no_cut_bundle_is_opened(void **state)
{
    (void)state;
    make(&plain, 1);
    for (uint64_t size = 0; size < TOTAL; size += size < 2048 ? 1 : 97) {
        // Bytes behind the end must not matter: the sanitizer sees a read of them.
        uint8_t *copy = aligned_alloc(8, (size + 7) / 8 * 8 + 8);

        memcpy(copy, blob, size);
        assert_error(axvm_bundle_open(&bundle, copy, size, &why), AX_EFORMAT);
        free(copy);
    }
    assert_error(open_sized(TOTAL), AX_OK);
}

static void roots_of_others_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        int size;
        const char *word;
    } cases[] = {
        {"compatible", "axvm,bundl", 11, "not one of a bundle"},
        {"compatible", "axvm,bundle\0x", 14, "not one of a bundle"},
        {"compatible", "axvm,bundlex", 12, "not one of a bundle"},
        {"compatible", "", 0, "not one of a bundle"},
        {"version", "\0\0\0\2", 4, "version"},
        {"version", "\0\0\0\1", 3, "version"},
        {"total-size", "\0\0\0\0\0\1\0\0", 8, "total-size"},
        {"total-size", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "total-size"},
        {"total-size", "\0\0\0\0\0\0\0\x28", 8, "total-size"},
        {"total-size", "\0\0\x40\0", 4, "total-size"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const Recipe changed = {
            .change = cases[i].name, .value = cases[i].value, .size = cases[i].size};
        const Recipe without = {.skip = cases[i].name};

        make(&changed, 1);
        assert_error(open_sized(sizeof(blob)), AX_EFORMAT);
        assert_non_null(strstr(why, cases[i].word));
        make(&without, 1);
        assert_error(open_sized(sizeof(blob)), AX_EFORMAT);
    }
}

static void needed_properties_are_missed(void **state)
{
    static const char *const needed[] = {"vm-id",        "vm-name",     "cpu-num", "cmdline",
                                         "image-format", "device-name", "base",    "length",
                                         "irq",          "type",        "gpa",     "hpa"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        const Recipe without = {.skip = needed[i]};

        make(&without, 1);
        assert_error(open_sized(TOTAL), AX_OK);
        assert_error(read_vm(0), AX_EFORMAT);
        assert_non_null(why);
    }
    // Neither kernel nor entry point is a mistake of the description, not of the bundle.
    make(&(Recipe){.skip = "kernel", .change = "image-format", .value = "raw", .size = 4}, 1);
    assert_error(open_sized(TOTAL), AX_OK);
    assert_error(read_vm(0), AX_OK);
}

static void every_property_has_its_length(void **state)
{
    static const struct {
        const char *name;
        int size; // the right one; 0 = text
    } cases[] = {
        {"vm-id", 4},
        {"vm-name", 0},
        {"cpu-num", 4},
        {"cmdline", 0},
        {"image-format", 0},
        {"kernel", 16},
        {"ramdisk", 16},
        {"entry-point", 8},
        {"kernel-load-addr", 8},
        {"ramdisk-load-addr", 8},
        {"memory-regions", 24},
        {"device-name", 0},
        {"base", 8},
        {"length", 8},
        {"irq", 4},
        {"type", 4},
        {"config", 4},
        {"gpa", 8},
        {"hpa", 8},
    };
    static const char bytes[256] = "x";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int size = 1; size < 64; size++) {
            const Recipe changed = {.change = cases[i].name, .value = bytes, .size = size};
            const bool list = strcmp(cases[i].name, "config") == 0 ||
                              strcmp(cases[i].name, "memory-regions") == 0;

            if (size == cases[i].size || (list && size % cases[i].size == 0) ||
                (cases[i].size == 0 && size == 2)) {
                continue;
            }
            make(&changed, 1);
            assert_error(open_sized(TOTAL), AX_OK);
            assert_error(read_vm(0), AX_EFORMAT);
        }
    }
}

static void images_stay_inside_the_bundle(void **state)
{
    static const struct {
        uint64_t offset;
        uint64_t size;
        bool good;
    } cases[] = {
        {KERNEL_AT, TOTAL - KERNEL_AT, true},
        {TOTAL - 1, 1, true},
        {KERNEL_AT, TOTAL - KERNEL_AT + 1, false},
        {TOTAL, 1, false},
        {TOTAL + 1, 1, false},
        {0, 16, false},
        {16, 16, false},
        {KERNEL_AT, 0, false},
        {KERNEL_AT, UINT64_MAX, false},
        {UINT64_MAX, 2, false},
        {UINT64_MAX, UINT64_MAX, false},
    };
    static const char *const names[] = {"kernel", "ramdisk"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) * COUNT_OF(names); i++) {
        const char *name = names[i % COUNT_OF(names)];
        const bool good = cases[i / COUNT_OF(names)].good;
        const fdt64_t value[] = {cpu_to_fdt64(cases[i / COUNT_OF(names)].offset),
                                 cpu_to_fdt64(cases[i / COUNT_OF(names)].size)};
        const Recipe changed = {.change = name, .value = value, .size = sizeof(value)};

        make(&changed, 1);
        assert_error(open_sized(sizeof(blob)), AX_OK);
        assert_error(read_vm(0), good ? AX_OK : AX_EFORMAT);
        assert_int_equal(why == NULL, good);
        assert_true(good || strstr(why, name) != NULL);
    }
}

static void too_long_lists_are_refused(void **state)
{
    static const uint8_t regions[24 * (AX_VM_MEMORY_MAX + 1)];
    static const uint8_t words[4 * (AX_VM_DEVICE_CONFIG + 1)];
    char text[AX_VM_CMDLINE_SIZE + 1];
    const Recipe cases[] = {
        {.change = "memory-regions", .value = regions, .size = sizeof(regions)},
        {.change = "config", .value = words, .size = sizeof(words)},
        {.change = "cmdline", .value = text, .size = sizeof(text)},
        {.change = "vm-name", .value = text, .size = AX_VM_NAME_SIZE + 1},
        {.extra_devices = AX_VM_DEVICES_MAX},
        {.extra_passed = AX_VM_DEVICES_MAX},
    };

    (void)state;
    memset(text, 'a', sizeof(text));
    text[AX_VM_NAME_SIZE] = '\0';
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (i == 2) {
            memset(text, 'a', sizeof(text));
            text[sizeof(text) - 1] = '\0';
        }
        if (i == 3) {
            text[AX_VM_NAME_SIZE] = '\0';
        }
        make(&cases[i], 1);
        assert_error(open_sized(TOTAL), AX_OK);
        assert_error(read_vm(0), AX_EFORMAT);
    }
}

static void descriptions_are_checked_like_any_other(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        int size;
        AxError error;
    } cases[] = {
        {"cpu-num", "\0\0\0\0", 4, AX_ERANGE},
        {"cpu-num", "\0\0\0\x9", 4, AX_ERANGE},
        {"vm-name", "a/b", 4, AX_EINVAL},
        {"vm-name", "", 1, AX_EINVAL},
        {"type", "\0\0\0\x3", 4, AX_ENOTSUP},
        {"base", "\0\0\0\0\x40\0\0\0", 8, AX_EOVERLAP},
        // flags that neither side knows, and a map_type beyond the last
        {"memory-regions", "\0\0\0\0\x40\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\x47\0\0\0", 24, AX_EINVAL},
        {"memory-regions", "\0\0\0\0\x40\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\x7\0\0\0\3", 24, AX_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const Recipe changed = {
            .change = cases[i].name, .value = cases[i].value, .size = cases[i].size};

        make(&changed, 1);
        assert_error(open_sized(TOTAL), AX_OK);
        assert_error(read_vm(0), cases[i].error);
        assert_non_null(why);
    }
}

// Any byte of the tree may have any value: the parser must get to an answer without a bad access.
static void damaged_trees_do_no_harm(void **state)
{
    Random random = {3};
    uint32_t refused = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        make(&plain, 2);

        const uint32_t size = fdt_totalsize(blob);

        for (uint32_t j = 0; j < 1 + i % 4; j++) {
            blob[random_below(&random, size)] = (uint8_t)random_next(&random);
        }
        if (open_sized(TOTAL) != AX_OK) {
            refused++;
            continue;
        }
        for (uint32_t vm = 0; vm < bundle.vm_count; vm++) {
            if (read_vm(vm) == AX_OK) {
                assert_true(config.kernel.size <= TOTAL);
                assert_error(axvm_config_check(&config, NULL), AX_OK);
            }
        }
    }
    assert_in_range(refused, 1000, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_comes_out_as_it_went_in),
        cmocka_unit_test(flags_of_memory_are_translated),
        cmocka_unit_test(devices_are_read_in_order),
        cmocka_unit_test(what_may_be_missing_has_defaults),
        cmocka_unit_test(every_image_format_has_a_name),
        cmocka_unit_test(something_else_is_no_bundle),
        cmocka_unit_test(no_cut_bundle_is_opened),
        cmocka_unit_test(roots_of_others_are_refused),
        cmocka_unit_test(needed_properties_are_missed),
        cmocka_unit_test(every_property_has_its_length),
        cmocka_unit_test(images_stay_inside_the_bundle),
        cmocka_unit_test(too_long_lists_are_refused),
        cmocka_unit_test(descriptions_are_checked_like_any_other),
        cmocka_unit_test(damaged_trees_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
