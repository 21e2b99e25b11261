// SPDX-License-Identifier: Apache-2.0
// Fill and compare all floating-point registers; the C code of a guest uses none.
    .attribute arch, "rv64imafdc"
    .text

    // The instructions by number, for assemblers that know F and D only by -march.
    .macro fmv_d_x fd, from         // FMV.D.X f<fd>, <from>
    .insn r 0x53, 0, 0x79, x\fd, \from, x0
    .endm
    .macro fmv_x_d to, fs           // FMV.X.D <to>, f<fs>
    .insn r 0x53, 0, 0x71, \to, x\fs, x0
    .endm

    // void fp_fill(uint64_t seed): f<n> = seed + n, frm = seed & 7 of five modes
    .global fp_fill
    .type fp_fill, %function
fp_fill:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    addi    t0, a0, \n
    fmv_d_x \n, t0
    .endr
    andi    t0, a0, 0x9f            // the rounding mode and the exception flags
    csrw    0x003, t0               // fcsr
    ret
    .size fp_fill, . - fp_fill

    // uint64_t fp_differences(uint64_t seed): how many registers differ from fp_fill(seed)
    .global fp_differences
    .type fp_differences, %function
fp_differences:
    mv      t2, zero
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    addi    t0, a0, \n
    fmv_x_d t1, \n
    xor     t0, t0, t1
    snez    t0, t0
    add     t2, t2, t0
    .endr
    andi    t0, a0, 0x9f
    csrr    t1, 0x003
    xor     t0, t0, t1
    snez    t0, t0
    add     a0, t2, t0
    ret
    .size fp_differences, . - fp_differences

    .global fp_touch
    .type fp_touch, %function
fp_touch:
    fmv_d_x 0, zero
    ret
    .size fp_touch, . - fp_touch
