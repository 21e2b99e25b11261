// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM and one vCPU of the backend on simulated registers.
#pragma once

#include "../host_fixture.h"
#include "arm.h"
#include "arm_regs.h"

#include <string.h>

#define HOST_VBAR UINT64_C(0x40080000)
#define ROOT_BASE UINT64_C(0x48000000)

typedef struct ArmFixture {
    TestHost host;
    AxEvents events;
    AxVCpuStats stats;
    Aarch64PerCpu percpu;
    Aarch64VCpu vcpu;
    AxEptRoot root;
} ArmFixture;

static inline void fixture_no_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    (void)deadline_ns;
    fail(); // an Arm CPU has timers for guests
}

static inline void fixture_create_vcpu(ArmFixture *f, Aarch64VCpu *vcpu, AxVCpuId id)
{
    const AxArchVCpuEnv env = {
        .hal = &f->host.hal, .events = &f->events, .stats = &f->stats, .vm_id = 1, .vcpu_id = id};
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
    host_init(&f->host);
    f->host.hal.set_deadline = fixture_no_deadline;
    axvcpu_events_init(&f->events);
    f->root = (AxEptRoot){.base = ax_hpa(ROOT_BASE), .levels = 3, .gpa_bits = 40};
    arm_sim_reset();
    arm_sim.reg[ARM_REG_VBAR_EL2] = HOST_VBAR;
    assert_int_equal(aarch64_percpu_ops.init(&f->percpu, 0, &f->host.hal), AX_OK);
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
