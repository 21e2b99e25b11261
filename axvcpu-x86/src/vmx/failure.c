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

static void log_refused(const AxVCpuHal *hal, unsigned id, uint32_t refused)
{
    if (refused == VMX_REFUSED_NO_VMCS) {
        hal->log(hal->ctx, AX_LOG_WARN, "vCPU %u: VMCLEAR or VMPTRLD failed", id);
    } else if (refused == VMX_REFUSED_FLUSH) {
        hal->log(hal->ctx, AX_LOG_WARN, "vCPU %u: INVEPT or INVVPID failed", id);
    } else {
        hal->log(hal->ctx, AX_LOG_WARN, "VMCS of vCPU %u: field %x cannot be written", id,
                 (unsigned)(refused & ~VMX_REFUSED));
    }
}

void vmx_log_failure(const X86VCpu *vcpu, uint64_t reason)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const VmxState *state = vmx_state(vcpu);
    const char *problem = vmx_loaded_problem();

    if (state->refused != 0) {
        log_refused(hal, (unsigned)vcpu->env.vcpu_id, state->refused);
        return;
    }
    hal->log(hal->ctx, AX_LOG_WARN, "VM entry refused vCPU %u: %lu, %s",
             (unsigned)vcpu->env.vcpu_id,
             (unsigned long)((reason & EXIT_REASON_ENTRY_FAILURE) != 0 ? reason & EXIT_REASON_BASIC
                                                                       : reason),
             problem != NULL ? problem : guess(reason));
}
