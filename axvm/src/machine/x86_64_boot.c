// SPDX-License-Identifier: Apache-2.0
/*
 * The description of the PC board, one block in the guest's memory that is no RAM for it:
 *
 *   0x0000  zero page, hvm_start_info or multiboot_info, with their lists
 *   0x1000  command line
 *   0x1800  GDT
 *   0x1840  seed of random numbers for Linux
 *   0x2000  page tables, six pages
 *   0x8000  ACPI tables
 */
#include "x86_64_boot.h"

#include "x86_64_linux.h"

#include <string.h>

#define CMDLINE_AT 0x1000u
#define GDT_AT     0x1800u
#define SEED_AT    0x1840u
#define TABLES_AT  0x2000u
#define ACPI_AT    0x8000u

_Static_assert(CMDLINE_AT + AX_VM_CMDLINE_SIZE <= GDT_AT, "the command line has its room");

#define LIMIT_32  (UINT64_C(1) << 32)
#define SEED_SIZE 32u

// ---- the map of memory ----

#define MAP_MAX (AX_VM_MEMORY_MAX + 2u * 2u)

// As E820, PVH and Multiboot number them.
#define MAP_RAM      1u
#define MAP_RESERVED 2u
#define MAP_ACPI     3u

// Where a PC's firmware, its data and the display are.
#define LOW_HOLE     UINT64_C(0x9fc00)
#define LOW_HOLE_END UINT64_C(0x100000)

typedef struct MapEntry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
} MapEntry;

typedef struct MemoryMap {
    uint32_t count;
    MapEntry entries[MAP_MAX];
} MemoryMap;

static void add_entry(MemoryMap *map, uint64_t base, uint64_t end, uint32_t type)
{
    if (base < end) {
        map->entries[map->count++] = (MapEntry){base, end - base, type};
    }
}

// Holes are in the order of their addresses, and disjoint.
static void add_region(MemoryMap *map, uint64_t base, uint64_t end, const MapEntry holes[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        const uint64_t hole = holes[i].base;
        const uint64_t hole_end = hole + holes[i].size;

        if (hole < end && hole_end > base) {
            add_entry(map, base, hole, MAP_RAM);
            base = base > hole ? base : hole;
            add_entry(map, base, hole_end < end ? hole_end : end, holes[i].type);
            base = hole_end;
        }
    }
    add_entry(map, base, end, MAP_RAM);
}

static bool is_ram(const AxVMMemory *memory)
{
    return memory->type != AX_MAP_TYPE_RESERVED && (memory->flags & AX_MAP_DEVICE) == 0;
}

static void make_map(const AxVM *vm, MemoryMap *map)
{
    const MapEntry holes[2] = {
        {LOW_HOLE, LOW_HOLE_END - LOW_HOLE, MAP_RESERVED},
        {vm->layout.boot_block.value, AX_BOOT_BLOCK_ROOM, MAP_ACPI},
    };

    map->count = 0;
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        const AxVMMemory *memory = &vm->config.memory[i];

        if (is_ram(memory)) {
            add_region(map, memory->base.value, memory->base.value + memory->size, holes);
        }
    }
}

// ---- the block ----

typedef struct Block {
    const AxVM *vm;
    uint8_t *bytes;
    uint64_t address;
    MemoryMap map;
} Block;

static uint64_t address_of(const Block *block, uint64_t offset)
{
    return block->address + offset;
}

static void put(const Block *block, uint64_t offset, const void *data, size_t size)
{
    memcpy(block->bytes + offset, data, size);
}

// ---- Linux ----

static LinuxSetupHeader header_of_image(const AxVM *vm)
{
    const uint8_t *image = vm->config.kernel.data;
    LinuxSetupHeader header = {
        .boot_flag = LINUX_BOOT_FLAG, .header = LINUX_HEADER_MAGIC, .version = LINUX_VERSION_64};

    if (vm->image.format == AX_IMAGE_BZIMAGE) {
        const size_t size = axvm_linux_header_size(image[LINUX_HEADER_JUMP_AT]);

        memcpy(&header, image + LINUX_HEADER_AT, size < sizeof(header) ? size : sizeof(header));
    }
    return header;
}

