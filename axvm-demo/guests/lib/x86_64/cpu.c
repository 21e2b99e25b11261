// SPDX-License-Identifier: Apache-2.0
#include "arch.h"

uint64_t guest_vmmcall(uint64_t nr, uint64_t argument)
{
    __asm__ volatile("vmmcall" : "+a"(nr) : "D"(argument) : "memory");
    return nr;
}

void guest_putc(char c)
{
    if (c == '\n') {
        port_write8(GUEST_UART_PORT, '\r');
    }
    port_write8(GUEST_UART_PORT, (uint8_t)c);
}

uint64_t guest_ticks(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

void guest_exit(uint64_t status)
{
    (void)guest_vmmcall(GUEST_HC_EXIT, status);
    for (;;) {
        __asm__ volatile("hlt");
    }
}

// Called by entry.S.
void guest_start(void);
void guest_start(void)
{
    guest_main();
    guest_finish();
}
