// SPDX-License-Identifier: Apache-2.0
/*
 * NS16550A UART (PC16550D data sheet), registers side by side (reg-shift 0). A byte is sent the
 * moment it is written, so the transmitter is always empty. Received bytes wait in the FIFO; the
 * character time-out comes at once. Baud rate, framing, parity, break and DMA have no effect. The
 * modem lines are those of a terminal that is always there.
 *
 * An access of more than a byte reaches the one register at its address, as on QEMU's `virt`.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_NS16550A_SIZE UINT64_C(0x1000) /* registers in the first 8 bytes, then nothing */
#define AX_NS16550A_FIFO 16u

typedef struct AxNs16550a {
    AxLock lock;
    AxIrqLine line;
    AxConsoleSink sink;
    bool line_high;
    bool thr_interrupt; /* the transmitter became empty, and IIR has not said it yet */
    bool fifo_on;
    uint8_t trigger; /* bytes at which the receive interrupt comes */
    uint8_t ier;
    uint8_t lcr;
    uint8_t mcr;
    uint8_t lsr_errors;
    uint8_t msr_deltas;
    uint8_t scr;
    uint8_t dll;
    uint8_t dlm;
    uint32_t head; /* of the receive FIFO */
    uint32_t count;
    uint8_t fifo[AX_NS16550A_FIFO];
} AxNs16550a;

/*
 * Power-on values, interrupt low. `sink` gets each byte that the guest sends, on the pCPU of the
 * vCPU that wrote it, without locks held.
 */
void axvm_ns16550a_init(AxNs16550a *uart, AxIrqLine line, AxConsoleSink sink);

/* Power-on values; what was received is dropped. The VM does not run. */
void axvm_ns16550a_reset(AxNs16550a *uart);

/*
 * A byte comes in. False, and nothing happened, while the FIFO is full (it holds one byte while it
 * is off) or the UART is in loopback. Any pCPU.
 */
AX_MUST_CHECK bool axvm_ns16550a_receive(AxNs16550a *uart, uint8_t byte);

/* Takes the next received byte as a read of RBR does; false when there is none. Any pCPU. */
AX_MUST_CHECK bool axvm_ns16550a_take(AxNs16550a *uart, uint8_t *byte);

extern const AxDeviceOps axvm_ns16550a_ops;
