// SPDX-License-Identifier: Apache-2.0
// The virtual machine control block (APM volume 2, appendix B) and what its fields may hold.
#pragma once

#include "x86_regs.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

typedef struct VmcbSegment {
    uint16_t selector;
    uint16_t attributes;
    uint32_t limit;
    uint64_t base;
} VmcbSegment;

typedef struct Vmcb {
    uint32_t intercept_cr;
    uint32_t intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept_1;
    uint32_t intercept_2;
    uint32_t intercept_3;
    uint8_t reserved_018[0x3c - 0x18];
    uint16_t pause_threshold;
    uint16_t pause_count;
    uint64_t iopm_base;
    uint64_t msrpm_base;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint64_t vintr;
    uint64_t interrupt_shadow;
    uint64_t exit_code;
    uint64_t exit_info_1;
    uint64_t exit_info_2;
    uint64_t exit_int_info;
    uint64_t np_enable;
    uint8_t reserved_098[0xa8 - 0x98];
    uint64_t event_inj;
    uint64_t n_cr3;
    uint64_t lbr_enable;
    uint32_t clean;
    uint32_t reserved_0c4;
    uint64_t next_rip;
    uint8_t fetched_count;
    uint8_t fetched[15];
    uint8_t reserved_0e0[0x400 - 0xe0];

    VmcbSegment es;
    VmcbSegment cs;
    VmcbSegment ss;
    VmcbSegment ds;
    VmcbSegment fs;
    VmcbSegment gs;
    VmcbSegment gdtr;
    VmcbSegment ldtr;
    VmcbSegment idtr;
    VmcbSegment tr;
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4;
    uint64_t cr3;
    uint64_t cr0;
    uint64_t dr7;
    uint64_t dr6;
    uint64_t rflags;
    uint64_t rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved_5e0[0x5f8 - 0x5e0];
    uint64_t rax;
    uint64_t star;
    uint64_t lstar;
    uint64_t cstar;
    uint64_t sfmask;
    uint64_t kernel_gs_base;
    uint64_t sysenter_cs;
    uint64_t sysenter_esp;
    uint64_t sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t pat;
    uint8_t reserved_670[0x1000 - 0x670];
} Vmcb;

#define VMCB_OFFSET(field, offset) static_assert(offsetof(Vmcb, field) == (offset), #field)
VMCB_OFFSET(intercept_cr, 0x000);
VMCB_OFFSET(intercept_dr, 0x004);
VMCB_OFFSET(intercept_exceptions, 0x008);
VMCB_OFFSET(intercept_1, 0x00c);
VMCB_OFFSET(intercept_2, 0x010);
VMCB_OFFSET(intercept_3, 0x014);
VMCB_OFFSET(pause_threshold, 0x03c);
VMCB_OFFSET(pause_count, 0x03e);
VMCB_OFFSET(iopm_base, 0x040);
VMCB_OFFSET(msrpm_base, 0x048);
VMCB_OFFSET(tsc_offset, 0x050);
VMCB_OFFSET(asid, 0x058);
VMCB_OFFSET(tlb_control, 0x05c);
VMCB_OFFSET(vintr, 0x060);
VMCB_OFFSET(interrupt_shadow, 0x068);
VMCB_OFFSET(exit_code, 0x070);
VMCB_OFFSET(exit_info_1, 0x078);
VMCB_OFFSET(exit_info_2, 0x080);
VMCB_OFFSET(exit_int_info, 0x088);
VMCB_OFFSET(np_enable, 0x090);
VMCB_OFFSET(event_inj, 0x0a8);
VMCB_OFFSET(n_cr3, 0x0b0);
VMCB_OFFSET(lbr_enable, 0x0b8);
VMCB_OFFSET(clean, 0x0c0);
VMCB_OFFSET(next_rip, 0x0c8);
VMCB_OFFSET(fetched_count, 0x0d0);
VMCB_OFFSET(fetched, 0x0d1);
VMCB_OFFSET(es, 0x400);
VMCB_OFFSET(cs, 0x410);
VMCB_OFFSET(ss, 0x420);
VMCB_OFFSET(ds, 0x430);
VMCB_OFFSET(fs, 0x440);
VMCB_OFFSET(gs, 0x450);
VMCB_OFFSET(gdtr, 0x460);
VMCB_OFFSET(ldtr, 0x470);
VMCB_OFFSET(idtr, 0x480);
VMCB_OFFSET(tr, 0x490);
VMCB_OFFSET(cpl, 0x4cb);
VMCB_OFFSET(efer, 0x4d0);
VMCB_OFFSET(cr4, 0x548);
VMCB_OFFSET(cr3, 0x550);
VMCB_OFFSET(cr0, 0x558);
VMCB_OFFSET(dr7, 0x560);
VMCB_OFFSET(dr6, 0x568);
VMCB_OFFSET(rflags, 0x570);
VMCB_OFFSET(rip, 0x578);
VMCB_OFFSET(rsp, 0x5d8);
VMCB_OFFSET(rax, 0x5f8);
VMCB_OFFSET(star, 0x600);
VMCB_OFFSET(lstar, 0x608);
VMCB_OFFSET(cstar, 0x610);
VMCB_OFFSET(sfmask, 0x618);
VMCB_OFFSET(kernel_gs_base, 0x620);
VMCB_OFFSET(sysenter_cs, 0x628);
VMCB_OFFSET(sysenter_esp, 0x630);
VMCB_OFFSET(sysenter_eip, 0x638);
VMCB_OFFSET(cr2, 0x640);
VMCB_OFFSET(pat, 0x668);
static_assert(sizeof(Vmcb) == 0x1000, "a page");

