// SPDX-License-Identifier: Apache-2.0
// The checks of a VM entry (SDM volume 3, 27.2 and 27.3), in words and in the SDM's order.
#include "vmx/entry_check.h"

#include "x86.h"

#define CR0_UNCHECKED    (CR0_NW | CR0_CD)
#define CR0_UNRESTRICTED (CR0_PE | CR0_PG)
#define CR4_PCIDE        X86_BIT(17)

#define DEBUGCTL_DEFINED UINT64_C(0xffc7)
#define DEBUGCTL_BTF     X86_BIT(1)
#define EFER_DEFINED     (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define RFLAGS_RESERVED  (~UINT64_C(0x3fffff) | X86_BIT(15) | X86_BIT(5) | X86_BIT(3))
#define LINEAR_BITS      48u

#define SELECTOR_RPL(selector) ((unsigned)(selector)&3)
#define SELECTOR_TI            X86_BIT(2)

#define MSR_ENTRY_SIZE      16u
#define LEAST_LENGTH_IS_0   X86_BIT(30) // VMX_MISC
#define MISC_ACTIVITY(m)    ((unsigned)((m) >> 6) & 7)
#define MISC_CR3_TARGETS(m) ((unsigned)((m) >> 16) & 0x1ff)

#define INFO_RESERVED            UINT64_C(0x7ffff000)
#define ERROR_CODE_RESERVED      UINT64_C(0xffff0000)
#define INTERRUPTIBILITY_DEFINED UINT64_C(0x1f)
#define PENDING_DEBUG_RESERVED   (~UINT64_C(0x1ffff) | X86_BIT(15) | X86_BIT(13) | UINT64_C(0xff0))
#define PDPTE_RESERVED           UINT64_C(0x1e6)
#define EPTP_RESERVED            UINT64_C(0xf80)

#define WITH_ERROR_CODE                                                                  \
    (X86_BIT(VECTOR_DF) | X86_BIT(VECTOR_TS) | X86_BIT(VECTOR_NP) | X86_BIT(VECTOR_SS) | \
     X86_BIT(VECTOR_GP) | X86_BIT(VECTOR_PF) | X86_BIT(VECTOR_AC))

// ---- what the checks are made of ----

static uint64_t get(const VmxView *v, VmcsField field)
{
    return v->read(v->ctx, field);
}

static bool has(const VmxView *v, VmcsField field, uint64_t bits)
{
    return (get(v, field) & bits) == bits;
}

static bool has_secondary(const VmxView *v, uint64_t bit)
{
    return has(v, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY_CONTROLS) &&
           has(v, VMCS_SECONDARY_CONTROLS, bit);
}

static bool is_within(uint64_t value, uint64_t ones, uint64_t allowed)
{
    return (value & ones) == ones && (value & ~allowed) == 0;
}

static bool is_allowed(const VmxView *v, VmcsField field, uint64_t allowed)
{
    return is_within(get(v, field), allowed & UINT32_MAX, allowed >> 32);
}

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)address >> (LINEAR_BITS - 1)) + 1 <= 1;
}

static bool is_physical(const VmxView *v, uint64_t address)
{
    return address >> v->allowed.physical_bits == 0;
}

static bool is_frame(const VmxView *v, VmcsField field)
{
    const uint64_t address = get(v, field);

    return address % AX_PAGE_SIZE == 0 && is_physical(v, address);
}

typedef struct Check {
    bool (*holds)(const VmxView *v);
    const char *problem;
} Check;

static const char *first_problem(const VmxView *v, const Check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!checks[i].holds(v)) {
            return checks[i].problem;
        }
    }
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// ---- the event that an entry delivers ----

static bool delivers(const VmxView *v)
{
    return has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_VALID);
}

static unsigned event_type(const VmxView *v)
{
    return INTERRUPTION_TYPE(get(v, VMCS_ENTRY_INTERRUPTION_INFO));
}

