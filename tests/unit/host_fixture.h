// SPDX-License-Identifier: Apache-2.0
// The host of a backend's tests: it hands out the interrupts that a test queues, its time and its
// deadline are variables, and it has no memory. As the first member of a fixture it is also the `ctx` of
// functions that the fixture puts in place of these.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <axvcpu/hal.h>

#define QUEUE_MAX 16u

typedef struct TestHost {
    AxVCpuHal hal;
    uint64_t irq_queue[QUEUE_MAX]; // what irq_fetch returns, AX_IRQ_NONE when through
    unsigned irq_count;
    unsigned irq_next;
    uint64_t handled[QUEUE_MAX]; // what irq_handler was called with
    unsigned handled_count;
    uint64_t now_ns;
    uint64_t deadline; // what set_deadline was called with last
} TestHost;

static inline AxError host_alloc(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    (void)ctx;
    (void)count;
    (void)align;
    (void)out;
    return AX_ENOMEM;
}

static inline void host_dealloc(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx;
    (void)first;
    (void)count;
}

static inline HostVirtAddr host_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva((uintptr_t)addr.value);
}

static inline HostPhysAddr host_virt_to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

static inline uint64_t host_irq_fetch(void *ctx)
{
    TestHost *host = ctx;

    return host->irq_next < host->irq_count ? host->irq_queue[host->irq_next++] : AX_IRQ_NONE;
}

static inline void host_irq_handler(void *ctx, uint64_t vector)
{
    TestHost *host = ctx;

    assert_true(host->handled_count < QUEUE_MAX);
    host->handled[host->handled_count++] = vector;
}

static inline void host_irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    (void)vector;
    (void)active;
}

static inline void host_set_deadline(void *ctx, uint64_t deadline_ns)
{
    TestHost *host = ctx;

    host->deadline = deadline_ns;
}

static inline AxPCpuId host_this_pcpu(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline uint64_t host_now_ns(void *ctx)
{
    const TestHost *host = ctx;

    return host->now_ns;
}

static inline void host_kick_pcpu(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    (void)pcpu;
}

__attribute__((format(printf, 3, 4))) static inline void host_log(void *ctx, AxLogLevel level,
                                                                  const char *format, ...)
{
    (void)ctx;
    (void)level;
    (void)format;
}

static inline void host_init(TestHost *host)
{
    *host = (TestHost){.hal = {.ctx = host,
                               .alloc_frames = host_alloc,
                               .dealloc_frames = host_dealloc,
                               .phys_to_virt = host_phys_to_virt,
                               .virt_to_phys = host_virt_to_phys,
                               .irq_fetch = host_irq_fetch,
                               .irq_handler = host_irq_handler,
                               .irq_set_active = host_irq_set_active,
                               .set_deadline = host_set_deadline,
                               .this_pcpu = host_this_pcpu,
                               .now_ns = host_now_ns,
                               .kick_pcpu = host_kick_pcpu,
                               .log = host_log}};
}
