// SPDX-License-Identifier: Apache-2.0
// The checks of a VM entry on the guest's state (SDM volume 3, 27.3), in words and in the SDM's order.
#include "vmx/view.h"

#define CR0_UNCHECKED            (CR0_NW | CR0_CD)
#define CR0_UNRESTRICTED         (CR0_PE | CR0_PG)
#define CR4_PCIDE                X86_BIT(17)
#define DEBUGCTL_DEFINED         UINT64_C(0xffc7)
#define DEBUGCTL_BTF             X86_BIT(1)
#define RFLAGS_RESERVED          (~UINT64_C(0x3fffff) | X86_BIT(15) | X86_BIT(5) | X86_BIT(3))
#define SELECTOR_RPL(selector)   ((unsigned)(selector)&3)
#define MISC_ACTIVITY(m)         ((unsigned)((m) >> 6) & 7)
#define INTERRUPTIBILITY_DEFINED UINT64_C(0x1f)
#define PENDING_DEBUG_RESERVED   (~UINT64_C(0x1ffff) | X86_BIT(15) | X86_BIT(13) | UINT64_C(0xff0))
#define PDPTE_RESERVED           UINT64_C(0x1e6)

// ---- 27.3.1.1: control registers, debug registers and MSRs of the guest ----

static bool is_unrestricted(const VmxView *v)
{
    return view_has_secondary(v, SECONDARY_UNRESTRICTED_GUEST);
}

static bool is_long_mode(const VmxView *v)
{
    return view_has(v, VMCS_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
}

static bool guest_cr0_is_allowed(const VmxView *v)
{
    const uint64_t free = CR0_UNCHECKED | (is_unrestricted(v) ? CR0_UNRESTRICTED : 0);

    return view_is_within(view_get(v, VMCS_GUEST_CR0), v->allowed.cr0_fixed0 & ~free,
                          v->allowed.cr0_fixed1 | CR0_UNCHECKED);
}

static bool guest_paging_is_protected(const VmxView *v)
{
    return !view_has(v, VMCS_GUEST_CR0, CR0_PG) || view_has(v, VMCS_GUEST_CR0, CR0_PE);
}

static bool guest_cr4_is_allowed(const VmxView *v)
{
    return view_is_within(view_get(v, VMCS_GUEST_CR4), v->allowed.cr4_fixed0,
                          v->allowed.cr4_fixed1);
}

static bool loads_debug(const VmxView *v)
{
    return view_has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool guest_debugctl_is_defined(const VmxView *v)
{
    return !loads_debug(v) || (view_get(v, VMCS_GUEST_DEBUGCTL) & ~DEBUGCTL_DEFINED) == 0;
}

static bool long_mode_has_paging(const VmxView *v)
{
    return !is_long_mode(v) || view_has(v, VMCS_GUEST_CR0, CR0_PG);
}

static bool long_mode_has_pae(const VmxView *v)
{
    return !is_long_mode(v) || view_has(v, VMCS_GUEST_CR4, CR4_PAE);
}

static bool pcids_have_long_mode(const VmxView *v)
{
    return is_long_mode(v) || !view_has(v, VMCS_GUEST_CR4, CR4_PCIDE);
}

static bool guest_cr3_is_physical(const VmxView *v)
{
    return view_is_physical(v, view_get(v, VMCS_GUEST_CR3));
}

static bool guest_dr7_is_good(const VmxView *v)
{
    return !loads_debug(v) || view_get(v, VMCS_GUEST_DR7) <= UINT32_MAX;
}

static bool guest_sysenter_is_canonical(const VmxView *v)
{
    return view_is_canonical(view_get(v, VMCS_GUEST_SYSENTER_ESP)) &&
           view_is_canonical(view_get(v, VMCS_GUEST_SYSENTER_EIP));
}

static bool guest_pat_is_good(const VmxView *v)
{
    return !view_has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_PAT) ||
           x86_pat_is_valid(view_get(v, VMCS_GUEST_PAT));
}

static bool loads_efer(const VmxView *v)
{
    return view_has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
}

static bool guest_efer_is_defined(const VmxView *v)
{
    return !loads_efer(v) || (view_get(v, VMCS_GUEST_EFER) & ~EFER_DEFINED) == 0;
}

static bool guest_efer_has_the_mode(const VmxView *v)
{
    return !loads_efer(v) || view_has(v, VMCS_GUEST_EFER, EFER_LMA) == is_long_mode(v);
}

static bool guest_efer_agrees_with_paging(const VmxView *v)
{
    return !loads_efer(v) || !view_has(v, VMCS_GUEST_CR0, CR0_PG) ||
           view_has(v, VMCS_GUEST_EFER, EFER_LMA) == view_has(v, VMCS_GUEST_EFER, EFER_LME);
}

static const VmxCheck register_checks[] = {
    {guest_cr0_is_allowed, "GUEST_CR0 is not what IA32_VMX_CR0_FIXED0 and _FIXED1 allow"},
    {guest_paging_is_protected, "GUEST_CR0 has PG without PE"},
    {guest_cr4_is_allowed, "GUEST_CR4 is not what IA32_VMX_CR4_FIXED0 and _FIXED1 allow"},
    {guest_debugctl_is_defined, "GUEST_DEBUGCTL has reserved bits"},
    {long_mode_has_paging, "GUEST_CR0 has no PG in long mode"},
    {long_mode_has_pae, "GUEST_CR4 has no PAE in long mode"},
    {pcids_have_long_mode, "GUEST_CR4 has PCIDE outside of long mode"},
    {guest_cr3_is_physical, "GUEST_CR3 has bits beyond physical addresses"},
    {guest_dr7_is_good, "GUEST_DR7 has bits above 31"},
    {guest_sysenter_is_canonical, "GUEST_SYSENTER_ESP or GUEST_SYSENTER_EIP is not canonical"},
    {guest_pat_is_good, "GUEST_PAT has a reserved memory type"},
    {guest_efer_is_defined, "GUEST_EFER has reserved bits"},
    {guest_efer_has_the_mode,
     "GUEST_EFER has LMA where ENTRY_CONTROLS has no long mode, or lacks it"},
    {guest_efer_agrees_with_paging, "GUEST_EFER has LMA and LME different with paging on"},
};

// ---- 27.3.1.2: segments ----

// As the fields are ordered.
typedef enum Segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR } Segment;

