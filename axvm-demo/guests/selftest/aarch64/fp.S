// SPDX-License-Identifier: Apache-2.0
// Fill and compare all vector registers; the C code of a guest uses none.
    .arch armv8-a+fp+simd
    .text

    // void fp_fill(uint64_t seed): q<n> = {seed + 2n, seed + 2n + 1}
    .global fp_fill
    .type fp_fill, %function
fp_fill:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add     x1, x0, #(2 * \n)
    add     x2, x0, #(2 * \n + 1)
    fmov    d\n, x1
    fmov    v\n\().d[1], x2
    .endr
    ret
    .size fp_fill, . - fp_fill

    // uint64_t fp_differences(uint64_t seed): how many halves differ from fp_fill(seed)
    .global fp_differences
    .type fp_differences, %function
fp_differences:
    mov     x3, #0
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add     x1, x0, #(2 * \n)
    fmov    x2, d\n
    cmp     x1, x2
    cinc    x3, x3, ne
    add     x1, x0, #(2 * \n + 1)
    fmov    x2, v\n\().d[1]
    cmp     x1, x2
    cinc    x3, x3, ne
    .endr
    mov     x0, x3
    ret
    .size fp_differences, . - fp_differences
