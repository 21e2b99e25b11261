// SPDX-License-Identifier: Apache-2.0
/*
 * Arm PrimeCell UART PL011 r1p5 (DDI 0183), also what `arm,sbsa-uart` promises. It starts as firmware
 * leaves it: enabled, 8 bits, FIFOs on. A byte written is on its way at once, so the transmit FIFO is
 * always empty; there is no line that could have errors, modem signals or a baud rate.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_PL011_SIZE 0x1000u
#define AX_PL011_FIFO 32u

/* Registers that are kept as written. */
typedef enum Pl011Kept {
    PL011_ILPR,
    PL011_IBRD,
    PL011_FBRD,
    PL011_LCR_H,
    PL011_CR,
    PL011_IFLS,
    PL011_IMSC,
    PL011_DMACR,
    PL011_KEPT_COUNT
} Pl011Kept;

typedef struct Pl011 {
    AxLock lock;
    AxIrqLine irq;
    AxConsoleSink sink;
    uint32_t kept[PL011_KEPT_COUNT];
    uint32_t raw; /* RIS */
    uint8_t fifo[AX_PL011_FIFO];
    uint32_t fifo_head;
    uint32_t fifo_count;
} Pl011;

extern const AxDeviceOps axvm_pl011_ops;

/* A UART that signals on `irq` and writes to `sink`; both stay for its life. */
void axvm_pl011_init(Pl011 *uart, AxIrqLine irq, AxConsoleSink sink);

/* Back to the state after init; the interrupt line goes low. */
void axvm_pl011_reset(Pl011 *uart);

/* A byte arrives on the line; false when the receive FIFO has no room: try again later. Any pCPU. */
bool axvm_pl011_receive(Pl011 *uart, uint8_t byte);
