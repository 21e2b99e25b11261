// SPDX-License-Identifier: Apache-2.0
/* Life of a VM. */
#include "vm_internal.h"

#include "why.h"

#include <string.h>

const char *axvm_status_name(AxVMStatus status)
{
    static const char *const names[AX_VM_STATUS_COUNT] = {
        [AX_VM_LOADED] = "Loaded",
        [AX_VM_RUNNING] = "Running",
        [AX_VM_PAUSED] = "Paused",
        [AX_VM_STOPPED] = "Stopped",
    };

    return (unsigned)status < AX_VM_STATUS_COUNT ? names[status] : "?";
}

const char *axvm_stop_name(AxVMStopReason reason)
{
    static const char *const names[AX_VM_STOP_COUNT] = {
        [AX_VM_STOP_NONE] = "not stopped", [AX_VM_STOP_POWER_OFF] = "power-off",
        [AX_VM_STOP_RESET] = "reset",      [AX_VM_STOP_HOST] = "stopped by the host",
        [AX_VM_STOP_FAILURE] = "failure",
    };

    return (unsigned)reason < AX_VM_STOP_COUNT ? names[reason] : "?";
}

// ---- create and destroy ----

static bool machine_is_complete(const AxMachineOps *machine)
{
    return machine != NULL && machine->name != NULL && machine->state_size != 0 &&
           machine->images != NULL && machine->defaults != NULL && machine->init != NULL &&
           machine->reset != NULL && machine->describe != NULL && machine->start != NULL &&
           machine->vcpu_reset != NULL && machine->send_ipi != NULL &&
           machine->interrupt_end != NULL && machine->interrupt_acknowledge != NULL &&
           machine->poll != NULL && machine->console_input != NULL && machine->console_take != NULL;
}

static AxError check_params(const AxVMParams *params, const char **why)
{
    if (params == NULL || !machine_is_complete(params->machine) ||
        axvcpu_hal_check(params->hal) != AX_OK) {
        return axvm_because(why, AX_EINVAL, "VM: parameters are incomplete");
    }
    // What the defaults touch must be sound before they do.
    return axvm_config_check(params->config, why);
}

static void fill_in(AxVM *vm, const AxVMParams *params)
{
    memset(vm, 0, sizeof(*vm));
    vm->hal = params->hal;
    vm->machine = params->machine;
    vm->config = *params->config;
    vm->hypercall = params->hypercall;
    vm->hypercall_ctx = params->hypercall_ctx;
    vm->random = params->random;
    vm->random_ctx = params->random_ctx;
    vm->power_on = params->power_on;
    vm->power_on_ctx = params->power_on_ctx;
    vm->console = params->console;
    vm->counter_hz = params->counter_hz;
    vm->trap_wait = params->trap_wait;
    vm->machine->defaults(&vm->config);
}

static AxError choose_isa(AxVM *vm, const char *host_isa, const char **why)
{
    AxError error = AX_OK;

    if (host_isa != NULL) {
        error = axvcpu_arch_guest_isa(host_isa, vm->isa, sizeof(vm->isa));
    }
    return error == AX_OK ? AX_OK
                          : axvm_because(why, error, "VM: host_isa is malformed, or too long");
}

AxError axvm_create(AxVM *vm, const AxVMParams *params, const char **why)
{
    AxError error = check_params(params, why);

    if (vm == NULL || error != AX_OK) {
        return error != AX_OK ? error : axvm_because(why, AX_EINVAL, "VM: none");
    }
    fill_in(vm, params);
    error = axvm_config_check(&vm->config, why);
    if (error == AX_OK) {
        error = choose_isa(vm, params->host_isa, why);
    }
    if (error == AX_OK) {
        error = axvm_build(vm, params, why);
    }
    if (error != AX_OK) {
        axvm_unbuild(vm);
        vm->hal = NULL;
        return error;
    }
    atomic_store_explicit(&vm->status, AX_VM_LOADED, memory_order_release);
    return AX_OK;
}

static bool any_bound(const AxVM *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (axvcpu_is_bound(&vm->vcpus[i].vcpu)) {
            return true;
        }
    }
    return false;
}

AxError axvm_destroy(AxVM *vm)
{
    if (vm == NULL || vm->hal == NULL) {
        return AX_EINVAL;
    }
    if (any_bound(vm)) {
        return AX_EBUSY;
    }
    (void)axvm_end(vm, AX_VM_STOP_HOST, NULL);
    axvm_unbuild(vm);
    vm->hal = NULL;
    return AX_OK;
}

// ---- changes of the status ----

static bool change_status(AxVM *vm, AxVMStatus from, AxVMStatus to)
{
    bool allowed;

    ax_lock(&vm->lock);
    allowed = axvm_status(vm) == from;
    if (allowed) {
        atomic_store_explicit(&vm->status, to, memory_order_release);
    }
    ax_unlock(&vm->lock);
    return allowed;
}

