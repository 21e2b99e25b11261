// SPDX-License-Identifier: Apache-2.0
#include "pcpu.h"

#include "hal.h"
#include "hostinfo.h"
#include "keys.h"
#include "log.h"
#include "platform.h"
#include "sched.h"
#include "vms.h"

typedef struct Pcpu {
    AxPCpuId id;
    AxPerCpu percpu;
    PerCpu arch;
    uint32_t current; // number of the vCPU that is bound here, SCHED_NONE
    uint64_t slice_end;
} Pcpu;

_Static_assert(VMS_MAX *AX_VM_CPUS_MAX <= SCHED_VCPUS, "one bit per vCPU");

static Pcpu pcpus[HOST_CPUS_MAX];

bool pcpu_start(AxPCpuId id)
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
        log_line(AX_LOG_ERROR, "this CPU cannot run guests: %s (%s)",
                 reason != NULL ? reason : axvcpu_error_text(error), axvcpu_error_name(error));
        return false;
    }
    pcpu->id = id;
    pcpu->current = SCHED_NONE;
    return true;
}

void pcpu_stop(AxPCpuId id)
{
    const AxError error = axvcpu_percpu_disable(&pcpus[id].percpu);

    if (error != AX_OK) {
        demo_fail("virtualization cannot be turned off: %s", axvcpu_error_name(error));
    }
}

static void release_current(Pcpu *pcpu)
{
    if (pcpu->current == SCHED_NONE) {
        return;
    }
    AxVCpu *vcpu = vms_vcpu(pcpu->current).vcpu;

    pcpu->current = SCHED_NONE;
    if (axvcpu_is_bound(vcpu)) {
        const AxError error = axvcpu_unbind(vcpu);

        if (error != AX_OK) {
            demo_fail("a vCPU cannot be unbound: %s", axvcpu_error_name(error));
        }
    }
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

static SchedView look(const Pcpu *pcpu)
{
    SchedView view = {
        .now_ns = time_now_ns(),
        .current = pcpu->current,
        .slice_end = pcpu->slice_end,
        .deadline = SCHED_NEVER,
        .poll_soon = keys_waiting(),
    };

    for (uint64_t left = vms_vcpu_mask(); left != 0; left &= left - 1) {
        const uint32_t number = (uint32_t)__builtin_ctzll(left);
        const VCpuRef ref = vms_vcpu(number);

        if (axvcpu_state(ref.vcpu) == AX_VCPU_BLOCKED) {
            wake_due(ref, &view);
        }
        if (axvm_vcpu_runnable(&ref.vm->vm, ref.id)) {
            view.runnable |= UINT64_C(1) << number;
        } else if (axvcpu_state(ref.vcpu) != AX_VCPU_BLOCKED) {
            view.poll_slice = true; // switched off: nobody tells when it is switched on
        }
    }
    return view;
}

static void idle(Pcpu *pcpu)
{
    uint64_t vector;

    release_current(pcpu);
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
    if (exit->reason == AX_EXIT_CPU_DOWN) {
        release_current(pcpu);
        vms_cpu_down(ref.vm);
    }
}

static void run(Pcpu *pcpu, uint32_t number, uint64_t now_ns)
{
    const VCpuRef ref = vms_vcpu(number);
    const AxVCpuExit *exit = NULL;

    if (number != pcpu->current) {
        release_current(pcpu);
        pcpu->current = number;
    }
    if (now_ns >= pcpu->slice_end) {
        pcpu->slice_end = now_ns + SCHED_SLICE_NS;
    }
    const AxError error = axvm_run_vcpu(&ref.vm->vm, ref.id, &pcpu->percpu, &exit);

    // A failure is in the VM's state; AX_ESTATE: it was stopped from another pCPU.
    if (error == AX_OK) {
        answer(pcpu, ref, exit);
    }
}

static bool current_stopped(const Pcpu *pcpu)
{
    return pcpu->current != SCHED_NONE &&
           axvm_status(&vms_vcpu(pcpu->current).vm->vm) != AX_VM_RUNNING;
}

void pcpu_run(AxPCpuId id)
{
    Pcpu *pcpu = &pcpus[id];

    for (;;) {
        keys_poll();
        if (current_stopped(pcpu)) {
            release_current(pcpu);
        }
        vms_reap();
        if (vms_live_count() == 0) {
            return;
        }
        const SchedView view = look(pcpu);
        const uint32_t next = sched_pick(&view);

        time_arm(sched_timer(&view, next));
        if (next == SCHED_NONE) {
            idle(pcpu);
        } else {
            run(pcpu, next, view.now_ns);
        }
    }
}
