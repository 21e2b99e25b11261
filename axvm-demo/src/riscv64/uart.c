// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"

// RBR is read and THR written at the same place, IIR and FCR likewise.
#define UART_DATA 0u
#define UART_IER  1u
#define UART_FCR  2u
#define UART_LSR  5u

#define IER_RECEIVE UINT8_C(1)
#define FCR_ENABLE  UINT8_C(1) // interrupts from the first byte on
#define LSR_READY   UINT8_C(1)
#define LSR_THRE    (UINT8_C(1) << 5)

#define RING_SIZE 256u // a power of two

static uint64_t uart = EARLY_UART;
static uint8_t ring[RING_SIZE];
static uint32_t ring_in;
static uint32_t ring_out;
static bool masked;

void uart_init(uint64_t base)
{
    uart = base;
    mmio_write8(uart + UART_FCR, FCR_ENABLE);
    mmio_write8(uart + UART_IER, IER_RECEIVE);
}

void uart_put(uint8_t byte)
{
    while ((mmio_read8(uart + UART_LSR) & LSR_THRE) == 0) {
    }
    mmio_write8(uart + UART_DATA, byte);
}

// A full ring leaves the rest in the FIFO with the interrupt masked: the sender has to wait.
void uart_interrupt(void)
{
    while (ring_in - ring_out < RING_SIZE) {
        if ((mmio_read8(uart + UART_LSR) & LSR_READY) == 0) {
            return;
        }
        ring[ring_in++ % RING_SIZE] = mmio_read8(uart + UART_DATA);
    }
    masked = true;
    mmio_write8(uart + UART_IER, 0);
}

// What waits in the FIFO is fetched without an interrupt.
static void unmask(void)
{
    masked = false;
    mmio_write8(uart + UART_IER, IER_RECEIVE);
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
