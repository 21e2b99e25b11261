// SPDX-License-Identifier: Apache-2.0
// Instructions that end in an exception, for exceptions.c: a table of struct Fault.

// enum GuestMode in arch.h
#define LONG        0
#define LONG_USER   1
#define COMPAT      2
#define COMPAT_USER 3
#define COMPAT16    4
#define PROTECTED   6
#define PROTECTED16 7
#define PAGING      8
#define PAE         10
#define REAL        12

#define DE 0
#define DB 1
#define BP 3
#define OF 4
#define BR 5
#define UD 6
#define NP 11
#define SS 12
#define GP 13
#define PF 14
#define MF 16

#define P 0x01
#define W 0x02
#define U 0x04
#define R 0x08
#define I 0x10

// Registers as exceptions.c sets them: RAX is not canonical, the others are addresses of pages.
#define RBX 3   // not there
#define RSI 6   // read-only
#define RDI 7   // not for ring 3
#define R8  8   // no code
#define R9  9   // a reserved bit is set
#define NONE 0xff

// `done`: the exception comes behind the instruction. `cr2`: number of the register that it equals.
    .macro  fault bits, mode, vector, error, done, cr2, text:req
    .code\bits
    .pushsection .text.steps, "ax"
901:
    \text
902:
    .popsection
    .code64
    .pushsection .rodata.names, "a"
903:
    .asciz  "\text"
    .popsection
    .quad   903b, 901b
    .long   902b - 901b, \error
    .byte   \mode, \vector, \done, \cr2
    .long   quirk
    .endm

    .macro  in_long vector, error, text:req
    fault   64, LONG, \vector, \error, 0, NONE, "\text"
    .endm

    .macro  in_user vector, error, text:req
    fault   64, LONG_USER, \vector, \error, 0, NONE, "\text"
    .endm

    .macro  in_both vector, error, text:req
    in_long \vector, \error, "\text"
    in_user \vector, \error, "\text"
    .endm

    .macro  page_fault mode, error, cr2, text:req
    fault   64, \mode, PF, \error, 0, \cr2, "\text"
    .endm

    .section .rodata.faults, "a"
    .set    quirk, 0                // of QEMU's processors: a row that they do not do right
    .balign 8
    .global faults, faults_end
