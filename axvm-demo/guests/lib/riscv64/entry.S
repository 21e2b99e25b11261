// SPDX-License-Identifier: Apache-2.0
// Start of a guest hart in S mode, traps, and the run of a given context.

    .section .text.entry, "ax"
    .global guest_entry
    .type guest_entry, %function
    // a0: hart id, a1: device tree.
guest_entry:
    la      t0, guest_bss_start
    la      t1, guest_bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    addi    t0, t0, 8
    j       1b
2:  la      t0, guest_boot_argument
    sd      a1, 0(t0)
    la      t0, guest_boot_hart
    sd      a0, 0(t0)
    .size guest_entry, . - guest_entry

    // a0: hart id, a1: the opaque value of the start.
    .global guest_secondary_entry
    .type guest_secondary_entry, %function
guest_secondary_entry:
    csrr    a2, satp
    csrr    t0, sstatus
    andi    t0, t0, 2               // SIE
    or      a2, a2, t0
    la      t0, guest_vector
    csrw    stvec, t0
    csrw    sie, zero
    mv      tp, a0
    la      sp, guest_stacks
    addi    t0, a0, 1
    slli    t0, t0, 14              // 16 KiB each
    add     sp, sp, t0
    call    guest_cpu_main
3:  wfi
    j       3b
    .size guest_secondary_entry, . - guest_secondary_entry

    // uint64_t guest_suspend(uint64_t ext, uint64_t function, uint64_t type)
    // SBI hart_suspend that comes back at guest_resume_entry; the error, or success.
    .global guest_suspend
    .type guest_suspend, %function
guest_suspend:
    addi    sp, sp, -112
    sd      ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, (8 + 8 * \n)(sp)
    .endr
    mv      a7, a0
    mv      a6, a1
    mv      a0, a2
    la      a1, guest_resume_entry
    mv      a2, sp
    ecall
    addi    sp, sp, 112             // not suspended: s0 to s11 are as they were
    ret
    .size guest_suspend, . - guest_suspend

    // a0: hart id, a1: stack pointer of guest_suspend.
guest_resume_entry:
    mv      tp, a0
    mv      sp, a1
    csrr    a0, satp
    csrr    a1, sstatus
    andi    a1, a1, 2               // SIE: both are 0 after a resume
    or      a0, a0, a1
    la      t0, guest_vector
    csrw    stvec, t0
    ld      ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, (8 + 8 * \n)(sp)
    .endr
    addi    sp, sp, 112
    ret

    .section .text, "ax"
    .balign 4
    .global guest_vector
    .type guest_vector, %function
guest_vector:
    addi    sp, sp, -(34 * 8)
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, (8 * \n)(sp)
    .endr
    addi    t0, sp, 34 * 8
    sd      t0, (8 * 2)(sp)
    csrr    t0, sepc
    sd      t0, (8 * 32)(sp)
    csrr    t0, sstatus
    sd      t0, (8 * 33)(sp)
    csrr    a0, scause
    mv      a1, sp
    call    guest_trap
    ld      t0, (8 * 33)(sp)
    csrw    sstatus, t0
    ld      t0, (8 * 32)(sp)
    csrw    sepc, t0
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, (8 * \n)(sp)
    .endr
    addi    sp, sp, 34 * 8
    sret
    .size guest_vector, . - guest_vector

    // void guest_context_run(GuestContext *context)
    .equ CONTEXT_PC, 8 * 32
    .equ CONTEXT_SSTATUS, 8 * 33
    .equ CONTEXT_CAUSE, 8 * 34
    .equ CONTEXT_TVAL, 8 * 35
    .equ CONTEXT_HOST_SP, 8 * 36

    .global guest_context_run
    .type guest_context_run, %function
guest_context_run:
    addi    sp, sp, -128
    sd      ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, (8 + 8 * \n)(sp)
    .endr
    sd      gp, 104(sp)
    sd      tp, 112(sp)
    sd      sp, CONTEXT_HOST_SP(a0)
    csrw    sscratch, a0
    la      t0, context_vector
    csrw    stvec, t0
    ld      t0, CONTEXT_PC(a0)
    csrw    sepc, t0
    ld      t0, CONTEXT_SSTATUS(a0)
    csrw    sstatus, t0
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, (8 * \n)(a0)
    .endr
    ld      a0, 80(a0)
    sret
    .size guest_context_run, . - guest_context_run

    .balign 4
context_vector:
    csrrw   a0, sscratch, a0
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, (8 * \n)(a0)
    .endr
    csrr    t0, sscratch
    sd      t0, 80(a0)
    csrr    t0, sepc
    sd      t0, CONTEXT_PC(a0)
    csrr    t0, sstatus
    sd      t0, CONTEXT_SSTATUS(a0)
    csrr    t0, scause
    sd      t0, CONTEXT_CAUSE(a0)
    csrr    t0, stval
    sd      t0, CONTEXT_TVAL(a0)
    la      t0, guest_vector
    csrw    stvec, t0
    ld      sp, CONTEXT_HOST_SP(a0)
    ld      ra, 0(sp)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, (8 + 8 * \n)(sp)
    .endr
    ld      gp, 104(sp)
    ld      tp, 112(sp)
    addi    sp, sp, 128
    ret

    .section .bss
    .balign 16
    .global guest_boot_argument
guest_boot_argument:
    .skip 8
    .global guest_boot_hart
guest_boot_hart:
    .skip 8
    .balign 16
guest_stacks:
    .skip 4 * 16384
