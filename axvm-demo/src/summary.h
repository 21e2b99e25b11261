// SPDX-License-Identifier: Apache-2.0
/* What the VMs did, in lines that programs can read. */
#pragma once

#include "vms.h"

/* One line per VM and one per vCPU. */
void summary_print(void);

/*
 * The list of counters that are not 0: "mmio-read 5, hypercall 2", or "none". As much as fits into
 * `size` bytes. Returns the sum of all.
 */
uint64_t summary_kinds(char *text, size_t size, const uint64_t counts[AX_EXIT_COUNT]);
