// SPDX-License-Identifier: Apache-2.0
// From 64-bit mode to the modes before it, for one stretch of code, and back by the exception that
// ends that. All of it is in reach of real mode. guest_legacy is filled by step.c.
#define MSR_EFER  0xc0000080
#define EFER_LME  0x100
#define CR0_PG    0x80000000
#define CR0_START 0x80010033        // entry.S

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_CODE32 0x18
#define SEL_CODE16 0x50
#define SEL_DATA16 0x58

// GuestContext in arch.h
#define CONTEXT        guest_legacy
#define CONTEXT_RSP    CONTEXT + 8 * 4
#define CONTEXT_RIP    CONTEXT + 128
#define CONTEXT_RFLAGS CONTEXT + 136
#define CONTEXT_CS     CONTEXT + 144
#define CONTEXT_DS     CONTEXT + 160
#define CONTEXT_ES     CONTEXT + 168
#define CONTEXT_VECTOR CONTEXT + 176
#define CONTEXT_ERROR  CONTEXT + 184
#define CONTEXT_CR2    CONTEXT + 192
#define CONTEXT_DR6    CONTEXT + 200
#define CONTEXT_HOST   CONTEXT + 208
// Legacy in step.c
#define LEGACY_CR0  CONTEXT + 216
#define LEGACY_CR3  CONTEXT + 220
#define LEGACY_CR4  CONTEXT + 224
#define LEGACY_REAL CONTEXT + 228

// The general registers but ESP, by a segment that reaches CONTEXT.
    .macro  load_registers segment
    movl    \segment:CONTEXT + 8 * 0, %eax
    movl    \segment:CONTEXT + 8 * 1, %ecx
    movl    \segment:CONTEXT + 8 * 2, %edx
    movl    \segment:CONTEXT + 8 * 3, %ebx
    movl    \segment:CONTEXT + 8 * 5, %ebp
    movl    \segment:CONTEXT + 8 * 6, %esi
    movl    \segment:CONTEXT + 8 * 7, %edi
    .endm

    .macro  save_registers segment
    movl    %eax, \segment:CONTEXT + 8 * 0
    movl    %ecx, \segment:CONTEXT + 8 * 1
    movl    %edx, \segment:CONTEXT + 8 * 2
    movl    %ebx, \segment:CONTEXT + 8 * 3
    movl    %ebp, \segment:CONTEXT + 8 * 5
    movl    %esi, \segment:CONTEXT + 8 * 6
    movl    %edi, \segment:CONTEXT + 8 * 7
    .endm

    .section .low, "awx"
    .code64
    .global guest_legacy_enter
    .type guest_legacy_enter, @function
guest_legacy_enter:
    .irp    reg, rbx, rbp, r12, r13, r14, r15
    pushq   %\reg
    .endr
    movq    %rsp, CONTEXT_HOST
    movq    %cr3, %rax
    movl    %eax, host_cr3
    movq    %cr4, %rax
    movl    %eax, host_cr4
    sidt    host_idt
    pushq   $SEL_CODE32
    pushq   $1f
    lretq

    .code32
1:  movl    $SEL_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $legacy_stack, %esp
    movl    %cr0, %eax
    andl    $~CR0_PG, %eax
    movl    %eax, %cr0
    movl    $MSR_EFER, %ecx
    rdmsr
    andl    $~EFER_LME, %eax
    wrmsr
    movl    LEGACY_CR4, %eax
    movl    %eax, %cr4
    movl    LEGACY_CR3, %eax
    movl    %eax, %cr3
    movl    LEGACY_CR0, %eax
    movl    %eax, %cr0
    ljmp    $SEL_CODE32, $2f
2:  cmpl    $0, LEGACY_REAL
    jne     to_real
    lidtl   idt32_pointer
    movl    CONTEXT_RSP, %esp
    pushl   CONTEXT_RFLAGS
    pushl   CONTEXT_CS
    pushl   CONTEXT_RIP
    movw    CONTEXT_ES, %es
    movw    CONTEXT_DS, %ds
    load_registers %ss
    iretl
    .size guest_legacy_enter, . - guest_legacy_enter

