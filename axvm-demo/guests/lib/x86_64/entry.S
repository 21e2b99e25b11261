// SPDX-License-Identifier: Apache-2.0
// Start of a guest CPU, the first one or one that a start-up IPI sends here: from real mode through
// protected mode to 64-bit mode.
#define CR0_START  0x80010033       // PG WP NE ET MP PE
#define CR4_START  0x00000620       // OSXMMEXCPT OSFXSR PAE
#define MSR_EFER   0xc0000080
#define EFER_START 0x00000100       // LME
#define PTE_TABLE  0x03
#define PTE_BLOCK  0x83
#define PTE_DEVICE 0x9b             // P W PWT PCD PS
#define BLOCK_SIZE 0x200000

#define LAPIC_BLOCK 0xfee00000
#define LAPIC_INDEX 0x1f7

    .section .text.entry, "ax"
    .code16
    .global guest_entry
    .type guest_entry, @function
guest_entry:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    lgdtl   guest_gdt_pointer
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $0x18, $guest_entry32
    .size guest_entry, . - guest_entry

    .code32
guest_entry32:
    movw    $0x10, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    cmpl    $0, guest_booted
    jne     2f
    movl    $guest_bss_start, %edi
    movl    $guest_bss_end, %ecx
    subl    %edi, %ecx
    xorl    %eax, %eax
    rep stosb
    // The first GiB, identity.
    movl    $guest_pdpt + PTE_TABLE, guest_pml4
    movl    $guest_pd + PTE_TABLE, guest_pdpt
    movl    $PTE_BLOCK, %eax
    movl    $guest_pd, %edi
1:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $BLOCK_SIZE, %eax
    cmpl    $guest_pd + 4096, %edi
    jb      1b
    // The local APIC.
    movl    $guest_pd_high + PTE_TABLE, guest_pdpt + 8 * 3
    movl    $LAPIC_BLOCK + PTE_DEVICE, guest_pd_high + 8 * LAPIC_INDEX
2:  movl    $guest_pml4, %eax
    movl    %eax, %cr3
    movl    $CR4_START, %eax
    movl    %eax, %cr4
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     $EFER_START, %eax
    wrmsr
    movl    $CR0_START, %eax
    movl    %eax, %cr0
    ljmp    $0x08, $guest_entry64

    .code64
guest_entry64:
    movl    $1, %eax
    cpuid
    shrl    $24, %ebx               // APIC id
    movl    %ebx, %edi
    incl    %ebx
    shll    $14, %ebx               // 16 KiB each
    leal    guest_stacks(%rbx), %esp
    xorl    %ebp, %ebp
    cmpl    $0, guest_booted
    movl    $1, guest_booted
    jne     3f
    call    guest_start
3:  call    guest_cpu_main
4:  cli
    hlt
    jmp     4b

// Vectors: all with an error code, some of them with 0.
#define PUSH_ERROR_CODE 0x60227d00

    .balign 16
    .global guest_vectors
guest_vectors:                      // 16 bytes each
    .set    vector, 0
    .rept   256
    .balign 16
    .if     vector >= 32 || (PUSH_ERROR_CODE >> (vector & 31) & 1) == 0
    pushq   $0
    .endif
    pushq   $vector
    jmp     guest_vector
    .set    vector, vector + 1
    .endr

guest_vector:
    .irp    reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    pushq   %\reg
    .endr
    movq    %rsp, %rdi
    movq    %rsp, %rbp
    andq    $-16, %rsp
    call    guest_trap
    movq    %rbp, %rsp
    .irp    reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
    popq    %\reg
    .endr
    addq    $16, %rsp
    iretq

    .balign 8
guest_gdt:
    .quad   0
    .quad   0x00af9b000000ffff      // 64-bit code
    .quad   0x00cf93000000ffff      // data
    .quad   0x00cf9b000000ffff      // 32-bit code
guest_gdt_pointer:
    .word   . - guest_gdt - 1
    .long   guest_gdt

    .bss
    .balign 4096
guest_pml4:
    .skip   4096
guest_pdpt:
    .skip   4096
guest_pd:
    .skip   4096
guest_pd_high:
    .skip   4096
    .balign 16
guest_stacks:
    .skip   4 * 16384

    .data
    .balign 4
guest_booted:
    .long   0
    .section .note.GNU-stack, "", @progbits