static unsigned event_vector(const VmxView *v)
{
    return (unsigned)(get(v, VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VECTOR);
}

static bool delivers_type(const VmxView *v, unsigned type)
{
    return delivers(v) && event_type(v) == type;
}

// ---- 27.2.1.1: controls of execution ----

static bool pin_is_allowed(const VmxView *v)
{
    return is_allowed(v, VMCS_PIN_CONTROLS, v->allowed.pin);
}

static bool primary_is_allowed(const VmxView *v)
{
    return is_allowed(v, VMCS_PRIMARY_CONTROLS, v->allowed.primary);
}

static bool secondary_is_allowed(const VmxView *v)
{
    return !has(v, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY_CONTROLS) ||
           is_allowed(v, VMCS_SECONDARY_CONTROLS, v->allowed.secondary);
}

static bool cr3_targets_exist(const VmxView *v)
{
    return get(v, VMCS_CR3_TARGET_COUNT) <= MISC_CR3_TARGETS(v->allowed.misc);
}

static bool uses(const VmxView *v, uint64_t primary)
{
    return has(v, VMCS_PRIMARY_CONTROLS, primary);
}

static bool io_bitmap_a_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_IO_BITMAPS) || is_frame(v, VMCS_IO_BITMAP_A);
}

static bool io_bitmap_b_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_IO_BITMAPS) || is_frame(v, VMCS_IO_BITMAP_B);
}

static bool msr_bitmap_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_MSR_BITMAPS) || is_frame(v, VMCS_MSR_BITMAP);
}

static bool virtual_apic_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_TPR_SHADOW) || is_frame(v, VMCS_VIRTUAL_APIC_ADDRESS);
}

static bool threshold_is_good(const VmxView *v)
{
    return !uses(v, PRIMARY_TPR_SHADOW) || has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) ||
           get(v, VMCS_TPR_THRESHOLD) <= 15;
}

static bool virtual_nmis_have_exits(const VmxView *v)
{
    return !has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS) ||
           has(v, VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
}

static bool nmi_window_has_virtual_nmis(const VmxView *v)
{
    return !uses(v, PRIMARY_NMI_WINDOW_EXITING) || has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS);
}

static bool apic_access_is_frame(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_APIC_ACCESSES) || is_frame(v, VMCS_APIC_ACCESS_ADDRESS);
}

static bool apic_has_shadow(const VmxView *v)
{
    return uses(v, PRIMARY_TPR_SHADOW) || !(has_secondary(v, SECONDARY_X2APIC_MODE) ||
                                            has_secondary(v, SECONDARY_APIC_REGISTERS) ||
                                            has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY));
}

static bool apic_has_one_mode(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_X2APIC_MODE) || !has_secondary(v, SECONDARY_APIC_ACCESSES);
}

static bool virtual_interrupts_have_exits(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) ||
           has(v, VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
}

static bool vpid_is_not_the_hosts(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_VPID) || get(v, VMCS_VPID) != 0;
}

static bool ept_memory_type_exists(uint64_t eptp, uint64_t cap)
{
    return (eptp & EPTP_MEMORY_TYPE) == EPTP_WRITE_BACK
               ? (cap & EPT_CAP_WRITE_BACK) != 0
               : (eptp & EPTP_MEMORY_TYPE) == 0 && (cap & EPT_CAP_UNCACHEABLE) != 0;
}

static bool ept_pointer_is_good(const VmxView *v)
{
    const uint64_t eptp = get(v, VMCS_EPT_POINTER);
    const uint64_t cap = v->allowed.ept_vpid_cap;

    return !has_secondary(v, SECONDARY_EPT) ||
           (ept_memory_type_exists(eptp, cap) && (cap & EPT_CAP_4_LEVELS) != 0 &&
            (eptp & EPTP_LEVELS_MASK) == EPTP_LEVELS(4) &&
            ((eptp & EPTP_ACCESSED_DIRTY) == 0 || (cap & EPT_CAP_ACCESSED_DIRTY) != 0) &&
            (eptp & EPTP_RESERVED) == 0 && is_physical(v, eptp));
}

