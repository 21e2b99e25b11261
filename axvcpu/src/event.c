// SPDX-License-Identifier: Apache-2.0
/*
 * Lock-free events, the posting side. A poster first changes a bitmap (release), then sets a bit of
 * `summary` (seq_cst), then looks at the state (seq_cst); a vCPU first changes its state (seq_cst),
 * then looks at `summary` (seq_cst), then at the bitmaps (acquire). In the one order of all seq_cst
 * operations either the vCPU sees the summary bit, and with it the bitmap, or the poster sees the
 * new state and wakes or kicks. Nothing here needs a fence besides.
 */
#include "event_bits.h"
#include "internal.h"

static void fill(_Atomic uint64_t *bitmap, uint64_t value)
{
    for (uint32_t i = 0; i < AX_IRQ_WORDS; i++) {
        atomic_store_explicit(&bitmap[i], value, memory_order_release);
    }
}

static void announce(AxEvents *events, uint32_t what)
{
    atomic_fetch_or_explicit(&events->summary, what, memory_order_seq_cst);
}

// An unchanged bit needs no announcement: whoever changed it has made one or is about to.
static bool announce_irq(AxEvents *events, bool changed)
{
    if (changed) {
        announce(events, AX_EVENT_IRQ);
    }
    return changed;
}

void axvcpu_events_init(AxEvents *events)
{
    __builtin_memset(events, 0, sizeof(*events));
    fill(events->enabled, UINT64_MAX);
}

void axvcpu_events_reset(AxEvents *events)
{
    AxException dropped;

    fill(events->pending, 0);
    fill(events->level, 0);
    fill(events->enabled, UINT64_MAX);
    for (uint32_t i = 0; i < AX_IRQ_REQUEST_COUNT; i++) {
        fill(events->request[i], 0);
    }
    for (uint32_t i = 0; i < AX_IRQ_COUNT; i++) {
        atomic_store_explicit(&events->priority[i], 0, memory_order_relaxed);
    }
    // Never by a store to the slot: a poster may be writing into it.
    (void)axvcpu_events_take_exception(events, &dropped);
    // Fences stay: what the vCPU left in the TLB of a pCPU outlives it, and their posters rely on it.
    atomic_fetch_and_explicit(&events->summary, AX_EVENT_FENCE, memory_order_seq_cst);
}

// ---- posting ----

bool axvcpu_events_latch(AxEvents *events, uint32_t irq)
{
    return announce_irq(events, raise_bit(events, events->pending, irq));
}

bool axvcpu_events_drive(AxEvents *events, uint32_t irq, bool high)
{
    return announce_irq(events, write_level(events, irq, high));
}

bool axvcpu_events_switch(AxEvents *events, uint32_t irq, bool enable)
{
    return announce_irq(events, write_bit(events->enabled, irq, enable));
}

bool axvcpu_events_rank(AxEvents *events, uint32_t irq, uint8_t priority)
{
    // Not an exchange: compilers for RISC-V make a library call of one that is a byte wide.
    if (atomic_load_explicit(&events->priority[irq], memory_order_acquire) == priority) {
        return false;
    }
    atomic_store_explicit(&events->priority[irq], priority, memory_order_release);
    return announce_irq(events, true);
}

AxError axvcpu_events_post_irq(AxEvents *events, uint32_t irq)
{
    if (irq >= AX_IRQ_COUNT) {
        return AX_ERANGE;
    }
    (void)axvcpu_events_latch(events, irq);
    return AX_OK;
}

AxError axvcpu_events_set_level(AxEvents *events, uint32_t irq, bool high)
{
    if (irq >= AX_IRQ_COUNT) {
        return AX_ERANGE;
    }
    (void)axvcpu_events_drive(events, irq, high);
    return AX_OK;
}

AxError axvcpu_events_enable_irq(AxEvents *events, uint32_t irq, bool enable)
{
    if (irq >= AX_IRQ_COUNT) {
        return AX_ERANGE;
    }
    (void)axvcpu_events_switch(events, irq, enable);
    return AX_OK;
}

