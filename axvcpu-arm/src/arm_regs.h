// SPDX-License-Identifier: Apache-2.0
// Fields of system registers, named as in the Arm ARM (DDI 0487) and the GIC manual (IHI 0069).
// Masks only: ax_get and ax_put derive the shift.
#pragma once

#include <axvcpu/bits.h>

// ---- PSTATE as in SPSR_ELx (C5.2.19) ----
#define PSTATE_M      AX_MASK(3, 0)
#define PSTATE_M_EL0T UINT64_C(0x0)
#define PSTATE_M_EL1T UINT64_C(0x4)
#define PSTATE_M_EL1H UINT64_C(0x5)
#define PSTATE_NRW    AX_BIT(4)
#define PSTATE_T32    AX_BIT(5)
#define PSTATE_F      AX_BIT(6)
#define PSTATE_I      AX_BIT(7)
#define PSTATE_A      AX_BIT(8)
#define PSTATE_D      AX_BIT(9)
#define PSTATE_DAIF   AX_MASK(9, 6)
#define PSTATE_BTYPE  AX_MASK(11, 10)
#define PSTATE_SSBS   AX_BIT(12)
#define PSTATE_IL     AX_BIT(20)
#define PSTATE_SS     AX_BIT(21)
#define PSTATE_PAN    AX_BIT(22)
#define PSTATE_UAO    AX_BIT(23)
#define PSTATE_DIT    AX_BIT(24)
#define PSTATE_TCO    AX_BIT(25)
#define PSTATE_NZCV   AX_MASK(31, 28)

#define CURRENTEL_EL AX_MASK(3, 2)

// ---- identification ----
#define MPIDR_AFF  (AX_MASK(39, 32) | AX_MASK(23, 0))
#define MPIDR_MT   AX_BIT(24)
#define MPIDR_U    AX_BIT(30)
#define MPIDR_RES1 AX_BIT(31)

#define ID_AA64PFR0_EL1_EL0     AX_MASK(3, 0)
#define ID_AA64PFR0_EL1_EL1     AX_MASK(7, 4)
#define ID_AA64PFR0_EL1_EL2     AX_MASK(11, 8)
#define ID_AA64PFR0_EL1_EL3     AX_MASK(15, 12)
#define ID_AA64PFR0_EL1_FP      AX_MASK(19, 16)
#define ID_AA64PFR0_EL1_ADVSIMD AX_MASK(23, 20)
#define ID_AA64PFR0_EL1_GIC     AX_MASK(27, 24)
#define ID_AA64PFR0_EL1_RAS     AX_MASK(31, 28)

#define ID_AA64MMFR0_EL1_PARANGE  AX_MASK(3, 0)
#define ID_AA64MMFR0_EL1_TGRAN4   AX_MASK(31, 28)
#define ID_AA64MMFR0_EL1_TGRAN4_2 AX_MASK(43, 40)
#define ID_AA64MMFR0_EL1_FGT      AX_MASK(59, 56)
#define ID_AA64MMFR1_EL1_VMIDBITS AX_MASK(7, 4)
#define ID_AA64MMFR1_EL1_HCX      AX_MASK(43, 40)

// ---- HCR_EL2 (D17.2.48) ----
#define HCR_EL2_VM     AX_BIT(0)
#define HCR_EL2_SWIO   AX_BIT(1)
#define HCR_EL2_PTW    AX_BIT(2)
#define HCR_EL2_FMO    AX_BIT(3)
#define HCR_EL2_IMO    AX_BIT(4)
#define HCR_EL2_AMO    AX_BIT(5)
#define HCR_EL2_VSE    AX_BIT(8)
#define HCR_EL2_FB     AX_BIT(9)
#define HCR_EL2_BSU    AX_MASK(11, 10)
#define HCR_EL2_BSU_IS AX_BIT(10)
#define HCR_EL2_TWI    AX_BIT(13)
#define HCR_EL2_TWE    AX_BIT(14)
#define HCR_EL2_TID3   AX_BIT(18)
#define HCR_EL2_TSC    AX_BIT(19)
#define HCR_EL2_TIDCP  AX_BIT(20)
#define HCR_EL2_TACR   AX_BIT(21)
#define HCR_EL2_TSW    AX_BIT(22)
#define HCR_EL2_TTLB   AX_BIT(25)
#define HCR_EL2_TVM    AX_BIT(26)
#define HCR_EL2_TGE    AX_BIT(27)
#define HCR_EL2_RW     AX_BIT(31)
#define HCR_EL2_E2H    AX_BIT(34)
#define HCR_EL2_TLOR   AX_BIT(35)
#define HCR_EL2_TERR   AX_BIT(36)
#define HCR_EL2_TEA    AX_BIT(37)
#define HCR_EL2_APK    AX_BIT(40)
#define HCR_EL2_API    AX_BIT(41)
#define HCR_EL2_ATA    AX_BIT(56)
#define HCR_EL2_TID5   AX_BIT(58)

