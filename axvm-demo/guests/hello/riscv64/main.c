// SPDX-License-Identifier: Apache-2.0
// The smallest guest: says hello, asks the firmware for its version, and powers off.
#include "arch.h"

void guest_main(void)
{
    const uint64_t version = guest_sbi3(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0).value;

    guest_printf("hello from S mode, SBI %lu.%lu\n", version >> 24, version & 0xffffff);
    (void)guest_sbi3(SBI_SRST, 0, 0, 0, 0);
}
