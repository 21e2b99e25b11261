// SPDX-License-Identifier: Apache-2.0
#include <fake_hal.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREED_FILL 0xdd

static _Thread_local AxPCpuId this_thread_pcpu;

static FakeHal *fake_of(void *ctx)
{
    return ctx;
}

static void lock(FakeHal *fake)
{
    while (atomic_flag_test_and_set_explicit(&fake->lock, memory_order_acquire)) {
    }
}

static void unlock(FakeHal *fake)
{
    atomic_flag_clear_explicit(&fake->lock, memory_order_release);
}

// ---- frames ----

static bool is_free(const FakeHal *fake, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (fake->owner[i] != 0) {
            return false;
        }
    }
    return true;
}

// Index of the first run that fits, frame_count when there is none.
static size_t find_free(const FakeHal *fake, size_t count, uint64_t align)
{
    const size_t step = align / AX_PAGE_SIZE;

    for (size_t first = 0; count <= fake->frame_count && first <= fake->frame_count - count;
         first += step) {
        if (is_free(fake, first, count)) {
            return first;
        }
    }
    return fake->frame_count;
}

static bool must_fail(FakeHal *fake)
{
    fake->alloc_calls++;
    return fake->alloc_fail_at != 0 && --fake->alloc_fail_at == 0;
}

static AxError take_frames(FakeHal *fake, size_t count, uint64_t align, HostPhysAddr *out)
{
    const size_t first = find_free(fake, count, align);

    if (must_fail(fake) || first == fake->frame_count) {
        return AX_ENOMEM;
    }
    for (size_t i = first; i < first + count; i++) {
        fake->owner[i] = fake->alloc_calls;
    }
    memset(fake->arena + first * AX_PAGE_SIZE, 0, count * AX_PAGE_SIZE);
    fake->frames_used += count;
    if (fake->frames_peak < fake->frames_used) {
        fake->frames_peak = fake->frames_used;
    }
    *out = ax_hpa(FAKE_PHYS_BASE + first * AX_PAGE_SIZE);
    return AX_OK;
}

static AxError alloc_frames(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    FakeHal *fake = fake_of(ctx);

    if (count == 0 || align < AX_PAGE_SIZE || (align & (align - 1)) != 0) {
        return AX_EINVAL;
    }
    lock(fake);
    const AxError error = take_frames(fake, count, align, out);
    unlock(fake);
    return error;
}

// Exactly one allocation, from its first to its last frame.
static bool is_allocation(const FakeHal *fake, size_t first, size_t count)
{
    if (first >= fake->frame_count || count == 0 || count > fake->frame_count - first ||
        fake->owner[first] == 0) {
        return false;
    }
    const uint32_t id = fake->owner[first];
    const size_t end = first + count;

    for (size_t i = first; i < end; i++) {
        if (fake->owner[i] != id) {
            return false;
        }
    }
    return (first == 0 || fake->owner[first - 1] != id) &&
           (end == fake->frame_count || fake->owner[end] != id);
}

static void dealloc_frames(void *ctx, HostPhysAddr addr, size_t count)
{
    FakeHal *fake = fake_of(ctx);
    const size_t first = (addr.value - FAKE_PHYS_BASE) / AX_PAGE_SIZE;

    lock(fake);
    if (addr.value % AX_PAGE_SIZE != 0 || !is_allocation(fake, first, count)) {
        fake->bad_frees++;
    } else {
        memset(&fake->owner[first], 0, count * sizeof(fake->owner[0]));
        memset(fake->arena + first * AX_PAGE_SIZE, FREED_FILL, count * AX_PAGE_SIZE);
        fake->frames_used -= count;
    }
    unlock(fake);
}

static HostVirtAddr phys_to_virt(void *ctx, HostPhysAddr addr)
{
    return ax_hva((uintptr_t)fake_of(ctx)->arena + (uintptr_t)(addr.value - FAKE_PHYS_BASE));
}

static HostPhysAddr virt_to_phys(void *ctx, HostVirtAddr addr)
{
    return ax_hpa(addr.value - (uintptr_t)fake_of(ctx)->arena + FAKE_PHYS_BASE);
}

bool fake_hal_is_allocated(const FakeHal *fake, HostPhysAddr addr)
{
    const uint64_t index = (addr.value - FAKE_PHYS_BASE) / AX_PAGE_SIZE;

    return index < fake->frame_count && fake->owner[index] != 0;
}

void fake_hal_fail_alloc(FakeHal *fake, uint32_t n)
{
    fake->alloc_fail_at = n;
}

// ---- interrupts ----

static uint64_t irq_fetch(void *ctx)
{
    FakeHal *fake = fake_of(ctx);

    return fake->irq_head == fake->irq_tail ? AX_IRQ_NONE
                                            : fake->irq_queue[fake->irq_head++ % FAKE_IRQ_MAX];
}