// ---- CPTR_EL2 with E2H = 0 (D17.2.30) ----
#define CPTR_EL2_RES1 UINT64_C(0x22ff) // bits 13, 9 and 7:0
#define CPTR_EL2_TZ   AX_BIT(8)
#define CPTR_EL2_TFP  AX_BIT(10)
#define CPTR_EL2_TSM  AX_BIT(12)
#define CPTR_EL2_TTA  AX_BIT(20)
#define CPTR_EL2_TAM  AX_BIT(30)

// ---- MDCR_EL2 (D17.3.17) ----
#define MDCR_EL2_HPMN  AX_MASK(4, 0)
#define MDCR_EL2_TPMCR AX_BIT(5)
#define MDCR_EL2_TPM   AX_BIT(6)
#define MDCR_EL2_TDE   AX_BIT(8)
#define MDCR_EL2_TDA   AX_BIT(9)
#define MDCR_EL2_TDOSA AX_BIT(10)
#define MDCR_EL2_TDRA  AX_BIT(11)
#define MDCR_EL2_TPMS  AX_BIT(14)
#define MDCR_EL2_TTRF  AX_BIT(19)

#define MDSCR_EL1_SS   AX_BIT(0)  // software step
#define MDSCR_EL1_KDE  AX_BIT(13) // debug exceptions from EL1 itself
#define OSLSR_EL1_OSLK AX_BIT(1)

#define CNTHCTL_EL2_EL1PCTEN AX_BIT(0) // EL1 may read CNTPCT
#define CNTHCTL_EL2_EL1PCEN  AX_BIT(1) // EL1 may use CNTP

// CTR_EL0: log2 of the words in the smallest data cache line
#define CTR_EL0_DMINLINE AX_MASK(19, 16)

#define CNT_CTL_ENABLE  AX_BIT(0)
#define CNT_CTL_IMASK   AX_BIT(1)
#define CNT_CTL_ISTATUS AX_BIT(2)

// ---- VTCR_EL2, VTTBR_EL2 (D17.2.157) ----
#define VTCR_EL2_T0SZ       AX_MASK(5, 0)
#define VTCR_EL2_SL0        AX_MASK(7, 6)
#define VTCR_EL2_IRGN0_WBWA AX_BIT(8)
#define VTCR_EL2_ORGN0_WBWA AX_BIT(10)
#define VTCR_EL2_SH0_INNER  AX_MASK(13, 12)
#define VTCR_EL2_TG0        AX_MASK(15, 14)
#define VTCR_EL2_PS         AX_MASK(18, 16)
#define VTCR_EL2_VS         AX_BIT(19)
#define VTCR_EL2_RES1       AX_BIT(31)
#define VTTBR_EL2_BADDR     AX_MASK(47, 1)
#define VTTBR_EL2_VMID      AX_MASK(63, 48)

// ---- stage-2 descriptors (D8.3) ----
#define S2_VALID          AX_BIT(0)
#define S2_TABLE_OR_PAGE  AX_BIT(1)
#define S2_MEMATTR        AX_MASK(5, 2)
#define S2_MEMATTR_NORMAL UINT64_C(0xf) // inner and outer write-back
#define S2_MEMATTR_DEVICE UINT64_C(0x1) // Device-nGnRE
#define S2_AP_READ        AX_BIT(6)
#define S2_AP_WRITE       AX_BIT(7)
#define S2_SH_INNER       AX_MASK(9, 8)
#define S2_AF             AX_BIT(10)
#define S2_XN             AX_BIT(54)
#define S2_ADDRESS        AX_MASK(47, 12)

#define SCTLR_EL1_RES1 UINT64_C(0x30d00800) // bits 29, 28, 23, 22, 20 and 11 in Armv8.0

// ---- ESR_ELx (D17.2.37) ----
#define ESR_ELX_EC  AX_MASK(31, 26)
#define ESR_ELX_IL  AX_BIT(25)
#define ESR_ELX_ISS AX_MASK(24, 0)

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

