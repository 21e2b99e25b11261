// SPDX-License-Identifier: Apache-2.0
// Fields of system registers, named as in the Arm ARM (DDI 0487) and the GIC manual (IHI 0069).
// Masks only: arm_get and arm_put derive the shift.
#pragma once

#include <stdint.h>

#define ARM_BIT(n)          (UINT64_C(1) << (n))
#define ARM_MASK(high, low) ((UINT64_MAX >> (63 - (high))) & (UINT64_MAX << (low)))

// The field of `value` under `mask`, moved to bit 0.
static inline uint64_t arm_get(uint64_t value, uint64_t mask)
{
    return (value & mask) / (mask & -mask);
}

// `field` moved under `mask`, bits that do not fit cut off.
static inline uint64_t arm_put(uint64_t field, uint64_t mask)
{
    return (field * (mask & -mask)) & mask;
}

// ---- PSTATE as in SPSR_ELx (C5.2.19) ----
#define PSTATE_M      ARM_MASK(3, 0)
#define PSTATE_M_EL0T UINT64_C(0x0)
#define PSTATE_M_EL1T UINT64_C(0x4)
#define PSTATE_M_EL1H UINT64_C(0x5)
#define PSTATE_NRW    ARM_BIT(4)
#define PSTATE_T32    ARM_BIT(5)
#define PSTATE_F      ARM_BIT(6)
#define PSTATE_I      ARM_BIT(7)
#define PSTATE_A      ARM_BIT(8)
#define PSTATE_D      ARM_BIT(9)
#define PSTATE_DAIF   ARM_MASK(9, 6)
#define PSTATE_BTYPE  ARM_MASK(11, 10)
#define PSTATE_SSBS   ARM_BIT(12)
#define PSTATE_IL     ARM_BIT(20)
#define PSTATE_SS     ARM_BIT(21)
#define PSTATE_PAN    ARM_BIT(22)
#define PSTATE_UAO    ARM_BIT(23)
#define PSTATE_DIT    ARM_BIT(24)
#define PSTATE_TCO    ARM_BIT(25)
#define PSTATE_NZCV   ARM_MASK(31, 28)

#define CURRENTEL_EL ARM_MASK(3, 2)

// ---- identification ----
#define MPIDR_AFF  (ARM_MASK(39, 32) | ARM_MASK(23, 0))
#define MPIDR_MT   ARM_BIT(24)
#define MPIDR_U    ARM_BIT(30)
#define MPIDR_RES1 ARM_BIT(31)

#define ID_AA64PFR0_EL1_EL0     ARM_MASK(3, 0)
#define ID_AA64PFR0_EL1_EL1     ARM_MASK(7, 4)
#define ID_AA64PFR0_EL1_EL2     ARM_MASK(11, 8)
#define ID_AA64PFR0_EL1_EL3     ARM_MASK(15, 12)
#define ID_AA64PFR0_EL1_FP      ARM_MASK(19, 16)
#define ID_AA64PFR0_EL1_ADVSIMD ARM_MASK(23, 20)
#define ID_AA64PFR0_EL1_GIC     ARM_MASK(27, 24)
#define ID_AA64PFR0_EL1_RAS     ARM_MASK(31, 28)

#define ID_AA64MMFR0_EL1_PARANGE  ARM_MASK(3, 0)
#define ID_AA64MMFR0_EL1_TGRAN4   ARM_MASK(31, 28)
#define ID_AA64MMFR0_EL1_TGRAN4_2 ARM_MASK(43, 40)
#define ID_AA64MMFR0_EL1_FGT      ARM_MASK(59, 56)
#define ID_AA64MMFR1_EL1_VMIDBITS ARM_MASK(7, 4)
#define ID_AA64MMFR1_EL1_HCX      ARM_MASK(43, 40)

