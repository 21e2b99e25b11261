// SPDX-License-Identifier: Apache-2.0
// What the files of this library know of each other.
#pragma once

#include "arch.h"

// entry.S
extern volatile uint64_t guest_gdt[];
void guest_context_enter(GuestContext *context);

void guest_trap_init(void);
void guest_trap_init_cpu(uint32_t number);
void guest_trap_load_idt(void);
