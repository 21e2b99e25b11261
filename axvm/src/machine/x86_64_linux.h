// SPDX-License-Identifier: Apache-2.0
/* What Linux and its loader tell each other on x86 (Linux, Documentation/arch/x86/boot.rst). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LINUX_HEADER_AT      0x1f1u
#define LINUX_HEADER_JUMP_AT 0x201u /* second byte of a short jump: behind the header */
#define LINUX_HEADER_ROOM    0x9fu  /* boot_params has other things from 0x290 on */
#define LINUX_HEADER_MAGIC   UINT32_C(0x53726448) /* "HdrS" */
#define LINUX_VERSION_64     0x020cu              /* of the 64-bit entry */
#define LINUX_BOOT_FLAG      0xaa55u

#define LINUX_LOADED_HIGH    0x01u /* loadflags */
#define LINUX_CAN_USE_HEAP   0x80u
#define LINUX_LOADER_UNKNOWN 0xffu /* type_of_loader */
#define LINUX_VIDEO_NORMAL   0xffffu
#define LINUX_KERNEL_64      0x01u /* xloadflags: 64-bit entry at 0x200 */

typedef struct __attribute__((packed)) LinuxSetupHeader {
    uint8_t setup_sects;
    uint16_t root_flags;
    uint32_t syssize; /* of the protected-mode part, in 16 bytes */
    uint16_t ram_size;
    uint16_t vid_mode;
    uint16_t root_dev;
    uint16_t boot_flag;
    uint16_t jump;
    uint32_t header;
    uint16_t version;
    uint32_t realmode_swtch;
    uint16_t start_sys_seg;
    uint16_t kernel_version;
    uint8_t type_of_loader;
    uint8_t loadflags;
    uint16_t setup_move_size;
    uint32_t code32_start;
    uint32_t ramdisk_image;
    uint32_t ramdisk_size;
    uint32_t bootsect_kludge;
    uint16_t heap_end_ptr;
    uint8_t ext_loader_ver;
    uint8_t ext_loader_type;
    uint32_t cmd_line_ptr;
    uint32_t initrd_addr_max; /* address of the last byte */
    uint32_t kernel_alignment;
    uint8_t relocatable_kernel;
    uint8_t min_alignment;
    uint16_t xloadflags;
    uint32_t cmdline_size;
    uint32_t hardware_subarch; /* 2.07 */
    uint64_t hardware_subarch_data;
    uint32_t payload_offset;
    uint32_t payload_length;
    uint64_t setup_data;
    uint64_t pref_address; /* 2.10 */
    uint32_t init_size;
    uint32_t handover; /* 2.11 */
    uint32_t kernel_info_offset;
} LinuxSetupHeader;

_Static_assert(LINUX_HEADER_AT + offsetof(LinuxSetupHeader, boot_flag) == 0x1fe, "boot.rst");
_Static_assert(LINUX_HEADER_AT + offsetof(LinuxSetupHeader, header) == 0x202, "boot.rst");
_Static_assert(LINUX_HEADER_AT + offsetof(LinuxSetupHeader, cmd_line_ptr) == 0x228, "boot.rst");
_Static_assert(LINUX_HEADER_AT + offsetof(LinuxSetupHeader, cmdline_size) == 0x238, "boot.rst");
_Static_assert(LINUX_HEADER_AT + offsetof(LinuxSetupHeader, pref_address) == 0x258, "boot.rst");
_Static_assert(LINUX_HEADER_AT + sizeof(LinuxSetupHeader) == 0x26c, "boot.rst");

typedef struct __attribute__((packed)) LinuxE820Entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
} LinuxE820Entry;

#define LINUX_E820_MAX 128u

/* The zero page, as far as it is used. */
typedef struct __attribute__((packed)) LinuxBootParams {
    uint8_t screen_info[0x70];
    uint64_t acpi_rsdp_addr;
    uint8_t unused1[0x1e8 - 0x78];
    uint8_t e820_entries;
    uint8_t unused2[LINUX_HEADER_AT - 0x1e9];
    LinuxSetupHeader header;
    uint8_t unused3[0x2d0 - LINUX_HEADER_AT - sizeof(LinuxSetupHeader)];
    LinuxE820Entry e820[LINUX_E820_MAX];
    uint8_t unused4[0x1000 - 0x2d0 - sizeof(LinuxE820Entry) * LINUX_E820_MAX];
} LinuxBootParams;

_Static_assert(offsetof(LinuxBootParams, acpi_rsdp_addr) == 0x70, "zero-page.rst");
_Static_assert(offsetof(LinuxBootParams, e820_entries) == 0x1e8, "zero-page.rst");
_Static_assert(offsetof(LinuxBootParams, e820) == 0x2d0, "zero-page.rst");
_Static_assert(sizeof(LinuxBootParams) == 0x1000, "zero-page.rst");

/* One of setup_data's list; `size` bytes follow. */
typedef struct LinuxSetupData {
    uint64_t next;
    uint32_t type;
    uint32_t size;
} LinuxSetupData;

#define LINUX_SETUP_RNG_SEED 9u

/* Bytes of the header from LINUX_HEADER_AT on, by the byte at LINUX_HEADER_JUMP_AT. */
static inline size_t axvm_linux_header_size(uint8_t jump)
{
    return LINUX_HEADER_JUMP_AT + 1u + jump - LINUX_HEADER_AT;
}
