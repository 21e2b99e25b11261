// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"

void riscv_asm_offsets(void);

void riscv_asm_offsets(void)
{
    AX_ASM_DEFINE(RISCV_REGS_X, offsetof(RISCVGuestRegs, x));
    AX_ASM_DEFINE(RISCV_REGS_PC, offsetof(RISCVGuestRegs, pc));
    AX_ASM_DEFINE(RISCV_REGS_HOST_RA, offsetof(RISCVGuestRegs, host_ra));
    AX_ASM_DEFINE(RISCV_REGS_HOST_SP, offsetof(RISCVGuestRegs, host_sp));
    AX_ASM_DEFINE(RISCV_REGS_HOST_GP, offsetof(RISCVGuestRegs, host_gp));
    AX_ASM_DEFINE(RISCV_REGS_HOST_TP, offsetof(RISCVGuestRegs, host_tp));
    AX_ASM_DEFINE(RISCV_REGS_HOST_S0, offsetof(RISCVGuestRegs, host_s0));
    AX_ASM_DEFINE(RISCV_REGS_HOST_STVEC, offsetof(RISCVGuestRegs, host_stvec));
    AX_ASM_DEFINE(RISCV_REGS_HOST_SSCRATCH, offsetof(RISCVGuestRegs, host_sscratch));
    AX_ASM_DEFINE(RISCV_REGS_SAVED_T0, offsetof(RISCVGuestRegs, saved_t0));
    AX_ASM_DEFINE(RISCV_FP_F, offsetof(RISCVFp, f));
    AX_ASM_DEFINE(RISCV_FP_FCSR, offsetof(RISCVFp, fcsr));
    AX_ASM_DEFINE(RISCV_HSTATUS_SPV, HSTATUS_SPV);
}
