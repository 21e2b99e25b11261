// SPDX-License-Identifier: Apache-2.0
// What the checks with a second hart share.
#pragma once

#include "selftest.h"

#define SMP_SECONDS 2u // that a hart waits for the other one at most

bool smp_has_second(void);
GuestSbi smp_status(unsigned cpu);
// Leaves the CPU to the other hart for a moment, or until an interrupt.
void smp_pause(void);
// True when *flag became `value` in time; takes interrupts meanwhile.
bool smp_becomes(volatile uint32_t *flag, uint32_t value);
bool smp_stops(unsigned cpu);
