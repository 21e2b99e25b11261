// SPDX-License-Identifier: Apache-2.0
// A simulated hart for hosted tests: CSRs, an ordered log of what was done to it, and hooks. One per
// thread, so that a test with threads has as many harts. Never part of a freestanding library.
#pragma once

#include "../riscv_csrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct RISCVGuestRegs;

typedef enum RvReg {
#define RV_REG_ENUM(name, number) RV_REG_##name,
    RISCV_CSRS(RV_REG_ENUM)
#undef RV_REG_ENUM
        RV_REG_COUNT
} RvReg;

typedef enum RvSimOp {
    RV_SIM_READ,
    RV_SIM_WRITE, // value: as written; set, clear and swap are a read and a write
    RV_SIM_PROBE, // value: whether the CSR is there
    RV_SIM_ENTER, // value: hstatus
    RV_SIM_FP_SAVE,
    RV_SIM_FP_LOAD,
    RV_SIM_HLVX, // value: virtual address
    RV_SIM_HLV,  // value: virtual address
    RV_SIM_FENCE,
    RV_SIM_FENCE_I,
    RV_SIM_HFENCE_GVMA_ALL,
    RV_SIM_HFENCE_GVMA_VMID, // id: VMID
    RV_SIM_HFENCE_GVMA,      // value: guest-physical address, id: VMID
    RV_SIM_HFENCE_VVMA_ALL,
    RV_SIM_HFENCE_VVMA_VA,   // value: virtual address
    RV_SIM_HFENCE_VVMA_ASID, // id: ASID
    RV_SIM_HFENCE_VVMA,      // value: virtual address, id: ASID
    RV_SIM_OP_COUNT
} RvSimOp;

typedef struct RvSimEvent {
    RvSimOp op;
    RvReg reg; // READ, WRITE and PROBE only
    uint64_t value;
    uint64_t id;
    uint64_t hgatp; // hgatp at that moment: what a fence acts on
} RvSimEvent;

// Older events stay, later ones are only counted when the log is full.
#define RV_SIM_LOG_SIZE 4096u

typedef struct RvSim {
    uint64_t reg[RV_REG_COUNT];
    uint64_t writable[RV_REG_COUNT]; // bits that a write changes
    bool missing[RV_REG_COUNT];      // an access traps
    uint32_t gstage_modes;           // bit n: hgatp takes MODE n; a write of another one keeps MODE
    uint64_t f[32];
    uint64_t fcsr;
    uint32_t reads[RV_REG_COUNT];
    uint32_t writes[RV_REG_COUNT];
    uint32_t ops[RV_SIM_OP_COUNT];
    RvSimEvent log[RV_SIM_LOG_SIZE];
    size_t log_count;
    // What would have trapped at HS level: a missing CSR outside RV_PROBE, FP while sstatus.FS is
    // Off, an entry with hstatus.SPV clear or interrupts on. A good test ends with 0.
    uint32_t illegal;

    // Hooks; NULL for none. A read hook gives the value, a write hook comes after the store.
    uint64_t (*read_hook)(RvReg reg, uint64_t stored);
    void (*write_hook)(RvReg reg, uint64_t value);
    // After a fence of any kind.
    void (*fence_hook)(RvSimOp op);
    // The guest: changes *regs and rv_sim.reg as it likes (STVAL, HTVAL, HTINST, VS CSRs, SPP of
    // SSTATUS for its mode) and returns the scause of its exit. Must be set before a run.
    uint64_t (*guest)(struct RISCVGuestRegs *regs);
    // HLVX.HU and HLV.D; without them every address faults.
    bool (*hlvx_hu)(uint64_t va, uint16_t *out);
    bool (*hlv_d)(uint64_t va, uint64_t *out);
} RvSim;

extern _Thread_local RvSim rv_sim;

// QEMU's rv64 with H and Sstc, in HS mode with interrupts on, no log, no hooks.
void rv_sim_reset(void);
// Forgets log and counts, keeps registers and hooks.
void rv_sim_clear_log(void);

uint64_t rv_sim_read(RvReg reg);
void rv_sim_write(RvReg reg, uint64_t value);
void rv_sim_set(RvReg reg, uint64_t bits);
void rv_sim_clear(RvReg reg, uint64_t bits);
uint64_t rv_sim_swap(RvReg reg, uint64_t value);
bool rv_sim_probe(RvReg reg, uint64_t *value);
void rv_sim_op(RvSimOp op, uint64_t value, uint64_t id);
bool rv_sim_hlvx_hu(uint64_t va, uint16_t *out);
bool rv_sim_hlv_d(uint64_t va, uint64_t *out);
uint64_t rv_sim_enter_guest(struct RISCVGuestRegs *regs);

// "HSTATUS" …
const char *rv_sim_reg_name(RvReg reg);
