// SPDX-License-Identifier: Apache-2.0
// Into the guest and back: 48 instructions for both ways. See aarch64_enter_guest in arm_hw.h for what
// the caller saves. SP_EL2 is the host's stack all the time; at an exit it holds what
// aarch64_world_switch pushed: x29, x30, x18, and the address of the guest's registers.
#include "asm-offsets.h"
#include <axvcpu/asm.inc>

#define FRAME_SIZE 32
#define FRAME_X18  16
#define FRAME_REGS 24

// Apply `op` to all pairs of guest registers that need no scratch register for themselves.
.macro guest_pairs op, base
    \op x2, x3, [\base, #AARCH64_REGS_X + 16]
    \op x4, x5, [\base, #AARCH64_REGS_X + 32]
    \op x6, x7, [\base, #AARCH64_REGS_X + 48]
    \op x8, x9, [\base, #AARCH64_REGS_X + 64]
    \op x10, x11, [\base, #AARCH64_REGS_X + 80]
    \op x12, x13, [\base, #AARCH64_REGS_X + 96]
    \op x14, x15, [\base, #AARCH64_REGS_X + 112]
    \op x16, x17, [\base, #AARCH64_REGS_X + 128]
    \op x18, x19, [\base, #AARCH64_REGS_X + 144]
    \op x20, x21, [\base, #AARCH64_REGS_X + 160]
    \op x22, x23, [\base, #AARCH64_REGS_X + 176]
    \op x24, x25, [\base, #AARCH64_REGS_X + 192]
    \op x26, x27, [\base, #AARCH64_REGS_X + 208]
    \op x28, x29, [\base, #AARCH64_REGS_X + 224]
.endm

.text

// An exception of the guest returns from aarch64_world_switch. Fits a vector of 32 instructions.
.macro leave_guest number
    stp x0, x1, [sp, #-16]!
    ldr x0, [sp, #16 + FRAME_REGS]
    guest_pairs stp, x0
    str x30, [x0, #AARCH64_REGS_X + 240]
    mrs x4, elr_el2
    mrs x5, spsr_el2
    stp x4, x5, [x0, #AARCH64_REGS_PC]
    ldp x2, x3, [sp], #16
    stp x2, x3, [x0, #AARCH64_REGS_X]
    ldr x18, [sp, #FRAME_X18]
    ldp x29, x30, [sp], #FRAME_SIZE
    mov x0, #\number
    ret
.endm

// Taken at EL2 itself while our vectors are in place: a fault of the hypervisor. It belongs to the
// host: with its vectors put back the instruction runs again and the exception is taken there. No
// stack is used, because the stack may be the fault; FAR_EL2 holds x0 meanwhile, as it is written
// again with the second exception.
.macro return_to_host_vectors
    msr far_el2, x0
    adrp x0, aarch64_host_vbar
    ldr x0, [x0, #:lo12:aarch64_host_vbar]
    and x0, x0, #~0x7ff // bits 10:0 are a count
    msr vbar_el2, x0
    mrs x0, far_el2
    eret
    dsb nsh
    isb
.endm

.macro vector_at offset, handler:req, number
.org aarch64_vectors + \offset
    \handler \number
.endm

// In a section of its own: a linker script can put it beside others of such an alignment.
.section .text.vectors, "ax", %progbits
.balign 2048
FUNC(aarch64_vectors)
    vector_at 0x000, return_to_host_vectors // EL2 with SP_EL0
    vector_at 0x080, return_to_host_vectors
    vector_at 0x100, return_to_host_vectors
    vector_at 0x180, return_to_host_vectors
    vector_at 0x200, return_to_host_vectors // EL2 with SP_EL2
    vector_at 0x280, return_to_host_vectors
    vector_at 0x300, return_to_host_vectors
    vector_at 0x380, return_to_host_vectors
    vector_at 0x400, leave_guest, AARCH64_VECTOR_SYNC_NR // EL1 or EL0 in AArch64
    vector_at 0x480, leave_guest, AARCH64_VECTOR_IRQ_NR
    vector_at 0x500, leave_guest, AARCH64_VECTOR_FIQ_NR
    vector_at 0x580, leave_guest, AARCH64_VECTOR_SERROR_NR
    vector_at 0x600, leave_guest, AARCH64_VECTOR_SYNC_NR // EL0 in AArch32
    vector_at 0x680, leave_guest, AARCH64_VECTOR_IRQ_NR
    vector_at 0x700, leave_guest, AARCH64_VECTOR_FIQ_NR
    vector_at 0x780, leave_guest, AARCH64_VECTOR_SERROR_NR
.org aarch64_vectors + 0x800
END(aarch64_vectors)

.text

// uint64_t aarch64_world_switch(Aarch64GuestRegs *regs)
.balign 64
FUNC(aarch64_world_switch)
    stp x29, x30, [sp, #-FRAME_SIZE]!
    stp x18, x0, [sp, #FRAME_X18]
    ldp x1, x2, [x0, #AARCH64_REGS_PC]
    msr elr_el2, x1
    msr spsr_el2, x2
    guest_pairs ldp, x0
    ldr x30, [x0, #AARCH64_REGS_X + 240]
    ldp x0, x1, [x0, #AARCH64_REGS_X]
    eret
    dsb nsh // never run: stops speculation past the eret with the guest's registers
    isb
END(aarch64_world_switch)

.section .note.GNU-stack, "", %progbits
