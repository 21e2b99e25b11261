// SPDX-License-Identifier: Apache-2.0
/* Short lists of address ranges. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RANGES_MAX 16u

typedef struct Range {
    uint64_t base;
    uint64_t size;
} Range;

typedef struct RangeList {
    uint32_t count;
    Range items[RANGES_MAX];
} RangeList;

/* False when the list is full, the size is 0 or the range wraps. */
bool ranges_add(RangeList *list, uint64_t base, uint64_t size);

/* Takes `hole` out of every range. False, with nothing changed, when a split finds the list full. */
bool ranges_remove(RangeList *list, Range hole);

/* Shrinks every range to whole multiples of `align`, a power of two; drops what becomes empty. */
void ranges_align(RangeList *list, uint64_t align);

bool range_contains(Range outer, Range inner);

/* Whether one of the ranges holds all of `range`; whether one holds any of it. */
bool ranges_contain(const RangeList *list, Range range);
bool ranges_overlap(const RangeList *list, Range range);
