// SPDX-License-Identifier: Apache-2.0
// Exceptions of the hypervisor itself. It runs with interrupts masked and polls for them, so each
// entry means a fault. A frame is built on the stack, or on the emergency stack when the stack has
// overflowed (see layout.h), and fault_report() is called.
#include "layout.h"

    .option norelax
    .text
    .balign 4
    .global fault_vectors
    .type fault_vectors, @function
fault_vectors:
    csrw    sscratch, t0            // nothing else of ours is there
    addi    sp, sp, -FAULT_FRAME_SIZE
    slli    t0, sp, 63 - STACK_SHIFT
    bltz    t0, fault_overflow
    addi    t0, sp, FAULT_FRAME_SIZE
    sd      t0, 2 * 8(sp)
    j       fault_save
    .size fault_vectors, . - fault_vectors

    // The push that hit the guard was a synchronous exception. Nothing returns from here.
    .type fault_overflow, @function
fault_overflow:
    addi    sp, sp, FAULT_FRAME_SIZE
    la      t0, emergency_stack_top - FAULT_FRAME_SIZE
    sd      sp, 2 * 8(t0)
    mv      sp, t0
    .size fault_overflow, . - fault_overflow

    // t0 as it was is in sscratch, sp as it was in the frame.
    .type fault_save, @function
fault_save:
    .irp    n, 1, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sd      x\n, \n * 8(sp)
    .endr
    csrr    t0, sscratch
    sd      t0, 5 * 8(sp)
    csrr    t0, sepc
    sd      t0, FAULT_SEPC(sp)
    csrr    t0, sstatus
    sd      t0, FAULT_SSTATUS(sp)
    mv      a0, sp
    call    fault_report
    // Back from an expected one, behind the instruction that caused it.
    ld      t0, FAULT_SEPC(sp)
    csrw    sepc, t0
    ld      t0, FAULT_SSTATUS(sp)
    csrw    sstatus, t0
    .irp    n, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
    ld      x\n, \n * 8(sp)
    .endr
    addi    sp, sp, FAULT_FRAME_SIZE
    sret
    .size fault_save, . - fault_save

    .bss
    .balign 16
    .skip   4096
emergency_stack_top:
    .section .note.GNU-stack, "", @progbits
