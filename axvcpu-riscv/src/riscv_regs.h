// SPDX-License-Identifier: Apache-2.0
// Fields of CSRs, named as in the Privileged Architecture (version 20211203 and later). Masks only:
// rv_get and rv_put derive the shift.
#pragma once

#include <stdint.h>

#define RV_BIT(n)          (UINT64_C(1) << (n))
#define RV_MASK(high, low) ((UINT64_MAX >> (63 - (high))) & (UINT64_MAX << (low)))

// The field of `value` under `mask`, moved to bit 0.
static inline uint64_t rv_get(uint64_t value, uint64_t mask)
{
    return (value & mask) / (mask & -mask);
}

// `field` moved under `mask`, bits that do not fit cut off.
static inline uint64_t rv_put(uint64_t field, uint64_t mask)
{
    return (field * (mask & -mask)) & mask;
}

// ---- sstatus, vsstatus (4.1.1, 8.2.10) ----
#define SSTATUS_SIE      RV_BIT(1)
#define SSTATUS_SPIE     RV_BIT(5)
#define SSTATUS_UBE      RV_BIT(6)
#define SSTATUS_SPP      RV_BIT(8)
#define SSTATUS_VS       RV_MASK(10, 9)
#define SSTATUS_FS       RV_MASK(14, 13)
#define SSTATUS_FS_CLEAN RV_BIT(14)
#define SSTATUS_FS_DIRTY RV_MASK(14, 13)
#define SSTATUS_XS       RV_MASK(16, 15)
#define SSTATUS_SUM      RV_BIT(18)
#define SSTATUS_MXR      RV_BIT(19)
#define SSTATUS_UXL      RV_MASK(33, 32)
#define SSTATUS_UXL_64   RV_BIT(33)
#define SSTATUS_SD       RV_BIT(63)

// ---- stvec, vstvec (4.1.2) ----
#define STVEC_MODE          RV_MASK(1, 0)
#define STVEC_MODE_DIRECT   UINT64_C(0)
#define STVEC_MODE_VECTORED UINT64_C(1)

// ---- hstatus (8.2.1) ----
#define HSTATUS_VSBE    RV_BIT(5)
#define HSTATUS_GVA     RV_BIT(6)
#define HSTATUS_SPV     RV_BIT(7)
#define HSTATUS_SPVP    RV_BIT(8)
#define HSTATUS_HU      RV_BIT(9)
#define HSTATUS_VGEIN   RV_MASK(17, 12)
#define HSTATUS_VTVM    RV_BIT(20)
#define HSTATUS_VTW     RV_BIT(21)
#define HSTATUS_VTSR    RV_BIT(22)
#define HSTATUS_VSXL    RV_MASK(33, 32)
#define HSTATUS_VSXL_64 RV_BIT(33)

// ---- interrupts: bits of hideleg, hvip, hip, hie; one lower in vsip and vsie (8.2.3) ----
#define HIP_VSSIP RV_BIT(2)
#define HIP_VSTIP RV_BIT(6)
#define HIP_VSEIP RV_BIT(10)
#define HIP_SGEIP RV_BIT(12)
#define HIP_VS    (HIP_VSSIP | HIP_VSTIP | HIP_VSEIP)
#define SIP_SSIP  RV_BIT(1)
#define SIP_STIP  RV_BIT(5)
#define SIP_SEIP  RV_BIT(9)

// ---- scause (4.1.8, 8.6.1) ----
#define SCAUSE_INTERRUPT RV_BIT(63)
#define SCAUSE_CODE      RV_MASK(62, 0)

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
#define HTINST_32BIT             RV_BIT(1)        // clear: the trapped instruction had 16 bits
#define HTINST_PSEUDO_READ       UINT64_C(0x3000) // of a page-table entry of the guest
#define HTINST_PSEUDO_WRITE      UINT64_C(0x3020)
#define HTINST_PSEUDO_READ_RV32  UINT64_C(0x2000)
#define HTINST_PSEUDO_WRITE_RV32 UINT64_C(0x2020)

// ---- hcounteren, scounteren (8.2.6) ----
#define HCOUNTEREN_CY RV_BIT(0)
#define HCOUNTEREN_TM RV_BIT(1)
#define HCOUNTEREN_IR RV_BIT(2)

// ---- henvcfg (8.2.5) ----
#define HENVCFG_FIOM  RV_BIT(0)
#define HENVCFG_CBIE  RV_MASK(5, 4)
#define HENVCFG_CBCFE RV_BIT(6)
#define HENVCFG_CBZE  RV_BIT(7)
#define HENVCFG_PBMTE RV_BIT(62)
#define HENVCFG_STCE  RV_BIT(63)

// ---- hstateen0 (Smstateen) ----
#define HSTATEEN0_ENVCFG RV_BIT(62)
#define HSTATEEN0_SE0    RV_BIT(63)

// ---- satp, vsatp (4.1.11) ----
#define SATP_MODE RV_MASK(63, 60)
#define SATP_ASID RV_MASK(59, 44)
#define SATP_PPN  RV_MASK(43, 0)

// ---- hgatp (8.2.10) ----
#define HGATP_MODE        RV_MASK(63, 60)
#define HGATP_MODE_SV39X4 UINT64_C(8)
#define HGATP_MODE_SV48X4 UINT64_C(9)
#define HGATP_MODE_SV57X4 UINT64_C(10)
#define HGATP_VMID        RV_MASK(57, 44)
#define HGATP_PPN         RV_MASK(43, 0)

// ---- entries of G-stage tables (4.4.1, 8.5.1) ----
#define PTE_V   RV_BIT(0)
#define PTE_R   RV_BIT(1)
#define PTE_W   RV_BIT(2)
#define PTE_X   RV_BIT(3)
#define PTE_U   RV_BIT(4) // accesses of a guest count as user mode, so leaves need it
#define PTE_G   RV_BIT(5)
#define PTE_A   RV_BIT(6)
#define PTE_D   RV_BIT(7)
#define PTE_RSW RV_MASK(9, 8)
#define PTE_PPN RV_MASK(53, 10)
