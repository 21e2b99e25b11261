// SPDX-License-Identifier: Apache-2.0
// The console of machines with an NS16550A.
#include "ns16550.h"

#include "platform.h"
#include "receive.h"
#include "uart.h"

void uart_put(uint8_t byte)
{
    while ((uart_read(NS16550_LSR) & NS16550_LSR_THRE) == 0) {
    }
    uart_write(NS16550_DATA, byte);
}

bool uart_fetch(uint8_t *byte)
{
    if ((uart_read(NS16550_LSR) & NS16550_LSR_READY) == 0) {
        return false;
    }
    *byte = uart_read(NS16550_DATA);
    return true;
}

void uart_listen(bool on)
{
    uart_write(NS16550_IER, on ? NS16550_IER_RECEIVE : 0);
}
