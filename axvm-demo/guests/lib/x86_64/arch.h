// SPDX-License-Identifier: Apache-2.0
// Ring 0 of the x86_64 machine, for guest programs.
#pragma once

#include "guest.h"

#define GUEST_UART_PORT 0x3f8

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// VMMCALL; returns rax.
uint64_t guest_vmmcall(uint64_t nr, uint64_t argument);
