// SPDX-License-Identifier: Apache-2.0
#include "arm.h"
#include "arm_regs.h"

static bool has_el2(void)
{
    return ax_get(ARM_READ(ID_AA64PFR0_EL1), ID_AA64PFR0_EL1_EL2) != 0;
}

static bool is_at_el2(void)
{
    return ax_get(ARM_READ(CurrentEL), CURRENTEL_EL) == 2;
}

static bool is_nvhe(void)
{
    return (ARM_READ(HCR_EL2) & HCR_EL2_E2H) == 0;
}

static bool has_aarch64_el1(void)
{
    return ax_get(ARM_READ(ID_AA64PFR0_EL1), ID_AA64PFR0_EL1_EL1) != 0;
}

static bool has_gic_registers(void)
{
    return ax_get(ARM_READ(ID_AA64PFR0_EL1), ID_AA64PFR0_EL1_GIC) != 0;
}

// TGran4_2 speaks for stage 2: 0 = as stage 1, 1 = none, 2 and above = there.
static bool has_4k_stage2(void)
{
    const uint64_t mmfr0 = ARM_READ(ID_AA64MMFR0_EL1);
    const uint64_t tgran4_2 = ax_get(mmfr0, ID_AA64MMFR0_EL1_TGRAN4_2);

    return tgran4_2 == 0 ? ax_get(mmfr0, ID_AA64MMFR0_EL1_TGRAN4) != 0xf : tgran4_2 != 1;
}

// In this order: HCR_EL2 may not be read before the exception level is known.
static const struct {
    bool (*holds)(void);
    AxError error;
    const char *reason;
} requirements[] = {
    {has_el2, AX_ENOHW, "this CPU does not implement EL2"},
    {is_at_el2, AX_EPRIVILEGE, "the host does not run at EL2"},
    {is_nvhe, AX_ENOTSUP, "the host runs with HCR_EL2.E2H set; only E2H = 0 is supported"},
    {has_aarch64_el1, AX_ENOTSUP, "EL1 of this CPU is AArch32 only"},
    {has_gic_registers, AX_ENOTSUP, "this CPU has no GICv3 system registers"},
    {has_4k_stage2, AX_ENOTSUP, "stage 2 of this CPU has no 4 KiB granule"},
};

AxError aarch64_hardware_check(const char **reason)
{
    for (size_t i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
        if (requirements[i].holds()) {
            continue;
        }
        if (reason != NULL) {
            *reason = requirements[i].reason;
        }
        return requirements[i].error;
    }
    return AX_OK;
}

// ID_AA64MMFR0_EL1.PARange. Beyond 48 bits FEAT_LPA2 would be needed, which is not used.
static uint8_t pa_bits(void)
{
    static const uint8_t bits[] = {32, 36, 40, 42, 44, 48};
    const uint64_t range = ax_get(ARM_READ(ID_AA64MMFR0_EL1), ID_AA64MMFR0_EL1_PARANGE);

    return range < sizeof(bits) ? bits[range] : 48;
}

static uint8_t list_register_count(uint64_t vtr)
{
    const uint64_t count = ax_get(vtr, ICH_VTR_LISTREGS) + 1;

    return (uint8_t)(count < AARCH64_LR_MAX ? count : AARCH64_LR_MAX);
}

// One register per 32 preemption levels (IHI 0069 12.4.1).
static uint8_t active_priority_count(uint64_t vtr)
{
    const uint64_t preemption_bits = ax_get(vtr, ICH_VTR_PREBITS) + 1;

    return preemption_bits <= 5 ? 1 : preemption_bits == 6 ? 2 : AARCH64_APR_MAX;
}

void aarch64_features_read(Aarch64Features *features)
{
    const uint64_t mmfr0 = ARM_READ(ID_AA64MMFR0_EL1);
    const uint64_t mmfr1 = ARM_READ(ID_AA64MMFR1_EL1);
    const uint64_t vtr = ARM_READ(ICH_VTR_EL2);

    *features = (Aarch64Features){
        .pa_bits = pa_bits(),
        .vmid_bits = ax_get(mmfr1, ID_AA64MMFR1_EL1_VMIDBITS) == 2 ? 16 : 8,
        .lr_count = list_register_count(vtr),
        .apr_count = active_priority_count(vtr),
        .has_fgt = (mmfr0 & ID_AA64MMFR0_EL1_FGT) != 0,
        .has_hcx = (mmfr1 & ID_AA64MMFR1_EL1_HCX) != 0,
    };
}
