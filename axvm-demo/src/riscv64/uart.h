// SPDX-License-Identifier: Apache-2.0
/* The machine's NS16550A. */
#pragma once

#include "cpu.h"

/* Where it is: at the early address until uart_init(). */
extern uint64_t uart_base;

static inline uint8_t uart_read(unsigned reg)
{
    return mmio_read8(uart_base + reg);
}

static inline void uart_write(unsigned reg, uint8_t value)
{
    mmio_write8(uart_base + reg, value);
}

/* Receives by interrupt from now on; before, output works on the early address. */
void uart_init(uint64_t base);