#define FIELD_OF(first, segment) ((VmcsField)((first) + 2 * (unsigned)(segment)))
static_assert(VMCS_GUEST_TR_SELECTOR == VMCS_GUEST_ES_SELECTOR + 2 * SEG_TR, "order");
static_assert(VMCS_GUEST_TR_BASE == VMCS_GUEST_ES_BASE + 2 * SEG_TR, "order");
static_assert(VMCS_GUEST_TR_LIMIT == VMCS_GUEST_ES_LIMIT + 2 * SEG_TR, "order");
static_assert(VMCS_GUEST_TR_ACCESS_RIGHTS == VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * SEG_TR, "order");

// Types of code and data segments.
#define TYPE_ACCESSED      1u
#define TYPE_READABLE      2u
#define TYPE_CODE          8u
#define TYPE_LAST_ORDINARY 11u // above: conforming code
#define TYPE_DATA          3u  // writable, accessed: of CS in a guest that is unrestricted
#define V86_RIGHTS         UINT64_C(0xf3)
#define V86_LIMIT          UINT64_C(0xffff)
#define RIGHTS_RESERVED    UINT64_C(0xfffe0f00)

static uint64_t selector(const VmxView *v, Segment s)
{
    return view_get(v, FIELD_OF(VMCS_GUEST_ES_SELECTOR, s));
}

static uint64_t base(const VmxView *v, Segment s)
{
    return view_get(v, FIELD_OF(VMCS_GUEST_ES_BASE, s));
}

static uint64_t limit(const VmxView *v, Segment s)
{
    return view_get(v, FIELD_OF(VMCS_GUEST_ES_LIMIT, s));
}

static uint64_t rights(const VmxView *v, Segment s)
{
    return view_get(v, FIELD_OF(VMCS_GUEST_ES_ACCESS_RIGHTS, s));
}

