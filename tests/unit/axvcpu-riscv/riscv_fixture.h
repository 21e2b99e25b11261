// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM and one vCPU of the backend on simulated CSRs, with a host that hands out
// the interrupts a test queues.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

#define HOST_STVEC    UINT64_C(0x80204000)
#define HOST_SSCRATCH UINT64_C(0x80999990)
#define ROOT_BASE     UINT64_C(0x88000000)
#define ENTRY         UINT64_C(0x80200000)
#define DTB           UINT64_C(0x84000000)
#define QUEUE_MAX     16u

typedef struct RISCVFixture {
    AxVCpuHal hal;
    AxEvents events;
    AxVCpuStats stats;
    RISCVPerCpu percpu;
    RISCVVCpu vcpu;
    AxEptRoot root;
    uint64_t irq_queue[QUEUE_MAX]; // what irq_fetch returns, AX_IRQ_NONE when through
    unsigned irq_count;
    unsigned irq_next;
    uint64_t handled[QUEUE_MAX]; // what irq_handler was called with
    unsigned handled_count;
    uint64_t deadline; // what set_deadline was called with last
} RISCVFixture;

static AxError fixture_alloc(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    (void)ctx;
    (void)count;
    (void)align;
    (void)out;
    return AX_ENOMEM;
}

static void fixture_dealloc(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx;
    (void)first;
    (void)count;
}

static HostVirtAddr fixture_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva((uintptr_t)addr.value);
}

static HostPhysAddr fixture_virt_to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

static uint64_t fixture_irq_fetch(void *ctx)
{
    RISCVFixture *f = ctx;

    return f->irq_next < f->irq_count ? f->irq_queue[f->irq_next++] : AX_IRQ_NONE;
}

static void fixture_irq_handler(void *ctx, uint64_t vector)
{
    RISCVFixture *f = ctx;

    assert_true(f->handled_count < QUEUE_MAX);
    f->handled[f->handled_count++] = vector;
}

static void fixture_irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    (void)vector;
    (void)active;
}

static void fixture_set_deadline(void *ctx, uint64_t deadline_ns)
{
    RISCVFixture *f = ctx;

    f->deadline = deadline_ns;
}

static AxPCpuId fixture_this_pcpu(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint64_t fixture_now_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

static void fixture_kick_pcpu(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    (void)pcpu;
}

__attribute__((format(printf, 3, 4))) static void fixture_log(void *ctx, AxLogLevel level,
                                                              const char *format, ...)
{
    (void)ctx;
    (void)level;
    (void)format;
}

static inline void fixture_create_vcpu(RISCVFixture *f, RISCVVCpu *vcpu, AxVCpuId id)
{
    const AxArchVCpuEnv env = {
        .hal = &f->hal, .events = &f->events, .stats = &f->stats, .vm_id = 1, .vcpu_id = id};
    const RISCVVCpuCreateConfig create = {
        .hart_id = id, .dtb_addr = ax_gpa(DTB), .timebase_hz = 10000000};

    assert_int_equal(riscv_vcpu_ops.create(vcpu, &env, &create), AX_OK);
}

static inline void fixture_setup_vcpu(RISCVFixture *f, RISCVVCpu *vcpu)
{
    const RISCVVCpuSetupConfig setup = {.trap_wait = true};

    assert_int_equal(riscv_vcpu_ops.set_entry(vcpu, ax_gpa(ENTRY)), AX_OK);
    assert_int_equal(riscv_vcpu_ops.set_ept_root(vcpu, &f->root), AX_OK);
    assert_int_equal(riscv_vcpu_ops.setup(vcpu, &setup), AX_OK);
}

// The pCPU is not enabled.
static inline void fixture_start(RISCVFixture *f)
{
    memset(f, 0, sizeof(*f));
    f->hal = (AxVCpuHal){.ctx = f,
                         .alloc_frames = fixture_alloc,
                         .dealloc_frames = fixture_dealloc,
                         .phys_to_virt = fixture_phys_to_virt,
                         .virt_to_phys = fixture_virt_to_phys,
                         .irq_fetch = fixture_irq_fetch,
                         .irq_handler = fixture_irq_handler,
                         .irq_set_active = fixture_irq_set_active,
                         .set_deadline = fixture_set_deadline,
                         .this_pcpu = fixture_this_pcpu,
                         .now_ns = fixture_now_ns,
                         .kick_pcpu = fixture_kick_pcpu,
                         .log = fixture_log};
    axvcpu_events_init(&f->events);
    f->root = (AxEptRoot){.base = ax_hpa(ROOT_BASE), .levels = 3, .gpa_bits = 41};
    rv_sim_reset();
    rv_sim.reg[RV_REG_STVEC] = HOST_STVEC;
    rv_sim.reg[RV_REG_SSCRATCH] = HOST_SSCRATCH;
    assert_int_equal(riscv_percpu_ops.init(&f->percpu, 0, &f->hal), AX_OK);
}

// A vCPU that is set up, on an enabled pCPU, not bound.
static inline void fixture_start_free(RISCVFixture *f)
{
    fixture_start(f);
    assert_int_equal(riscv_percpu_ops.enable(&f->percpu), AX_OK);
    fixture_create_vcpu(f, &f->vcpu, 0);
    fixture_setup_vcpu(f, &f->vcpu);
    rv_sim_clear_log();
}

static inline void fixture_bind(RISCVFixture *f)
{
    assert_int_equal(riscv_vcpu_ops.bind(&f->vcpu, &f->percpu), AX_OK);
}

static inline void fixture_start_bound(RISCVFixture *f)
{
    fixture_start_free(f);
    fixture_bind(f);
    rv_sim_clear_log();
}

// Ends what fixture_start began, so that the global state of the backend is as before.
static inline void fixture_stop(RISCVFixture *f)
{
    if (f->vcpu.percpu != NULL) {
        assert_int_equal(riscv_vcpu_ops.unbind(&f->vcpu), AX_OK);
    }
    if (f->percpu.enabled) {
        assert_int_equal(riscv_percpu_ops.disable(&f->percpu), AX_OK);
    }
    assert_int_equal(rv_sim.illegal, 0);
}
