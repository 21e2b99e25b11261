// SPDX-License-Identifier: Apache-2.0
/*
 * Events on their way to a vCPU: interrupts, exceptions, NMIs. Posted from any pCPU at any time
 * without locks; nothing is lost and nothing overflows, because an interrupt is a bit. The backend
 * takes them on the vCPU's own pCPU before it enters the guest.
 *
 * Interrupt n of a vCPU is signalled when its pending latch is set (edge) or its level is high, and
 * its enable bit is set. Latch and level are kept while it is disabled. All enable bits start set;
 * interrupt controller models that have enables (GIC) clear them first.
 *
 * Ordering: posts are release, takes are acquire, so that what the poster wrote before is seen by
 * the guest that takes the event; `summary` is sequentially consistent against the vCPU state, so
 * that a post is never missed by a vCPU that is about to block.
 */
#pragma once

#include <axvcpu/error.h>
#include <axvcpu/fence.h>
#include <axvcpu/types.h>

#include <stdatomic.h>

/* Interrupt numbers are below this: vectors on x86, INTIDs on Arm, interrupt causes on RISC-V. */
#define AX_IRQ_COUNT 1024u
#define AX_IRQ_WORDS (AX_IRQ_COUNT / 64u)

typedef enum AxTrigger {
    AX_TRIGGER_EDGE,
    AX_TRIGGER_LEVEL,
} AxTrigger;

/* An exception to be raised in the guest, in the terms of its architecture. */
typedef struct AxException {
    uint32_t vector; /* x86 vector, RISC-V cause, Arm exception class (EC) */
    bool has_error_code;
    uint64_t error_code; /* x86 error code, Arm ISS */
    bool has_address;
    uint64_t address; /* CR2, stval, FAR_EL1 */
} AxException;

/* Changes of interrupt state asked for by an interrupt controller model; see axvcpu_irq_request. */
typedef enum AxIrqRequest {
    /* Forget the latch. The post clears it; the backend clears what waits in hardware. */
    AX_IRQ_CLEAR_PENDING,
    AX_IRQ_SET_ACTIVE,
    AX_IRQ_CLEAR_ACTIVE,
    AX_IRQ_REQUEST_COUNT
} AxIrqRequest;

/* Bits of AxEvents.summary: what a backend has to look at before entry. */
#define AX_EVENT_IRQ       (UINT32_C(1) << 0) /* some pending, level or enable bit changed */
#define AX_EVENT_REQUEST   (UINT32_C(1) << 1)
#define AX_EVENT_EXCEPTION (UINT32_C(1) << 2)
#define AX_EVENT_FENCE     (UINT32_C(1) << 3) /* ends no wait */
#define AX_EVENT_NMI       (UINT32_C(1) << 4)
#define AX_EVENT_KICK      (UINT32_C(1) << 5)

typedef _Atomic uint64_t AxIrqBitmap[AX_IRQ_WORDS];

typedef struct AxEvents {
    _Atomic uint32_t summary;
    /* Bit n: word n of pending, level or request has had a bit set since axvcpu_events_init. */
    _Atomic uint32_t used_words;
    AxIrqBitmap pending;
    AxIrqBitmap level;
    AxIrqBitmap enabled;
    AxIrqBitmap request[AX_IRQ_REQUEST_COUNT];
    _Atomic uint8_t priority[AX_IRQ_COUNT]; /* 0 is highest; a change raises AX_EVENT_IRQ */
    /* 0 free, 1 being written, 2 full: one exception can wait, as in hardware. */
    _Atomic uint32_t exception_slot;
    AxException exception;
    /* Fences of everything, by kind, and one with a range: a second one becomes everything. */
    _Atomic uint32_t fences;
    _Atomic uint32_t fence_slot;
    AxFence fence;
    /* How many were posted, and how many of them had been when fences were last taken. */
    _Atomic uint64_t fences_posted;
    _Atomic uint64_t fences_taken;
} AxEvents;

/* Nothing pending, everything enabled, all priorities 0. Not while a vCPU uses `events`. */
void axvcpu_events_init(AxEvents *events);

/* ---- posting side: any pCPU. The AxVCpu wrappers in vcpu.h also wake and kick. ---- */

