// SPDX-License-Identifier: Apache-2.0
// Each form of a general load and store against memory that traps: the scratch device.
#include "selftest.h"

#define SLOT    (GUEST_SCRATCH_BASE + 0x100)
#define PATTERN UINT64_C(0x8f9eadbccbdae9f8)

// Value of `bits` low bits of `value`.
static uint64_t low(uint64_t value, unsigned bits)
{
    return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static uint64_t extend(uint64_t value, unsigned bits)
{
    return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

// The result register starts with all ones, so that bytes left alone show.
#define LOAD(instruction, expected)                           \
    do {                                                      \
        uint64_t result = UINT64_MAX;                         \
        uint64_t base = SLOT;                                 \
        __asm__ volatile(instruction                          \
                         : "+&r"(result), "+&r"(base)         \
                         : "r"(UINT64_C(8)), "r"(UINT64_C(1)) \
                         : "memory");                         \
        GUEST_CHECK_EQ(result, (expected), instruction);      \
    } while (0)

static void loads(void)
{
    mmio_write64(SLOT - 8, PATTERN);
    mmio_write64(SLOT, PATTERN);
    mmio_write64(SLOT + 8, ~PATTERN);
    LOAD("ldrb %w0, [%1]", low(PATTERN, 8));
    LOAD("ldrh %w0, [%1]", low(PATTERN, 16));
    LOAD("ldr %w0, [%1]", low(PATTERN, 32));
    LOAD("ldr %0, [%1]", PATTERN);
    LOAD("ldrsb %w0, [%1]", low(extend(PATTERN, 8), 32));
    LOAD("ldrsb %0, [%1]", extend(PATTERN, 8));
    LOAD("ldrsh %w0, [%1]", low(extend(PATTERN, 16), 32));
    LOAD("ldrsh %0, [%1]", extend(PATTERN, 16));
    LOAD("ldrsw %0, [%1]", extend(PATTERN, 32));
    LOAD("ldr %0, [%1, #8]", ~PATTERN);
    LOAD("ldur %0, [%1, #-8]", PATTERN);
    LOAD("ldr %0, [%1, %2]", ~PATTERN);
    LOAD("ldr %0, [%1, %3, lsl #3]", ~PATTERN);
    LOAD("ldr %w0, [%1, %w3, uxtw #2]", low(PATTERN >> 32, 32));
    LOAD("ldtr %0, [%1]", PATTERN);
    LOAD("ldar %0, [%1]", PATTERN);
    LOAD("ldarb %w0, [%1]", low(PATTERN, 8));
}

// Forms that the CPU does not describe in its syndrome: the hypervisor decodes the instruction.
#define LOAD_WRITEBACK(instruction, expected, moved)                                   \
    do {                                                                               \
        uint64_t result = UINT64_MAX;                                                  \
        uint64_t base = SLOT;                                                          \
        __asm__ volatile(instruction : "+&r"(result), "+&r"(base) : : "memory");       \
        GUEST_CHECK_EQ(result, (expected), instruction);                               \
        GUEST_CHECK_EQ(base - SLOT, (uint64_t)(moved), instruction " moves the base"); \
    } while (0)

static void loads_with_writeback(void)
{
    LOAD_WRITEBACK("ldr %0, [%1], #16", PATTERN, 16);
    LOAD_WRITEBACK("ldr %0, [%1, #8]!", ~PATTERN, 8);
    LOAD_WRITEBACK("ldr %w0, [%1], #-4", low(PATTERN, 32), -4);
    LOAD_WRITEBACK("ldrb %w0, [%1], #1", low(PATTERN, 8), 1);
    LOAD_WRITEBACK("ldrh %w0, [%1], #2", low(PATTERN, 16), 2);
    LOAD_WRITEBACK("ldrsb %0, [%1], #1", extend(PATTERN, 8), 1);
    LOAD_WRITEBACK("ldrsh %w0, [%1], #2", low(extend(PATTERN, 16), 32), 2);
    LOAD_WRITEBACK("ldrsw %0, [%1, #-8]!", extend(PATTERN, 32), -8);
}

#define LOAD_PAIR(instruction, first, second, moved)                                  \
    do {                                                                              \
        uint64_t a = UINT64_MAX;                                                      \
        uint64_t b = UINT64_MAX;                                                      \
        uint64_t base = SLOT;                                                         \
        __asm__ volatile(instruction : "+&r"(a), "+&r"(b), "+&r"(base) : : "memory"); \
        GUEST_CHECK_EQ(a, (first), instruction " first");                             \
        GUEST_CHECK_EQ(b, (second), instruction " second");                           \
        GUEST_CHECK_EQ(base - SLOT, (uint64_t)(moved), instruction " base");          \
    } while (0)

static void load_pairs(void)
{
    LOAD_PAIR("ldp %0, %1, [%2]", PATTERN, ~PATTERN, 0);
    LOAD_PAIR("ldp %w0, %w1, [%2]", low(PATTERN, 32), low(PATTERN >> 32, 32), 0);
    LOAD_PAIR("ldp %0, %1, [%2], #16", PATTERN, ~PATTERN, 16);
    LOAD_PAIR("ldp %0, %1, [%2, #-8]!", PATTERN, PATTERN, -8);
    LOAD_PAIR("ldnp %0, %1, [%2]", PATTERN, ~PATTERN, 0);
    LOAD_PAIR("ldpsw %0, %1, [%2]", extend(PATTERN, 32), extend(PATTERN >> 32, 32), 0);
}

// `expected` is the 64-bit slot afterwards, which starts as zero.
#define STORE(instruction, expected, moved)                                                   \
    do {                                                                                      \
        uint64_t base = SLOT;                                                                 \
        mmio_write64(SLOT, 0);                                                                \
        mmio_write64(SLOT + 8, 0);                                                            \
        __asm__ volatile(instruction : "+&r"(base) : "r"(PATTERN), "r"(~PATTERN) : "memory"); \
        GUEST_CHECK_EQ(mmio_read64(SLOT), (expected), instruction);                           \
        GUEST_CHECK_EQ(base - SLOT, (uint64_t)(moved), instruction " base");                  \
    } while (0)

static void stores(void)
{
    STORE("strb %w1, [%0]", low(PATTERN, 8), 0);
    STORE("strh %w1, [%0]", low(PATTERN, 16), 0);
    STORE("str %w1, [%0]", low(PATTERN, 32), 0);
    STORE("str %1, [%0]", PATTERN, 0);
    STORE("strb %w1, [%0, #3]", low(PATTERN, 8) << 24, 0);
    STORE("stlr %1, [%0]", PATTERN, 0);
    STORE("sttr %1, [%0]", PATTERN, 0);
    STORE("str %1, [%0], #8", PATTERN, 8);
    STORE("strb %w1, [%0], #-1", low(PATTERN, 8), -1);
    STORE("strh %w1, [%0, #2]!", low(PATTERN, 16) << 16, 2);
    STORE("stp %w1, %w2, [%0]", low(PATTERN, 32) | (~PATTERN << 32), 0);
    STORE("stp %1, %2, [%0]", PATTERN, 0);
    GUEST_CHECK_EQ(mmio_read64(SLOT + 8), ~PATTERN, "stp writes its second register");
    STORE("stp %1, xzr, [%0], #16", PATTERN, 16);
    STORE("stp xzr, %1, [%0, #-8]!", PATTERN, -8);
    STORE("str xzr, [%0]", 0, 0);
}

// Forms that are no plain transfer get an external abort, never a wrong answer.
static void refused(void)
{
    uint64_t value = 0;
    const GuestFault fault = GUEST_FAULT_OF(__asm__ volatile("ldxr %0, [%1]"
                                                             : "+r"(value)
                                                             : "r"(SLOT)
                                                             : "memory"));

    GUEST_CHECK(fault.taken && ESR_EC(fault.esr) == ESR_EC_DABT_SAME_EL,
                "a load-exclusive on a device faults");
    GUEST_CHECK_EQ(fault.far, SLOT, "the fault address is the device's");
}

void test_load_store(void)
{
    loads();
    loads_with_writeback();
    load_pairs();
    stores();
    refused();
}
