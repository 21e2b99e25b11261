// SPDX-License-Identifier: Apache-2.0
/*
 * Bundles (docs/bundle.md). Nothing in one is trusted: the tree is checked as a whole by libfdt
 * first, then every property for its length, every number for its range.
 */
#include <axvm/config.h>

#include "why.h"

#include <libfdt.h>
#include <string.h>

#define BUNDLE_VERSION 1u

// Memory flags of axvisor's files, which a bundle carries as they are.
#define FLAG_RIGHTS   UINT32_C(0x07)
#define FLAG_USER     UINT32_C(0x08) // nested tables have no user bit
#define FLAG_DEVICE   UINT32_C(0x10)
#define FLAG_UNCACHED UINT32_C(0x20)
#define FLAG_ALL      (FLAG_RIGHTS | FLAG_USER | FLAG_DEVICE | FLAG_UNCACHED)

// One entry of memory-regions: gpa and size of 64 bits, flags and map_type of 32.
#define REGION_BYTES 24

_Static_assert(FLAG_RIGHTS == AX_MAP_RIGHTS, "the rights need no translation");

// ---- properties: each false when it is there but malformed, or missing where it may not be ----

static uint64_t tree_size(const AxBundle *bundle)
{
    const void *tree = bundle->data;

    return fdt_totalsize(tree);
}

typedef struct Node {
    const AxBundle *bundle;
    int offset;
} Node;

static uint32_t be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint64_t be64(const uint8_t *bytes)
{
    return (uint64_t)be32(bytes) << 32 | be32(bytes + 4);
}

// Bytes of a property and their number, or NULL and 0.
static const uint8_t *property(Node node, const char *name, size_t *size)
{
    int length = 0;
    const void *value = fdt_getprop(node.bundle->data, node.offset, name, &length);

    *size = value != NULL && length > 0 ? (size_t)length : 0;
    return value;
}

static bool read_u32(Node node, const char *name, uint32_t *out)
{
    size_t size;
    const uint8_t *value = property(node, name, &size);

    if (size != 4) {
        return false;
    }
    *out = be32(value);
    return true;
}

static bool read_u64(Node node, const char *name, uint64_t *out)
{
    size_t size;
    const uint8_t *value = property(node, name, &size);

    if (size != 8) {
        return false;
    }
    *out = be64(value);
    return true;
}

static bool read_address(Node node, const char *name, GuestPhysAddr *out)
{
    size_t size;

    return property(node, name, &size) == NULL || read_u64(node, name, &out->value);
}

// A text that fills its property: one 0, at the end.
static const char *text(Node node, const char *name, size_t *length)
{
    size_t size;
    const char *value = (const char *)property(node, name, &size);

    *length = 0;
    while (*length < size && value[*length] != '\0') {
        ++*length;
    }
    return size != 0 && *length == size - 1 ? value : NULL;
}

static bool read_text(Node node, const char *name, char *out, size_t room)
{
    size_t length;
    const char *value = text(node, name, &length);

    if (value == NULL || length >= room) {
        return false;
    }
    memcpy(out, value, length + 1);
    return true;
}

static bool is_text(Node node, const char *name, const char *wanted, size_t size)
{
    size_t length;
    const char *value = text(node, name, &length);

    return value != NULL && length + 1 == size && memcmp(value, wanted, size) == 0;
}

#define IS_TEXT(node, name, literal) is_text(node, name, literal, sizeof(literal))

// An image: offset and size in the bundle, behind the tree.
static bool read_blob(Node node, const char *name, AxBlob *out)
{
    const AxBundle *bundle = node.bundle;
    size_t length;
    const uint8_t *value = property(node, name, &length);

    if (length != 16) {
        return value == NULL;
    }

    const uint64_t offset = be64(value);
    const uint64_t size = be64(value + 8);

    if (size == 0 || offset < tree_size(bundle) || offset > bundle->size ||
        size > bundle->size - offset) {
        return false;
    }
    *out = (AxBlob){.data = bundle->data + offset, .size = size};
    return true;
}

// ---- the bundle ----

static bool has_prefix(const char *name, const char *prefix)
{
    while (*prefix != '\0' && *name == *prefix) {
        name++;
        prefix++;
    }
    return *prefix == '\0';
}

// The next child of `parent` behind `child` (or the first: -1) whose name begins so; < 0: none.
static int next_child(const AxBundle *bundle, int parent, int child, const char *prefix)
{
    do {
        child = child < 0 ? fdt_first_subnode(bundle->data, parent)
                          : fdt_next_subnode(bundle->data, child);
    } while (child >= 0 && !has_prefix(fdt_get_name(bundle->data, child, NULL), prefix));
    return child;
}

