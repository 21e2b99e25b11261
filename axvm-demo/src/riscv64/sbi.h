// SPDX-License-Identifier: Apache-2.0
/* Calls to the firmware below us (RISC-V SBI specification). */
#pragma once

#include <stdint.h>

#define SBI_SUCCESS 0

#define SBI_EXT_TIME 0x54494d45u
#define SBI_EXT_IPI  0x735049u
#define SBI_EXT_HSM  0x48534du

#define SBI_TIME_SET_TIMER 0u
#define SBI_IPI_SEND       0u
#define SBI_HSM_START      0u

/* What the call gave back in a0; a1, its value, is of no interest to us. */
int64_t sbi_call(uint64_t extension, uint64_t function, uint64_t a, uint64_t b, uint64_t c);
