// SPDX-License-Identifier: Apache-2.0
/* Virtualization state of one logical processor. A complete type to embed; the fields are private. */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/tag.h>

/* VMX: control fields as every guest has them, within what the processor allows. */
typedef struct X86VmxControls {
    uint32_t pin;
    uint32_t primary;
    uint32_t secondary;
    uint32_t exit;
    uint32_t entry;
} X86VmxControls;

/* What the processor can do, probed once at enable. */
typedef struct X86Features {
    uint8_t tag_bits;      /* width of an ASID or VPID */
    uint8_t physical_bits; /* width of a physical address, of the host and of guests */
    bool has_1g_pages;
    bool has_xsave;
    uint64_t xcr0;            /* components of XSAVE that guests may switch on; 0 without XSAVE */
    uint64_t cr4;             /* bits that guests may set */
    uint8_t tsc_ratio_bits;   /* of the fraction of a scaled TSC; 0: there is none */
    bool has_next_rip;        /* SVM: NRIPS; VMX always */
    bool has_clean_bits;      /* SVM: VmcbClean */
    bool has_flush_by_tag;    /* SVM: FlushByAsid; VMX: VPID */
    bool has_decode_assists;  /* SVM: DecodeAssists */
    uint64_t ept_vpid_cap;    /* VMX: IA32_VMX_EPT_VPID_CAP */
    uint8_t preemption_shift; /* VMX: of the timer's rate against the TSC's */
    X86VmxControls controls;
    bool has_apicv; /* VMX: virtual-interrupt delivery, and x2APIC's registers in a page */
} X86Features;

/* DR6, and what SYSCALL and SWAPGS use: the VMCS has no fields for them. */
#define X86_VMX_LIVE_REGISTERS 6u

/* Registers that enable and bind change, as they were before. */
typedef struct X86Host {
    uint64_t cr0;
    uint64_t cr4;
    uint64_t efer;
    uint64_t hsave_pa;
    uint64_t xcr0;
    uint64_t dr[4];
    uint64_t dr6;
    uint64_t dr7;
    uint64_t live[X86_VMX_LIVE_REGISTERS];
    uint16_t gdt_limit;
    uint16_t idt_limit;
    uint16_t ldtr;
} X86Host;

/* Frames that hardware reads and writes while guests run here. */
typedef struct X86Frames {
    HostPhysAddr host_save; /* VM_HSAVE_PA */
    HostPhysAddr host_vmcb; /* what VMSAVE keeps of the host during a run */
    HostPhysAddr vmxon;     /* the VMXON region */
    HostPhysAddr msr_bitmap;
    HostPhysAddr io_bitmap;
} X86Frames;

typedef struct X86PerCpu {
    const AxVCpuHal *hal;
    AxPCpuId id;
    bool enabled;
    X86Features features;
    X86Host host;
    X86Frames frames;
    AxTagResidents residents;
} X86PerCpu;

extern const AxArchPerCpuOps x86_percpu_ops;

/*
 * Whether this processor can host guests: AMD SVM with nested paging, not switched off in VM_CR, or
 * Intel VMX with EPT and unrestricted guests, not locked off in IA32_FEATURE_CONTROL (when firmware
 * left that unlocked, enable sets and locks it). AX_OK, AX_ENOHW, AX_ENOTSUP or AX_EFIRMWARE; *reason,
 * when not NULL, gets a sentence that says which and what to do. Ring 0, 64-bit mode.
 */
AX_MUST_CHECK AxError x86_hardware_check(const char **reason);
