// SPDX-License-Identifier: Apache-2.0
/* The machine's PL011 (DDI 0183). */
#pragma once

#include <stdint.h>

/* Receives by interrupt from now on; before, output works on the early address. */
void uart_init(uint64_t base);
