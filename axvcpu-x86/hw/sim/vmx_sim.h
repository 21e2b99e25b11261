// SPDX-License-Identifier: Apache-2.0
// The VMX half of the simulated processor: VMCSs in memory, with launch states and what each
// instruction refuses (SDM volume 3, chapters 24 and 31). See x86_sim.h.
#pragma once

#include "../x86_hw_regs.h"

#include <stdbool.h>
#include <stdint.h>

struct X86GuestRegs;

// Arrival of exits, for HOST_RIP.
#define X86_SIM_EXIT_ADDRESS UINT64_C(0xffffffff80001000)

typedef struct X86SimVmx {
    bool on;
    uint64_t region;  // of VMXON
    uint64_t current; // VMCS; UINT64_MAX: none
    unsigned active;  // VMCSs that this processor may keep to itself
    unsigned reads;
    unsigned writes;
    unsigned launches; // entries by VMLAUNCH, and by VMRESUME ...
    unsigned resumes;
    unsigned invepts;
    unsigned invvpids;
    uint64_t flushed; // EPTP or VPID of the last of them
    // The guest: looks at the fields by x86_sim_field and changes them as it wishes, EXIT_REASON above
    // all. Must be set before a run.
    void (*guest)(struct X86GuestRegs *regs);
} X86SimVmx;

// A processor like Bochs' corei7_skylake_x in ring 0 of 64-bit mode: VMX unlocked and off.
void x86_sim_reset_vmx(void);

// Where a field of the VMCS in the region at `vmcs` is, or of the current one.
uint64_t *x86_sim_vmcs_field(uint64_t vmcs, uint32_t field);
uint64_t *x86_sim_field(uint32_t field);

bool x86_sim_vmx_on(uint64_t region);
void x86_sim_vmx_off(void);
bool x86_sim_vmx_clear(uint64_t vmcs);
bool x86_sim_vmx_load(uint64_t vmcs);
uint64_t x86_sim_vmx_read(uint32_t field);
bool x86_sim_vmx_write(uint32_t field, uint64_t value);
bool x86_sim_vmx_invept(uint64_t type, uint64_t eptp);
bool x86_sim_vmx_invvpid(uint64_t type, uint16_t vpid);
bool x86_sim_vmx_enter(struct X86GuestRegs *regs);
