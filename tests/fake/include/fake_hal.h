// SPDX-License-Identifier: Apache-2.0
/*
 * A host without hardware, for tests: frames from an arena that knows who owns what, pCPUs and time
 * as the test sets them, and a record of kicks, interrupts and log lines. The allocator, the clock,
 * the kicks and the log may be used from several threads.
 */
#pragma once

#include <axvcpu/hal.h>

#include <stdatomic.h>

/* Physical address of the first frame: above 4 GiB, and never equal to its virtual address. */
#define FAKE_PHYS_BASE UINT64_C(0x200000000)
#define FAKE_PCPU_MAX  64u
#define FAKE_IRQ_MAX   64u
#define FAKE_KICK_MAX  256u
#define FAKE_LINE_MAX  32u
#define FAKE_LINE_SIZE 160u

typedef struct FakeHal {
    AxVCpuHal hal; /* hand out &fake.hal */

    uint8_t *arena;
    uint32_t *owner; /* per frame: 0 free, else the number of the allocation */
    size_t frame_count;
    size_t frames_used;
    size_t frames_peak;
    uint32_t alloc_calls;
    uint32_t alloc_fail_at; /* see fake_hal_fail_alloc */
    uint32_t bad_frees;     /* frees of what was not allocated like that; must stay 0 */
    atomic_flag lock;

    _Atomic uint64_t now;
    _Atomic uint64_t now_step; /* added by every now_ns */

    _Atomic uint32_t kicks[FAKE_PCPU_MAX];
    _Atomic uint32_t kick_count;
    AxPCpuId kick_log[FAKE_KICK_MAX];
    void (*on_kick)(void *ctx, AxPCpuId pcpu); /* may be NULL */
    void *on_kick_ctx;

    uint64_t irq_queue[FAKE_IRQ_MAX];
    uint32_t irq_head;
    uint32_t irq_tail;
    uint32_t irq_handled_count;
    uint64_t irq_handled_last;
    uint64_t irq_active[1024 / 64]; /* irq_set_active */

    uint64_t deadline; /* set_deadline */
    uint32_t deadline_count;

    uint32_t line_count; /* lines since the start; `lines` keeps the last of them */
    uint32_t level_count[AX_LOG_DEBUG + 1];
    char lines[FAKE_LINE_MAX][FAKE_LINE_SIZE];
} FakeHal;

/* `frames` of memory, pCPU 0 for the calling thread, time 0. Aborts when the host has no memory. */
void fake_hal_init(FakeHal *fake, size_t frames);
/* Gives the arena back. Returns the number of frames still allocated: a leak unless it is 0. */
size_t fake_hal_fini(FakeHal *fake);

/* The pCPU that the calling thread is, for every FakeHal. */
void fake_hal_set_pcpu(AxPCpuId pcpu);
void fake_hal_set_time(FakeHal *fake, uint64_t now, uint64_t step);

/* The n-th allocation from now on (1 = the next) fails once; 0 = none. */
void fake_hal_fail_alloc(FakeHal *fake, uint32_t n);
bool fake_hal_is_allocated(const FakeHal *fake, HostPhysAddr addr);

/* Queues a host interrupt for irq_fetch. False when the queue is full. */
bool fake_hal_raise_irq(FakeHal *fake, uint64_t vector);

void fake_hal_clear_kicks(FakeHal *fake);
/* The newest captured log line, "" when there is none. */
const char *fake_hal_last_line(const FakeHal *fake);
