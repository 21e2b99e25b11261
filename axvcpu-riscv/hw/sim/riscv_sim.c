// SPDX-License-Identifier: Apache-2.0
#include "riscv_sim.h"

#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

_Thread_local RvSim rv_sim;
char riscv_guest_vector[1];

static const char *const reg_names[] = {
#define RV_REG_NAME(name, number) #name,
    RISCV_CSRS(RV_REG_NAME)
#undef RV_REG_NAME
};

// Values and writable bits of QEMU 7.2's rv64 where they matter to the backend; all other registers
// are 0 and take every bit.
static const struct {
    RvReg reg;
    uint64_t value;
    uint64_t writable;
} reset_values[] = {
    {RV_REG_SSTATUS, SSTATUS_UXL_64 | SSTATUS_SIE,
     SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_VS | SSTATUS_FS | SSTATUS_SUM |
         SSTATUS_MXR},
    {RV_REG_STVEC, 0x80200100, UINT64_MAX},
    {RV_REG_VSSTATUS, SSTATUS_UXL_64,
     SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_VS | SSTATUS_FS | SSTATUS_SUM |
         SSTATUS_MXR | SSTATUS_UXL},
    {RV_REG_VSIE, 0, SIP_SSIP | SIP_STIP | SIP_SEIP},
    {RV_REG_HSTATUS, HSTATUS_VSXL_64,
     HSTATUS_GVA | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_HU | HSTATUS_VTVM | HSTATUS_VTW |
         HSTATUS_VTSR},
    {RV_REG_HEDELEG, 0, 0xb1ff},
    {RV_REG_HIDELEG, 0, HIP_VS},
    {RV_REG_HIE, 0, HIP_VS | HIP_SGEIP},
    {RV_REG_HVIP, 0, HIP_VS},
    {RV_REG_HIP, 0, HIP_VSSIP},
    {RV_REG_HCOUNTEREN, 0, UINT32_MAX},
    {RV_REG_SCOUNTEREN, 0, UINT32_MAX},
    {RV_REG_HENVCFG, 0,
     HENVCFG_STCE | HENVCFG_PBMTE | HENVCFG_CBZE | HENVCFG_CBCFE | HENVCFG_CBIE | HENVCFG_FIOM},
    {RV_REG_HGATP, 0, HGATP_MODE | HGATP_VMID | HGATP_PPN},
    {RV_REG_HGEIP, 0, 0},
    {RV_REG_TIME, 1000000, 0},
};

void rv_sim_clear_log(void)
{
    memset(rv_sim.reads, 0, sizeof(rv_sim.reads));
    memset(rv_sim.writes, 0, sizeof(rv_sim.writes));
    memset(rv_sim.ops, 0, sizeof(rv_sim.ops));
    rv_sim.log_count = 0;
}

void rv_sim_reset(void)
{
    memset(&rv_sim, 0, sizeof(rv_sim));
    memset(rv_sim.writable, 0xff, sizeof(rv_sim.writable));
    for (size_t i = 0; i < sizeof(reset_values) / sizeof(reset_values[0]); i++) {
        rv_sim.reg[reset_values[i].reg] = reset_values[i].value;
        rv_sim.writable[reset_values[i].reg] = reset_values[i].writable;
    }
    rv_sim.missing[RV_REG_HSTATEEN0] = true;
    rv_sim.gstage_modes = 1u | 1u << HGATP_MODE_SV39X4 | 1u << HGATP_MODE_SV48X4 |
                          1u << HGATP_MODE_SV57X4;
}

static void record(RvSimOp op, RvReg reg, uint64_t value, uint64_t id)
{
    rv_sim.ops[op]++;
    if (rv_sim.log_count < RV_SIM_LOG_SIZE) {
        rv_sim.log[rv_sim.log_count] = (RvSimEvent){op, reg, value, id, rv_sim.reg[RV_REG_HGATP]};
    }
    rv_sim.log_count++;
}

static bool sstc_timer_fired(void)
{
    const uint64_t time = rv_sim.reg[RV_REG_TIME] + rv_sim.reg[RV_REG_HTIMEDELTA];

    return (rv_sim.reg[RV_REG_HENVCFG] & HENVCFG_STCE) != 0 && time >= rv_sim.reg[RV_REG_VSTIMECMP];
}

// Interrupts pending for the guest: what hvip says, and the timer.
static uint64_t pending(void)
{
    return rv_sim.reg[RV_REG_HIP] | rv_sim.reg[RV_REG_HVIP] | (sstc_timer_fired() ? HIP_VSTIP : 0);
}

static uint64_t stored(RvReg reg)
{
    switch (reg) {
    case RV_REG_HIP: return pending();
    case RV_REG_VSIP: return (pending() & rv_sim.reg[RV_REG_HIDELEG] & HIP_VS) >> 1;
    default: return rv_sim.reg[reg];
    }
}

static void check_present(RvReg reg)
{
    rv_sim.illegal += rv_sim.missing[reg] ? 1 : 0;
}

uint64_t rv_sim_read(RvReg reg)
{
    const uint64_t value = rv_sim.read_hook != NULL ? rv_sim.read_hook(reg, stored(reg))
                                                    : stored(reg);

    check_present(reg);
    rv_sim.reads[reg]++;
    record(RV_SIM_READ, reg, value, 0);
    return value;
}

