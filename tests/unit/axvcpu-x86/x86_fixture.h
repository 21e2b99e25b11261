// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM with a page of memory and one vCPU of the backend on a simulated processor.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svm/vmcb.h"
#include "x86.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FRAMES       64u
#define ENTRY        UINT64_C(0x8000)
#define CODE_PAGE    UINT64_C(0x8000)     // the guest's memory: this page ...
#define HOLE         UINT64_C(0x20000000) // ... and nothing here
#define TSC_HZ       UINT64_C(2000000000)

typedef struct X86Fixture {
    AxVCpuHal hal;
    AxEvents events;
    AxVCpuStats stats;
    X86PerCpu percpu;
    X86VCpu vcpu;
    AxEptRoot root;
    AxVCpuExit exit;
    bool used[FRAMES];
    unsigned frames_left; // alloc_frames fails below
    uint64_t now;
    uint64_t deadline; // what set_deadline was called with last
    uint64_t irq;      // what irq_fetch returns
    uint8_t *code;     // host address of CODE_PAGE
    uint64_t *leaves;  // entries of the first 2 MiB of the guest's memory
} X86Fixture;

static _Alignas(4096) uint8_t fixture_arena[FRAMES][4096];

static inline AxError fixture_alloc(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    X86Fixture *f = ctx;

    assert_int_equal(align, 4096);
    if (f->frames_left < count) {
        return AX_ENOMEM;
    }
    for (size_t i = 0; i + count <= FRAMES; i++) {
        size_t free_frames = 0;

        while (free_frames < count && !f->used[i + free_frames]) {
            free_frames++;
        }
        if (free_frames == count) {
            memset(&f->used[i], 1, count);
            memset(fixture_arena[i], 0, 4096 * count);
            f->frames_left -= (unsigned)count;
            *out = ax_hpa((uintptr_t)fixture_arena[i]);
            return AX_OK;
        }
    }
    return AX_ENOMEM;
}

static inline void fixture_dealloc(void *ctx, HostPhysAddr first, size_t count)
{
    X86Fixture *f = ctx;
    const size_t index = (first.value - (uintptr_t)fixture_arena) / 4096;

    for (size_t i = index; i < index + count; i++) {
        assert_true(f->used[i]);
        f->used[i] = false;
    }
    f->frames_left += (unsigned)count;
}

static inline HostVirtAddr fixture_phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva((uintptr_t)addr.value);
}

static inline HostPhysAddr fixture_virt_to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

static inline uint64_t fixture_irq_fetch(void *ctx)
{
    return ((X86Fixture *)ctx)->irq;
}

static inline void fixture_set_deadline(void *ctx, uint64_t deadline_ns)
{
    ((X86Fixture *)ctx)->deadline = deadline_ns;
}

static const char *fixture_logged; // the format of the last line

__attribute__((format(printf, 3, 4))) static inline void fixture_log(void *ctx, AxLogLevel level,
                                                                     const char *format, ...)
{
    (void)ctx;
    (void)level;
    fixture_logged = format;
}

static inline uint64_t fixture_now_ns(void *ctx)
{
    return ((X86Fixture *)ctx)->now;
}

static inline HostPhysAddr fixture_frame(X86Fixture *f)
{
    HostPhysAddr frame = ax_hpa(0);

    assert_int_equal(fixture_alloc(f, 1, 4096, &frame), AX_OK);
    return frame;
}

// One more page below 2 MiB.
static inline void *fixture_map_page(X86Fixture *f, uint64_t gpa)
{
    const HostPhysAddr frame = fixture_frame(f);

    f->leaves[gpa / 4096] = x86_ept_format()->make_leaf(frame, AX_MAP_RIGHTS, 0);
    return (void *)(uintptr_t)frame.value;
}

// The page at CODE_PAGE, through four levels.
static inline void fixture_map(X86Fixture *f)
{
    const AxEptFormat *ept = x86_ept_format();
    HostPhysAddr table = fixture_frame(f);

    f->root = (AxEptRoot){.base = table, .levels = 4, .gpa_bits = 40};
    for (unsigned level = 3; level > 0; level--) {
        const HostPhysAddr next = fixture_frame(f);

        ((uint64_t *)(uintptr_t)table.value)[0] = ept->make_table(next);
        table = next;
    }
    f->leaves = (uint64_t *)(uintptr_t)table.value;
    f->code = fixture_map_page(f, CODE_PAGE);
}

