// SPDX-License-Identifier: Apache-2.0
/*
 * ELF executables (System V ABI, chapters 4 and 5), and Xen's PVH note in them (Xen,
 * docs/misc/pvh.pandoc): where physical addresses say, whatever the virtual ones are.
 */
#include "image_format.h"

#include "span.h"
#include "why.h"

#include <string.h>

typedef struct Elf32Header {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint32_t entry;
    uint32_t phoff;
    uint32_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
} Elf32Header;

typedef struct Elf64Header {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t phoff;
    uint64_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
} Elf64Header;

typedef struct Elf32Segment {
    uint32_t type;
    uint32_t offset;
    uint32_t vaddr;
    uint32_t paddr;
    uint32_t filesz;
    uint32_t memsz;
    uint32_t flags;
    uint32_t align;
} Elf32Segment;

typedef struct Elf64Segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
} Elf64Segment;

typedef struct ElfNote {
    uint32_t name_size;
    uint32_t desc_size;
    uint32_t type;
} ElfNote;

_Static_assert(sizeof(Elf32Header) == 52 && sizeof(Elf64Header) == 64, "System V ABI");
_Static_assert(sizeof(Elf32Segment) == 32 && sizeof(Elf64Segment) == 56, "System V ABI");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are");

#define IDENT_CLASS   4
#define IDENT_DATA    5
#define IDENT_VERSION 6
#define CLASS_32      1u
#define CLASS_64      2u
#define DATA_LITTLE   1u
#define VERSION_1     1u
#define TYPE_EXEC     2u
#define TYPE_DYN      3u // position-independent: started where it is linked
#define SEGMENT_LOAD  1u
#define SEGMENT_NOTE  4u
#define SEGMENTS_MAX  64u // of all types
#define NOTES_MAX     64u // in one segment
#define NOTE_ALIGN    4u
#define NOTE_PVH      18u // XEN_ELFNOTE_PHYS32_ENTRY
#define LIMIT_32      (UINT64_C(1) << 32)

// What both classes say.
typedef struct Elf {
    const AxBlob *image;
    uint8_t class;
    uint16_t type;
    uint16_t machine;
    uint64_t entry;
    uint64_t phoff;
    uint16_t phentsize;
    uint16_t phnum;
} Elf;

// ---- the header ----

static bool matches(const AxBlob *image)
{
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};

    return image->size >= sizeof(magic) && memcmp(image->data, magic, sizeof(magic)) == 0;
}

static AxError check_ident(const AxBlob *image, const char **why)
{
    const uint8_t *ident = image->data;

    if (!matches(image)) {
        return axvm_because(why, AX_EFORMAT, "kernel: no ELF file (wrong magic number)");
    }
    if (image->size < sizeof(Elf64Header)) {
        return axvm_because(why, AX_EFORMAT, "kernel: too short for the header of an ELF file");
    }
    if (ident[IDENT_CLASS] != CLASS_32 && ident[IDENT_CLASS] != CLASS_64) {
        return axvm_because(why, AX_EFORMAT, "kernel: ELF file has neither 32 nor 64 bits");
    }
    if (ident[IDENT_DATA] != DATA_LITTLE) {
        return axvm_because(why, AX_EFORMAT, "kernel: ELF file is big-endian");
    }
    return ident[IDENT_VERSION] == VERSION_1
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: ELF file of an unknown version");
}

static Elf header_of(const AxBlob *image)
{
    Elf32Header narrow;
    Elf64Header wide;

    memcpy(&narrow, image->data, sizeof(narrow));
    memcpy(&wide, image->data, sizeof(wide));
    if (narrow.ident[IDENT_CLASS] == CLASS_32) {
        return (Elf){image,        CLASS_32,     narrow.type,      narrow.machine,
                     narrow.entry, narrow.phoff, narrow.phentsize, narrow.phnum};
    }
    return (Elf){image,      CLASS_64,   wide.type,      wide.machine,
                 wide.entry, wide.phoff, wide.phentsize, wide.phnum};
}

static uint64_t entry_size(const Elf *elf)
{
    return elf->class == CLASS_32 ? sizeof(Elf32Segment) : sizeof(Elf64Segment);
}

static bool in_file(const Elf *elf, uint64_t offset, uint64_t size)
{
    return axvm_span_inside((AxSpan){offset, size}, (AxSpan){0, elf->image->size});
}

