// SPDX-License-Identifier: Apache-2.0
// Bits of architectural registers, named as in the manuals (SDM volume 3, APM volume 2).
#pragma once

#include <axvcpu/bits.h>

#define X86_BIT(n) AX_BIT(n)

// General registers by encoding.
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

#define CR0_PE X86_BIT(0)
#define CR0_MP X86_BIT(1)
#define CR0_EM X86_BIT(2)
#define CR0_TS X86_BIT(3)
#define CR0_ET X86_BIT(4)
#define CR0_NE X86_BIT(5)
#define CR0_WP X86_BIT(16)
#define CR0_NW X86_BIT(29)
#define CR0_CD X86_BIT(30)
#define CR0_PG X86_BIT(31)

#define CR4_PSE        X86_BIT(4)
#define CR4_PAE        X86_BIT(5)
#define CR4_MCE        X86_BIT(6)
#define CR4_PGE        X86_BIT(7)
#define CR4_OSFXSR     X86_BIT(9)
#define CR4_OSXMMEXCPT X86_BIT(10)
#define CR4_LA57       X86_BIT(12)
#define CR4_VMXE       X86_BIT(13)
#define CR4_PCIDE      X86_BIT(17)
#define CR4_OSXSAVE    X86_BIT(18)
#define CR4_SMEP       X86_BIT(20)
#define CR4_SMAP       X86_BIT(21)

// VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP FSGSBASE PCIDE OSXSAVE SMEP SMAP
#define CR4_OFFERED UINT64_C(0x00370fff)

#define EFER_SCE  X86_BIT(0)
#define EFER_LME  X86_BIT(8)
#define EFER_LMA  X86_BIT(10)
#define EFER_NXE  X86_BIT(11)
#define EFER_SVME X86_BIT(12)

#define RFLAGS_FIXED X86_BIT(1)
#define RFLAGS_TF    X86_BIT(8)
#define RFLAGS_IF    X86_BIT(9)
#define RFLAGS_DF    X86_BIT(10)
#define RFLAGS_NT    X86_BIT(14)
#define RFLAGS_RF    X86_BIT(16)
#define RFLAGS_VM    X86_BIT(17)
#define RFLAGS_AC    X86_BIT(18)
// CF to OF, IOPL, NT; RF, VM, AC, VIF, VIP, ID.
#define RFLAGS_WRITABLE UINT64_C(0x3f7fd5)

#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR6_BREAK UINT64_C(0x200f) // B0 to B3, BD
#define DR6_BS    X86_BIT(14)
#define DR6_BT    X86_BIT(15)
#define DR7_GD    X86_BIT(13)
#define DR7_RESET UINT64_C(0x400)
#define DR7_FIXED X86_BIT(10)

#define PAT_RESET UINT64_C(0x0007040600070406)

#define VM_CR_SVMDIS X86_BIT(4)

#define XCR0_X87    X86_BIT(0)
#define XCR0_SSE    X86_BIT(1)
#define XCR0_AVX    X86_BIT(2)
#define XCR0_AVX512 (X86_BIT(5) | X86_BIT(6) | X86_BIT(7))

// Attributes of segments, see X86_SEGMENT_FIELDS.
#define SEGMENT_TYPE            UINT64_C(0x00f)
#define SEGMENT_ACCESSED        0x1u
#define SEGMENT_READ_OR_WRITE   UINT64_C(0x002) // code may be read, data written
#define SEGMENT_CONFORMING      UINT64_C(0x004)
#define SEGMENT_CODE            UINT64_C(0x008)
#define SEGMENT_CODE_OR_DATA    UINT64_C(0x010)
#define SEGMENT_PRESENT         UINT64_C(0x080)
#define SEGMENT_LONG            UINT64_C(0x200)
#define SEGMENT_BIG             UINT64_C(0x400)
#define SEGMENT_GRANULAR        UINT64_C(0x800)
#define SEGMENT_DPL(attributes) ((unsigned)((attributes) >> 5) & 3)
#define SEGMENT_FLAT_CODE3      UINT64_C(0xcfb)
#define SEGMENT_FLAT_DATA3      UINT64_C(0xcf3)
#define SEGMENT_8086            UINT64_C(0x0f3)

// Exceptions by vector.
#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_AC 17
#define VECTOR_MC 18

#define PF_PRESENT  X86_BIT(0)
#define PF_WRITE    X86_BIT(1)
#define PF_USER     X86_BIT(2)
#define PF_RESERVED X86_BIT(3)
#define PF_FETCH    X86_BIT(4)

// MSRs that guests reach through the policy table.
#define MSR_TSC          UINT32_C(0x10)
#define MSR_APIC_BASE    UINT32_C(0x1b)
#define MSR_TSC_ADJUST   UINT32_C(0x3b)
#define MSR_BIOS_SIGN    UINT32_C(0x8b)
#define MSR_MTRR_CAP     UINT32_C(0xfe)
#define MSR_SYSENTER_CS  UINT32_C(0x174)
#define MSR_SYSENTER_ESP UINT32_C(0x175)
#define MSR_SYSENTER_EIP UINT32_C(0x176)
#define MSR_MCG_CAP      UINT32_C(0x179)
#define MSR_MISC_ENABLE  UINT32_C(0x1a0)
#define MSR_PAT          UINT32_C(0x277)
#define MSR_MTRR_TYPE    UINT32_C(0x2ff)
#define MSR_TSC_DEADLINE UINT32_C(0x6e0)
#define MSR_X2APIC       UINT32_C(0x800)
#define MSR_X2APIC_LAST  UINT32_C(0x8ff)
#define MSR_WALL_CLOCK   UINT32_C(0x4b564d00)
#define MSR_SYSTEM_TIME  UINT32_C(0x4b564d01)
#define MSR_EFER         UINT32_C(0xc0000080)
#define MSR_STAR         UINT32_C(0xc0000081)
#define MSR_LSTAR        UINT32_C(0xc0000082)
#define MSR_CSTAR        UINT32_C(0xc0000083)
#define MSR_SFMASK       UINT32_C(0xc0000084)
#define MSR_FS_BASE      UINT32_C(0xc0000100)
#define MSR_GS_BASE      UINT32_C(0xc0000101)
#define MSR_KERNEL_GS    UINT32_C(0xc0000102)
