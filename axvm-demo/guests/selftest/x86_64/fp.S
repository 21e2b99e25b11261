// SPDX-License-Identifier: Apache-2.0
// Fill and compare the x87, SSE and AVX registers; the C code of a guest uses none.
    .text

// void fp_fill(uint64_t seed, bool with_avx): XMM<n> = {seed + n, ~(seed + n)}, the upper half of YMM<n>
// the other way round; ST(0) to ST(7) = seed + 1 to seed + 8; rounding up in FCW, down in MXCSR.
    .global fp_fill
    .type fp_fill, %function
fp_fill:
    fninit
    subq    $8, %rsp
    .irp    n, 8, 7, 6, 5, 4, 3, 2, 1
    leaq    \n(%rdi), %rax
    movq    %rax, (%rsp)
    fildll  (%rsp)
    .endr
    movl    $0x0b7f, (%rsp)
    fldcw   (%rsp)
    movl    $0x3f80, (%rsp)
    ldmxcsr (%rsp)
    addq    $8, %rsp
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    leaq    \n(%rdi), %rax
    movq    %rax, %xmm\n
    notq    %rax
    pinsrq  $1, %rax, %xmm\n
    testl   %esi, %esi
    jz      1f
    vpermilps $0x4e, %xmm\n, %xmm\n  // the halves change places
    vinsertf128 $1, %xmm\n, %ymm\n, %ymm\n
    notq    %rax
    pinsrq  $0, %rax, %xmm\n        // which leaves the upper half
    notq    %rax
    pinsrq  $1, %rax, %xmm\n
1:
    .endr
    ret
    .size fp_fill, . - fp_fill

// uint64_t fp_differences(uint64_t seed, bool with_avx): how many registers differ from fp_fill's.
    .global fp_differences
    .type fp_differences, %function
fp_differences:
    xorl    %ecx, %ecx
    subq    $40, %rsp
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    leaq    \n(%rdi), %rax
    movq    %rax, %rdx
    notq    %rdx
    movdqu  %xmm\n, (%rsp)
    cmpq    %rax, (%rsp)
    jne     2f
    cmpq    %rdx, 8(%rsp)
    jne     2f
    testl   %esi, %esi
    jz      3f
    vextractf128 $1, %ymm\n, (%rsp)
    cmpq    %rdx, (%rsp)
    jne     2f
    cmpq    %rax, 8(%rsp)
    je      3f
2:  incl    %ecx
3:
    .endr
    stmxcsr (%rsp)
    cmpl    $0x3f80, (%rsp)
    je      4f
    incl    %ecx
4:  fnstcw  (%rsp)
    cmpw    $0x0b7f, (%rsp)
    je      5f
    incl    %ecx
5:
    .irp    n, 1, 2, 3, 4, 5, 6, 7, 8
    leaq    \n(%rdi), %rax
    fistpll (%rsp)
    cmpq    %rax, (%rsp)
    je      6f
    incl    %ecx
6:
    .endr
    fninit
    movl    $0x1f80, (%rsp)
    ldmxcsr (%rsp)
    addq    $40, %rsp
    movl    %ecx, %eax
    ret
    .size fp_differences, . - fp_differences
    .section .note.GNU-stack, "", @progbits