AxError axvcpu_events_set_priority(AxEvents *events, uint32_t irq, uint8_t priority)
{
    if (irq >= AX_IRQ_COUNT) {
        return AX_ERANGE;
    }
    (void)axvcpu_events_rank(events, irq, priority);
    return AX_OK;
}

// A request makes an earlier one void that says the opposite. The latch goes here and not in the
// backend, where an edge that came after the request would go with it.
static void withdraw(AxEvents *events, uint32_t irq, AxIrqRequest request)
{
    _Atomic uint64_t *const opposite[AX_IRQ_REQUEST_COUNT] = {
        [AX_IRQ_CLEAR_PENDING] = events->pending,
        [AX_IRQ_SET_ACTIVE] = events->request[AX_IRQ_CLEAR_ACTIVE],
        [AX_IRQ_CLEAR_ACTIVE] = events->request[AX_IRQ_SET_ACTIVE],
    };

    (void)clear_bit(opposite[request], irq);
}

AxError axvcpu_events_request(AxEvents *events, uint32_t irq, AxIrqRequest request)
{
    if ((unsigned)request >= AX_IRQ_REQUEST_COUNT) {
        return AX_EINVAL;
    }
    if (irq >= AX_IRQ_COUNT) {
        return AX_ERANGE;
    }
    withdraw(events, irq, request);
    (void)raise_bit(events, events->request[request], irq);
    announce(events, AX_EVENT_REQUEST);
    return AX_OK;
}

AxError axvcpu_events_post_exception(AxEvents *events, const AxException *exception)
{
    uint32_t expected = SLOT_FREE;

    if (exception == NULL) {
        return AX_EINVAL;
    }
    if (!atomic_compare_exchange_strong_explicit(&events->exception_slot, &expected, SLOT_WRITING,
                                                 memory_order_acquire, memory_order_relaxed)) {
        return AX_EBUSY;
    }
    events->exception = *exception;
    atomic_store_explicit(&events->exception_slot, SLOT_FULL, memory_order_release);
    announce(events, AX_EVENT_EXCEPTION);
    return AX_OK;
}

void axvcpu_events_post_nmi(AxEvents *events)
{
    announce(events, AX_EVENT_NMI);
}

static uint32_t everything_of(const AxFence *fence)
{
    return (fence->instructions ? FENCE_INSTRUCTIONS : 0) |
           (fence->translations ? FENCE_TRANSLATIONS : 0) | (fence->nested ? FENCE_NESTED : 0);
}

static bool has_range(const AxFence *fence)
{
    return fence->translations && (fence->has_asid || fence->size != 0);
}

// Only one fence of translations keeps its range and address space: a queue would have an end, too.
static bool keep_range(AxEvents *events, const AxFence *fence)
{
    uint32_t expected = SLOT_FREE;

    if (!has_range(fence) ||
        !atomic_compare_exchange_strong_explicit(&events->fence_slot, &expected, SLOT_WRITING,
                                                 memory_order_acquire, memory_order_relaxed)) {
        return false;
    }
    events->fence = *fence;
    atomic_store_explicit(&events->fence_slot, SLOT_FULL, memory_order_release);
    return true;
}

AxError axvcpu_events_post_fence(AxEvents *events, const AxFence *fence)
{
    if (fence == NULL || everything_of(fence) == 0) {
        return AX_EINVAL;
    }
    if (!keep_range(events, fence)) {
        atomic_fetch_or_explicit(&events->fences, everything_of(fence), memory_order_release);
    }
    // Counted before it is announced: who takes an announced fence takes a counted one.
    atomic_fetch_add_explicit(&events->fences_posted, 1, memory_order_release);
    announce(events, AX_EVENT_FENCE);
    return AX_OK;
}

void axvcpu_events_post_kick(AxEvents *events)
{
    announce(events, AX_EVENT_KICK);
}
