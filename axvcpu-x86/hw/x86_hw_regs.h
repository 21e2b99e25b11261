// SPDX-License-Identifier: Apache-2.0
// The registers of a logical processor that the backend reads or writes by name, for hw/ring0 and
// hw/sim alike.
#pragma once

// X(name, number)
#define X86_HW_MSRS(X)       \
    X(TSC, 0x10)             \
    X(APIC_BASE, 0x1b)       \
    X(FEATURE_CONTROL, 0x3a) \
    X(EFER, 0xc0000080)      \
    X(VM_CR, 0xc0010114)     \
    X(VM_HSAVE_PA, 0xc0010117)

// X(name, register)
#define X86_HW_CONTROLS(X) \
    X(CR0, cr0)            \
    X(CR4, cr4)            \
    X(DR0, db0)            \
    X(DR1, db1)            \
    X(DR2, db2)            \
    X(DR3, db3)            \
    X(DR6, db6)            \
    X(DR7, db7)