static uint64_t writable(RvReg reg, uint64_t value)
{
    const bool keep_mode = reg == RV_REG_HGATP &&
                           (rv_sim.gstage_modes >> ax_get(value, HGATP_MODE) & 1) == 0;

    return rv_sim.writable[reg] & (keep_mode ? ~HGATP_MODE : UINT64_MAX);
}

void rv_sim_write(RvReg reg, uint64_t value)
{
    const uint64_t bits = writable(reg, value);

    check_present(reg);
    rv_sim.reg[reg] = (rv_sim.reg[reg] & ~bits) | (value & bits);
    rv_sim.writes[reg]++;
    record(RV_SIM_WRITE, reg, value, 0);
    if (rv_sim.write_hook != NULL) {
        rv_sim.write_hook(reg, value);
    }
}

void rv_sim_set(RvReg reg, uint64_t bits)
{
    rv_sim_write(reg, rv_sim_read(reg) | bits);
}

void rv_sim_clear(RvReg reg, uint64_t bits)
{
    rv_sim_write(reg, rv_sim_read(reg) & ~bits);
}

uint64_t rv_sim_swap(RvReg reg, uint64_t value)
{
    const uint64_t old = rv_sim_read(reg);

    rv_sim_write(reg, value);
    return old;
}

bool rv_sim_probe(RvReg reg, uint64_t *value)
{
    const bool there = !rv_sim.missing[reg];

    record(RV_SIM_PROBE, reg, there, 0);
    if (there) {
        *value = rv_sim_read(reg);
    }
    return there;
}

void rv_sim_op(RvSimOp op, uint64_t value, uint64_t id)
{
    record(op, RV_REG_COUNT, value, id);
    if (rv_sim.fence_hook != NULL) {
        rv_sim.fence_hook(op);
    }
}

// A load as the guest that faults leaves the CSRs of its own trap behind.
static bool end_guest_load(bool ok, uint64_t va)
{
    if (!ok) {
        rv_sim.reg[RV_REG_SCAUSE] = CAUSE_LOAD_PAGE;
        rv_sim.reg[RV_REG_STVAL] = va;
        rv_sim.reg[RV_REG_SEPC] = 0xbad;
        rv_sim.reg[RV_REG_HTVAL] = 0;
        rv_sim.reg[RV_REG_HTINST] = 0;
    }
    return ok;
}

bool rv_sim_hlvx_hu(uint64_t va, uint16_t *out)
{
    record(RV_SIM_HLVX, RV_REG_COUNT, va, 0);
    return end_guest_load(rv_sim.hlvx_hu != NULL && rv_sim.hlvx_hu(va, out), va);
}

bool rv_sim_hlv_d(uint64_t va, uint64_t *out)
{
    record(RV_SIM_HLV, RV_REG_COUNT, va, 0);
    return end_guest_load(rv_sim.hlv_d != NULL && rv_sim.hlv_d(va, out), va);
}

static bool entry_is_good(void)
{
    return (rv_sim.reg[RV_REG_HSTATUS] & HSTATUS_SPV) != 0 &&
           (rv_sim.reg[RV_REG_SSTATUS] & (SSTATUS_SIE | SSTATUS_SPIE)) == 0 &&
           rv_sim.reg[RV_REG_STVEC] == (uintptr_t)riscv_guest_vector;
}

uint64_t rv_sim_enter_guest(RISCVGuestRegs *regs)
{
    rv_sim.illegal += entry_is_good() ? 0 : 1;
    record(RV_SIM_ENTER, RV_REG_COUNT, rv_sim.reg[RV_REG_HSTATUS], 0);
    rv_sim.reg[RV_REG_SCAUSE] = rv_sim.guest(regs);
    rv_sim.reg[RV_REG_SEPC] = regs->pc;
    rv_sim.reg[RV_REG_HSTATUS] = (rv_sim.reg[RV_REG_HSTATUS] & ~HSTATUS_SPVP) | HSTATUS_SPV |
                                 ax_put(ax_get(rv_sim.reg[RV_REG_SSTATUS], SSTATUS_SPP),
                                        HSTATUS_SPVP);
    return rv_sim_read(RV_REG_SCAUSE);
}

static void check_fp_on(void)
{
    rv_sim.illegal += (rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_FS) == 0 ? 1 : 0;
}

void riscv_fp_save(RISCVFp *fp)
{
    check_fp_on();
    record(RV_SIM_FP_SAVE, RV_REG_COUNT, 0, 0);
    memcpy(fp->f, rv_sim.f, sizeof(fp->f));
    fp->fcsr = rv_sim.fcsr;
}

void riscv_fp_load(const RISCVFp *fp)
{
    check_fp_on();
    record(RV_SIM_FP_LOAD, RV_REG_COUNT, 0, 0);
    memcpy(rv_sim.f, fp->f, sizeof(rv_sim.f));
    rv_sim.fcsr = fp->fcsr;
    rv_sim.reg[RV_REG_SSTATUS] |= SSTATUS_FS;
}

const char *rv_sim_reg_name(RvReg reg)
{
    return reg < RV_REG_COUNT ? reg_names[reg] : "?";
}
