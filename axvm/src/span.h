// SPDX-License-Identifier: Apache-2.0
/* Ranges of addresses [base, base + size) that may come from anywhere: nothing here wraps. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct AxSpan {
    uint64_t base;
    uint64_t size;
} AxSpan;

static inline bool axvm_span_inside(AxSpan inner, AxSpan outer)
{
    return inner.base >= outer.base && inner.size <= outer.size &&
           inner.base - outer.base <= outer.size - inner.size;
}

/* Empty spans overlap nothing. */
static inline bool axvm_spans_overlap(AxSpan a, AxSpan b)
{
    return a.size != 0 && b.size != 0 &&
           (a.base <= b.base ? b.base - a.base < a.size : a.base - b.base < b.size);
}

static inline uint64_t axvm_align_down(uint64_t value, uint64_t align)
{
    return value & ~(align - 1);
}

/* UINT64_MAX aligned down when there is no multiple above `value`. */
static inline uint64_t axvm_align_up(uint64_t value, uint64_t align)
{
    return value > UINT64_MAX - (align - 1) ? axvm_align_down(UINT64_MAX, align)
                                            : axvm_align_down(value + (align - 1), align);
}
