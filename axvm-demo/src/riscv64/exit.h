// SPDX-License-Identifier: Apache-2.0
/* platform_exit's last resort. */
#pragma once

#include <stdint.h>

/* Registers of the board's test device, mapped, which ends the emulator; 0: there is none. */
void exit_use_test_device(uint64_t base);