static unsigned type(const VmxView *v, Segment s)
{
    return (unsigned)(rights(v, s) & RIGHTS_TYPE);
}

static unsigned dpl(const VmxView *v, Segment s)
{
    return RIGHTS_DPL(rights(v, s));
}

static bool is_v86(const VmxView *v)
{
    return view_has(v, VMCS_GUEST_RFLAGS, RFLAGS_VM);
}

// CS and TR are used whatever the bit says.
static bool is_used(const VmxView *v, Segment s)
{
    return s == SEG_CS || s == SEG_TR || (rights(v, s) & RIGHTS_UNUSABLE) == 0;
}

static bool is_system(Segment s)
{
    return s == SEG_LDTR || s == SEG_TR;
}

static bool selector_is_good(const VmxView *v, Segment s)
{
    if (is_system(s)) {
        return !is_used(v, s) || (selector(v, s) & SELECTOR_TI) == 0;
    }
    return s != SEG_SS || is_v86(v) || is_unrestricted(v) ||
           SELECTOR_RPL(selector(v, SEG_SS)) == SELECTOR_RPL(selector(v, SEG_CS));
}

static bool base_is_good(const VmxView *v, Segment s)
{
    if (is_v86(v) && !is_system(s) && base(v, s) != selector(v, s) << 4) {
        return false;
    }
    if (s == SEG_FS || s == SEG_GS || is_system(s)) {
        return (s == SEG_LDTR && !is_used(v, s)) || view_is_canonical(base(v, s));
    }
    return !is_used(v, s) || base(v, s) <= UINT32_MAX;
}

// In the units of G.
static bool limit_is_good(const VmxView *v, Segment s)
{
    const uint64_t bytes = limit(v, s);
    const bool in_pages = (rights(v, s) & RIGHTS_G) != 0;

    if (is_v86(v) && !is_system(s)) {
        return bytes == V86_LIMIT;
    }
    return !is_used(v, s) || (in_pages ? (bytes & 0xfff) == 0xfff : bytes >> 20 == 0);
}

static bool code_type_is_good(const VmxView *v)
{
    const unsigned t = type(v, SEG_CS);

    return (t & (TYPE_CODE | TYPE_ACCESSED)) == (TYPE_CODE | TYPE_ACCESSED) ||
           (t == TYPE_DATA && is_unrestricted(v));
}

static bool system_type_is_good(const VmxView *v, Segment s)
{
    const unsigned t = type(v, s);

    if (s == SEG_LDTR) {
        return t == 2;
    }
    return t == 11 || (t == 3 && !is_long_mode(v));
}

static bool type_is_good(const VmxView *v, Segment s)
{
    const unsigned t = type(v, s);

    if ((is_v86(v) && !is_system(s)) || !is_used(v, s)) {
        return true;
    }
    switch (s) {
    case SEG_CS: return code_type_is_good(v);
    case SEG_SS: return t == 3 || t == 7;
    case SEG_LDTR:
    case SEG_TR: return system_type_is_good(v, s);
    default: return (t & TYPE_ACCESSED) != 0 && ((t & TYPE_CODE) == 0 || (t & TYPE_READABLE) != 0);
    }
}

static bool code_dpl_is_good(const VmxView *v)
{
    const unsigned t = type(v, SEG_CS);

    if (t == TYPE_DATA) {
        return dpl(v, SEG_CS) == 0;
    }
    return t <= TYPE_LAST_ORDINARY ? dpl(v, SEG_CS) == dpl(v, SEG_SS)
                                   : dpl(v, SEG_CS) <= dpl(v, SEG_SS);
}

static bool stack_dpl_is_good(const VmxView *v)
{
    const bool must_be_0 = type(v, SEG_CS) == TYPE_DATA || !view_has(v, VMCS_GUEST_CR0, CR0_PE);

    return (is_unrestricted(v) || dpl(v, SEG_SS) == SELECTOR_RPL(selector(v, SEG_SS))) &&
           (!must_be_0 || dpl(v, SEG_SS) == 0);
}