static AxError check_header(const Elf *elf, const char **why)
{
    if (elf->type != TYPE_EXEC && elf->type != TYPE_DYN) {
        return axvm_because(why, AX_EFORMAT, "kernel: ELF file is no executable");
    }
    if (elf->phnum == 0 || elf->phnum > SEGMENTS_MAX || elf->phentsize != entry_size(elf)) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: ELF file has no program headers, too many, or odd ones");
    }
    return in_file(elf, elf->phoff, elf->phnum * entry_size(elf))
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: ELF file ends in its program headers");
}

// ---- segments ----

static Elf64Segment segment_at(const Elf *elf, uint32_t index)
{
    const uint8_t *at = elf->image->data + elf->phoff + index * entry_size(elf);
    Elf32Segment narrow;
    Elf64Segment wide;

    if (elf->class == CLASS_64) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return (Elf64Segment){narrow.type,  narrow.flags,  narrow.offset, narrow.vaddr,
                          narrow.paddr, narrow.filesz, narrow.memsz,  narrow.align};
}

static bool is_loaded(const Elf64Segment *segment)
{
    return segment->type == SEGMENT_LOAD && segment->memsz != 0;
}

static AxError check_segment(const Elf *elf, const Elf64Segment *segment, const char **why)
{
    if (!in_file(elf, segment->offset, segment->filesz)) {
        return axvm_because(why, AX_EFORMAT, "kernel: a segment of the ELF file is cut off");
    }
    if (segment->filesz > segment->memsz) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: a segment of the ELF file is larger than its memory");
    }
    return segment->paddr <= UINT64_MAX - segment->memsz
               ? AX_OK
               : axvm_because(why, AX_EFORMAT,
                              "kernel: a segment of the ELF file goes beyond the last address");
}

// Until the lowest address is known, offsets are addresses.
static AxError add_segment(AxImageInfo *info, const Elf64Segment *segment, const char **why)
{
    const AxSpan span = {segment->paddr, segment->memsz};

    if (info->segment_count == AX_IMAGE_SEGMENTS_MAX) {
        return axvm_because(why, AX_EFORMAT, "kernel: ELF file has more than 16 segments");
    }
    for (uint32_t i = 0; i < info->segment_count; i++) {
        const AxImageSegment *other = &info->segments[i];

        if (axvm_spans_overlap(span, (AxSpan){other->offset, other->memory_size})) {
            return axvm_because(why, AX_EOVERLAP, "kernel: segments of the ELF file overlap");
        }
    }
    info->segments[info->segment_count++] = (AxImageSegment){segment->offset, segment->filesz,
                                                             segment->paddr, segment->memsz};
    return AX_OK;
}

static AxError read_segments(const Elf *elf, AxImageInfo *info, const char **why)
{
    for (uint32_t i = 0; i < elf->phnum; i++) {
        const Elf64Segment segment = segment_at(elf, i);
        AxError error = AX_OK;

        if (is_loaded(&segment)) {
            error = check_segment(elf, &segment, why);
        }
        if (error == AX_OK && is_loaded(&segment)) {
            error = add_segment(info, &segment, why);
        }
        if (error != AX_OK) {
            return error;
        }
    }
    return info->segment_count != 0
               ? AX_OK
               : axvm_because(why, AX_EFORMAT, "kernel: ELF file has nothing to load");
}

static void make_relative(AxImageInfo *info)
{
    uint64_t end = 0;

    info->load_min = UINT64_MAX;
    for (uint32_t i = 0; i < info->segment_count; i++) {
        const AxImageSegment *segment = &info->segments[i];
        const uint64_t last = segment->offset + segment->memory_size;

        info->load_min = segment->offset < info->load_min ? segment->offset : info->load_min;
        end = last > end ? last : end;
    }
    info->memory_size = end - info->load_min;
    for (uint32_t i = 0; i < info->segment_count; i++) {
        info->segments[i].offset -= info->load_min;
    }
}

// ---- where it starts ----

static bool is_in_segment(const AxImageInfo *info, uint64_t address)
{
    for (uint32_t i = 0; i < info->segment_count; i++) {
        const AxImageSegment *segment = &info->segments[i];

        if (address - info->load_min - segment->offset < segment->memory_size) {
            return true;
        }
    }
    return false;
}

// Of a virtual address, if a segment holds it.
static uint64_t to_physical(const Elf *elf, uint64_t address)
{
    for (uint32_t i = 0; i < elf->phnum; i++) {
        const Elf64Segment segment = segment_at(elf, i);

        if (is_loaded(&segment) && address - segment.vaddr < segment.memsz) {
            return address - segment.vaddr + segment.paddr;
        }
    }
    return address;
}

