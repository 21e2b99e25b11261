// SPDX-License-Identifier: Apache-2.0
/* What readers of image formats share. */
#pragma once

#include <axvm/image.h>

/* The piece of the file that is the whole image, as most formats have it. */
static inline void axvm_image_is_one_piece(AxImageInfo *info, uint64_t file_size)
{
    info->segments[0] = (AxImageSegment){.file_size = file_size, .memory_size = file_size};
    info->segment_count = 1;
}

/* Segments, machine and entry point of an ELF file, whatever its notes say: the start is native. */
AX_MUST_CHECK AxError axvm_elf_read(const AxBlob *image, AxImageInfo *info, const char **why);
