// SPDX-License-Identifier: Apache-2.0
/* Virtualization state of one logical processor. A complete type to embed; the fields are private. */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/tag.h>

/* What the processor can do, probed once at enable. */
typedef struct X86Features {
    uint8_t tag_bits; /* width of an ASID */
    bool has_xsave;
    uint64_t xcr0;           /* components of XSAVE that guests may switch on; 0 without XSAVE */
    bool has_next_rip;       /* SVM: NRIPS */
    bool has_clean_bits;     /* SVM: VmcbClean */
    bool has_flush_by_tag;   /* SVM: FlushByAsid */
    bool has_decode_assists; /* SVM: DecodeAssists */
} X86Features;

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
} X86Host;

/* Frames that hardware reads and writes while guests run here. */
typedef struct X86Frames {
    HostPhysAddr host_save; /* VM_HSAVE_PA */
    HostPhysAddr host_vmcb; /* what VMSAVE keeps of the host during a run */
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
 * Whether this processor can host guests: AMD SVM with nested paging, and not switched off in VM_CR.
 * AX_OK, AX_ENOHW or AX_EFIRMWARE; *reason, when not NULL, gets a sentence that says which and what
 * to do. Ring 0, 64-bit mode.
 */
AX_MUST_CHECK AxError x86_hardware_check(const char **reason);
