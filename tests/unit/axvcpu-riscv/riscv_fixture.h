// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM and one vCPU of the backend on simulated CSRs.
#pragma once

#include "../host_fixture.h"
#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

#define HOST_STVEC    UINT64_C(0x80204000)
#define HOST_SSCRATCH UINT64_C(0x80999990)
#define ROOT_BASE     UINT64_C(0x88000000)
#define ENTRY         UINT64_C(0x80200000)
#define DTB           UINT64_C(0x84000000)

typedef struct RISCVFixture {
    TestHost host;
    AxEvents events;
    AxVCpuStats stats;
    RISCVPerCpu percpu;
    RISCVVCpu vcpu;
    AxEptRoot root;
} RISCVFixture;

static inline void fixture_create_vcpu(RISCVFixture *f, RISCVVCpu *vcpu, AxVCpuId id)
{
    const AxArchVCpuEnv env = {
        .hal = &f->host.hal, .events = &f->events, .stats = &f->stats, .vm_id = 1, .vcpu_id = id};
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
    host_init(&f->host);
    axvcpu_events_init(&f->events);
    f->root = (AxEptRoot){.base = ax_hpa(ROOT_BASE), .levels = 3, .gpa_bits = 41};
    rv_sim_reset();
    rv_sim.reg[RV_REG_STVEC] = HOST_STVEC;
    rv_sim.reg[RV_REG_SSCRATCH] = HOST_SSCRATCH;
    assert_int_equal(riscv_percpu_ops.init(&f->percpu, 0, &f->host.hal), AX_OK);
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
