// SPDX-License-Identifier: Apache-2.0
/* Fences that one CPU asks of others, where the hardware of the architecture does not carry them. */
#include "targets.h"
#include "vm_internal.h"

static bool is_target(const AxVMVCpu *vcpu, const AxVCpuExit *exit)
{
    return exit->remote_fence.to_all ||
           axvm_is_target(vcpu, exit->remote_fence.target_cpu, exit->remote_fence.target_list);
}

static bool all_exist(const AxVM *vm, const AxVCpuExit *exit)
{
    return exit->remote_fence.to_all ||
           axvm_targets_exist(vm, exit->remote_fence.target_cpu, exit->remote_fence.target_list);
}

static AxError post(AxVM *vm, const AxVCpuExit *exit)
{
    AxError error = AX_OK;

    for (uint32_t i = 0; error == AX_OK && i < vm->vcpu_count; i++) {
        if (is_target(&vm->vcpus[i], exit)) {
            error = axvcpu_fence(&vm->vcpus[i].vcpu, &exit->remote_fence.fence);
        }
    }
    return error;
}

static void wait(const AxVM *vm, const AxVCpuExit *exit)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (is_target(&vm->vcpus[i], exit)) {
            axvcpu_fence_wait(&vm->vcpus[i].vcpu);
        }
    }
}

// All are told before anybody is waited for.
static AxError fence(AxVM *vm, const AxVCpuExit *exit)
{
    const AxError error = post(vm, exit);

    if (error == AX_OK) {
        wait(vm, exit);
    }
    return error;
}

AxError axvm_on_remote_fence(const AxRun *run, const AxVCpuExit *exit)
{
    const AxError error = all_exist(run->vm, exit) ? fence(run->vm, exit) : AX_EINVAL;

    return axvcpu_complete_call(run->vcpu, error, 0);
}

// With the lock of the address space held, which no vCPU needs to leave the guest.
void axvm_recall(void *owner)
{
    static const AxVCpuExit everyone = {
        .reason = AX_EXIT_REMOTE_FENCE,
        .remote_fence = {.to_all = true, .fence = {.nested = true}},
    };

    // It asks for something, so it is not refused.
    (void)!fence(owner, &everyone);
}
