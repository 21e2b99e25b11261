// SPDX-License-Identifier: Apache-2.0
/* The time stamp counter as a clock. */
#pragma once

#include <stdint.h>

/* Its frequency in Hz: measured with the 8254, or what CPUID says; 0 when neither is there. */
uint64_t tsc_measure(void);
