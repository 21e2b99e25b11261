// SPDX-License-Identifier: Apache-2.0
// One pCPU, one VM with a page of memory and one vCPU of the backend on a simulated processor of
// either vendor. What tests of both say of exits and events is in the terms of SVM.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svm/vmcb.h"
#include "vmx/vmcs.h"
#include "x86.h"

#include <stdio.h>
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

// ---- vendors ----

// A test for each: start() hands its state to fixture_choose() before anything else.
#define ON_SVM(name)                             \
    {                                            \
#name " on SVM", name, start, stop, NULL \
    }
#define ON_VMX(name)                                     \
    {                                                    \
#name " on VMX", name, start, stop, STATE_OF_VMX \
    }
#define ON_BOTH(name) ON_SVM(name), ON_VMX(name)

#define STATE_OF_VMX ((void *)(uintptr_t)1)
static bool fixture_is_vmx;
static bool fixture_has_apicv; // of VMX; what most tests look at does without

static inline void fixture_choose(void **state)
{
    fixture_is_vmx = *state != NULL;
}

static _Alignas(4096) uint8_t fixture_arena[FRAMES][4096];

static _Thread_local struct {
    uint64_t code;
    uint64_t info_1;
    uint64_t info_2;
    uint64_t int_info;
    uint64_t event_seen; // EVENTINJ of the last entry
    unsigned entries;
    // The second entry of a run ends with HLT, so that what was finished inside shows.
    void (*act)(void); // what the guest does before it leaves first, or NULL
} scripted;

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

static char fixture_logged[256]; // the last line

__attribute__((format(printf, 3, 4))) static inline void fixture_log(void *ctx, AxLogLevel level,
                                                                     const char *format, ...)
{
    va_list args;

    (void)ctx;
    (void)level;
    va_start(args, format);
    (void)vsnprintf(fixture_logged, sizeof(fixture_logged), format, args);
    va_end(args);
}

static inline uint64_t fixture_now_ns(void *ctx)
{
    return ((X86Fixture *)ctx)->now;
}

static inline HostPhysAddr fixture_frame(X86Fixture *f)
{
    HostPhysAddr frame = ax_hpa((uintptr_t)fixture_arena);

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
    memset(&scripted, 0, sizeof(scripted));
    fixture_logged[0] = 0;
    scripted.act = NULL;
    f->frames_left = FRAMES;
    f->irq = AX_IRQ_NONE;
    f->now = 1000;
    f->deadline = AX_DEADLINE_NONE;
    axvcpu_events_init(&f->events);
    if (fixture_is_vmx) {
        x86_sim_reset_vmx();
        if (!fixture_has_apicv) {
            x86_sim.reg[X86_SIM_VMX_SECONDARY_CONTROLS] &= ~(
                (uint64_t)SECONDARY_VIRTUAL_INTERRUPT_DELIVERY << 32);
        }
    } else {
        x86_sim_reset();
    }
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
    assert_false(fixture_is_vmx);
    return (Vmcb *)(uintptr_t)f->vcpu.control.value;
}

static inline uint64_t *fixture_vmcs(const X86Fixture *f, VmcsField field)
{
    assert_true(fixture_is_vmx);
    return x86_sim_vmcs_field(f->vcpu.control.value, field);
}

// ---- what the last entry had ----

static inline uint64_t fixture_rflags(const X86Fixture *f)
{
    return fixture_is_vmx ? *fixture_vmcs(f, VMCS_GUEST_RFLAGS) : fixture_vmcb(f)->rflags;
}

static inline bool fixture_has_interrupt_window(const X86Fixture *f)
{
    const uint64_t request = VINTR_IRQ | VINTR_IGN_TPR;

    if (fixture_is_vmx) {
        return (*fixture_vmcs(f, VMCS_PRIMARY_CONTROLS) & PRIMARY_INTERRUPT_WINDOW_EXITING) != 0;
    }
    assert_int_equal((fixture_vmcb(f)->intercept_1 & INTERCEPT_VINTR) != 0,
                     (fixture_vmcb(f)->vintr & request) == request);
    return (fixture_vmcb(f)->intercept_1 & INTERCEPT_VINTR) != 0;
}

static inline bool fixture_has_nmi_window(const X86Fixture *f)
{
    return fixture_is_vmx
               ? (*fixture_vmcs(f, VMCS_PRIMARY_CONTROLS) & PRIMARY_NMI_WINDOW_EXITING) != 0
               : (fixture_vmcb(f)->intercept_1 & INTERCEPT_IRET) != 0;
}

static inline bool fixture_has_tpr_window(const X86Fixture *f)
{
    return fixture_is_vmx ? *fixture_vmcs(f, VMCS_TPR_THRESHOLD) != 0
                          : (fixture_vmcb(f)->intercept_cr & INTERCEPT_CR8_WRITE) != 0;
}

