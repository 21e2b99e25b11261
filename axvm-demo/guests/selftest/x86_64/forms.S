// SPDX-License-Identifier: Apache-2.0
// Instructions that load and store, for load_store.c: three tables of struct Form, for 64, 32 and 16
// bits. rBX has the address of the operand, which is 32 bytes behind that of rBP.
#define PF 0x004
#define AF 0x010
#define SF 0x080
#define OF 0x800

// Flags that the manual leaves undefined.
#define AFTER_LOGIC AF
#define AFTER_BIT   (OF | SF | AF | PF)

#define ONE_TRAPS   0x80000000     // of its two operands in memory

    .macro  form undefined:req, text:req
    .pushsection .text.steps, "ax"
901:
    \text
902:
    .popsection
    .pushsection .rodata.names, "a"
903:
    .asciz  "\text"
    .popsection
    .quad   903b, 901b
    .long   902b - 901b, \undefined
    .endm

// ---- one memory operand `m`, of size `s`; the accumulator is `a` and CX in this size `c` ----
    .macro  arithmetic op, m, s, a, immediate
    form    0, "\op\()\s \a, \m"
    form    0, "\op\()\s \m, \a"
    form    0, "\op\()\s $0x5a, \m"
    form    0, "\op\()\s $-1, \m"
    form    0, "\op\()\s $\immediate, \m"
    .endm

    .macro  logic op, m, s, a, immediate
    form    AFTER_LOGIC, "\op\()\s \a, \m"
    form    AFTER_LOGIC, "\op\()\s \m, \a"
    form    AFTER_LOGIC, "\op\()\s $-0x5a, \m"
    form    AFTER_LOGIC, "\op\()\s $\immediate, \m"
    form    AFTER_LOGIC, "lock \op\()\s \a, \m"
    .endm

    .macro  unary op, m, s
    form    0, "\op\()\s \m"
    form    0, "lock \op\()\s \m"
    .endm

    .macro  two undefined, op, s, from, to
    form    \undefined, "\op\()\s \from, \to"
    .endm

    .macro  bit op, m, s, c
    form    AFTER_BIT, "\op\()\s \c, \m"
    form    AFTER_BIT, "\op\()\s $7, \m"
    form    AFTER_BIT, "\op\()\s $0x4d, \m"
    .endm

    .macro  forms_of_size m, s, a, c, immediate
    form    0, "mov\s \a, \m"
    form    0, "mov\s \m, \a"
    form    0, "mov\s \m, \c"
    form    0, "mov\s $\immediate, \m"
    .irp    op, add, adc, sub, sbb, cmp
    arithmetic \op, \m, \s, \a, \immediate
    .endr
    .irp    op, and, or, xor
    logic   \op, \m, \s, \a, \immediate
    .endr
    .irp    op, not, neg, inc, dec
    unary   \op, \m, \s
    .endr
    .irp    op, add, adc, sub, sbb
    two     0, "lock \op", \s, \a, \m
    .endr
    form    AFTER_LOGIC, "test\s \a, \m"
    form    AFTER_LOGIC, "test\s $\immediate, \m"
    form    0, "xchg\s \a, \m"
    form    0, "xadd\s \c, \m"
    form    0, "lock xadd\s \c, \m"
    form    0, "cmpxchg\s \c, \m"
    form    0, "lock cmpxchg\s \c, \m"
    .endm

    .macro  forms_above_byte m, s, a, c
    .irp    op, bt, bts, btr, btc
    bit     \op, \m, \s, \c
    .endr
    .irp    op, bts, btr, btc
    two     AFTER_BIT, "lock \op", \s, \c, \m
    .endr
    form    0, "movzb\s \m, \a"
    form    0, "movsb\s \m, \a"
    .endm

    .macro  forms_of_bytes m
    .irp    condition, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
    form    0, "set\condition \m"
    .endr
    form    0, "movb %ah, \m"
    form    0, "movb \m, %ah"
    form    0, "movb \m, %dh"
    form    0, "addb %ch, \m"
    form    0, "addb \m, %dh"
    form    0, "xchgb %dh, \m"
    .endm

// Not in 16-bit code, where QEMU 7.2 takes 32 bits for the size without a prefix.
    .macro  forms_of_movbe m, a
    form    0, "movbe \m, \a"
    form    0, "movbe \a, \m"
    .endm

    .macro  forms_of_all m
    forms_of_size \m, b, %al, %cl, 0x77
    forms_of_size \m, w, %ax, %cx, 0x7788
    forms_of_size \m, l, %eax, %ecx, 0x55667788
    forms_above_byte \m, w, %ax, %cx
    forms_above_byte \m, l, %eax, %ecx
    forms_of_bytes \m
    form    0, "movzwl \m, %edx"
    form    0, "movswl \m, %edx"
    form    0, "movnti %ecx, \m"
    form    0, "pushw \m"
    form    0, "popw \m"
    .endm

// An access of each width at the address `m`.
    .macro  address m
    form    0, "movl \m, %eax"
    form    0, "movw %ax, \m"
    form    0, "addb $0x12, \m"
    .endm