static bool dpl_is_good(const VmxView *v, Segment s)
{
    if (is_v86(v) || is_system(s)) {
        return true;
    }
    switch (s) {
    case SEG_CS: return code_dpl_is_good(v);
    case SEG_SS: return stack_dpl_is_good(v);
    default:
        return is_unrestricted(v) || !is_used(v, s) || type(v, s) > TYPE_LAST_ORDINARY ||
               dpl(v, s) >= SELECTOR_RPL(selector(v, s));
    }
}

static bool rights_are_good(const VmxView *v, Segment s)
{
    const uint64_t ones = RIGHTS_P | (is_system(s) ? 0 : RIGHTS_S);
    const uint64_t zeros = RIGHTS_RESERVED | (is_system(s) ? RIGHTS_S : 0) |
                           (s == SEG_TR ? RIGHTS_UNUSABLE : 0);

    if (is_v86(v) && !is_system(s)) {
        return rights(v, s) == V86_RIGHTS;
    }
    return !is_used(v, s) || view_is_within(rights(v, s), ones, ~zeros);
}

static bool code_size_is_good(const VmxView *v, Segment s)
{
    return s != SEG_CS || is_v86(v) || !is_long_mode(v) ||
           (rights(v, s) & (RIGHTS_L | RIGHTS_DB)) != (RIGHTS_L | RIGHTS_DB);
}

