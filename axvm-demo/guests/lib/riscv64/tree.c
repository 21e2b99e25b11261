// SPDX-License-Identifier: Apache-2.0
// As much of a device-tree reader as the guest programs need (Devicetree Specification 5).
#include "arch.h"

#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_PROP       3u
#define FDT_END        9u

typedef struct Property {
    const uint8_t *value;
    uint32_t length;
} Property;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const uint8_t *after_name(const uint8_t *p)
{
    uint32_t length = 1;

    while (p[length - 1] != 0) {
        length++;
    }
    return p + ((length + 3) & ~3u);
}

static Property find(const char *name)
{
    const uint8_t *const tree = (const uint8_t *)guest_boot_tree();
    const uint8_t *p = tree + be32(tree + 8);
    const char *const strings = (const char *)tree + be32(tree + 12);

    if (be32(tree) != FDT_MAGIC) {
        return (Property){NULL, 0};
    }
    for (uint32_t token = be32(p); token != FDT_END; token = be32(p)) {
        p += 4;
        if (token == FDT_BEGIN_NODE) {
            p = after_name(p);
        }
        if (token != FDT_PROP) {
            continue;
        }
        if (same(strings + be32(p + 4), name)) {
            return (Property){p + 8, be32(p)};
        }
        p += 8 + ((be32(p) + 3) & ~3u);
    }
    return (Property){NULL, 0};
}

uint32_t guest_tree_number(const char *name)
{
    const Property property = find(name);

    return property.length == 4 ? be32(property.value) : 0;
}

static bool starts_with(const uint8_t *text, uint32_t length, const char *word)
{
    uint32_t i = 0;

    while (word[i] != '\0' && i < length && text[i] == (uint8_t)word[i]) {
        i++;
    }
    return word[i] == '\0';
}

bool guest_tree_has(const char *name, const char *word)
{
    const Property property = find(name);

    for (uint32_t i = 0; i < property.length; i++) {
        if (starts_with(property.value + i, property.length - i, word)) {
            return true;
        }
    }
    return false;
}
