// SPDX-License-Identifier: Apache-2.0
// The checks of a VM entry on controls and host state (SDM volume 3, 27.2), in words and in the SDM's
// order. Those on the guest's state are in guest_check.c.
#include "vmx/view.h"

#define MSR_ENTRY_SIZE      16u
#define LEAST_LENGTH_IS_0   X86_BIT(30) // VMX_MISC
#define MISC_CR3_TARGETS(m) ((unsigned)((m) >> 16) & 0x1ff)
#define INFO_RESERVED       UINT64_C(0x7ffff000)
#define ERROR_CODE_RESERVED UINT64_C(0xffff0000)
#define EPTP_RESERVED       UINT64_C(0xf80)
#define WITH_ERROR_CODE                                                                  \
    (X86_BIT(VECTOR_DF) | X86_BIT(VECTOR_TS) | X86_BIT(VECTOR_NP) | X86_BIT(VECTOR_SS) | \
     X86_BIT(VECTOR_GP) | X86_BIT(VECTOR_PF) | X86_BIT(VECTOR_AC))

// ---- 27.2.1.1: controls of execution ----

static bool pin_is_allowed(const VmxView *v)
{
    return view_is_allowed(v, VMCS_PIN_CONTROLS, v->allowed.pin);
}

static bool primary_is_allowed(const VmxView *v)
{
    return view_is_allowed(v, VMCS_PRIMARY_CONTROLS, v->allowed.primary);
}

static bool secondary_is_allowed(const VmxView *v)
{
    return !view_has(v, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY_CONTROLS) ||
           view_is_allowed(v, VMCS_SECONDARY_CONTROLS, v->allowed.secondary);
}

static bool cr3_targets_exist(const VmxView *v)
{
    return view_get(v, VMCS_CR3_TARGET_COUNT) <= MISC_CR3_TARGETS(v->allowed.misc);
}

static bool uses(const VmxView *v, uint64_t primary)
{
    return view_has(v, VMCS_PRIMARY_CONTROLS, primary);
}

static bool io_bitmap_a_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_IO_BITMAPS) || view_is_frame(v, VMCS_IO_BITMAP_A);
}

static bool io_bitmap_b_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_IO_BITMAPS) || view_is_frame(v, VMCS_IO_BITMAP_B);
}

static bool msr_bitmap_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_MSR_BITMAPS) || view_is_frame(v, VMCS_MSR_BITMAP);
}

static bool virtual_apic_is_frame(const VmxView *v)
{
    return !uses(v, PRIMARY_TPR_SHADOW) || view_is_frame(v, VMCS_VIRTUAL_APIC_ADDRESS);
}

static bool threshold_is_good(const VmxView *v)
{
    return !uses(v, PRIMARY_TPR_SHADOW) ||
           view_has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) ||
           view_get(v, VMCS_TPR_THRESHOLD) <= 15;
}

static bool virtual_nmis_have_exits(const VmxView *v)
{
    return !view_has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS) ||
           view_has(v, VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
}

static bool nmi_window_has_virtual_nmis(const VmxView *v)
{
    return !uses(v, PRIMARY_NMI_WINDOW_EXITING) || view_has(v, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMIS);
}

static bool apic_access_is_frame(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_APIC_ACCESSES) ||
           view_is_frame(v, VMCS_APIC_ACCESS_ADDRESS);
}

static bool apic_has_shadow(const VmxView *v)
{
    return uses(v, PRIMARY_TPR_SHADOW) ||
           !(view_has_secondary(v, SECONDARY_X2APIC_MODE) ||
             view_has_secondary(v, SECONDARY_APIC_REGISTERS) ||
             view_has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY));
}

static bool apic_has_one_mode(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_X2APIC_MODE) ||
           !view_has_secondary(v, SECONDARY_APIC_ACCESSES);
}

static bool virtual_interrupts_have_exits(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) ||
           view_has(v, VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
}

static bool vpid_is_not_the_hosts(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_VPID) || view_get(v, VMCS_VPID) != 0;
}

