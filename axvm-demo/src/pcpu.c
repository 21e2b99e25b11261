// SPDX-License-Identifier: Apache-2.0
#include "pcpu.h"

#include "hal.h"
#include "keys.h"
#include "log.h"
#include "platform.h"
#include "sched.h"
#include "vms.h"

#include <axvcpu/bits.h>
#include <axvm/lock.h>

#define START_TIMEOUT_NS UINT64_C(1000000000)

typedef struct Pcpu {
    AxPCpuId id;
    AxPerCpu percpu;
    PerCpu arch;
    // Number of the vCPU that is bound here or about to be, SCHED_NONE. Written here only; set under
    // the lock, so that a VM that is taken apart is seen to be in use.
    _Atomic uint32_t current;
    uint64_t slice_end;
    uint64_t sched_deadline; // when to look again; SCHED_NEVER
    uint64_t guest_deadline; // timer of the bound vCPU that no hardware keeps; SCHED_NEVER
    _Atomic bool online;
} Pcpu;

_Static_assert(VMS_MAX *AX_VM_CPUS_MAX <= SCHED_VCPUS, "one bit per vCPU");

static Pcpu pcpus[HOST_CPUS_MAX];
static AxPCpuId boot_pcpu;
// Set before any vCPU runs.
static AxPCpuId homes[HOST_CPUS_MAX];
static uint32_t home_count;
static _Atomic bool running;
// Held while it is decided what runs, and while VMs are reset and taken apart.
static AxLock decisions;

static bool is_online(const Pcpu *pcpu)
{
    return atomic_load_explicit(&pcpu->online, memory_order_acquire);
}

static uint32_t current_of(const Pcpu *pcpu)
{
    return atomic_load_explicit(&pcpu->current, memory_order_acquire);
}

static void kick_others(const Pcpu *self)
{
    for (AxPCpuId id = 0; id < HOST_CPUS_MAX; id++) {
        if (id != self->id && is_online(&pcpus[id])) {
            irq_kick(id);
        }
    }
}

// ---- up and down ----

static bool start_here(AxPCpuId id)
{
    Pcpu *pcpu = &pcpus[id];
    const char *reason = NULL;
    AxError error = axvcpu_arch_hardware_check(&reason);

    if (error == AX_OK) {
        error = axvcpu_arch_percpu_init(&pcpu->percpu, &pcpu->arch, &demo_hal, id);
    }
    if (error == AX_OK) {
        error = axvcpu_percpu_enable(&pcpu->percpu);
    }
    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "CPU %u cannot run guests: %s (%s)", id,
                 reason != NULL ? reason : axvcpu_error_text(error), axvcpu_error_name(error));
        return false;
    }
    pcpu->id = id;
    pcpu->guest_deadline = SCHED_NEVER;
    pcpu->sched_deadline = SCHED_NEVER;
    atomic_store_explicit(&pcpu->current, SCHED_NONE, memory_order_relaxed);
    atomic_store_explicit(&pcpu->online, true, memory_order_release);
    return true;
}

static void stop_here(Pcpu *pcpu)
{
    const AxError error = axvcpu_percpu_disable(&pcpu->percpu);

    if (error != AX_OK) {
        demo_fail("virtualization cannot be turned off: %s", axvcpu_error_name(error));
    }
    atomic_store_explicit(&pcpu->online, false, memory_order_release);
}

static bool wait_online(const Pcpu *pcpu, bool online)
{
    const uint64_t deadline = time_now_ns() + START_TIMEOUT_NS;

    while (is_online(pcpu) != online) {
        if (time_now_ns() > deadline) {
            return false;
        }
    }
    return true;
}

// One that does not come up is done without.
static void start_secondary(const HostInfo *host, AxPCpuId id)
{
    if (platform_start_pcpu(host, id) && wait_online(&pcpus[id], true)) {
        homes[home_count++] = id;
    } else {
        log_line(AX_LOG_WARN, "CPU %u does not start", id);
    }
}

