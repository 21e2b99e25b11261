// SPDX-License-Identifier: Apache-2.0
/* Exceptions of the hypervisor itself. */
#pragma once

#include "layout.h"

#include <stddef.h>
#include <stdint.h>

/* Built by vectors.S. */
typedef struct FaultFrame {
    uint64_t x[32]; /* x[0] is not written */
    uint64_t sepc;
    uint64_t sstatus;
} FaultFrame;

_Static_assert(sizeof(FaultFrame) == FAULT_FRAME_SIZE && FAULT_FRAME_SIZE % 16 == 0, "frame");
_Static_assert(offsetof(FaultFrame, sepc) == FAULT_SEPC, "sepc");
_Static_assert(offsetof(FaultFrame, sstatus) == FAULT_SSTATUS, "sstatus");

/* Returns for an exception that was expected; otherwise dumps the frame and ends the machine. */
void fault_report(FaultFrame *frame);