faults:
    in_both DE, 0, "divl %ecx"
    in_both DE, 0, "divb %cl"
    in_both DE, 0, "idivq %rcx"
    in_both UD, 0, "ud2"
    in_both UD, 0, "lock; nop"
    in_both UD, 0, "lock; addl %eax, %ebx"
    in_both UD, 0, ".byte 0x06"     // PUSH ES
    in_long UD, 0, "xorl %eax, %eax; vmrun %rax"
    in_long UD, 0, "xorl %eax, %eax; vmload %rax"
    in_long UD, 0, "clgi"
    in_long UD, 0, "stgi"
    in_both UD, 0, "skinit"
    in_both UD, 0, "rsm"
    in_both UD, 0, "vmclear (%rsi)"
    in_both UD, 0, "vmlaunch"
    in_both UD, 0, "vmxoff"
    in_both UD, 0, "invept (%rsi), %rcx"
    in_both UD, 0, "xgetbv"         // without CR4.OSXSAVE
    in_both UD, 0, "getsec"
    in_both GP, 0, "movl (%rax), %ecx"
    in_both GP, 0, "movl %ecx, (%rax)"
    in_both GP, 0, "incl (%rax)"
    .set    quirk, 1                // QEMU 7.2: #GP
    in_both SS, 0, "leaq (%rax), %rbp; movl (%rbp), %ecx"
    .set    quirk, 0
    in_long NP, 0x70, "movl $0x70, %ecx; movl %ecx, %ds"
    in_user GP, 0x70, "movl $0x70, %ecx; movl %ecx, %ds"
    in_long SS, 0x70, "movl $0x70, %ecx; movl %ecx, %ss"
    in_both GP, 0x118, "movl $0x118, %ecx; movl %ecx, %es"
    in_both GP, 0x08, "movl $8, %ecx; movl %ecx, %ss"
    in_user GP, 0x10, "movl $0x10, %ecx; movl %ecx, %ds"
    in_user GP, 0, "cli"
    in_user GP, 0, "sti"
    in_user GP, 0, "hlt"
    in_user GP, 0, "inb $0x80, %al"
    in_user GP, 0, "outb %al, $0x80"
    in_user GP, 0, "inl %dx, %eax"
    in_user GP, 0, "outsb"
    in_user GP, 0, "rdmsr"
    in_user GP, 0, "wrmsr"
    in_user GP, 0, "movq %cr0, %rcx"
    in_user GP, 0, "movq %rcx, %cr3"
    in_user GP, 0, "movq %cr8, %rcx"
    in_user GP, 0, "movq %rcx, %cr8"
    in_user GP, 0, "movq %dr7, %rcx"
    in_user GP, 0, "lgdt (%rsi)"
    in_user GP, 0, "lidt (%rsi)"
    in_user GP, 0, "ltr %cx"
    in_user GP, 0, "clts"
    in_user GP, 0, "wbinvd"
    in_user GP, 0, "invd"
    in_user GP, 0, "invlpg (%rsi)"
    .set    quirk, 1                // QEMU 7.2: an error code of vector * 16 + 2
    in_user GP, 0x402, "int $0x80"
    in_user GP, 0x6a, "int $13"
    .set    quirk, 0
    in_long GP, 0, "movl $-1, %ecx; movq %rcx, %cr4"
    .set    quirk, 1                // QEMU 7.2: done
    in_long GP, 0, "movl $1, %ecx; movq %rcx, %cr0"
    in_long GP, 0, "movl $16, %ecx; movq %rcx, %cr8"
    .set    quirk, 0
    in_long UD, 0, "movq %rcx, %cr1"
    in_long UD, 0, ".byte 0x0f, 0x22, 0xe9"

    page_fault LONG, 0, RBX, "movl (%rbx), %ecx"
    page_fault LONG, W, RBX, "movl %ecx, (%rbx)"
    .set    quirk, 1                // QEMU 7.2: only the read, and no P with a reserved bit
    page_fault LONG, W, RBX, "incl (%rbx)"
    page_fault LONG, R|P, R9, "movl (%r9), %ecx"
    page_fault LONG, R|P|W, R9, "movl %ecx, (%r9)"
    page_fault LONG_USER, U|R|P, R9, "movl (%r9), %ecx"
    .set    quirk, 0
    page_fault LONG, W|P, RSI, "movb %cl, (%rsi)"
    page_fault LONG, W|P, RSI, "lock; orl $1, (%rsi)"
    page_fault LONG, I|P, R8, "jmp *%r8"
    page_fault LONG, I, RBX, "jmp *%rbx"
    page_fault LONG_USER, U, RBX, "movl (%rbx), %ecx"
    page_fault LONG_USER, U|W, RBX, "movl %ecx, (%rbx)"
    page_fault LONG_USER, U|W|P, RSI, "movb %cl, (%rsi)"
    page_fault LONG_USER, U|P, RDI, "movl (%rdi), %ecx"
    page_fault LONG_USER, U|P|W, RDI, "movl %ecx, (%rdi)"
    page_fault LONG_USER, U|I|P, RDI, "jmp *%rdi"
    page_fault LONG_USER, U|I|P, R8, "jmp *%r8"
    page_fault LONG, 0, RBX, "pushq (%rbx)"
    page_fault LONG, W, RBX, "popq (%rbx)"
    page_fault LONG, W, RBX, "leaq 8(%rbx), %rsp; pushq %rcx"

    fault   64, LONG, BP, 0, 1, NONE, "int $3"
    fault   64, LONG_USER, BP, 0, 1, NONE, "int $3"
    fault   64, LONG_USER, OF, 0, 1, NONE, "int $4"
    .set    quirk, 1                // QEMU 7.2: INT1 is #UD
    fault   64, LONG, DB, 0, 1, NONE, ".byte 0xf1"
    fault   64, LONG_USER, DB, 0, 1, NONE, ".byte 0xf1"
    .set    quirk, 0
    fault   64, LONG, UD, 0, 1, NONE, "int $6"
    fault   64, LONG, MF, 0, 1, NONE, "int $16"

    fault   32, COMPAT, DE, 0, 0, NONE, "divl %ecx"
    fault   32, COMPAT, DE, 0, 0, NONE, "aam $0"
    fault   32, COMPAT_USER, DE, 0, 0, NONE, "divl %ecx"
    fault   32, COMPAT, OF, 0, 1, NONE, "movb $0x7f, %cl; addb %cl, %cl; into"
    fault   32, COMPAT_USER, OF, 0, 1, NONE, "movb $0x7f, %cl; addb %cl, %cl; into"
    fault   32, COMPAT, BR, 0, 0, NONE, "bound %edx, (%esi)"
    fault   32, COMPAT_USER, BR, 0, 0, NONE, "bound %edx, (%esi)"
    fault   32, COMPAT_USER, GP, 0, 0, NONE, "cli"
    fault   32, COMPAT_USER, PF, U, 0, RBX, "movl (%ebx), %ecx"
    fault   32, COMPAT, PF, W|P, 0, RSI, "movl %ecx, (%esi)"
    fault   32, COMPAT, UD, 0, 0, NONE, "syscall; ud2"
    fault   16, COMPAT16, DE, 0, 0, NONE, "divl %ecx"
    fault   16, COMPAT16, UD, 0, 0, NONE, "ud2"
    fault   32, PROTECTED, DE, 0, 0, NONE, "divl %ecx"
    fault   32, PROTECTED, UD, 0, 0, NONE, "ud2"
    fault   32, PROTECTED, NP, 0x70, 0, NONE, "movw $0x70, %cx; movw %cx, %ds"
    fault   32, PROTECTED, GP, 0, 0, NONE, "movl $0x12345678, %ecx; rdmsr"
    fault   16, PROTECTED16, DE, 0, 0, NONE, "divl %ecx"
    fault   16, PROTECTED16, GP, 0, 0, NONE, "movl $0x12345678, %ecx; rdmsr"
    fault   32, PAGING, UD, 0, 0, NONE, "ud2"
    fault   32, PAGING, GP, 0, 0, NONE, "movl $0x12345678, %ecx; wrmsr"
    fault   32, PAE, PF, 0, 0, RBX, "movl (%ebx), %ecx"
    fault   32, PAE, PF, W, 0, RBX, "movl %ecx, (%ebx)"
    fault   32, PAE, GP, 0, 0, NONE, "movl $0x12345678, %ecx; rdmsr"
    fault   16, REAL, DE, 0, 0, NONE, "divl %ecx"
    fault   16, REAL, DE, 0, 0, NONE, "divb %cl"
    fault   16, REAL, UD, 0, 0, NONE, "ud2"
    fault   16, REAL, OF, 0, 1, NONE, "movb $0x7f, %cl; addb %cl, %cl; into"
    fault   16, REAL, UD, 0, 1, NONE, "int $6"
    fault   16, REAL, GP, 0, 0, NONE, "movl $0x12345678, %ecx; rdmsr"
    fault   16, REAL, UD, 0, 0, NONE, "ltr %cx"
faults_end:
    .section .note.GNU-stack, "", @progbits
