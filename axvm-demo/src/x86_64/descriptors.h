// SPDX-License-Identifier: Apache-2.0
/* GDT, IDT and one TSS per pCPU (SDM 3, 3.5, 6.14, 8.7). */
#pragma once

#include <axvcpu/types.h>

/* First C code of the boot CPU: from here on exceptions are reported. */
void descriptors_start(void);
/* Registers of the calling CPU, whose stack is number `stack`. */
void descriptors_load(uint32_t stack);
