// SPDX-License-Identifier: Apache-2.0
/*
 * Switching vCPUs on and off. A CPU_UP only leaves a note, under vm->lock; the pCPU that is going
 * to run the vCPU carries it out, so that nobody touches a vCPU that its scheduler may be holding.
 */
#include "vm_internal.h"

static AxVMVCpu *find(const AxVM *vm, uint64_t cpu_address)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (vm->vcpus[i].cpu_address == cpu_address) {
            return &vm->vcpus[i];
        }
    }
    return NULL;
}

static AxCpuPower power_of(const AxVMVCpu *self)
{
    return (AxCpuPower)atomic_load_explicit(&self->power, memory_order_acquire);
}

static AxError note(AxVM *vm, AxVMVCpu *target, GuestPhysAddr entry, uint64_t arg)
{
    static const AxError refusals[] = {
        [AX_CPU_ON] = AX_EEXIST, [AX_CPU_OFF] = AX_OK, [AX_CPU_ON_PENDING] = AX_EBUSY};
    AxError error;

    ax_lock(&vm->lock);
    error = refusals[power_of(target)];
    if (error == AX_OK) {
        target->start = entry;
        target->start_arg = arg;
        atomic_store_explicit(&target->power, AX_CPU_ON_PENDING, memory_order_release);
    }
    ax_unlock(&vm->lock);
    return error;
}

AxError axvm_power_up(AxVM *vm, uint64_t cpu_address, GuestPhysAddr entry, uint64_t arg)
{
    AxVMVCpu *target = find(vm, cpu_address);
    AxError error;

    if (target == NULL) {
        return AX_EINVAL;
    }
    error = note(vm, target, entry, arg);
    if (error == AX_OK && vm->power_on != NULL) {
        vm->power_on(vm->power_on_ctx, vm, axvcpu_id(&target->vcpu));
    }
    return error;
}

AxError axvm_power_status(const AxVM *vm, uint64_t cpu_address, uint32_t level, uint64_t *status)
{
    const AxVMVCpu *target = find(vm, cpu_address);

    // Groups of CPUs have no power of their own here.
    if (target == NULL || level != 0) {
        return AX_EINVAL;
    }
    *status = power_of(target);
    return AX_OK;
}

static bool is_off(const AxVMVCpu *vcpu)
{
    return power_of(vcpu) == AX_CPU_OFF ||
           atomic_load_explicit(&vcpu->halted, memory_order_acquire) != 0;
}

static bool all_off(const AxVM *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (!is_off(&vm->vcpus[i])) {
            return false;
        }
    }
    return true;
}

void axvm_power_down(AxVM *vm, AxVMVCpu *self)
{
    bool last;

    ax_lock(&vm->lock);
    atomic_store_explicit(&self->power, AX_CPU_OFF, memory_order_release);
    last = all_off(vm);
    ax_unlock(&vm->lock);
    if (last) {
        (void)axvm_end(vm, AX_VM_STOP_POWER_OFF, NULL);
    }
}

static bool has_nmi(const AxVMVCpu *vcpu)
{
    return (atomic_load_explicit(&vcpu->vcpu.events.summary, memory_order_seq_cst) &
            AX_EVENT_NMI) != 0;
}

// An NMI that came before `halted` was set did not find it.
bool axvm_power_halt(AxVM *vm, AxVMVCpu *self)
{
    bool last;

    ax_lock(&vm->lock);
    atomic_store_explicit(&self->halted, 1, memory_order_seq_cst);
    if (has_nmi(self)) {
        atomic_store_explicit(&self->halted, 0, memory_order_seq_cst);
    }
    last = all_off(vm);
    ax_unlock(&vm->lock);
    return last;
}

void axvm_power_nmi(AxVM *vm, AxVMVCpu *target)
{
    // Invalid ones take none.
    (void)!axvcpu_inject_nmi(&target->vcpu);
    if (atomic_exchange_explicit(&target->halted, 0, memory_order_seq_cst) != 0 &&
        vm->power_on != NULL) {
        vm->power_on(vm->power_on_ctx, vm, axvcpu_id(&target->vcpu));
    }
}

void axvm_power_init(AxVM *vm, AxVMVCpu *target)
{
    ax_lock(&vm->lock);
    atomic_store_explicit(&target->power, AX_CPU_OFF, memory_order_release);
    atomic_store_explicit(&target->halted, 0, memory_order_release);
    ax_unlock(&vm->lock);
    // It may be in the guest, or wait.
    axvcpu_kick(&target->vcpu);
}

// Back to reset values, but with what the interrupt controller knows about this CPU.
static AxError renew(AxVM *vm, AxVMVCpu *self)
{
    const AxError error = axvcpu_reset(&self->vcpu);

    if (error == AX_OK) {
        vm->machine->vcpu_reset(vm->machine_state, axvcpu_id(&self->vcpu));
    }
    return error;
}

AxError axvm_power_start(AxVM *vm, AxVMVCpu *self)
{
    AxError error = AX_OK;

    if (power_of(self) != AX_CPU_ON_PENDING) {
        return AX_OK;
    }
    if (axvcpu_state(&self->vcpu) != AX_VCPU_CREATED) {
        error = renew(vm, self);
    }
    if (error == AX_OK) {
        error = axvm_setup_vcpu(vm, self, self->start);
    }
    if (error == AX_OK) {
        error = axvcpu_set_reg(&self->vcpu, AXVCPU_ARCH_START_ARG, self->start_arg);
    }
    if (error == AX_OK) {
        atomic_store_explicit(&self->power, AX_CPU_ON, memory_order_release);
    }
    return error;
}
