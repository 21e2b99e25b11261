// SPDX-License-Identifier: Apache-2.0
// HS mode, entered by OpenSBI with translation off; QEMU gives zeroed memory and one hart.
    .section .text.start, "ax"
    .global _start
_start:
    csrci   sstatus, 2              // SIE
    lla     sp, stack_top
    lla     t0, host_vector
    csrw    stvec, t0
    call    host_main
1:  wfi
    j       1b

    // Nothing is expected here: interrupts stay masked and the host does not fault.
    .balign 4
host_vector:
    j       .
