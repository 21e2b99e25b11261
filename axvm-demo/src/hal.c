// SPDX-License-Identifier: Apache-2.0
#include "hal.h"

#include "log.h"
#include "pcpu.h"
#include "platform.h"

#include <axvm/lock.h>

#include <string.h>

// All memory of the machine; under the lock.
static Frames frames;
static AxLock frames_lock;

static AxError alloc_frames(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    uint64_t addr;

    (void)ctx;
    ax_lock(&frames_lock);
    const bool done = frames_alloc(&frames, count, align, &addr);
    ax_unlock(&frames_lock);
    if (!done) {
        return AX_ENOMEM;
    }
    memset((void *)(uintptr_t)addr, 0, count * FRAME_SIZE);
    *out = ax_hpa(addr);
    return AX_OK;
}

static void dealloc_frames(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx;
    ax_lock(&frames_lock);
    const bool done = frames_free(&frames, first.value, count);
    ax_unlock(&frames_lock);
    if (!done) {
        demo_fail("bug: %zu frames at 0x%lx are given back, but are not allocated", count,
                  first.value);
    }
}

// Memory is identity-mapped.
static HostVirtAddr phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva(addr.value);
}

static HostPhysAddr virt_to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

static uint64_t hal_irq_fetch(void *ctx)
{
    (void)ctx;
    return irq_fetch();
}

static void hal_irq_handler(void *ctx, uint64_t vector)
{
    (void)ctx;
    irq_handle(vector);
}

static void hal_irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    irq_set_active(vector, active);
}

static void hal_set_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    pcpu_set_deadline(deadline_ns);
}

static void hal_kick_pcpu(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    irq_kick(pcpu);
}

__attribute__((format(printf, 3, 4))) static void hal_log(void *ctx, AxLogLevel level,
                                                          const char *format, ...)
{
    va_list args;

    (void)ctx;
    va_start(args, format);
    log_vline(level, format, args);
    va_end(args);
}

const AxVCpuHal demo_hal = {
    .alloc_frames = alloc_frames,
    .dealloc_frames = dealloc_frames,
    .phys_to_virt = phys_to_virt,
    .virt_to_phys = virt_to_phys,
    .irq_fetch = hal_irq_fetch,
    .irq_handler = hal_irq_handler,
    .irq_set_active = hal_irq_set_active,
    .set_deadline = hal_set_deadline,
    .this_pcpu = hal_this_pcpu,
    .now_ns = hal_now_ns,
    .kick_pcpu = hal_kick_pcpu,
    .log = hal_log,
};

void hal_init(const RangeList *free)
{
    frames_init(&frames, 0);
    for (uint32_t i = 0; i < free->count; i++) {
        if (!frames_add(&frames, free->items[i])) {
            log_line(AX_LOG_DEBUG, "memory 0x%lx+0x%lx stays unused", free->items[i].base,
                     free->items[i].size);
        }
    }
}

uint64_t hal_free_frames(void)
{
    ax_lock(&frames_lock);
    const uint64_t count = frames_free_count(&frames);
    ax_unlock(&frames_lock);
    return count;
}
