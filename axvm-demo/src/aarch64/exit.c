// SPDX-License-Identifier: Apache-2.0
// Ending the machine: semihosting tells the emulator a status, PSCI only powers off.
#include "cpu.h"
#include "crash.h"
#include "firmware.h"
#include "platform.h"

// Semihosting for AArch32 and AArch64, SYS_EXIT_EXTENDED.
#define SYS_EXIT_EXTENDED            UINT64_C(0x20)
#define ADP_STOPPED_APPLICATION_EXIT UINT64_C(0x20026)

#define PSCI_SYSTEM_OFF UINT64_C(0x84000008)

uint64_t firmware_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
    return x0;
}

// Returns where nobody answers semihosting calls: the instruction is undefined there.
static void semihosting_exit(bool success)
{
    const uint64_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, success ? 0 : 1};

    crash_expect();

    register uint64_t x0 __asm__("x0") = SYS_EXIT_EXTENDED;
    register const uint64_t *x1 __asm__("x1") = block;

    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

void platform_exit(bool success)
{
    semihosting_exit(success);
    (void)firmware_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;) {
        cpu_wait();
    }
}
