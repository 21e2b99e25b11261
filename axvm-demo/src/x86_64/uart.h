// SPDX-License-Identifier: Apache-2.0
/* The machine's 16550, COM1. */
#pragma once

#include "cpu.h"
#include "layout.h"

static inline uint8_t uart_read(unsigned reg)
{
    return port_read8((uint16_t)(UART_PORT + reg));
}

static inline void uart_write(unsigned reg, uint8_t value)
{
    port_write8((uint16_t)(UART_PORT + reg), value);
}

/* 115200 baud, 8 bits. Output works from here on; uart_listen() comes when interrupts do. */
void uart_init(void);
/* Returns when everything has been sent. */
void uart_drain(void);
