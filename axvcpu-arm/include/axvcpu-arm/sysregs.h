// SPDX-License-Identifier: Apache-2.0
/*
 * The EL1/EL0 system registers that belong to a guest and move with its vCPU (Arm ARM, D17).
 * One line per register drives the storage, the save and restore code and the register ids.
 */
#pragma once

/* X(register): registers that every AArch64 CPU has. Restored in this order. */
#define AARCH64_EL1_REGS(X) \
    X(SCTLR_EL1)            \
    X(ACTLR_EL1)            \
    X(CPACR_EL1)            \
    X(TTBR0_EL1)            \
    X(TTBR1_EL1)            \
    X(TCR_EL1)              \
    X(MAIR_EL1)             \
    X(AMAIR_EL1)            \
    X(VBAR_EL1)             \
    X(CONTEXTIDR_EL1)       \
    X(ELR_EL1)              \
    X(SPSR_EL1)             \
    X(ESR_EL1)              \
    X(FAR_EL1)              \
    X(AFSR0_EL1)            \
    X(AFSR1_EL1)            \
    X(PAR_EL1)              \
    X(SP_EL0)               \
    X(SP_EL1)               \
    X(TPIDR_EL0)            \
    X(TPIDRRO_EL0)          \
    X(TPIDR_EL1)            \
    X(CSSELR_EL1)           \
    X(CNTKCTL_EL1)

typedef enum Aarch64SysReg {
#define AARCH64_SYSREG_ENUM(reg) AARCH64_##reg,
    AARCH64_EL1_REGS(AARCH64_SYSREG_ENUM)
#undef AARCH64_SYSREG_ENUM
        AARCH64_SYSREG_COUNT
} Aarch64SysReg;
