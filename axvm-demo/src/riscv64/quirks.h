// SPDX-License-Identifier: Apache-2.0
/* What emulators do otherwise than the manuals say, and what the hypervisor does about it. */
#pragma once

#include <stdint.h>

#define QUIRK_TIMER_LOOKS_PER_SECOND 10u

/*
 * QEMU 7.2 may lose the interrupt of vstimecmp, which guests program by themselves: it stays pending,
 * but the hart does not look when it came due while the hart entered the guest. Any interrupt makes it
 * look again, so the host's own timer, due at `ticks`, is due ten times a second.
 */
static inline uint64_t quirk_lost_guest_timer(uint64_t ticks, uint64_t now, uint64_t hz)
{
    const uint64_t soon = now + hz / QUIRK_TIMER_LOOKS_PER_SECOND;

    return ticks < soon ? ticks : soon;
}