static AxError set_entry(AxImageInfo *info, uint64_t entry, const char **why)
{
    if (!is_in_segment(info, entry)) {
        return axvm_because(why, AX_EFORMAT,
                            "kernel: the entry point is in no segment of the ELF file");
    }
    info->entry_offset = entry - info->load_min;
    return AX_OK;
}

// The entry point is a virtual address; but x86's kernels give a physical one.
static AxError find_entry(const Elf *elf, AxImageInfo *info, const char **why)
{
    return set_entry(
        info, is_in_segment(info, elf->entry) ? elf->entry : to_physical(elf, elf->entry), why);
}

static AxError read_parts(const Elf *elf, AxImageInfo *info, const char **why)
{
    AxError error = read_segments(elf, info, why);

    if (error != AX_OK) {
        return error;
    }
    make_relative(info);
    return find_entry(elf, info, why);
}

static AxError open_elf(const AxBlob *image, Elf *elf, const char **why)
{
    const AxError error = check_ident(image, why);

    if (error != AX_OK) {
        return error;
    }
    *elf = header_of(image);
    return check_header(elf, why);
}

static AxError read_elf(const AxBlob *image, Elf *elf, AxImageInfo *info, const char **why)
{
    const AxError error = open_elf(image, elf, why);

    if (error != AX_OK) {
        return error;
    }
    *info = (AxImageInfo){
        .format = AX_IMAGE_ELF, .machine = elf->machine, .fixed = true, .load_align = 1};
    return read_parts(elf, info, why);
}

AxError axvm_elf_read(const AxBlob *image, AxImageInfo *info, const char **why)
{
    Elf elf;

    return read_elf(image, &elf, info, why);
}

// ---- Xen's note ----

static bool is_pvh(const ElfNote *note, const uint8_t *name)
{
    static const uint8_t xen[] = {'X', 'e', 'n', 0};

    return note->type == NOTE_PVH && note->name_size == sizeof(xen) &&
           memcmp(name, xen, sizeof(xen)) == 0 && (note->desc_size == 4 || note->desc_size == 8);
}

// Notes of `size` bytes. The address of the PVH entry, or 0.
static uint64_t find_pvh(const uint8_t *notes, uint64_t size)
{
    for (uint32_t i = 0; i < NOTES_MAX && size >= sizeof(ElfNote); i++) {
        uint64_t entry = 0;
        ElfNote note;

        memcpy(&note, notes, sizeof(note));

        const uint64_t desc = sizeof(note) + axvm_align_up(note.name_size, NOTE_ALIGN);
        const uint64_t next = desc + axvm_align_up(note.desc_size, NOTE_ALIGN);

        if (next > size) {
            return 0;
        }
        if (is_pvh(&note, notes + sizeof(note))) {
            memcpy(&entry, notes + desc, note.desc_size);
            return entry;
        }
        notes += next;
        size -= next;
    }
    return 0;
}

static uint64_t pvh_entry(const Elf *elf)
{
    uint64_t entry = 0;

    for (uint32_t i = 0; i < elf->phnum && entry == 0; i++) {
        const Elf64Segment segment = segment_at(elf, i);

        if (segment.type == SEGMENT_NOTE && in_file(elf, segment.offset, segment.filesz)) {
            entry = find_pvh(elf->image->data + segment.offset, segment.filesz);
        }
    }
    return entry;
}

// ---- how it starts ----

static bool is_x86(const Elf *elf)
{
    return elf->machine == AX_MACHINE_I386 || elf->machine == AX_MACHINE_X86_64;
}

static AxError choose_protocol(const Elf *elf, AxImageInfo *info, const char **why)
{
    const uint64_t pvh = pvh_entry(elf);

    if (!is_x86(elf)) {
        return AX_OK;
    }
    info->limit = LIMIT_32;
    if (pvh != 0) {
        info->protocol = AX_BOOT_PVH;
        return set_entry(info, pvh, why);
    }
    info->protocol = elf->class == CLASS_64 ? AX_BOOT_LINUX64 : AX_BOOT_LINUX32;
    return AX_OK;
}

static AxError probe(const AxBlob *image, AxImageInfo *info, const char **why)
{
    Elf elf;
    const AxError error = read_elf(image, &elf, info, why);

    return error == AX_OK ? choose_protocol(&elf, info, why) : error;
}

const AxImageReader axvm_image_elf = {.format = AX_IMAGE_ELF, .matches = matches, .probe = probe};
