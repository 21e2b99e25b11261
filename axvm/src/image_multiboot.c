// SPDX-License-Identifier: Apache-2.0
/* Multiboot 1 (Multiboot Specification 0.6.96, section 3.1). */
#include "image_format.h"

#include "span.h"
#include "why.h"

#include <string.h>

typedef struct MultibootHeader {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum;
} MultibootHeader;

// Behind it with FLAG_ADDRESSES.
typedef struct MultibootAddresses {
    uint32_t header_addr;
    uint32_t load_addr;
    uint32_t load_end_addr; // 0: to the end of the file
    uint32_t bss_end_addr;  // 0: no .bss
    uint32_t entry_addr;
} MultibootAddresses;

_Static_assert(sizeof(MultibootHeader) == 12 && sizeof(MultibootAddresses) == 20, "section 3.1.1");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are");

#define MAGIC          UINT32_C(0x1badb002)
#define SEARCH_SIZE    8192u
#define SEARCH_STEP    4u
#define FLAGS_REQUIRED UINT32_C(0xffff) // a loader that does not know one of these must refuse
#define FLAG_ALIGNED   UINT32_C(0x01)   // modules at page boundaries
#define FLAG_MEMORY    UINT32_C(0x02)   // wants to be told of its memory
#define FLAG_VIDEO     UINT32_C(0x04)
#define FLAG_ADDRESSES UINT32_C(0x10000)
#define LIMIT_32       (UINT64_C(1) << 32)

// Offset of the header; false when there is none.
static bool find_header(const AxBlob *image, MultibootHeader *header, uint64_t *offset)
{
    const uint64_t end = image->size < SEARCH_SIZE ? image->size : SEARCH_SIZE;

    for (*offset = 0; *offset + sizeof(*header) <= end; *offset += SEARCH_STEP) {
        memcpy(header, image->data + *offset, sizeof(*header));
        if (header->magic == MAGIC && header->magic + header->flags + header->checksum == 0) {
            return true;
        }
    }
    return false;
}

static bool matches(const AxBlob *image)
{
    MultibootHeader header;
    uint64_t offset;

    return find_header(image, &header, &offset);
}

static AxError check_flags(const MultibootHeader *header, const char **why)
{
    if ((header->flags & FLAG_VIDEO) != 0) {
        return axvm_because(why, AX_ENOTSUP, "kernel: Multiboot header asks for a video mode");
    }
    return (header->flags & FLAGS_REQUIRED & ~(FLAG_ALIGNED | FLAG_MEMORY)) == 0
               ? AX_OK
               : axvm_because(why, AX_ENOTSUP, "kernel: Multiboot header has unknown requirements");
}

// ---- with addresses in the header ----

static AxError check_addresses(const MultibootAddresses *at, uint64_t header, const char **why)
{
    if (at->header_addr < at->load_addr || at->header_addr - at->load_addr > header) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: Multiboot load_addr is before the file or behind the header");
    }
    if (at->load_end_addr != 0 && at->load_end_addr <= at->header_addr) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: Multiboot load_end_addr is before the header");
    }
    return AX_OK;
}

static AxError check_ends(const AxBlob *image, const AxImageInfo *info,
                          const MultibootAddresses *at, const char **why)
{
    const AxImageSegment *piece = &info->segments[0];

    if (piece->file_size > image->size - piece->file_offset) {
        return axvm_because(why, AX_EFORMAT, "kernel: Multiboot image is cut off");
    }
    if (at->bss_end_addr != 0 && at->bss_end_addr < info->load_min + piece->file_size) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: Multiboot bss_end_addr is before the end of the data");
    }
    return at->entry_addr >= at->load_addr && info->entry_offset < piece->memory_size
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: Multiboot entry_addr is not in the image");
}

static AxError read_addresses(const AxBlob *image, uint64_t header, AxImageInfo *info,
                              const char **why)
{
    MultibootAddresses at;
    AxError error;

    if (image->size - header < sizeof(MultibootHeader) + sizeof(at)) {
        return axvm_because(why, AX_EFORMAT, "kernel: Multiboot image ends in its header");
    }
    memcpy(&at, image->data + header + sizeof(MultibootHeader), sizeof(at));
    error = check_addresses(&at, header, why);
    if (error != AX_OK) {
        return error;
    }

    const uint64_t start = header - (at.header_addr - at.load_addr);
    const uint64_t size = at.load_end_addr != 0 ? at.load_end_addr - at.load_addr
                                                : image->size - start;
    const uint64_t memory = at.bss_end_addr != 0 ? (uint64_t)at.bss_end_addr - at.load_addr : size;

    *info = (AxImageInfo){
        .machine = AX_MACHINE_I386,
        .fixed = true,
        .load_min = at.load_addr,
        .load_align = 1,
        .memory_size = memory,
        .entry_offset = (uint64_t)at.entry_addr - at.load_addr,
        .segment_count = 1,
        .segments = {{.file_offset = start, .file_size = size, .memory_size = memory}},
    };
    return check_ends(image, info, &at, why);
}

// ---- with those of ELF ----

static AxError read_elf(const AxBlob *image, AxImageInfo *info, const char **why)
{
    const AxError error = axvm_elf_read(image, info, why);

    if (error != AX_OK) {
        return error;
    }
    return info->machine == AX_MACHINE_I386 || info->machine == AX_MACHINE_X86_64
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: Multiboot image that is not for x86");
}

static AxError probe(const AxBlob *image, AxImageInfo *info, const char **why)
{
    MultibootHeader header;
    uint64_t offset;
    AxError error;

    if (!find_header(image, &header, &offset)) {
        return axvm_because(why, AX_EFORMAT, "kernel: no Multiboot header in the first 8 KiB");
    }
    error = check_flags(&header, why);
    if (error == AX_OK) {
        error = (header.flags & FLAG_ADDRESSES) != 0 ? read_addresses(image, offset, info, why)
                                                     : read_elf(image, info, why);
    }
    if (error != AX_OK) {
        return error;
    }
    info->format = AX_IMAGE_MULTIBOOT;
    info->protocol = AX_BOOT_MULTIBOOT;
    info->limit = LIMIT_32;
    return AX_OK;
}

const AxImageReader axvm_image_multiboot = {
    .format = AX_IMAGE_MULTIBOOT, .matches = matches, .probe = probe};
