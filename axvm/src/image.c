// SPDX-License-Identifier: Apache-2.0
/* What kind of image a blob is, by a list of readers; each format has a file of its own. */
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

const AxImageReader axvm_image_raw = {
    .format = AX_IMAGE_RAW, .matches = is_raw, .probe = probe_raw};

AxError axvm_image_probe(const AxImageReader *const *readers, AxImageFormat format,
                         const AxBlob *image, AxImageInfo *info, const char **why)
{
    if (image == NULL || info == NULL || image->data == NULL || image->size == 0) {
        return axvm_because(why, AX_EFORMAT, "kernel: the image is empty");
    }
    for (; *readers != NULL; readers++) {
        const bool wanted = format == AX_IMAGE_AUTO ? (*readers)->matches(image)
                                                    : format == (*readers)->format;

        if (wanted) {
            return (*readers)->probe(image, info, why);
        }
    }
    return axvm_because(why, AX_ENOTSUP, "kernel: no image format of this machine");
}