// ---- HCR_EL2 (D17.2.48) ----
#define HCR_EL2_VM     ARM_BIT(0)
#define HCR_EL2_SWIO   ARM_BIT(1)
#define HCR_EL2_PTW    ARM_BIT(2)
#define HCR_EL2_FMO    ARM_BIT(3)
#define HCR_EL2_IMO    ARM_BIT(4)
#define HCR_EL2_AMO    ARM_BIT(5)
#define HCR_EL2_VSE    ARM_BIT(8)
#define HCR_EL2_FB     ARM_BIT(9)
#define HCR_EL2_BSU    ARM_MASK(11, 10)
#define HCR_EL2_BSU_IS ARM_BIT(10)
#define HCR_EL2_TWI    ARM_BIT(13)
#define HCR_EL2_TWE    ARM_BIT(14)
#define HCR_EL2_TID3   ARM_BIT(18)
#define HCR_EL2_TSC    ARM_BIT(19)
#define HCR_EL2_TIDCP  ARM_BIT(20)
#define HCR_EL2_TACR   ARM_BIT(21)
#define HCR_EL2_TSW    ARM_BIT(22)
#define HCR_EL2_TTLB   ARM_BIT(25)
#define HCR_EL2_TVM    ARM_BIT(26)
#define HCR_EL2_TGE    ARM_BIT(27)
#define HCR_EL2_RW     ARM_BIT(31)
#define HCR_EL2_E2H    ARM_BIT(34)
#define HCR_EL2_TLOR   ARM_BIT(35)
#define HCR_EL2_TERR   ARM_BIT(36)
#define HCR_EL2_TEA    ARM_BIT(37)
#define HCR_EL2_APK    ARM_BIT(40)
#define HCR_EL2_API    ARM_BIT(41)
#define HCR_EL2_ATA    ARM_BIT(56)
#define HCR_EL2_TID5   ARM_BIT(58)

// ---- CPTR_EL2 with E2H = 0 (D17.2.30) ----
#define CPTR_EL2_RES1 UINT64_C(0x22ff) // bits 13, 9 and 7:0
#define CPTR_EL2_TZ   ARM_BIT(8)
#define CPTR_EL2_TFP  ARM_BIT(10)
#define CPTR_EL2_TSM  ARM_BIT(12)
#define CPTR_EL2_TTA  ARM_BIT(20)
#define CPTR_EL2_TAM  ARM_BIT(30)

// ---- MDCR_EL2 (D17.3.17) ----
#define MDCR_EL2_HPMN  ARM_MASK(4, 0)
#define MDCR_EL2_TPMCR ARM_BIT(5)
#define MDCR_EL2_TPM   ARM_BIT(6)
#define MDCR_EL2_TDE   ARM_BIT(8)
#define MDCR_EL2_TDA   ARM_BIT(9)
#define MDCR_EL2_TDOSA ARM_BIT(10)
#define MDCR_EL2_TDRA  ARM_BIT(11)
#define MDCR_EL2_TPMS  ARM_BIT(14)
#define MDCR_EL2_TTRF  ARM_BIT(19)

#define MDSCR_EL1_SS   ARM_BIT(0)  // software step
#define MDSCR_EL1_KDE  ARM_BIT(13) // debug exceptions from EL1 itself
#define OSLSR_EL1_OSLK ARM_BIT(1)

#define CNTHCTL_EL2_EL1PCTEN ARM_BIT(0) // EL1 may read CNTPCT
#define CNTHCTL_EL2_EL1PCEN  ARM_BIT(1) // EL1 may use CNTP

// CTR_EL0: log2 of the words in the smallest data cache line
#define CTR_EL0_DMINLINE ARM_MASK(19, 16)

#define CNT_CTL_ENABLE  ARM_BIT(0)
#define CNT_CTL_IMASK   ARM_BIT(1)
#define CNT_CTL_ISTATUS ARM_BIT(2)

// ---- VTCR_EL2, VTTBR_EL2 (D17.2.157) ----
#define VTCR_EL2_T0SZ       ARM_MASK(5, 0)
#define VTCR_EL2_SL0        ARM_MASK(7, 6)
#define VTCR_EL2_IRGN0_WBWA ARM_BIT(8)
#define VTCR_EL2_ORGN0_WBWA ARM_BIT(10)
#define VTCR_EL2_SH0_INNER  ARM_MASK(13, 12)
#define VTCR_EL2_TG0        ARM_MASK(15, 14)
#define VTCR_EL2_PS         ARM_MASK(18, 16)
#define VTCR_EL2_VS         ARM_BIT(19)
#define VTCR_EL2_RES1       ARM_BIT(31)
#define VTTBR_EL2_BADDR     ARM_MASK(47, 1)
#define VTTBR_EL2_VMID      ARM_MASK(63, 48)

// ---- stage-2 descriptors (D8.3) ----
#define S2_VALID          ARM_BIT(0)
#define S2_TABLE_OR_PAGE  ARM_BIT(1)
#define S2_MEMATTR        ARM_MASK(5, 2)
#define S2_MEMATTR_NORMAL UINT64_C(0xf) // inner and outer write-back
#define S2_MEMATTR_DEVICE UINT64_C(0x1) // Device-nGnRE
#define S2_AP_READ        ARM_BIT(6)
#define S2_AP_WRITE       ARM_BIT(7)
#define S2_SH_INNER       ARM_MASK(9, 8)
#define S2_AF             ARM_BIT(10)
#define S2_XN             ARM_BIT(54)
#define S2_ADDRESS        ARM_MASK(47, 12)

