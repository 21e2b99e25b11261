// SPDX-License-Identifier: Apache-2.0
// What runs in the tasks of tasks.c: stretches of the main task, each with one switch that ends behind
// it, and other tasks, which describe themselves and go back.
#define SEL_MAIN 0x80
#define SEL_PEER 0x88
#define SEL_SMALL 0x90

// TSS of 32 bits
#define TSS_CR3 0x1c
#define TSS_EIP 0x20

// Seen in tasks.c
#define SEEN_FLAGS    task_seen + 4 * 8
#define SEEN_CR0      task_seen + 4 * 9
#define SEEN_CR3      task_seen + 4 * 10
#define SEEN_TR       task_seen + 4 * 11
#define SEEN_LDTR     task_seen + 4 * 12
#define SEEN_SEGMENTS task_seen + 4 * 13
#define SEEN_ERROR    task_seen + 4 * 19
#define SEEN_WORD     task_seen + 4 * 20
#define SEEN_COUNT    task_seen + 4 * 21

#define APIC_ICR      0xfee00300
#define APIC_ICR_HIGH 0xfee00310
#define ICR_NMI       0x4400
#define WINDOW        0x40000000

    .text
    .code32
// ecx: the stretch, which returns to where this was called.
    .global task_run
task_run:
    lgdtl   task_gdt_pointer
    movl    %cr3, %eax
    movl    %eax, task_main + TSS_CR3
    movl    $SEL_MAIN, %eax
    ltr     %ax
    jmp     *%ecx

    .macro  begin name
    .global task_\name
task_\name:
    .endm

    .macro  end name
    .global task_\name\()_end
task_\name\()_end:
    ret
    .endm

    begin   call
    lcall   $SEL_PEER, $0
    end     call

    begin   call_small
    lcall   $SEL_SMALL, $0
    end     call_small

    begin   jump
    ljmp    $SEL_PEER, $0
    end     jump

    begin   int
    int     $5
    end     int

    begin   ud
    ud2
    end     ud

    begin   gp
    movl    %edx, %es
    end     gp

    begin   nmi
    movl    $0, APIC_ICR_HIGH
    movl    $ICR_NMI, APIC_ICR
    nop
    nop
    end     nmi

// The caller's registers, as the switch left them.
record:
    movl    %eax, task_seen
    movl    %ecx, task_seen + 4
    movl    %edx, task_seen + 8
    movl    %ebx, task_seen + 12
    leal    4(%esp), %ecx
    movl    %ecx, task_seen + 16
    movl    %ebp, task_seen + 20
    movl    %esi, task_seen + 24
    movl    %edi, task_seen + 28
    pushfl
    popl    SEEN_FLAGS
    movl    %cr0, %eax
    movl    %eax, SEEN_CR0
    movl    %cr3, %eax
    movl    %eax, SEEN_CR3
    cmpl    task_main + TSS_CR3, %eax
    je      1f                      // where nothing is
    movl    task_word + WINDOW, %ecx
    movl    %ecx, SEEN_WORD
1:  str     %eax
    movl    %eax, SEEN_TR
    sldt    %eax
    movl    %eax, SEEN_LDTR
    .set    offset, 0
    .irp    segment, es, cs, ss, ds, fs, gs
    movl    %\segment, %eax
    movl    %eax, SEEN_SEGMENTS + offset
    .set    offset, offset + 4
    .endr
    incl    SEEN_COUNT
    ret

// They go on here when they are entered once more.
    begin   returns
    call    record
    iretl
    jmp     task_returns

    begin   jumps
    call    record
    ljmp    $SEL_MAIN, $0
    jmp     task_jumps

    begin   skips                   // an instruction of two bytes
    call    record
    addl    $2, task_main + TSS_EIP
    iretl
    jmp     task_skips

    begin   skips_error
    popl    SEEN_ERROR
    call    record
    addl    $2, task_main + TSS_EIP
    iretl
    jmp     task_skips_error

    .section .low, "awx"
    begin   small
    call    record
    iretl
    jmp     task_small

    .code16
    begin   8086
    ud2
    .section .note.GNU-stack, "", @progbits
