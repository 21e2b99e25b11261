// SPDX-License-Identifier: Apache-2.0
// The only FP instructions of the backend. CPTR_EL2 lets them through when they are called.
#include "asm-offsets.h"
#include <axvcpu/asm.inc>

.arch armv8-a+fp+simd

.macro fp_pairs op
    \op q0, q1, [x0, #AARCH64_FP_Q + 32 * 0]
    \op q2, q3, [x0, #AARCH64_FP_Q + 32 * 1]
    \op q4, q5, [x0, #AARCH64_FP_Q + 32 * 2]
    \op q6, q7, [x0, #AARCH64_FP_Q + 32 * 3]
    \op q8, q9, [x0, #AARCH64_FP_Q + 32 * 4]
    \op q10, q11, [x0, #AARCH64_FP_Q + 32 * 5]
    \op q12, q13, [x0, #AARCH64_FP_Q + 32 * 6]
    \op q14, q15, [x0, #AARCH64_FP_Q + 32 * 7]
    \op q16, q17, [x0, #AARCH64_FP_Q + 32 * 8]
    \op q18, q19, [x0, #AARCH64_FP_Q + 32 * 9]
    \op q20, q21, [x0, #AARCH64_FP_Q + 32 * 10]
    \op q22, q23, [x0, #AARCH64_FP_Q + 32 * 11]
    \op q24, q25, [x0, #AARCH64_FP_Q + 32 * 12]
    \op q26, q27, [x0, #AARCH64_FP_Q + 32 * 13]
    \op q28, q29, [x0, #AARCH64_FP_Q + 32 * 14]
    \op q30, q31, [x0, #AARCH64_FP_Q + 32 * 15]
.endm

.text

// void aarch64_fp_save(Aarch64Fp *fp)
FUNC(aarch64_fp_save)
    fp_pairs stp
    mrs x1, fpsr
    mrs x2, fpcr
    str x1, [x0, #AARCH64_FP_FPSR]
    str x2, [x0, #AARCH64_FP_FPCR]
    ret
END(aarch64_fp_save)

// void aarch64_fp_load(const Aarch64Fp *fp)
FUNC(aarch64_fp_load)
    fp_pairs ldp
    ldr x1, [x0, #AARCH64_FP_FPSR]
    ldr x2, [x0, #AARCH64_FP_FPCR]
    msr fpsr, x1
    msr fpcr, x2
    ret
END(aarch64_fp_load)

.section .note.GNU-stack, "", %progbits
