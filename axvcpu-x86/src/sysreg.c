// SPDX-License-Identifier: Apache-2.0
// MSRs that exit: a table says what each of them does. The others leave as SYSREG_READ and
// SYSREG_WRITE, for whoever claims them; nobody does, so they are #GP.
#include "x86.h"

#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_NXE)
// Fast strings; neither branch trace store nor event-based sampling.
#define MISC_ENABLE (X86_BIT(0) | X86_BIT(11) | X86_BIT(12))

typedef struct Msr {
    uint32_t first;
    uint32_t last;
    bool (*read)(const X86VCpu *vcpu, uint32_t number, uint64_t *value); // false: #GP
    bool (*write)(X86VCpu *vcpu, uint32_t number, uint64_t value);
} Msr;

static bool read_zero(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)vcpu;
    (void)number;
    *value = 0;
    return true;
}

static bool write_nothing(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)vcpu;
    (void)number;
    (void)value;
    return true;
}

static bool read_tsc(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = x86_guest_tsc(vcpu);
    return true;
}

// Also what IA32_TSC_ADJUST counts (SDM volume 3, 18.17.3).
static void move_tsc(X86VCpu *vcpu, uint64_t distance)
{
    vcpu->timer.tsc_adjust += distance;
    x86_set_tsc_offset(vcpu, vcpu->timer.tsc_offset + distance);
}

static bool write_tsc(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    move_tsc(vcpu, value - x86_guest_tsc(vcpu));
    return true;
}

static bool read_tsc_adjust(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = vcpu->timer.tsc_adjust;
    return true;
}

static bool write_tsc_adjust(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    move_tsc(vcpu, value - vcpu->timer.tsc_adjust);
    return true;
}

static bool read_apic_base(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = vcpu->lapic.base;
    return true;
}

static bool write_apic_base(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    return x86_write_apic_base(vcpu, value);
}

static bool read_deadline(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = x86_timer_tsc_deadline(vcpu);
    return true;
}

static bool write_deadline(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    x86_timer_set_tsc_deadline(vcpu, value);
    return true;
}

static bool read_system_time(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = vcpu->system_time;
    return true;
}

static bool write_system_time(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    return x86_set_system_time(vcpu, value);
}

static bool write_wall_clock(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    return x86_set_wall_clock(vcpu, value);
}

static bool read_misc_enable(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)vcpu;
    (void)number;
    *value = MISC_ENABLE;
    return true;
}

static bool read_pat(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = x86_read(vcpu, X86_FIELD_PAT);
    return true;
}

// Types 2, 3 and what is beyond 7 are reserved in each of the eight bytes.
bool x86_pat_is_valid(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++, value >>= 8) {
        const unsigned type = (unsigned)value & 0xff;

        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

static bool write_pat(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    (void)number;
    if (!x86_pat_is_valid(value)) {
        return false;
    }
    x86_write(vcpu, X86_FIELD_PAT, value);
    return true;
}

static bool read_efer(const X86VCpu *vcpu, uint32_t number, uint64_t *value)
{
    (void)number;
    *value = x86_read(vcpu, X86_FIELD_EFER);
    return true;
}

// LMA is read-only and ignored; LME does not change while paging is on.
static bool write_efer(X86VCpu *vcpu, uint32_t number, uint64_t value)
{
    const uint64_t old = x86_read(vcpu, X86_FIELD_EFER);

    (void)number;
    if ((value & ~(EFER_GUEST | EFER_LMA)) != 0 ||
        (((value ^ old) & EFER_LME) != 0 && (x86_read(vcpu, X86_FIELD_CR0) & CR0_PG) != 0)) {
        return false;
    }
    x86_write(vcpu, X86_FIELD_EFER, (value & EFER_GUEST) | (old & EFER_LMA));
    return true;
}

// What guests touch although CPUID does not offer it; see the notes on Linux in the documentation.
static const Msr msrs[] = {
    {MSR_TSC, MSR_TSC, read_tsc, write_tsc},
    {0x17, 0x17, read_zero, NULL}, // IA32_PLATFORM_ID
    {MSR_APIC_BASE, MSR_APIC_BASE, read_apic_base, write_apic_base},
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust},
    {MSR_BIOS_SIGN, MSR_BIOS_SIGN, read_zero, write_nothing},
    {MSR_MTRR_CAP, MSR_MTRR_CAP, read_zero, NULL},
    {MSR_MCG_CAP, MSR_MCG_CAP + 1, read_zero, write_nothing},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_nothing},
    {MSR_PAT, MSR_PAT, read_pat, write_pat},
    {MSR_MTRR_TYPE, MSR_MTRR_TYPE, read_zero, write_nothing},
    {MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, read_deadline, write_deadline},
    {MSR_WALL_CLOCK, MSR_WALL_CLOCK, read_zero, write_wall_clock},
    {MSR_SYSTEM_TIME, MSR_SYSTEM_TIME, read_system_time, write_system_time},
    {MSR_EFER, MSR_EFER, read_efer, write_efer},
    {0xc0010000, 0xc0010007, read_zero, write_nothing}, // performance counters of AMD
    {0xc0010010, 0xc0010010, read_zero, NULL},          // SYSCFG
    {0xc0010015, 0xc0010015, read_zero, write_nothing}, // HWCR
    {0xc0010055, 0xc0010055, read_zero, NULL},          // interrupt pending message
    {0xc001001f, 0xc001001f, read_zero, write_nothing}, // NB_CFG
    {0xc0010114, 0xc0010114, read_zero, NULL},          // VM_CR
    {0xc0010140, 0xc0010141, read_zero, NULL},          // OSVW
    {0xc0011020, 0xc001102f, read_zero, write_nothing}, // chicken bits of AMD
};

