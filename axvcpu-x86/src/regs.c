// SPDX-License-Identifier: Apache-2.0
// The register file by number. A snapshot is what reg_ids names; the others are second names.
#include "x86.h"

typedef X86VCpu BankVCpu;
#include <axvcpu/reg_banks.inc>

static AxError get_gpr(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = vcpu->regs.gpr[n];
    return AX_OK;
}

static AxError set_gpr(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    vcpu->regs.gpr[n] = value;
    return AX_OK;
}

static AxError get_sp(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return get_gpr(vcpu, RSP + n, value);
}

static AxError set_sp(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    return set_gpr(vcpu, RSP + n, value);
}

static AxError get_return(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return get_gpr(vcpu, RAX + n, value);
}

static AxError set_return(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    return set_gpr(vcpu, RAX + n, value);
}

static const uint8_t argument_registers[AX_REG_ARG_MAX] = {RDI, RSI, RDX, R10, R8, R9};

static AxError get_argument(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    return get_gpr(vcpu, argument_registers[n], value);
}

static AxError set_argument(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    return set_gpr(vcpu, argument_registers[n], value);
}

static AxError get_pc(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->regs.rip;
    return AX_OK;
}

static AxError set_pc(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    vcpu->regs.rip = value;
    return AX_OK;
}

static AxError get_rflags(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->regs.rflags;
    return AX_OK;
}

static AxError set_rflags(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if ((value & ~(RFLAGS_WRITABLE | RFLAGS_FIXED)) != 0) {
        return AX_EINVAL;
    }
    vcpu->regs.rflags = value | RFLAGS_FIXED;
    return AX_OK;
}

static AxError get_startup(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)vcpu;
    (void)n;
    *value = 0;
    return AX_OK;
}

static AxError set_startup(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (value > 0xff) {
        return AX_EINVAL;
    }
    x86_start_at(vcpu, (uint16_t)(value << 8), 0);
    return AX_OK;
}

static AxError get_xcr0(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = x86_xcr0(vcpu);
    return AX_OK;
}

static AxError set_xcr0(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (value != XCR0_X87 && !x86_xcr0_is_valid(value)) {
        return AX_EINVAL;
    }
    x86_set_xcr0(vcpu, value);
    return AX_OK;
}

static AxError get_tsc_offset(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->timer.tsc_offset;
    return AX_OK;
}

static AxError set_tsc_offset(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    x86_set_tsc_offset(vcpu, value);
    return AX_OK;
}

static AxError get_system_time(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->system_time;
    return AX_OK;
}

static AxError set_system_time(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    vcpu->system_time = value;
    return AX_OK;
}

static AxError get_tsc_adjust(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->timer.tsc_adjust;
    return AX_OK;
}

static AxError set_tsc_adjust(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    vcpu->timer.tsc_adjust = value;
    return AX_OK;
}

static AxError get_apic_base(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->lapic.base;
    return AX_OK;
}

static AxError set_apic_base(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    return x86_set_apic_base(vcpu, value) ? AX_OK : AX_EINVAL;
}

static AxError get_activity(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    (void)n;
    *value = vcpu->activity;
    return AX_OK;
}

static AxError set_activity(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    (void)n;
    if (value >= X86_ACTIVITY_COUNT) {
        return AX_EINVAL;
    }
    vcpu->activity = (uint8_t)value;
    return AX_OK;
}

static AxError get_dr(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    uint64_t dr[4];

    x86_debug_get(vcpu, dr);
    *value = dr[n];
    return AX_OK;
}

static AxError set_dr(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    uint64_t dr[4];

    x86_debug_get(vcpu, dr);
    dr[n] = value;
    x86_debug_set(vcpu, dr);
    return AX_OK;
}

static AxError get_field(const X86VCpu *vcpu, uint32_t n, uint64_t *value)
{
    *value = x86_read(vcpu, (X86Field)n);
    return AX_OK;
}

// Bits that may be set: a value beyond is refused, whatever the other registers are.
static const struct {
    X86Field field;
    uint64_t allowed;
} limits[] = {
    {X86_FIELD_CR0, UINT64_C(0xe005003f)},
    {X86_FIELD_CR4, CR4_OFFERED},
    {X86_FIELD_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE},
    {X86_FIELD_DR6, UINT32_MAX},
    {X86_FIELD_DR7, UINT32_MAX},
    {X86_FIELD_GDTR_LIMIT, 0xffff},
    {X86_FIELD_IDTR_LIMIT, 0xffff},
    {X86_FIELD_SFMASK, UINT32_MAX},
};

#define FIRST_SEGMENT_FIELD X86_FIELD_ES_SELECTOR

// Selector, attributes, limit, base.
static const uint64_t segment_limits[] = {0xffff, 0xfff, UINT32_MAX, UINT64_MAX};

