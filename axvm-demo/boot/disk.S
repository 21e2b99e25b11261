// SPDX-License-Identifier: Apache-2.0
// The beginning of a raw disk that a PC's BIOS boots: loads the hypervisor and a bundle and starts it as
// Multiboot 1 says, with the BIOS's memory map. tools/mkdisk.py fills in the table.
#include "layout.h"

#define LOAD_ADDR    0x7c00         // where the BIOS puts the first sector
#define SECTOR       512
#define SECTORS      8              // of this program
#define MAP          0x9000         // Multiboot memory map
#define MAP_END      0xa000
#define MAP_ENTRY    24
#define BUFFER       0x10000
#define CHUNK        64             // sectors
#define SMAP         0x534d4150
#define A20_PORT     0x92
#define BOCHS_PORT   0xe9
#define FLAT_DATA    0x10
#define FLAT_CODE    0x18

#define MULTIBOOT_FLAGS 0x4c        // command line, modules, memory map
#define TABLE_PIECES 2

    .text
    .code16
    .global _start
_start:
    cli
    cld
    xorw    %ax, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    $LOAD_ADDR, %sp
    ljmp    $0, $1f
1:  movb    %dl, drive
    movw    $SECTORS - 1, packet_count
    movw    $(LOAD_ADDR + SECTOR) >> 4, packet_segment
    movl    $1, packet_sector
    call    read
    jmp     stage2

// What `packet` says.
read:
    movw    $packet, %si
    movb    drive, %dl
    movb    $0x42, %ah
    sti
    int     $0x13
    cli
    jc      fail
    ret

fail:
    movw    $text_fail, %si
1:  lodsb
    testb   %al, %al
    jz      2f
    outb    %al, $BOCHS_PORT
    movb    $0x0e, %ah
    movw    $7, %bx
    int     $0x10
    jmp     1b
2:  hlt
    jmp     2b

text_fail:
    .asciz  "\r\naxvm: the disk cannot be read or the memory map has no end\r\n"

    .balign 4
packet:                             // disk address packet of INT 13h, AH = 42h
    .byte   16, 0
packet_count:
    .word   0
    .word   0
packet_segment:
    .word   0
packet_sector:
    .long   0, 0
drive:
    .byte   0

    .org    SECTOR - 2
    .word   0xaa55

// ---- the second sector: the table ----
table:
    .ascii  "AXVMDISK"
entry:
    .long   0
pieces:                             // address, first sector, sectors
    .fill   3 * TABLE_PIECES, 4, 0
multiboot:
    .long   MULTIBOOT_FLAGS
    .long   0, 0, 0
    .long   command_line
module_count:
    .long   0
    .long   module
    .long   0, 0, 0, 0
map_length:
    .long   0
    .long   MAP
    .fill   9, 4, 0
module:                             // start, end, name
    .long   0, 0, 0, 0

    .org    2 * SECTOR
command_line:                       // the third and fourth sector
    .org    4 * SECTOR

stage2:
    inb     $A20_PORT, %al
    orb     $2, %al
    andb    $0xfe, %al              // the other bit resets the machine
    outb    %al, $A20_PORT

    xorl    %ebx, %ebx
    movw    $MAP, %di
1:  movl    $0xe820, %eax
    movl    $SMAP, %edx
    movl    $MAP_ENTRY - 4, %ecx
    movl    $MAP_ENTRY - 4, (%di)
    pushw   %di
    addw    $4, %di
    int     $0x15
    popw    %di
    jc      2f
    cmpl    $SMAP, %eax
    jne     fail
    addw    $MAP_ENTRY, %di
    cmpw    $MAP_END - MAP_ENTRY, %di
    ja      fail
    testl   %ebx, %ebx
    jnz     1b
2:  subw    $MAP, %di
    movw    %di, map_length

    movw    $pieces, %bp
3:  call    load
    addw    $12, %bp
    cmpw    $pieces + 12 * TABLE_PIECES, %bp
    jb      3b

    lgdtl   flat_gdt_pointer
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    ljmpl   $FLAT_CODE, $start_image

// The piece at bp, a chunk at a time through low memory.
load:
    movl    8(%bp), %eax
    testl   %eax, %eax
    jz      2f
    cmpl    $CHUNK, %eax
    jbe     1f
    movl    $CHUNK, %eax
1:  movw    %ax, packet_count
    movw    $BUFFER >> 4, packet_segment
    movl    4(%bp), %ecx
    movl    %ecx, packet_sector
    addl    %eax, 4(%bp)
    subl    %eax, 8(%bp)
    pushl   %eax
    call    read
    popl    %ecx
    shll    $7, %ecx                // words of a sector
    call    flat_segments
    movl    $BUFFER, %esi
    movl    (%bp), %edi
    .byte   0x67                    // by 32-bit addresses
    rep movsl
    movl    %edi, (%bp)
    jmp     load
2:  ret

// ds and es reach 4 GiB in real mode afterwards, until the BIOS loads them.
flat_segments:
    lgdtl   flat_gdt_pointer
    movl    %cr0, %eax
    orb     $1, %al
    movl    %eax, %cr0
    movw    $FLAT_DATA, %dx
    movw    %dx, %ds
    movw    %dx, %es
    andb    $0xfe, %al
    movl    %eax, %cr0
    xorw    %dx, %dx
    movw    %dx, %ds
    movw    %dx, %es
    ret

    .code32
start_image:
    movw    $FLAT_DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    movw    %ax, %fs
    movw    %ax, %gs
    movl    $MULTIBOOT_MAGIC, %eax
    movl    $multiboot, %ebx
    jmp     *entry

    .balign 8
flat_gdt:
    .quad   0, 0
    .quad   0x00cf93000000ffff      // FLAT_DATA
    .quad   0x00cf9b000000ffff      // FLAT_CODE
flat_gdt_pointer:
    .word   . - flat_gdt - 1
    .long   flat_gdt
    .org    SECTORS * SECTOR
    .section .note.GNU-stack, "", @progbits
