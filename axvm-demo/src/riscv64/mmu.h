// SPDX-License-Identifier: Apache-2.0
/* Address translation of the hypervisor. */
#pragma once

#include <stdint.h>

/* First C code of the boot hart: maps the image and a window over the device tree, Sv39 on. */
void mmu_start(uint64_t fdt);
/* On a secondary pCPU: the same tables. */
void mmu_start_secondary(void);