static uint64_t allowed_bits(X86Field field)
{
    if (field >= FIRST_SEGMENT_FIELD) {
        return segment_limits[(field - FIRST_SEGMENT_FIELD) % 4];
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i].field == field) {
            return limits[i].allowed;
        }
    }
    return UINT64_MAX;
}

// What the host's own WRMSR, or an entry, would refuse.
static bool is_address(X86Field field)
{
    static const X86Field addresses[] = {
        X86_FIELD_GDTR_BASE, X86_FIELD_IDTR_BASE, X86_FIELD_SYSENTER_ESP,   X86_FIELD_SYSENTER_EIP,
        X86_FIELD_LSTAR,     X86_FIELD_CSTAR,     X86_FIELD_KERNEL_GS_BASE, X86_FIELD_FS_BASE,
        X86_FIELD_GS_BASE,   X86_FIELD_LDTR_BASE, X86_FIELD_TR_BASE,
    };

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        if (addresses[i] == field) {
            return true;
        }
    }
    return false;
}

static bool is_taken(X86Field field, uint64_t value)
{
    if (field == X86_FIELD_PAT) {
        return x86_pat_is_valid(value);
    }
    return (value & ~allowed_bits(field)) == 0 && (!is_address(field) || x86_is_canonical(value));
}

static AxError set_field(X86VCpu *vcpu, uint32_t n, uint64_t value)
{
    if (!is_taken((X86Field)n, value)) {
        return AX_EINVAL;
    }
    x86_write(vcpu, (X86Field)n, value);
    return AX_OK;
}

static const Bank banks[] = {
    {AX_REG_GPR(0), 16, get_gpr, set_gpr},
    {AX_REG_PC, 1, get_pc, set_pc},
    {AX_REG_SP, 1, get_sp, set_sp},
    {AX_REG_RETURN, 1, get_return, set_return},
    {AX_REG_ARG(0), AX_REG_ARG_MAX, get_argument, set_argument},
    {X86_REG_RFLAGS, 1, get_rflags, set_rflags},
    {X86_REG_STARTUP, 1, get_startup, set_startup},
    {X86_REG_XCR0, 1, get_xcr0, set_xcr0},
    {X86_REG_TSC_OFFSET, 1, get_tsc_offset, set_tsc_offset},
    {X86_REG_APIC_BASE, 1, get_apic_base, set_apic_base},
    {X86_REG_SYSTEM_TIME, 1, get_system_time, set_system_time},
    {X86_REG_TSC_ADJUST, 1, get_tsc_adjust, set_tsc_adjust},
    {X86_REG_ACTIVITY, 1, get_activity, set_activity},
    {X86_REG_DR(0), 4, get_dr, set_dr},
    {X86_REG_FIELD(0), X86_FIELD_COUNT, get_field, set_field},
    {X86_REG_APIC(0), X86_APIC_REG_COUNT, x86_apic_get, x86_apic_set},
    {X86_REG_FP(0), X86_FP_WORDS, x86_fp_get, x86_fp_set},
};

AxError x86_get_reg(const void *arch, AxRegId reg, uint64_t *value)
{
    return banks_get(BANKS_OF(banks), arch, reg, value);
}

AxError x86_set_reg(void *arch, AxRegId reg, uint64_t value)
{
    return banks_set(BANKS_OF(banks), arch, reg, value);
}

#define ID_FIELD(name) X86_REG_FIELD(X86_FIELD_##name),

// The order of set_regs.
const AxRegId x86_reg_ids[] = {
    AX_REG_IDS_16(AX_REG_GPR, 0),
    AX_REG_PC,
    X86_REG_RFLAGS,
    X86_REG_XCR0,
    X86_REG_TSC_OFFSET,
    X86_REG_APIC_BASE,
    X86_REG_SYSTEM_TIME,
    X86_REG_ACTIVITY,
    X86_REG_TSC_ADJUST,
    AX_REG_IDS_4(X86_REG_DR, 0),
    X86_FIELDS(ID_FIELD) // each with its comma
    AX_REG_IDS_16(X86_REG_APIC, 0),
    AX_REG_IDS_8(X86_REG_APIC, 16),
    AX_REG_IDS_4(X86_REG_APIC, 24),
    X86_REG_APIC(28),
    X86_REG_APIC(29),
    AX_REG_IDS_32(X86_REG_FP, 0),
    AX_REG_IDS_32(X86_REG_FP, 32),
    AX_REG_IDS_32(X86_REG_FP, 64),
    AX_REG_IDS_8(X86_REG_FP, 96),
};

static_assert(X86_REG_TSC_ADJUST < X86_REG_DR(0), "ids by name come before the banks");
static_assert(sizeof(x86_reg_ids) / sizeof(x86_reg_ids[0]) == X86_REG_ID_COUNT,
              "the count that the ops table gives");