static bool unrestricted_has_ept(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_UNRESTRICTED_GUEST) || has_secondary(v, SECONDARY_EPT);
}

static bool tsc_multiplier_is_good(const VmxView *v)
{
    return !has_secondary(v, SECONDARY_TSC_SCALING) || get(v, VMCS_TSC_MULTIPLIER) != 0;
}

// ---- 27.2.1.2, 27.2.1.3: controls of exits and entries ----

static bool exit_is_allowed(const VmxView *v)
{
    return is_allowed(v, VMCS_EXIT_CONTROLS, v->allowed.exit);
}

static bool saved_timer_is_active(const VmxView *v)
{
    return !has(v, VMCS_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER) ||
           has(v, VMCS_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
}

static bool list_is_good(const VmxView *v, VmcsField count, VmcsField address)
{
    const uint64_t first = get(v, address);
    const uint64_t size = get(v, count) * MSR_ENTRY_SIZE;

    return size == 0 || (first % MSR_ENTRY_SIZE == 0 && is_physical(v, first) &&
                         is_physical(v, first + size - 1));
}

static bool exit_store_list_is_good(const VmxView *v)
{
    return list_is_good(v, VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE_ADDRESS);
}

static bool exit_load_list_is_good(const VmxView *v)
{
    return list_is_good(v, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDRESS);
}

static bool entry_is_allowed(const VmxView *v)
{
    return is_allowed(v, VMCS_ENTRY_CONTROLS, v->allowed.entry);
}

static bool is_no_smm(const VmxView *v)
{
    return (get(v, VMCS_ENTRY_CONTROLS) & (ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR)) == 0;
}

static bool entry_load_list_is_good(const VmxView *v)
{
    return list_is_good(v, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDRESS);
}

static bool event_type_exists(const VmxView *v)
{
    const bool has_trap = (v->allowed.primary >> 32 & PRIMARY_MONITOR_TRAP_FLAG) != 0;

    return !delivers(v) ||
           (event_type(v) != 1 && (event_type(v) != INTERRUPTION_OTHER || has_trap));
}

static bool event_vector_fits(const VmxView *v)
{
    const unsigned vector = event_vector(v);

    if (!delivers(v)) {
        return true;
    }
    switch (event_type(v)) {
    case INTERRUPTION_NMI: return vector == 2;
    case INTERRUPTION_HARDWARE_EXCEPTION: return vector < 32;
    case INTERRUPTION_OTHER: return vector == 0;
    default: return true;
    }
}

static bool event_error_code_fits(const VmxView *v)
{
    const bool needs_one = event_type(v) == INTERRUPTION_HARDWARE_EXCEPTION &&
                           has(v, VMCS_GUEST_CR0, CR0_PE) &&
                           (WITH_ERROR_CODE >> (event_vector(v) & 31) & 1) != 0;

    return !delivers(v) ||
           has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_HAS_ERROR) == needs_one;
}

static bool event_info_is_defined(const VmxView *v)
{
    return !delivers(v) || (get(v, VMCS_ENTRY_INTERRUPTION_INFO) & INFO_RESERVED) == 0;
}

static bool error_code_is_good(const VmxView *v)
{
    return !delivers(v) || !has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_HAS_ERROR) ||
           (get(v, VMCS_ENTRY_EXCEPTION_ERROR_CODE) & ERROR_CODE_RESERVED) == 0;
}

static bool is_software_event(unsigned type)
{
    return type == INTERRUPTION_SOFTWARE || type == INTERRUPTION_PRIVILEGED_EXCEPTION ||
           type == INTERRUPTION_SOFTWARE_EXCEPTION;
}

static bool event_length_is_good(const VmxView *v)
{
    const uint64_t length = get(v, VMCS_ENTRY_INSTRUCTION_LENGTH);
    const uint64_t least = (v->allowed.misc & LEAST_LENGTH_IS_0) != 0 ? 0 : 1;

    return !delivers(v) || !is_software_event(event_type(v)) || (length >= least && length <= 15);
}

