// SPDX-License-Identifier: Apache-2.0
#include "arm.h"

void aarch64_asm_offsets(void);

void aarch64_asm_offsets(void)
{
    AX_ASM_DEFINE(AARCH64_REGS_X, offsetof(Aarch64GuestRegs, x));
    AX_ASM_DEFINE(AARCH64_REGS_PC, offsetof(Aarch64GuestRegs, pc));
    AX_ASM_DEFINE(AARCH64_REGS_PSTATE, offsetof(Aarch64GuestRegs, pstate));
    AX_ASM_DEFINE(AARCH64_FP_Q, offsetof(Aarch64Fp, q));
    AX_ASM_DEFINE(AARCH64_FP_FPSR, offsetof(Aarch64Fp, fpsr));
    AX_ASM_DEFINE(AARCH64_FP_FPCR, offsetof(Aarch64Fp, fpcr));
    AX_ASM_DEFINE(AARCH64_VECTOR_SYNC_NR, AARCH64_VECTOR_SYNC);
    AX_ASM_DEFINE(AARCH64_VECTOR_IRQ_NR, AARCH64_VECTOR_IRQ);
    AX_ASM_DEFINE(AARCH64_VECTOR_FIQ_NR, AARCH64_VECTOR_FIQ);
    AX_ASM_DEFINE(AARCH64_VECTOR_SERROR_NR, AARCH64_VECTOR_SERROR);
}