#define SEGMENT_CHECKS(name)                                                                     \
    {selector_is_good, SEG_##name,                                                               \
     "GUEST_" #name "_SELECTOR has a TI or RPL that it must not have"},                          \
        {base_is_good, SEG_##name, "GUEST_" #name "_BASE is not canonical, or not of its mode"}, \
        {limit_is_good, SEG_##name, "GUEST_" #name "_LIMIT does not agree with G or the mode"},  \
        {type_is_good, SEG_##name, "GUEST_" #name "_ACCESS_RIGHTS has a wrong type"},            \
    {                                                                                            \
        rights_are_good, SEG_##name,                                                             \
            "GUEST_" #name "_ACCESS_RIGHTS has wrong S or P, or reserved bits"                   \
    }

#define MEMORY_SEGMENT_CHECKS(name)                                              \
    SEGMENT_CHECKS(name),                                                        \
    {                                                                            \
        dpl_is_good, SEG_##name, "GUEST_" #name "_ACCESS_RIGHTS has a wrong DPL" \
    }

static const struct {
    bool (*holds)(const VmxView *v, Segment s);
    Segment segment;
    const char *problem;
} segment_checks[] = {
    MEMORY_SEGMENT_CHECKS(ES),
    MEMORY_SEGMENT_CHECKS(CS),
    {code_size_is_good, SEG_CS, "GUEST_CS_ACCESS_RIGHTS has both L and D in long mode"},
    MEMORY_SEGMENT_CHECKS(SS),
    MEMORY_SEGMENT_CHECKS(DS),
    MEMORY_SEGMENT_CHECKS(FS),
    MEMORY_SEGMENT_CHECKS(GS),
    SEGMENT_CHECKS(LDTR),
    SEGMENT_CHECKS(TR),
};

static const char *segment_problem(const VmxView *v)
{
    for (size_t i = 0; i < COUNT(segment_checks); i++) {
        if (!segment_checks[i].holds(v, segment_checks[i].segment)) {
            return segment_checks[i].problem;
        }
    }
    return NULL;
}

// ---- 27.3.1.3, 27.3.1.4: tables, RIP and RFLAGS ----

static bool table_bases_are_canonical(const VmxView *v)
{
    return view_is_canonical(view_get(v, VMCS_GUEST_GDTR_BASE)) &&
           view_is_canonical(view_get(v, VMCS_GUEST_IDTR_BASE));
}

static bool table_limits_are_good(const VmxView *v)
{
    return view_get(v, VMCS_GUEST_GDTR_LIMIT) <= UINT16_MAX &&
           view_get(v, VMCS_GUEST_IDTR_LIMIT) <= UINT16_MAX;
}

// One behind the last canonical address is where a guest may stand.
static bool rip_is_good(const VmxView *v)
{
    const uint64_t rip = view_get(v, VMCS_GUEST_RIP);
    const uint64_t upper = rip >> LINEAR_BITS;

    if (is_long_mode(v) && (rights(v, SEG_CS) & RIGHTS_L) != 0) {
        return upper == 0 || upper == UINT64_MAX >> LINEAR_BITS;
    }
    return rip <= UINT32_MAX;
}

static bool rflags_are_defined(const VmxView *v)
{
    return (view_get(v, VMCS_GUEST_RFLAGS) & (RFLAGS_RESERVED | RFLAGS_FIXED)) == RFLAGS_FIXED;
}

static bool v86_has_its_mode(const VmxView *v)
{
    return !is_v86(v) || (!is_long_mode(v) && view_has(v, VMCS_GUEST_CR0, CR0_PE));
}

static bool interrupt_is_enabled(const VmxView *v)
{
    return !view_delivers_type(v, INTERRUPTION_EXTERNAL) ||
           view_has(v, VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

// ---- 27.3.1.5: activity, interruptibility, pending debug exceptions ----

static bool activity_exists(const VmxView *v)
{
    const uint64_t activity = view_get(v, VMCS_GUEST_ACTIVITY);

    return activity == ACTIVITY_ACTIVE ||
           (activity <= ACTIVITY_WAIT_FOR_SIPI &&
            (MISC_ACTIVITY(v->allowed.misc) >> (activity - 1) & 1) != 0);
}

static bool only_kernels_halt(const VmxView *v)
{
    return view_get(v, VMCS_GUEST_ACTIVITY) != ACTIVITY_HLT || dpl(v, SEG_SS) == 0;
}

static bool is_blocked(const VmxView *v)
{
    return (view_get(v, VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) != 0;
}

static bool who_is_blocked_is_active(const VmxView *v)
{
    return !is_blocked(v) || view_get(v, VMCS_GUEST_ACTIVITY) == ACTIVITY_ACTIVE;
}

static bool wakes_from_halt(unsigned event, unsigned vector)
{
    return event == INTERRUPTION_EXTERNAL || event == INTERRUPTION_NMI ||
           event == INTERRUPTION_OTHER ||
           (event == INTERRUPTION_HARDWARE_EXCEPTION &&
            (vector == VECTOR_DB || vector == VECTOR_MC));
}

static bool wakes_from_shutdown(unsigned event, unsigned vector)
{
    return event == INTERRUPTION_NMI ||
           (event == INTERRUPTION_HARDWARE_EXCEPTION && vector == VECTOR_MC);
}

static bool event_fits_activity(const VmxView *v)
{
    if (!view_delivers(v)) {
        return true;
    }
    switch (view_get(v, VMCS_GUEST_ACTIVITY)) {
    case ACTIVITY_ACTIVE: return true;
    case ACTIVITY_HLT: return wakes_from_halt(view_event_type(v), view_event_vector(v));
    case ACTIVITY_SHUTDOWN: return wakes_from_shutdown(view_event_type(v), view_event_vector(v));
    default: return false;
    }
}

static bool interruptibility_is_defined(const VmxView *v)
{
    return (view_get(v, VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_DEFINED) == 0;
}

static bool is_blocked_once(const VmxView *v)
{
    return !view_has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
}

static bool sti_has_set_if(const VmxView *v)
{
    return !view_has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI) ||
           view_has(v, VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

static bool interrupt_is_not_blocked(const VmxView *v)
{
    return !view_delivers_type(v, INTERRUPTION_EXTERNAL) || !is_blocked(v);
}

// Some processors refuse an NMI after STI as well.
static bool nmi_is_not_blocked(const VmxView *v)
{
    const uint64_t virtual_nmi = view_has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS) ? BLOCKING_BY_NMI
                                                                                  : 0;

    return !view_delivers_type(v, INTERRUPTION_NMI) ||
           (!is_blocked(v) && (view_get(v, VMCS_GUEST_INTERRUPTIBILITY) & virtual_nmi) == 0);
}

static bool is_not_in_smm(const VmxView *v)
{
    return !view_has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
}

static bool pending_debug_is_defined(const VmxView *v)
{
    return (view_get(v, VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_RESERVED) == 0;
}

// The trap of a single step waits as long as its instruction's shadow.
static bool single_step_is_pending(const VmxView *v)
{
    const bool steps = view_has(v, VMCS_GUEST_RFLAGS, RFLAGS_TF) &&
                       !view_has(v, VMCS_GUEST_DEBUGCTL, DEBUGCTL_BTF);

    return (!is_blocked(v) && view_get(v, VMCS_GUEST_ACTIVITY) != ACTIVITY_HLT) ||
           view_has(v, VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) == steps;
}

static bool link_is_good(const VmxView *v)
{
    return view_get(v, VMCS_LINK_POINTER) == UINT64_MAX || view_is_frame(v, VMCS_LINK_POINTER);
}

// ---- 27.3.1.6: page-directory pointers ----

static bool uses_pdptes(const VmxView *v)
{
    return view_has(v, VMCS_GUEST_CR0, CR0_PG) && view_has(v, VMCS_GUEST_CR4, CR4_PAE) &&
           !is_long_mode(v) && view_has_secondary(v, SECONDARY_EPT);
}

static bool pdptes_are_good(const VmxView *v)
{
    if (!uses_pdptes(v)) {
        return true;
    }
    for (VmcsField field = VMCS_GUEST_PDPTE_0; field <= VMCS_GUEST_PDPTE_3; field += 2) {
        const uint64_t entry = view_get(v, field);

        if ((entry & 1) != 0 && ((entry & PDPTE_RESERVED) != 0 || !view_is_physical(v, entry))) {
            return false;
        }
    }
    return true;
}

static const VmxCheck rest_checks[] = {
    {table_bases_are_canonical, "GUEST_GDTR_BASE or GUEST_IDTR_BASE is not canonical"},
    {table_limits_are_good, "GUEST_GDTR_LIMIT or GUEST_IDTR_LIMIT is above 65535"},
    {rip_is_good, "GUEST_RIP is not canonical, or has bits above 31 outside of 64-bit mode"},
    {rflags_are_defined, "GUEST_RFLAGS has reserved bits, or lacks the one that is always 1"},
    {v86_has_its_mode, "GUEST_RFLAGS has VM outside of protected mode"},
    {interrupt_is_enabled, "GUEST_RFLAGS has IF clear where an interrupt is delivered"},
    {activity_exists, "GUEST_ACTIVITY is no state that the processor has"},
    {only_kernels_halt, "GUEST_ACTIVITY is HLT at a CPL that may not halt"},
    {who_is_blocked_is_active, "GUEST_ACTIVITY is not active in the shadow of STI or MOV SS"},
    {event_fits_activity, "GUEST_ACTIVITY is none that the event can end"},
    {interruptibility_is_defined, "GUEST_INTERRUPTIBILITY has reserved bits"},
    {is_blocked_once, "GUEST_INTERRUPTIBILITY has both STI and MOV SS"},
    {sti_has_set_if, "GUEST_INTERRUPTIBILITY has STI with RFLAGS.IF clear"},
    {interrupt_is_not_blocked, "GUEST_INTERRUPTIBILITY blocks the interrupt that is delivered"},
    {nmi_is_not_blocked, "GUEST_INTERRUPTIBILITY blocks the NMI that is delivered"},
    {is_not_in_smm, "GUEST_INTERRUPTIBILITY blocks SMIs"},
    {pending_debug_is_defined, "GUEST_PENDING_DEBUG has reserved bits"},
    {single_step_is_pending, "GUEST_PENDING_DEBUG has BS where RFLAGS.TF is clear, or lacks it"},
    {link_is_good, "LINK_POINTER is neither all ones nor a frame"},
    {pdptes_are_good, "GUEST_PDPTE_0 or one after it has reserved bits"},
};

const char *vmx_guest_problem(const VmxView *view)
{
    const char *problem = view_problem(view, register_checks, COUNT(register_checks));

    problem = problem != NULL ? problem : segment_problem(view);
    return problem != NULL ? problem : view_problem(view, rest_checks, COUNT(rest_checks));
}
