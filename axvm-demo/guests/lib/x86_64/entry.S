// SPDX-License-Identifier: Apache-2.0
// Start of a guest CPU, the first one or one that a start-up IPI sends here: from real mode through
// protected mode to 64-bit mode. Then what exceptions and interrupts come to.
#define CR0_START  0x80010033       // PG WP NE ET MP PE
#define CR4_START  0x00000620       // OSXMMEXCPT OSFXSR PAE
#define MSR_EFER   0xc0000080
#define EFER_START 0x00000100       // LME
#define PTE_TABLE  0x07             // P W U
#define PTE_BLOCK  0x87
#define PTE_DEVICE 0x9f             // P W U PWT PCD PS
#define BLOCK_SIZE 0x200000

#define APICS_BLOCK 0xfec00000      // the I/O APIC, and the local one in the block behind
#define APICS_INDEX 0x1f6

// GuestContext in arch.h
#define CONTEXT_RIP      128
#define CONTEXT_RFLAGS   136
#define CONTEXT_CS       144
#define CONTEXT_SS       152
#define CONTEXT_DS       160
#define CONTEXT_ES       168
#define CONTEXT_HOST_RSP 208

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
    // The window of single pages, empty.
    movl    $guest_pd_window + PTE_TABLE, guest_pdpt + 8
    movl    $guest_pt_window + PTE_TABLE, guest_pd_window
    // The APICs.
    movl    $guest_pd_high + PTE_TABLE, guest_pdpt + 8 * 3
    movl    $APICS_BLOCK + PTE_DEVICE, guest_pd_high + 8 * APICS_INDEX
    movl    $APICS_BLOCK + BLOCK_SIZE + PTE_DEVICE, guest_pd_high + 8 * (APICS_INDEX + 1)
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

    .text
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
    cld
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

// void guest_context_enter(GuestContext *context): guest_trap comes back by guest_context_return.
    .global guest_context_enter
    .type guest_context_enter, @function
guest_context_enter:
    .irp    reg, rbx, rbp, r12, r13, r14, r15
    pushq   %\reg
    .endr
    movq    %rsp, CONTEXT_HOST_RSP(%rdi)
    movw    CONTEXT_DS(%rdi), %ds
    movw    CONTEXT_ES(%rdi), %es
    pushq   CONTEXT_SS(%rdi)
    pushq   8 * 4(%rdi)
    pushq   CONTEXT_RFLAGS(%rdi)
    pushq   CONTEXT_CS(%rdi)
    pushq   CONTEXT_RIP(%rdi)
    movq    8 * 0(%rdi), %rax
    movq    8 * 1(%rdi), %rcx
    movq    8 * 2(%rdi), %rdx
    movq    8 * 3(%rdi), %rbx
    movq    8 * 5(%rdi), %rbp
    movq    8 * 6(%rdi), %rsi
    movq    8 * 8(%rdi), %r8
    movq    8 * 9(%rdi), %r9
    movq    8 * 10(%rdi), %r10
    movq    8 * 11(%rdi), %r11
    movq    8 * 12(%rdi), %r12
    movq    8 * 13(%rdi), %r13
    movq    8 * 14(%rdi), %r14
    movq    8 * 15(%rdi), %r15
    movq    8 * 7(%rdi), %rdi
    iretq
    .size guest_context_enter, . - guest_context_enter

    .global guest_context_return
guest_context_return:
    movl    $0x10, %eax
    movl    %eax, %ds
    movl    %eax, %es
    .irp    reg, r15, r14, r13, r12, rbp, rbx
    popq    %\reg
    .endr
    ret

// In reach of real mode.
    .section .low, "awx"
    .balign 8
    .global guest_gdt
guest_gdt:
    .quad   0
    .quad   0x00af9b000000ffff      // 08: 64-bit code
    .quad   0x00cf93000000ffff      // 10: data
    .quad   0x00cf9b000000ffff      // 18: 32-bit code
    .quad   0x00cff3000000ffff      // 20: data of ring 3
    .quad   0x00affb000000ffff      // 28: 64-bit code of ring 3
    .quad   0x00cffb000000ffff      // 30: 32-bit code of ring 3
    .quad   0x00009b000000ffff      // 38: 16-bit code of guest_step
    .quad   0x0000fb000000ffff      // 40: of ring 3
    .quad   0x0000f3000000ffff      // 48: 16-bit data, the window
    .quad   0x00009b000000ffff      // 50: 16-bit code on the way to real mode
    .quad   0x000093000000ffff      // 58: 16-bit data
    .quad   0                       // 60
    .quad   0                       // 68
    .quad   0x00cf13000000ffff      // 70: data, not present
    .quad   0                       // 78
    .skip   16 * 8                  // 80: the TSS of each CPU
    .global guest_gdt_pointer
guest_gdt_pointer:
    .word   . - guest_gdt - 1
    .long   guest_gdt
    .long   0

    .bss
    .balign 4096
    .global guest_pd, guest_pd_window, guest_pt_window, guest_pd_high
guest_pml4:
    .skip   4096
guest_pdpt:
    .skip   4096
guest_pd:
    .skip   4096
guest_pd_window:
    .skip   4096
guest_pt_window:
    .skip   4096
guest_pd_high:
    .skip   4096
    .balign 16
guest_stacks:
    .skip   8 * 16384

    .data
    .balign 4
guest_booted:
    .long   0
    .section .note.GNU-stack, "", @progbits
