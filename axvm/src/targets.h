// SPDX-License-Identifier: Apache-2.0
/* Sets of vCPUs as a call names them: bit i of `list` stands for the CPU of address `first` + i. */
#pragma once

#include <axvm/vm.h>

static inline bool axvm_is_target(const AxVMVCpu *vcpu, uint64_t first, uint64_t list)
{
    return vcpu->cpu_address >= first && vcpu->cpu_address - first < 64 &&
           (list >> (vcpu->cpu_address - first) & 1) != 0;
}

/* Whether every bit of the list stands for a vCPU: each vCPU has an address of its own. */
static inline bool axvm_targets_exist(const AxVM *vm, uint64_t first, uint64_t list)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (axvm_is_target(&vm->vcpus[i], first, list)) {
            list &= ~(UINT64_C(1) << (vm->vcpus[i].cpu_address - first));
        }
    }
    return list == 0;
}
