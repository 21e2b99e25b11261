// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"

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

#define RING_SIZE 256u // a power of two

static uint64_t uart = EARLY_UART;
static uint8_t ring[RING_SIZE];
static uint32_t ring_in;
static uint32_t ring_out;
static bool masked;

void uart_init(uint64_t base)
{
    uart = base;
    mmio_write32(uart + UART_LCR_H, LCR_H_8BITS | LCR_H_FEN);
    mmio_write32(uart + UART_CR, CR_ENABLE);
    mmio_write32(uart + UART_ICR, INT_RECEIVE);
    mmio_write32(uart + UART_IMSC, INT_RECEIVE);
}

void uart_put(uint8_t byte)
{
    while ((mmio_read32(uart + UART_FR) & FR_TXFF) != 0) {
    }
    mmio_write32(uart + UART_DR, byte);
}

// A full ring leaves the rest in the FIFO with the interrupt masked: the sender has to wait. The
// interrupt is cleared first: what arrives after the last look raises it again.
void uart_interrupt(void)
{
    mmio_write32(uart + UART_ICR, INT_RECEIVE);
    while (ring_in - ring_out < RING_SIZE) {
        if ((mmio_read32(uart + UART_FR) & FR_RXFE) != 0) {
            return;
        }
        ring[ring_in++ % RING_SIZE] = (uint8_t)mmio_read32(uart + UART_DR);
    }
    masked = true;
    mmio_write32(uart + UART_IMSC, 0);
}

// What waits in the FIFO may not raise the interrupt again: it is fetched without.
static void unmask(void)
{
    masked = false;
    mmio_write32(uart + UART_IMSC, INT_RECEIVE);
    uart_interrupt();
}

bool uart_get(uint8_t *byte)
{
    if (ring_in == ring_out && masked) {
        unmask();
    }
    if (ring_in == ring_out) {
        return false;
    }
    *byte = ring[ring_out++ % RING_SIZE];
    return true;
}
