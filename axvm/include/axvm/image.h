// SPDX-License-Identifier: Apache-2.0
/* Guest images: what their headers say, checked; where they go. */
#pragma once

#include <axvm/addrspace.h>
#include <axvm/config.h>

/* How the guest is started; what it finds then is in the machine's description. */
typedef enum AxBootProtocol {
    AX_BOOT_NATIVE, /* as the backend starts a vCPU: the description's address is its argument */
    /* x86 only: */
    AX_BOOT_LINUX64,   /* 64-bit mode, RSI: boot_params (Linux, x86/boot.rst) */
    AX_BOOT_LINUX32,   /* protected mode, ESI: boot_params */
    AX_BOOT_PVH,       /* protected mode, EBX: hvm_start_info (Xen, PVH) */
    AX_BOOT_MULTIBOOT, /* protected mode, EAX: magic, EBX: multiboot_info (Multiboot 0.6.96) */
} AxBootProtocol;

/* ELF's numbers of architectures (e_machine); 0 is for images that do not say it. */
typedef enum AxImageMachine {
    AX_MACHINE_ANY = 0,
    AX_MACHINE_I386 = 3,
    AX_MACHINE_X86_64 = 62,
    AX_MACHINE_AARCH64 = 183,
    AX_MACHINE_RISCV = 243,
} AxImageMachine;

/* A piece of the file and its place; behind it zeroes up to memory_size. */
typedef struct AxImageSegment {
    uint64_t file_offset;
    uint64_t file_size;
    uint64_t offset; /* from the load address */
    uint64_t memory_size;
} AxImageSegment;

#define AX_IMAGE_SEGMENTS_MAX 16u

/* What a header tells, before anything is copied. */
typedef struct AxImageInfo {
    AxImageFormat format; /* never AUTO */
    AxBootProtocol protocol;
    uint16_t machine;      /* AxImageMachine */
    bool fixed;            /* it goes to load_min and nowhere else */
    uint64_t load_min;     /* lowest load address */
    uint64_t load_offset;  /* from a 2 MiB aligned base (Linux: text_offset) */
    uint64_t load_align;   /* of that base, a power of two */
    uint64_t memory_size;  /* memory it needs from its load address, >= that of all segments */
    uint64_t entry_offset; /* from the load address */
    uint64_t limit;        /* kernel, ramdisk and description end below it; 0: anywhere */
    uint64_t cmdline_max;  /* longest command line without its 0; 0: any */
    uint32_t segment_count;
    AxImageSegment segments[AX_IMAGE_SEGMENTS_MAX]; /* inside the file, disjoint in memory */
} AxImageInfo;

/* Reads the images of one format; the blob is not empty. `probe` as axvm_image_probe. */
typedef struct AxImageReader {
    AxImageFormat format;
    bool (*matches)(const AxBlob *image); /* it has the magic of the format */
    AxError (*probe)(const AxBlob *image, AxImageInfo *info, const char **why);
} AxImageReader;

extern const AxImageReader axvm_image_linux_arm64;
extern const AxImageReader axvm_image_linux_riscv64;
extern const AxImageReader axvm_image_bzimage;
extern const AxImageReader axvm_image_multiboot; /* in a list before ELF: some of them are */
extern const AxImageReader axvm_image_elf;
extern const AxImageReader axvm_image_raw; /* last: it takes everything */

/* All of them, in this order, then NULL. */
extern const AxImageReader *const axvm_image_all[];

/*
 * `readers` ends with NULL; AUTO takes the first one that matches. AX_EFORMAT with a sentence in
 * *why: too short, wrong magic, big-endian, wrong page size, sizes that do not fit; AX_EOVERLAP:
 * segments overlap; AX_ENOTSUP: nobody reads `format`. AX_IMAGE_RAW accepts anything but an empty
 * blob. Whether the architecture is the machine's is for the caller to see.
 */
AX_MUST_CHECK AxError axvm_image_probe(const AxImageReader *const *readers, AxImageFormat format,
                                       const AxBlob *image, AxImageInfo *info, const char **why);

/* Where the parts of a VM's boot image lie; none overlap, all inside one RAM region. */
typedef struct AxBootLayout {
    GuestPhysAddr kernel;
    GuestPhysAddr entry;
    GuestPhysAddr ramdisk; /* valid when config->ramdisk.size != 0 */
    /*
     * What the machine tells the guest about itself, AX_BOOT_BLOCK_ROOM bytes: the devicetree, and
     * on x86 all that a boot protocol wants in memory (start info, tables of the CPU, ACPI).
     */
    GuestPhysAddr boot_block;
} AxBootLayout;

#define AX_BOOT_BLOCK_ROOM UINT64_C(0x10000)

/* AX_ERANGE, AX_EOVERLAP, AX_EALIGN with a sentence in *why when it does not fit. */
AX_MUST_CHECK AxError axvm_boot_layout(const AxVMConfig *config, const AxImageInfo *info,
                                       AxBootLayout *layout, const char **why);