static bool ept_memory_type_exists(uint64_t eptp, uint64_t cap)
{
    return (eptp & EPTP_MEMORY_TYPE) == EPTP_WRITE_BACK
               ? (cap & EPT_CAP_WRITE_BACK) != 0
               : (eptp & EPTP_MEMORY_TYPE) == 0 && (cap & EPT_CAP_UNCACHEABLE) != 0;
}

static bool ept_pointer_is_good(const VmxView *v)
{
    const uint64_t eptp = view_get(v, VMCS_EPT_POINTER);
    const uint64_t cap = v->allowed.ept_vpid_cap;

    return !view_has_secondary(v, SECONDARY_EPT) ||
           (ept_memory_type_exists(eptp, cap) && (cap & EPT_CAP_4_LEVELS) != 0 &&
            (eptp & EPTP_LEVELS_MASK) == EPTP_LEVELS(4) &&
            ((eptp & EPTP_ACCESSED_DIRTY) == 0 || (cap & EPT_CAP_ACCESSED_DIRTY) != 0) &&
            (eptp & EPTP_RESERVED) == 0 && view_is_physical(v, eptp));
}

static bool unrestricted_has_ept(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_UNRESTRICTED_GUEST) ||
           view_has_secondary(v, SECONDARY_EPT);
}

static bool tsc_multiplier_is_good(const VmxView *v)
{
    return !view_has_secondary(v, SECONDARY_TSC_SCALING) || view_get(v, VMCS_TSC_MULTIPLIER) != 0;
}

// ---- 27.2.1.2, 27.2.1.3: controls of exits and entries ----

static bool exit_is_allowed(const VmxView *v)
{
    return view_is_allowed(v, VMCS_EXIT_CONTROLS, v->allowed.exit);
}

static bool saved_timer_is_active(const VmxView *v)
{
    return !view_has(v, VMCS_EXIT_CONTROLS, EXIT_SAVE_PREEMPTION_TIMER) ||
           view_has(v, VMCS_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
}

static bool list_is_good(const VmxView *v, VmcsField count, VmcsField address)
{
    const uint64_t first = view_get(v, address);
    const uint64_t size = view_get(v, count) * MSR_ENTRY_SIZE;

    return size == 0 || (first % MSR_ENTRY_SIZE == 0 && view_is_physical(v, first) &&
                         view_is_physical(v, first + size - 1));
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
    return view_is_allowed(v, VMCS_ENTRY_CONTROLS, v->allowed.entry);
}

static bool is_no_smm(const VmxView *v)
{
    return (view_get(v, VMCS_ENTRY_CONTROLS) & (ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR)) == 0;
}

static bool entry_load_list_is_good(const VmxView *v)
{
    return list_is_good(v, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDRESS);
}

static bool event_type_exists(const VmxView *v)
{
    const bool has_trap = (v->allowed.primary >> 32 & PRIMARY_MONITOR_TRAP_FLAG) != 0;

    return !view_delivers(v) ||
           (view_event_type(v) != 1 && (view_event_type(v) != INTERRUPTION_OTHER || has_trap));
}

static bool event_vector_fits(const VmxView *v)
{
    const unsigned vector = view_event_vector(v);

    if (!view_delivers(v)) {
        return true;
    }
    switch (view_event_type(v)) {
    case INTERRUPTION_NMI: return vector == 2;
    case INTERRUPTION_HARDWARE_EXCEPTION: return vector < 32;
    case INTERRUPTION_OTHER: return vector == 0;
    default: return true;
    }
}

static bool event_error_code_fits(const VmxView *v)
{
    const bool needs_one = view_event_type(v) == INTERRUPTION_HARDWARE_EXCEPTION &&
                           view_has(v, VMCS_GUEST_CR0, CR0_PE) &&
                           (WITH_ERROR_CODE >> (view_event_vector(v) & 31) & 1) != 0;

    return !view_delivers(v) ||
           view_has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_HAS_ERROR) == needs_one;
}

static bool event_info_is_defined(const VmxView *v)
{
    return !view_delivers(v) || (view_get(v, VMCS_ENTRY_INTERRUPTION_INFO) & INFO_RESERVED) == 0;
}

