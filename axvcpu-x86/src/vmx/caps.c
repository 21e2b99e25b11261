// SPDX-License-Identifier: Apache-2.0
// Capabilities of VMX (SDM volume 3, appendix A): what guests need, and the controls that follow.
#include "vmx/entry_check.h"
#include "vmx/vmx.h"

#define CPUID_1_ECX_VMX X86_BIT(5)
#define TAG_BITS        16u
// Used together or not at all.
#define APICV \
    (SECONDARY_X2APIC_MODE | SECONDARY_APIC_REGISTERS | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)

typedef enum Group {
    GROUP_PIN,
    GROUP_PRIMARY,
    GROUP_SECONDARY,
    GROUP_EXIT,
    GROUP_ENTRY,
} Group;

typedef enum Use {
    USE_ALWAYS,
    USE_SOMETIMES, // on and off by windows, setup and the guest's mode
    USE_IF_THERE,
    USE_NEVER, // the processor must not insist
} Use;

// Each control that matters. Control registers but for a few bits, INVLPG, RDTSC, debug registers and
// PAUSE are the guest's own.
static const struct {
    uint8_t group;
    uint8_t use;
    uint32_t bit;
    const char *reason; // to be unfit
} needs[] = {
    {GROUP_PRIMARY, USE_ALWAYS, (uint32_t)PRIMARY_SECONDARY_CONTROLS,
     "this CPU's VMX has no EPT: it is too old"},
    {GROUP_SECONDARY, USE_ALWAYS, SECONDARY_EPT, "this CPU's VMX has no EPT"},
    {GROUP_SECONDARY, USE_ALWAYS, SECONDARY_UNRESTRICTED_GUEST,
     "this CPU's VMX has no unrestricted guests: real mode does not work"},
    {GROUP_SECONDARY, USE_IF_THERE, SECONDARY_VPID, NULL},
    {GROUP_SECONDARY, USE_IF_THERE, SECONDARY_INVPCID, NULL},
    {GROUP_SECONDARY, USE_IF_THERE, SECONDARY_APIC_REGISTERS | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY,
     NULL},
    {GROUP_PIN, USE_ALWAYS, PIN_EXTERNAL_INTERRUPT_EXITING,
     "this CPU's VMX has no exits by interrupts"},
    {GROUP_PIN, USE_ALWAYS, PIN_NMI_EXITING, "this CPU's VMX has no exits by NMIs"},
    {GROUP_PIN, USE_IF_THERE, PIN_PREEMPTION_TIMER, NULL},
    {GROUP_PIN, USE_ALWAYS, PIN_VIRTUAL_NMIS, "this CPU's VMX has no virtual NMIs"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_TSC_OFFSETTING, "this CPU's VMX has no TSC offset"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_TPR_SHADOW, "this CPU's VMX has no TPR shadow"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_MSR_BITMAPS, "this CPU's VMX has no MSR bitmaps"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_UNCONDITIONAL_IO_EXITING,
     "this CPU's VMX has no exits by ports"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_MWAIT_EXITING, "this CPU's VMX has no exits by MWAIT"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_MONITOR_EXITING, "this CPU's VMX has no exits by MONITOR"},
    {GROUP_PRIMARY, USE_ALWAYS, PRIMARY_RDPMC_EXITING, "this CPU's VMX has no exits by RDPMC"},
    {GROUP_PRIMARY, USE_SOMETIMES, PRIMARY_HLT_EXITING, "this CPU's VMX has no exits by HLT"},
    {GROUP_PRIMARY, USE_SOMETIMES, PRIMARY_INTERRUPT_WINDOW_EXITING,
     "this CPU's VMX has no interrupt windows"},
    {GROUP_PRIMARY, USE_SOMETIMES, PRIMARY_NMI_WINDOW_EXITING, "this CPU's VMX has no NMI windows"},
    {GROUP_PRIMARY, USE_NEVER, PRIMARY_CR3_LOAD_EXITING | PRIMARY_CR3_STORE_EXITING,
     "this CPU's VMX insists on exits by CR3: it has no true controls"},
    {GROUP_PRIMARY, USE_NEVER, PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING,
     "this CPU's VMX insists on exits by CR8"},
    {GROUP_PRIMARY, USE_NEVER,
     PRIMARY_INVLPG_EXITING | PRIMARY_RDTSC_EXITING | PRIMARY_MOV_DR_EXITING |
         PRIMARY_PAUSE_EXITING,
     "this CPU's VMX insists on exits by INVLPG, RDTSC, MOV DR or PAUSE"},
    {GROUP_EXIT, USE_ALWAYS, EXIT_HOST_ADDRESS_SPACE_SIZE,
     "this CPU's VMX has no hosts in 64-bit mode"},
    {GROUP_EXIT, USE_ALWAYS, EXIT_SAVE_DEBUG_CONTROLS, "this CPU's VMX cannot save DR7"},
    {GROUP_EXIT, USE_ALWAYS, EXIT_SAVE_PAT | EXIT_LOAD_PAT, "this CPU's VMX cannot switch PAT"},
    {GROUP_EXIT, USE_ALWAYS, EXIT_SAVE_EFER | EXIT_LOAD_EFER, "this CPU's VMX cannot switch EFER"},
    {GROUP_ENTRY, USE_ALWAYS, ENTRY_LOAD_DEBUG_CONTROLS, "this CPU's VMX cannot load DR7"},
    {GROUP_ENTRY, USE_ALWAYS, ENTRY_LOAD_PAT, "this CPU's VMX cannot load PAT"},
    {GROUP_ENTRY, USE_ALWAYS, ENTRY_LOAD_EFER, "this CPU's VMX cannot load EFER"},
    {GROUP_ENTRY, USE_SOMETIMES, ENTRY_IA32E_MODE_GUEST,
     "this CPU's VMX has no guests in 64-bit mode"},
};

