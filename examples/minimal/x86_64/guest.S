// SPDX-License-Identifier: Apache-2.0
// The whole guest: a hypercall as on AMD's processors, and a write to ACPI's PM1 control that powers it
// off. It begins in real mode.
    .text
    .code16
    .global guest_image, guest_image_end
guest_image:
    movl    $42, %eax
    movl    $7, %edi
    vmmcall
    movw    $0x604, %dx
    movw    $0x2000, %ax
    outw    %ax, %dx
    jmp     .
guest_image_end:
    .section .note.GNU-stack, "", @progbits
