// SPDX-License-Identifier: Apache-2.0
// What the IDT points to. Interrupts are noted and left to irq_fetch(); each exception means a fault:
// on a stack of its own (descriptors.c) a frame is built, and fault_report() is called.
#include "layout.h"

// Those that push an error code themselves: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX
#define PUSH_ERROR_CODE 0x60227d00

    .text
    .balign 16
    .global fault_vectors
    .type fault_vectors, @function
fault_vectors:                      // 16 bytes each
    .set    vector, 0
    .rept   32
    .balign 16
    .if     (PUSH_ERROR_CODE >> vector & 1) == 0
    pushq   $0
    .endif
    pushq   $vector
    jmp     fault_save
    .set    vector, vector + 1
    .endr
    .size fault_vectors, . - fault_vectors

    // Nothing returns from here.
    .type fault_save, @function
fault_save:
    pushq   %r15
    pushq   %r14
    pushq   %r13
    pushq   %r12
    pushq   %r11
    pushq   %r10
    pushq   %r9
    pushq   %r8
    pushq   %rbp
    pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %rbx
    pushq   %rax
    cld
    movq    %rsp, %rdi
    andq    $-16, %rsp
    call    fault_report
1:  hlt
    jmp     1b
    .size fault_save, . - fault_save

    .macro  irq_vector name, vector
    .balign 16
    .global \name
    .type \name, @function
\name:
    pushq   %rdi
    movl    $\vector, %edi
    jmp     irq_save
    .size \name, . - \name
    .endm

    irq_vector irq_vector_uart, VECTOR_UART
    irq_vector irq_vector_timer, VECTOR_TIMER
    irq_vector irq_vector_kick, VECTOR_KICK

    .type irq_save, @function
irq_save:
    pushq   %rax
    pushq   %rcx
    pushq   %rdx
    pushq   %rsi
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %rbp
    movq    %rsp, %rbp
    andq    $-16, %rsp
    cld
    call    irq_note
    movq    %rbp, %rsp
    popq    %rbp
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rsi
    popq    %rdx
    popq    %rcx
    popq    %rax
    popq    %rdi
    iretq
    .size irq_save, . - irq_save

    // The local APIC wants no end of it, and the 8259s are masked.
    .balign 16
    .global irq_vector_spurious
    .type irq_vector_spurious, @function
irq_vector_spurious:
    iretq
    .size irq_vector_spurious, . - irq_vector_spurious
    .section .note.GNU-stack, "", @progbits
