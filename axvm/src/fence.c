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

// A vCPU that is Invalid runs no more: it needs none.
static void post(AxVM *vm, const AxVCpuExit *exit)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (is_target(&vm->vcpus[i], exit)) {
            (void)!axvcpu_fence(&vm->vcpus[i].vcpu, &exit->remote_fence.fence);
        }
    }
}

// All are told before anybody is waited for. Two vCPUs that fence each other do not deadlock: who
// waits here is not in the guest.
static void wait(const AxVM *vm, const AxVCpuExit *exit)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (is_target(&vm->vcpus[i], exit)) {
            axvcpu_fence_wait(&vm->vcpus[i].vcpu);
        }
    }
}

AxError axvm_on_remote_fence(const AxRun *run, const AxVCpuExit *exit)
{
    const bool valid = all_exist(run->vm, exit);

    if (valid) {
        post(run->vm, exit);
        wait(run->vm, exit);
    }
    return axvcpu_complete_call(run->vcpu, valid ? AX_OK : AX_EINVAL, 0);
}

void axvm_recall(void *owner)
{
    static const AxVCpuExit everyone = {
        .reason = AX_EXIT_REMOTE_FENCE,
        .remote_fence = {.to_all = true, .fence = {.nested = true}},
    };
    AxVM *vm = owner;

    post(vm, &everyone);
    wait(vm, &everyone);
}
