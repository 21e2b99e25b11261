// SPDX-License-Identifier: Apache-2.0
// A vector table of which every entry notes its number, to see where a trap arrives.
    .text

    .balign 256
    .global noting_vectors
noting_vectors:
    .option push
    .option norvc
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    j       note_\n
    .endr
    .option pop

    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
note_\n:
    addi    sp, sp, -32
    sd      t0, 0(sp)
    sd      t1, 8(sp)
    li      t0, \n
    j       note
    .endr

    // Steps over an instruction of 4 bytes; after an interrupt, all of them are disabled.
note:
    la      t1, noted_entry
    sd      t0, 0(t1)
    csrr    t0, scause
    la      t1, noted_cause
    sd      t0, 0(t1)
    bltz    t0, 1f
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    j       2f
1:  csrw    sie, zero
2:  ld      t0, 0(sp)
    ld      t1, 8(sp)
    addi    sp, sp, 32
    sret