static void irq_handler(void *ctx, uint64_t vector)
{
    FakeHal *fake = fake_of(ctx);

    fake->irq_handled_count++;
    fake->irq_handled_last = vector;
}

static void irq_set_active(void *ctx, uint64_t vector, bool active)
{
    uint64_t *word = &fake_of(ctx)->irq_active[vector % 1024 / 64];
    const uint64_t bit = UINT64_C(1) << vector % 64;

    *word = active ? *word | bit : *word & ~bit;
}

bool fake_hal_raise_irq(FakeHal *fake, uint64_t vector)
{
    if (fake->irq_tail - fake->irq_head == FAKE_IRQ_MAX) {
        return false;
    }
    fake->irq_queue[fake->irq_tail++ % FAKE_IRQ_MAX] = vector;
    return true;
}

// ---- machine ----

static void set_deadline(void *ctx, uint64_t deadline_ns)
{
    FakeHal *fake = fake_of(ctx);

    fake->deadline = deadline_ns;
    fake->deadline_count++;
}

static AxPCpuId this_pcpu(void *ctx)
{
    (void)ctx;
    return this_thread_pcpu;
}

void fake_hal_set_pcpu(AxPCpuId pcpu)
{
    this_thread_pcpu = pcpu;
}

static uint64_t now_ns(void *ctx)
{
    FakeHal *fake = fake_of(ctx);
    const uint64_t step = atomic_load_explicit(&fake->now_step, memory_order_relaxed);

    return atomic_fetch_add_explicit(&fake->now, step, memory_order_relaxed);
}

void fake_hal_set_time(FakeHal *fake, uint64_t now, uint64_t step)
{
    atomic_store_explicit(&fake->now, now, memory_order_relaxed);
    atomic_store_explicit(&fake->now_step, step, memory_order_relaxed);
}

static void kick_pcpu(void *ctx, AxPCpuId pcpu)
{
    FakeHal *fake = fake_of(ctx);
    const uint32_t slot = atomic_fetch_add_explicit(&fake->kick_count, 1, memory_order_relaxed);

    if (slot < FAKE_KICK_MAX) {
        fake->kick_log[slot] = pcpu;
    }
    if (pcpu < FAKE_PCPU_MAX) {
        atomic_fetch_add_explicit(&fake->kicks[pcpu], 1, memory_order_relaxed);
    }
    if (fake->on_kick != NULL) {
        fake->on_kick(fake->on_kick_ctx, pcpu);
    }
}

void fake_hal_clear_kicks(FakeHal *fake)
{
    for (uint32_t i = 0; i < FAKE_PCPU_MAX; i++) {
        atomic_store_explicit(&fake->kicks[i], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&fake->kick_count, 0, memory_order_relaxed);
}

__attribute__((format(printf, 3, 4))) static void log_line(void *ctx, AxLogLevel level,
                                                           const char *format, ...)
{
    FakeHal *fake = fake_of(ctx);
    va_list args;

    lock(fake);
    va_start(args, format);
    (void)vsnprintf(fake->lines[fake->line_count++ % FAKE_LINE_MAX], FAKE_LINE_SIZE, format, args);
    va_end(args);
    fake->level_count[level]++;
    unlock(fake);
}

const char *fake_hal_last_line(const FakeHal *fake)
{
    return fake->line_count == 0 ? "" : fake->lines[(fake->line_count - 1) % FAKE_LINE_MAX];
}

// ---- life ----

void fake_hal_init(FakeHal *fake, size_t frames)
{
    memset(fake, 0, sizeof(*fake));
    fake->hal = (AxVCpuHal){
        .ctx = fake,
        .alloc_frames = alloc_frames,
        .dealloc_frames = dealloc_frames,
        .phys_to_virt = phys_to_virt,
        .virt_to_phys = virt_to_phys,
        .irq_fetch = irq_fetch,
        .irq_handler = irq_handler,
        .irq_set_active = irq_set_active,
        .set_deadline = set_deadline,
        .this_pcpu = this_pcpu,
        .now_ns = now_ns,
        .kick_pcpu = kick_pcpu,
        .log = log_line,
    };
    fake->arena = aligned_alloc(AX_PAGE_SIZE, frames * AX_PAGE_SIZE);
    fake->owner = calloc(frames, sizeof(fake->owner[0]));
    if (fake->arena == NULL || fake->owner == NULL) {
        abort();
    }
    fake->frame_count = frames;
    fake->deadline = AX_DEADLINE_NONE;
    atomic_flag_clear(&fake->lock);
    fake_hal_set_pcpu(0);
}

size_t fake_hal_fini(FakeHal *fake)
{
    free(fake->arena);
    free(fake->owner);
    fake->arena = NULL;
    fake->owner = NULL;
    fake->frame_count = 0;
    return fake->frames_used;
}
