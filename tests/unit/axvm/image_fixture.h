// SPDX-License-Identifier: Apache-2.0
/* A file that a test fills in, and what its headers say. */
#pragma once

#include "test.h"

#include <axvm/image.h>

#define FILE_ROOM 0x8000u

static uint8_t file[FILE_ROOM];
static AxBlob image;
static AxImageInfo info;
static const char *why;

static inline void put(size_t offset, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        file[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void begin_file(uint64_t size)
{
    memset(file, 0, sizeof(file));
    image = (AxBlob){file, size};
}

static inline AxError probe(AxImageFormat format)
{
    why = NULL;
    memset(&info, 0xff, sizeof(info));

    const AxError error = axvm_image_probe(axvm_image_all, format, &image, &info, &why);

    assert_int_equal(error == AX_OK, why == NULL);
    return error;
}

static inline void assert_refused_because(AxImageFormat format, AxError error, const char *word)
{
    assert_error(probe(format), error);
    if (strstr(why, word) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, word);
    }
}

/* A change of one field of a good file, and what it is good for: NULL for nothing wrong. */
typedef struct Change {
    size_t offset;
    size_t size;
    uint64_t value;
    const char *word;
} Change;

static inline void check_changes(AxImageFormat format, void (*good)(void), const Change *changes,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        good();
        put(changes[i].offset, changes[i].value, changes[i].size);
        if (changes[i].word != NULL) {
            (void)!probe(format);
            if (why == NULL || strstr(why, changes[i].word) == NULL) {
                fail_msg("change %zu of 0x%zx: %s", i, changes[i].offset, why ? why : "accepted");
            }
        } else if (probe(format) != AX_OK) {
            fail_msg("change %zu of 0x%zx: %s", i, changes[i].offset, why);
        }
    }
}
