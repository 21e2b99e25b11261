// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include "layout.h"
#include "ns16550.h"
#include "receive.h"

uint64_t uart_base = EARLY_UART;

void uart_init(uint64_t base)
{
    uart_base = base;
    uart_write(NS16550_FCR, NS16550_FCR_ENABLE);
    uart_listen(true);
}
