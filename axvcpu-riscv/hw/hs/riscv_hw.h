// SPDX-License-Identifier: Apache-2.0
// The privileged instructions of the backend, for HS mode. hw/sim/riscv_hw.h has the same interface.
// Instructions of the H extension are spelled by their encoding: assemblers for plain RV64 do not
// know them.
#pragma once

#include "../riscv_csrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct RISCVGuestRegs;

// rv_read_X() … per CSR of the list; written as RV_READ(X), RV_WRITE(X, v), RV_SET(X, bits),
// RV_CLEAR(X, bits) and RV_SWAP(X, v), which returns the value before. They keep their order among
// themselves and against memory.
#define RV_DEFINE_ACCESS(name, number)                                                      \
    static inline uint64_t rv_read_##name(void)                                             \
    {                                                                                       \
        uint64_t value;                                                                     \
                                                                                            \
        __asm__ volatile("csrr %0, " #number : "=r"(value) : : "memory");                   \
        return value;                                                                       \
    }                                                                                       \
    static inline void rv_write_##name(uint64_t value)                                      \
    {                                                                                       \
        __asm__ volatile("csrw " #number ", %0" : : "rK"(value) : "memory");                \
    }                                                                                       \
    static inline void rv_set_##name(uint64_t bits)                                         \
    {                                                                                       \
        __asm__ volatile("csrs " #number ", %0" : : "rK"(bits) : "memory");                 \
    }                                                                                       \
    static inline void rv_clear_##name(uint64_t bits)                                       \
    {                                                                                       \
        __asm__ volatile("csrc " #number ", %0" : : "rK"(bits) : "memory");                 \
    }                                                                                       \
    static inline uint64_t rv_swap_##name(uint64_t value)                                   \
    {                                                                                       \
        uint64_t old;                                                                       \
                                                                                            \
        __asm__ volatile("csrrw %0, " #number ", %1" : "=r"(old) : "rK"(value) : "memory"); \
        return old;                                                                         \
    }
RISCV_CSRS(RV_DEFINE_ACCESS)
#undef RV_DEFINE_ACCESS

#define RV_READ(name)         rv_read_##name()
#define RV_WRITE(name, value) rv_write_##name(value)
#define RV_SET(name, bits)    rv_set_##name(bits)
#define RV_CLEAR(name, bits)  rv_clear_##name(bits)
#define RV_SWAP(name, value)  rv_swap_##name(value)

// Clears sstatus.SIE; returns sstatus as it was.
static inline uint64_t rv_irq_mask(void)
{
    uint64_t old;

    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old) : : "memory");
    return old;
}

static inline void rv_irq_restore(uint64_t old)
{
    __asm__ volatile("csrs sstatus, %0" : : "r"(old & 2) : "memory");
}

// One instruction that may trap, with stvec behind it: `ok` is 1 when it ran. Direct mode of stvec
// asks for an address that is a multiple of 4. Only with interrupts masked.
#define RV_TRY_TEXT(instruction)            \
    "lla %[vector], 1f\n\t"                 \
    "csrrw %[vector], stvec, %[vector]\n\t" \
    "li %[ok], 0\n\t" instruction "\n\t"    \
    "li %[ok], 1\n\t"                       \
    ".balign 4\n"                           \
    "1:\tcsrw stvec, %[vector]"

// What a trap changes at HS level and somebody may still need.
typedef struct RvTrapState {
    uint64_t sstatus;
    uint64_t sepc;
    uint64_t scause;
    uint64_t stval;
} RvTrapState;

static inline RvTrapState rv_trap_begin(void)
{
    return (RvTrapState){
        .sstatus = rv_irq_mask(),
        .sepc = RV_READ(SEPC),
        .scause = RV_READ(SCAUSE),
        .stval = RV_READ(STVAL),
    };
}

static inline void rv_trap_end(const RvTrapState *state)
{
    RV_WRITE(STVAL, state->stval);
    RV_WRITE(SCAUSE, state->scause);
    RV_WRITE(SEPC, state->sepc);
    RV_WRITE(SSTATUS, state->sstatus);
}

// RV_PROBE(X, &value): reads a CSR that may not be there; false, and *value stays, when it traps.
// hstatus.SPV and hstatus.GVA are 0 then.
#define RV_DEFINE_PROBE(name, number)                                                 \
    static inline bool rv_probe_##name(uint64_t *value)                               \
    {                                                                                 \
        const RvTrapState state = rv_trap_begin();                                    \
        uint64_t read;                                                                \
        uint64_t vector;                                                              \
        uint64_t ok;                                                                  \
                                                                                      \
        __asm__ volatile(RV_TRY_TEXT("csrr %[read], " #number)                        \
                         : [read] "=&r"(read), [vector] "=&r"(vector), [ok] "=&r"(ok) \
                         :                                                            \
                         : "memory");                                                 \
        rv_trap_end(&state);                                                          \
        if (ok != 0) {                                                                \
            *value = read;                                                            \
        }                                                                             \
        return ok != 0;                                                               \
    }
RISCV_CSRS(RV_DEFINE_PROBE)
#undef RV_DEFINE_PROBE

#define RV_PROBE(name, value) rv_probe_##name(value)

// Loads through the guest's translation, with the rights of its mode (hstatus.SPVP): HLVX.HU as an
// instruction fetch, HLV.D as a load. False when the guest's access would fault, and *out stays.
// sstatus and hstatus are as before; the other CSRs of a trap are not. Interrupts masked.
#define RV_HLVX_HU(rd, rs) ".insn r 0x73, 4, 0x32, " rd ", " rs ", x3\n\t"
#define RV_HLV_D(rd, rs)   ".insn r 0x73, 4, 0x36, " rd ", " rs ", x0\n\t"

// Only a trap has changed them.
static inline bool rv_end_guest_load(bool ok, uint64_t sstatus, uint64_t hstatus)
{
    if (!ok) {
        RV_WRITE(HSTATUS, hstatus);
        RV_WRITE(SSTATUS, sstatus);
    }
    return ok;
}

static inline bool rv_hlv_d(uint64_t va, uint64_t *out)
{
    const uint64_t sstatus = RV_READ(SSTATUS);
    const uint64_t hstatus = RV_READ(HSTATUS);
    uint64_t read;
    uint64_t vector;
    uint64_t ok;

    __asm__ volatile(RV_TRY_TEXT(RV_HLV_D("%[read]", "%[va]"))
                     : [read] "=&r"(read), [vector] "=&r"(vector), [ok] "=&r"(ok)
                     : [va] "r"(va)
                     : "memory");
    if (ok != 0) {
        *out = read;
    }
    return rv_end_guest_load(ok != 0, sstatus, hstatus);
}

// One instruction, of 16 bits or, when the lowest two are ones, of 32: the second half may lie on a
// page that the guest does not have, so it is only read when it is needed.
static inline bool rv_hlvx_instruction(uint64_t va, uint32_t *out)
{
    const uint64_t sstatus = RV_READ(SSTATUS);
    const uint64_t hstatus = RV_READ(HSTATUS);
    uint64_t low;
    uint64_t high;
    uint64_t vector;
    uint64_t ok;

    __asm__ volatile(RV_TRY_TEXT(RV_HLVX_HU(
        "%[low]", "%[va]") "not %[high], %[low]\n\t"
                           "andi %[high], %[high], 3\n\t"
                           "bnez %[high], 2f\n\t" RV_HLVX_HU(
                               "%[high]", "%[va_high]") "slli %[high], %[high], 16\n\t"
                                                        "or %[low], %[low], %[high]\n"
                                                        "2:\n\t")
                     : [low] "=&r"(low), [high] "=&r"(high), [vector] "=&r"(vector), [ok] "=&r"(ok)
                     : [va] "r"(va), [va_high] "r"(va + 2)
                     : "memory");
    if (ok != 0) {
        *out = (uint32_t)low;
    }
    return rv_end_guest_load(ok != 0, sstatus, hstatus);
}

static inline void rv_fence(void)
{
    __asm__ volatile("fence rw, rw" : : : "memory");
}

static inline void rv_fence_i(void)
{
    __asm__ volatile(".insn i 0x0f, 1, x0, x0, 0" : : : "memory"); // Zifencei need not be named
}

// HFENCE.GVMA: entries of G-stages, all, of one VMID, of one page of it.
static inline void rv_hfence_gvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" : : : "memory");
}

static inline void rv_hfence_gvma_vmid(uint64_t vmid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" : : "r"(vmid) : "memory");
}

static inline void rv_hfence_gvma(uint64_t gpa, uint64_t vmid)
{
    // the instruction takes the address shifted right by 2
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, %1" : : "r"(gpa >> 2), "r"(vmid) : "memory");
}

// HFENCE.VVMA: entries of the guest's own tables, of the VMID in hgatp.
static inline void rv_hfence_vvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" : : : "memory");
}

static inline void rv_hfence_vvma_va(uint64_t va)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, x0" : : "r"(va) : "memory");
}

static inline void rv_hfence_vvma_asid(uint64_t asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, %0" : : "r"(asid) : "memory");
}

static inline void rv_hfence_vvma(uint64_t va, uint64_t asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, %1" : : "r"(va), "r"(asid) : "memory");
}

static inline uint64_t rv_time(void)
{
    return RV_READ(TIME);
}

// Enters the guest with `regs`; returns scause of the exit with *regs updated. Interrupts masked,
// stvec and sscratch as riscv_run sets them. The assembly keeps sp, gp, tp and s0; all others are
// the guest's afterwards, and the compiler saves those it needs. So the loop around this pays for
// callee-saved registers once, not per entry.
static inline uint64_t rv_enter_guest(struct RISCVGuestRegs *regs)
{
    register uintptr_t a0 __asm__("a0") = (uintptr_t)regs;

    __asm__ volatile("call riscv_world_switch"
                     : "+r"(a0)
                     :
                     : "ra", "t0", "t1", "t2", "s1", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2",
                       "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
                       "t6", "memory");
    return RV_READ(SCAUSE);
}
