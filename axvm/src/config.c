// SPDX-License-Identifier: Apache-2.0
#include <axvm/config.h>

#include "span.h"
#include "why.h"

#include <string.h>

// As tools/mkbundle.py: nothing a VM names lies beyond the widest address of any backend.
#define ADDRESS_LIMIT (UINT64_C(1) << 48)

#define WINDOWS_MAX (AX_VM_MEMORY_MAX + 2u * AX_VM_DEVICES_MAX)

// ---- making ----

static void write_default_name(char *name, AxVMId id)
{
    char digits[10];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + id % 10);
        id /= 10;
    } while (id != 0);
    *name++ = 'v';
    *name++ = 'm';
    while (count > 0) {
        *name++ = digits[--count];
    }
    *name = '\0';
}

void axvm_config_init(AxVMConfig *config, AxVMId id)
{
    memset(config, 0, sizeof(*config));
    config->id = id;
    config->cpu_num = 1;
    config->image_format = AX_IMAGE_AUTO;
    config->entry_point = AX_ADDR_AUTO;
    config->kernel_load_addr = AX_ADDR_AUTO;
    config->ramdisk_load_addr = AX_ADDR_AUTO;
    write_default_name(config->name, id);
}

// ---- texts ----

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

// 1 to AX_VM_NAME_SIZE - 1 characters that are fit for messages and device-tree nodes.
static bool is_name(const char name[AX_VM_NAME_SIZE])
{
    size_t length = 0;

    while (length < AX_VM_NAME_SIZE && is_name_char(name[length])) {
        length++;
    }
    return length > 0 && length < AX_VM_NAME_SIZE && name[length] == '\0';
}

static bool is_cmdline(const char text[AX_VM_CMDLINE_SIZE])
{
    for (size_t i = 0; i < AX_VM_CMDLINE_SIZE; i++) {
        if (text[i] == '\0') {
            return true;
        }
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return false;
}

// ---- addresses ----

static bool is_address(GuestPhysAddr addr)
{
    return addr.value == AX_ADDR_AUTO.value || addr.value < ADDRESS_LIMIT;
}

static AxError check_window(AxSpan window, const char *what, const char **why)
{
    if (window.size == 0) {
        return axvm_because(why, AX_EINVAL, what);
    }
    if ((window.base | window.size) % AX_PAGE_SIZE != 0) {
        return axvm_because(why, AX_EALIGN, what);
    }
    return axvm_span_inside(window, (AxSpan){0, ADDRESS_LIMIT})
               ? AX_OK
               : axvm_because(why, AX_ERANGE, what);
}

static AxError check_memory(const AxVMMemory *memory, const char **why)
{
    if ((memory->flags & ~AX_MAP_ALL) != 0 || (memory->flags & AX_MAP_READ) == 0) {
        return axvm_because(why, AX_EINVAL,
                            "memory_regions: flags must hold read and no unknown bit");
    }
    if ((unsigned)memory->type > AX_MAP_TYPE_RESERVED) {
        return axvm_because(why, AX_EINVAL, "memory_regions: map_type is none of 0, 1, 2");
    }
    return check_window((AxSpan){memory->base.value, memory->size},
                        "memory_regions: address and size must be pages, not empty, below 2^48",
                        why);
}

static bool is_device_type(uint32_t type)
{
    return type == AX_EMU_INTERRUPT_CONTROLLER || type == AX_EMU_CONSOLE || type == AX_EMU_SCRATCH;
}

static AxError check_device(const AxVMDevice *device, const char **why)
{
    if (!is_name(device->name)) {
        return axvm_because(why, AX_EINVAL, "emu_devices: name must be 1 to 31 of A-Z a-z 0-9 _ -");
    }
    if (!is_device_type(device->type)) {
        return axvm_because(why, AX_ENOTSUP, "emu_devices: there is no such type");
    }
    if (device->irq >= AX_IRQ_COUNT || device->config_count > AX_VM_DEVICE_CONFIG) {
        return axvm_because(why, AX_ERANGE, "emu_devices: irq or number of config words too large");
    }
    return check_window((AxSpan){device->base, device->length},
                        "emu_devices: address and length must be pages, not empty, below 2^48",
                        why);
}

static AxError check_passthrough(const AxVMPassthrough *device, const char **why)
{
    static const char window[] =
        "passthrough_devices: addresses and length must be pages, not empty, below 2^48";
    AxError error;

    if (!is_name(device->name)) {
        return axvm_because(why, AX_EINVAL,
                            "passthrough_devices: name must be 1 to 31 of A-Z a-z 0-9 _ -");
    }
    if (device->irq >= AX_IRQ_COUNT) {
        return axvm_because(why, AX_ERANGE, "passthrough_devices: irq too large");
    }
    error = check_window((AxSpan){device->gpa.value, device->length}, window, why);
    return error != AX_OK ? error
                          : check_window((AxSpan){device->hpa.value, device->length}, window, why);
}

// ---- the parts ----

static AxError check_base(const AxVMConfig *config, const char **why)
{
    if (!is_name(config->name)) {
        return axvm_because(why, AX_EINVAL, "name must be 1 to 31 characters of A-Z a-z 0-9 _ -");
    }
    if (config->cpu_num == 0 || config->cpu_num > AX_VM_CPUS_MAX) {
        return axvm_because(why, AX_ERANGE, "cpu_num must be 1 to 8");
    }
    if (!is_cmdline(config->cmdline)) {
        return axvm_because(why, AX_EINVAL,
                            "cmdline must be at most 2047 characters, none a control character");
    }
    if (config->memory_count > AX_VM_MEMORY_MAX || config->device_count > AX_VM_DEVICES_MAX ||
        config->passthrough_count > AX_VM_DEVICES_MAX) {
        return axvm_because(why, AX_ERANGE, "too many memory regions or devices");
    }
    return AX_OK;
}

static AxError check_images(const AxVMConfig *config, const char **why)
{
    if ((config->kernel.size != 0 && config->kernel.data == NULL) ||
        (config->ramdisk.size != 0 && config->ramdisk.data == NULL)) {
        return axvm_because(why, AX_EINVAL, "kernel or ramdisk has a size but no data");
    }
    if ((unsigned)config->image_format >= AX_IMAGE_FORMAT_COUNT) {
        return axvm_because(why, AX_ENOTSUP, "image_format is not known");
    }
    if (!is_address(config->entry_point) || !is_address(config->kernel_load_addr) ||
        !is_address(config->ramdisk_load_addr)) {
        return axvm_because(why, AX_ERANGE,
                            "entry_point, kernel_load_addr or ramdisk_load_addr beyond 2^48");
    }
    if (config->kernel.size == 0 && config->entry_point.value == AX_ADDR_AUTO.value) {
        return axvm_because(why, AX_EINVAL, "there is neither a kernel nor an entry_point");
    }
    return AX_OK;
}

typedef AxError (*ItemCheck)(const AxVMConfig *config, uint32_t index, const char **why);

static AxError check_memory_at(const AxVMConfig *config, uint32_t index, const char **why)
{
    return check_memory(&config->memory[index], why);
}

static AxError check_device_at(const AxVMConfig *config, uint32_t index, const char **why)
{
    return check_device(&config->devices[index], why);
}

static AxError check_passthrough_at(const AxVMConfig *config, uint32_t index, const char **why)
{
    return check_passthrough(&config->passthrough[index], why);
}

static AxError check_each(const AxVMConfig *config, uint32_t count, ItemCheck check,
                          const char **why)
{
    for (uint32_t i = 0; i < count; i++) {
        const AxError error = check(config, i, why);

        if (error != AX_OK) {
            return error;
        }
    }
    return AX_OK;
}

static AxError check_items(const AxVMConfig *config, const char **why)
{
    AxError error = check_each(config, config->memory_count, check_memory_at, why);

    if (error == AX_OK) {
        error = check_each(config, config->device_count, check_device_at, why);
    }
    if (error == AX_OK) {
        error = check_each(config, config->passthrough_count, check_passthrough_at, why);
    }
    return error;
}

// ---- against each other ----

static uint32_t collect_windows(const AxVMConfig *config, AxSpan *windows)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        windows[count++] = (AxSpan){config->memory[i].base.value, config->memory[i].size};
    }
    for (uint32_t i = 0; i < config->device_count; i++) {
        windows[count++] = (AxSpan){config->devices[i].base, config->devices[i].length};
    }
    for (uint32_t i = 0; i < config->passthrough_count; i++) {
        windows[count++] = (AxSpan){config->passthrough[i].gpa.value,
                                    config->passthrough[i].length};
    }
    return count;
}