#define SCTLR_EL1_RES1 UINT64_C(0x30d00800) // bits 29, 28, 23, 22, 20 and 11 in Armv8.0

// ---- ESR_ELx (D17.2.37) ----
#define ESR_ELX_EC  ARM_MASK(31, 26)
#define ESR_ELX_IL  ARM_BIT(25)
#define ESR_ELX_ISS ARM_MASK(24, 0)

#define ESR_ELX_EC_UNKNOWN   UINT64_C(0x00)
#define ESR_ELX_EC_WFX       UINT64_C(0x01)
#define ESR_ELX_EC_CP15_32   UINT64_C(0x03)
#define ESR_ELX_EC_CP15_64   UINT64_C(0x04)
#define ESR_ELX_EC_CP14_32   UINT64_C(0x05)
#define ESR_ELX_EC_CP14_LDC  UINT64_C(0x06)
#define ESR_ELX_EC_FP        UINT64_C(0x07)
#define ESR_ELX_EC_CP10_ID   UINT64_C(0x08)
#define ESR_ELX_EC_PAC       UINT64_C(0x09)
#define ESR_ELX_EC_LS64      UINT64_C(0x0a)
#define ESR_ELX_EC_CP14_64   UINT64_C(0x0c)
#define ESR_ELX_EC_BTI       UINT64_C(0x0d)
#define ESR_ELX_EC_ILLEGAL   UINT64_C(0x0e)
#define ESR_ELX_EC_SVC32     UINT64_C(0x11)
#define ESR_ELX_EC_HVC32     UINT64_C(0x12)
#define ESR_ELX_EC_SMC32     UINT64_C(0x13)
#define ESR_ELX_EC_SYSREG128 UINT64_C(0x14)
#define ESR_ELX_EC_SVC64     UINT64_C(0x15)
#define ESR_ELX_EC_HVC64     UINT64_C(0x16)
#define ESR_ELX_EC_SMC64     UINT64_C(0x17)
#define ESR_ELX_EC_SYSREG    UINT64_C(0x18)
#define ESR_ELX_EC_SVE       UINT64_C(0x19)
#define ESR_ELX_EC_ERET      UINT64_C(0x1a)
#define ESR_ELX_EC_TSTART    UINT64_C(0x1b)
#define ESR_ELX_EC_PACFAIL   UINT64_C(0x1c)
#define ESR_ELX_EC_SME       UINT64_C(0x1d)
#define ESR_ELX_EC_GPC       UINT64_C(0x1e)
#define ESR_ELX_EC_IABT_LOW  UINT64_C(0x20)
#define ESR_ELX_EC_IABT_CUR  UINT64_C(0x21)
#define ESR_ELX_EC_PC_ALIGN  UINT64_C(0x22)
#define ESR_ELX_EC_DABT_LOW  UINT64_C(0x24)
#define ESR_ELX_EC_DABT_CUR  UINT64_C(0x25)
#define ESR_ELX_EC_SP_ALIGN  UINT64_C(0x26)
#define ESR_ELX_EC_MOPS      UINT64_C(0x27)
#define ESR_ELX_EC_FP32      UINT64_C(0x28)
#define ESR_ELX_EC_FP64      UINT64_C(0x2c)
#define ESR_ELX_EC_GCS       UINT64_C(0x2d)
#define ESR_ELX_EC_SERROR    UINT64_C(0x2f)
#define ESR_ELX_EC_BREAK_LOW UINT64_C(0x30)
#define ESR_ELX_EC_BREAK_CUR UINT64_C(0x31)
#define ESR_ELX_EC_STEP_LOW  UINT64_C(0x32)
#define ESR_ELX_EC_STEP_CUR  UINT64_C(0x33)
#define ESR_ELX_EC_WATCH_LOW UINT64_C(0x34)
#define ESR_ELX_EC_WATCH_CUR UINT64_C(0x35)
#define ESR_ELX_EC_BKPT32    UINT64_C(0x38)
#define ESR_ELX_EC_VECTOR32  UINT64_C(0x3a)
#define ESR_ELX_EC_BRK64     UINT64_C(0x3c)
#define ESR_ELX_EC_PMU       UINT64_C(0x3d)

