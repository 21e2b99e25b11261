/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

ENTRY(_start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
    note PT_NOTE FLAGS(4);
}

SECTIONS
{
    . = IMAGE_BASE;
    image_start = .;
    .text : {
        KEEP(*(.head))
        *(.text.fault)
        *(.text.vectors)
        *(.text .text.*)
    } :text

    . = ALIGN(PAGE_SIZE);
    image_rodata = .;
    .note : {
        KEEP(*(.note.boot))
    } :rodata :note
    .rodata : {
        *(.rodata .rodata.* .srodata .srodata.*)
    } :rodata

    . = ALIGN(PAGE_SIZE);
    image_data = .;
    .data : {
        *(.data .data.* .sdata .sdata.*)
        . = ALIGN(16);
    } :data
    .bss (NOLOAD) : ALIGN(16) {
        image_bss = .;
        *(.sbss .sbss.* .bss .bss.* COMMON)
        . = ALIGN(64);
        image_bss_end = .;
    } :data

    /* What lies below a stack is not mapped. */
    . = ALIGN(. + STACK_SIZE, 2 * STACK_SIZE);
    stacks = .;
    stack_top = stacks + STACK_SIZE;
    . += 2 * STACK_SIZE * STACK_COUNT;
    image_end = .;

    image_data_end = image_bss_end;
    image_memory_size = image_end - image_start;

    .got : { *(.got .got.plt .igot .igot.plt) } :data
    ASSERT(SIZEOF(.got) == 0, "a GOT needs run-time relocation")

    /DISCARD/ : {
        *(.comment)
        *(.note .note.*)
        *(.eh_frame .eh_frame_hdr)
        *(.ARM.attributes .riscv.attributes)
    }
}