// Each vCPU looks at the status again before it enters the guest once more.
static void kick_all(AxVM *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        axvcpu_kick(&vm->vcpus[i].vcpu);
    }
}

AxError axvm_boot(AxVM *vm)
{
    return change_status(vm, AX_VM_LOADED, AX_VM_RUNNING) ? AX_OK : AX_ESTATE;
}

AxError axvm_pause(AxVM *vm)
{
    if (!change_status(vm, AX_VM_RUNNING, AX_VM_PAUSED)) {
        return AX_ESTATE;
    }
    kick_all(vm);
    return AX_OK;
}

AxError axvm_resume(AxVM *vm)
{
    return change_status(vm, AX_VM_PAUSED, AX_VM_RUNNING) ? AX_OK : AX_ESTATE;
}

bool axvm_end(AxVM *vm, AxVMStopReason reason, const AxVMFailure *failure)
{
    bool first;

    ax_lock(&vm->lock);
    first = axvm_status(vm) != AX_VM_STOPPED;
    if (first) {
        vm->stop_reason = reason;
        vm->failure = failure != NULL ? *failure : (AxVMFailure){.error = AX_OK};
        atomic_store_explicit(&vm->status, AX_VM_STOPPED, memory_order_release);
    }
    ax_unlock(&vm->lock);
    if (first) {
        kick_all(vm);
    }
    return first;
}

AxError axvm_stop(AxVM *vm, AxVMStopReason reason)
{
    if (reason == AX_VM_STOP_NONE || (unsigned)reason >= AX_VM_STOP_COUNT) {
        return AX_EINVAL;
    }
    return axvm_end(vm, reason, NULL) ? AX_OK : AX_ESTATE;
}

// ---- reset ----

static AxError reset_vcpus(AxVM *vm, const char **why)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        const AxError error = axvcpu_reset(&vm->vcpus[i].vcpu);

        if (error != AX_OK) {
            return axvm_because(why, error, "a virtual CPU cannot be reset");
        }
        atomic_store_explicit(&vm->vcpus[i].power, AX_CPU_OFF, memory_order_release);
        atomic_store_explicit(&vm->vcpus[i].halted, 0, memory_order_release);
    }
    return AX_OK;
}

static void clear_ram(AxVM *vm)
{
    for (uint32_t i = 0; i < vm->config.memory_count; i++) {
        const AxVMMemory *memory = &vm->config.memory[i];

        if (memory->type != AX_MAP_TYPE_RESERVED && (memory->flags & AX_MAP_DEVICE) == 0) {
            axvm_zero_guest(&vm->memory, memory->base, memory->size);
        }
    }
}

AxError axvm_reset(AxVM *vm, const char **why)
{
    AxError error;

    if (axvm_status(vm) != AX_VM_STOPPED) {
        return axvm_because(why, AX_ESTATE, "the VM is not stopped");
    }
    if (any_bound(vm)) {
        return axvm_because(why, AX_EBUSY, "a virtual CPU is still bound");
    }
    error = reset_vcpus(vm, why);
    if (error != AX_OK) {
        return error;
    }
    vm->machine->reset(vm->machine_state);
    clear_ram(vm);
    error = axvm_load(vm, why);
    if (error == AX_OK) {
        error = axvm_prepare_first_vcpu(vm, why);
    }
    if (error != AX_OK) {
        return error;
    }
    vm->stop_reason = AX_VM_STOP_NONE;
    atomic_store_explicit(&vm->status, AX_VM_LOADED, memory_order_release);
    return AX_OK;
}

// ---- queries ----

AxVMStatus axvm_status(const AxVM *vm)
{
    return (AxVMStatus)atomic_load_explicit(&vm->status, memory_order_acquire);
}

AxVMStopReason axvm_stop_reason(const AxVM *vm)
{
    return vm->stop_reason;
}

AxVCpu *axvm_vcpu(const AxVM *vm, AxVCpuId id)
{
    return id < vm->vcpu_count ? &vm->vcpus[id].vcpu : NULL;
}

uint32_t axvm_vcpu_count(const AxVM *vm)
{
    return vm->vcpu_count;
}

bool axvm_vcpu_runnable(const AxVM *vm, AxVCpuId id)
{
    if (id >= vm->vcpu_count || axvm_status(vm) != AX_VM_RUNNING) {
        return false;
    }

    const AxVMVCpu *self = &vm->vcpus[id];
    const AxVCpuState state = axvcpu_state(&self->vcpu);

    return atomic_load_explicit(&self->power, memory_order_acquire) != AX_CPU_OFF &&
           atomic_load_explicit(&self->halted, memory_order_acquire) == 0 &&
           state != AX_VCPU_BLOCKED && state != AX_VCPU_INVALID;
}

uint64_t axvm_poll(AxVM *vm)
{
    return vm->machine->poll(vm->machine_state);
}

bool axvm_console_input(AxVM *vm, uint8_t byte)
{
    return vm->machine->console_input(vm->machine_state, byte);
}
