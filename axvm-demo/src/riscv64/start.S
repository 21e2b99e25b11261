// SPDX-License-Identifier: Apache-2.0
// Entry from the firmware: a0 = hart id, a1 = device tree, HS mode, address translation off. Any
// hart may be the one that comes here.
#include "layout.h"

#define SSTATUS_SIE      (1 << 1)
#define SSTATUS_FS_VS    (3 << 13 | 3 << 9)
#define UART_THR         0
#define UART_LSR         5
#define UART_LSR_THRE    (1 << 5)

    .option norelax
    .section .head, "ax"
    .global _start
    .type _start, @function
_start:
    csrci   sstatus, SSTATUS_SIE
    lla     t0, _start
    lla     t1, linked_at
    ld      t1, 0(t1)
    lla     t2, text_wrong_place
    bne     t0, t1, refuse

    la      t0, boot_taken
    li      t1, 1
    amoswap.w.aqrl t0, t1, (t0)
    bnez    t0, start_again

    li      t0, SSTATUS_FS_VS
    csrc    sstatus, t0
    csrw    sie, zero
    csrw    satp, zero
    la      sp, stack_top
    la      t0, fault_vectors
    csrw    stvec, t0

    la      t0, image_bss
    la      t1, image_bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    sd      zero, 8(t0)
    addi    t0, t0, 16
    j       1b
2:  mv      tp, a0                  // see this_pcpu()
    mv      s1, a1
    mv      s0, zero                // ends a backtrace
    mv      ra, zero
    mv      a0, a1
    call    mmu_start
    mv      a0, s1
    call    demo_main
    j       .
    .size _start, . - _start

// A hart that is started comes here when the firmware let it go before it had stored where to: in
// OpenSBI 1.1 that happens to one which reaches the loop it waits in just then.
    .type start_again, @function
start_again:
    la      t0, secondary_stack
    ld      a1, 0(t0)
    j       secondary_start
    .size start_again, . - start_again

// From HSM's hart_start: a0 = hart id, a1 = top of this pCPU's stack, otherwise as above.
    .global secondary_start
    .type secondary_start, @function
secondary_start:
    csrci   sstatus, SSTATUS_SIE
    li      t0, SSTATUS_FS_VS
    csrc    sstatus, t0
    csrw    sie, zero
    mv      sp, a1
    mv      tp, a0
    la      t0, fault_vectors
    csrw    stvec, t0
    mv      s0, zero
    mv      ra, zero
    call    mmu_start_secondary
    call    demo_secondary
    j       .
    .size secondary_start, . - secondary_start

// Says the text at t2 and powers off with failure; without a stack, in S or M mode.
    .type refuse, @function
refuse:
    li      t0, EARLY_UART
1:  lbu     t1, 0(t2)
    addi    t2, t2, 1
    beqz    t1, 3f
2:  lbu     t3, UART_LSR(t0)
    andi    t3, t3, UART_LSR_THRE
    beqz    t3, 2b
    sb      t1, UART_THR(t0)
    j       1b
3:  lla     t0, refuse_call
    csrw    stvec, t0
    lla     t0, refuse_test
    csrw    mtvec, t0               // in S mode this continues at refuse_call, too
    .balign 4
refuse_call:
    li      a7, SBI_EXT_SRST
    li      a6, SBI_SRST_RESET
    li      a0, SBI_SRST_SHUTDOWN
    li      a1, SBI_SRST_FAILURE
    ecall                           // in M mode this continues at refuse_test
    .balign 4
refuse_test:
    li      t0, EARLY_TEST
    li      t1, TEST_FAIL
    sw      t1, 0(t0)
1:  wfi
    j       1b
    .balign 8
linked_at:
    .quad   image_start
    .size refuse, . - refuse

text_wrong_place:
    .asciz  "\n[axvm] error: not loaded at 0x80200000: needs RAM at 0x80000000, SBI firmware and axvm-demo.bin\n"

    .data
    .balign 4
boot_taken:
    .word   0

    .section .note.GNU-stack, "", @progbits