// Debian's kernels wait for their random numbers else.
static uint64_t put_seed(const Block *block)
{
    const AxVM *vm = block->vm;
    const LinuxSetupData head = {.type = LINUX_SETUP_RNG_SEED, .size = SEED_SIZE};

    if (vm->random == NULL) {
        return 0;
    }
    put(block, SEED_AT, &head, sizeof(head));
    vm->random(vm->random_ctx, block->bytes + SEED_AT + sizeof(head), SEED_SIZE);
    return address_of(block, SEED_AT);
}

static LinuxSetupHeader setup_header(const Block *block)
{
    const AxVM *vm = block->vm;
    LinuxSetupHeader header = header_of_image(vm);

    header.vid_mode = LINUX_VIDEO_NORMAL;
    header.type_of_loader = LINUX_LOADER_UNKNOWN;
    header.loadflags = (uint8_t)((header.loadflags | LINUX_LOADED_HIGH) & ~LINUX_CAN_USE_HEAP);
    header.code32_start = (uint32_t)vm->layout.kernel.value;
    header.cmd_line_ptr = (uint32_t)address_of(block, CMDLINE_AT);
    header.setup_data = put_seed(block);
    header.ramdisk_size = (uint32_t)vm->config.ramdisk.size;
    if (header.ramdisk_size != 0) {
        header.ramdisk_image = (uint32_t)vm->layout.ramdisk.value;
    }
    return header;
}

static void put_zero_page(const Block *block)
{
    const LinuxSetupHeader header = setup_header(block);
    const uint64_t rsdp = address_of(block, ACPI_AT);
    const uint8_t count = (uint8_t)block->map.count;

    put(block, LINUX_HEADER_AT, &header, sizeof(header));
    put(block, offsetof(LinuxBootParams, acpi_rsdp_addr), &rsdp, sizeof(rsdp));
    put(block, offsetof(LinuxBootParams, e820_entries), &count, sizeof(count));
    for (uint32_t i = 0; i < block->map.count; i++) {
        const MapEntry *entry = &block->map.entries[i];
        const LinuxE820Entry e820 = {entry->base, entry->size, entry->type};

        put(block, offsetof(LinuxBootParams, e820) + i * sizeof(e820), &e820, sizeof(e820));
    }
}

// ---- PVH (Xen, xen/include/public/arch-x86/hvm/start_info.h) ----

typedef struct StartInfo {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t map;
    uint32_t map_count;
    uint32_t reserved;
} StartInfo;

typedef struct StartModule {
    uint64_t address;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
} StartModule;

typedef struct StartMapEntry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
} StartMapEntry;

_Static_assert(sizeof(StartInfo) == 56 && offsetof(StartInfo, map) == 40, "start_info.h");
_Static_assert(sizeof(StartModule) == 32 && sizeof(StartMapEntry) == 24, "start_info.h");

#define START_MAGIC   UINT32_C(0x336ec578)
#define START_VERSION 1u // has the map
#define MODULES_AT    0x80u
#define MAP_AT        0x100u

static void put_start_info(const Block *block)
{
    const AxVM *vm = block->vm;
    const StartModule ramdisk = {.address = vm->layout.ramdisk.value,
                                 .size = vm->config.ramdisk.size};
    const bool has_ramdisk = ramdisk.size != 0;
    const StartInfo info = {.magic = START_MAGIC,
                            .version = START_VERSION,
                            .module_count = has_ramdisk ? 1 : 0,
                            .modules = has_ramdisk ? address_of(block, MODULES_AT) : 0,
                            .cmdline = address_of(block, CMDLINE_AT),
                            .rsdp = address_of(block, ACPI_AT),
                            .map = address_of(block, MAP_AT),
                            .map_count = block->map.count};

    put(block, 0, &info, sizeof(info));
    if (has_ramdisk) {
        put(block, MODULES_AT, &ramdisk, sizeof(ramdisk));
    }
    for (uint32_t i = 0; i < block->map.count; i++) {
        const MapEntry *entry = &block->map.entries[i];
        const StartMapEntry start = {entry->base, entry->size, entry->type, 0};

        put(block, MAP_AT + i * sizeof(start), &start, sizeof(start));
    }
}

// ---- Multiboot (specification 0.6.96, section 3.3) ----

typedef struct MultibootInfo {
    uint32_t flags;
    uint32_t memory_lower; // KiB from 0
    uint32_t memory_upper; // KiB from 1 MiB to the first hole
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
    uint32_t loader_name;
} MultibootInfo;

