// SPDX-License-Identifier: Apache-2.0
// Entries that the processor refused, in words. Hardware tells an error of VMX instructions (SDM volume
// 3, 31.4), or in the exit qualification a little of what it dislikes in the guest (27.8).
#include "vmx/entry_check.h"
#include "vmx/vmx.h"

static const char *const instruction_errors[] = {
    [4] = "VMLAUNCH with a VMCS that is not clear",
    [5] = "VMRESUME with a VMCS that was not launched",
    [6] = "VMRESUME after VMXOFF",
    [7] = "control fields",
    [8] = "host-state fields",
    [26] = "events blocked by MOV SS",
};

#define ERROR_COUNT (sizeof(instruction_errors) / sizeof(instruction_errors[0]))

static const char *guess(uint64_t reason)
{
    if (reason < ERROR_COUNT && instruction_errors[reason] != NULL) {
        return instruction_errors[reason];
    }
    return "none of the known reasons";
}

void vmx_log_failure(const X86VCpu *vcpu, uint64_t reason)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const VmxState *state = vmx_state(vcpu);
    const char *problem = vmx_loaded_problem();

    if (state->refused != 0) {
        hal->log(hal->ctx, AX_LOG_WARN, "VMCS of vCPU %u: field %x cannot be written",
                 (unsigned)vcpu->env.vcpu_id, (unsigned)(state->refused & ~VMX_REFUSED));
        return;
    }
    hal->log(hal->ctx, AX_LOG_WARN, "VM entry refused vCPU %u: %lu, %s",
             (unsigned)vcpu->env.vcpu_id,
             (unsigned long)((reason & EXIT_REASON_ENTRY_FAILURE) != 0 ? reason & EXIT_REASON_BASIC
                                                                       : reason),
             problem != NULL ? problem : guess(reason));
}