static const Msr *find(uint32_t number)
{
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        if (number >= msrs[i].first && number <= msrs[i].last) {
            return &msrs[i];
        }
    }
    return NULL;
}

// ---- the exits ----

static X86Next refuse(X86VCpu *vcpu)
{
    x86_inject_gp(vcpu);
    return X86_RESUME;
}

static X86Next handle_read(X86VCpu *vcpu, const Msr *msr, uint32_t number)
{
    uint64_t value;

    if (msr->read == NULL || !msr->read(vcpu, number, &value)) {
        return refuse(vcpu);
    }
    x86_set_edx_eax(vcpu, value);
    x86_advance(vcpu, vcpu->exit.length);
    return X86_RESUME;
}

static X86Next handle_write(X86VCpu *vcpu, const Msr *msr, uint32_t number)
{
    if (msr->write == NULL || !msr->write(vcpu, number, x86_edx_eax(vcpu))) {
        return refuse(vcpu);
    }
    x86_advance(vcpu, vcpu->exit.length);
    return X86_RESUME;
}

// What may be set in the APIC's registers as MSRs, where reserved bits are #GP (SDM volume 3,
// 11.12.1.3). Those that the processor sets in the LVT and in ICR are not reserved.
static const struct {
    uint16_t first;
    uint16_t last;
    uint64_t bits;
} x2apic_bits[] = {
    {0x080, 0x080, 0xff},                         // TPR
    {0x0b0, 0x0b0, 0},                            // EOI
    {0x0f0, 0x0f0, 0x1ff},                        // SVR
    {0x280, 0x280, 0},                            // ESR
    {0x300, 0x300, UINT64_C(0xffffffff000cdfff)}, // ICR
    {0x320, 0x370, 0x757ff},                      // LVT
    {0x380, 0x380, UINT32_MAX},                   // initial count of the timer
    {0x3e0, 0x3e0, 0xb},                          // its divider
    {0x3f0, 0x3f0, 0xff},                         // SELF IPI
};

static bool x2apic_may_write(uint32_t offset, uint64_t value)
{
    for (size_t i = 0; i < sizeof(x2apic_bits) / sizeof(x2apic_bits[0]); i++) {
        if (offset >= x2apic_bits[i].first && offset <= x2apic_bits[i].last) {
            return (value & ~x2apic_bits[i].bits) == 0;
        }
    }
    return false;
}

// ICR (830) is one register of 64 bits here; what was its upper half (310) is not there.
static X86Next handle_x2apic(X86VCpu *vcpu, uint32_t number, AxVCpuExit *exit)
{
    const uint32_t offset = (number - MSR_X2APIC) << 4;
    X86Next next = X86_RESUME;
    uint64_t value;

    if (!x86_lapic_is_x2apic(vcpu) || offset == 0x310) {
        return refuse(vcpu);
    }
    if (!vcpu->exit.msr.write) {
        if (!x86_lapic_read(vcpu, offset, &value)) {
            return refuse(vcpu);
        }
        x86_set_edx_eax(vcpu, value);
    } else if (!x2apic_may_write(offset, x86_edx_eax(vcpu)) ||
               !x86_lapic_write(vcpu, offset, x86_edx_eax(vcpu), exit, &next)) {
        return refuse(vcpu);
    }
    x86_advance(vcpu, vcpu->exit.length);
    return next;
}

static X86Next leave(const X86VCpu *vcpu, uint32_t number, AxVCpuExit *exit)
{
    const bool is_write = vcpu->exit.msr.write;

    *exit = (AxVCpuExit){
        .reason = is_write ? AX_EXIT_SYSREG_WRITE : AX_EXIT_SYSREG_READ,
        .sysreg = {.addr = {number}, .value = is_write ? x86_edx_eax(vcpu) : 0, .reg = RAX},
    };
    return X86_LEAVE;
}

X86Next x86_handle_msr(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const uint32_t number = (uint32_t)vcpu->regs.gpr[RCX];
    const Msr *msr = find(number);

    if (number >= MSR_X2APIC && number <= MSR_X2APIC_LAST) {
        return handle_x2apic(vcpu, number, exit);
    }
    if (msr == NULL) {
        return leave(vcpu, number, exit);
    }
    return vcpu->exit.msr.write ? handle_write(vcpu, msr, number) : handle_read(vcpu, msr, number);
}

AxError x86_complete_msr(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    if (exit->reason == AX_EXIT_SYSREG_READ) {
        x86_set_edx_eax(vcpu, value);
    }
    x86_advance(vcpu, vcpu->exit.length);
    return AX_OK;
}
