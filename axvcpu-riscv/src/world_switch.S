// SPDX-License-Identifier: Apache-2.0
// Into the guest and back: 85 instructions for both ways. See rv_enter_guest in riscv_hw.h for what
// the caller saves. While our vector is in stvec, sscratch holds the address of the guest's
// registers; it is a0 in both functions. host_ra is 0 but while the guest runs: that tells whose trap
// it is. hstatus.SPV would not: OpenSBI 1.1 leaves it as it was when it hands a fault of HS mode on.
#include "asm-offsets.h"
#include <axvcpu/asm.inc>

// Apply `op` to all guest registers that are not needed on the way: but x5 (t0) and x10 (a0).
.macro guest_registers op
    \op x1, RISCV_REGS_X + 8 * 1(a0)
    \op x2, RISCV_REGS_X + 8 * 2(a0)
    \op x3, RISCV_REGS_X + 8 * 3(a0)
    \op x4, RISCV_REGS_X + 8 * 4(a0)
    \op x6, RISCV_REGS_X + 8 * 6(a0)
    \op x7, RISCV_REGS_X + 8 * 7(a0)
    \op x8, RISCV_REGS_X + 8 * 8(a0)
    \op x9, RISCV_REGS_X + 8 * 9(a0)
    \op x11, RISCV_REGS_X + 8 * 11(a0)
    \op x12, RISCV_REGS_X + 8 * 12(a0)
    \op x13, RISCV_REGS_X + 8 * 13(a0)
    \op x14, RISCV_REGS_X + 8 * 14(a0)
    \op x15, RISCV_REGS_X + 8 * 15(a0)
    \op x16, RISCV_REGS_X + 8 * 16(a0)
    \op x17, RISCV_REGS_X + 8 * 17(a0)
    \op x18, RISCV_REGS_X + 8 * 18(a0)
    \op x19, RISCV_REGS_X + 8 * 19(a0)
    \op x20, RISCV_REGS_X + 8 * 20(a0)
    \op x21, RISCV_REGS_X + 8 * 21(a0)
    \op x22, RISCV_REGS_X + 8 * 22(a0)
    \op x23, RISCV_REGS_X + 8 * 23(a0)
    \op x24, RISCV_REGS_X + 8 * 24(a0)
    \op x25, RISCV_REGS_X + 8 * 25(a0)
    \op x26, RISCV_REGS_X + 8 * 26(a0)
    \op x27, RISCV_REGS_X + 8 * 27(a0)
    \op x28, RISCV_REGS_X + 8 * 28(a0)
    \op x29, RISCV_REGS_X + 8 * 29(a0)
    \op x30, RISCV_REGS_X + 8 * 30(a0)
    \op x31, RISCV_REGS_X + 8 * 31(a0)
.endm

// What the caller does not save itself.
.macro host_registers op
    \op ra, RISCV_REGS_HOST_RA(a0)
    \op sp, RISCV_REGS_HOST_SP(a0)
    \op gp, RISCV_REGS_HOST_GP(a0)
    \op tp, RISCV_REGS_HOST_TP(a0)
    \op s0, RISCV_REGS_HOST_S0(a0)
.endm

.text

// stvec while a guest can run. A trap of the guest returns from riscv_world_switch.
.balign 64 // direct mode asks for 4
FUNC(riscv_guest_vector)
    csrrw a0, sscratch, a0
    sd t0, RISCV_REGS_SAVED_T0(a0)
    ld t0, RISCV_REGS_HOST_RA(a0)
    beqz t0, riscv_host_trap
    ld t0, RISCV_REGS_SAVED_T0(a0)
    sd t0, RISCV_REGS_X + 8 * 5(a0)
    guest_registers sd
    csrrw t0, sscratch, a0
    sd t0, RISCV_REGS_X + 8 * 10(a0)
    csrr t0, sepc
    sd t0, RISCV_REGS_PC(a0)
    host_registers ld
    sd zero, RISCV_REGS_HOST_RA(a0)
    ret
END(riscv_guest_vector)

// Taken in HS mode itself while our vector is in place: a fault of the hypervisor. It belongs to the
// host: with its stvec and sscratch put back the instruction runs again and the exception is taken
// there. No stack is used, because the stack may be the fault; host_sp is free while no guest runs.
FUNC(riscv_host_trap)
    li t0, RISCV_HSTATUS_SPV
    csrc 0x600, t0 // hstatus: sret stays in HS mode, see above
    ld t0, RISCV_REGS_HOST_STVEC(a0)
    csrw stvec, t0
    ld t0, RISCV_REGS_HOST_SSCRATCH(a0)
    csrrw t0, sscratch, t0
    sd t0, RISCV_REGS_HOST_SP(a0)
    ld t0, RISCV_REGS_SAVED_T0(a0)
    ld a0, RISCV_REGS_HOST_SP(a0)
    sret
END(riscv_host_trap)

// void riscv_world_switch(RISCVGuestRegs *regs)
.balign 64
FUNC(riscv_world_switch)
    host_registers sd
    ld t0, RISCV_REGS_PC(a0)
    csrw sepc, t0
    guest_registers ld
    ld t0, RISCV_REGS_X + 8 * 5(a0)
    ld a0, RISCV_REGS_X + 8 * 10(a0)
    sret
END(riscv_world_switch)

.section .note.GNU-stack, "", %progbits
