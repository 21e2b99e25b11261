// SPDX-License-Identifier: Apache-2.0
// Seams between the files of the VMX half.
#pragma once

#include "vmx/vmcs.h"
#include "x86.h"

// What a vCPU has beside its VMCS, in the frame behind it.
typedef struct VmxState {
    uint64_t fields[X86_FIELD_COUNT]; // while not bound; CR2 always
    uint64_t dirty;                   // fields that the VMCS does not have yet
    bool fresh;                       // the VMCS holds nothing yet
    bool pdptes_stale;                // CR3 and its like were written, not by the guest
    uint32_t windows;
    uint32_t refused; // what was refused first: a field with VMX_REFUSED, or one of the others
    uint64_t tsc_offset;
    // What the VMCS has of fields that entries write.
    uint64_t rip;
    uint64_t rsp;
    uint64_t rflags;
    uint64_t interruptibility;
    uint64_t primary;
    uint64_t secondary;
    uint64_t threshold;
    uint64_t patience;
    uint64_t interrupt_status;
    uint64_t eoi_exits[4];
} VmxState;

#define VMX_REFUSED         UINT32_C(0x80000000)
#define VMX_REFUSED_NO_VMCS UINT32_MAX // VMCLEAR or VMPTRLD
#define VMX_REFUSED_FLUSH   (UINT32_MAX - 1)

static_assert(X86_FIELD_COUNT < 64, "a bit of VmxState.dirty for each");
static_assert(sizeof(VmxState) <= AX_PAGE_SIZE, "a frame");

// Frames of a vCPU, from X86VCpu.control on.
#define VMX_FRAME_VMCS         0u
#define VMX_FRAME_STATE        1u
#define VMX_FRAME_VIRTUAL_APIC 2u
#define VMX_FRAMES             3u

static inline HostPhysAddr vmx_frame(const X86VCpu *vcpu, unsigned n)
{
    return ax_hpa(vcpu->control.value + n * AX_PAGE_SIZE);
}

static inline void *vmx_memory(const AxVCpuHal *hal, HostPhysAddr addr)
{
    return ax_ptr_from_hva(hal->phys_to_virt(hal->ctx, addr));
}

static inline VmxState *vmx_state(const X86VCpu *vcpu)
{
    return vmx_memory(vcpu->env.hal, vmx_frame(vcpu, VMX_FRAME_STATE));
}

// Every field that is written is one that the capabilities promise, so a refusal ends the run.
static inline void vmx_put(VmxState *state, VmcsField field, uint64_t value)
{
    if (!x86_vmx_write(field, value) && state->refused == 0) {
        state->refused = VMX_REFUSED | field;
    }
}

// ---- caps.c: what the processor can do ----
AxError vmx_check(const char **reason);
void vmx_features(X86Features *out);

// ---- fields.c: X86Field in the VMCS, in registers of the processor, or in VmxState ----
uint64_t vmx_read(const X86VCpu *vcpu, X86Field field);
void vmx_write(X86VCpu *vcpu, X86Field field, uint64_t value);
// The VMCS is loaded: what it does not have yet, and what is no part of it.
void vmx_fields_load(X86VCpu *vcpu);
void vmx_fields_save(X86VCpu *vcpu);
// Of a guest in PAE paging whose CR3 was written from outside.
void vmx_load_pdptes(X86VCpu *vcpu);

static inline void vmx_put_changed(VmxState *state, VmcsField field, uint64_t value,
                                   uint64_t *known)
{
    if (value != *known) {
        vmx_put(state, field, value);
        *known = value;
    }
}

// ---- apicv.c: the local APIC as far as the processor has one for guests ----
#define VMX_MSR_BITMAPS 2u // without and with the MSRs of x2APIC
void vmx_pass_x2apic(uint8_t *bitmap);
void vmx_pass_msr(uint8_t *bitmap, uint32_t msr, bool read, bool write);
// At bind, before each entry, and after each exit.
void vmx_apic_bind(const X86VCpu *vcpu, VmxState *state);
void vmx_apic_load(X86VCpu *vcpu, VmxState *state);
void vmx_apic_save(X86VCpu *vcpu, VmxState *state);
// Whether the processor may deliver a vector in this stay.
static inline bool vmx_apic_is_requesting(const X86VCpu *vcpu, const VmxState *state)
{
    return vcpu->percpu->features.has_apicv && (state->interrupt_status & 0xff) != 0;
}

// The page has a register every 16 bytes, as that of xAPIC.
static inline uint32_t *vmx_virtual_apic(const X86VCpu *vcpu)
{
    return vmx_memory(vcpu->env.hal, vmx_frame(vcpu, VMX_FRAME_VIRTUAL_APIC));
}

#define VMX_VIRTUAL_REGISTER(offset) ((offset) / sizeof(uint32_t))
#define VMX_VIRTUAL_TPR              VMX_VIRTUAL_REGISTER(0x80)

// ---- failure.c: why an entry was refused, to the log ----
void vmx_log_failure(const X86VCpu *vcpu, uint64_t reason);
