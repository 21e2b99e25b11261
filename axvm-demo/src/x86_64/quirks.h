// SPDX-License-Identifier: Apache-2.0
/* What emulators do otherwise than the manuals say, and what the hypervisor does about it. */
#pragma once

#include <stdint.h>

#define QUIRK_LOOKS_PER_SECOND 50u
// Of the timer's period: QEMU does nothing else while it is over sooner than it can be handled.
#define QUIRK_SHORTEST_PER_SECOND 50000u

/*
 * QEMU may lose an interrupt that arrives just when the processor leaves its guest: at every end of a
 * stay there it changes the requests of that processor without a lock. The local APIC holds the
 * interrupt, but the processor does not look before the next one. So the local APIC's timer, which
 * comes again until it is handled, is due fifty times a second.
 */
static inline uint64_t quirk_lost_interrupt(uint64_t ticks, uint64_t hz)
{
    const uint64_t longest = hz / QUIRK_LOOKS_PER_SECOND;
    const uint64_t shortest = hz / QUIRK_SHORTEST_PER_SECOND + 1;

    if (ticks > longest) {
        return longest;
    }
    return ticks < shortest ? shortest : ticks;
}
