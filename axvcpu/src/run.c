// SPDX-License-Identifier: Apache-2.0
/* A vCPU on a pCPU: bind, run, unbind, block, and the counters of it. */
#include "internal.h"

bool axvcpu_is_bound(const AxVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->percpu, memory_order_acquire) != NULL;
}

// The vCPU is on its pCPU from the first instruction of the backend's bind on.
static AxError attach(AxVCpu *vcpu, AxPerCpu *percpu)
{
    AxVCpu *nobody = NULL;

    if (!atomic_compare_exchange_strong_explicit(&percpu->current, &nobody, vcpu,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        return AX_EBUSY;
    }
    atomic_store_explicit(&vcpu->percpu, percpu, memory_order_release);
    atomic_store_explicit(&vcpu->last_pcpu, percpu->id, memory_order_release);
    return AX_OK;
}

static void release_pcpu(AxVCpu *vcpu)
{
    AxPerCpu *percpu = atomic_load_explicit(&vcpu->percpu, memory_order_relaxed);

    atomic_store_explicit(&vcpu->percpu, NULL, memory_order_release);
    atomic_store_explicit(&percpu->current, NULL, memory_order_release);
}

AxError axvcpu_detach(AxVCpu *vcpu)
{
    AxError error;

    if (!axvcpu_is_bound(vcpu)) {
        return AX_OK;
    }
    error = vcpu->ops->unbind(vcpu->arch);
    release_pcpu(vcpu);
    return axvcpu_settle(vcpu, error);
}

AxError axvcpu_bind(AxVCpu *vcpu, AxPerCpu *percpu)
{
    AxError error;

    if (percpu == NULL) {
        return AX_EINVAL;
    }
    if (axvcpu_raw_state(vcpu) != AX_VCPU_FREE) {
        return AX_ESTATE;
    }
    if (vcpu->hal->this_pcpu(vcpu->hal->ctx) != percpu->id ||
        !axvcpu_may_run_on(vcpu, percpu->id)) {
        return AX_EWRONGCPU;
    }
    if (!axvcpu_percpu_is_enabled(percpu)) {
        return AX_ESTATE;
    }
    error = attach(vcpu, percpu);
    if (error != AX_OK) {
        return error;
    }
    error = vcpu->ops->bind(vcpu->arch, percpu->arch);
    if (error != AX_OK) {
        release_pcpu(vcpu);
        return axvcpu_settle(vcpu, error);
    }
    (void)axvcpu_change_state(vcpu, AX_VCPU_FREE, AX_VCPU_READY);
    return AX_OK;
}

AxError axvcpu_unbind(AxVCpu *vcpu)
{
    const uint32_t state = axvcpu_raw_state(vcpu);
    AxError error;

    if (state != AX_VCPU_READY && state != AX_VCPU_BLOCKED_BOUND) {
        return AX_ESTATE;
    }
    if (!axvcpu_on_bound_pcpu(vcpu)) {
        return AX_EWRONGCPU;
    }
    error = axvcpu_detach(vcpu);
    // When the first change fails a waker has made it Ready since it was Blocked.
    if (error == AX_OK && !axvcpu_change_state(vcpu, AX_VCPU_BLOCKED_BOUND, AX_VCPU_BLOCKED)) {
        (void)axvcpu_change_state(vcpu, AX_VCPU_READY, AX_VCPU_FREE);
    }
    return error;
}

// Runs the backend once and keeps the books of it.
static AxError enter(AxVCpu *vcpu)
{
    const AxVCpuHal *hal = vcpu->hal;
    const uint64_t start = hal->now_ns(hal->ctx);
    const AxError error = vcpu->ops->run(vcpu->arch, &vcpu->exit);

    axvcpu_count(&vcpu->stats.run_ns, hal->now_ns(hal->ctx) - start);
    if (error != AX_OK) {
        return error;
    }
    const unsigned reason = vcpu->exit.reason;

    if (reason >= AX_EXIT_COUNT) {
        return AX_EBACKEND;
    }
    axvcpu_count(&vcpu->stats.exits[reason], 1);
    vcpu->answers_due = axvcpu_completions[reason];
    return AX_OK;
}

AxError axvcpu_run(AxVCpu *vcpu, const AxVCpuExit **exit)
{
    AxError error;

    if (exit == NULL) {
        return AX_EINVAL;
    }
    if (!axvcpu_is_ready(vcpu)) {
        return AX_ESTATE;
    }
    if (!axvcpu_on_bound_pcpu(vcpu)) {
        return AX_EWRONGCPU;
    }
    if (vcpu->answers_due != 0) {
        return AX_EPENDING;
    }
    axvcpu_set_running(vcpu, true);
    error = enter(vcpu);
    if (error != AX_OK) {
        return axvcpu_settle(vcpu, error);
    }
    axvcpu_set_running(vcpu, false);
    *exit = &vcpu->exit;
    return AX_OK;
}

// Ends Blocked; false when it was not blocked, or somebody else has ended it.
static bool unblock(AxVCpu *vcpu)
{
    return axvcpu_change_state(vcpu, AX_VCPU_BLOCKED_BOUND, AX_VCPU_READY) ||
           axvcpu_change_state(vcpu, AX_VCPU_BLOCKED, AX_VCPU_FREE);
}

AxError axvcpu_block(AxVCpu *vcpu)
{
    if (!axvcpu_change_state(vcpu, AX_VCPU_READY, AX_VCPU_BLOCKED_BOUND) &&
        !axvcpu_change_state(vcpu, AX_VCPU_FREE, AX_VCPU_BLOCKED)) {
        return AX_ESTATE;
    }
    // From here on every poster sees Blocked and wakes; what was posted before is seen here.
    if (axvcpu_events_any(&vcpu->events) || vcpu->ops->wakeup_pending(vcpu->arch)) {
        (void)unblock(vcpu);
        return AX_EAGAIN;
    }
    return AX_OK;
}

bool axvcpu_wake(AxVCpu *vcpu)
{
    const AxPCpuId pcpu = atomic_load_explicit(&vcpu->last_pcpu, memory_order_acquire);

    if (!unblock(vcpu)) {
        return false;
    }
    // Also when that is this pCPU: the kick is what makes a scheduler look again.
    if (pcpu != AX_PCPU_NONE) {
        vcpu->hal->kick_pcpu(vcpu->hal->ctx, pcpu);
    }
    return true;
}

uint64_t axvcpu_exit_count(const AxVCpu *vcpu, AxVCpuExitReason reason)
{
    return (unsigned)reason < AX_EXIT_COUNT
               ? atomic_load_explicit(&vcpu->stats.exits[reason], memory_order_relaxed)
               : 0;
}

uint64_t axvcpu_handled_count(const AxVCpu *vcpu, AxVCpuExitReason reason)
{
    return (unsigned)reason < AX_EXIT_COUNT
               ? atomic_load_explicit(&vcpu->stats.handled[reason], memory_order_relaxed)
               : 0;
}

uint64_t axvcpu_run_time_ns(const AxVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->stats.run_ns, memory_order_relaxed);
}
