// SPDX-License-Identifier: Apache-2.0
/* Single bits of the event bitmaps, for the posting and the taking side. */
#pragma once

#include <axvcpu/event.h>

enum { SLOT_FREE, SLOT_WRITING, SLOT_FULL };

// Bits of AxEvents.fences.
#define FENCE_INSTRUCTIONS (UINT32_C(1) << 0)
#define FENCE_TRANSLATIONS (UINT32_C(1) << 1)
#define FENCE_NESTED       (UINT32_C(1) << 2)

_Static_assert(AX_IRQ_COUNT % 64 == 0, "the bitmaps consist of whole words");
_Static_assert(AX_IRQ_WORDS <= 32, "used_words has a bit for each word");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "events are lock-free");

static inline uint64_t bit_of(uint32_t irq)
{
    return UINT64_C(1) << (irq % 64);
}

static inline bool set_bit(_Atomic uint64_t *bitmap, uint32_t irq)
{
    const uint64_t old = atomic_fetch_or_explicit(&bitmap[irq / 64], bit_of(irq),
                                                  memory_order_acq_rel);

    return (old & bit_of(irq)) == 0;
}

// As set_bit, for the bitmaps that used_words tells about. Words stay marked: a guest uses few.
static inline bool raise_bit(AxEvents *events, _Atomic uint64_t *bitmap, uint32_t irq)
{
    const uint32_t word = UINT32_C(1) << (irq / 64);
    const bool changed = set_bit(bitmap, irq);

    if ((atomic_load_explicit(&events->used_words, memory_order_relaxed) & word) == 0) {
        atomic_fetch_or_explicit(&events->used_words, word, memory_order_release);
    }
    return changed;
}

static inline bool clear_bit(_Atomic uint64_t *bitmap, uint32_t irq)
{
    const uint64_t old = atomic_fetch_and_explicit(&bitmap[irq / 64], ~bit_of(irq),
                                                   memory_order_acq_rel);

    return (old & bit_of(irq)) != 0;
}

static inline bool write_level(AxEvents *events, uint32_t irq, bool high)
{
    return high ? raise_bit(events, events->level, irq) : clear_bit(events->level, irq);
}

static inline bool write_bit(_Atomic uint64_t *bitmap, uint32_t irq, bool value)
{
    return value ? set_bit(bitmap, irq) : clear_bit(bitmap, irq);
}