static bool error_code_is_good(const VmxView *v)
{
    return !view_delivers(v) ||
           !view_has(v, VMCS_ENTRY_INTERRUPTION_INFO, INTERRUPTION_HAS_ERROR) ||
           (view_get(v, VMCS_ENTRY_EXCEPTION_ERROR_CODE) & ERROR_CODE_RESERVED) == 0;
}

static bool is_software_event(unsigned type)
{
    return type == INTERRUPTION_SOFTWARE || type == INTERRUPTION_PRIVILEGED_EXCEPTION ||
           type == INTERRUPTION_SOFTWARE_EXCEPTION;
}

static bool event_length_is_good(const VmxView *v)
{
    const uint64_t length = view_get(v, VMCS_ENTRY_INSTRUCTION_LENGTH);
    const uint64_t least = (v->allowed.misc & LEAST_LENGTH_IS_0) != 0 ? 0 : 1;

    return !view_delivers(v) || !is_software_event(view_event_type(v)) ||
           (length >= least && length <= 15);
}

static const VmxCheck control_checks[] = {
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
    return view_problem(view, control_checks, COUNT(control_checks));
}

// ---- 27.2.2 to 27.2.4: host state ----

static bool host_cr0_is_allowed(const VmxView *v)
{
    return view_is_within(view_get(v, VMCS_HOST_CR0), v->allowed.cr0_fixed0, v->allowed.cr0_fixed1);
}

static bool host_cr4_is_allowed(const VmxView *v)
{
    return view_is_within(view_get(v, VMCS_HOST_CR4), v->allowed.cr4_fixed0, v->allowed.cr4_fixed1);
}

static bool host_cr3_is_physical(const VmxView *v)
{
    return view_is_physical(v, view_get(v, VMCS_HOST_CR3));
}

static bool host_sysenter_is_canonical(const VmxView *v)
{
    return view_is_canonical(view_get(v, VMCS_HOST_SYSENTER_ESP)) &&
           view_is_canonical(view_get(v, VMCS_HOST_SYSENTER_EIP));
}

static bool host_pat_is_good(const VmxView *v)
{
    return !view_has(v, VMCS_EXIT_CONTROLS, EXIT_LOAD_PAT) ||
           x86_pat_is_valid(view_get(v, VMCS_HOST_PAT));
}

static bool host_is_64bit(const VmxView *v)
{
    return view_has(v, VMCS_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
}

static bool host_efer_is_good(const VmxView *v)
{
    const uint64_t efer = view_get(v, VMCS_HOST_EFER);

    return !view_has(v, VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER) ||
           ((efer & ~EFER_DEFINED) == 0 && (efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA));
}

static bool host_selectors_are_the_kernels(const VmxView *v)
{
    uint64_t all = view_get(v, VMCS_HOST_TR_SELECTOR);

    for (VmcsField field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_GS_SELECTOR; field += 2) {
        all |= view_get(v, field);
    }
    return (all & (SELECTOR_TI | 3)) == 0;
}

static bool host_cs_is_there(const VmxView *v)
{
    return view_get(v, VMCS_HOST_CS_SELECTOR) != 0;
}

static bool host_tr_is_there(const VmxView *v)
{
    return view_get(v, VMCS_HOST_TR_SELECTOR) != 0;
}

static bool host_bases_are_canonical(const VmxView *v)
{
    for (VmcsField field = VMCS_HOST_FS_BASE; field <= VMCS_HOST_IDTR_BASE; field += 2) {
        if (!view_is_canonical(view_get(v, field))) {
            return false;
        }
    }
    return true;
}

static bool host_has_pae(const VmxView *v)
{
    return view_has(v, VMCS_HOST_CR4, CR4_PAE);
}

static bool host_rip_is_canonical(const VmxView *v)
{
    return view_is_canonical(view_get(v, VMCS_HOST_RIP));
}

// This backend's host is in 64-bit mode.
static const VmxCheck host_checks[] = {
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
    return view_problem(view, host_checks, COUNT(host_checks));
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
