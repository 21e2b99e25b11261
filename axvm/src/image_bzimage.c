// SPDX-License-Identifier: Apache-2.0
/* Linux bzImage, protocol 2.06 and later (Linux, Documentation/arch/x86/boot.rst). */
#include "image_format.h"

#include "machine/x86_64_linux.h"
#include "span.h"
#include "why.h"

#include <string.h>

#define SECTOR             512u
#define SYSSIZE_UNIT       16u
#define SETUP_SECTS_NONE   4u // what 0 means
#define VERSION_OLDEST     0x0206u
#define VERSION_INIT_SIZE  0x020au // has pref_address and init_size
#define VERSION_XLOADFLAGS 0x020cu

#define OLD_LOAD_ADDRESS UINT64_C(0x100000)
#define ALIGN_MAX        (UINT64_C(1) << 30)
#define ENTRY_64         UINT64_C(0x200)
#define LIMIT_32         (UINT64_C(1) << 32)

// Zero where the image's own header ends.
static LinuxSetupHeader header_of(const AxBlob *image)
{
    const size_t size = axvm_linux_header_size(image->data[LINUX_HEADER_JUMP_AT]);
    LinuxSetupHeader header = {0};

    memcpy(&header, image->data + LINUX_HEADER_AT, size < sizeof(header) ? size : sizeof(header));
    return header;
}

static bool matches(const AxBlob *image)
{
    uint32_t magic;

    if (image->size < LINUX_HEADER_AT + sizeof(LinuxSetupHeader)) {
        return false;
    }
    memcpy(&magic, image->data + LINUX_HEADER_AT + offsetof(LinuxSetupHeader, header),
           sizeof(magic));
    return magic == LINUX_HEADER_MAGIC;
}

static uint64_t setup_size(const LinuxSetupHeader *header)
{
    const uint64_t sectors = header->setup_sects != 0 ? header->setup_sects : SETUP_SECTS_NONE;

    return (1 + sectors) * SECTOR;
}

static AxError check_version(const AxBlob *image, const LinuxSetupHeader *header, const char **why)
{
    const uint64_t size = axvm_linux_header_size(image->data[LINUX_HEADER_JUMP_AT]);

    if (header->boot_flag != LINUX_BOOT_FLAG) {
        return axvm_because(why, AX_EFORMAT, "kernel: bzImage without boot signature");
    }
    if (header->version < VERSION_OLDEST) {
        return axvm_because(why, AX_EFORMAT, "kernel: bzImage older than boot protocol 2.06");
    }
    if (size > LINUX_HEADER_ROOM || size < offsetof(LinuxSetupHeader, hardware_subarch) ||
        (header->version >= VERSION_INIT_SIZE && size < offsetof(LinuxSetupHeader, handover))) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: the header of the bzImage has no length of its version");
    }
    return (header->loadflags & LINUX_LOADED_HIGH) != 0
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: a zImage, which is loaded below 1 MiB");
}

static AxError check_sizes(const AxBlob *image, const LinuxSetupHeader *header, const char **why)
{
    const uint64_t setup = setup_size(header);

    if (image->size <= setup || image->size - setup <= ENTRY_64) {
        return axvm_because(why, AX_EFORMAT, "kernel: bzImage ends in its setup part");
    }
    // Not all fill the last of their units.
    return (image->size - setup - 1) / SYSSIZE_UNIT + 1 >= header->syssize
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: bzImage is cut off");
}

static AxError check_place(const LinuxSetupHeader *header, const char **why)
{
    const uint64_t align = header->kernel_alignment;

    if (align < AX_PAGE_SIZE || align > ALIGN_MAX || (align & (align - 1)) != 0) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: kernel_alignment of bzImage is no power of two of pages");
    }
    if (header->pref_address % align != 0 || header->pref_address < OLD_LOAD_ADDRESS ||
        header->pref_address >= LIMIT_32) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: pref_address of bzImage is not aligned, or out of 1 MiB to "
                            "4 GiB");
    }
    return header->init_size != 0
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: bzImage without init_size");
}

static AxError check_limits(const LinuxSetupHeader *header, const char **why)
{
    return header->initrd_addr_max >= OLD_LOAD_ADDRESS
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: bzImage wants its ramdisk below 1 MiB");
}

static AxError check_header(const AxBlob *image, const LinuxSetupHeader *header, const char **why)
{
    AxError error = check_version(image, header, why);

    if (error == AX_OK) {
        error = check_sizes(image, header, why);
    }
    if (error == AX_OK && header->version >= VERSION_INIT_SIZE) {
        error = check_place(header, why);
    }
    return error == AX_OK ? check_limits(header, why) : error;
}

static bool starts_in_64_bits(const LinuxSetupHeader *header)
{
    return header->version >= VERSION_XLOADFLAGS && (header->xloadflags & LINUX_KERNEL_64) != 0;
}

static uint64_t reach(const LinuxSetupHeader *header)
{
    return (uint64_t)header->initrd_addr_max + 1;
}

// Below pref_address a kernel would move itself up to it: not what the layout has seen.
static void place(const LinuxSetupHeader *header, AxImageInfo *info)
{
    if (header->version < VERSION_INIT_SIZE) {
        info->fixed = true;
        info->load_min = OLD_LOAD_ADDRESS;
        info->load_align = AX_PAGE_SIZE;
        return;
    }
    info->fixed = header->relocatable_kernel == 0;
    info->load_min = header->pref_address;
    info->load_align = header->kernel_alignment;
    if (info->memory_size < header->init_size) {
        info->memory_size = header->init_size;
    }
}

static AxError probe(const AxBlob *image, AxImageInfo *info, const char **why)
{
    LinuxSetupHeader header;
    AxError error;

    if (!matches(image)) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: no Linux bzImage (too short, or wrong magic number)");
    }
    header = header_of(image);
    error = check_header(image, &header, why);
    if (error != AX_OK) {
        return error;
    }

    const uint64_t size = image->size - setup_size(&header);

    *info = (AxImageInfo){
        .format = AX_IMAGE_BZIMAGE,
        .protocol = starts_in_64_bits(&header) ? AX_BOOT_LINUX64 : AX_BOOT_LINUX32,
        .machine = starts_in_64_bits(&header) ? AX_MACHINE_X86_64 : AX_MACHINE_I386,
        .memory_size = size,
        .entry_offset = starts_in_64_bits(&header) ? ENTRY_64 : 0,
        .limit = reach(&header),
        .cmdline_max = header.cmdline_size,
    };
    place(&header, info);
    axvm_image_is_one_piece(info, size);
    info->segments[0].file_offset = setup_size(&header);
    return AX_OK;
}

const AxImageReader axvm_image_bzimage = {
    .format = AX_IMAGE_BZIMAGE, .matches = matches, .probe = probe};
