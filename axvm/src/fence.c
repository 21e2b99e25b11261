// SPDX-License-Identifier: Apache-2.0
/* Fences that one CPU asks of others, where the hardware of the architecture does not carry them. */
#include "vm_internal.h"

static uint64_t distance(const AxVMVCpu *target, const AxVCpuExit *exit)
{
    return target->cpu_address - exit->remote_fence.target_cpu;
}

static bool is_target(const AxVMVCpu *vcpu, const AxVCpuExit *exit)
{
    const uint64_t n = distance(vcpu, exit);

    return exit->remote_fence.to_all || (n < 64 && (exit->remote_fence.target_list >> n & 1) != 0);
}

// Whether every bit of the list stands for a vCPU.
static bool all_exist(const AxVM *vm, const AxVCpuExit *exit)
{
    uint64_t left = exit->remote_fence.to_all ? 0 : exit->remote_fence.target_list;

    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        const uint64_t n = distance(&vm->vcpus[i], exit);

        left &= n < 64 ? ~(UINT64_C(1) << n) : UINT64_MAX;
    }
    return left == 0;
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
