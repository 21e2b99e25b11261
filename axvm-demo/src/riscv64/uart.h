// SPDX-License-Identifier: Apache-2.0
/* The machine's NS16550A. */
#pragma once

#include <stdint.h>

/* Receives by interrupt from now on; before, output works on the early address. */
void uart_init(uint64_t base);
/* Takes what was received. Not while uart_get() runs. */
void uart_interrupt(void);