#define ESR_ELX_WFX_TI  ARM_MASK(1, 0) // 0 WFI, 1 WFE, 2 WFIT, 3 WFET
#define ESR_ELX_HVC_IMM ARM_MASK(15, 0)
// Data and instruction aborts
#define ESR_ELX_ABT_ISV      ARM_BIT(24)
#define ESR_ELX_ABT_SAS      ARM_MASK(23, 22)
#define ESR_ELX_ABT_SSE      ARM_BIT(21)
#define ESR_ELX_ABT_SRT      ARM_MASK(20, 16)
#define ESR_ELX_ABT_SF       ARM_BIT(15)
#define ESR_ELX_ABT_AR       ARM_BIT(14)
#define ESR_ELX_ABT_FNV      ARM_BIT(10)
#define ESR_ELX_ABT_EA       ARM_BIT(9)
#define ESR_ELX_ABT_CM       ARM_BIT(8)
#define ESR_ELX_ABT_S1PTW    ARM_BIT(7)
#define ESR_ELX_ABT_WNR      ARM_BIT(6)
#define ESR_ELX_ABT_FSC      ARM_MASK(5, 0)
#define ESR_ELX_FSC_EXTERNAL UINT64_C(0x10) // synchronous external abort, not on a table walk
// Trapped MSR, MRS and system instructions
#define ESR_ELX_SYS_OP0  ARM_MASK(21, 20)
#define ESR_ELX_SYS_OP2  ARM_MASK(19, 17)
#define ESR_ELX_SYS_OP1  ARM_MASK(16, 14)
#define ESR_ELX_SYS_CRN  ARM_MASK(13, 10)
#define ESR_ELX_SYS_RT   ARM_MASK(9, 5)
#define ESR_ELX_SYS_CRM  ARM_MASK(4, 1)
#define ESR_ELX_SYS_READ ARM_BIT(0)
#define ESR_ELX_SYS_ADDR (ARM_MASK(21, 10) | ARM_MASK(4, 1))

#define HPFAR_EL2_FIPA ARM_MASK(43, 4) // bits 51:12 of the address

#define PAR_EL1_F    ARM_BIT(0)
#define PAR_EL1_FST  ARM_MASK(6, 1)
#define PAR_EL1_PA   ARM_MASK(47, 12)
#define PAR_EL1_ATTR ARM_MASK(63, 56)

// ---- GICv3 CPU interface (IHI 0069 12.4, 12.5) ----
#define ICC_SRE_EL2_SRE    ARM_BIT(0)
#define ICC_SRE_EL2_DFB    ARM_BIT(1)
#define ICC_SRE_EL2_DIB    ARM_BIT(2)
#define ICC_SRE_EL2_ENABLE ARM_BIT(3)

#define ICH_VTR_LISTREGS ARM_MASK(4, 0)
#define ICH_VTR_PREBITS  ARM_MASK(28, 26)
#define ICH_VTR_PRIBITS  ARM_MASK(31, 29)

#define ICH_HCR_EN       ARM_BIT(0)
#define ICH_HCR_UIE      ARM_BIT(1)
#define ICH_HCR_LRENPIE  ARM_BIT(2)
#define ICH_HCR_NPIE     ARM_BIT(3)
#define ICH_HCR_TC       ARM_BIT(10)
#define ICH_HCR_TALL0    ARM_BIT(11)
#define ICH_HCR_TALL1    ARM_BIT(12)
#define ICH_HCR_TDIR     ARM_BIT(14)
#define ICH_HCR_EOICOUNT ARM_MASK(31, 27)

#define ICH_VMCR_VEOIM ARM_BIT(9)
// VENG0, VENG1, VAckCtl, VFIQEn, VCBPR, VEOIM, VBPR1, VBPR0, VPMR
#define ICH_VMCR_FIELDS (ARM_MASK(31, 18) | ARM_BIT(9) | ARM_MASK(4, 0))

#define ICH_LR_VINTID   ARM_MASK(31, 0)
#define ICH_LR_PINTID   ARM_MASK(44, 32)
#define ICH_LR_EOI      ARM_BIT(41) // maintenance interrupt; HW = 0 only
#define ICH_LR_PRIORITY ARM_MASK(55, 48)
#define ICH_LR_GROUP1   ARM_BIT(60)
#define ICH_LR_HW       ARM_BIT(61)
#define ICH_LR_STATE    ARM_MASK(63, 62)
#define ICH_LR_PENDING  ARM_BIT(62)
#define ICH_LR_ACTIVE   ARM_BIT(63)

#define ICC_DIR_INTID ARM_MASK(23, 0)

#define ICC_SGI1R_TARGETS ARM_MASK(15, 0)
#define ICC_SGI1R_AFF1    ARM_MASK(23, 16)
#define ICC_SGI1R_INTID   ARM_MASK(27, 24)
#define ICC_SGI1R_AFF2    ARM_MASK(39, 32)
#define ICC_SGI1R_IRM     ARM_BIT(40)
#define ICC_SGI1R_RS      ARM_MASK(47, 44)
#define ICC_SGI1R_AFF3    ARM_MASK(55, 48)
