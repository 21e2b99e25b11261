// SPDX-License-Identifier: Apache-2.0
// The privileged instructions of the backend, for ring 0. hw/sim/x86_hw.h has the same interface.
#pragma once

#include "../x86_hw_regs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct X86GuestRegs;

typedef struct X86CpuidResult {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
} X86CpuidResult;

static inline X86CpuidResult x86_hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    X86CpuidResult r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// X86_READ(X) and X86_WRITE(X, v) for each name of the two lists, and XCR0. They keep their order
// among themselves and against memory.
#define X86_DEFINE_MSR(name, number)                                                            \
    static inline uint64_t x86_read_##name(void)                                                \
    {                                                                                           \
        uint32_t low;                                                                           \
        uint32_t high;                                                                          \
                                                                                                \
        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"((uint32_t)(number)) : "memory"); \
        return (uint64_t)high << 32 | low;                                                      \
    }                                                                                           \
    static inline void x86_write_##name(uint64_t value)                                         \
    {                                                                                           \
        __asm__ volatile("wrmsr"                                                                \
                         :                                                                      \
                         : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)),                  \
                           "c"((uint32_t)(number))                                              \
                         : "memory");                                                           \
    }
X86_HW_MSRS(X86_DEFINE_MSR)
#undef X86_DEFINE_MSR

#define X86_DEFINE_CONTROL(name, reg)                                      \
    static inline uint64_t x86_read_##name(void)                           \
    {                                                                      \
        uint64_t value;                                                    \
                                                                           \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(value) : : "memory"); \
        return value;                                                      \
    }                                                                      \
    static inline void x86_write_##name(uint64_t value)                    \
    {                                                                      \
        __asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory");     \
    }
X86_HW_CONTROLS(X86_DEFINE_CONTROL)
#undef X86_DEFINE_CONTROL

static inline uint64_t x86_read_XCR0(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void x86_write_XCR0(uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0)
                     : "memory");
}

#define X86_READ(name)         x86_read_##name()
#define X86_WRITE(name, value) x86_write_##name(value)

// Clears RFLAGS.IF; returns RFLAGS as it was.
static inline uint64_t x86_irq_mask(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void x86_irq_restore(uint64_t flags)
{
    if ((flags & 0x200) != 0) {
        __asm__ volatile("sti" : : : "memory");
    }
}

static inline uint64_t x86_hw_tsc(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void x86_hw_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

// The machine check that ended a stay in the guest, for the host's own handler.
static inline void x86_hw_machine_check(void)
{
    __asm__ volatile("int $18" : : : "memory");
}

// x87, SSE and, with `mask` not 0, the components of `mask` that XCR0 has. 64-byte aligned.
static inline void x86_fp_save(void *area, uint64_t mask)
{
    if (mask == 0) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void x86_fp_load(const void *area, uint64_t mask)
{
    if (mask == 0) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

// What VMLOAD loads: FS, GS, TR, LDTR, and the MSRs of SYSCALL, SYSENTER and SWAPGS.
static inline void x86_svm_vmsave(uint64_t vmcb)
{
    __asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

// Enters the guest with `regs`, RFLAGS.IF clear, and returns after its exit. The assembly keeps RSP,
// RBP and what VMSAVE saves; all other registers are the guest's afterwards, and the compiler saves
// those it needs. So the loop around this pays for callee-saved registers once, not per entry.
static inline void x86_svm_enter(struct X86GuestRegs *regs)
{
    __asm__ volatile("call svm_world_switch"
                     : "+D"(regs)
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "cc", "memory");
}
