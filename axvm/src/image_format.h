// SPDX-License-Identifier: Apache-2.0
/* One pair of functions per image format; the blob is not empty. */
#pragma once

#include <axvm/image.h>

bool axvm_linux_arm64_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_linux_arm64_probe(const AxBlob *image, AxImageInfo *info,
                                             const char **why);

bool axvm_linux_riscv64_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_linux_riscv64_probe(const AxBlob *image, AxImageInfo *info,
                                               const char **why);

bool axvm_bzimage_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_bzimage_probe(const AxBlob *image, AxImageInfo *info, const char **why);

bool axvm_multiboot_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_multiboot_probe(const AxBlob *image, AxImageInfo *info,
                                           const char **why);

bool axvm_elf_matches(const AxBlob *image);
AX_MUST_CHECK AxError axvm_elf_probe(const AxBlob *image, AxImageInfo *info, const char **why);

/* The piece of the file that is the whole image, as most formats have it. */
static inline void axvm_image_is_one_piece(AxImageInfo *info, uint64_t file_size)
{
    info->segments[0] = (AxImageSegment){.file_size = file_size, .memory_size = file_size};
    info->segment_count = 1;
}

/* Segments, machine and entry point of an ELF file, whatever its notes say: the start is native. */
AX_MUST_CHECK AxError axvm_elf_read(const AxBlob *image, AxImageInfo *info, const char **why);
