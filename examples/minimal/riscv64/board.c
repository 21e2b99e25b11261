// SPDX-License-Identifier: Apache-2.0
#include "../board.h"

#define UART_THR ((volatile uint8_t *)0x10000000)

// The SBI keeps these extensions for experiments.
const uint64_t board_hypercalls = 0x08000000;
const uint16_t board_off_port = 0;

// As the device tree of QEMU says.
uint64_t board_counter_hz(void)
{
    return 10000000;
}

void board_put(char c)
{
    *UART_THR = (uint8_t)c;
}

uint64_t board_now_ns(void)
{
    uint64_t ticks;

    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks * (UINT64_C(1000000000) / board_counter_hz());
}

// SBI system_reset, a shutdown without a reason; QEMU's status is always 0, the text tells.
void board_power_off(void)
{
    register uint64_t a0 __asm__("a0") = 0;
    register uint64_t a1 __asm__("a1") = 0;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = 0x53525354;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
    for (;;) {
    }
}
