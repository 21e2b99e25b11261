// SPDX-License-Identifier: Apache-2.0
// A simulated CPU for hosted tests: registers, an ordered log of what was done to it, and hooks. One
// per thread, so that a test with threads has as many CPUs. Never part of a freestanding library.
#pragma once

#include "../arm_sysregs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct Aarch64GuestRegs;

typedef enum ArmReg {
#define ARM_REG_ENUM(name, encoding) ARM_REG_##name,
    ARM_SYSREGS(ARM_REG_ENUM)
#undef ARM_REG_ENUM
        ARM_REG_COUNT
} ArmReg;

typedef enum ArmSimOp {
    ARM_SIM_READ,
    ARM_SIM_WRITE,
    ARM_SIM_ENTER, // value: HCR_EL2
    ARM_SIM_FP_SAVE,
    ARM_SIM_FP_LOAD,
    ARM_SIM_AT, // value: virtual address
    ARM_SIM_ISB,
    ARM_SIM_DSB_ISH,
    ARM_SIM_DSB_ISHST,
    ARM_SIM_DSB_NSH,
    ARM_SIM_TLBI_ALLE1,
    ARM_SIM_TLBI_VMALLE1,
    ARM_SIM_TLBI_VMALLE1IS,
    ARM_SIM_TLBI_VMALLS12E1,
    ARM_SIM_TLBI_VMALLS12E1IS,
    ARM_SIM_TLBI_IPAS2E1IS, // value: page number
    ARM_SIM_IC_IALLU,
    ARM_SIM_IC_IALLUIS,
    ARM_SIM_DC_CIVAC,
    ARM_SIM_OP_COUNT
} ArmSimOp;

typedef struct ArmSimEvent {
    ArmSimOp op;
    ArmReg reg;     // READ and WRITE only
    uint64_t value; // read or written
    uint64_t vttbr; // VTTBR_EL2 at that moment: what a TLBI acts on
} ArmSimEvent;

// Older events stay, later ones are only counted when the log is full.
#define ARM_SIM_LOG_SIZE 4096u

typedef struct ArmSim {
    uint64_t reg[ARM_REG_COUNT];
    uint64_t q[32][2];
    uint64_t fpsr;
    uint64_t fpcr;
    uint32_t reads[ARM_REG_COUNT];
    uint32_t writes[ARM_REG_COUNT];
    uint32_t ops[ARM_SIM_OP_COUNT];
    ArmSimEvent log[ARM_SIM_LOG_SIZE];
    size_t log_count;

    // Hooks; NULL for none. A read hook gives the value, a write hook comes after the store.
    uint64_t (*read_hook)(ArmReg reg, uint64_t stored);
    void (*write_hook)(ArmReg reg, uint64_t value);
    // The guest: changes *regs and arm_sim.reg as it likes and returns the vector of its exit. Must
    // be set before a run.
    uint64_t (*guest)(struct Aarch64GuestRegs *regs);
    // PAR_EL1 of AT S12E1R; without it every address faults (F = 1, translation level 0).
    uint64_t (*translate)(uint64_t va);
    uint64_t (*translate_stage1)(uint64_t va); // likewise of AT S1E1R
} ArmSim;

extern _Thread_local ArmSim arm_sim;

// A Cortex-A72-like CPU at EL2 with 4 list registers, no log, no hooks.
void arm_sim_reset(void);
// Forgets log and counts, keeps registers and hooks.
void arm_sim_clear_log(void);

uint64_t arm_sim_read(ArmReg reg);
void arm_sim_write(ArmReg reg, uint64_t value);
uint64_t arm_sim_read_array(ArmReg first, unsigned count, unsigned n);
void arm_sim_write_array(ArmReg first, unsigned count, unsigned n, uint64_t value);
void arm_sim_op(ArmSimOp op, uint64_t value);
uint64_t arm_sim_translate(uint64_t va);
uint64_t arm_sim_translate_stage1(uint64_t va);
uint64_t arm_sim_enter_guest(struct Aarch64GuestRegs *regs);

// "SCTLR_EL1" …
const char *arm_sim_reg_name(ArmReg reg);
