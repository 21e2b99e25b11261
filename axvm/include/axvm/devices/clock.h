// SPDX-License-Identifier: Apache-2.0
/* Where a device model takes its time from. */
#pragma once

#include <stdint.h>

/*
 * Nanoseconds since any fixed moment. Called on any pCPU with a device's lock held: takes no lock
 * of a device. Where the clocks of pCPUs differ, a device goes on from the latest time it saw.
 */
typedef struct AxClock {
    uint64_t (*now)(void *ctx);
    void *ctx;
} AxClock;

/* "Nothing will happen by itself", from the functions that tell a device's next moment. */
#define AX_CLOCK_NEVER UINT64_MAX

#define AX_CLOCK_SECOND UINT64_C(1000000000)
