// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"

// RBR is read and THR written at the same place, IIR and FCR likewise; with LCR_DLAB the divisor is
// at the first two.
#define UART_DATA (UART_PORT + 0u)
#define UART_IER  (UART_PORT + 1u)
#define UART_FCR  (UART_PORT + 2u)
#define UART_LCR  (UART_PORT + 3u)
#define UART_MCR  (UART_PORT + 4u)
#define UART_LSR  (UART_PORT + 5u)

#define IER_RECEIVE UINT8_C(1)
#define FCR_ENABLE  UINT8_C(1) // interrupts from the first byte on
#define LCR_8BITS   UINT8_C(3)
#define LCR_DLAB    (UINT8_C(1) << 7)
#define MCR_READY   UINT8_C(0x0b) // DTR RTS, and OUT2, which lets interrupts through
#define LSR_READY   UINT8_C(1)
#define LSR_THRE    (UINT8_C(1) << 5)
#define LSR_TEMT    (UINT8_C(1) << 6)

#define RING_SIZE 256u // a power of two

static uint8_t ring[RING_SIZE];
static uint32_t ring_in;
static uint32_t ring_out;
static bool masked;

void uart_init(void)
{
    port_write8(UART_IER, 0);
    port_write8(UART_LCR, LCR_DLAB);
    port_write8(UART_DATA, 1);
    port_write8(UART_IER, 0);
    port_write8(UART_LCR, LCR_8BITS);
    port_write8(UART_FCR, FCR_ENABLE);
    port_write8(UART_MCR, MCR_READY);
}

void uart_enable_receive(void)
{
    port_write8(UART_IER, IER_RECEIVE);
}

void uart_put(uint8_t byte)
{
    while ((port_read8(UART_LSR) & LSR_THRE) == 0) {
    }
    port_write8(UART_DATA, byte);
}

void uart_drain(void)
{
    while ((port_read8(UART_LSR) & LSR_TEMT) == 0) {
    }
}

// A full ring leaves the rest in the FIFO with the interrupt masked: the sender has to wait.
void uart_interrupt(void)
{
    while (ring_in - ring_out < RING_SIZE) {
        if ((port_read8(UART_LSR) & LSR_READY) == 0) {
            return;
        }
        ring[ring_in++ % RING_SIZE] = port_read8(UART_DATA);
    }
    masked = true;
    port_write8(UART_IER, 0);
}

// What waits in the FIFO is fetched without an interrupt.
static void unmask(void)
{
    masked = false;
    port_write8(UART_IER, IER_RECEIVE);
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