// libfdt checks everything but the alignment of the blocks, which it then relies on.
static bool tree_is_sound(const AxBundle *bundle)
{
    const void *tree = bundle->data;

    return bundle->size >= sizeof(struct fdt_header) && fdt_check_header(tree) == 0 &&
           fdt_off_dt_struct(tree) % 4 == 0 && fdt_off_mem_rsvmap(tree) % 8 == 0 &&
           tree_size(bundle) <= bundle->size && fdt_check_full(tree, tree_size(bundle)) == 0;
}

static AxError check_tree(const AxBundle *bundle, const char **why)
{
    if ((uintptr_t)bundle->data % 8 != 0) {
        return axvm_because(why, AX_EALIGN, "bundle: not at a multiple of 8 bytes");
    }
    return tree_is_sound(bundle)
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "bundle: does not begin with a sound device tree");
}

static AxError check_root(AxBundle *bundle, const char **why)
{
    const Node root = {bundle, 0};
    uint32_t version;
    uint64_t total;

    if (!IS_TEXT(root, "compatible", "axvm,bundle")) {
        return axvm_because(why, AX_EFORMAT, "bundle: the device tree is not one of a bundle");
    }
    if (!read_u32(root, "version", &version) || version != BUNDLE_VERSION) {
        return axvm_because(why, AX_EFORMAT, "bundle: made for another version");
    }
    if (!read_u64(root, "total-size", &total) || total > bundle->size ||
        total < tree_size(bundle)) {
        return axvm_because(why, AX_EFORMAT, "bundle: incomplete, total-size does not fit");
    }
    bundle->size = total;
    return AX_OK;
}

AxError axvm_bundle_open(AxBundle *bundle, const void *data, uint64_t size, const char **why)
{
    AxBundle found = {.data = data, .size = size};
    AxError error;

    if (bundle == NULL || data == NULL) {
        return axvm_because(why, AX_EINVAL, "bundle: none");
    }
    error = check_tree(&found, why);
    if (error == AX_OK) {
        error = check_root(&found, why);
    }
    if (error != AX_OK) {
        return error;
    }
    for (int vm = next_child(&found, 0, -1, "vm@"); vm >= 0;
         vm = next_child(&found, 0, vm, "vm@")) {
        found.vm_count++;
    }
    if (found.vm_count == 0) {
        return axvm_because(why, AX_EFORMAT, "bundle: describes no VM");
    }
    *bundle = found;
    return AX_OK;
}

// ---- one VM ----

static AxError read_base(Node vm, AxVMConfig *config, const char **why)
{
    if (!read_u32(vm, "vm-id", &config->id)) {
        return axvm_because(why, AX_EFORMAT, "bundle: vm-id is malformed");
    }
    if (!read_text(vm, "vm-name", config->name, sizeof(config->name))) {
        return axvm_because(why, AX_EFORMAT, "bundle: vm-name is malformed");
    }
    if (!read_u32(vm, "cpu-num", &config->cpu_num)) {
        return axvm_because(why, AX_EFORMAT, "bundle: cpu-num is malformed");
    }
    if (!read_text(vm, "cmdline", config->cmdline, sizeof(config->cmdline))) {
        return axvm_because(why, AX_EFORMAT, "bundle: cmdline is malformed");
    }
    return AX_OK;
}

static bool read_format(Node vm, AxImageFormat *format)
{
#define NAME(format, literal)            \
    {                                    \
        format, literal, sizeof(literal) \
    }
    static const struct {
        AxImageFormat format;
        const char *name;
        size_t size;
    } names[] = {
        NAME(AX_IMAGE_AUTO, "auto"),
        NAME(AX_IMAGE_RAW, "raw"),
        NAME(AX_IMAGE_LINUX_ARM64, "linux-arm64"),
        NAME(AX_IMAGE_LINUX_RISCV64, "linux-riscv64"),
        NAME(AX_IMAGE_BZIMAGE, "bzimage"),
        NAME(AX_IMAGE_MULTIBOOT, "multiboot"),
        NAME(AX_IMAGE_ELF, "elf"),
    };
#undef NAME

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_text(vm, "image-format", names[i].name, names[i].size)) {
            *format = names[i].format;
            return true;
        }
    }
    return false;
}

static AxError read_images(Node vm, AxVMConfig *config, const char **why)
{
    if (!read_format(vm, &config->image_format)) {
        return axvm_because(why, AX_EFORMAT, "bundle: image-format is not known");
    }
    if (!read_blob(vm, "kernel", &config->kernel)) {
        return axvm_because(why, AX_EFORMAT, "bundle: kernel is not inside the bundle");
    }
    if (!read_blob(vm, "ramdisk", &config->ramdisk)) {
        return axvm_because(why, AX_EFORMAT, "bundle: ramdisk is not inside the bundle");
    }
    if (!read_address(vm, "entry-point", &config->entry_point) ||
        !read_address(vm, "kernel-load-addr", &config->kernel_load_addr) ||
        !read_address(vm, "ramdisk-load-addr", &config->ramdisk_load_addr)) {
        return axvm_because(why, AX_EFORMAT, "bundle: a load address is malformed");
    }
    return AX_OK;
}

