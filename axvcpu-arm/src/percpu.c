// SPDX-License-Identifier: Apache-2.0
#include "arm.h"
#include "arm_regs.h"

#include <string.h>

// Bits 10:0 of VBAR_EL2 are RES0: they count the pCPUs that are enabled with this value.
#define VBAR_COUNT AX_MASK(10, 0)

// Why it is global: see arm.h. Of all pCPUs in the program, because there is one vector table.
_Atomic uint64_t aarch64_host_vbar;

// X(field of Aarch64Host, register). Restored in this order.
#define HOST_REGS(X)        \
    X(ich_hcr, ICH_HCR_EL2) \
    X(hcr, HCR_EL2)         \
    X(vtcr, VTCR_EL2)       \
    X(vttbr, VTTBR_EL2)     \
    X(cptr, CPTR_EL2)       \
    X(cnthctl, CNTHCTL_EL2) \
    X(cntvoff, CNTVOFF_EL2) \
    X(mdcr, MDCR_EL2)       \
    X(mdscr, MDSCR_EL1)     \
    X(hstr, HSTR_EL2)       \
    X(vpidr, VPIDR_EL2)     \
    X(vmpidr, VMPIDR_EL2)   \
    X(vbar, VBAR_EL2)

#define FGT_REGS(X)         \
    X(hfgrtr, HFGRTR_EL2)   \
    X(hfgwtr, HFGWTR_EL2)   \
    X(hfgitr, HFGITR_EL2)   \
    X(hdfgrtr, HDFGRTR_EL2) \
    X(hdfgwtr, HDFGWTR_EL2)

#define HCX_REGS(X) X(hcrx, HCRX_EL2)

#define SAVE(field, reg)    host->field = ARM_READ(reg);
#define RESTORE(field, reg) ARM_WRITE(reg, host->field);
#define CLEAR(field, reg)   ARM_WRITE(reg, 0);

static bool claim_vbar(uint64_t vbar)
{
    uint64_t old = atomic_load_explicit(&aarch64_host_vbar, memory_order_relaxed);
    uint64_t wanted;

    do {
        const uint64_t count = old & VBAR_COUNT;

        if (count == VBAR_COUNT || (count != 0 && (old & ~VBAR_COUNT) != vbar)) {
            return false;
        }
        wanted = vbar | (count + 1);
    } while (!atomic_compare_exchange_weak_explicit(&aarch64_host_vbar, &old, wanted,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void release_vbar(void)
{
    atomic_fetch_sub_explicit(&aarch64_host_vbar, 1, memory_order_relaxed);
}

static AxError init(void *arch, AxPCpuId id, const AxVCpuHal *hal)
{
    Aarch64PerCpu *percpu = arch;

    memset(percpu, 0, sizeof(*percpu));
    percpu->hal = hal;
    percpu->id = id;
    return AX_OK;
}

// The ICH registers can be reached only with SRE set. EL3 may refuse it.
static AxError enable_gic_registers(Aarch64Host *host)
{
    host->icc_sre = ARM_READ(ICC_SRE_EL2);
    ARM_WRITE(ICC_SRE_EL2, host->icc_sre | ICC_SRE_EL2_SRE | ICC_SRE_EL2_ENABLE);
    arm_isb();
    return (ARM_READ(ICC_SRE_EL2) & ICC_SRE_EL2_SRE) != 0 ? AX_OK : AX_EFIRMWARE;
}

static void save_host(const Aarch64Features *features, Aarch64Host *host)
{
    HOST_REGS(SAVE)
    host->oslsr = ARM_READ(OSLSR_EL1);
    if (features->has_fgt) {
        FGT_REGS(SAVE)
    }
    if (features->has_hcx) {
        HCX_REGS(SAVE)
    }
}

static void restore_host(const Aarch64Features *features, const Aarch64Host *host)
{
    HOST_REGS(RESTORE)
    ARM_WRITE(OSLAR_EL1, ax_get(host->oslsr, OSLSR_EL1_OSLK));
    if (features->has_fgt) {
        FGT_REGS(RESTORE)
    }
    if (features->has_hcx) {
        HCX_REGS(RESTORE)
    }
    ARM_WRITE(ICC_SRE_EL2, host->icc_sre);
    arm_isb();
}

// Zero in the fine-grained trap registers traps what is new and would leak between guests
// (TPIDR2_EL0, SMPRI_EL1) and nothing else; zero in HCRX_EL2 turns new EL1 features off.
static void clear_extensions(const Aarch64Features *features)
{
    if (features->has_fgt) {
        FGT_REGS(CLEAR)
    }
    if (features->has_hcx) {
        HCX_REGS(CLEAR)
    }
}

// Guests share these values, so they are written once. None of them acts on the host at EL2.
static void program_traps(const Aarch64Host *host)
{
    const uint64_t events = host->cnthctl & AX_MASK(7, 2);

    ARM_WRITE(ICH_HCR_EL2, 0);
    ARM_WRITE(CNTHCTL_EL2, events | CNTHCTL_EL2_EL1PCTEN | CNTHCTL_EL2_EL1PCEN);
    ARM_WRITE(MDCR_EL2, (host->mdcr & MDCR_EL2_HPMN) | MDCR_EL2_TPMCR | MDCR_EL2_TPM |
                            MDCR_EL2_TDA | MDCR_EL2_TDOSA | MDCR_EL2_TDRA | MDCR_EL2_TPMS |
                            MDCR_EL2_TTRF);
    ARM_WRITE(MDSCR_EL1, 0);
    ARM_WRITE(OSLAR_EL1, 0); // or a guest cannot single-step
    ARM_WRITE(HSTR_EL2, 0);
    ARM_WRITE(VPIDR_EL2, ARM_READ(MIDR_EL1));
}

// Whatever ran at EL1 before (firmware, an earlier hypervisor) may have left entries.
static void flush_guest_tlb(void)
{
    arm_dsb_nsh();
    arm_tlbi_alle1();
    arm_dsb_nsh();
    arm_isb();
}

static AxError enable(void *arch)
{
    Aarch64PerCpu *percpu = arch;
    AxError error = aarch64_hardware_check(NULL);

    if (error != AX_OK) {
        return error;
    }
    if (!claim_vbar(ARM_READ(VBAR_EL2))) {
        return AX_EBUSY;
    }
    error = enable_gic_registers(&percpu->host);
    if (error != AX_OK) {
        release_vbar();
        return error;
    }
    aarch64_features_read(&percpu->features);
    save_host(&percpu->features, &percpu->host);
    program_traps(&percpu->host);
    clear_extensions(&percpu->features);
    flush_guest_tlb();
    percpu->enabled = true;
    return AX_OK;
}

static AxError disable(void *arch)
{
    Aarch64PerCpu *percpu = arch;

    restore_host(&percpu->features, &percpu->host);
    release_vbar();
    percpu->residents = (AxTagResidents){0};
    percpu->enabled = false;
    return AX_OK;
}

static AxPerCpuCaps caps(const void *arch)
{
    const Aarch64PerCpu *percpu = arch;

    return (AxPerCpuCaps){
        .ept_levels = percpu->features.pa_bits >= 44 ? 4 : 3,
        .gpa_bits = percpu->features.pa_bits,
        .tag_bits = percpu->features.vmid_bits,
    };
}

const AxArchPerCpuOps aarch64_percpu_ops = {
    .name = "aarch64",
    .init = init,
    .enable = enable,
    .disable = disable,
    .caps = caps,
};