// What a load leaves in the register is looked at by RCX and RDX.
    .macro  vector_load op, m
    form    0, "\op \m, %xmm1; movq %xmm1, %rcx; psrldq $8, %xmm1; movq %xmm1, %rdx"
    .endm

    .macro  vector_store op, m
    form    0, "movq %rax, %xmm1; pslldq $3, %xmm1; \op %xmm1, \m"
    .endm

    .macro  forms_of_vectors m
    .irp    op, movups, movupd, movdqu, lddqu, movss, movsd, movq, movd, movaps, movapd, movdqa
    vector_load \op, \m
    .endr
    .irp    op, movups, movupd, movdqu, movss, movsd, movq, movd, movaps, movapd, movdqa
    vector_store \op, \m
    .endr
    .irp    op, movntps, movntpd, movntdq
    vector_store \op, \m
    .endr
    form    0, "movdqu \m, %xmm9; movq %xmm9, %r8"
    form    0, "movq %rax, %xmm15; movdqu %xmm15, \m"
    .endm

    .macro  strings_of_size s
    .irp    repeat, rep, repe, repne
    form    0, "\repeat movs\s"
    .endr
    .irp    repeat, repe, repne
    form    ONE_TRAPS, "\repeat cmps\s"
    form    0, "\repeat scas\s"
    .endr
    form    ONE_TRAPS, "cmps\s"
    form    0, "scas\s"
    form    0, "lods\s"
    form    0, "rep lods\s"
    form    0, "movs\s"
    form    0, "rep movs\s"
    form    0, "stos\s"
    form    0, "rep stos\s"
    .endm

    .section .rodata.forms, "a"
    .balign 8
    .global forms_64, forms_64_end
forms_64:
    .code64
    forms_of_all (%rbx)
    forms_of_size (%rbx), q, %rax, %rcx, 0x55667788
    forms_above_byte (%rbx), q, %rax, %rcx
    .irp    reg, %ax, %eax, %rax
    forms_of_movbe (%rbx), \reg
    .endr
    form    0, "movzwq (%rbx), %rdx"
    form    0, "movswq (%rbx), %rdx"
    form    0, "movslq (%rbx), %rdx"
    form    0, "movnti %rcx, (%rbx)"
    form    0, "pushq (%rbx)"
    form    0, "popq (%rbx)"
    form    0, "pushq 8(%r12)"
    form    0, "popq -8(%r12)"
    forms_of_vectors (%rbx)
    .irp    m, "8(%rbx)", "-8(%rbx)", "0x10(%rbx)", "0x20(%rbp)", "(%rbx,%rcx)", "4(%rbp,%r9,4)"
    address "\m"
    .endr
    .irp    m, "(%r12)", "0(%r13)", "(%r12,%r9,8)", "0x11(%r13,%r9,2)", "(,%r12)", "(%ebx)", "4(%ebp,%r9d,4)", "(%r10)"
    address "\m"
    .endr
    .irp    m, "%fs:(%r14)", "%gs:8(%r14)", "%fs:(%r14d)", "%ds:(%rbx)"
    address "\m"
    .endr
    form    0, ".byte 0x26; movl %fs:(%r14), %eax"
    .irp    reg, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    form    0, "movq (%rbx), %\reg"
    .endr
    .irp    reg, rax, rcx, rdx, rsi, rdi, r8, r9, r11, r15
    form    0, "movq %\reg, (%rbx)"
    .endr
    .irp    reg, rbx, rbp, rsp
    form    0, "movq (%rbx), %\reg; movq %\reg, %rcx; leaq (%r12), %rbx; leaq (%r12), %rbp"
    .endr
    .irp    reg, sil, dil, bpl, r8b, r9b, r15b
    form    0, "movb (%r12), %\reg"
    form    0, "addb %\reg, (%r12)"
    .endr
    form    0, ".byte 0xf2; movl (%rbx), %eax"
    form    0, ".byte 0x66, 0x66; movw (%rbx), %ax"
forms_64_end:

    .global strings_64, strings_64_end
strings_64:
    .irp    size, b, w, l, q
    strings_of_size \size
    .endr
    form    0, ".byte 0x67; rep movsb"
    form    0, ".byte 0x67; stosl"
    form    0, "repne movsw"
strings_64_end:

    .global forms_32, forms_32_end
forms_32:
    .code32
    forms_of_all (%ebx)
    forms_of_movbe (%ebx), %ax
    forms_of_movbe (%ebx), %eax
    form    0, "pushl (%ebx)"
    form    0, "popl (%ebx)"
    form    0, "incl 8(%ebp)"
    .irp    m, "8(%ebx)", "-8(%ebx)", "0x20(%ebp)", "(%ebx,%ecx)", "4(%ebp,%ecx,4)", "%es:(%ebx)", "%ss:4(%ebx)"
    address "\m"
    .endr
    .irp    reg, eax, ecx, edx, esi, edi
    form    0, "movl (%ebx), %\reg"
    form    0, "movl %\reg, (%ebx)"
    .endr
forms_32_end:

    .global strings_32, strings_32_end
strings_32:
    .irp    size, b, w, l
    strings_of_size \size
    .endr
strings_32_end:

    .global forms_16, forms_16_end
forms_16:
    .code16
    forms_of_all (%bx)
    form    0, "pushl (%bx)"
    form    0, "popl (%bx)"
    .irp    m, "8(%bx)", "-8(%bx)", "%ds:0x20(%bp)", "(%bx,%si)", "%ds:(%bp,%di)", "(%si)", "(%di)", "0x100(%di)", "0x800", "(%ebx)", "(%ebx,%ecx)", "%es:(%bx)"
    address "\m"
    .endr
forms_16_end:

    .global strings_16, strings_16_end
strings_16:
    .irp    size, b, w, l
    strings_of_size \size
    .endr
    form    0, ".byte 0x67; rep movsb"
    form    0, ".byte 0x67; stosl"
strings_16_end:
    .section .note.GNU-stack, "", @progbits
