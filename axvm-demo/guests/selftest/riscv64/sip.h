// SPDX-License-Identifier: Apache-2.0
// Reads of sip. QEMU 7.2 delivers timer and external interrupts of a guest, but what the guest reads
// in its sip is the software interrupt only.
#pragma once

#include "selftest.h"

bool sip_shows(uint32_t irq);
// False on a CPU like that; afterwards no deadline is set.
bool sip_is_complete(void);
// A check that `shown`, which sip_shows has said, is true; skipped on a CPU like that.
void check_sip(bool shown, const char *name);
