// SPDX-License-Identifier: Apache-2.0
/* Address translation of the hypervisor. */
#pragma once

#include <stdint.h>

/* Boot CPU: maps the image and low memory, and leaves the tables that start.S made. */
void mmu_start(void);
/* On a secondary pCPU: what start.S did not do. */
void mmu_start_secondary(void);

/*
 * [addr, addr + size) of what firmware and boot loader left in memory, for reading. NULL when it
 * wraps, or the page tables are used up.
 */
const void *mmu_read(uint64_t addr, uint64_t size);
