// SPDX-License-Identifier: Apache-2.0
/* NS16550A: registers by number. How they are reached says uart.h of the architecture. */
#pragma once

#include <stdint.h>

/* RBR is read and THR written at the same place, IIR and FCR likewise. */
#define NS16550_DATA 0u
#define NS16550_IER  1u
#define NS16550_FCR  2u
#define NS16550_LCR  3u
#define NS16550_MCR  4u
#define NS16550_LSR  5u

#define NS16550_IER_RECEIVE UINT8_C(1)
#define NS16550_FCR_ENABLE  UINT8_C(1) /* interrupts from the first byte on */
#define NS16550_LCR_8BITS   UINT8_C(3)
#define NS16550_LCR_DLAB    (UINT8_C(1) << 7) /* the divisor is at the first two */
#define NS16550_MCR_READY   UINT8_C(0x0b)     /* DTR RTS, and OUT2, which lets interrupts through */
#define NS16550_LSR_READY   UINT8_C(1)
#define NS16550_LSR_THRE    (UINT8_C(1) << 5)
#define NS16550_LSR_TEMT    (UINT8_C(1) << 6)
