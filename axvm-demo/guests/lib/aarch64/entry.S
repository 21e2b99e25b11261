// SPDX-License-Identifier: Apache-2.0
// Start of a guest CPU at EL1, exception vectors, SMCCC calls.
    .arch armv8-a

    .section .text.entry, "ax"
    .global guest_entry
    .type guest_entry, %function
guest_entry:
    mov     x20, x0
    adrp    x0, guest_bss_start
    add     x0, x0, :lo12:guest_bss_start
    adrp    x1, guest_bss_end
    add     x1, x1, :lo12:guest_bss_end
1:  cmp     x0, x1
    b.hs    2f
    str     xzr, [x0], #8
    b       1b
2:  adrp    x0, guest_boot_argument
    str     x20, [x0, :lo12:guest_boot_argument]
    mov     x20, #0
    b       start_cpu
    .size guest_entry, . - guest_entry

    // x0: PSCI context id, the number of this CPU.
    .global guest_secondary_entry
    .type guest_secondary_entry, %function
guest_secondary_entry:
    mov     x20, x0
start_cpu:
    adrp    x0, guest_vectors
    add     x0, x0, :lo12:guest_vectors
    msr     vbar_el1, x0
    mov     x0, #(3 << 20)          // CPACR_EL1.FPEN: no traps
    msr     cpacr_el1, x0
    isb
    adrp    x0, guest_stacks
    add     x0, x0, :lo12:guest_stacks
    add     x1, x20, #1
    add     x0, x0, x1, lsl #14     // 16 KiB each
    mov     sp, x0
    mov     x0, x20
    bl      guest_cpu_main
3:  wfi
    b       3b
    .size guest_secondary_entry, . - guest_secondary_entry

    .macro save_frame
    sub     sp, sp, #(32 * 8)
    stp     x0, x1, [sp, #(0 * 8)]
    stp     x2, x3, [sp, #(2 * 8)]
    stp     x4, x5, [sp, #(4 * 8)]
    stp     x6, x7, [sp, #(6 * 8)]
    stp     x8, x9, [sp, #(8 * 8)]
    stp     x10, x11, [sp, #(10 * 8)]
    stp     x12, x13, [sp, #(12 * 8)]
    stp     x14, x15, [sp, #(14 * 8)]
    stp     x16, x17, [sp, #(16 * 8)]
    stp     x18, x29, [sp, #(18 * 8)]
    mrs     x1, elr_el1
    stp     x30, x1, [sp, #(20 * 8)]
    mrs     x1, spsr_el1
    str     x1, [sp, #(22 * 8)]
    .endm

    .macro restore_frame
    ldr     x1, [sp, #(22 * 8)]
    msr     spsr_el1, x1
    ldp     x30, x1, [sp, #(20 * 8)]
    msr     elr_el1, x1
    ldp     x18, x29, [sp, #(18 * 8)]
    ldp     x16, x17, [sp, #(16 * 8)]
    ldp     x14, x15, [sp, #(14 * 8)]
    ldp     x12, x13, [sp, #(12 * 8)]
    ldp     x10, x11, [sp, #(10 * 8)]
    ldp     x8, x9, [sp, #(8 * 8)]
    ldp     x6, x7, [sp, #(6 * 8)]
    ldp     x4, x5, [sp, #(4 * 8)]
    ldp     x2, x3, [sp, #(2 * 8)]
    ldp     x0, x1, [sp, #(0 * 8)]
    add     sp, sp, #(32 * 8)
    eret
    .endm

    .macro vector offset, handler
    .org guest_vectors + \offset
    save_frame
    mov     x0, #\offset
    mov     x1, sp
    bl      \handler
    b       frame_return
    .endm

    .section .text, "ax"
    .balign 2048
    .global guest_vectors
guest_vectors:
    vector 0x000, guest_unexpected
    vector 0x080, guest_unexpected
    vector 0x100, guest_unexpected
    vector 0x180, guest_unexpected
    vector 0x200, guest_sync
    vector 0x280, guest_irq
    vector 0x300, guest_unexpected
    vector 0x380, guest_unexpected
    vector 0x400, guest_unexpected
    vector 0x480, guest_unexpected
    vector 0x500, guest_unexpected
    vector 0x580, guest_unexpected
    vector 0x600, guest_unexpected
    vector 0x680, guest_unexpected
    vector 0x700, guest_unexpected
    vector 0x780, guest_unexpected
    .org guest_vectors + 0x800
frame_return:
    restore_frame

    // uint64_t guest_{hvc,smc}_regs(GuestCall *call)
    .macro smccc_call name, instruction
    .global \name
    .type \name, %function
\name:
    stp     x29, x30, [sp, #-32]!
    stp     x18, x19, [sp, #16]
    mov     x19, x0
    ldp     x16, x17, [x19, #(16 * 8)]
    ldp     x14, x15, [x19, #(14 * 8)]
    ldp     x12, x13, [x19, #(12 * 8)]
    ldp     x10, x11, [x19, #(10 * 8)]
    ldp     x8, x9, [x19, #(8 * 8)]
    ldp     x6, x7, [x19, #(6 * 8)]
    ldp     x4, x5, [x19, #(4 * 8)]
    ldp     x2, x3, [x19, #(2 * 8)]
    ldp     x0, x1, [x19, #(0 * 8)]
    \instruction #0
    stp     x0, x1, [x19, #(0 * 8)]
    stp     x2, x3, [x19, #(2 * 8)]
    stp     x4, x5, [x19, #(4 * 8)]
    stp     x6, x7, [x19, #(6 * 8)]
    stp     x8, x9, [x19, #(8 * 8)]
    stp     x10, x11, [x19, #(10 * 8)]
    stp     x12, x13, [x19, #(12 * 8)]
    stp     x14, x15, [x19, #(14 * 8)]
    stp     x16, x17, [x19, #(16 * 8)]
    ldp     x18, x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret
    .size \name, . - \name
    .endm

    smccc_call guest_hvc_regs, hvc
    smccc_call guest_smc_regs, smc

    .section .bss
    .balign 16
    .global guest_boot_argument
guest_boot_argument:
    .skip 8
    .balign 16
guest_stacks:
    .skip 4 * 16384
