// SPDX-License-Identifier: Apache-2.0
// The registers of a logical processor that the backend reads or writes by name, for hw/ring0 and
// hw/sim alike.
#pragma once

#include <stdint.h>

// X(name, number)
#define X86_HW_MSRS(X)                  \
    X(TSC, 0x10)                        \
    X(APIC_BASE, 0x1b)                  \
    X(FEATURE_CONTROL, 0x3a)            \
    X(SYSENTER_CS, 0x174)               \
    X(SYSENTER_ESP, 0x175)              \
    X(SYSENTER_EIP, 0x176)              \
    X(PAT, 0x277)                       \
    X(VMX_BASIC, 0x480)                 \
    X(VMX_PIN_CONTROLS, 0x481)          \
    X(VMX_PRIMARY_CONTROLS, 0x482)      \
    X(VMX_EXIT_CONTROLS, 0x483)         \
    X(VMX_ENTRY_CONTROLS, 0x484)        \
    X(VMX_MISC, 0x485)                  \
    X(VMX_CR0_FIXED0, 0x486)            \
    X(VMX_CR0_FIXED1, 0x487)            \
    X(VMX_CR4_FIXED0, 0x488)            \
    X(VMX_CR4_FIXED1, 0x489)            \
    X(VMX_SECONDARY_CONTROLS, 0x48b)    \
    X(VMX_EPT_VPID_CAP, 0x48c)          \
    X(VMX_TRUE_PIN_CONTROLS, 0x48d)     \
    X(VMX_TRUE_PRIMARY_CONTROLS, 0x48e) \
    X(VMX_TRUE_EXIT_CONTROLS, 0x48f)    \
    X(VMX_TRUE_ENTRY_CONTROLS, 0x490)   \
    X(EFER, 0xc0000080)                 \
    X(STAR, 0xc0000081)                 \
    X(LSTAR, 0xc0000082)                \
    X(CSTAR, 0xc0000083)                \
    X(SFMASK, 0xc0000084)               \
    X(FS_BASE, 0xc0000100)              \
    X(GS_BASE, 0xc0000101)              \
    X(KERNEL_GS_BASE, 0xc0000102)       \
    X(TSC_RATIO, 0xc0000104)            \
    X(VM_CR, 0xc0010114)                \
    X(VM_HSAVE_PA, 0xc0010117)

// X(name, register)
#define X86_HW_CONTROLS(X) \
    X(CR0, cr0)            \
    X(CR2, cr2)            \
    X(CR3, cr3)            \
    X(CR4, cr4)            \
    X(DR0, db0)            \
    X(DR1, db1)            \
    X(DR2, db2)            \
    X(DR3, db3)            \
    X(DR6, db6)            \
    X(DR7, db7)

// What of the host's descriptor tables and segments VMX wants to know.
typedef struct X86HostTables {
    uint64_t gdt_base;
    uint64_t idt_base;
    uint64_t tr_base;
    uint16_t gdt_limit;
    uint16_t idt_limit;
    uint16_t es;
    uint16_t cs;
    uint16_t ss;
    uint16_t ds;
    uint16_t fs;
    uint16_t gs;
    uint16_t ldtr;
    uint16_t tr;
} X86HostTables;