// The flags of axvisor's files in ours; bits that neither knows stay and fail the check.
static MappingFlags mapping_flags(uint32_t flags)
{
    const bool device = (flags & (FLAG_DEVICE | FLAG_UNCACHED)) != 0;

    return (flags & FLAG_RIGHTS) | (device ? AX_MAP_DEVICE : 0) | (flags & ~FLAG_ALL);
}

static AxError read_memory(Node vm, AxVMConfig *config, const char **why)
{
    size_t size;
    const uint8_t *value = property(vm, "memory-regions", &size);

    if (size % REGION_BYTES != 0 || size / REGION_BYTES > AX_VM_MEMORY_MAX) {
        return axvm_because(why, AX_EFORMAT, "bundle: memory-regions is malformed or too long");
    }
    config->memory_count = (uint32_t)(size / REGION_BYTES);
    for (uint32_t i = 0; i < config->memory_count; i++, value += REGION_BYTES) {
        config->memory[i] = (AxVMMemory){.base = ax_gpa(be64(value)),
                                         .size = be64(value + 8),
                                         .flags = mapping_flags(be32(value + 16)),
                                         .type = (AxMapType)be32(value + 20)};
    }
    return AX_OK;
}

static bool read_config_words(Node node, AxVMDevice *device)
{
    size_t size;
    const uint8_t *value = property(node, "config", &size);

    if (size % 4 != 0 || size / 4 > AX_VM_DEVICE_CONFIG) {
        return false;
    }
    device->config_count = (uint32_t)(size / 4);
    for (uint32_t i = 0; i < device->config_count; i++) {
        device->config[i] = be32(value + 4 * (size_t)i);
    }
    return true;
}

static bool read_device(Node node, AxVMConfig *config)
{
    AxVMDevice *device = &config->devices[config->device_count++];

    return read_text(node, "device-name", device->name, sizeof(device->name)) &&
           read_u64(node, "base", &device->base) && read_u64(node, "length", &device->length) &&
           read_u32(node, "irq", &device->irq) && read_u32(node, "type", &device->type) &&
           read_config_words(node, device);
}

static bool read_passthrough(Node node, AxVMConfig *config)
{
    AxVMPassthrough *device = &config->passthrough[config->passthrough_count++];

    return read_text(node, "device-name", device->name, sizeof(device->name)) &&
           read_u64(node, "gpa", &device->gpa.value) && read_u64(node, "hpa", &device->hpa.value) &&
           read_u64(node, "length", &device->length) && read_u32(node, "irq", &device->irq);
}

static AxError read_devices(Node vm, AxVMConfig *config, const char **why)
{
    const AxBundle *bundle = vm.bundle;

    for (int child = next_child(bundle, vm.offset, -1, "device@"); child >= 0;
         child = next_child(bundle, vm.offset, child, "device@")) {
        if (config->device_count == AX_VM_DEVICES_MAX ||
            !read_device((Node){bundle, child}, config)) {
            return axvm_because(why, AX_EFORMAT,
                                "bundle: an emulated device is malformed, or too many");
        }
    }
    for (int child = next_child(bundle, vm.offset, -1, "passthrough@"); child >= 0;
         child = next_child(bundle, vm.offset, child, "passthrough@")) {
        if (config->passthrough_count == AX_VM_DEVICES_MAX ||
            !read_passthrough((Node){bundle, child}, config)) {
            return axvm_because(why, AX_EFORMAT,
                                "bundle: a passed device is malformed, or too many");
        }
    }
    return AX_OK;
}

AxError axvm_bundle_vm(const AxBundle *bundle, uint32_t index, AxVMConfig *config, const char **why)
{
    static AxError (*const parts[])(Node, AxVMConfig *, const char **) = {
        read_base,
        read_images,
        read_memory,
        read_devices,
    };
    Node vm = {bundle, -1};

    if (index >= bundle->vm_count) {
        return axvm_because(why, AX_ERANGE, "bundle: has no VM of this number");
    }
    for (uint32_t i = 0; i <= index; i++) {
        vm.offset = next_child(bundle, 0, vm.offset, "vm@");
    }
    axvm_config_init(config, index);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const AxError error = parts[i](vm, config, why);

        if (error != AX_OK) {
            return error;
        }
    }
    return axvm_config_check(config, why);
}
