// SPDX-License-Identifier: Apache-2.0
// Ending the machine: SBI's system reset; the board's test device tells an emulator a status.
#include "exit.h"

#include "cpu.h"
#include "layout.h"
#include "platform.h"
#include "sbi.h"

#define TEST_PASS 0x5555u

static uint64_t test_device;

void exit_use_test_device(uint64_t base)
{
    test_device = base;
}

static void tell_test_device(uint32_t status)
{
    if (test_device != 0) {
        mmio_write32(test_device, status);
    }
}

void platform_exit(bool success)
{
    // Firmware makes status 0 of a failure, too.
    if (!success) {
        tell_test_device(TEST_FAIL);
    }
    (void)sbi_call(SBI_EXT_SRST, SBI_SRST_RESET, SBI_SRST_SHUTDOWN, success ? 0 : SBI_SRST_FAILURE,
                   0);
    tell_test_device(TEST_PASS);
    for (;;) {
        cpu_wait();
    }
}
