// SPDX-License-Identifier: Apache-2.0
// The system instructions that the platform code uses. Host at EL2, E2H = 0.
#pragma once

#include <stdint.h>

#define CPU_READ(reg)                                        \
    ({                                                       \
        uint64_t cpu_value;                                  \
        __asm__ volatile("mrs %0, " #reg : "=r"(cpu_value)); \
        cpu_value;                                           \
    })
#define CPU_WRITE(reg, value) __asm__ volatile("msr " #reg ", %0" : : "r"((uint64_t)(value)))

static inline void cpu_isb(void)
{
    __asm__ volatile("isb" : : : "memory");
}

static inline void cpu_dsb(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

// Returns at once when an interrupt is pending, masked or not.
static inline void cpu_wait(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
}

static inline uint32_t mmio_read32(uint64_t addr)
{
    return *(volatile uint32_t *)(uintptr_t)addr;
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)addr = value;
}

static inline uint64_t mmio_read64(uint64_t addr)
{
    return *(volatile uint64_t *)(uintptr_t)addr;
}

static inline void mmio_write64(uint64_t addr, uint64_t value)
{
    *(volatile uint64_t *)(uintptr_t)addr = value;
}