typedef struct MultibootModule {
    uint32_t start;
    uint32_t end;
    uint32_t cmdline;
    uint32_t reserved;
} MultibootModule;

typedef struct __attribute__((packed)) MultibootMapEntry {
    uint32_t size; // of the rest
    uint64_t base;
    uint64_t length;
    uint32_t type;
} MultibootMapEntry;

_Static_assert(offsetof(MultibootInfo, map_size) == 44, "section 3.3");
_Static_assert(offsetof(MultibootInfo, loader_name) == 64, "section 3.3");
_Static_assert(sizeof(MultibootModule) == 16 && sizeof(MultibootMapEntry) == 24, "section 3.3");

#define MULTIBOOT_MAGIC      UINT32_C(0x2badb002)
#define MULTIBOOT_HAS_MEMORY (1u << 0)
#define MULTIBOOT_HAS_CMD    (1u << 2)
#define MULTIBOOT_HAS_MODS   (1u << 3)
#define MULTIBOOT_HAS_MAP    (1u << 6)
#define MULTIBOOT_HAS_NAME   (1u << 9)
#define NAME_AT              0xc0u
#define NAME                 "axvm"

_Static_assert(MAP_AT + MAP_MAX * sizeof(MultibootMapEntry) <= CMDLINE_AT, "the map has its room");
_Static_assert(MODULES_AT >= sizeof(MultibootInfo), "the list of modules is behind");

static uint32_t clip(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

// KiB of RAM from `base` on, in one piece.
static uint32_t kib_from(const MemoryMap *map, uint64_t base)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const MapEntry *entry = &map->entries[i];

        if (entry->type == MAP_RAM && entry->base <= base && base - entry->base < entry->size) {
            return clip((entry->size - (base - entry->base)) >> 10);
        }
    }
    return 0;
}

static void put_multiboot_map(const Block *block)
{
    for (uint32_t i = 0; i < block->map.count; i++) {
        const MapEntry *entry = &block->map.entries[i];
        const MultibootMapEntry out = {sizeof(out) - sizeof(out.size), entry->base, entry->size,
                                       entry->type};

        put(block, MAP_AT + i * sizeof(out), &out, sizeof(out));
    }
}

static void put_multiboot_info(const Block *block)
{
    const AxVM *vm = block->vm;
    const uint64_t ramdisk = vm->layout.ramdisk.value;
    const MultibootModule module = {.start = (uint32_t)ramdisk,
                                    .end = (uint32_t)(ramdisk + vm->config.ramdisk.size)};
    const bool has_module = vm->config.ramdisk.size != 0;
    const MultibootInfo info = {
        .flags = MULTIBOOT_HAS_MEMORY | MULTIBOOT_HAS_CMD | MULTIBOOT_HAS_MODS | MULTIBOOT_HAS_MAP |
                 MULTIBOOT_HAS_NAME,
        .memory_lower = kib_from(&block->map, 0),
        .memory_upper = kib_from(&block->map, LOW_HOLE_END),
        .cmdline = (uint32_t)address_of(block, CMDLINE_AT),
        .module_count = has_module ? 1 : 0,
        .modules = (uint32_t)address_of(block, MODULES_AT),
        .map_size = (uint32_t)(block->map.count * sizeof(MultibootMapEntry)),
        .map = (uint32_t)address_of(block, MAP_AT),
        .loader_name = (uint32_t)address_of(block, NAME_AT),
    };

    put(block, 0, &info, sizeof(info));
    put(block, NAME_AT, NAME, sizeof(NAME));
    if (has_module) {
        put(block, MODULES_AT, &module, sizeof(module));
    }
    put_multiboot_map(block);
}

// ---- the CPU's tables ----

static const uint64_t protected_gdt[] = {
    0, 0,
    UINT64_C(0x00cf9b000000ffff), // 0x10: code, 32 bits
    UINT64_C(0x00cf93000000ffff), // 0x18: data
};

static const uint64_t long_gdt[] = {
    0, 0,
    UINT64_C(0x00af9b000000ffff), // 0x10: code, 64 bits
    UINT64_C(0x00cf93000000ffff), // 0x18: data
};

_Static_assert(sizeof(protected_gdt) == sizeof(long_gdt), "one limit for both");

