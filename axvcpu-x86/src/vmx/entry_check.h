// SPDX-License-Identifier: Apache-2.0
// What VMLAUNCH and VMRESUME would refuse (SDM volume 3, chapter 27), found without them. Hardware
// says which group of checks failed, and for controls and host not even that by field.
#pragma once

#include "vmx/vmcs.h"

// What the processor allows. Controls: bits 31:0 must be 1, bits 63:32 may be; the true ones where it
// has them, 0 for secondary controls that it does not have.
typedef struct VmxAllowed {
    uint64_t pin;
    uint64_t primary;
    uint64_t secondary;
    uint64_t exit;
    uint64_t entry;
    uint64_t misc;
    uint64_t cr0_fixed0;
    uint64_t cr0_fixed1;
    uint64_t cr4_fixed0;
    uint64_t cr4_fixed1;
    uint64_t ept_vpid_cap;
    unsigned physical_bits;
} VmxAllowed;

// A VMCS, wherever its fields are.
typedef struct VmxView {
    uint64_t (*read)(const void *ctx, VmcsField field);
    const void *ctx;
    VmxAllowed allowed;
} VmxView;

// A sentence that begins with the field, or NULL when nothing is found. In the order of the processor:
// controls (VMfailValid, error 7), host state (error 8), guest state (an exit with the reason
// ENTRY_FAILURE_GUEST_STATE). Left out: what a page behind a field holds, and controls that this
// backend never uses (posted interrupts, VM functions, shadowing, PML, SMM).
const char *vmx_control_problem(const VmxView *view);
const char *vmx_host_problem(const VmxView *view);
const char *vmx_guest_problem(const VmxView *view);
// The first of the three.
const char *vmx_entry_problem(const VmxView *view);

// What this processor allows, and of the VMCS that is loaded on it.
void vmx_allowed_read(VmxAllowed *allowed);
const char *vmx_loaded_problem(void);