// DS and ES keep the bases that they get here.
to_real:
    movl    $SEL_DATA16, %eax
    movl    %eax, %ss
    movw    CONTEXT_ES, %es
    movw    CONTEXT_DS, %ds
    ljmp    $SEL_CODE16, $3f
    .code16
3:  movl    %cr0, %eax
    andb    $0xfe, %al
    movl    %eax, %cr0
    ljmp    $0, $4f
4:  xorw    %ax, %ax
    movw    %ax, %ss
    lidtl   %cs:ivt_pointer
    movl    %cs:CONTEXT_RSP, %esp
    pushw   %cs:CONTEXT_RFLAGS
    pushw   %cs:CONTEXT_CS
    pushw   %cs:CONTEXT_RIP
    load_registers %cs
    iretw

// ---- exceptions of protected mode ----
    .code32
#define PUSH_ERROR_CODE 0x60227d00

    .balign 16
vectors32:                          // 16 bytes each
    .set    vector, 0
    .rept   32
    .balign 16
    .if     (PUSH_ERROR_CODE >> vector & 1) == 0
    pushl   $0
    .endif
    pushl   $vector
    jmp     trap32
    .set    vector, vector + 1
    .endr

trap32:
    save_registers %ss
    popl    %ss:CONTEXT_VECTOR
    popl    %ss:CONTEXT_ERROR
    popl    %ss:CONTEXT_RIP
    popl    %ss:CONTEXT_CS
    popl    %ss:CONTEXT_RFLAGS
    movl    %esp, %ss:CONTEXT_RSP
back:
    cld
    movl    $SEL_DATA, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $legacy_stack, %esp
    movl    %cr2, %eax
    movl    %eax, CONTEXT_CR2
    movl    %dr6, %eax
    movl    %eax, CONTEXT_DR6
    movl    %cr0, %eax
    andl    $~CR0_PG, %eax
    movl    %eax, %cr0
    movl    host_cr4, %eax
    movl    %eax, %cr4
    movl    host_cr3, %eax
    movl    %eax, %cr3
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     $EFER_LME, %eax
    wrmsr
    movl    $CR0_START, %eax
    movl    %eax, %cr0
    ljmp    $SEL_CODE64, $5f
    .code64
5:  movq    CONTEXT_HOST, %rsp
    lidt    host_idt
    .irp    reg, r15, r14, r13, r12, rbp, rbx
    popq    %\reg
    .endr
    ret

// ---- exceptions of real mode ----
    .code16
    .balign 8
vectors16:                          // 8 bytes each
    .set    vector, 0
    .rept   32
    .balign 8
    pushw   $vector
    jmp     trap16
    .set    vector, vector + 1
    .endr

trap16:
    save_registers %cs
    popw    %cs:CONTEXT_VECTOR
    popw    %cs:CONTEXT_RIP
    popw    %cs:CONTEXT_CS
    popw    %cs:CONTEXT_RFLAGS
    movl    %esp, %cs:CONTEXT_RSP
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $SEL_CODE32, $back

    .balign 16
    .global guest_legacy
guest_legacy:
    .skip   232
host_cr3:
    .long   0
host_cr4:
    .long   0
host_idt:
    .skip   10
    .balign 4
idt32_pointer:
    .word   32 * 8 - 1
    .long   guest_legacy_idt
ivt_pointer:
    .word   32 * 4 - 1
    .long   ivt
    .balign 8
    .global guest_legacy_idt
guest_legacy_idt:                   // interrupt gates of 32 bits; all of .low is below 64 KiB
    .set    vector, 0
    .rept   32
    .word   vectors32 + 16 * vector
    .word   SEL_CODE32
    .word   0x8e00
    .word   0
    .set    vector, vector + 1
    .endr
ivt:
    .set    vector, 0
    .rept   32
    .word   vectors16 + 8 * vector
    .word   0
    .set    vector, vector + 1
    .endr
    .skip   512
    .balign 16
legacy_stack:
    .skip   1024
    .global guest_step_stack_top
guest_step_stack_top:
    .section .note.GNU-stack, "", @progbits
