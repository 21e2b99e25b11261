// SPDX-License-Identifier: Apache-2.0
// The privileged instructions of the backend, for EL2. hw/sim/arm_hw.h has the same interface.
#pragma once

#include "../arm_sysregs.h"

#include <stddef.h>
#include <stdint.h>

struct Aarch64GuestRegs;

// arm_read_X() and arm_write_X() per register of the list; written as ARM_READ(X), ARM_WRITE(X, v).
// They keep their order among themselves; a context synchronisation (arm_isb, eret) is the caller's.
#define ARM_DEFINE_ACCESS(name, encoding)                                   \
    static inline uint64_t arm_read_##name(void)                            \
    {                                                                       \
        uint64_t value;                                                     \
                                                                            \
        __asm__ volatile("mrs %0, " encoding : "=r"(value));                \
        return value;                                                       \
    }                                                                       \
    static inline void arm_write_##name(uint64_t value)                     \
    {                                                                       \
        __asm__ volatile("msr " encoding ", %0" : : "r"(value) : "memory"); \
    }
ARM_SYSREGS(ARM_DEFINE_ACCESS)
#undef ARM_DEFINE_ACCESS

#define ARM_READ(name)         arm_read_##name()
#define ARM_WRITE(name, value) arm_write_##name(value)

// Registers that come as an array. The caller keeps the index within what the CPU has; any other one
// is folded into the array.
#define ARM_TABLE_4(prefix)                                        \
    {                                                              \
        prefix##0_EL2, prefix##1_EL2, prefix##2_EL2, prefix##3_EL2 \
    }
#define ARM_TABLE_16(prefix)                                                                      \
    {                                                                                             \
        prefix##0_EL2, prefix##1_EL2, prefix##2_EL2, prefix##3_EL2, prefix##4_EL2, prefix##5_EL2, \
            prefix##6_EL2, prefix##7_EL2, prefix##8_EL2, prefix##9_EL2, prefix##10_EL2,           \
            prefix##11_EL2, prefix##12_EL2, prefix##13_EL2, prefix##14_EL2, prefix##15_EL2        \
    }
#define ARM_DEFINE_ARRAY(name, prefix, count, table)                              \
    static inline uint64_t arm_read_##name(unsigned n)                            \
    {                                                                             \
        static uint64_t (*const access[count])(void) = table(arm_read_##prefix);  \
                                                                                  \
        return access[n % (count)]();                                             \
    }                                                                             \
    static inline void arm_write_##name(unsigned n, uint64_t value)               \
    {                                                                             \
        static void (*const access[count])(uint64_t) = table(arm_write_##prefix); \
                                                                                  \
        access[n % (count)](value);                                               \
    }
ARM_DEFINE_ARRAY(lr, ICH_LR, 16, ARM_TABLE_16)
ARM_DEFINE_ARRAY(ap0r, ICH_AP0R, 4, ARM_TABLE_4)
ARM_DEFINE_ARRAY(ap1r, ICH_AP1R, 4, ARM_TABLE_4)
#undef ARM_DEFINE_ARRAY
#undef ARM_TABLE_16
#undef ARM_TABLE_4

// Barriers, TLB and cache maintenance. The TLBI forms with an address take it shifted right by 12.
#define ARM_DEFINE_OP(name, text)              \
    static inline void name(void)              \
    {                                          \
        __asm__ volatile(text : : : "memory"); \
    }
ARM_DEFINE_OP(arm_isb, "isb")
ARM_DEFINE_OP(arm_dsb_ish, "dsb ish")
ARM_DEFINE_OP(arm_dsb_ishst, "dsb ishst")
ARM_DEFINE_OP(arm_dsb_nsh, "dsb nsh")
ARM_DEFINE_OP(arm_tlbi_alle1, "tlbi alle1")
ARM_DEFINE_OP(arm_tlbi_vmalle1, "tlbi vmalle1")
ARM_DEFINE_OP(arm_tlbi_vmalle1is, "tlbi vmalle1is")
ARM_DEFINE_OP(arm_tlbi_vmalls12e1, "tlbi vmalls12e1")
ARM_DEFINE_OP(arm_tlbi_vmalls12e1is, "tlbi vmalls12e1is")
ARM_DEFINE_OP(arm_ic_iallu, "ic iallu")
ARM_DEFINE_OP(arm_ic_ialluis, "ic ialluis")
#undef ARM_DEFINE_OP

static inline void arm_tlbi_ipas2e1is(uint64_t page)
{
    __asm__ volatile("tlbi ipas2e1is, %0" : : "r"(page) : "memory");
}

static inline void arm_dc_civac(uint64_t va)
{
    __asm__ volatile("dc civac, %0" : : "r"(va) : "memory");
}

// Masks debug exceptions, SError, IRQ and FIQ; returns DAIF as it was.
static inline uint64_t arm_daif_mask(void)
{
    const uint64_t old = ARM_READ(DAIF);

    __asm__ volatile("msr daifset, #0xf" : : : "memory");
    return old;
}

static inline void arm_daif_restore(uint64_t old)
{
    ARM_WRITE(DAIF, old);
}

// PAR_EL1 of a read of `va` by the guest at EL1, through both stages or the guest's own only. The
// guest's PAR_EL1 stays.
#define ARM_DEFINE_AT(name, text)                                          \
    static inline uint64_t name(uint64_t va)                               \
    {                                                                      \
        const uint64_t guest_par = ARM_READ(PAR_EL1);                      \
        uint64_t par;                                                      \
                                                                           \
        __asm__ volatile("at " text ", %0\n\tisb" : : "r"(va) : "memory"); \
        par = ARM_READ(PAR_EL1);                                           \
        ARM_WRITE(PAR_EL1, guest_par);                                     \
        return par;                                                        \
    }
ARM_DEFINE_AT(arm_at_s12e1r, "s12e1r")
ARM_DEFINE_AT(arm_at_s1e1r, "s1e1r")
#undef ARM_DEFINE_AT

static inline uint64_t arm_cntpct(void)
{
    arm_isb(); // or the counter is read early
    return ARM_READ(CNTPCT_EL0);
}

// Enters the guest with `regs`; returns the vector of the exit with *regs updated. DAIF masked.
// The assembly keeps x18, x29 and SP; all others are the guest's afterwards, and the compiler saves
// those it needs. So the loop around this pays for callee-saved registers once, not per entry.
static inline uint64_t aarch64_enter_guest(struct Aarch64GuestRegs *regs)
{
    register uintptr_t x0 __asm__("x0") = (uintptr_t)regs;

    __asm__ volatile("bl aarch64_world_switch"
                     : "+r"(x0)
                     :
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                       "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "cc", "memory");
    return x0;
}
