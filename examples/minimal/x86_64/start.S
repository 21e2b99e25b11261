// SPDX-License-Identifier: Apache-2.0
// 32-bit protected mode, paging off, by the PVH note; QEMU gives zeroed memory and one CPU.
    .section .text.start, "ax"
    .code32
    .global _start
_start:
    cld
    movl    $guest_image, %esi
    movl    $guest_code, %edi
    movl    $guest_image_end, %ecx
    subl    %esi, %ecx
    rep movsb

    // The firmware has used the 8254: without its 8259s no interrupt comes.
    movb    $0xff, %al
    outb    %al, $0x21
    outb    %al, $0xa1

    // One page of 1 GiB; the backend wants 64-bit mode.
    movl    $pdpt + 0x3, pml4       // P W
    movl    $0x83, pdpt             // P W PS
    movl    $pml4, %eax
    movl    %eax, %cr3
    movl    $0x20, %eax             // PAE
    movl    %eax, %cr4
    movl    $0xc0000080, %ecx       // EFER.LME
    rdmsr
    orl     $0x100, %eax
    wrmsr
    movl    $0x80010033, %eax       // PG WP NE ET MP PE
    movl    %eax, %cr0
    lgdt    gdt_pointer
    ljmp    $0x8, $start64

    .code64
start64:
    xorl    %eax, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    %eax, %fs
    movl    %eax, %gs
    movl    $stack_top, %esp
    movw    $0x10, %ax
    ltr     %ax
    // Nothing is expected here: interrupts stay masked and the host does not fault.
    lidt    no_vectors
    call    host_main
1:  hlt
    jmp     1b

    .data
    .balign 8
gdt:
    .quad   0
    .quad   0x00af9b000000ffff      // 64-bit code
    .quad   0x0000890070000067, 0   // a TSS at 0x7000, which nothing reads
gdt_pointer:
    .word   . - gdt - 1
    .long   gdt
no_vectors:
    .word   0
    .quad   0

    .bss
    .balign 4096
pml4:
    .skip   4096
pdpt:
    .skip   4096

    // XEN_ELFNOTE_PHYS32_ENTRY
    .section .note.boot, "a", @note
    .balign 4
    .long   4, 4, 18
    .asciz  "Xen"
    .long   _start
    .section .note.GNU-stack, "", @progbits
