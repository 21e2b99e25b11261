// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM and one vCPU of the backend on simulated registers, with a host that hands out
// the interrupts a test queues.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arm.h"
#include "arm_regs.h"

#include <string.h>

#define HOST_VBAR UINT64_C(0x40080000)
#define ROOT_BASE UINT64_C(0x48000000)
#define QUEUE_MAX 16u

typedef struct ArmFixture {
    AxVCpuHal hal;
    AxEvents events;
    AxVCpuStats stats;
    Aarch64PerCpu percpu;
    Aarch64VCpu vcpu;
    AxEptRoot root;
    uint64_t irq_queue[QUEUE_MAX]; // what irq_fetch returns, AX_IRQ_NONE when through
    unsigned irq_count;
    unsigned irq_next;
    uint64_t handled[QUEUE_MAX]; // what irq_handler was called with
    unsigned handled_count;
} ArmFixture;

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
    ArmFixture *f = ctx;

    return f->irq_next < f->irq_count ? f->irq_queue[f->irq_next++] : AX_IRQ_NONE;
}

static void fixture_irq_handler(void *ctx, uint64_t vector)
{
    ArmFixture *f = ctx;

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
    (void)ctx;
    (void)deadline_ns;
    fail(); // an Arm CPU has timers for guests
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

static inline void fixture_create_vcpu(ArmFixture *f, Aarch64VCpu *vcpu, AxVCpuId id)
{
    const AxArchVCpuEnv env = {
        .hal = &f->hal, .events = &f->events, .stats = &f->stats, .vm_id = 1, .vcpu_id = id};
    const Aarch64VCpuCreateConfig create = {.mpidr_el1 = id, .dtb_addr = ax_gpa(0x44000000)};

    assert_int_equal(aarch64_vcpu_ops.create(vcpu, &env, &create), AX_OK);
}

static inline void fixture_setup_vcpu(ArmFixture *f, Aarch64VCpu *vcpu)
{
    const Aarch64VCpuSetupConfig setup = {.trap_wait = true};

    assert_int_equal(aarch64_vcpu_ops.set_entry(vcpu, ax_gpa(0x40000000)), AX_OK);
    assert_int_equal(aarch64_vcpu_ops.set_ept_root(vcpu, &f->root), AX_OK);
    assert_int_equal(aarch64_vcpu_ops.setup(vcpu, &setup), AX_OK);
}

// The pCPU is not enabled.
static inline void fixture_start(ArmFixture *f)
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
    f->root = (AxEptRoot){.base = ax_hpa(ROOT_BASE), .levels = 3, .gpa_bits = 40};
    arm_sim_reset();
    arm_sim.reg[ARM_REG_VBAR_EL2] = HOST_VBAR;
    assert_int_equal(aarch64_percpu_ops.init(&f->percpu, 0, &f->hal), AX_OK);
}

// A vCPU that is set up, on an enabled pCPU, not bound.
static inline void fixture_start_free(ArmFixture *f)
{
    fixture_start(f);
    assert_int_equal(aarch64_percpu_ops.enable(&f->percpu), AX_OK);
    fixture_create_vcpu(f, &f->vcpu, 0);
    fixture_setup_vcpu(f, &f->vcpu);
    arm_sim_clear_log();
}

static inline void fixture_bind(ArmFixture *f)
{
    assert_int_equal(aarch64_vcpu_ops.bind(&f->vcpu, &f->percpu), AX_OK);
}

static inline void fixture_start_bound(ArmFixture *f)
{
    fixture_start_free(f);
    fixture_bind(f);
    arm_sim_clear_log();
}

// Ends what fixture_start began, so that the global state of the backend is as before.
static inline void fixture_stop(ArmFixture *f)
{
    if (f->vcpu.percpu != NULL) {
        assert_int_equal(aarch64_vcpu_ops.unbind(&f->vcpu), AX_OK);
    }
    if (f->percpu.enabled) {
        assert_int_equal(aarch64_percpu_ops.disable(&f->percpu), AX_OK);
    }
}