// The pCPU is not enabled.
static inline void fixture_start(X86Fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->hal = (AxVCpuHal){.ctx = f,
                         .alloc_frames = fixture_alloc,
                         .dealloc_frames = fixture_dealloc,
                         .phys_to_virt = fixture_phys_to_virt,
                         .virt_to_phys = fixture_virt_to_phys,
                         .irq_fetch = fixture_irq_fetch,
                         .set_deadline = fixture_set_deadline,
                         .now_ns = fixture_now_ns,
                         .log = fixture_log};
    f->frames_left = FRAMES;
    f->irq = AX_IRQ_NONE;
    f->now = 1000;
    f->deadline = AX_DEADLINE_NONE;
    axvcpu_events_init(&f->events);
    x86_sim_reset();
    assert_int_equal(x86_percpu_ops.init(&f->percpu, 0, &f->hal), AX_OK);
}

static inline void fixture_create_vcpu(X86Fixture *f, X86VCpu *vcpu, AxVCpuId id)
{
    const AxArchVCpuEnv env = {
        .hal = &f->hal, .events = &f->events, .stats = &f->stats, .vm_id = 1, .vcpu_id = id};
    const X86VCpuCreateConfig create = {.tsc_hz = TSC_HZ};

    assert_int_equal(x86_vcpu_ops.create(vcpu, &env, &create), AX_OK);
}

static inline void fixture_setup_vcpu(X86Fixture *f, X86VCpu *vcpu)
{
    const X86VCpuSetupConfig setup = {.trap_wait = true};

    assert_int_equal(x86_vcpu_ops.set_entry(vcpu, ax_gpa(ENTRY)), AX_OK);
    assert_int_equal(x86_vcpu_ops.set_ept_root(vcpu, &f->root), AX_OK);
    assert_int_equal(x86_vcpu_ops.setup(vcpu, &setup), AX_OK);
}

static inline void fixture_start_bound_as(X86Fixture *f, AxVCpuId id)
{
    fixture_start(f);
    assert_int_equal(x86_percpu_ops.enable(&f->percpu), AX_OK);
    fixture_map(f);
    fixture_create_vcpu(f, &f->vcpu, id);
    fixture_setup_vcpu(f, &f->vcpu);
    assert_int_equal(x86_vcpu_ops.bind(&f->vcpu, &f->percpu), AX_OK);
}

static inline void fixture_start_bound(X86Fixture *f)
{
    fixture_start_bound_as(f, 0);
}

// Ends what fixture_start began, so that the global state of the backend is as before.
static inline void fixture_stop(X86Fixture *f)
{
    if (f->vcpu.percpu != NULL) {
        assert_int_equal(x86_vcpu_ops.unbind(&f->vcpu), AX_OK);
    }
    if (f->vcpu.vendor != NULL) {
        x86_vcpu_ops.destroy(&f->vcpu);
    }
    if (f->percpu.enabled) {
        assert_int_equal(x86_percpu_ops.disable(&f->percpu), AX_OK);
    }
    assert_int_equal(x86_sim.illegal, 0);
}

static inline Vmcb *fixture_vmcb(const X86Fixture *f)
{
    return (Vmcb *)(uintptr_t)f->vcpu.control.value;
}

// ---- a guest that leaves at once ----

static _Thread_local struct {
    uint64_t code;
    uint64_t info_1;
    uint64_t info_2;
    uint64_t int_info;
    uint64_t event_seen; // EVENTINJ of the last entry
    unsigned entries;
    // The second entry of a run ends with HLT, so that what was finished inside shows.
} scripted;

static inline void fixture_guest(struct X86GuestRegs *regs, Vmcb *vmcb)
{
    (void)regs;
    scripted.event_seen = vmcb->event_inj;
    vmcb->event_inj = 0;
    if (scripted.entries++ == 0) {
        vmcb->exit_code = scripted.code;
        vmcb->exit_info_1 = scripted.info_1;
        vmcb->exit_info_2 = scripted.info_2;
        vmcb->exit_int_info = scripted.int_info;
        return;
    }
    vmcb->exit_code = VMEXIT_HLT;
    vmcb->exit_info_1 = 0;
}

static inline AxVCpuExitReason fixture_run_exit(X86Fixture *f, uint64_t code, uint64_t info_1,
                                                uint64_t info_2, uint64_t int_info)
{
    scripted.code = code;
    scripted.info_1 = info_1;
    scripted.info_2 = info_2;
    scripted.int_info = int_info;
    scripted.entries = 0;
    scripted.event_seen = 0;
    // Whatever a HLT before it waited for.
    if (f->vcpu.activity == X86_HALTED) {
        f->vcpu.activity = X86_ACTIVE;
    }
    x86_sim.guest = fixture_guest;
    assert_int_equal(x86_vcpu_ops.run(&f->vcpu, &f->exit), AX_OK);
    return f->exit.reason;
}

// A run that only waits: delivers what there is.
static inline AxVCpuExitReason fixture_run_halt(X86Fixture *f)
{
    return fixture_run_exit(f, VMEXIT_HLT, 0, 0, 0);
}