// As MOV to CR8 does without an exit.
static inline void fixture_write_cr8(const X86Fixture *f, uint8_t value)
{
    if (fixture_is_vmx) {
        *(uint8_t *)(uintptr_t)(*fixture_vmcs(f, VMCS_VIRTUAL_APIC_ADDRESS) +
                                0x80) = (uint8_t)(value << 4);
    } else {
        fixture_vmcb(f)->vintr = (fixture_vmcb(f)->vintr & ~VINTR_TPR) | value;
    }
}

// ---- a guest that leaves at once ----

static inline bool fixture_act(void)
{
    if (scripted.entries++ != 0) {
        return false;
    }
    if (scripted.act != NULL) {
        scripted.act();
    }
    return true;
}

static inline void fixture_guest(struct X86GuestRegs *regs, Vmcb *vmcb)
{
    (void)regs;
    scripted.event_seen = x86_sim_take_event(vmcb);
    if (fixture_act()) {
        vmcb->exit_code = scripted.code;
        vmcb->exit_info_1 = scripted.info_1;
        vmcb->exit_info_2 = scripted.info_2;
        vmcb->exit_int_info = scripted.int_info;
        return;
    }
    vmcb->exit_code = VMEXIT_HLT;
    vmcb->exit_info_1 = 0;
}

// ---- the same on VMX ----

static const struct {
    uint16_t code;
    uint8_t reason;
    uint8_t length;
} fixture_reasons[] = {
    {VMEXIT_CR8_WRITE, VMX_EXIT_TPR_BELOW_THRESHOLD, 0},
    {VMEXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT, 0},
    {VMEXIT_VINTR, VMX_EXIT_INTERRUPT_WINDOW, 0},
    {VMEXIT_RDPMC, VMX_EXIT_RDPMC, 2},
    {VMEXIT_CPUID, VMX_EXIT_CPUID, 2},
    {VMEXIT_RSM, VMX_EXIT_RSM, 2},
    {VMEXIT_IRET, VMX_EXIT_NMI_WINDOW, 0},
    {VMEXIT_INVD, VMX_EXIT_INVD, 2},
    {VMEXIT_HLT, VMX_EXIT_HLT, 1},
    {VMEXIT_INVLPGA, VMX_EXIT_INVVPID, 3},
    {VMEXIT_SHUTDOWN, VMX_EXIT_TRIPLE_FAULT, 0},
    {VMEXIT_VMRUN, VMX_EXIT_VMLAUNCH, 3},
    {VMEXIT_VMMCALL, VMX_EXIT_VMCALL, 3},
    {VMEXIT_VMLOAD, VMX_EXIT_VMPTRLD, 3},
    {VMEXIT_VMSAVE, VMX_EXIT_VMPTRST, 3},
    {VMEXIT_STGI, VMX_EXIT_VMXON, 3},
    {VMEXIT_CLGI, VMX_EXIT_VMXOFF, 3},
    {VMEXIT_SKINIT, VMX_EXIT_GETSEC, 2},
    {VMEXIT_RDTSCP, VMX_EXIT_RDTSCP, 3},
    {VMEXIT_WBINVD, VMX_EXIT_WBINVD, 2},
    {VMEXIT_MONITOR, VMX_EXIT_MONITOR, 3},
    {VMEXIT_MWAIT, VMX_EXIT_MWAIT, 3},
    {VMEXIT_XSETBV, VMX_EXIT_XSETBV, 3},
};

static inline void fixture_leave(uint64_t reason, uint64_t qualification, uint64_t length)
{
    *x86_sim_field(VMCS_EXIT_REASON) = reason;
    *x86_sim_field(VMCS_EXIT_QUALIFICATION) = qualification;
    *x86_sim_field(VMCS_EXIT_INSTRUCTION_LENGTH) = length;
}

static inline void fixture_leave_by_port(void)
{
    const uint64_t info = scripted.info_1;
    const uint64_t qualification = ((info >> IOIO_WIDTH_SHIFT & 7) - 1) & 7;

    fixture_leave(VMX_EXIT_IO,
                  qualification | ((info & IOIO_IN) != 0 ? IO_IN : 0) |
                      ((info & IOIO_STRING) != 0 ? IO_STRING : 0) |
                      ((info & IOIO_REP) != 0 ? IO_REP : 0) | (info & UINT64_C(0xffff0000)),
                  scripted.info_2 - *x86_sim_field(VMCS_GUEST_RIP));
}

