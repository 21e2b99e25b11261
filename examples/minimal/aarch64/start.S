// SPDX-License-Identifier: Apache-2.0
// EL2, MMU off; QEMU gives zeroed memory and one CPU.
    .section .text.start, "ax"
    .global _start
_start:
    adrp    x0, stack_top
    add     x0, x0, :lo12:stack_top
    mov     sp, x0
    adrp    x0, host_vectors
    add     x0, x0, :lo12:host_vectors
    msr     vbar_el2, x0
    bl      host_main
1:  wfi
    b       1b

    // Nothing is expected here: interrupts stay masked and the host does not fault.
    .balign 2048
host_vectors:
    .rept 16
    .balign 128
    b       .
    .endr
