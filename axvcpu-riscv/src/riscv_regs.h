// SPDX-License-Identifier: Apache-2.0
// Fields of CSRs, named as in the Privileged Architecture (version 20211203 and later). Masks only:
// ax_get and ax_put derive the shift.
#pragma once

#include <axvcpu/bits.h>

// ---- sstatus, vsstatus (4.1.1, 8.2.10) ----
#define SSTATUS_SIE      AX_BIT(1)
#define SSTATUS_SPIE     AX_BIT(5)
#define SSTATUS_UBE      AX_BIT(6)
#define SSTATUS_SPP      AX_BIT(8)
#define SSTATUS_VS       AX_MASK(10, 9)
#define SSTATUS_FS       AX_MASK(14, 13)
#define SSTATUS_FS_CLEAN AX_BIT(14)
#define SSTATUS_FS_DIRTY AX_MASK(14, 13)
#define SSTATUS_XS       AX_MASK(16, 15)
#define SSTATUS_SUM      AX_BIT(18)
#define SSTATUS_MXR      AX_BIT(19)
#define SSTATUS_UXL      AX_MASK(33, 32)
#define SSTATUS_UXL_64   AX_BIT(33)
#define SSTATUS_SD       AX_BIT(63)

// ---- stvec, vstvec (4.1.2) ----
#define STVEC_MODE          AX_MASK(1, 0)
#define STVEC_MODE_DIRECT   UINT64_C(0)
#define STVEC_MODE_VECTORED UINT64_C(1)

// ---- hstatus (8.2.1) ----
#define HSTATUS_VSBE    AX_BIT(5)
#define HSTATUS_GVA     AX_BIT(6)
#define HSTATUS_SPV     AX_BIT(7)
#define HSTATUS_SPVP    AX_BIT(8)
#define HSTATUS_HU      AX_BIT(9)
#define HSTATUS_VGEIN   AX_MASK(17, 12)
#define HSTATUS_VTVM    AX_BIT(20)
#define HSTATUS_VTW     AX_BIT(21)
#define HSTATUS_VTSR    AX_BIT(22)
#define HSTATUS_VSXL    AX_MASK(33, 32)
#define HSTATUS_VSXL_64 AX_BIT(33)

// ---- interrupts: bits of hideleg, hvip, hip, hie; one lower in vsip and vsie (8.2.3) ----
#define HIP_VSSIP AX_BIT(2)
#define HIP_VSTIP AX_BIT(6)
#define HIP_VSEIP AX_BIT(10)
#define HIP_SGEIP AX_BIT(12)
#define HIP_VS    (HIP_VSSIP | HIP_VSTIP | HIP_VSEIP)
#define SIP_SSIP  AX_BIT(1)
#define SIP_STIP  AX_BIT(5)
#define SIP_SEIP  AX_BIT(9)

// ---- scause (4.1.8, 8.6.1) ----
#define SCAUSE_INTERRUPT AX_BIT(63)
#define SCAUSE_CODE      AX_MASK(62, 0)

#define CAUSE_FETCH_MISALIGNED    UINT64_C(0)
#define CAUSE_FETCH_ACCESS        UINT64_C(1)
#define CAUSE_ILLEGAL_INSTRUCTION UINT64_C(2)
#define CAUSE_BREAKPOINT          UINT64_C(3)
#define CAUSE_LOAD_MISALIGNED     UINT64_C(4)
#define CAUSE_LOAD_ACCESS         UINT64_C(5)
#define CAUSE_STORE_MISALIGNED    UINT64_C(6)
#define CAUSE_STORE_ACCESS        UINT64_C(7)
#define CAUSE_ECALL_U             UINT64_C(8)
#define CAUSE_ECALL_HS            UINT64_C(9)
#define CAUSE_ECALL_VS            UINT64_C(10)
#define CAUSE_FETCH_PAGE          UINT64_C(12)
#define CAUSE_LOAD_PAGE           UINT64_C(13)
#define CAUSE_STORE_PAGE          UINT64_C(15)
#define CAUSE_SOFTWARE_CHECK      UINT64_C(18)
#define CAUSE_HARDWARE_ERROR      UINT64_C(19)
#define CAUSE_FETCH_GUEST_PAGE    UINT64_C(20)
#define CAUSE_LOAD_GUEST_PAGE     UINT64_C(21)
#define CAUSE_VIRTUAL_INSTRUCTION UINT64_C(22)
#define CAUSE_STORE_GUEST_PAGE    UINT64_C(23)

// ---- htinst (8.6.3) ----
#define HTINST_32BIT             AX_BIT(1)        // clear: the trapped instruction had 16 bits
#define HTINST_PSEUDO_READ       UINT64_C(0x3000) // of a page-table entry of the guest
#define HTINST_PSEUDO_WRITE      UINT64_C(0x3020)
#define HTINST_PSEUDO_READ_RV32  UINT64_C(0x2000)
#define HTINST_PSEUDO_WRITE_RV32 UINT64_C(0x2020)

// ---- hcounteren, scounteren (8.2.6) ----
#define HCOUNTEREN_CY AX_BIT(0)
#define HCOUNTEREN_TM AX_BIT(1)
#define HCOUNTEREN_IR AX_BIT(2)

// ---- henvcfg (8.2.5) ----
#define HENVCFG_FIOM  AX_BIT(0)
#define HENVCFG_CBIE  AX_MASK(5, 4)
#define HENVCFG_CBCFE AX_BIT(6)
#define HENVCFG_CBZE  AX_BIT(7)
#define HENVCFG_PBMTE AX_BIT(62)
#define HENVCFG_STCE  AX_BIT(63)

// ---- hstateen0 (Smstateen) ----
#define HSTATEEN0_ENVCFG AX_BIT(62)
#define HSTATEEN0_SE0    AX_BIT(63)

// ---- satp, vsatp (4.1.11) ----
#define SATP_MODE AX_MASK(63, 60)
#define SATP_ASID AX_MASK(59, 44)
#define SATP_PPN  AX_MASK(43, 0)

// ---- hgatp (8.2.10) ----
#define HGATP_MODE        AX_MASK(63, 60)
#define HGATP_MODE_SV39X4 UINT64_C(8)
#define HGATP_MODE_SV48X4 UINT64_C(9)
#define HGATP_MODE_SV57X4 UINT64_C(10)
#define HGATP_VMID        AX_MASK(57, 44)
#define HGATP_PPN         AX_MASK(43, 0)

// ---- entries of G-stage tables (4.4.1, 8.5.1) ----
#define PTE_V   AX_BIT(0)
#define PTE_R   AX_BIT(1)
#define PTE_W   AX_BIT(2)
#define PTE_X   AX_BIT(3)
#define PTE_U   AX_BIT(4) // accesses of a guest count as user mode, so leaves need it
#define PTE_G   AX_BIT(5)
#define PTE_A   AX_BIT(6)
#define PTE_D   AX_BIT(7)
#define PTE_RSW AX_MASK(9, 8)
#define PTE_PPN AX_MASK(53, 10)
