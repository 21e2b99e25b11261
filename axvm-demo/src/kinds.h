// SPDX-License-Identifier: Apache-2.0
/* Exit counters in words. */
#pragma once

#include <axvcpu/exit.h>

/*
 * The list of counters that are not 0: "mmio-read 5, hypercall 2", or "none". As much as fits into
 * `size` bytes. Returns the sum of all.
 */
uint64_t kinds_print(char *text, size_t size, const uint64_t counts[AX_EXIT_COUNT]);
