// SPDX-License-Identifier: Apache-2.0
// What moves when a vCPU takes or leaves a pCPU: the VS CSRs and FP.
#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

// Everything not named is 0: reset leaves it unspecified, and zero leaks nothing.
void riscv_state_reset(RISCVVCpu *vcpu)
{
    memset(vcpu->sys, 0, sizeof(vcpu->sys));
    memset(&vcpu->fp, 0, sizeof(vcpu->fp));
    vcpu->sys[RISCV_VSSTATUS] = SSTATUS_UXL_64;
    vcpu->live = false;
    vcpu->hstatus = riscv_hstatus_base();
    vcpu->sstatus = SSTATUS_SPP;
}

// These registers act on VS and VU mode only. vsatp was 0 while hgatp changed: no walk mixes the
// tables of two guests.
void riscv_state_load(RISCVVCpu *vcpu)
{
#define LOAD(reg) RV_WRITE(reg, vcpu->sys[RISCV_##reg]);
    RISCV_VS_REGS(LOAD)
#undef LOAD
}

// An interrupt that stayed enabled in vsie would wake the host from its own WFI.
void riscv_state_save(RISCVVCpu *vcpu)
{
#define SAVE(reg) vcpu->sys[RISCV_##reg] = RV_READ(reg);
    RISCV_VS_REGS(SAVE)
#undef SAVE
    RV_WRITE(VSATP, 0);
    RV_WRITE(VSIE, 0);
    RV_WRITE(SCOUNTEREN, vcpu->percpu->host.scounteren);
    RV_WRITE(SENVCFG, vcpu->percpu->host.senvcfg);
}

uint64_t riscv_sysreg_get(const RISCVVCpu *vcpu, RISCVSysReg reg)
{
    if (vcpu->percpu == NULL) {
        return reg < RISCV_SYSREG_COUNT ? vcpu->sys[reg] : 0;
    }
#define GET(name) \
    case RISCV_##name: return RV_READ(name);
    switch (reg) {
        RISCV_VS_REGS(GET)
    case RISCV_SYSREG_COUNT: break;
    }
#undef GET
    return 0;
}

void riscv_sysreg_set(RISCVVCpu *vcpu, RISCVSysReg reg, uint64_t value)
{
    if (reg < RISCV_SYSREG_COUNT) {
        vcpu->sys[reg] = value;
    }
    if (vcpu->percpu == NULL) {
        return;
    }
#define SET(name) \
    case RISCV_##name: RV_WRITE(name, value); break;
    switch (reg) {
        RISCV_VS_REGS(SET)
    case RISCV_SYSREG_COUNT: break;
    }
#undef SET
}

// ---- controls ----

uint64_t riscv_hstatus_base(void)
{
    return HSTATUS_VSXL_64 | HSTATUS_SPV | HSTATUS_SPVP;
}

bool riscv_guest_is_supervisor(const RISCVVCpu *vcpu)
{
    return ((vcpu->live ? RV_READ(HSTATUS) : vcpu->hstatus) & HSTATUS_SPVP) != 0;
}

void riscv_set_guest_mode(RISCVVCpu *vcpu, bool supervisor)
{
    const uint64_t spvp = supervisor ? HSTATUS_SPVP : 0;
    const uint64_t spp = supervisor ? SSTATUS_SPP : 0;

    if (vcpu->live) {
        RV_WRITE(HSTATUS, (RV_READ(HSTATUS) & ~HSTATUS_SPVP) | spvp);
        RV_WRITE(SSTATUS, (RV_READ(SSTATUS) & ~SSTATUS_SPP) | spp);
        return;
    }
    vcpu->hstatus = (vcpu->hstatus & ~HSTATUS_SPVP) | spvp;
    vcpu->sstatus = (vcpu->sstatus & ~SSTATUS_SPP) | spp;
}

// ---- FP: in the registers from bind to unbind. sstatus.FS is the host's meanwhile, often Off ----

static bool fp_is_in_registers(const RISCVVCpu *vcpu)
{
    return vcpu->percpu != NULL && vcpu->percpu->features.has_fp;
}

void riscv_fp_use(RISCVVCpu *vcpu)
{
    uint64_t sstatus;

    if (!fp_is_in_registers(vcpu)) {
        return;
    }
    sstatus = RV_READ(SSTATUS);
    RV_WRITE(SSTATUS, sstatus | SSTATUS_FS_DIRTY);
    riscv_fp_load(&vcpu->fp);
    RV_WRITE(SSTATUS, sstatus);
    vcpu->sstatus = (vcpu->sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
}

void riscv_fp_peek(const RISCVVCpu *vcpu, RISCVFp *out)
{
    uint64_t sstatus;

    if (!fp_is_in_registers(vcpu)) {
        *out = vcpu->fp;
        return;
    }
    sstatus = RV_READ(SSTATUS);
    RV_WRITE(SSTATUS, sstatus | SSTATUS_FS_DIRTY);
    riscv_fp_save(out);
    RV_WRITE(SSTATUS, sstatus);
}

void riscv_fp_poke(RISCVVCpu *vcpu, const RISCVFp *fp)
{
    vcpu->fp = *fp;
    riscv_fp_use(vcpu);
}

// The guest's own FS says Dirty, too: QEMU 7.2 sets no other when fcsr is written.
static bool fp_is_dirty(const RISCVVCpu *vcpu)
{
    return (vcpu->sstatus & SSTATUS_FS) == SSTATUS_FS_DIRTY ||
           (RV_READ(VSSTATUS) & SSTATUS_FS) == SSTATUS_FS_DIRTY;
}

void riscv_fp_release(RISCVVCpu *vcpu)
{
    if (fp_is_in_registers(vcpu) && fp_is_dirty(vcpu)) {
        riscv_fp_peek(vcpu, &vcpu->fp);
    }
    vcpu->sstatus &= ~SSTATUS_FS;
}
