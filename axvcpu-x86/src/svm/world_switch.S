// SPDX-License-Identifier: Apache-2.0
// The way into an SVM guest and back (APM volume 2, 15.5). RAX, RSP, RIP and RFLAGS of the guest are
// in the VMCB, where VMRUN finds them.
//
// V_INTR_MASKING lets interrupts of the host end a stay in the guest only when they are on at VMRUN,
// so they are, with GIF clear: nothing arrives before the guest runs. #VMEXIT clears GIF again. FS,
// GS, TR, LDTR and the MSRs of system calls are the host's whenever C code runs.
#include "asm-offsets.h"

#include <axvcpu/asm.inc>

.macro guest_load reg, n
    mov X86_REGS_GPR + 8 * \n(%rdi), %\reg
.endm

.macro guest_save reg, n
    mov %\reg, X86_REGS_GPR + 8 * \n(%rdi)
.endm

// RAX (0) and RSP (4) are the VMCB's, RDI (7) comes last.
.macro guest_registers op
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

// void svm_world_switch(X86GuestRegs *regs)
.balign 64
FUNC(svm_world_switch)
    push %rbp
    push %rdi
    mov X86_REGS_VMCB(%rdi), %rax
    guest_registers guest_load
    guest_load rdi, 7
    clgi
    sti
    vmload %rax
    vmrun %rax
    vmsave %rax
    xchg %rdi, (%rsp)
    guest_registers guest_save
    pop X86_REGS_GPR + 8 * 7(%rdi)
    mov X86_REGS_HOST_VMCB(%rdi), %rax
    vmload %rax
    cli
    stgi
    pop %rbp
    ret
END(svm_world_switch)

.section .note.GNU-stack, "", %progbits
