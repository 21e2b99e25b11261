// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

// X(field of RISCVHost, CSR). Restored in this order: hie means the host's own bits again when
// nothing is delegated.
#define HOST_REGS(X)          \
    X(hideleg, HIDELEG)       \
    X(hedeleg, HEDELEG)       \
    X(hie, HIE)               \
    X(hvip, HVIP)             \
    X(hstatus, HSTATUS)       \
    X(hcounteren, HCOUNTEREN) \
    X(henvcfg, HENVCFG)       \
    X(htimedelta, HTIMEDELTA) \
    X(hgatp, HGATP)           \
    X(scounteren, SCOUNTEREN) \
    X(senvcfg, SENVCFG)

#define SSTC_REGS(X)    X(vstimecmp, VSTIMECMP)
#define STATEEN_REGS(X) X(hstateen0, HSTATEEN0)

#define SAVE(field, reg)    host->field = RV_READ(reg);
#define RESTORE(field, reg) RV_WRITE(reg, host->field);

// Exceptions that the guest handles itself: all that VS mode can have but those that are ours, guest
// page faults, virtual instructions and calls from VS. Not each of them can be written everywhere;
// the others are reflected.
#define DELEGATED_EXCEPTIONS                                                                      \
    (AX_BIT(CAUSE_FETCH_MISALIGNED) | AX_BIT(CAUSE_FETCH_ACCESS) |                                \
     AX_BIT(CAUSE_ILLEGAL_INSTRUCTION) | AX_BIT(CAUSE_BREAKPOINT) |                               \
     AX_BIT(CAUSE_LOAD_MISALIGNED) | AX_BIT(CAUSE_LOAD_ACCESS) | AX_BIT(CAUSE_STORE_MISALIGNED) | \
     AX_BIT(CAUSE_STORE_ACCESS) | AX_BIT(CAUSE_ECALL_U) | AX_BIT(CAUSE_FETCH_PAGE) |              \
     AX_BIT(CAUSE_LOAD_PAGE) | AX_BIT(CAUSE_STORE_PAGE))

static AxError init(void *arch, AxPCpuId id, const AxVCpuHal *hal)
{
    RISCVPerCpu *percpu = arch;

    memset(percpu, 0, sizeof(*percpu));
    percpu->hal = hal;
    percpu->id = id;
    return AX_OK;
}

static void save_host(const RISCVFeatures *features, RISCVHost *host)
{
    HOST_REGS(SAVE)
    if (features->has_sstc) {
        SSTC_REGS(SAVE)
    }
    if (features->has_stateen) {
        STATEEN_REGS(SAVE)
    }
}

static void restore_host(const RISCVFeatures *features, const RISCVHost *host)
{
    if (features->has_stateen) {
        STATEEN_REGS(RESTORE)
    }
    if (features->has_sstc) {
        SSTC_REGS(RESTORE)
    }
    HOST_REGS(RESTORE)
}

// Guests share these values, so they are written once. None of them acts on the host. Counters but
// the three that every guest may read stay hidden; so does what senvcfg cannot switch (hstateen0).
static void program_traps(const RISCVFeatures *features)
{
    RV_WRITE(HEDELEG, DELEGATED_EXCEPTIONS);
    RV_WRITE(HIDELEG, HIP_VS);
    RV_WRITE(HIE, 0);
    RV_WRITE(HVIP, 0);
    RV_WRITE(HCOUNTEREN, HCOUNTEREN_CY | HCOUNTEREN_TM | HCOUNTEREN_IR);
    RV_WRITE(HENVCFG, features->has_sstc ? HENVCFG_STCE : 0);
    if (features->has_sstc) {
        RV_WRITE(VSTIMECMP, UINT64_MAX);
    }
    if (features->has_stateen) {
        RV_WRITE(HSTATEEN0, HSTATEEN0_ENVCFG);
    }
}

// Whatever ran in VS mode before (firmware, an earlier hypervisor) may have left entries. Those of
// guests' own tables go when a VMID is first used here.
static void flush_guest_tlb(void)
{
    rv_fence();
    rv_hfence_gvma_all();
}

static AxError enable(void *arch)
{
    RISCVPerCpu *percpu = arch;
    const AxError error = riscv_hardware_check(NULL);

    if (error != AX_OK) {
        return error;
    }
    riscv_features_read(&percpu->features);
    save_host(&percpu->features, &percpu->host);
    program_traps(&percpu->features);
    flush_guest_tlb();
    percpu->enabled = true;
    return AX_OK;
}

static AxError disable(void *arch)
{
    RISCVPerCpu *percpu = arch;

    restore_host(&percpu->features, &percpu->host);
    percpu->residents = (AxTagResidents){0};
    percpu->enabled = false;
    return AX_OK;
}

static AxPerCpuCaps caps(const void *arch)
{
    const RISCVPerCpu *percpu = arch;

    return (AxPerCpuCaps){
        .ept_levels = percpu->features.gstage_levels,
        .gpa_bits = riscv_gstage_bits(percpu->features.gstage_levels),
        .tag_bits = percpu->features.vmid_bits,
    };
}

const AxArchPerCpuOps riscv_percpu_ops = {
    .name = "riscv64",
    .init = init,
    .enable = enable,
    .disable = disable,
    .caps = caps,
};
