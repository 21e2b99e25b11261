// SPDX-License-Identifier: Apache-2.0
/* Linux riscv64 Image (Linux, Documentation/arch/riscv/boot-image-header.rst and boot.rst). */
#include "image_format.h"

#include "why.h"

#include <string.h>

// Little-endian whatever the kernel is.
typedef struct LinuxRiscv64Header {
    uint32_t code[2];
    uint64_t text_offset;
    uint64_t image_size; // with .bss; what the kernel needs from its start
    uint64_t flags;
    uint32_t version;
    uint32_t reserved1;
    uint64_t reserved2;
    uint64_t magic; // "RISCV", deprecated since version 0.2
    uint32_t magic2;
    uint32_t pe_offset;
} LinuxRiscv64Header;

_Static_assert(sizeof(LinuxRiscv64Header) == 64, "the header is 64 bytes long");
_Static_assert(offsetof(LinuxRiscv64Header, magic) == 0x30, "boot-image-header.rst");
_Static_assert(offsetof(LinuxRiscv64Header, magic2) == 0x38, "boot-image-header.rst");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are");

#define MAGIC2          UINT32_C(0x05435352) // "RSC\x05"
#define FLAG_BIG_ENDIAN (UINT64_C(1) << 0)

// boot.rst: the kernel's start is at a PMD boundary.
#define LOAD_ALIGN (UINT64_C(2) << 20)

static LinuxRiscv64Header header_of(const AxBlob *image)
{
    LinuxRiscv64Header header;

    memcpy(&header, image->data, sizeof(header));
    return header;
}

static bool matches(const AxBlob *image)
{
    return image->size >= sizeof(LinuxRiscv64Header) && header_of(image).magic2 == MAGIC2;
}

static AxError check_flags(uint64_t flags, const char **why)
{
    if ((flags & ~FLAG_BIG_ENDIAN) != 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: Image header has unknown flags");
    }
    return (flags & FLAG_BIG_ENDIAN) == 0
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: Image is big-endian");
}

static AxError check_sizes(const LinuxRiscv64Header *header, const char **why)
{
    if (header->image_size == 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: Image without image_size");
    }
    if (header->text_offset % LOAD_ALIGN != 0) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: text_offset of Image is no multiple of 2 MiB");
    }
    return AX_OK;
}

static AxError probe(const AxBlob *image, AxImageInfo *info, const char **why)
{
    LinuxRiscv64Header header;
    AxError error;

    if (image->size < sizeof(header)) {
        return axvm_because(why, AX_EFORMAT, "kernel: too short for the header of an Image");
    }
    if (!matches(image)) {
        return axvm_because(why, AX_EFORMAT, "kernel: no Linux riscv64 Image (wrong magic number)");
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
        .format = AX_IMAGE_LINUX_RISCV64,
        .machine = AX_MACHINE_RISCV,
        .load_offset = header.text_offset,
        .load_align = LOAD_ALIGN,
        .memory_size = header.image_size > image->size ? header.image_size : image->size,
    };
    axvm_image_is_one_piece(info, image->size);
    return AX_OK;
}

const AxImageReader axvm_image_linux_riscv64 = {
    .format = AX_IMAGE_LINUX_RISCV64, .matches = matches, .probe = probe};
