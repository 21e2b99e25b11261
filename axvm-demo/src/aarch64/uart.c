// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"
#include "receive.h"

#define UART_DR    0x00u
#define UART_FR    0x18u
#define UART_LCR_H 0x2cu
#define UART_CR    0x30u
#define UART_IMSC  0x38u
#define UART_ICR   0x44u

#define FR_RXFE     (UINT32_C(1) << 4)
#define FR_TXFF     (UINT32_C(1) << 5)
#define LCR_H_FEN   (UINT32_C(1) << 4)
#define LCR_H_8BITS (UINT32_C(3) << 5)
#define CR_ENABLE   UINT32_C(0x301)                           // UARTEN, TXE, RXE
#define INT_RECEIVE ((UINT32_C(1) << 4) | (UINT32_C(1) << 6)) // FIFO level, time-out

static uint64_t uart = EARLY_UART;

void uart_init(uint64_t base)
{
    uart = base;
    mmio_write32(uart + UART_LCR_H, LCR_H_8BITS | LCR_H_FEN);
    mmio_write32(uart + UART_CR, CR_ENABLE);
    mmio_write32(uart + UART_ICR, INT_RECEIVE);
    uart_listen(true);
}

void uart_put(uint8_t byte)
{
    while ((mmio_read32(uart + UART_FR) & FR_TXFF) != 0) {
    }
    mmio_write32(uart + UART_DR, byte);
}

static bool is_empty(void)
{
    return (mmio_read32(uart + UART_FR) & FR_RXFE) != 0;
}

// The interrupt is cleared before the last look: what arrives after that raises it again.
bool uart_fetch(uint8_t *byte)
{
    if (is_empty()) {
        mmio_write32(uart + UART_ICR, INT_RECEIVE);
        if (is_empty()) {
            return false;
        }
    }
    *byte = (uint8_t)mmio_read32(uart + UART_DR);
    return true;
}

void uart_listen(bool on)
{
    mmio_write32(uart + UART_IMSC, on ? INT_RECEIVE : 0);
}