static inline void fixture_leave_by_nested_fault(void)
{
    const uint64_t info = scripted.info_1;
    uint64_t access = VIOLATION_READ;

    if ((info & PF_WRITE) != 0) {
        access = VIOLATION_WRITE;
    } else if ((info & PF_FETCH) != 0) {
        access = VIOLATION_FETCH;
    }
    *x86_sim_field(VMCS_GUEST_PHYSICAL_ADDRESS) = scripted.info_2;
    fixture_leave(VMX_EXIT_EPT_VIOLATION,
                  access | ((info & PF_PRESENT) != 0 ? VIOLATION_RIGHTS & 0x08 : 0) |
                      VIOLATION_HAS_LINEAR | ((info & NPF_WALK) != 0 ? 0 : VIOLATION_TRANSLATED),
                  0);
}

static inline void fixture_leave_by_exception(uint64_t type, uint8_t vector)
{
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_INFO) = INTERRUPTION_VALID | type << 8 | vector |
                                                  (vector == VECTOR_AC ? INTERRUPTION_HAS_ERROR
                                                                       : 0);
    *x86_sim_field(VMCS_EXIT_INTERRUPTION_ERROR_CODE) = scripted.info_1;
    fixture_leave(VMX_EXIT_EXCEPTION_OR_NMI, vector == VECTOR_DB ? scripted.info_2 : 0, 0);
}

static inline void fixture_leave_by_number(void)
{
    for (size_t i = 0; i < COUNT(fixture_reasons); i++) {
        if (fixture_reasons[i].code == scripted.code) {
            fixture_leave(fixture_reasons[i].reason, scripted.info_1, fixture_reasons[i].length);
            return;
        }
    }
    fixture_leave(scripted.code != VMEXIT_INVALID
                      ? scripted.code
                      : EXIT_REASON_ENTRY_FAILURE | VMX_EXIT_ENTRY_FAILURE_GUEST_STATE,
                  scripted.info_1, 0);
}

static inline void fixture_leave_as_scripted(void)
{
    const uint64_t code = scripted.code;

    if (code == VMEXIT_IOIO) {
        fixture_leave_by_port();
    } else if (code == VMEXIT_NPF) {
        fixture_leave_by_nested_fault();
    } else if (code == VMEXIT_MSR) {
        fixture_leave(scripted.info_1 == 1 ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR, 0, 2);
    } else if (code - VMEXIT_EXCEPTION < 32) {
        fixture_leave_by_exception(INTERRUPTION_HARDWARE_EXCEPTION,
                                   (uint8_t)(code - VMEXIT_EXCEPTION));
    } else if (code == VMEXIT_NMI) {
        fixture_leave_by_exception(INTERRUPTION_NMI, 2);
    } else {
        fixture_leave_by_number();
    }
}

// EXITINTINFO has no software exceptions, and its error code is its upper half.
static inline void fixture_interrupt_delivery(uint64_t info)
{
    const uint64_t vector = info & EVENT_VECTOR;
    uint64_t low = info & UINT32_MAX;

    if ((info >> EVENT_TYPE_SHIFT & EVENT_TYPE) == X86_EVENT_EXCEPTION &&
        (vector == VECTOR_BP || vector == VECTOR_OF)) {
        low = (low & ~(EVENT_TYPE << EVENT_TYPE_SHIFT)) | INTERRUPTION_SOFTWARE_EXCEPTION << 8;
    }
    *x86_sim_field(VMCS_IDT_VECTORING_INFO) = low;
    *x86_sim_field(VMCS_IDT_VECTORING_ERROR_CODE) = info >> EVENT_ERROR_SHIFT;
}

static inline uint64_t fixture_injected(void)
{
    const uint64_t info = *x86_sim_field(VMCS_ENTRY_INTERRUPTION_INFO);

    if ((info & INTERRUPTION_VALID) == 0) {
        return 0;
    }
    return (info & INTERRUPTION_HAS_ERROR) == 0
               ? info
               : info | *x86_sim_field(VMCS_ENTRY_EXCEPTION_ERROR_CODE) << EVENT_ERROR_SHIFT;
}

static inline void fixture_vmx_guest(struct X86GuestRegs *regs)
{
    (void)regs;
    scripted.event_seen = fixture_injected();
    fixture_interrupt_delivery(0);
    if (!fixture_act()) {
        fixture_leave(VMX_EXIT_HLT, 0, 1);
        return;
    }
    fixture_interrupt_delivery(scripted.int_info);
    fixture_leave_as_scripted();
}

// ---- runs ----

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
    x86_sim.vmx.guest = fixture_vmx_guest;
    assert_int_equal(x86_vcpu_ops.run(&f->vcpu, &f->exit), AX_OK);
    return f->exit.reason;
}

// A run that only waits: delivers what there is.
static inline AxVCpuExitReason fixture_run_halt(X86Fixture *f)
{
    return fixture_run_exit(f, VMEXIT_HLT, 0, 0, 0);
}