/* Latches an edge. AX_ERANGE when `irq` >= AX_IRQ_COUNT (for all functions below, too). */
AX_MUST_CHECK AxError axvcpu_events_post_irq(AxEvents *events, uint32_t irq);
AX_MUST_CHECK AxError axvcpu_events_set_level(AxEvents *events, uint32_t irq, bool high);
AX_MUST_CHECK AxError axvcpu_events_enable_irq(AxEvents *events, uint32_t irq, bool enable);
AX_MUST_CHECK AxError axvcpu_events_set_priority(AxEvents *events, uint32_t irq, uint8_t priority);
/* AX_EINVAL when `request` is none. Withdraws a waiting request for the opposite. */
AX_MUST_CHECK AxError axvcpu_events_request(AxEvents *events, uint32_t irq, AxIrqRequest request);
/* AX_EBUSY when an exception waits already. */
AX_MUST_CHECK AxError axvcpu_events_post_exception(AxEvents *events, const AxException *exception);
void axvcpu_events_post_nmi(AxEvents *events);
void axvcpu_events_post_kick(AxEvents *events);
/* AX_EINVAL when `fence` asks for nothing. Never dropped, not by a reset either. */
AX_MUST_CHECK AxError axvcpu_events_post_fence(AxEvents *events, const AxFence *fence);

/* ---- taking side: the pCPU that runs the vCPU, by the backend. ---- */

/* Bit `irq` of one of the bitmaps; false for a number that is none. */
static inline bool axvcpu_irq_bit(const _Atomic uint64_t *bitmap, uint32_t irq)
{
    return irq < AX_IRQ_COUNT &&
           ((atomic_load_explicit(&bitmap[irq / 64], memory_order_acquire) >> (irq % 64)) & 1) != 0;
}
/* Reads and clears `summary`; 0 in the common case, which is the whole cost of an entry. */
static inline uint32_t axvcpu_events_take_summary(AxEvents *events)
{
    if (atomic_load_explicit(&events->summary, memory_order_seq_cst) == 0) {
        return 0;
    }
    return atomic_exchange_explicit(&events->summary, 0, memory_order_seq_cst);
}
/* The words worth looking at, bit n for word n: nothing is signalled or requested in the others. */
static inline uint32_t axvcpu_events_used_words(const AxEvents *events)
{
    return atomic_load_explicit(&events->used_words, memory_order_acquire);
}
/* Signalled interrupts of word `word` (irq / 64): (pending | level) & enabled. */
static inline uint64_t axvcpu_events_signalled(const AxEvents *events, uint32_t word)
{
    if (word >= AX_IRQ_WORDS) {
        return 0;
    }
    return (atomic_load_explicit(&events->pending[word], memory_order_acquire) |
            atomic_load_explicit(&events->level[word], memory_order_acquire)) &
           atomic_load_explicit(&events->enabled[word], memory_order_acquire);
}
/* Clears the latch; true when it was set. */
bool axvcpu_events_take_pending(AxEvents *events, uint32_t irq);
/* Puts a latch back that could not be delivered, without waking anybody. */
void axvcpu_events_restore_pending(AxEvents *events, uint32_t irq);
/* Level of an interrupt whose source is the backend itself: as set_level, without AX_EVENT_IRQ. */
void axvcpu_events_set_own_level(AxEvents *events, uint32_t irq, bool high);
static inline bool axvcpu_events_level(const AxEvents *events, uint32_t irq)
{
    return axvcpu_irq_bit(events->level, irq);
}
static inline bool axvcpu_events_enabled(const AxEvents *events, uint32_t irq)
{
    return axvcpu_irq_bit(events->enabled, irq);
}
static inline uint8_t axvcpu_events_priority(const AxEvents *events, uint32_t irq)
{
    return irq < AX_IRQ_COUNT ? atomic_load_explicit(&events->priority[irq], memory_order_acquire)
                              : UINT8_MAX;
}
/* Takes all requests of one kind in `word` at once, as a bitmap. */
uint64_t axvcpu_events_take_requests(AxEvents *events, AxIrqRequest request, uint32_t word);
bool axvcpu_events_take_exception(AxEvents *events, AxException *out);
/*
 * All fences that wait, as one; false when there are none. Once before an entry, when the summary
 * says AX_EVENT_FENCE, out of the guest, also when a kick then ends the run: from here on the posters
 * rely on it that the fence is carried out before the guest is entered. What is posted meanwhile is
 * announced again.
 */
bool axvcpu_events_take_fence(AxEvents *events, AxFence *out);

/*
 * Whether anything waits that would end a wait-for-interrupt: a signalled interrupt, an exception,
 * an NMI, a kick, or a request, which may free an interrupt that the backend holds.
 */
bool axvcpu_events_any(const AxEvents *events);
