// SPDX-License-Identifier: Apache-2.0
// The system instructions that the platform code uses. Host in HS mode.
#pragma once

#include <stdint.h>

// One more level, so that names which assemblers do not know can be macros of their numbers.
#define CPU_TEXT(csr) #csr

#define CPU_READ(csr)                                                  \
    ({                                                                 \
        uint64_t cpu_value;                                            \
        __asm__ volatile("csrr %0, " CPU_TEXT(csr) : "=r"(cpu_value)); \
        cpu_value;                                                     \
    })
#define CPU_WRITE(csr, value) \
    __asm__ volatile("csrw " CPU_TEXT(csr) ", %0" : : "r"((uint64_t)(value)) : "memory")
#define CPU_SET(csr, bits) \
    __asm__ volatile("csrs " CPU_TEXT(csr) ", %0" : : "r"((uint64_t)(bits)) : "memory")
#define CPU_CLEAR(csr, bits) \
    __asm__ volatile("csrc " CPU_TEXT(csr) ", %0" : : "r"((uint64_t)(bits)) : "memory")

// sie and sip
#define IRQ_BIT(n)   (UINT64_C(1) << (n))
#define IRQ_SOFTWARE 1u
#define IRQ_TIMER    5u
#define IRQ_EXTERNAL 9u

static inline void cpu_fence(void)
{
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

// Returns at once when an interrupt of sie is pending, masked by sstatus.SIE or not.
static inline void cpu_wait(void)
{
    __asm__ volatile("fence iorw, iorw\n\twfi" : : : "memory");
}

static inline uint8_t mmio_read8(uint64_t addr)
{
    return *(volatile uint8_t *)(uintptr_t)addr;
}

static inline void mmio_write8(uint64_t addr, uint8_t value)
{
    *(volatile uint8_t *)(uintptr_t)addr = value;
}

static inline uint32_t mmio_read32(uint64_t addr)
{
    return *(volatile uint32_t *)(uintptr_t)addr;
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)addr = value;
}
