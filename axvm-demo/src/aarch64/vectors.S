// SPDX-License-Identifier: Apache-2.0
// Exceptions of the hypervisor itself. It runs with interrupts masked and polls for them, so each
// entry means a fault. A frame is built on the stack, or on the emergency stack when the stack has
// overflowed (see layout.h), and fault_report() is called.
#include "layout.h"

    .macro fault_vector kind
    .balign 128
    sub     sp, sp, #FAULT_FRAME_SIZE
    // Look at one bit of sp without a free register: x0 + sp and back.
    add     sp, sp, x0
    sub     x0, sp, x0
    tbnz    x0, #STACK_SHIFT, fault_overflow
    sub     x0, sp, x0
    sub     sp, sp, x0
    stp     x0, x1, [sp]
    mov     x0, #\kind
    add     x1, sp, #FAULT_FRAME_SIZE
    b       fault_save
    .endm

    .section .text.vectors, "ax", %progbits
    .balign 2048
    .global fault_vectors
    .type fault_vectors, %function
fault_vectors:
    .irp    kind, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    fault_vector \kind
    .endr
    .size fault_vectors, . - fault_vectors

    // Near the vectors: TBNZ reaches 32 KiB.
    .section .text.fault, "ax", %progbits
    // The push that hit the guard was a synchronous exception. Nothing returns from here, so that a
    // guest's SP_EL0 and our TPIDR_EL2 may be lost.
    .type fault_overflow, %function
fault_overflow:
    sub     x0, sp, x0
    msr     tpidr_el2, x0
    sub     x0, sp, x0
    msr     sp_el0, x1
    add     x1, x0, #FAULT_FRAME_SIZE
    ldr     x0, =emergency_stack_top - FAULT_FRAME_SIZE
    mov     sp, x0
    mrs     x0, tpidr_el2
    str     x0, [sp]
    mrs     x0, sp_el0
    str     x0, [sp, #8]
    mov     x0, #VECTOR_CURRENT_SYNC
    .size fault_overflow, . - fault_overflow

    // x0 = index of the vector, x1 = stack pointer before; x0 and x1 as they were are in the frame.
    .type fault_save, %function
fault_save:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    stp     x30, x1, [sp, #240]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #FAULT_ELR]
    str     x0, [sp, #FAULT_KIND]
    mov     x0, sp
    bl      fault_report
    // Back from an expected one, behind the instruction that caused it.
    ldp     x2, x3, [sp, #FAULT_ELR]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldr     x18, [sp, #144]
    ldr     x30, [sp, #240]
    add     sp, sp, #FAULT_FRAME_SIZE
    eret
    .size fault_save, . - fault_save

    .bss
    .balign 16
    .skip   4096
emergency_stack_top:
    .section .note.GNU-stack, "", %progbits