#define NEED_COUNT (sizeof(needs) / sizeof(needs[0]))

// Bits 31:0 must be 1, bits 63:32 may be.
static uint64_t allowed_in(const VmxAllowed *allowed, Group group)
{
    const uint64_t groups[] = {
        [GROUP_PIN] = allowed->pin,     [GROUP_PRIMARY] = allowed->primary,
        [GROUP_EXIT] = allowed->exit,   [GROUP_SECONDARY] = allowed->secondary,
        [GROUP_ENTRY] = allowed->entry,
    };

    return groups[group];
}

static bool is_met(const VmxAllowed *allowed, size_t n)
{
    const uint64_t bits = allowed_in(allowed, (Group)needs[n].group);

    switch ((Use)needs[n].use) {
    case USE_IF_THERE: return true;
    case USE_NEVER: return (bits & needs[n].bit) == 0;
    default: return (bits >> 32 & needs[n].bit) == needs[n].bit;
    }
}

// What must be 1 is, what guests have always is where it may be.
static uint32_t controls(const VmxAllowed *allowed, Group group)
{
    const uint64_t bits = allowed_in(allowed, group);
    uint32_t wanted = 0;

    for (size_t i = 0; i < NEED_COUNT; i++) {
        if (needs[i].group == group &&
            (needs[i].use == USE_ALWAYS || needs[i].use == USE_IF_THERE)) {
            wanted |= needs[i].bit;
        }
    }
    return (uint32_t)bits | (wanted & (uint32_t)(bits >> 32));
}

void vmx_features(X86Features *out)
{
    VmxAllowed allowed;

    vmx_allowed_read(&allowed);
    out->tag_bits = TAG_BITS;
    out->has_next_rip = true;
    out->controls = (X86VmxControls){
        .pin = controls(&allowed, GROUP_PIN),
        .primary = controls(&allowed, GROUP_PRIMARY),
        .secondary = controls(&allowed, GROUP_SECONDARY),
        .exit = controls(&allowed, GROUP_EXIT),
        .entry = controls(&allowed, GROUP_ENTRY),
    };
    out->ept_vpid_cap = allowed.ept_vpid_cap;
    out->has_apicv = (allowed.secondary >> 32 & APICV) == APICV;
    if (!out->has_apicv) {
        out->controls.secondary &= ~(uint32_t)APICV | (uint32_t)allowed.secondary;
    }
    out->has_flush_by_tag = (out->controls.secondary & SECONDARY_VPID) != 0;
    out->cr4 &= allowed.cr4_fixed1;
    out->tsc_ratio_bits = (allowed.secondary >> 32 & SECONDARY_TSC_SCALING) != 0 ? 48 : 0;
    out->preemption_shift = (uint8_t)(allowed.misc & VMX_MISC_PREEMPTION_SHIFT);
}

// ---- why not ----

static bool has_vmx(void)
{
    return (x86_hw_cpuid(1, 0).ecx & CPUID_1_ECX_VMX) != 0;
}

// Unlocked is good: enable sets what is missing, and locks it.
static bool is_unlocked(void)
{
    const uint64_t control = X86_READ(FEATURE_CONTROL);

    return (control & FEATURE_CONTROL_LOCK) == 0 ||
           (control & FEATURE_CONTROL_VMX_OUTSIDE_SMX) != 0;
}

static bool has_good_ept(const VmxAllowed *allowed)
{
    const uint64_t all = EPT_CAP_4_LEVELS | EPT_CAP_WRITE_BACK | EPT_CAP_UNCACHEABLE | EPT_CAP_2M |
                         EPT_CAP_INVEPT;
    const uint64_t cap = allowed->ept_vpid_cap;

    return (cap & all) == all && (cap & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)) != 0;
}

static bool can_flush_vpids(const VmxAllowed *allowed)
{
    const uint64_t cap = allowed->ept_vpid_cap;

    return (controls(allowed, GROUP_SECONDARY) & SECONDARY_VPID) == 0 ||
           ((cap & EPT_CAP_INVVPID) != 0 &&
            (cap & (EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL)) != 0);
}

static AxError unfit(const char **reason, AxError error, const char *text)
{
    *reason = text;
    return error;
}

static AxError check_capabilities(const char **reason)
{
    VmxAllowed allowed;

    vmx_allowed_read(&allowed);
    for (size_t i = 0; i < NEED_COUNT; i++) {
        if (!is_met(&allowed, i)) {
            return unfit(reason, AX_ENOHW, needs[i].reason);
        }
    }
    if (!has_good_ept(&allowed)) {
        return unfit(reason, AX_ENOHW,
                     "this CPU's EPT lacks four levels, write-back or uncacheable memory, 2 MiB "
                     "pages or INVEPT");
    }
    return can_flush_vpids(&allowed)
               ? AX_OK
               : unfit(reason, AX_ENOHW, "this CPU's VMX has VPIDs but no INVVPID for them");
}

// The MSRs behind each check exist when the one before holds.
AxError vmx_check(const char **reason)
{
    const char *ignored;
    const char **out = reason != NULL ? reason : &ignored;

    if (!has_vmx()) {
        return unfit(out, AX_ENOHW, "this CPU has no VMX");
    }
    if (!is_unlocked()) {
        return unfit(out, AX_EFIRMWARE,
                     "VMX is locked off in IA32_FEATURE_CONTROL: enable VMX (VT-x) in the "
                     "firmware's setup");
    }
    return check_capabilities(out);
}