static const Check control_checks[] = {
    {pin_is_allowed, "PIN_CONTROLS is not what IA32_VMX_PINBASED_CTLS allows"},
    {primary_is_allowed, "PRIMARY_CONTROLS is not what IA32_VMX_PROCBASED_CTLS allows"},
    {secondary_is_allowed, "SECONDARY_CONTROLS is not what IA32_VMX_PROCBASED_CTLS2 allows"},
    {cr3_targets_exist, "CR3_TARGET_COUNT is more than the processor has"},
    {io_bitmap_a_is_frame, "IO_BITMAP_A is no frame"},
    {io_bitmap_b_is_frame, "IO_BITMAP_B is no frame"},
    {msr_bitmap_is_frame, "MSR_BITMAP is no frame"},
    {virtual_apic_is_frame, "VIRTUAL_APIC_ADDRESS is no frame"},
    {threshold_is_good, "TPR_THRESHOLD is above 15"},
    {virtual_nmis_have_exits, "PIN_CONTROLS has virtual NMIs without NMI exiting"},
    {nmi_window_has_virtual_nmis, "PRIMARY_CONTROLS has an NMI window without virtual NMIs"},
    {apic_access_is_frame, "APIC_ACCESS_ADDRESS is no frame"},
    {apic_has_shadow, "SECONDARY_CONTROLS virtualizes the APIC without a TPR shadow"},
    {apic_has_one_mode, "SECONDARY_CONTROLS has both xAPIC accesses and x2APIC mode"},
    {virtual_interrupts_have_exits,
     "SECONDARY_CONTROLS delivers virtual interrupts without external-interrupt exiting"},
    {vpid_is_not_the_hosts, "VPID is 0"},
    {ept_pointer_is_good, "EPT_POINTER has a memory type, levels or bits that the processor lacks"},
    {unrestricted_has_ept, "SECONDARY_CONTROLS has an unrestricted guest without EPT"},
    {tsc_multiplier_is_good, "TSC_MULTIPLIER is 0"},
    {exit_is_allowed, "EXIT_CONTROLS is not what IA32_VMX_EXIT_CTLS allows"},
    {saved_timer_is_active, "EXIT_CONTROLS saves a preemption timer that is off"},
    {exit_store_list_is_good, "EXIT_MSR_STORE_ADDRESS is no list of its count"},
    {exit_load_list_is_good, "EXIT_MSR_LOAD_ADDRESS is no list of its count"},
    {entry_is_allowed, "ENTRY_CONTROLS is not what IA32_VMX_ENTRY_CTLS allows"},
    {is_no_smm, "ENTRY_CONTROLS is for SMM"},
    {event_type_exists, "ENTRY_INTERRUPTION_INFO has a reserved type"},
    {event_vector_fits, "ENTRY_INTERRUPTION_INFO has a vector that its type does not have"},
    {event_error_code_fits,
     "ENTRY_INTERRUPTION_INFO has an error code where none is, or lacks one"},
    {event_info_is_defined, "ENTRY_INTERRUPTION_INFO has reserved bits"},
    {error_code_is_good, "ENTRY_EXCEPTION_ERROR_CODE has bits above 15"},
    {event_length_is_good, "ENTRY_INSTRUCTION_LENGTH is no length of an instruction"},
    {entry_load_list_is_good, "ENTRY_MSR_LOAD_ADDRESS is no list of its count"},
};

const char *vmx_control_problem(const VmxView *view)
{
    return first_problem(view, control_checks, COUNT(control_checks));
}

// ---- 27.2.2 to 27.2.4: host state ----

static bool host_cr0_is_allowed(const VmxView *v)
{
    return is_within(get(v, VMCS_HOST_CR0), v->allowed.cr0_fixed0, v->allowed.cr0_fixed1);
}

static bool host_cr4_is_allowed(const VmxView *v)
{
    return is_within(get(v, VMCS_HOST_CR4), v->allowed.cr4_fixed0, v->allowed.cr4_fixed1);
}

static bool host_cr3_is_physical(const VmxView *v)
{
    return is_physical(v, get(v, VMCS_HOST_CR3));
}

