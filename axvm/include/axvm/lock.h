// SPDX-License-Identifier: Apache-2.0
/*
 * Spinlock of the VM layer: FIFO tickets, no host support needed.
 *
 * Lock order, outermost first; never take one to the left while holding one to the right:
 *
 *     AxVM.lock → locks of devices → of interrupt controllers → AxAddrSpace.lock
 *
 * No lock is held while a guest runs. None of them may be taken in a host interrupt handler: a
 * handler leaves a note and the interrupted code acts on it.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

typedef struct AxLock {
    _Atomic uint32_t next;
    _Atomic uint32_t owner;
} AxLock;

#define AX_LOCK_INIT ((AxLock){0})

static inline void ax_lock(AxLock *lock)
{
    const uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != ticket) {
    }
}

static inline void ax_unlock(AxLock *lock)
{
    const uint32_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);

    atomic_store_explicit(&lock->owner, owner + 1, memory_order_release);
}
