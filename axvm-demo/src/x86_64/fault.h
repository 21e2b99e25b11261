// SPDX-License-Identifier: Apache-2.0
/* Exceptions of the hypervisor itself. */
#pragma once

#include "layout.h"

#include <stddef.h>
#include <stdint.h>

/* Built by vectors.S and, from the error code on, by the CPU (SDM 3, 6.14.2). */
typedef struct FaultFrame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r[8]; /* r8 .. r15 */
    uint64_t vector;
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
} FaultFrame;

_Static_assert(offsetof(FaultFrame, vector) == FAULT_VECTOR, "vector");

/* Dumps the frame and ends the machine. */
_Noreturn void fault_report(const FaultFrame *frame);