static bool host_sysenter_is_canonical(const VmxView *v)
{
    return is_canonical(get(v, VMCS_HOST_SYSENTER_ESP)) &&
           is_canonical(get(v, VMCS_HOST_SYSENTER_EIP));
}

static bool host_pat_is_good(const VmxView *v)
{
    return !has(v, VMCS_EXIT_CONTROLS, EXIT_LOAD_PAT) || x86_pat_is_valid(get(v, VMCS_HOST_PAT));
}

static bool host_is_64bit(const VmxView *v)
{
    return has(v, VMCS_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
}

static bool host_efer_is_good(const VmxView *v)
{
    const uint64_t efer = get(v, VMCS_HOST_EFER);

    return !has(v, VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER) ||
           ((efer & ~EFER_DEFINED) == 0 && (efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA));
}

static bool host_selectors_are_the_kernels(const VmxView *v)
{
    uint64_t all = get(v, VMCS_HOST_TR_SELECTOR);

    for (VmcsField field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_GS_SELECTOR; field += 2) {
        all |= get(v, field);
    }
    return (all & (SELECTOR_TI | 3)) == 0;
}

static bool host_cs_is_there(const VmxView *v)
{
    return get(v, VMCS_HOST_CS_SELECTOR) != 0;
}

static bool host_tr_is_there(const VmxView *v)
{
    return get(v, VMCS_HOST_TR_SELECTOR) != 0;
}

static bool host_bases_are_canonical(const VmxView *v)
{
    for (VmcsField field = VMCS_HOST_FS_BASE; field <= VMCS_HOST_IDTR_BASE; field += 2) {
        if (!is_canonical(get(v, field))) {
            return false;
        }
    }
    return true;
}

static bool host_has_pae(const VmxView *v)
{
    return has(v, VMCS_HOST_CR4, CR4_PAE);
}

static bool host_rip_is_canonical(const VmxView *v)
{
    return is_canonical(get(v, VMCS_HOST_RIP));
}

// This backend's host is in 64-bit mode.
static const Check host_checks[] = {
    {host_cr0_is_allowed, "HOST_CR0 is not what IA32_VMX_CR0_FIXED0 and _FIXED1 allow"},
    {host_cr4_is_allowed, "HOST_CR4 is not what IA32_VMX_CR4_FIXED0 and _FIXED1 allow"},
    {host_cr3_is_physical, "HOST_CR3 has bits beyond physical addresses"},
    {host_sysenter_is_canonical, "HOST_SYSENTER_ESP or HOST_SYSENTER_EIP is not canonical"},
    {host_pat_is_good, "HOST_PAT has a reserved memory type"},
    {host_is_64bit, "EXIT_CONTROLS says that the host is not in 64-bit mode"},
    {host_efer_is_good, "HOST_EFER has reserved bits, or no long mode"},
    {host_selectors_are_the_kernels, "HOST_ES_SELECTOR or one after it has TI or RPL"},
    {host_cs_is_there, "HOST_CS_SELECTOR is 0"},
    {host_tr_is_there, "HOST_TR_SELECTOR is 0"},
    {host_bases_are_canonical, "HOST_FS_BASE or one after it is not canonical"},
    {host_has_pae, "HOST_CR4 has no PAE"},
    {host_rip_is_canonical, "HOST_RIP is not canonical"},
};

const char *vmx_host_problem(const VmxView *view)
{
    return first_problem(view, host_checks, COUNT(host_checks));
}

// ---- 27.3.1.1: control registers, debug registers and MSRs of the guest ----

static bool is_unrestricted(const VmxView *v)
{
    return has_secondary(v, SECONDARY_UNRESTRICTED_GUEST);
}

static bool is_long_mode(const VmxView *v)
{
    return has(v, VMCS_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
}

static bool guest_cr0_is_allowed(const VmxView *v)
{
    const uint64_t free = CR0_UNCHECKED | (is_unrestricted(v) ? CR0_UNRESTRICTED : 0);

    return is_within(get(v, VMCS_GUEST_CR0), v->allowed.cr0_fixed0 & ~free,
                     v->allowed.cr0_fixed1 | CR0_UNCHECKED);
}

static bool guest_paging_is_protected(const VmxView *v)
{
    return !has(v, VMCS_GUEST_CR0, CR0_PG) || has(v, VMCS_GUEST_CR0, CR0_PE);
}

static bool guest_cr4_is_allowed(const VmxView *v)
{
    return is_within(get(v, VMCS_GUEST_CR4), v->allowed.cr4_fixed0, v->allowed.cr4_fixed1);
}

static bool loads_debug(const VmxView *v)
{
    return has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
}

static bool guest_debugctl_is_defined(const VmxView *v)
{
    return !loads_debug(v) || (get(v, VMCS_GUEST_DEBUGCTL) & ~DEBUGCTL_DEFINED) == 0;
}

static bool long_mode_has_paging(const VmxView *v)
{
    return !is_long_mode(v) || has(v, VMCS_GUEST_CR0, CR0_PG);
}

static bool long_mode_has_pae(const VmxView *v)
{
    return !is_long_mode(v) || has(v, VMCS_GUEST_CR4, CR4_PAE);
}

static bool pcids_have_long_mode(const VmxView *v)
{
    return is_long_mode(v) || !has(v, VMCS_GUEST_CR4, CR4_PCIDE);
}

static bool guest_cr3_is_physical(const VmxView *v)
{
    return is_physical(v, get(v, VMCS_GUEST_CR3));
}

static bool guest_dr7_is_good(const VmxView *v)
{
    return !loads_debug(v) || get(v, VMCS_GUEST_DR7) <= UINT32_MAX;
}

static bool guest_sysenter_is_canonical(const VmxView *v)
{
    return is_canonical(get(v, VMCS_GUEST_SYSENTER_ESP)) &&
           is_canonical(get(v, VMCS_GUEST_SYSENTER_EIP));
}

static bool guest_pat_is_good(const VmxView *v)
{
    return !has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_PAT) || x86_pat_is_valid(get(v, VMCS_GUEST_PAT));
}

static bool loads_efer(const VmxView *v)
{
    return has(v, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
}

static bool guest_efer_is_defined(const VmxView *v)
{
    return !loads_efer(v) || (get(v, VMCS_GUEST_EFER) & ~EFER_DEFINED) == 0;
}

static bool guest_efer_has_the_mode(const VmxView *v)
{
    return !loads_efer(v) || has(v, VMCS_GUEST_EFER, EFER_LMA) == is_long_mode(v);
}

static bool guest_efer_agrees_with_paging(const VmxView *v)
{
    return !loads_efer(v) || !has(v, VMCS_GUEST_CR0, CR0_PG) ||
           has(v, VMCS_GUEST_EFER, EFER_LMA) == has(v, VMCS_GUEST_EFER, EFER_LME);
}

static const Check register_checks[] = {
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
    return get(v, FIELD_OF(VMCS_GUEST_ES_SELECTOR, s));
}

static uint64_t base(const VmxView *v, Segment s)
{
    return get(v, FIELD_OF(VMCS_GUEST_ES_BASE, s));
}

static uint64_t limit(const VmxView *v, Segment s)
{
    return get(v, FIELD_OF(VMCS_GUEST_ES_LIMIT, s));
}

static uint64_t rights(const VmxView *v, Segment s)
{
    return get(v, FIELD_OF(VMCS_GUEST_ES_ACCESS_RIGHTS, s));
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
    return has(v, VMCS_GUEST_RFLAGS, RFLAGS_VM);
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
        return (s == SEG_LDTR && !is_used(v, s)) || is_canonical(base(v, s));
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
    const bool must_be_0 = type(v, SEG_CS) == TYPE_DATA || !has(v, VMCS_GUEST_CR0, CR0_PE);

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
    return !is_used(v, s) || is_within(rights(v, s), ones, ~zeros);
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
    return is_canonical(get(v, VMCS_GUEST_GDTR_BASE)) && is_canonical(get(v, VMCS_GUEST_IDTR_BASE));
}

static bool table_limits_are_good(const VmxView *v)
{
    return get(v, VMCS_GUEST_GDTR_LIMIT) <= UINT16_MAX &&
           get(v, VMCS_GUEST_IDTR_LIMIT) <= UINT16_MAX;
}

// One behind the last canonical address is where a guest may stand.
static bool rip_is_good(const VmxView *v)
{
    const uint64_t rip = get(v, VMCS_GUEST_RIP);
    const uint64_t upper = rip >> LINEAR_BITS;

    if (is_long_mode(v) && (rights(v, SEG_CS) & RIGHTS_L) != 0) {
        return upper == 0 || upper == UINT64_MAX >> LINEAR_BITS;
    }
    return rip <= UINT32_MAX;
}

static bool rflags_are_defined(const VmxView *v)
{
    return (get(v, VMCS_GUEST_RFLAGS) & (RFLAGS_RESERVED | RFLAGS_FIXED)) == RFLAGS_FIXED;
}

static bool v86_has_its_mode(const VmxView *v)
{
    return !is_v86(v) || (!is_long_mode(v) && has(v, VMCS_GUEST_CR0, CR0_PE));
}

static bool interrupt_is_enabled(const VmxView *v)
{
    return !delivers_type(v, INTERRUPTION_EXTERNAL) || has(v, VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

// ---- 27.3.1.5: activity, interruptibility, pending debug exceptions ----

static bool activity_exists(const VmxView *v)
{
    const uint64_t activity = get(v, VMCS_GUEST_ACTIVITY);

    return activity == ACTIVITY_ACTIVE ||
           (activity <= ACTIVITY_WAIT_FOR_SIPI &&
            (MISC_ACTIVITY(v->allowed.misc) >> (activity - 1) & 1) != 0);
}

static bool only_kernels_halt(const VmxView *v)
{
    return get(v, VMCS_GUEST_ACTIVITY) != ACTIVITY_HLT || dpl(v, SEG_SS) == 0;
}

static bool is_blocked(const VmxView *v)
{
    return (get(v, VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) != 0;
}

static bool who_is_blocked_is_active(const VmxView *v)
{
    return !is_blocked(v) || get(v, VMCS_GUEST_ACTIVITY) == ACTIVITY_ACTIVE;
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
    if (!delivers(v)) {
        return true;
    }
    switch (get(v, VMCS_GUEST_ACTIVITY)) {
    case ACTIVITY_ACTIVE: return true;
    case ACTIVITY_HLT: return wakes_from_halt(event_type(v), event_vector(v));
    case ACTIVITY_SHUTDOWN: return wakes_from_shutdown(event_type(v), event_vector(v));
    default: return false;
    }
}

static bool interruptibility_is_defined(const VmxView *v)
{
    return (get(v, VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_DEFINED) == 0;
}

static bool is_blocked_once(const VmxView *v)
{
    return !has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
}

static bool sti_has_set_if(const VmxView *v)
{
    return !has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI) ||
           has(v, VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

static bool interrupt_is_not_blocked(const VmxView *v)
{
    return !delivers_type(v, INTERRUPTION_EXTERNAL) || !is_blocked(v);
}

// Some processors refuse an NMI after STI as well.
static bool nmi_is_not_blocked(const VmxView *v)
{
    const uint64_t virtual_nmi = has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS) ? BLOCKING_BY_NMI : 0;

    return !delivers_type(v, INTERRUPTION_NMI) ||
           (!is_blocked(v) && (get(v, VMCS_GUEST_INTERRUPTIBILITY) & virtual_nmi) == 0);
}

static bool is_not_in_smm(const VmxView *v)
{
    return !has(v, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
}

static bool pending_debug_is_defined(const VmxView *v)
{
    return (get(v, VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_RESERVED) == 0;
}

// The trap of a single step waits as long as its instruction's shadow.
static bool single_step_is_pending(const VmxView *v)
{
    const bool steps = has(v, VMCS_GUEST_RFLAGS, RFLAGS_TF) &&
                       !has(v, VMCS_GUEST_DEBUGCTL, DEBUGCTL_BTF);

    return (!is_blocked(v) && get(v, VMCS_GUEST_ACTIVITY) != ACTIVITY_HLT) ||
           has(v, VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS) == steps;
}

static bool link_is_good(const VmxView *v)
{
    return get(v, VMCS_LINK_POINTER) == UINT64_MAX || is_frame(v, VMCS_LINK_POINTER);
}

// ---- 27.3.1.6: page-directory pointers ----

static bool uses_pdptes(const VmxView *v)
{
    return has(v, VMCS_GUEST_CR0, CR0_PG) && has(v, VMCS_GUEST_CR4, CR4_PAE) && !is_long_mode(v) &&
           has_secondary(v, SECONDARY_EPT);
}

static bool pdptes_are_good(const VmxView *v)
{
    if (!uses_pdptes(v)) {
        return true;
    }
    for (VmcsField field = VMCS_GUEST_PDPTE_0; field <= VMCS_GUEST_PDPTE_3; field += 2) {
        const uint64_t entry = get(v, field);

        if ((entry & 1) != 0 && ((entry & PDPTE_RESERVED) != 0 || !is_physical(v, entry))) {
            return false;
        }
    }
    return true;
}

static const Check rest_checks[] = {
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
    const char *problem = first_problem(view, register_checks, COUNT(register_checks));

    problem = problem != NULL ? problem : segment_problem(view);
    return problem != NULL ? problem : first_problem(view, rest_checks, COUNT(rest_checks));
}

const char *vmx_entry_problem(const VmxView *view)
{
    const char *problem = vmx_control_problem(view);

    problem = problem != NULL ? problem : vmx_host_problem(view);
    return problem != NULL ? problem : vmx_guest_problem(view);
}

// ---- this processor ----

static uint64_t secondary_allowed(uint64_t primary)
{
    return (primary >> 32 & PRIMARY_SECONDARY_CONTROLS) != 0 ? X86_READ(VMX_SECONDARY_CONTROLS) : 0;
}

void vmx_allowed_read(VmxAllowed *allowed)
{
    const bool is_true = (X86_READ(VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS) != 0;

    *allowed = (VmxAllowed){
        .pin = is_true ? X86_READ(VMX_TRUE_PIN_CONTROLS) : X86_READ(VMX_PIN_CONTROLS),
        .primary = is_true ? X86_READ(VMX_TRUE_PRIMARY_CONTROLS) : X86_READ(VMX_PRIMARY_CONTROLS),
        .exit = is_true ? X86_READ(VMX_TRUE_EXIT_CONTROLS) : X86_READ(VMX_EXIT_CONTROLS),
        .entry = is_true ? X86_READ(VMX_TRUE_ENTRY_CONTROLS) : X86_READ(VMX_ENTRY_CONTROLS),
        .misc = X86_READ(VMX_MISC),
        .cr0_fixed0 = X86_READ(VMX_CR0_FIXED0),
        .cr0_fixed1 = X86_READ(VMX_CR0_FIXED1),
        .cr4_fixed0 = X86_READ(VMX_CR4_FIXED0),
        .cr4_fixed1 = X86_READ(VMX_CR4_FIXED1),
        .physical_bits = x86_physical_bits(),
    };
    allowed->secondary = secondary_allowed(allowed->primary);
    allowed->ept_vpid_cap = (allowed->secondary >> 32 & SECONDARY_EPT) != 0
                                ? X86_READ(VMX_EPT_VPID_CAP)
                                : 0;
}

static uint64_t read_loaded(const void *ctx, VmcsField field)
{
    (void)ctx;
    return x86_vmx_read(field);
}

const char *vmx_loaded_problem(void)
{
    VmxView view = {.read = read_loaded};

    vmx_allowed_read(&view.allowed);
    return vmx_entry_problem(&view);
}
