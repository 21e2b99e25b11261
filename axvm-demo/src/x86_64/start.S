// SPDX-License-Identifier: Apache-2.0
// Entry from a boot loader in 32-bit protected mode, flat segments, paging off: by a Multiboot header
// (or from our own disk) with eax = magic number, ebx = Multiboot information; by the PVH note with
// ebx = start_info. Other CPUs come from the trampoline below.
#include "layout.h"

#define CR0_START   0x80010033      // PG WP NE ET MP PE; INIT leaves CD and NW set
#define CR4_START   0x00000620      // OSXMMEXCPT OSFXSR PAE
#define MSR_EFER    0xc0000080
#define EFER_START  0x00000900      // NXE LME
#define CPUID_EXT   0x80000001
#define CPUID_NX_LM 0x20100000      // in edx
#define UART_LSR    5
#define UART_LSR_THRE (1 << 5)
#define PTE_TABLE   0x03            // P W
#define PTE_BLOCK   0x83            // P W PS

#define MULTIBOOT_HEADER 0x1badb002
#define MULTIBOOT_FLAGS  0x00010003 // modules aligned, memory map, addresses in the header

    .section .head, "ax"
    .code32
    .global _start
    .type _start, @function
_start:
    movl    $text_no_loader, %esi
    cmpl    $MULTIBOOT_MAGIC, %eax
    jne     refuse
    jmp     start32
    .size _start, . - _start

    .type pvh_start, @function
pvh_start:
    movl    $text_no_loader, %esi
    cmpl    $START_INFO_MAGIC, (%ebx)
    jne     refuse
    .size pvh_start, . - pvh_start

    .type start32, @function
start32:
    cli
    cld
    movl    $stack_top, %esp
    movl    %ebx, %ebp
    movl    $image_bss, %edi
    movl    $image_bss_end, %ecx
    subl    %edi, %ecx
    shrl    $2, %ecx
    xorl    %eax, %eax
    rep stosl

    movl    $text_no_long_mode, %esi
    movl    $0x80000000, %eax
    cpuid
    cmpl    $CPUID_EXT, %eax
    jb      refuse
    movl    $CPUID_EXT, %eax
    cpuid
    andl    $CPUID_NX_LM, %edx
    cmpl    $CPUID_NX_LM, %edx
    jne     refuse

    // The first GiB, until C code has made better tables.
    movl    $boot_pdpt + PTE_TABLE, boot_pml4
    movl    $boot_pd + PTE_TABLE, boot_pdpt
    movl    $PTE_BLOCK, %eax
    movl    $boot_pd, %edi
1:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $0x200000, %eax
    cmpl    $boot_pd + PAGE_SIZE, %edi
    jb      1b
    movl    $boot_pml4, %eax
    movl    $start64, %edx
    jmp     long_mode
    .size start32, . - start32

// With the tables at eax to the 64-bit code at edx.
    .type long_mode, @function
long_mode:
    movl    %eax, %cr3
    movl    $CR4_START, %eax
    movl    %eax, %cr4
    movl    %edx, %edi
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     $EFER_START, %eax
    wrmsr
    movl    $CR0_START, %eax
    movl    %eax, %cr0
    lgdt    boot_gdt_pointer
    movw    $SELECTOR_DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    xorl    %eax, %eax
    movw    %ax, %fs
    movw    %ax, %gs
    lldt    %ax
    pushl   $SELECTOR_CODE
    pushl   %edi
    lret
    .size long_mode, . - long_mode

// From the trampoline. Paging is still off; whoever comes first takes the stack, one that comes too
// late finds none.
    .type secondary_start, @function
secondary_start:
    movw    $SELECTOR_DATA, %ax
    movw    %ax, %ds
    movw    %ax, %ss
    xorl    %eax, %eax
    xchgl   %eax, secondary_stack
    testl   %eax, %eax
    jz      2f
    movl    %eax, %esp
    movl    mmu_root, %eax
    movl    $secondary64, %edx
    jmp     long_mode
2:  hlt
    jmp     2b
    .size secondary_start, . - secondary_start

// Says the text at esi and powers off; without a stack.
    .type refuse, @function
refuse:
1:  lodsb
    testb   %al, %al
    jz      3f
    movb    %al, %bl
    movw    $UART_PORT + UART_LSR, %dx
2:  inb     %dx, %al
    testb   $UART_LSR_THRE, %al
    jz      2b
    movb    %bl, %al
    movw    $UART_PORT, %dx
    outb    %al, %dx
    jmp     1b
3:  movw    $QEMU_DEBUG_EXIT, %dx
    movl    $1, %eax
    outl    %eax, %dx
    movw    $QEMU_PM_CONTROL, %dx
    movw    $QEMU_PM_SOFT_OFF, %ax
    outw    %ax, %dx
4:  cli
    hlt
    jmp     4b
    .size refuse, . - refuse

text_no_loader:
    .asciz  "\n[axvm] error: the boot loader follows neither PVH nor Multiboot 1\n"
text_no_long_mode:
    .asciz  "\n[axvm] error: the CPU has no 64-bit mode with no-execute pages\n"

// Copied to TRAMPOLINE: real mode, cs = TRAMPOLINE >> 4.
    .balign 16
    .code16
    .global trampoline, trampoline_end
trampoline:
    cli
    cld
    lgdtl   %cs:trampoline_gdt - trampoline
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $SELECTOR_CODE32, $secondary_start
    .balign 4
trampoline_gdt:
    .word   boot_gdt_end - boot_gdt - 1
    .long   boot_gdt
trampoline_end:

    .balign 8
boot_gdt:
    .quad   0
    .quad   0x00af9b000000ffff      // SELECTOR_CODE
    .quad   0x00cf93000000ffff      // SELECTOR_DATA
    .quad   0x00cf9b000000ffff      // SELECTOR_CODE32
boot_gdt_end:
boot_gdt_pointer:
    .word   boot_gdt_end - boot_gdt - 1
    .long   boot_gdt

// In the flat image within the first 8 KiB, where Multiboot wants it. In the ELF file beyond them,
// because QEMU would take it rather than the note, and does not load 64-bit ELF files so.
    .org    PAGE_SIZE
    .balign 4
multiboot_header:
    .long   MULTIBOOT_HEADER
    .long   MULTIBOOT_FLAGS
    .long   -(MULTIBOOT_HEADER + MULTIBOOT_FLAGS)
    .long   multiboot_header
    .long   image_start
    .long   0                       // all of the file
    .long   image_end
    .long   _start

    .code64
    .type start64, @function
start64:
    movl    %ebp, %ebx
    xorl    %ebp, %ebp              // ends a backtrace
    call    descriptors_start
    call    mmu_start
    movq    %rbx, %rdi
    call    demo_main
1:  hlt
    jmp     1b
    .size start64, . - start64

    .type secondary64, @function
secondary64:
    movl    %esp, %esp
    xorl    %ebp, %ebp
    call    mmu_start_secondary
    call    demo_secondary
1:  hlt
    jmp     1b
    .size secondary64, . - secondary64

// XEN_ELFNOTE_PHYS32_ENTRY
    .section .note.boot, "a", @note
    .balign 4
    .long   4, 4, 18
    .asciz  "Xen"
    .long   pvh_start

    .bss
    .balign PAGE_SIZE
boot_pml4:
    .skip   PAGE_SIZE
boot_pdpt:
    .skip   PAGE_SIZE
boot_pd:
    .skip   PAGE_SIZE
    .section .note.GNU-stack, "", @progbits
