// SPDX-License-Identifier: Apache-2.0
#include "bootinfo.h"

#include "layout.h"

#include <string.h>

#define ENTRIES_MAX 128u // of a memory map

// Xen, xen/include/public/arch-x86/hvm/start_info.h; version 1 added the memory map.
typedef struct StartInfo {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t map;
    uint32_t map_entries;
    uint32_t reserved;
} StartInfo;

typedef struct StartModule {
    uint64_t addr;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
} StartModule;

typedef struct StartEntry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
} StartEntry;

// Multiboot 0.6.96, 3.3.
typedef struct MultibootInfo {
    uint32_t flags;
    uint32_t memory[2];
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t map_length;
    uint32_t map;
} MultibootInfo;

typedef struct MultibootModule {
    uint32_t start;
    uint32_t end;
    uint32_t cmdline;
    uint32_t reserved;
} MultibootModule;

typedef struct __attribute__((packed)) MultibootEntry {
    uint32_t size; // of what follows
    uint64_t addr;
    uint64_t length;
    uint32_t type;
} MultibootEntry;

_Static_assert(sizeof(StartInfo) == 56 && sizeof(StartModule) == 32, "start_info.h");
_Static_assert(sizeof(StartEntry) == 24, "start_info.h");
_Static_assert(sizeof(MultibootInfo) == 52 && sizeof(MultibootModule) == 16, "Multiboot 3.3");
_Static_assert(sizeof(MultibootEntry) == 24, "Multiboot 3.3");

#define MULTIBOOT_HAS_CMDLINE (UINT32_C(1) << 2)
#define MULTIBOOT_HAS_MODULES (UINT32_C(1) << 3)
#define MULTIBOOT_HAS_MAP     (UINT32_C(1) << 6)

#define TYPE_RAM 1u

static bool fetch(void *to, uint64_t addr, uint64_t size, MemoryRead read)
{
    const void *from = addr == 0 ? NULL : read(addr, size);

    if (from == NULL) {
        return false;
    }
    memcpy(to, from, size);
    return true;
}

// RAM; what is anything else is taken out later, because entries may overlap.
static bool add_entry(HostInfo *info, uint64_t addr, uint64_t size, uint32_t type)
{
    return type != TYPE_RAM || size == 0 || ranges_add(&info->memory, addr, size);
}

static bool remove_entry(HostInfo *info, uint64_t addr, uint64_t size, uint32_t type)
{
    const uint64_t room = UINT64_MAX - addr;

    return type == TYPE_RAM || size == 0 ||
           ranges_remove(&info->memory, (Range){.base = addr, .size = size < room ? size : room});
}

typedef bool (*EntryCall)(HostInfo *info, uint64_t addr, uint64_t size, uint32_t type);

static bool each_start_entry(HostInfo *info, const StartInfo *start, MemoryRead read,
                             EntryCall call)
{
    for (uint32_t i = 0; i < start->map_entries; i++) {
        StartEntry entry;

        if (!fetch(&entry, start->map + i * sizeof(entry), sizeof(entry), read) ||
            !call(info, entry.addr, entry.size, entry.type)) {
            return false;
        }
    }
    return true;
}

static const char *read_start_map(HostInfo *info, const StartInfo *start, MemoryRead read)
{
    if (start->version < 1 || start->map == 0) {
        return "start_info has no memory map";
    }
    if (start->map_entries > ENTRIES_MAX || start->map > UINT64_MAX / 2 ||
        !each_start_entry(info, start, read, add_entry) ||
        !each_start_entry(info, start, read, remove_entry)) {
        return "the memory map of start_info is bad or has too many pieces";
    }
    return info->memory.count == 0 ? "the memory map has no RAM" : NULL;
}

// An entry may be longer than the fields known here.
static bool each_multiboot_entry(HostInfo *info, const MultibootInfo *boot, MemoryRead read,
                                 EntryCall call)
{
    uint64_t offset = 0;

    while (offset < boot->map_length) {
        MultibootEntry entry;

        if (boot->map_length - offset < sizeof(entry) ||
            !fetch(&entry, boot->map + offset, sizeof(entry), read) ||
            entry.size < sizeof(entry) - sizeof(entry.size) ||
            !call(info, entry.addr, entry.length, entry.type)) {
            return false;
        }
        offset += (uint64_t)entry.size + sizeof(entry.size);
    }
    return true;
}