static AxError check_overlaps(const AxVMConfig *config, const char **why)
{
    AxSpan windows[WINDOWS_MAX];
    const uint32_t count = collect_windows(config, windows);

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (axvm_spans_overlap(windows[i], windows[j])) {
                return axvm_because(
                    why, AX_EOVERLAP,
                    "memory_regions, emu_devices or passthrough_devices overlap each other");
            }
        }
    }
    return AX_OK;
}

typedef struct Identity {
    const char *name;
    uint32_t irq; // 0 = none
} Identity;

static Identity identity(const AxVMConfig *config, uint32_t index)
{
    if (index < config->device_count) {
        return (Identity){config->devices[index].name, config->devices[index].irq};
    }
    index -= config->device_count;
    return (Identity){config->passthrough[index].name, config->passthrough[index].irq};
}

static bool same_name(const char *a, const char *b)
{
    size_t i = 0;

    while (a[i] == b[i] && a[i] != '\0') {
        i++;
    }
    return a[i] == b[i];
}

static AxError check_identities(const AxVMConfig *config, const char **why)
{
    const uint32_t count = config->device_count + config->passthrough_count;

    for (uint32_t i = 0; i < count; i++) {
        const Identity one = identity(config, i);

        for (uint32_t j = 0; j < i; j++) {
            const Identity other = identity(config, j);

            if (same_name(one.name, other.name)) {
                return axvm_because(why, AX_EEXIST, "two devices have the same name");
            }
            if (one.irq != 0 && one.irq == other.irq) {
                return axvm_because(why, AX_EEXIST, "two devices have the same irq");
            }
        }
    }
    return AX_OK;
}

AxError axvm_config_check(const AxVMConfig *config, const char **why)
{
    static AxError (*const checks[])(const AxVMConfig *, const char **) = {
        check_base, check_images, check_items, check_overlaps, check_identities,
    };

    if (config == NULL) {
        return axvm_because(why, AX_EINVAL, "there is no description");
    }
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const AxError error = checks[i](config, why);

        if (error != AX_OK) {
            return error;
        }
    }
    return AX_OK;
}
