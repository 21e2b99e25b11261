// SPDX-License-Identifier: Apache-2.0
// Entry from the boot loader by the arm64 Linux boot protocol: x0 = device tree, MMU off, EL2.
#include "layout.h"

#define HCR_EL2_RW        (1 << 31)
#define HCR_EL2_E2H_SHIFT 34
#define CURRENT_EL2       (2 << 2)
#define UART_DR           0x00
#define UART_FR           0x18
#define UART_FR_TXFF_BIT  5
#define PSCI_SYSTEM_OFF   0x84000008

    .section .head, "ax"
    .global _start
    .type _start, %function
_start:
    b       primary
    .long   0
    .quad   TEXT_OFFSET
    .quad   image_memory_size
    .quad   2                       // flags: little-endian, 4 KiB pages
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
    .size _start, . - _start

    .type primary, %function
primary:
    msr     DAIFSet, #0xf
    mrs     x1, CurrentEL
    cmp     x1, #CURRENT_EL2
    adr     x2, text_wrong_level
    b.ne    refuse
    adr     x1, _start
    ldr     x3, =image_start
    cmp     x1, x3
    adr     x2, text_wrong_place
    b.ne    refuse

    mov     x1, #HCR_EL2_RW         // also clears E2H
    msr     hcr_el2, x1
    isb
    mrs     x1, hcr_el2
    adr     x2, text_host_mode
    tbnz    x1, #HCR_EL2_E2H_SHIFT, refuse

    msr     SPSel, #1
    ldr     x1, =stack_top
    mov     sp, x1
    adrp    x1, fault_vectors
    add     x1, x1, :lo12:fault_vectors
    msr     vbar_el2, x1

    ldr     x1, =image_bss
    ldr     x2, =image_bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  mov     x19, x0
    mov     x29, xzr                // ends a backtrace
    mov     x30, xzr
    bl      mmu_start
    mov     x0, x19
    bl      demo_main
    b       .
    .size primary, . - primary

// From PSCI CPU_ON: x0 = top of this pCPU's stack, MMU off, EL2 as the caller.
    .global secondary_start
    .type secondary_start, %function
secondary_start:
    msr     DAIFSet, #0xf
    mov     x1, #HCR_EL2_RW
    msr     hcr_el2, x1
    isb
    msr     SPSel, #1
    mov     sp, x0
    adrp    x1, fault_vectors
    add     x1, x1, :lo12:fault_vectors
    msr     vbar_el2, x1
    mov     x29, xzr
    mov     x30, xzr
    bl      mmu_start_secondary
    bl      demo_secondary
    b       .
    .size secondary_start, . - secondary_start

// Here because _start is our vector table while we refuse: this is its entry for a synchronous
// exception of the current level, which HLT is where nobody listens for semihosting calls.
    .org    0x200
    .type refuse_off, %function
refuse_off:
    ldr     w0, =PSCI_SYSTEM_OFF
    mrs     x2, CurrentEL
    cmp     x2, #CURRENT_EL2
    b.ne    1f
    smc     #0
1:  hvc     #0                      // where EL2 is absent, firmware is called so
2:  wfi
    b       2b
    .size refuse_off, . - refuse_off

// Says the text at x2 and powers off with failure; without a stack, at any exception level.
    .type refuse, %function
refuse:
    mov     x0, #EARLY_UART
1:  ldrb    w1, [x2], #1
    cbz     w1, 3f
2:  ldr     w3, [x0, #UART_FR]
    tbnz    w3, #UART_FR_TXFF_BIT, 2b
    str     w1, [x0, #UART_DR]
    b       1b
3:  msr     SPSel, #1
    adr     x1, _start
    mrs     x2, CurrentEL
    cmp     x2, #CURRENT_EL2
    b.eq    4f
    b.hi    5f
    msr     vbar_el1, x1
    b       5f
4:  msr     vbar_el2, x1
5:  isb
    mov     x0, #0x20               // SYS_EXIT_EXTENDED; undefined without semihosting
    adr     x1, refuse_exit
    hlt     #0xf000
    b       refuse_off
    .balign 8
refuse_exit:
    .quad   0x20026, 1              // ADP_Stopped_ApplicationExit, status
    .size refuse, . - refuse

text_wrong_level:
    .asciz  "\n[axvm] error: not started at EL2: QEMU needs -M virt,virtualization=on\n"
text_wrong_place:
    .asciz  "\n[axvm] error: not loaded at 0x40200000: needs RAM at 0x40000000 and axvm-demo.bin\n"
text_host_mode:
    .asciz  "\n[axvm] error: this CPU cannot leave VHE mode: HCR_EL2.E2H stays 1\n"

    .ltorg
    .section .note.GNU-stack, "", %progbits
