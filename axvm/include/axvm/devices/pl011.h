// SPDX-License-Identifier: Apache-2.0
/*
 * PL011 UART (DDI 0183, r1p5, 32-byte FIFOs), also the subset that the SBSA calls Generic UART. A
 * byte is sent the moment it is written, so the transmitter is always empty. Received bytes wait in
 * the FIFO; the receive time-out comes at once. Baud rate, framing, break and DMA have no effect.
 *
 * Power-on values are those that firmware leaves (8N1, FIFOs on, enabled), because a driver of the
 * SBSA's UART may rely on them.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_PL011_SIZE UINT64_C(0x1000)
#define AX_PL011_FIFO 32u

typedef struct AxPl011 {
    AxLock lock;
    AxIrqLine line;
    AxConsoleSink sink;
    bool line_high;
    bool overrun;    /* the next byte received gets the overrun flag */
    uint32_t errors; /* UARTRSR */
    uint32_t ilpr;
    uint32_t ibrd;
    uint32_t fbrd;
    uint32_t lcr_h;
    uint32_t cr;
    uint32_t ifls;
    uint32_t imsc;
    uint32_t ris;
    uint32_t dmacr;
    uint32_t head; /* of the receive FIFO */
    uint32_t count;
    uint16_t fifo[AX_PL011_FIFO]; /* with the flags of UARTDR */
} AxPl011;

/*
 * Power-on values, interrupt low. `sink` gets each byte that the guest sends, on the pCPU of the
 * vCPU that wrote it, without locks held.
 */
void axvm_pl011_init(AxPl011 *uart, AxIrqLine line, AxConsoleSink sink);

/* Power-on values; what was received is dropped. The VM does not run. */
void axvm_pl011_reset(AxPl011 *uart);

/*
 * A byte comes in. False, and nothing happened, while the FIFO is full or the receiver off. Any
 * pCPU.
 */
AX_MUST_CHECK bool axvm_pl011_receive(AxPl011 *uart, uint8_t byte);

extern const AxDeviceOps axvm_pl011_ops;
