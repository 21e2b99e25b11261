// SPDX-License-Identifier: Apache-2.0
// What SVM and VMX do differently, as one const table each. Everything else of the backend is the
// same for both.
#pragma once

#include <axvcpu-x86/percpu.h>
#include <axvcpu-x86/vcpu.h>

// Windows: an exit as soon as the guest can take an event of that sort.
#define X86_WINDOW_INTERRUPT UINT32_C(1)
#define X86_WINDOW_NMI       UINT32_C(2)
#define X86_WINDOW_TPR       UINT32_C(4) // as soon as it writes CR8

typedef struct X86Vendor {
    const char *name;
    const AxEptFormat *ept;
    // AX_OK, or why it cannot be used here.
    AxError (*check)(const char **reason);
    // Fills what the vendor alone knows.
    void (*features)(X86Features *features);
    // This processor. AX_ENOMEM; nothing has changed then.
    AxError (*enable)(X86PerCpu *percpu);
    void (*disable)(X86PerCpu *percpu);
    // Frames of a vCPU. AX_ENOMEM.
    AxError (*create)(X86VCpu *vcpu);
    void (*destroy)(X86VCpu *vcpu);
    // All fields 0, controls as every guest has them. setup is done.
    void (*reset)(X86VCpu *vcpu);
    void (*setup)(X86VCpu *vcpu);
    // vcpu->percpu, tag and ept are set.
    void (*bind)(X86VCpu *vcpu);
    void (*unbind)(X86VCpu *vcpu);
    // Any time but in the guest.
    uint64_t (*read)(const X86VCpu *vcpu, X86Field field);
    void (*write)(X86VCpu *vcpu, X86Field field, uint64_t value);
    // Around all entries of one run: what of the host stays the same meanwhile.
    void (*begin)(X86VCpu *vcpu);
    // Interrupts masked. vcpu->event, when valid, is delivered; vcpu->exit says what ended the stay.
    void (*enter)(X86VCpu *vcpu);
    // Which windows are open from the next entry on.
    void (*windows)(X86VCpu *vcpu, uint32_t windows);
    // All translations of the vCPU's tag go at the next entry.
    void (*flush)(X86VCpu *vcpu);
    void (*set_tpr)(X86VCpu *vcpu, uint8_t tpr); // CR8, in the form of the register TPR
    uint8_t (*tpr)(const X86VCpu *vcpu);
    void (*set_tsc_offset)(X86VCpu *vcpu, uint64_t offset);
} X86Vendor;

// The one that this processor has, by CPUID alone; NULL when it has none.
const X86Vendor *x86_vendor(void);

extern const X86Vendor svm_vendor;
extern const X86Vendor vmx_vendor;
extern const AxEptFormat svm_npt_format;
extern const AxEptFormat vmx_ept_format;
