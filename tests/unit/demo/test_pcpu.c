// SPDX-License-Identifier: Apache-2.0
// The one timer of a pCPU serves the scheduler and the guest that runs. The platform is made of
// variables here; there is no VM, so that the pCPU waits again and again until its time is over.
#include "hal.h"
#include "keys.h"
#include "log.h"
#include "pcpu.h"
#include "platform.h"
#include "test.h"
#include "vms.h"

#define NEVER     UINT64_MAX // as AX_DEADLINE_NONE
#define NOW       UINT64_C(5000000000)
#define TIMER_IRQ 5u

static uint64_t armed;      // what the timer is set to
static uint64_t flush_at;   // what the scheduler wants to be woken for
static uint32_t waits_left; // until there is nothing more to run
static uint64_t pending_irq;
static void (*on_wait)(uint32_t wait); // while the pCPU waits for the n-th time, from 0 on
static uint32_t waits;

// ---- platform ----

_Noreturn void platform_exit(bool success)
{
    fail_msg("the machine ends, %d", success);
    abort();
}

bool platform_start_pcpu(const HostInfo *info, AxPCpuId id)
{
    (void)info;
    (void)id;
    return false;
}

AxPCpuId hal_this_pcpu(void *ctx)
{
    (void)ctx;
    return 0;
}

uint64_t hal_now_ns(void *ctx)
{
    (void)ctx;
    return NOW;
}

void time_arm(uint64_t deadline_ns)
{
    armed = deadline_ns;
}

uint64_t irq_fetch(void)
{
    const uint64_t irq = pending_irq;

    pending_irq = AX_IRQ_NONE;
    return irq;
}

void irq_handle(uint64_t vector)
{
    assert_int_equal(vector, TIMER_IRQ);
    time_arm(NEVER);
}

void irq_kick(AxPCpuId pcpu)
{
    (void)pcpu;
}

void irq_wait(void)
{
    on_wait(waits++);
    waits_left--;
}

// ---- the rest of the demo ----

void keys_poll(void) {}

bool keys_waiting(void)
{
    return false;
}

uint32_t vms_live_count(void)
{
    return waits_left > 0 ? 1 : 0;
}

uint64_t vms_vcpu_mask(void)
{
    return 0;
}

VCpuRef vms_vcpu(uint32_t number)
{
    fail_msg("there is no vCPU %u", number);
    return (VCpuRef){0};
}

bool vms_reap(uint64_t busy)
{
    assert_int_equal(busy, 0);
    return false;
}

uint64_t vms_flush(uint64_t now_ns)
{
    assert_int_equal(now_ns, NOW);
    return flush_at;
}

void log_line(AxLogLevel level, const char *format, ...)
{
    (void)format;
    assert_int_equal(level, AX_LOG_DEBUG);
}

_Noreturn void demo_fail(const char *format, ...)
{
    fail_msg("%s", format);
    abort();
}

static AxError no_frames(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    (void)ctx;
    (void)count;
    (void)align;
    (void)out;
    return AX_ENOMEM;
}

static void free_frames(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx;
    fail_msg("frames at 0x%lx, %zu", first.value, count);
}

static HostVirtAddr to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva(addr.value);
}

static HostPhysAddr to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

static uint64_t hal_fetch(void *ctx)
{
    (void)ctx;
    return irq_fetch();
}

static void hal_handle(void *ctx, uint64_t vector)
{
    (void)ctx;
    irq_handle(vector);
}

static void hal_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    (void)vector;
    (void)active;
}

static void hal_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    pcpu_set_deadline(deadline_ns);
}

static void hal_kick(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    irq_kick(pcpu);
}

__attribute__((format(printf, 3, 4))) static void hal_log(void *ctx, AxLogLevel level,
                                                          const char *format, ...)
{
    (void)ctx;
    (void)level;
    (void)format;
}

const AxVCpuHal demo_hal = {
    .alloc_frames = no_frames,
    .dealloc_frames = free_frames,
    .phys_to_virt = to_virt,
    .virt_to_phys = to_phys,
    .irq_fetch = hal_fetch,
    .irq_handler = hal_handle,
    .irq_set_active = hal_active,
    .set_deadline = hal_deadline,
    .this_pcpu = hal_this_pcpu,
    .now_ns = hal_now_ns,
    .kick_pcpu = hal_kick,
    .log = hal_log,
};

// ---- tests ----

static void run(uint32_t times, uint64_t flush, void (*wait)(uint32_t))
{
    armed = 1;
    waits = 0;
    waits_left = times;
    flush_at = flush;
    pending_irq = AX_IRQ_NONE;
    on_wait = wait;
    pcpu_run_all();
    pcpu_set_deadline(NEVER);
    assert_int_equal(waits, times);
}

static const uint64_t times[] = {0, NOW - 1, NOW, NOW + 1, NOW + 1000, NEVER - 1, NEVER};

static void set_each_time(uint32_t wait)
{
    const uint64_t guest = times[wait];

    assert_int_equal(armed, flush_at);
    pcpu_set_deadline(guest);
    assert_int_equal(armed, guest < flush_at ? guest : flush_at);
    pcpu_set_deadline(NEVER);
    assert_int_equal(armed, flush_at);
}

static void the_earlier_deadline_counts_and_one_that_ends_gives_the_timer_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        run(COUNT(times), times[i], set_each_time);
    }
}

static void fire(uint32_t wait)
{
    if (wait == 0) {
        pcpu_set_deadline(NOW + 10);
    }
    assert_int_equal(armed, NOW + 10);
    pending_irq = TIMER_IRQ; // which switches the timer off
}

static void a_deadline_holds_until_the_next_call(void **state)
{
    (void)state;
    run(3, NOW + 500, fire);
}

static void move(uint32_t wait)
{
    assert_int_equal(armed, flush_at);
    flush_at += 100;
    pcpu_set_deadline(NOW + 10000 - wait);
}

static void each_decision_looks_at_the_scheduler_anew(void **state)
{
    (void)state;
    run(4, NOW + 500, move);
}

static int start(void **state)
{
    static const HostInfo host = {.cpu_count = 1};

    (void)state;
    armed = NEVER;
    return pcpu_start_all(&host) == 1 ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    pcpu_stop_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earlier_deadline_counts_and_one_that_ends_gives_the_timer_back),
        cmocka_unit_test(a_deadline_holds_until_the_next_call),
        cmocka_unit_test(each_decision_looks_at_the_scheduler_anew),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
