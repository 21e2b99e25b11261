// SPDX-License-Identifier: Apache-2.0
/*
 * Bundles from anywhere: opened, read, and every description taken as far as its boot layout. Input
 * whose first byte is even is a bundle; else it is a list of changes to a good one: offset (16 bits)
 * and new byte each.
 */
#include <axvm/config.h>
#include <axvm/image.h>
#include <libfdt.h>

#include <stdlib.h>
#include <string.h>

#define GOOD_SIZE 0x2000u
#define KERNEL_AT 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void put(void *fdt, const char *name, const void *value, int size)
{
    require(fdt_property(fdt, name, value, size) == 0);
}

#define PUT_TEXT(fdt, name, text) put(fdt, name, text, (int)sizeof(text))

static void put_u64s(void *fdt, const char *name, uint64_t one, uint64_t two, int count)
{
    const fdt64_t values[] = {cpu_to_fdt64(one), cpu_to_fdt64(two)};

    put(fdt, name, values, 8 * count);
}

static void put_device(void *fdt)
{
    const fdt32_t words[] = {0, cpu_to_fdt32(0x080a0000)};

    require(fdt_begin_node(fdt, "device@0") == 0);
    PUT_TEXT(fdt, "device-name", "gic");
    put_u64s(fdt, "base", 0x08000000, 0, 1);
    put_u64s(fdt, "length", 0x10000, 0, 1);
    require(fdt_property_u32(fdt, "irq", 0) == 0 && fdt_property_u32(fdt, "type", 1) == 0);
    put(fdt, "config", words, sizeof(words));
    require(fdt_end_node(fdt) == 0 && fdt_begin_node(fdt, "passthrough@0") == 0);
    PUT_TEXT(fdt, "device-name", "rtc");
    put_u64s(fdt, "gpa", 0x09010000, 0, 1);
    put_u64s(fdt, "hpa", 0x09010000, 0, 1);
    put_u64s(fdt, "length", 0x1000, 0, 1);
    require(fdt_property_u32(fdt, "irq", 34) == 0 && fdt_end_node(fdt) == 0);
}

static void put_vm(void *fdt)
{
    const fdt64_t region[] = {cpu_to_fdt64(0x40000000), cpu_to_fdt64(0x4000000),
                              cpu_to_fdt64(UINT64_C(0x700000000))};

    require(fdt_begin_node(fdt, "vm@0") == 0);
    PUT_TEXT(fdt, "vm-name", "fuzz");
    require(fdt_property_u32(fdt, "vm-id", 1) == 0 && fdt_property_u32(fdt, "cpu-num", 1) == 0);
    PUT_TEXT(fdt, "image-format", "auto");
    PUT_TEXT(fdt, "cmdline", "quiet");
    put_u64s(fdt, "kernel", KERNEL_AT, 0x800, 2);
    put_u64s(fdt, "ramdisk", KERNEL_AT + 0x800, 0x800, 2);
    put_u64s(fdt, "entry-point", 0x40200000, 0, 1);
    put_u64s(fdt, "kernel-load-addr", 0x40200000, 0, 1);
    put_u64s(fdt, "ramdisk-load-addr", 0x42000000, 0, 1);
    put(fdt, "memory-regions", region, sizeof(region));
    put_device(fdt);
    require(fdt_end_node(fdt) == 0);
}

static void make_good(uint8_t *bundle)
{
    memset(bundle, 0, GOOD_SIZE);
    require(fdt_create(bundle, KERNEL_AT) == 0 && fdt_finish_reservemap(bundle) == 0);
    require(fdt_begin_node(bundle, "") == 0);
    PUT_TEXT(bundle, "compatible", "axvm,bundle");
    require(fdt_property_u32(bundle, "version", 1) == 0);
    put_u64s(bundle, "total-size", GOOD_SIZE, 0, 1);
    put_vm(bundle);
    require(fdt_end_node(bundle) == 0 && fdt_finish(bundle) == 0);
}

static uint8_t *make_changed(const uint8_t *changes, size_t size)
{
    uint8_t *bundle = aligned_alloc(8, GOOD_SIZE);

    require(bundle != NULL);
    make_good(bundle);
    for (; size >= 3; changes += 3, size -= 3) {
        bundle[(changes[0] + 256u * changes[1]) % GOOD_SIZE] = changes[2];
    }
    return bundle;
}

// Of exactly this size, aligned as a boot loader does it: reads behind it are seen.
static uint8_t *make_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = aligned_alloc(8, (size + 7) / 8 * 8 + 8);

    require(copy != NULL);
    memcpy(copy, data, size);
    return copy;
}

static void require_inside(const AxBlob *blob, const uint8_t *bundle, uint64_t size)
{
    require(blob->size == 0 || (blob->data >= bundle && blob->size <= size &&
                                (uint64_t)(blob->data - bundle) <= size - blob->size));
}

static void try_vm(const AxBundle *bundle, uint32_t index)
{
    static AxVMConfig config;
    AxImageInfo info = {.load_align = 1};
    AxBootLayout layout;
    const char *why = NULL;

    if (axvm_bundle_vm(bundle, index, &config, &why) != AX_OK) {
        require(why != NULL);
        return;
    }
    require_inside(&config.kernel, bundle->data, bundle->size);
    require_inside(&config.ramdisk, bundle->data, bundle->size);
    if (config.kernel.size != 0 && axvm_image_probe(axvm_image_all, config.image_format,
                                                    &config.kernel, &info, &why) != AX_OK) {
        return;
    }
    require(axvm_boot_layout(&config, &info, &layout, &why) == AX_OK || why != NULL);
}

static void try_bundle(const uint8_t *data, size_t size)
{
    AxBundle bundle;
    const char *why = NULL;

    if (axvm_bundle_open(&bundle, data, size, &why) != AX_OK) {
        require(why != NULL);
        return;
    }
    for (uint32_t i = 0; i < bundle.vm_count; i++) {
        try_vm(&bundle, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bool changes = size > 0 && data[0] % 2 != 0;
    uint8_t *bundle = changes ? make_changed(data + 1, size - 1) : make_copy(data, size);

    try_bundle(bundle, changes ? GOOD_SIZE : size);
    free(bundle);
    return 0;
}
