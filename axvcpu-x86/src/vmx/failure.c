// SPDX-License-Identifier: Apache-2.0
// Entries that the processor refused, in words (SDM volume 3, 31.4 and 27.8).
#include "vmx/vmx.h"

static const char *const instruction_errors[] = {
    [1] = "VMCALL in VMX root operation",
    [2] = "VMCLEAR with an invalid address",
    [3] = "VMCLEAR with the VMXON pointer",
    [4] = "VMLAUNCH with a VMCS that is not clear",
    [5] = "VMRESUME with a VMCS that was not launched",
    [6] = "VMRESUME after VMXOFF",
    [7] = "invalid control fields",
    [8] = "invalid host-state fields",
    [9] = "VMPTRLD with an invalid address",
    [10] = "VMPTRLD with the VMXON pointer",
    [11] = "VMPTRLD with a wrong revision",
    [12] = "a field that is not there",
    [13] = "VMWRITE to a field that is read-only",
    [15] = "VMXON in VMX root operation",
    [26] = "events blocked by MOV SS",
    [28] = "invalid operand of INVEPT or INVVPID",
};

static const char *const guest_state_errors[] = {
    [2] = "PDPTEs", [3] = "an NMI while blocked by STI", [4] = "VMCS link pointer"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *word(const char *const *words, size_t count, uint64_t n)
{
    return n < count && words[n] != NULL ? words[n] : "no known reason";
}

void vmx_log_failure(const X86VCpu *vcpu, uint64_t reason, bool entered)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    const unsigned id = (unsigned)vcpu->env.vcpu_id;
    const uint64_t qualification = x86_vmx_read(VMCS_EXIT_QUALIFICATION);

    if (!entered) {
        hal->log(hal->ctx, AX_LOG_WARN, "VM entry refused vCPU %u: error %lu, %s", id,
                 (unsigned long)reason,
                 word(instruction_errors, COUNT(instruction_errors), reason));
        return;
    }
    hal->log(hal->ctx, AX_LOG_WARN, "VM entry refused the state of vCPU %u: reason %lu, %s", id,
             (unsigned long)(reason & EXIT_REASON_BASIC),
             word(guest_state_errors, COUNT(guest_state_errors), qualification));
}
