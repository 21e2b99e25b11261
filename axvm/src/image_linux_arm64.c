// SPDX-License-Identifier: Apache-2.0
/* Linux arm64 Image (Linux, Documentation/arch/arm64/booting.rst, section 4). */
#include "image_format.h"

#include "why.h"

#include <string.h>

// Little-endian whatever the kernel is.
typedef struct LinuxArm64Header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size; // with .bss; what the kernel needs from its start
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset;
} LinuxArm64Header;

_Static_assert(sizeof(LinuxArm64Header) == 64, "the header is 64 bytes long");
_Static_assert(offsetof(LinuxArm64Header, magic) == 0x38, "booting.rst");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are");

#define MAGIC            UINT32_C(0x644d5241) // "ARM\x64"
#define FLAG_BIG_ENDIAN  (UINT64_C(1) << 0)
#define FLAG_PAGE_SHIFT  1
#define FLAG_PAGE_MASK   UINT64_C(3)
#define PAGE_UNSPECIFIED 0u
#define PAGE_4K          1u
#define FLAG_ANY_PLACE   (UINT64_C(1) << 3) // else: as near to the start of RAM as possible
#define FLAG_ALL         (FLAG_BIG_ENDIAN | FLAG_PAGE_MASK << FLAG_PAGE_SHIFT | FLAG_ANY_PLACE)

#define LOAD_ALIGN (UINT64_C(2) << 20)

static LinuxArm64Header header_of(const AxBlob *image)
{
    LinuxArm64Header header;

    memcpy(&header, image->data, sizeof(header));
    return header;
}

static bool matches(const AxBlob *image)
{
    return image->size >= sizeof(LinuxArm64Header) && header_of(image).magic == MAGIC;
}

static AxError check_flags(uint64_t flags, const char **why)
{
    const uint64_t page = flags >> FLAG_PAGE_SHIFT & FLAG_PAGE_MASK;

    if ((flags & ~FLAG_ALL) != 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: Image header has unknown flags");
    }
    if ((flags & FLAG_BIG_ENDIAN) != 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: Image is big-endian");
    }
    if (page != PAGE_UNSPECIFIED && page != PAGE_4K) {
        return axvm_because(why, AX_EFORMAT, "kernel: Image is not made for pages of 4 KiB");
    }
    return AX_OK;
}

static AxError check_sizes(const LinuxArm64Header *header, const char **why)
{
    if (header->image_size == 0) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: Image without image_size (before Linux 3.17)");
    }
    if (header->text_offset >= LOAD_ALIGN || header->text_offset % AX_PAGE_SIZE != 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: text_offset of Image is no page below 2 MiB");
    }
    return AX_OK;
}

static AxError probe(const AxBlob *image, AxImageInfo *info, const char **why)
{
    LinuxArm64Header header;
    AxError error;

    if (image->size < sizeof(header)) {
        return axvm_because(why, AX_EFORMAT, "kernel: too short for the header of an Image");
    }
    if (!matches(image)) {
        return axvm_because(why, AX_EFORMAT, "kernel: no Linux arm64 Image (wrong magic number)");
    }
    header = header_of(image);
    error = check_flags(header.flags, why);
    if (error == AX_OK) {
        error = check_sizes(&header, why);
    }
    if (error != AX_OK) {
        return error;
    }
    *info = (AxImageInfo){
        .format = AX_IMAGE_LINUX_ARM64,
        .machine = AX_MACHINE_AARCH64,
        .load_offset = header.text_offset,
        .load_align = LOAD_ALIGN,
        .memory_size = header.image_size > image->size ? header.image_size : image->size,
    };
    axvm_image_is_one_piece(info, image->size);
    return AX_OK;
}

const AxImageReader axvm_image_linux_arm64 = {
    .format = AX_IMAGE_LINUX_ARM64, .matches = matches, .probe = probe};
