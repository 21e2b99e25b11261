// SPDX-License-Identifier: Apache-2.0
/* What kind of image a blob is, by a table of formats; each format has a file of its own. */
#include "image_format.h"

#include "why.h"

static AxError probe_raw(const AxBlob *image, AxImageInfo *info, const char **why)
{
    (void)why;
    *info = (AxImageInfo){
        .format = AX_IMAGE_RAW, .load_align = AX_PAGE_SIZE, .memory_size = image->size};
    axvm_image_is_one_piece(info, image->size);
    return AX_OK;
}

static bool is_raw(const AxBlob *image)
{
    (void)image;
    return true;
}

// In the order in which AUTO tries them: raw takes everything.
static const struct {
    AxImageFormat format;
    bool (*matches)(const AxBlob *image);
    AxError (*probe)(const AxBlob *image, AxImageInfo *info, const char **why);
} formats[] = {
    {AX_IMAGE_LINUX_ARM64, axvm_linux_arm64_matches, axvm_linux_arm64_probe},
    {AX_IMAGE_LINUX_RISCV64, axvm_linux_riscv64_matches, axvm_linux_riscv64_probe},
    {AX_IMAGE_BZIMAGE, axvm_bzimage_matches, axvm_bzimage_probe},
    // Before ELF: some of them are.
    {AX_IMAGE_MULTIBOOT, axvm_multiboot_matches, axvm_multiboot_probe},
    {AX_IMAGE_ELF, axvm_elf_matches, axvm_elf_probe},
    {AX_IMAGE_RAW, is_raw, probe_raw},
};

AxError axvm_image_probe(AxImageFormat format, const AxBlob *image, AxImageInfo *info,
                         const char **why)
{
    if (image == NULL || info == NULL || image->data == NULL || image->size == 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: the image is empty");
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const bool wanted = format == AX_IMAGE_AUTO ? formats[i].matches(image)
                                                    : format == formats[i].format;

        if (wanted) {
            return formats[i].probe(image, info, why);
        }
    }
    return axvm_because(why, AX_ENOTSUP, "kernel: the image format is not known");
}
