// SPDX-License-Identifier: Apache-2.0
#include "sched.h"

#include <axvcpu/bits.h>

static uint64_t bit(uint32_t n)
{
    return UINT64_C(1) << n;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// The lowest one above `after`, else the lowest of all.
static uint32_t next_after(uint64_t runnable, uint32_t after)
{
    const uint64_t above = after == SCHED_NONE || after + 1 >= SCHED_VCPUS
                               ? 0
                               : runnable & ~(bit(after + 1) - 1);

    return ax_lowest_bit(above != 0 ? above : runnable);
}

uint32_t sched_pick(const SchedView *view)
{
    if (view->runnable == 0) {
        return SCHED_NONE;
    }
    if (view->current != SCHED_NONE && (view->runnable & bit(view->current)) != 0 &&
        view->now_ns < view->slice_end) {
        return view->current;
    }
    return next_after(view->runnable, view->current);
}

uint64_t sched_timer(const SchedView *view, uint32_t next)
{
    const bool others = next != SCHED_NONE && (view->runnable & ~bit(next)) != 0;
    uint64_t timer = view->deadline;

    if (others && next == view->current && view->now_ns < view->slice_end) {
        timer = earlier(timer, view->slice_end);
    } else if (others) {
        timer = earlier(timer, view->now_ns + SCHED_SLICE_NS);
    }
    return view->retry_soon ? earlier(timer, view->now_ns + SCHED_RETRY_NS) : timer;
}