uint32_t pcpu_start_all(const HostInfo *host)
{
    boot_pcpu = this_pcpu();
    if (!start_here(boot_pcpu)) {
        return 0;
    }
    homes[home_count++] = boot_pcpu;
    for (AxPCpuId id = 0; id < host->cpu_count; id++) {
        if (id != boot_pcpu) {
            start_secondary(host, id);
        }
    }
    return home_count;
}

void pcpu_stop_all(void)
{
    Pcpu *self = &pcpus[boot_pcpu];

    atomic_store_explicit(&running, true, memory_order_release);
    kick_others(self);
    for (uint32_t i = 0; i < home_count; i++) {
        if (homes[i] != boot_pcpu && !wait_online(&pcpus[homes[i]], false)) {
            demo_fail("CPU %u does not stop", homes[i]);
        }
    }
    stop_here(self);
}

// ---- running ----

static void arm_timer(const Pcpu *pcpu)
{
    const bool guest_first = pcpu->guest_deadline < pcpu->sched_deadline;

    time_arm(guest_first ? pcpu->guest_deadline : pcpu->sched_deadline);
}

void pcpu_set_deadline(uint64_t deadline_ns)
{
    Pcpu *pcpu = &pcpus[this_pcpu()];

    pcpu->guest_deadline = deadline_ns;
    arm_timer(pcpu);
}

static void release_current(Pcpu *pcpu)
{
    if (current_of(pcpu) == SCHED_NONE) {
        return;
    }
    AxVCpu *vcpu = vms_vcpu(current_of(pcpu)).vcpu;

    if (axvcpu_is_bound(vcpu)) {
        const AxError error = axvcpu_unbind(vcpu);

        if (error != AX_OK) {
            demo_fail("a vCPU cannot be unbound: %s", axvcpu_error_name(error));
        }
    }
    atomic_store_explicit(&pcpu->current, SCHED_NONE, memory_order_release);
}

// A vCPU that waits wakes by an event by itself; by its timer only when somebody looks.
static void wake_due(VCpuRef ref, SchedView *view)
{
    const uint64_t deadline = axvcpu_next_deadline(ref.vcpu);

    if (deadline <= view->now_ns || axvcpu_wakeup_pending(ref.vcpu)) {
        (void)axvcpu_wake(ref.vcpu);
    } else if (deadline < view->deadline) {
        view->deadline = deadline;
    }
}

// Devices that keep time are looked after where their VM's first vCPU runs.
static void poll_devices(VCpuRef ref, SchedView *view)
{
    const uint64_t deadline = axvm_poll(&ref.vm->vm);

    view->deadline = deadline < view->deadline ? deadline : view->deadline;
}

static void look_at(uint32_t number, VCpuRef ref, SchedView *view)
{
    if (ref.id == 0) {
        poll_devices(ref, view);
    }
    if (axvcpu_state(ref.vcpu) == AX_VCPU_BLOCKED) {
        wake_due(ref, view);
    }
    if (axvm_vcpu_runnable(&ref.vm->vm, ref.id)) {
        view->runnable |= UINT64_C(1) << number;
    }
}

// Each vCPU has one pCPU where it runs.
static SchedView look(const Pcpu *pcpu)
{
    SchedView view = {
        .now_ns = time_now_ns(),
        .current = current_of(pcpu),
        .slice_end = pcpu->slice_end,
        .deadline = SCHED_NEVER,
    };

    if (pcpu->id == boot_pcpu) {
        view.deadline = vms_flush(view.now_ns);
        view.retry_soon = keys_waiting();
    }

    for (uint64_t left = vms_vcpu_mask(); left != 0; left &= left - 1) {
        const uint32_t number = ax_lowest_bit(left);
        const VCpuRef ref = vms_vcpu(number);

        if (homes[ref.rank % home_count] == pcpu->id) {
            look_at(number, ref, &view);
        }
    }
    return view;
}

