// SPDX-License-Identifier: Apache-2.0
/*
 * Events for a vCPU from anywhere: posts them (event.c), then moves the vCPU if it must move.
 * Nobody is kicked for a vCPU that takes its events before its next entry anyway.
 */
#include "internal.h"

// Of a vCPU that is Running.
static void end_entry(const AxVCpu *vcpu)
{
    const AxVCpuHal *hal = vcpu->hal;
    const AxPCpuId pcpu = atomic_load_explicit(&vcpu->last_pcpu, memory_order_acquire);

    // On its own pCPU the vCPU is between two entries, and looks again before the next.
    if (pcpu != hal->this_pcpu(hal->ctx)) {
        hal->kick_pcpu(hal->ctx, pcpu);
    }
}

static void notify(AxVCpu *vcpu)
{
    const uint32_t state = axvcpu_raw_state(vcpu);

    if (state == AX_VCPU_RUNNING) {
        end_entry(vcpu);
    } else if ((state == AX_VCPU_BLOCKED || state == AX_VCPU_BLOCKED_BOUND) &&
               axvcpu_events_any(&vcpu->events)) {
        (void)axvcpu_wake(vcpu);
    }
}

static AxError check_post(const AxVCpu *vcpu, uint32_t vector)
{
    if (axvcpu_raw_state(vcpu) == AX_VCPU_INVALID) {
        return AX_ESTATE;
    }
    return vector < AX_IRQ_COUNT ? AX_OK : AX_ERANGE;
}

// An event that changed nothing has been announced by whoever posted it first.
static AxError posted(AxVCpu *vcpu, bool changed)
{
    if (changed) {
        notify(vcpu);
    }
    return AX_OK;
}

AxError axvcpu_inject_interrupt(AxVCpu *vcpu, uint32_t vector, AxTrigger trigger)
{
    const AxError error = check_post(vcpu, vector);

    if (error != AX_OK) {
        return error;
    }
    switch (trigger) {
    case AX_TRIGGER_EDGE: return posted(vcpu, axvcpu_events_latch(&vcpu->events, vector));
    case AX_TRIGGER_LEVEL: return posted(vcpu, axvcpu_events_drive(&vcpu->events, vector, true));
    }
    return AX_EINVAL;
}

AxError axvcpu_set_interrupt_level(AxVCpu *vcpu, uint32_t vector, bool high)
{
    const AxError error = check_post(vcpu, vector);

    if (error != AX_OK) {
        return error;
    }
    return posted(vcpu, axvcpu_events_drive(&vcpu->events, vector, high));
}

AxError axvcpu_enable_interrupt(AxVCpu *vcpu, uint32_t vector, bool enable)
{
    const AxError error = check_post(vcpu, vector);

    if (error != AX_OK) {
        return error;
    }
    return posted(vcpu, axvcpu_events_switch(&vcpu->events, vector, enable));
}

AxError axvcpu_set_interrupt_priority(AxVCpu *vcpu, uint32_t vector, uint8_t priority)
{
    const AxError error = check_post(vcpu, vector);

    if (error != AX_OK) {
        return error;
    }
    return posted(vcpu, axvcpu_events_rank(&vcpu->events, vector, priority));
}

AxError axvcpu_request_interrupt(AxVCpu *vcpu, uint32_t vector, AxIrqRequest request)
{
    AxError error = check_post(vcpu, vector);

    if (error == AX_OK) {
        error = axvcpu_events_request(&vcpu->events, vector, request);
    }
    return error != AX_OK ? error : posted(vcpu, true);
}

AxIrqState axvcpu_interrupt_state(const AxVCpu *vcpu, uint32_t vector)
{
    AxIrqState state = {.pending = false, .active = false};

    if (vector >= AX_IRQ_COUNT || vcpu->arch == NULL) {
        return state;
    }
    state = vcpu->ops->irq_state(vcpu->arch, vector);
    state.pending = state.pending || axvcpu_events_level(&vcpu->events, vector) ||
                    axvcpu_events_latched(&vcpu->events, vector);
    return state;
}

AxError axvcpu_inject_exception(AxVCpu *vcpu, const AxException *exception)
{
    AxError error = check_post(vcpu, 0);

    if (error == AX_OK) {
        error = axvcpu_events_post_exception(&vcpu->events, exception);
    }
    return error != AX_OK ? error : posted(vcpu, true);
}

AxError axvcpu_inject_nmi(AxVCpu *vcpu)
{
    const AxError error = check_post(vcpu, 0);

    if (error != AX_OK) {
        return error;
    }
    if (!vcpu->ops->has_nmi) {
        return AX_ENOTSUP;
    }
    axvcpu_events_post_nmi(&vcpu->events);
    return posted(vcpu, true);
}

void axvcpu_kick(AxVCpu *vcpu)
{
    if (axvcpu_raw_state(vcpu) != AX_VCPU_INVALID) {
        axvcpu_events_post_kick(&vcpu->events);
        notify(vcpu);
    }
}

// ---- fences ----

// Posted in every state: an Invalid vCPU may be reset, and meet again what it left in a TLB.
AxError axvcpu_fence(AxVCpu *vcpu, const AxFence *fence)
{
    const AxError error = axvcpu_events_post_fence(&vcpu->events, fence);

    if (error == AX_OK && axvcpu_raw_state(vcpu) == AX_VCPU_RUNNING) {
        end_entry(vcpu);
    }
    return error;
}

// Either the vCPU is seen out of run; then it takes the fence when it comes back: the post came
// before this look at the state, and so comes before its next look at the summary. Or the fence is
// seen as taken. One of both comes after the kick, and taken stays taken, however many fences
// others post meanwhile.
void axvcpu_fence_wait(const AxVCpu *vcpu)
{
    const AxEvents *events = &vcpu->events;
    const uint64_t posted = atomic_load_explicit(&events->fences_posted, memory_order_seq_cst);

    while (axvcpu_raw_state(vcpu) == AX_VCPU_RUNNING &&
           atomic_load_explicit(&events->fences_taken, memory_order_acquire) < posted) {
    }
}

// ---- waiting ----

// The backend may be asked only about a vCPU that exists and does not run.
static bool may_ask(const AxVCpu *vcpu)
{
    const uint32_t state = axvcpu_raw_state(vcpu);

    return state != AX_VCPU_INVALID && state != AX_VCPU_RUNNING;
}

bool axvcpu_wakeup_pending(const AxVCpu *vcpu)
{
    return axvcpu_events_any(&vcpu->events) ||
           (may_ask(vcpu) && vcpu->ops->wakeup_pending(vcpu->arch));
}

uint64_t axvcpu_next_deadline(const AxVCpu *vcpu)
{
    return may_ask(vcpu) ? vcpu->ops->next_deadline(vcpu->arch) : AX_DEADLINE_NONE;
}