#define PAGE_TABLE 0x003u // present, writable
#define PAGE_LARGE 0x083u // and of 2 MiB
#define ENTRIES    512u
#define LARGE_SIZE (UINT64_C(2) << 20)
#define GIB_COUNT  UINT64_C(4)

static void put_entry(const Block *block, uint64_t table, uint64_t index, uint64_t entry)
{
    put(block, TABLES_AT + table * AX_PAGE_SIZE + index * sizeof(entry), &entry, sizeof(entry));
}

static void put_page_tables(const Block *block)
{
    const uint64_t first = address_of(block, TABLES_AT);

    put_entry(block, 0, 0, (first + AX_PAGE_SIZE) | PAGE_TABLE);
    for (uint64_t i = 0; i < GIB_COUNT; i++) {
        put_entry(block, 1, i, (first + (2 + i) * AX_PAGE_SIZE) | PAGE_TABLE);
    }
    for (uint64_t i = 0; i < GIB_COUNT * ENTRIES; i++) {
        put_entry(block, 2 + i / ENTRIES, i % ENTRIES, i * LARGE_SIZE | PAGE_LARGE);
    }
}

_Static_assert(TABLES_AT + (2 + GIB_COUNT) * AX_PAGE_SIZE <= ACPI_AT, "the tables have their room");

// ---- by protocol ----

typedef struct Protocol {
    void (*put)(const Block *block);
    X86StartMode mode;
} Protocol;

static const Protocol protocols[] = {
    [AX_BOOT_LINUX64] = {put_zero_page, X86_START_LONG},
    [AX_BOOT_LINUX32] = {put_zero_page, X86_START_PROTECTED},
    [AX_BOOT_PVH] = {put_start_info, X86_START_PROTECTED},
    [AX_BOOT_MULTIBOOT] = {put_multiboot_info, X86_START_PROTECTED},
};

static void put_block(const Block *block, const Protocol *protocol)
{
    if (protocol->put == NULL) {
        return;
    }
    protocol->put(block);
    put(block, CMDLINE_AT, block->vm->config.cmdline, AX_VM_CMDLINE_SIZE);
    if (protocol->mode == X86_START_LONG) {
        put(block, GDT_AT, long_gdt, sizeof(long_gdt));
        put_page_tables(block);
    } else {
        put(block, GDT_AT, protected_gdt, sizeof(protected_gdt));
    }
}

AxError axvm_x86_64_describe(const AxAcpiBoard *board, const AxVM *vm, void *buffer, size_t room,
                             size_t *size)
{
    Block block = {.vm = vm, .bytes = buffer, .address = vm->layout.boot_block.value};
    size_t acpi_size = 0;
    AxError error;

    if (room < ACPI_AT) {
        return AX_ENOSPC;
    }
    if (block.address < LOW_HOLE_END || block.address > LIMIT_32 - AX_BOOT_BLOCK_ROOM) {
        return AX_ERANGE;
    }
    error = axvm_acpi_build(board, address_of(&block, ACPI_AT), block.bytes + ACPI_AT,
                            room - ACPI_AT, &acpi_size);
    if (error != AX_OK) {
        return error;
    }
    memset(buffer, 0, ACPI_AT);
    make_map(vm, &block.map);
    put_block(&block, &protocols[vm->image.protocol]);
    *size = ACPI_AT + acpi_size;
    return AX_OK;
}

bool axvm_x86_64_start(const AxVM *vm, X86Start *start)
{
    const uint64_t info = vm->layout.boot_block.value;
    const AxBootProtocol protocol = vm->image.protocol;

    if (protocol == AX_BOOT_NATIVE) {
        return false;
    }
    *start = (X86Start){
        .mode = protocols[protocol].mode,
        .entry = vm->layout.entry,
        .cr3 = protocol == AX_BOOT_LINUX64 ? info + TABLES_AT : 0,
        .gdt_base = info + GDT_AT,
        .gdt_limit = sizeof(long_gdt) - 1,
        .rax = protocol == AX_BOOT_MULTIBOOT ? MULTIBOOT_MAGIC : 0,
        .rbx = protocol == AX_BOOT_MULTIBOOT || protocol == AX_BOOT_PVH ? info : 0,
        .rsi = protocol == AX_BOOT_LINUX64 || protocol == AX_BOOT_LINUX32 ? info : 0,
    };
    return true;
}
