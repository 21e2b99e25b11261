// SPDX-License-Identifier: Apache-2.0
// The only FP instructions of the backend. sstatus.FS lets them through when they are called.
#include "asm-offsets.h"
#include <axvcpu/asm.inc>

.attribute arch, "rv64imafdc"

.macro fp_registers op
    \op f0, RISCV_FP_F + 8 * 0(a0)
    \op f1, RISCV_FP_F + 8 * 1(a0)
    \op f2, RISCV_FP_F + 8 * 2(a0)
    \op f3, RISCV_FP_F + 8 * 3(a0)
    \op f4, RISCV_FP_F + 8 * 4(a0)
    \op f5, RISCV_FP_F + 8 * 5(a0)
    \op f6, RISCV_FP_F + 8 * 6(a0)
    \op f7, RISCV_FP_F + 8 * 7(a0)
    \op f8, RISCV_FP_F + 8 * 8(a0)
    \op f9, RISCV_FP_F + 8 * 9(a0)
    \op f10, RISCV_FP_F + 8 * 10(a0)
    \op f11, RISCV_FP_F + 8 * 11(a0)
    \op f12, RISCV_FP_F + 8 * 12(a0)
    \op f13, RISCV_FP_F + 8 * 13(a0)
    \op f14, RISCV_FP_F + 8 * 14(a0)
    \op f15, RISCV_FP_F + 8 * 15(a0)
    \op f16, RISCV_FP_F + 8 * 16(a0)
    \op f17, RISCV_FP_F + 8 * 17(a0)
    \op f18, RISCV_FP_F + 8 * 18(a0)
    \op f19, RISCV_FP_F + 8 * 19(a0)
    \op f20, RISCV_FP_F + 8 * 20(a0)
    \op f21, RISCV_FP_F + 8 * 21(a0)
    \op f22, RISCV_FP_F + 8 * 22(a0)
    \op f23, RISCV_FP_F + 8 * 23(a0)
    \op f24, RISCV_FP_F + 8 * 24(a0)
    \op f25, RISCV_FP_F + 8 * 25(a0)
    \op f26, RISCV_FP_F + 8 * 26(a0)
    \op f27, RISCV_FP_F + 8 * 27(a0)
    \op f28, RISCV_FP_F + 8 * 28(a0)
    \op f29, RISCV_FP_F + 8 * 29(a0)
    \op f30, RISCV_FP_F + 8 * 30(a0)
    \op f31, RISCV_FP_F + 8 * 31(a0)
.endm

.text

// void riscv_fp_save(RISCVFp *fp)
FUNC(riscv_fp_save)
    fp_registers fsd
    csrr t0, fcsr
    sd t0, RISCV_FP_FCSR(a0)
    ret
END(riscv_fp_save)

// void riscv_fp_load(const RISCVFp *fp)
FUNC(riscv_fp_load)
    fp_registers fld
    ld t0, RISCV_FP_FCSR(a0)
    csrw fcsr, t0
    ret
END(riscv_fp_load)

.section .note.GNU-stack, "", %progbits
