// SPDX-License-Identifier: Apache-2.0
/* What emulators do otherwise than the manuals say, and what the hypervisor does about it. */
#pragma once

#include <stdint.h>

#define QUIRK_TIMER_LOOKS_PER_SECOND 20u
#define QUIRK_TIMER_SHORTEST_NS      10000u

/*
 * QEMU 7.2 may lose an interrupt of the host that comes in the very moment VMRUN takes in V_IRQ: the
 * local APIC holds it, but the CPU does not look. Any other interrupt makes it look again, so the local
 * APIC's timer, due in `ticks`, is due twenty times a second. As it may be the lost one itself, it is
 * periodic; whoever handles it arms it anew. Not so often that nothing else would be done until then.
 */
static inline uint64_t quirk_lost_interrupt(uint64_t ticks, uint64_t hz)
{
    const uint64_t latest = hz / QUIRK_TIMER_LOOKS_PER_SECOND;
    const uint64_t earliest = hz / (1000000000u / QUIRK_TIMER_SHORTEST_NS);

    if (ticks > latest) {
        return latest;
    }
    return ticks < earliest ? earliest : ticks;
}
