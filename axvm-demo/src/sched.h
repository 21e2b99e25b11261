// SPDX-License-Identifier: Apache-2.0
/*
 * Which vCPU runs next on a pCPU, and until when. Plain decisions: the caller says what it sees.
 * vCPUs of all VMs are numbered through: bit n of a mask is vCPU n.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SCHED_VCPUS 64u
#define SCHED_NONE  UINT32_MAX
#define SCHED_NEVER UINT64_MAX /* as AX_DEADLINE_NONE */

#define SCHED_SLICE_NS UINT64_C(10000000)
/* When to try again what has to be. */
#define SCHED_RETRY_NS UINT64_C(1000000)

typedef struct SchedView {
    uint64_t now_ns;
    uint64_t runnable;  /* could run here now */
    uint32_t current;   /* ran last, SCHED_NONE when none did */
    uint64_t slice_end; /* of the current one */
    uint64_t deadline;  /* earliest timer of those that wait, SCHED_NEVER */
    bool retry_soon;    /* something has to be tried again soon */
} SchedView;

/*
 * Round robin: the current one as long as it can run and has time left or nobody else wants to,
 * then the next one after it. SCHED_NONE when none is runnable.
 */
uint32_t sched_pick(const SchedView *view);

/* When the pCPU has to be interrupted while `next` runs (SCHED_NONE: while it idles). */
uint64_t sched_timer(const SchedView *view, uint32_t next);
