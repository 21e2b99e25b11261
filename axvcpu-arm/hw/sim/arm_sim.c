// SPDX-License-Identifier: Apache-2.0
#include "arm_sim.h"

#include "arm.h"
#include "arm_regs.h"

#include <string.h>

_Thread_local ArmSim arm_sim;
char aarch64_vectors[1];

static const char *const reg_names[] = {
#define ARM_REG_NAME(name, encoding) #name,
    ARM_SYSREGS(ARM_REG_NAME)
#undef ARM_REG_NAME
};

// Values of a Cortex-A72 where it matters to the backend; all other registers are 0.
static const struct {
    ArmReg reg;
    uint64_t value;
} reset_values[] = {
    {ARM_REG_CurrentEL, UINT64_C(2) << 2},
    {ARM_REG_DAIF, 0x3c0},
    {ARM_REG_MIDR_EL1, 0x410fd083},
    {ARM_REG_MPIDR_EL1, UINT64_C(1) << 31},
    {ARM_REG_ID_AA64PFR0_EL1, 0x01002222}, // EL0..EL3 with AArch32, GIC registers
    {ARM_REG_ID_AA64DFR0_EL1, 0x10305106},
    {ARM_REG_ID_AA64ISAR0_EL1, 0x00011120},
    {ARM_REG_ID_AA64MMFR0_EL1, 0x00001124}, // 44 address bits, 4K and 64K granules
    {ARM_REG_CNTFRQ_EL0, 62500000},
    {ARM_REG_CTR_EL0, 0x8444c004},     // cache lines of 64 bytes
    {ARM_REG_ICH_VTR_EL2, 0x90000003}, // 4 list registers, 5 priority and preemption bits
};

void arm_sim_clear_log(void)
{
    memset(arm_sim.reads, 0, sizeof(arm_sim.reads));
    memset(arm_sim.writes, 0, sizeof(arm_sim.writes));
    memset(arm_sim.ops, 0, sizeof(arm_sim.ops));
    arm_sim.log_count = 0;
}

void arm_sim_reset(void)
{
    memset(&arm_sim, 0, sizeof(arm_sim));
    for (size_t i = 0; i < sizeof(reset_values) / sizeof(reset_values[0]); i++) {
        arm_sim.reg[reset_values[i].reg] = reset_values[i].value;
    }
}

static void record(ArmSimOp op, ArmReg reg, uint64_t value)
{
    arm_sim.ops[op]++;
    if (arm_sim.log_count < ARM_SIM_LOG_SIZE) {
        arm_sim.log[arm_sim.log_count] = (ArmSimEvent){op, reg, value,
                                                       arm_sim.reg[ARM_REG_VTTBR_EL2]};
    }
    arm_sim.log_count++;
}

uint64_t arm_sim_read(ArmReg reg)
{
    const uint64_t stored = arm_sim.reg[reg];
    const uint64_t value = arm_sim.read_hook != NULL ? arm_sim.read_hook(reg, stored) : stored;

    arm_sim.reads[reg]++;
    record(ARM_SIM_READ, reg, value);
    return value;
}

void arm_sim_write(ArmReg reg, uint64_t value)
{
    if (reg == ARM_REG_OSLAR_EL1) { // write-only: it sets OSLSR_EL1.OSLK
        arm_sim.reg[ARM_REG_OSLSR_EL1] &= ~OSLSR_EL1_OSLK;
        arm_sim.reg[ARM_REG_OSLSR_EL1] |= ax_put(value, OSLSR_EL1_OSLK);
    } else {
        arm_sim.reg[reg] = value;
    }
    arm_sim.writes[reg]++;
    record(ARM_SIM_WRITE, reg, value);
    if (arm_sim.write_hook != NULL) {
        arm_sim.write_hook(reg, value);
    }
}

uint64_t arm_sim_read_array(ArmReg first, unsigned count, unsigned n)
{
    return arm_sim_read((ArmReg)(first + n % count));
}

void arm_sim_write_array(ArmReg first, unsigned count, unsigned n, uint64_t value)
{
    arm_sim_write((ArmReg)(first + n % count), value);
}

void arm_sim_op(ArmSimOp op, uint64_t value)
{
    record(op, ARM_REG_COUNT, value);
}

uint64_t arm_sim_translate(uint64_t va)
{
    record(ARM_SIM_AT, ARM_REG_COUNT, va);
    return arm_sim.translate != NULL ? arm_sim.translate(va) : 0x809;
}

uint64_t arm_sim_translate_stage1(uint64_t va)
{
    record(ARM_SIM_AT, ARM_REG_COUNT, va);
    return arm_sim.translate_stage1 != NULL ? arm_sim.translate_stage1(va) : 0x809;
}

uint64_t arm_sim_enter_guest(Aarch64GuestRegs *regs)
{
    record(ARM_SIM_ENTER, ARM_REG_COUNT, arm_sim.reg[ARM_REG_HCR_EL2]);
    return arm_sim.guest(regs);
}

void aarch64_fp_save(Aarch64Fp *fp)
{
    record(ARM_SIM_FP_SAVE, ARM_REG_COUNT, 0);
    memcpy(fp->q, arm_sim.q, sizeof(fp->q));
    fp->fpsr = arm_sim.fpsr;
    fp->fpcr = arm_sim.fpcr;
}

void aarch64_fp_load(const Aarch64Fp *fp)
{
    record(ARM_SIM_FP_LOAD, ARM_REG_COUNT, 0);
    memcpy(arm_sim.q, fp->q, sizeof(fp->q));
    arm_sim.fpsr = fp->fpsr;
    arm_sim.fpcr = fp->fpcr;
}

const char *arm_sim_reg_name(ArmReg reg)
{
    return reg < ARM_REG_COUNT ? reg_names[reg] : "?";
}