static const char *read_multiboot_map(HostInfo *info, const MultibootInfo *boot, MemoryRead read)
{
    if ((boot->flags & MULTIBOOT_HAS_MAP) == 0) {
        return "the Multiboot information has no memory map";
    }
    if (boot->map_length > ENTRIES_MAX * sizeof(MultibootEntry) ||
        !each_multiboot_entry(info, boot, read, add_entry) ||
        !each_multiboot_entry(info, boot, read, remove_entry)) {
        return "the memory map of the Multiboot information is bad or has too many pieces";
    }
    return info->memory.count == 0 ? "the memory map has no RAM" : NULL;
}

static const char *read_cmdline(HostInfo *info, uint64_t addr, MemoryRead read)
{
    for (size_t i = 0; addr != 0 && i < sizeof(info->bootargs); i++) {
        const char *byte = addr <= UINT64_MAX - i ? read(addr + i, 1) : NULL;

        if (byte == NULL) {
            return "the command line cannot be read";
        }
        info->bootargs[i] = *byte;
        if (*byte == '\0') {
            return NULL;
        }
    }
    return addr == 0 ? NULL : "the command line is longer than 511 characters";
}

// Multiboot loaders begin it with the name of the image.
static void drop_name(HostInfo *info)
{
    const char *end = info->bootargs;

    if (strncmp(end, "axvm.", 5) == 0) {
        return;
    }
    while (*end != '\0' && *end != ' ') {
        end++;
    }
    memmove(info->bootargs, end, strlen(end) + 1);
}

static const char *set_initrd(HostInfo *info, uint64_t addr, uint64_t size)
{
    info->initrd = (Range){.base = addr, .size = size};
    return size != 0 && ranges_contain(&info->memory, info->initrd)
               ? NULL
               : "the module (the bundle) does not lie in memory";
}

static const char *read_start_info(HostInfo *info, uint64_t *rsdp, uint64_t addr, MemoryRead read)
{
    StartInfo start;
    StartModule module;
    const char *problem;

    if (!fetch(&start, addr, sizeof(start), read)) {
        return "start_info cannot be read";
    }
    *rsdp = start.rsdp;
    problem = read_start_map(info, &start, read);
    if (problem == NULL) {
        problem = read_cmdline(info, start.cmdline, read);
    }
    if (problem != NULL || start.module_count == 0) {
        return problem;
    }
    return fetch(&module, start.modules, sizeof(module), read)
               ? set_initrd(info, module.addr, module.size)
               : "the list of modules of start_info cannot be read";
}

static const char *read_multiboot(HostInfo *info, uint64_t addr, MemoryRead read)
{
    MultibootInfo boot;
    MultibootModule module;
    const char *problem;

    if (!fetch(&boot, addr, sizeof(boot), read)) {
        return "the Multiboot information cannot be read";
    }
    problem = read_multiboot_map(info, &boot, read);
    if (problem == NULL && (boot.flags & MULTIBOOT_HAS_CMDLINE) != 0) {
        problem = read_cmdline(info, boot.cmdline, read);
        drop_name(info);
    }
    if (problem != NULL || (boot.flags & MULTIBOOT_HAS_MODULES) == 0 || boot.module_count == 0) {
        return problem;
    }
    if (!fetch(&module, boot.modules, sizeof(module), read) || module.end < module.start) {
        return "the list of modules of the Multiboot information is bad";
    }
    return set_initrd(info, module.start, module.end - module.start);
}

bool x86_64_bootinfo_read(HostInfo *info, uint64_t *rsdp, uint64_t addr, MemoryRead read,
                          const char **why)
{
    uint32_t magic = 0;

    *info = (HostInfo){0};
    *rsdp = 0;
    if (!fetch(&magic, addr, sizeof(magic), read)) {
        *why = "it cannot be read";
    } else if (magic == START_INFO_MAGIC) {
        *why = read_start_info(info, rsdp, addr, read);
    } else {
        *why = read_multiboot(info, addr, read);
    }
    if (*why == NULL && !ranges_add(&info->reserved, 0, LOW_MEMORY_SIZE)) {
        *why = "memory is cut into too many pieces";
    }
    return *why == NULL;
}
