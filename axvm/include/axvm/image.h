// SPDX-License-Identifier: Apache-2.0
/* Guest images: what their headers say, checked; where they go. */
#pragma once

#include <axvm/addrspace.h>
#include <axvm/config.h>

/* What a header tells, before anything is copied. */
typedef struct AxImageInfo {
    AxImageFormat format;  /* never AUTO */
    uint64_t load_offset;  /* from a 2 MiB aligned base (Linux: text_offset) */
    uint64_t load_align;   /* of that base */
    uint64_t memory_size;  /* memory it needs from its load address, >= file size */
    uint64_t entry_offset; /* from the load address */
} AxImageInfo;

/*
 * AX_EFORMAT with a sentence in *why: too short, wrong magic, big-endian, wrong page size, sizes
 * that do not fit. AX_IMAGE_RAW accepts anything but an empty blob. AUTO: raw when no magic fits.
 */
AX_MUST_CHECK AxError axvm_image_probe(AxImageFormat format, const AxBlob *image, AxImageInfo *info,
                                       const char **why);

/* Where the parts of a VM's boot image lie; none overlap, all inside one RAM region. */
typedef struct AxBootLayout {
    GuestPhysAddr kernel;
    GuestPhysAddr entry;
    GuestPhysAddr ramdisk; /* valid when config->ramdisk.size != 0 */
    GuestPhysAddr fdt;     /* room of AX_FDT_ROOM bytes */
} AxBootLayout;

#define AX_FDT_ROOM UINT64_C(0x10000)

/* AX_ERANGE, AX_EOVERLAP, AX_EALIGN with a sentence in *why when it does not fit. */
AX_MUST_CHECK AxError axvm_boot_layout(const AxVMConfig *config, const AxImageInfo *info,
                                       AxBootLayout *layout, const char **why);