#define ESR_ELX_WFX_TI  AX_MASK(1, 0) // 0 WFI, 1 WFE, 2 WFIT, 3 WFET
#define ESR_ELX_HVC_IMM AX_MASK(15, 0)
// Data and instruction aborts
#define ESR_ELX_ABT_ISV      AX_BIT(24)
#define ESR_ELX_ABT_SAS      AX_MASK(23, 22)
#define ESR_ELX_ABT_SSE      AX_BIT(21)
#define ESR_ELX_ABT_SRT      AX_MASK(20, 16)
#define ESR_ELX_ABT_SF       AX_BIT(15)
#define ESR_ELX_ABT_AR       AX_BIT(14)
#define ESR_ELX_ABT_FNV      AX_BIT(10)
#define ESR_ELX_ABT_EA       AX_BIT(9)
#define ESR_ELX_ABT_CM       AX_BIT(8)
#define ESR_ELX_ABT_S1PTW    AX_BIT(7)
#define ESR_ELX_ABT_WNR      AX_BIT(6)
#define ESR_ELX_ABT_FSC      AX_MASK(5, 0)
#define ESR_ELX_FSC_EXTERNAL UINT64_C(0x10) // synchronous external abort, not on a table walk
// Trapped MSR, MRS and system instructions
#define ESR_ELX_SYS_OP0  AX_MASK(21, 20)
#define ESR_ELX_SYS_OP2  AX_MASK(19, 17)
#define ESR_ELX_SYS_OP1  AX_MASK(16, 14)
#define ESR_ELX_SYS_CRN  AX_MASK(13, 10)
#define ESR_ELX_SYS_RT   AX_MASK(9, 5)
#define ESR_ELX_SYS_CRM  AX_MASK(4, 1)
#define ESR_ELX_SYS_READ AX_BIT(0)
#define ESR_ELX_SYS_ADDR (AX_MASK(21, 10) | AX_MASK(4, 1))

#define HPFAR_EL2_FIPA AX_MASK(43, 4) // bits 51:12 of the address

#define PAR_EL1_F    AX_BIT(0)
#define PAR_EL1_FST  AX_MASK(6, 1)
#define PAR_EL1_PA   AX_MASK(47, 12)
#define PAR_EL1_ATTR AX_MASK(63, 56)

// ---- GICv3 CPU interface (IHI 0069 12.4, 12.5) ----
#define ICC_SRE_EL2_SRE    AX_BIT(0)
#define ICC_SRE_EL2_DFB    AX_BIT(1)
#define ICC_SRE_EL2_DIB    AX_BIT(2)
#define ICC_SRE_EL2_ENABLE AX_BIT(3)

#define ICH_VTR_LISTREGS AX_MASK(4, 0)
#define ICH_VTR_PREBITS  AX_MASK(28, 26)
#define ICH_VTR_PRIBITS  AX_MASK(31, 29)

#define ICH_HCR_EN       AX_BIT(0)
#define ICH_HCR_UIE      AX_BIT(1)
#define ICH_HCR_LRENPIE  AX_BIT(2)
#define ICH_HCR_NPIE     AX_BIT(3)
#define ICH_HCR_TC       AX_BIT(10)
#define ICH_HCR_TALL0    AX_BIT(11)
#define ICH_HCR_TALL1    AX_BIT(12)
#define ICH_HCR_TDIR     AX_BIT(14)
#define ICH_HCR_EOICOUNT AX_MASK(31, 27)

#define ICH_VMCR_VEOIM AX_BIT(9)
// VENG0, VENG1, VAckCtl, VFIQEn, VCBPR, VEOIM, VBPR1, VBPR0, VPMR
#define ICH_VMCR_FIELDS (AX_MASK(31, 18) | AX_BIT(9) | AX_MASK(4, 0))

#define ICH_LR_VINTID   AX_MASK(31, 0)
#define ICH_LR_PINTID   AX_MASK(44, 32)
#define ICH_LR_EOI      AX_BIT(41) // maintenance interrupt; HW = 0 only
#define ICH_LR_PRIORITY AX_MASK(55, 48)
#define ICH_LR_GROUP1   AX_BIT(60)
#define ICH_LR_HW       AX_BIT(61)
#define ICH_LR_STATE    AX_MASK(63, 62)
#define ICH_LR_PENDING  AX_BIT(62)
#define ICH_LR_ACTIVE   AX_BIT(63)

#define ICC_DIR_INTID AX_MASK(23, 0)

#define ICC_SGI1R_TARGETS AX_MASK(15, 0)
#define ICC_SGI1R_AFF1    AX_MASK(23, 16)
#define ICC_SGI1R_INTID   AX_MASK(27, 24)
#define ICC_SGI1R_AFF2    AX_MASK(39, 32)
#define ICC_SGI1R_IRM     AX_BIT(40)
#define ICC_SGI1R_RS      AX_MASK(47, 44)
#define ICC_SGI1R_AFF3    AX_MASK(55, 48)
