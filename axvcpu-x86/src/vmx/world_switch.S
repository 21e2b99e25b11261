// SPDX-License-Identifier: Apache-2.0
// The way into a VMX guest and back (SDM volume 3, chapters 27 and 28). RSP, RIP and RFLAGS of the
// guest are in the VMCS.
//
// An exit clears CF and ZF, a refused VMLAUNCH or VMRESUME goes on with one of them set, and nothing
// from there to RET changes them: they are the result. Segments, CR0, CR3, CR4, EFER, PAT and the MSRs
// of SYSENTER are the host's again; those of SYSCALL are swapped at bind.
#include "asm-offsets.h"

#include <axvcpu/asm.inc>

.macro guest_load reg, n
    mov X86_REGS_GPR + 8 * \n(%rdi), %\reg
.endm

.macro guest_save reg, n
    mov %\reg, X86_REGS_GPR + 8 * \n(%rdi)
.endm

// RSP (4) is the VMCS's, RDI (7) comes last.
.macro guest_registers op
    \op rax, 0
    \op rcx, 1
    \op rdx, 2
    \op rbx, 3
    \op rbp, 5
    \op rsi, 6
    \op r8, 8
    \op r9, 9
    \op r10, 10
    \op r11, 11
    \op r12, 12
    \op r13, 13
    \op r14, 14
    \op r15, 15
.endm

.text

// bool vmx_world_switch(X86GuestRegs *regs), the result in CF and ZF
.balign 64
FUNC(vmx_world_switch)
    push %rbp
    push %rdi
    cmp %rsp, X86_REGS_HOST_RSP(%rdi)
    jne 3f
1:
    cmpb $0, X86_REGS_LAUNCHED(%rdi)
    guest_registers guest_load
    guest_load rdi, 7
    je 2f
    vmresume
    jmp vmx_world_exit
2:
    vmlaunch
.globl vmx_world_exit
.hidden vmx_world_exit
vmx_world_exit:
    push %rdi
    mov 8(%rsp), %rdi
    guest_registers guest_save
    pop X86_REGS_GPR + 8 * 7(%rdi)
    pop %rax
    pop %rbp
    ret
3: // the stack is another than at the last entry
    mov %rsp, X86_REGS_HOST_RSP(%rdi)
    mov $X86_VMCS_HOST_RSP, %eax
    vmwrite %rsp, %rax
    jmp 1b
END(vmx_world_switch)

.section .note.GNU-stack, "", %progbits
