// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "ns16550.h"
#include "receive.h"

void uart_init(void)
{
    uart_listen(false);
    uart_write(NS16550_LCR, NS16550_LCR_DLAB);
    uart_write(NS16550_DATA, 1);
    uart_write(NS16550_IER, 0);
    uart_write(NS16550_LCR, NS16550_LCR_8BITS);
    uart_write(NS16550_FCR, NS16550_FCR_ENABLE);
    uart_write(NS16550_MCR, NS16550_MCR_READY);
}

void uart_drain(void)
{
    while ((uart_read(NS16550_LSR) & NS16550_LSR_TEMT) == 0) {
    }
}
