// SPDX-License-Identifier: Apache-2.0
#include "ranges.h"

static uint64_t range_end(Range range)
{
    return range.base + range.size;
}

static bool overlap(Range a, Range b)
{
    return a.size != 0 && b.size != 0 && a.base < range_end(b) && b.base < range_end(a);
}

bool range_contains(Range outer, Range inner)
{
    return inner.base >= outer.base && inner.size <= outer.size &&
           inner.base - outer.base <= outer.size - inner.size;
}

bool ranges_contain(const RangeList *list, Range range)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (range_contains(list->items[i], range)) {
            return true;
        }
    }
    return false;
}

bool ranges_overlap(const RangeList *list, Range range)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (overlap(list->items[i], range)) {
            return true;
        }
    }
    return false;
}

bool ranges_add(RangeList *list, uint64_t base, uint64_t size)
{
    if (list->count == RANGES_MAX || size == 0 || size > UINT64_MAX - base) {
        return false;
    }
    list->items[list->count++] = (Range){.base = base, .size = size};
    return true;
}

static void drop(RangeList *list, uint32_t index)
{
    list->items[index] = list->items[--list->count];
}

// What is left of one range on both sides of the hole goes to the end of the list.
static bool remove_from(RangeList *list, uint32_t index, Range hole)
{
    const Range range = list->items[index];

    drop(list, index);
    if (hole.base > range.base && !ranges_add(list, range.base, hole.base - range.base)) {
        return false;
    }
    return range_end(hole) >= range_end(range) ||
           ranges_add(list, range_end(hole), range_end(range) - range_end(hole));
}

bool ranges_remove(RangeList *list, Range hole)
{
    RangeList result = *list;

    for (uint32_t i = 0; i < result.count;) {
        if (!overlap(result.items[i], hole)) {
            i++;
        } else if (!remove_from(&result, i, hole)) {
            return false;
        }
    }
    *list = result;
    return true;
}

void ranges_align(RangeList *list, uint64_t align)
{
    for (uint32_t i = 0; i < list->count;) {
        const Range range = list->items[i];
        const uint64_t skip = -range.base & (align - 1);
        const uint64_t size = skip < range.size ? (range.size - skip) & ~(align - 1) : 0;

        if (size == 0) {
            drop(list, i);
        } else {
            list->items[i++] = (Range){.base = range.base + skip, .size = size};
        }
    }
}
