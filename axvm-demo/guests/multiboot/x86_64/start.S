// SPDX-License-Identifier: Apache-2.0
// A Multiboot kernel (specification 0.6.96, sections 3.1 and 3.2): from 32-bit protected mode to 64-bit
// mode with the first 4 GiB as they are.
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x3         // modules at page boundaries, memory wanted

#define CR4_PAE    0x20
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100
#define CR0_PG     0x80000000
#define PTE_TABLE  0x03
#define PTE_BLOCK  0x83
#define BLOCK_SIZE 0x200000
#define STACK_SIZE 16384

    .section .multiboot, "a"
    .balign 4
    .long   MULTIBOOT_MAGIC
    .long   MULTIBOOT_FLAGS
    .long   -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .text
    .code32
    .global multiboot_entry
    .type multiboot_entry, @function
multiboot_entry:
    cli
    cld
    movl    %eax, %esi              // the loader's magic number
    movl    %ebx, %ebp              // multiboot_info
    movl    $pdpt + PTE_TABLE, pml4
    movl    $pdpt, %edi
    movl    $directories + PTE_TABLE, %eax
1:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $4096, %eax
    cmpl    $pdpt + 4 * 8, %edi
    jb      1b
    movl    $directories, %edi
    movl    $PTE_BLOCK, %eax
2:  movl    %eax, (%edi)
    addl    $8, %edi
    addl    $BLOCK_SIZE, %eax
    cmpl    $directories + 4 * 4096, %edi
    jb      2b
    movl    $pml4, %eax
    movl    %eax, %cr3
    movl    %cr4, %eax
    orl     $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    $MSR_EFER, %ecx
    rdmsr
    orl     $EFER_LME, %eax
    wrmsr
    movl    %cr0, %eax
    orl     $CR0_PG, %eax
    movl    %eax, %cr0
    lgdt    gdt_pointer
    ljmp    $0x08, $3f
    .size multiboot_entry, . - multiboot_entry

    .code64
3:  movl    $0x10, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $stack + STACK_SIZE, %esp
    movl    %esi, %edi
    movl    %ebp, %esi
    xorl    %ebp, %ebp
    call    multiboot_main
4:  cli
    hlt
    jmp     4b

    .section .rodata
    .balign 8
gdt:
    .quad   0
    .quad   0x00af9b000000ffff      // 64-bit code
    .quad   0x00cf93000000ffff      // data
gdt_pointer:
    .word   . - gdt - 1
    .long   gdt

    .bss                            // zeroed by the loader
    .balign 4096
pml4:
    .skip   4096
pdpt:
    .skip   4096
directories:
    .skip   4 * 4096
stack:
    .skip   STACK_SIZE
    .section .note.GNU-stack, "", @progbits
