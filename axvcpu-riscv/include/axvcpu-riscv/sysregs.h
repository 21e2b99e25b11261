// SPDX-License-Identifier: Apache-2.0
/*
 * The CSRs that belong to a guest and move with its vCPU (Privileged Architecture, hypervisor
 * extension). One line per register drives the storage, the save and restore code and the register
 * ids.
 */
#pragma once

/*
 * X(register): what every CPU with the H extension has. SCOUNTEREN and SENVCFG have no twin for
 * guests: between bind and unbind they hold the guest's values, and nothing of the host depends on
 * them at HS level.
 */
#define RISCV_VS_REGS(X) \
    X(VSSTATUS)          \
    X(VSIE)              \
    X(VSTVEC)            \
    X(VSSCRATCH)         \
    X(VSEPC)             \
    X(VSCAUSE)           \
    X(VSTVAL)            \
    X(VSATP)             \
    X(SCOUNTEREN)        \
    X(SENVCFG)

typedef enum RISCVSysReg {
#define RISCV_SYSREG_ENUM(reg) RISCV_##reg,
    RISCV_VS_REGS(RISCV_SYSREG_ENUM)
#undef RISCV_SYSREG_ENUM
        RISCV_SYSREG_COUNT
} RISCVSysReg;
