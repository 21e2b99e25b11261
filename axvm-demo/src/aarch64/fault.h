// SPDX-License-Identifier: Apache-2.0
/* Exceptions of the hypervisor itself. */
#pragma once

#include "layout.h"

#include <stddef.h>
#include <stdint.h>

/* Built by vectors.S. */
typedef struct FaultFrame {
    uint64_t x[31];
    uint64_t sp;
    uint64_t elr;
    uint64_t spsr;
    uint64_t kind; /* index of the vector */
    uint64_t unused;
} FaultFrame;

_Static_assert(sizeof(FaultFrame) == FAULT_FRAME_SIZE && FAULT_FRAME_SIZE % 16 == 0, "frame");
_Static_assert(offsetof(FaultFrame, sp) == FAULT_SP, "sp");
_Static_assert(offsetof(FaultFrame, elr) == FAULT_ELR, "elr");
_Static_assert(offsetof(FaultFrame, spsr) == FAULT_SPSR, "spsr");
_Static_assert(offsetof(FaultFrame, kind) == FAULT_KIND, "kind");

/* Returns for an exception that was expected; otherwise dumps the frame and ends the machine. */
void fault_report(FaultFrame *frame);