// intercept_cr
#define INTERCEPT_CR8_WRITE X86_BIT(24)
// intercept_1
#define INTERCEPT_INTR     X86_BIT(0)
#define INTERCEPT_NMI      X86_BIT(1)
#define INTERCEPT_INIT     X86_BIT(3)
#define INTERCEPT_VINTR    X86_BIT(4)
#define INTERCEPT_RDPMC    X86_BIT(15)
#define INTERCEPT_CPUID    X86_BIT(18)
#define INTERCEPT_RSM      X86_BIT(19)
#define INTERCEPT_IRET     X86_BIT(20)
#define INTERCEPT_INVD     X86_BIT(22)
#define INTERCEPT_HLT      X86_BIT(24)
#define INTERCEPT_INVLPGA  X86_BIT(26)
#define INTERCEPT_IOIO     X86_BIT(27)
#define INTERCEPT_MSR      X86_BIT(28)
#define INTERCEPT_SHUTDOWN X86_BIT(31)
// intercept_2
#define INTERCEPT_VMRUN   X86_BIT(0)
#define INTERCEPT_VMMCALL X86_BIT(1)
#define INTERCEPT_VMLOAD  X86_BIT(2)
#define INTERCEPT_VMSAVE  X86_BIT(3)
#define INTERCEPT_STGI    X86_BIT(4)
#define INTERCEPT_CLGI    X86_BIT(5)
#define INTERCEPT_SKINIT  X86_BIT(6)
#define INTERCEPT_RDTSCP  X86_BIT(7)
#define INTERCEPT_WBINVD  X86_BIT(9)
#define INTERCEPT_MONITOR X86_BIT(10)
#define INTERCEPT_MWAIT   X86_BIT(11)
#define INTERCEPT_XSETBV  X86_BIT(13)

#define TLB_CONTROL_NONE       0u
#define TLB_CONTROL_FLUSH_ALL  1u
#define TLB_CONTROL_FLUSH_ASID 3u

// vintr
#define VINTR_TPR     UINT64_C(0xff)
#define VINTR_IRQ     X86_BIT(8)
#define VINTR_IGN_TPR X86_BIT(20)
#define VINTR_MASKING X86_BIT(24)
#define VINTR_VECTOR  (UINT64_C(0xff) << 32)

// clean: groups of fields that the processor may take from its own copy.
#define CLEAN_INTERCEPTS X86_BIT(0)
#define CLEAN_BITMAPS    X86_BIT(1)
#define CLEAN_ASID       X86_BIT(2)
#define CLEAN_TPR        X86_BIT(3)
#define CLEAN_NP         X86_BIT(4)
#define CLEAN_CR         X86_BIT(5)
#define CLEAN_DR         X86_BIT(6)
#define CLEAN_DT         X86_BIT(7)
#define CLEAN_SEG        X86_BIT(8)
#define CLEAN_CR2        X86_BIT(9)
#define CLEAN_ALL        UINT64_C(0x3ff)

// event_inj, exit_int_info
#define EVENT_VECTOR      UINT64_C(0xff)
#define EVENT_TYPE_SHIFT  8
#define EVENT_TYPE        UINT64_C(7)
#define EVENT_HAS_ERROR   X86_BIT(11)
#define EVENT_VALID       X86_BIT(31)
#define EVENT_ERROR_SHIFT 32

// exit_code
#define VMEXIT_CR8_WRITE 0x18u
#define VMEXIT_EXCEPTION 0x40u // and the vector
#define VMEXIT_INTR      0x60u
#define VMEXIT_NMI       0x61u
#define VMEXIT_INIT      0x63u
#define VMEXIT_VINTR     0x64u
#define VMEXIT_RDPMC     0x6fu
#define VMEXIT_CPUID     0x72u
#define VMEXIT_RSM       0x73u
#define VMEXIT_IRET      0x74u
#define VMEXIT_INVD      0x76u
#define VMEXIT_HLT       0x78u
#define VMEXIT_INVLPGA   0x7au
#define VMEXIT_IOIO      0x7bu
#define VMEXIT_MSR       0x7cu
#define VMEXIT_SHUTDOWN  0x7fu
#define VMEXIT_VMRUN     0x80u
#define VMEXIT_VMMCALL   0x81u
#define VMEXIT_VMLOAD    0x82u
#define VMEXIT_VMSAVE    0x83u
#define VMEXIT_STGI      0x84u
#define VMEXIT_CLGI      0x85u
#define VMEXIT_SKINIT    0x86u
#define VMEXIT_RDTSCP    0x87u
#define VMEXIT_WBINVD    0x89u
#define VMEXIT_MONITOR   0x8au
#define VMEXIT_MWAIT     0x8bu
#define VMEXIT_XSETBV    0x8du
#define VMEXIT_NPF       0x400u
#define VMEXIT_INVALID   UINT64_MAX

// exit_info_1 of VMEXIT_IOIO
#define IOIO_IN          X86_BIT(0)
#define IOIO_STRING      X86_BIT(2)
#define IOIO_REP         X86_BIT(3)
#define IOIO_WIDTH_SHIFT 4 // bits 6:4: 1, 2 or 4 bytes
#define IOIO_PORT_SHIFT  16

// exit_info_1 of VMEXIT_NPF: an error code of #PF, and
#define NPF_WALK X86_BIT(33)

// ---- entry_check.c ----
// What VMRUN would refuse in `vmcb`, in words; NULL when nothing is found.
const char *svm_entry_problem(const Vmcb *vmcb);
