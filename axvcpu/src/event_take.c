// SPDX-License-Identifier: Apache-2.0
/* Lock-free events, the taking side; the rules of ordering are in event.c. */
#include "event_bits.h"
#include "internal.h"

#include <axvcpu/bits.h>

bool axvcpu_events_take_pending(AxEvents *events, uint32_t irq)
{
    return irq < AX_IRQ_COUNT && clear_bit(events->pending, irq);
}

void axvcpu_events_restore_pending(AxEvents *events, uint32_t irq)
{
    if (irq < AX_IRQ_COUNT) {
        (void)raise_bit(events, events->pending, irq);
    }
}

void axvcpu_events_set_own_level(AxEvents *events, uint32_t irq, bool high)
{
    if (irq < AX_IRQ_COUNT) {
        (void)write_level(events, irq, high);
    }
}

bool axvcpu_events_latched(const AxEvents *events, uint32_t irq)
{
    return axvcpu_irq_bit(events->pending, irq);
}

uint64_t axvcpu_events_take_requests(AxEvents *events, AxIrqRequest request, uint32_t word)
{
    if ((unsigned)request >= AX_IRQ_REQUEST_COUNT || word >= AX_IRQ_WORDS) {
        return 0;
    }
    return atomic_exchange_explicit(&events->request[request][word], 0, memory_order_acquire);
}

bool axvcpu_events_take_exception(AxEvents *events, AxException *out)
{
    if (atomic_load_explicit(&events->exception_slot, memory_order_acquire) != SLOT_FULL) {
        return false;
    }
    *out = events->exception;
    atomic_store_explicit(&events->exception_slot, SLOT_FREE, memory_order_release);
    return true;
}

static bool take_range(AxEvents *events, AxFence *out)
{
    if (atomic_load_explicit(&events->fence_slot, memory_order_acquire) != SLOT_FULL) {
        return false;
    }
    *out = events->fence;
    atomic_store_explicit(&events->fence_slot, SLOT_FREE, memory_order_release);
    return true;
}

static void widen(AxFence *fence, uint32_t all)
{
    if ((all & FENCE_TRANSLATIONS) != 0) {
        *fence = (AxFence){
            .instructions = fence->instructions, .translations = true, .nested = fence->nested};
    }
    fence->instructions = fence->instructions || (all & FENCE_INSTRUCTIONS) != 0;
    fence->nested = fence->nested || (all & FENCE_NESTED) != 0;
}

bool axvcpu_events_take_fence(AxEvents *events, AxFence *out)
{
    // Read first: what is counted here is taken below, or was before.
    const uint64_t posted = atomic_load_explicit(&events->fences_posted, memory_order_acquire);
    const uint32_t all = atomic_exchange_explicit(&events->fences, 0, memory_order_acquire);
    AxFence fence = {0};
    const bool has_range = take_range(events, &fence);

    widen(&fence, all);
    *out = fence;
    atomic_store_explicit(&events->fences_taken, posted, memory_order_release);
    return has_range || all != 0;
}

bool axvcpu_events_any(const AxEvents *events)
{
    // A change of interrupt bits alone ends no wait; it must leave something signalled.
    const uint32_t enders = AX_EVENT_REQUEST | AX_EVENT_EXCEPTION | AX_EVENT_NMI | AX_EVENT_KICK;

    if ((atomic_load_explicit(&events->summary, memory_order_seq_cst) & enders) != 0 ||
        atomic_load_explicit(&events->exception_slot, memory_order_acquire) == SLOT_FULL) {
        return true;
    }
    for (uint32_t left = axvcpu_events_used_words(events); left != 0; left &= left - 1) {
        if (axvcpu_events_signalled(events, ax_lowest_bit(left)) != 0) {
            return true;
        }
    }
    return false;
}
