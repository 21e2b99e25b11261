// SPDX-License-Identifier: Apache-2.0
// Prints what its Multiboot loader gave it (specification 0.6.96, section 3.3), and powers off.
#include "arch.h"

#define LOADER_MAGIC UINT32_C(0x2badb002)

#define HAS_MEMORY  (UINT32_C(1) << 0)
#define HAS_CMDLINE (UINT32_C(1) << 2)
#define HAS_MODULES (UINT32_C(1) << 3)
#define HAS_MAP     (UINT32_C(1) << 6)
#define HAS_LOADER  (UINT32_C(1) << 9)

typedef struct Info {
    uint32_t flags;
    uint32_t memory_lower; // KiB
    uint32_t memory_upper;
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t map_size;
    uint32_t map;
    uint32_t drives_size;
    uint32_t drives;
    uint32_t config_table;
    uint32_t loader;
} Info;

typedef struct Module {
    uint32_t start;
    uint32_t end;
    uint32_t cmdline;
    uint32_t reserved;
} Module;

typedef struct __attribute__((packed)) MapEntry {
    uint32_t size; // of what follows
    uint64_t base;
    uint64_t length;
    uint32_t type;
} MapEntry;

_Static_assert(sizeof(Module) == 16 && sizeof(MapEntry) == 24, "sections 3.3");
_Static_assert(offsetof(Info, map_size) == 44 && offsetof(Info, loader) == 64, "section 3.3");

void multiboot_main(uint32_t magic, const Info *info);

static const void *at(uint32_t address)
{
    return (const void *)(uint64_t)address;
}

void guest_putc(char c)
{
    if (c == '\n') {
        port_write8(GUEST_UART_PORT, '\r');
    }
    port_write8(GUEST_UART_PORT, (uint8_t)c);
}

static void print_map(const Info *info)
{
    const uint8_t *entry = at(info->map);
    const uint8_t *const end = entry + info->map_size;

    while (entry < end) {
        const MapEntry *piece = (const MapEntry *)entry;

        guest_printf("multiboot: memory 0x%lx to 0x%lx type %u\n", piece->base,
                     piece->base + piece->length, piece->type);
        entry += piece->size + sizeof(piece->size);
    }
}

static uint32_t sum(const Module *module)
{
    const uint8_t *bytes = at(module->start);
    uint32_t total = 0;

    for (uint32_t i = 0; i < module->end - module->start; i++) {
        total += bytes[i];
    }
    return total;
}

static void print_modules(const Info *info)
{
    const Module *modules = at(info->modules);

    for (uint32_t i = 0; i < info->module_count; i++) {
        guest_printf("multiboot: module at 0x%x, %u bytes, sum %u\n", modules[i].start,
                     modules[i].end - modules[i].start, sum(&modules[i]));
    }
}

static void print(const Info *info)
{
    if ((info->flags & HAS_LOADER) != 0) {
        guest_printf("multiboot: loader \"%s\"\n", (const char *)at(info->loader));
    }
    if ((info->flags & HAS_CMDLINE) != 0) {
        guest_printf("multiboot: command line \"%s\"\n", (const char *)at(info->cmdline));
    }
    if ((info->flags & HAS_MEMORY) != 0) {
        guest_printf("multiboot: %u KiB below and %u KiB above 1 MiB\n", info->memory_lower,
                     info->memory_upper);
    }
    if ((info->flags & HAS_MAP) != 0) {
        print_map(info);
    }
    if ((info->flags & HAS_MODULES) != 0) {
        print_modules(info);
    }
}

void multiboot_main(uint32_t magic, const Info *info)
{
    if (magic != LOADER_MAGIC) {
        guest_printf("multiboot: the loader's magic number is 0x%x\n", magic);
        return;
    }
    print(info);
    guest_printf("multiboot: done\n");
    port_write16(GUEST_PM1, GUEST_PM1_OFF);
}
