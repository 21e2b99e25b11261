// SPDX-License-Identifier: Apache-2.0
// The whole guest: two hypercalls, the second powers it off (PSCI SYSTEM_OFF).
    .text
    .global guest_code
guest_code:
    mov     x0, #42
    mov     x1, #7
    hvc     #0
    movz    x0, #0x8400, lsl #16
    movk    x0, #0x0008
    hvc     #0
    b       .
