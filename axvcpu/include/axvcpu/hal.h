// SPDX-License-Identifier: Apache-2.0
/*
 * What the host gives: the one seam outwards. A table of functions plus a context pointer, owned by
 * the host, that must outlive every AxPerCpu and AxVCpu made with it. Two hosts in one program use
 * two tables.
 *
 * Unless said otherwise a function may be called on any pCPU, with host interrupts on or off, also
 * between two entries into the guest; it must not sleep and must not call back into axvcpu.
 */
#pragma once

#include <axvcpu/error.h>
#include <axvcpu/types.h>

typedef enum AxLogLevel {
    AX_LOG_ERROR, /* fault of the hypervisor itself */
    AX_LOG_WARN,  /* a guest did something that ends its VM or is answered by a fault */
    AX_LOG_INFO,
    AX_LOG_DEBUG,
} AxLogLevel;

/* set_deadline, next_deadline: no timer is armed. */
#define AX_DEADLINE_NONE UINT64_MAX

/* irq_fetch: nothing is pending. */
#define AX_IRQ_NONE UINT64_MAX

typedef struct AxVCpuHal {
    void *ctx;

    /*
     * `count` contiguous zeroed frames of AX_PAGE_SIZE, the first aligned to `align` bytes (a power
     * of two >= AX_PAGE_SIZE). AX_ENOMEM when there are none; *out is written only on success.
     * The caller owns the frames until dealloc_frames with the same address and count.
     */
    AxError (*alloc_frames)(void *ctx, size_t count, uint64_t align, HostPhysAddr *out);
    void (*dealloc_frames)(void *ctx, HostPhysAddr first, size_t count);

    /* Linear map of the host over everything alloc_frames returns, readable and writable. */
    HostVirtAddr (*phys_to_virt)(void *ctx, HostPhysAddr addr);
    HostPhysAddr (*virt_to_phys)(void *ctx, HostVirtAddr addr);

    /*
     * Called on the pCPU that left a guest for a host interrupt, interrupts off. Acknowledges the
     * highest pending one and returns its number, or AX_IRQ_NONE when it went away (spurious).
     * The host must not lose it: irq_handler follows for each number that was fetched, unless the
     * backend hands the completion to the guest (hardware-linked interrupts, Arm).
     */
    uint64_t (*irq_fetch)(void *ctx);
    /* Services and completes (end of interrupt, deactivation) what irq_fetch returned. */
    void (*irq_handler)(void *ctx, uint64_t vector);
    /*
     * Makes a physical interrupt of this pCPU active or inactive in the interrupt controller, so
     * that the half-handled interrupt of a vCPU can leave and come back with it (Arm timers).
     * A host whose architecture has no such state does nothing.
     */
    void (*irq_set_active)(void *ctx, uint64_t vector, bool active);

    /*
     * On the pCPU concerned: the vCPU that is bound to it has a timer that no hardware keeps. While
     * it is in the guest, an interrupt of the host shall end that at host time `deadline_ns` (of
     * now_ns; may be past) or soon after; early or once more is harmless. Holds until the next call,
     * AX_DEADLINE_NONE ends it; the backend does that at unbind. The host's own timers go on beside
     * it. Backends whose CPU has timers for guests never call it, and a host for those alone may do
     * nothing.
     */
    void (*set_deadline)(void *ctx, uint64_t deadline_ns);

    AxPCpuId (*this_pcpu)(void *ctx);
    /* Monotonic, the same on all pCPUs, from an arbitrary start. */
    uint64_t (*now_ns)(void *ctx);
    /*
     * Makes `pcpu` leave the guest, or its idle loop look again: an interrupt that no guest can mask
     * or delay. Returns at once. When the pCPU has its interrupts off it stays pending, so that an
     * entry that is under way ends as soon as it begins; several may become one, none may get lost:
     * axvcpu_fence_wait() waits for the effect. May be the caller's own pCPU.
     */
    void (*kick_pcpu)(void *ctx, AxPCpuId pcpu);

    /* One line without a newline; printf-like with the subset %s %c %d %u %x %lx %lu %zu %p. */
    void (*log)(void *ctx, AxLogLevel level, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
} AxVCpuHal;

/* AX_EINVAL when `hal` is NULL or misses a function. */
AX_MUST_CHECK AxError axvcpu_hal_check(const AxVCpuHal *hal);

/* One frame: alloc_frames(1, AX_PAGE_SIZE). */
AX_MUST_CHECK static inline AxError axvcpu_alloc_frame(const AxVCpuHal *hal, HostPhysAddr *out)
{
    return hal->alloc_frames(hal->ctx, 1, AX_PAGE_SIZE, out);
}

static inline void axvcpu_dealloc_frame(const AxVCpuHal *hal, HostPhysAddr frame)
{
    hal->dealloc_frames(hal->ctx, frame, 1);
}
