// SPDX-License-Identifier: Apache-2.0
/* Calls to the firmware below us, by SMC (SMCCC, DEN 0028). */
#pragma once

#include <stdint.h>

uint64_t firmware_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);
