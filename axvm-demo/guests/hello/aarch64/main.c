// SPDX-License-Identifier: Apache-2.0
// The smallest guest: says hello, asks the firmware for its version, and powers off.
#include "arch.h"

void guest_main(void)
{
    const uint64_t version = guest_hvc(PSCI_VERSION, 0, 0, 0);

    guest_printf("hello from EL%u, PSCI %lu.%lu\n", (unsigned)(READ_SYSREG(CurrentEL) >> 2 & 3),
                 version >> 16, version & 0xffff);
    (void)guest_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}
