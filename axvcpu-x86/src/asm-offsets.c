// SPDX-License-Identifier: Apache-2.0
#include "vmx/vmcs.h"
#include "x86.h"

void x86_asm_offsets(void);

void x86_asm_offsets(void)
{
    AX_ASM_DEFINE(X86_REGS_GPR, offsetof(X86GuestRegs, gpr));
    AX_ASM_DEFINE(X86_REGS_VMCB, offsetof(X86GuestRegs, vmcb));
    AX_ASM_DEFINE(X86_REGS_HOST_VMCB, offsetof(X86GuestRegs, host_vmcb));
    AX_ASM_DEFINE(X86_REGS_LAUNCHED, offsetof(X86GuestRegs, launched));
    AX_ASM_DEFINE(X86_REGS_HOST_RSP, offsetof(X86GuestRegs, host_rsp));
    AX_ASM_DEFINE(X86_VMCS_HOST_RSP, VMCS_HOST_RSP);
}
