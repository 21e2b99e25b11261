// SPDX-License-Identifier: Apache-2.0
// A simulated processor with SVM or VMX for hosted tests: registers, CPUID, and a hook for the guest.
// One per thread. Physical and virtual addresses are the same. Never part of a freestanding library.
#pragma once

#include "../x86_hw_regs.h"
#include "vmx_sim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct X86GuestRegs;
struct Vmcb;

typedef struct X86CpuidResult {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
} X86CpuidResult;

typedef enum X86SimReg {
#define X86_SIM_ENUM(name, number) X86_SIM_##name,
    X86_HW_MSRS(X86_SIM_ENUM) X86_HW_CONTROLS(X86_SIM_ENUM)
#undef X86_SIM_ENUM
        X86_SIM_XCR0,
    X86_SIM_REG_COUNT
} X86SimReg;

typedef struct X86SimLeaf {
    uint32_t leaf;
    X86CpuidResult result; // whatever the subleaf
} X86SimLeaf;

#define X86_SIM_LEAVES 24u
#define X86_SIM_FP     832u

typedef struct X86Sim {
    uint64_t reg[X86_SIM_REG_COUNT];
    uint32_t writes[X86_SIM_REG_COUNT];
    uint64_t rflags;
    X86SimLeaf leaves[X86_SIM_LEAVES]; // those not here read as zeros
    uint8_t fp[X86_SIM_FP];
    uint64_t vmsaved; // physical address of the last VMSAVE
    uint32_t wbinvds;
    uint32_t machine_checks;
    uint32_t nmis;
    uint32_t entries;
    // What would have faulted or failed: an entry with EFER.SVME clear, without a save area or ASID,
    // with interrupts on; FP with CR0.TS. A good test ends with 0.
    uint32_t illegal;
    // The guest: changes *regs and *vmcb (exit_code and its like) as it wishes. Must be set before a
    // run.
    void (*guest)(struct X86GuestRegs *regs, struct Vmcb *vmcb);
    X86SimVmx vmx;
    X86HostTables tables;
} X86Sim;

extern _Thread_local X86Sim x86_sim;

// QEMU 7.2's -cpu max in ring 0 of 64-bit mode, SVM off, interrupts on.
void x86_sim_reset(void);

// The entry for `leaf`, which is made when there is none.
X86CpuidResult *x86_sim_leaf(uint32_t leaf);

// For `guest`: the event that it is given first, as in EVENTINJ; it is no longer there. 0: none.
uint64_t x86_sim_take_event(struct Vmcb *vmcb);

uint64_t x86_sim_read(X86SimReg reg);
void x86_sim_write(X86SimReg reg, uint64_t value);
X86CpuidResult x86_sim_cpuid(uint32_t leaf, uint32_t subleaf);
void x86_sim_fp_save(void *area, uint64_t mask);
void x86_sim_fp_load(const void *area, uint64_t mask);
void x86_sim_enter(struct X86GuestRegs *regs);