static uint64_t busy_vcpus(void)
{
    uint64_t busy = 0;

    for (AxPCpuId id = 0; id < HOST_CPUS_MAX; id++) {
        if (is_online(&pcpus[id]) && current_of(&pcpus[id]) != SCHED_NONE) {
            busy |= UINT64_C(1) << current_of(&pcpus[id]);
        }
    }
    return busy;
}

static bool current_stopped(const Pcpu *pcpu)
{
    return current_of(pcpu) != SCHED_NONE &&
           axvm_status(&vms_vcpu(current_of(pcpu)).vm->vm) != AX_VM_RUNNING;
}

// The boot pCPU takes a VM apart once no other one holds a vCPU of it; it may be waiting.
static void tell_boot_pcpu(const Pcpu *pcpu)
{
    if (pcpu->id != boot_pcpu) {
        irq_kick(boot_pcpu);
    }
}

// Under the lock. False when no VM is left.
static bool decide(Pcpu *pcpu, uint32_t *next)
{
    if (current_stopped(pcpu)) {
        release_current(pcpu);
        tell_boot_pcpu(pcpu);
    }
    if (pcpu->id == boot_pcpu && vms_reap(busy_vcpus())) {
        kick_others(pcpu);
    }
    if (vms_live_count() == 0) {
        return false;
    }
    const SchedView view = look(pcpu);

    *next = sched_pick(&view);
    pcpu->sched_deadline = sched_timer(&view, *next);
    if (*next != view.current) {
        release_current(pcpu);
        atomic_store_explicit(&pcpu->current, *next, memory_order_release);
    }
    if (view.now_ns >= pcpu->slice_end) {
        pcpu->slice_end = view.now_ns + SCHED_SLICE_NS;
    }
    arm_timer(pcpu);
    return true;
}

static void idle(void)
{
    uint64_t vector;

    irq_wait();
    while ((vector = irq_fetch()) != AX_IRQ_NONE) {
        irq_handle(vector);
    }
}

static void answer(Pcpu *pcpu, VCpuRef ref, const AxVCpuExit *exit)
{
    if (exit->reason == AX_EXIT_IDLE) {
        const AxError error = axvcpu_block(ref.vcpu);

        if (error != AX_OK && error != AX_EAGAIN) {
            demo_fail("a vCPU cannot be blocked: %s", axvcpu_error_name(error));
        }
    }
    if (exit->reason == AX_EXIT_CPU_DOWN || exit->reason == AX_EXIT_HALT) {
        release_current(pcpu);
        tell_boot_pcpu(pcpu);
    }
}

static void run(Pcpu *pcpu, uint32_t number)
{
    const VCpuRef ref = vms_vcpu(number);
    const AxVCpuExit *exit = NULL;
    const AxError error = axvm_run_vcpu(&ref.vm->vm, ref.id, &pcpu->percpu, &exit);

    // A failure is in the VM's state; AX_ESTATE: it was stopped from another pCPU.
    if (error == AX_OK) {
        answer(pcpu, ref, exit);
    }
}

static void run_here(Pcpu *pcpu)
{
    for (;;) {
        uint32_t next = SCHED_NONE;

        if (pcpu->id == boot_pcpu) {
            keys_poll();
        }
        ax_lock(&decisions);
        const bool going_on = decide(pcpu, &next);
        ax_unlock(&decisions);
        if (!going_on) {
            return;
        }
        if (next == SCHED_NONE) {
            idle();
        } else {
            run(pcpu, next);
        }
    }
}

void pcpu_notice(uint32_t rank)
{
    irq_kick(homes[rank % home_count]);
}

void pcpu_notice_line(void)
{
    irq_kick(boot_pcpu);
}

void pcpu_run_all(void)
{
    Pcpu *self = &pcpus[boot_pcpu];

    atomic_store_explicit(&running, true, memory_order_release);
    kick_others(self);
    run_here(self);
}

void pcpu_serve(AxPCpuId id)
{
    Pcpu *self = &pcpus[id];

    if (!start_here(id)) {
        return;
    }
    while (!atomic_load_explicit(&running, memory_order_acquire)) {
        idle();
    }
    run_here(self);
    stop_here(self);
}
