// SPDX-License-Identifier: Apache-2.0
// The virtual machine control structure (SDM volume 3, appendix B: encodings; chapter 25: meaning) and
// what its fields may hold. Names as in the SDM.
#pragma once

#include "x86_regs.h"

#include <stdint.h>

// ---- fields ----

// X(name, encoding), by width and class. The width is in bits 14:13 of an encoding, the class in bits
// 11:10; see VMCS_WIDTH and VMCS_CLASS.
#define VMCS_CONTROLS_16(X) X(VPID, 0x0000)

#define VMCS_GUEST_STATE_16(X)     \
    X(GUEST_ES_SELECTOR, 0x0800)   \
    X(GUEST_CS_SELECTOR, 0x0802)   \
    X(GUEST_SS_SELECTOR, 0x0804)   \
    X(GUEST_DS_SELECTOR, 0x0806)   \
    X(GUEST_FS_SELECTOR, 0x0808)   \
    X(GUEST_GS_SELECTOR, 0x080a)   \
    X(GUEST_LDTR_SELECTOR, 0x080c) \
    X(GUEST_TR_SELECTOR, 0x080e)   \
    X(GUEST_INTERRUPT_STATUS, 0x0810)

#define VMCS_HOST_STATE_16(X)   \
    X(HOST_ES_SELECTOR, 0x0c00) \
    X(HOST_CS_SELECTOR, 0x0c02) \
    X(HOST_SS_SELECTOR, 0x0c04) \
    X(HOST_DS_SELECTOR, 0x0c06) \
    X(HOST_FS_SELECTOR, 0x0c08) \
    X(HOST_GS_SELECTOR, 0x0c0a) \
    X(HOST_TR_SELECTOR, 0x0c0c)

#define VMCS_CONTROLS_64(X)           \
    X(IO_BITMAP_A, 0x2000)            \
    X(IO_BITMAP_B, 0x2002)            \
    X(MSR_BITMAP, 0x2004)             \
    X(EXIT_MSR_STORE_ADDRESS, 0x2006) \
    X(EXIT_MSR_LOAD_ADDRESS, 0x2008)  \
    X(ENTRY_MSR_LOAD_ADDRESS, 0x200a) \
    X(TSC_OFFSET, 0x2010)             \
    X(VIRTUAL_APIC_ADDRESS, 0x2012)   \
    X(APIC_ACCESS_ADDRESS, 0x2014)    \
    X(EPT_POINTER, 0x201a)            \
    X(EOI_EXIT_BITMAP_0, 0x201c)      \
    X(EOI_EXIT_BITMAP_1, 0x201e)      \
    X(EOI_EXIT_BITMAP_2, 0x2020)      \
    X(EOI_EXIT_BITMAP_3, 0x2022)      \
    X(TSC_MULTIPLIER, 0x2032)

#define VMCS_EXIT_INFO_64(X) X(GUEST_PHYSICAL_ADDRESS, 0x2400)

#define VMCS_GUEST_STATE_64(X) \
    X(LINK_POINTER, 0x2800)    \
    X(GUEST_DEBUGCTL, 0x2802)  \
    X(GUEST_PAT, 0x2804)       \
    X(GUEST_EFER, 0x2806)      \
    X(GUEST_PDPTE_0, 0x280a)   \
    X(GUEST_PDPTE_1, 0x280c)   \
    X(GUEST_PDPTE_2, 0x280e)   \
    X(GUEST_PDPTE_3, 0x2810)

#define VMCS_HOST_STATE_64(X) \
    X(HOST_PAT, 0x2c00)       \
    X(HOST_EFER, 0x2c02)

#define VMCS_CONTROLS_32(X)               \
    X(PIN_CONTROLS, 0x4000)               \
    X(PRIMARY_CONTROLS, 0x4002)           \
    X(EXCEPTION_BITMAP, 0x4004)           \
    X(PAGE_FAULT_MASK, 0x4006)            \
    X(PAGE_FAULT_MATCH, 0x4008)           \
    X(CR3_TARGET_COUNT, 0x400a)           \
    X(EXIT_CONTROLS, 0x400c)              \
    X(EXIT_MSR_STORE_COUNT, 0x400e)       \
    X(EXIT_MSR_LOAD_COUNT, 0x4010)        \
    X(ENTRY_CONTROLS, 0x4012)             \
    X(ENTRY_MSR_LOAD_COUNT, 0x4014)       \
    X(ENTRY_INTERRUPTION_INFO, 0x4016)    \
    X(ENTRY_EXCEPTION_ERROR_CODE, 0x4018) \
    X(ENTRY_INSTRUCTION_LENGTH, 0x401a)   \
    X(TPR_THRESHOLD, 0x401c)              \
    X(SECONDARY_CONTROLS, 0x401e)

#define VMCS_EXIT_INFO_32(X)                \
    X(INSTRUCTION_ERROR, 0x4400)            \
    X(EXIT_REASON, 0x4402)                  \
    X(EXIT_INTERRUPTION_INFO, 0x4404)       \
    X(EXIT_INTERRUPTION_ERROR_CODE, 0x4406) \
    X(IDT_VECTORING_INFO, 0x4408)           \
    X(IDT_VECTORING_ERROR_CODE, 0x440a)     \
    X(EXIT_INSTRUCTION_LENGTH, 0x440c)      \
    X(EXIT_INSTRUCTION_INFO, 0x440e)

#define VMCS_GUEST_STATE_32(X)          \
    X(GUEST_ES_LIMIT, 0x4800)           \
    X(GUEST_CS_LIMIT, 0x4802)           \
    X(GUEST_SS_LIMIT, 0x4804)           \
    X(GUEST_DS_LIMIT, 0x4806)           \
    X(GUEST_FS_LIMIT, 0x4808)           \
    X(GUEST_GS_LIMIT, 0x480a)           \
    X(GUEST_LDTR_LIMIT, 0x480c)         \
    X(GUEST_TR_LIMIT, 0x480e)           \
    X(GUEST_GDTR_LIMIT, 0x4810)         \
    X(GUEST_IDTR_LIMIT, 0x4812)         \
    X(GUEST_ES_ACCESS_RIGHTS, 0x4814)   \
    X(GUEST_CS_ACCESS_RIGHTS, 0x4816)   \
    X(GUEST_SS_ACCESS_RIGHTS, 0x4818)   \
    X(GUEST_DS_ACCESS_RIGHTS, 0x481a)   \
    X(GUEST_FS_ACCESS_RIGHTS, 0x481c)   \
    X(GUEST_GS_ACCESS_RIGHTS, 0x481e)   \
    X(GUEST_LDTR_ACCESS_RIGHTS, 0x4820) \
    X(GUEST_TR_ACCESS_RIGHTS, 0x4822)   \
    X(GUEST_INTERRUPTIBILITY, 0x4824)   \
    X(GUEST_ACTIVITY, 0x4826)           \
    X(GUEST_SYSENTER_CS, 0x482a)        \
    X(PREEMPTION_TIMER, 0x482e)

#define VMCS_HOST_STATE_32(X) X(HOST_SYSENTER_CS, 0x4c00)

#define VMCS_CONTROLS_NATURAL(X)   \
    X(CR0_GUEST_HOST_MASK, 0x6000) \
    X(CR4_GUEST_HOST_MASK, 0x6002) \
    X(CR0_READ_SHADOW, 0x6004)     \
    X(CR4_READ_SHADOW, 0x6006)

#define VMCS_EXIT_INFO_NATURAL(X) \
    X(EXIT_QUALIFICATION, 0x6400) \
    X(IO_RCX, 0x6402)             \
    X(IO_RSI, 0x6404)             \
    X(IO_RDI, 0x6406)             \
    X(IO_RIP, 0x6408)             \
    X(GUEST_LINEAR_ADDRESS, 0x640a)

#define VMCS_GUEST_STATE_NATURAL(X) \
    X(GUEST_CR0, 0x6800)            \
    X(GUEST_CR3, 0x6802)            \
    X(GUEST_CR4, 0x6804)            \
    X(GUEST_ES_BASE, 0x6806)        \
    X(GUEST_CS_BASE, 0x6808)        \
    X(GUEST_SS_BASE, 0x680a)        \
    X(GUEST_DS_BASE, 0x680c)        \
    X(GUEST_FS_BASE, 0x680e)        \
    X(GUEST_GS_BASE, 0x6810)        \
    X(GUEST_LDTR_BASE, 0x6812)      \
    X(GUEST_TR_BASE, 0x6814)        \
    X(GUEST_GDTR_BASE, 0x6816)      \
    X(GUEST_IDTR_BASE, 0x6818)      \
    X(GUEST_DR7, 0x681a)            \
    X(GUEST_RSP, 0x681c)            \
    X(GUEST_RIP, 0x681e)            \
    X(GUEST_RFLAGS, 0x6820)         \
    X(GUEST_PENDING_DEBUG, 0x6822)  \
    X(GUEST_SYSENTER_ESP, 0x6824)   \
    X(GUEST_SYSENTER_EIP, 0x6826)

#define VMCS_HOST_STATE_NATURAL(X) \
    X(HOST_CR0, 0x6c00)            \
    X(HOST_CR3, 0x6c02)            \
    X(HOST_CR4, 0x6c04)            \
    X(HOST_FS_BASE, 0x6c06)        \
    X(HOST_GS_BASE, 0x6c08)        \
    X(HOST_TR_BASE, 0x6c0a)        \
    X(HOST_GDTR_BASE, 0x6c0c)      \
    X(HOST_IDTR_BASE, 0x6c0e)      \
    X(HOST_SYSENTER_ESP, 0x6c10)   \
    X(HOST_SYSENTER_EIP, 0x6c12)   \
    X(HOST_RSP, 0x6c14)            \
    X(HOST_RIP, 0x6c16)

#define VMCS_FIELDS(X)          \
    VMCS_CONTROLS_16(X)         \
    VMCS_GUEST_STATE_16(X)      \
    VMCS_HOST_STATE_16(X)       \
    VMCS_CONTROLS_64(X)         \
    VMCS_EXIT_INFO_64(X)        \
    VMCS_GUEST_STATE_64(X)      \
    VMCS_HOST_STATE_64(X)       \
    VMCS_CONTROLS_32(X)         \
    VMCS_EXIT_INFO_32(X)        \
    VMCS_GUEST_STATE_32(X)      \
    VMCS_HOST_STATE_32(X)       \
    VMCS_CONTROLS_NATURAL(X)    \
    VMCS_EXIT_INFO_NATURAL(X)   \
    VMCS_GUEST_STATE_NATURAL(X) \
    VMCS_HOST_STATE_NATURAL(X)

typedef enum VmcsField {
#define VMCS_FIELD_ENUM(name, encoding) VMCS_##name = (encoding),
    VMCS_FIELDS(VMCS_FIELD_ENUM)
#undef VMCS_FIELD_ENUM
} VmcsField;

#define VMCS_WIDTH(field)    ((unsigned)(field) >> 13 & 3)
#define VMCS_WIDTH_16        0u
#define VMCS_WIDTH_64        1u
#define VMCS_WIDTH_32        2u
#define VMCS_WIDTH_NATURAL   3u
#define VMCS_CLASS(field)    ((unsigned)(field) >> 10 & 3)
#define VMCS_CLASS_CONTROL   0u
#define VMCS_CLASS_EXIT_INFO 1u // cannot be written
#define VMCS_CLASS_GUEST     2u
#define VMCS_CLASS_HOST      3u

// ---- controls (25.6 to 25.8) ----

// PIN_CONTROLS
#define PIN_EXTERNAL_INTERRUPT_EXITING X86_BIT(0)
#define PIN_NMI_EXITING                X86_BIT(3)
#define PIN_VIRTUAL_NMIS               X86_BIT(5)
#define PIN_PREEMPTION_TIMER           X86_BIT(6)
#define PIN_POSTED_INTERRUPTS          X86_BIT(7)

// PRIMARY_CONTROLS
#define PRIMARY_INTERRUPT_WINDOW_EXITING X86_BIT(2)
#define PRIMARY_TSC_OFFSETTING           X86_BIT(3)
#define PRIMARY_HLT_EXITING              X86_BIT(7)
#define PRIMARY_INVLPG_EXITING           X86_BIT(9)
#define PRIMARY_MWAIT_EXITING            X86_BIT(10)
#define PRIMARY_RDPMC_EXITING            X86_BIT(11)
#define PRIMARY_RDTSC_EXITING            X86_BIT(12)
#define PRIMARY_CR3_LOAD_EXITING         X86_BIT(15)
#define PRIMARY_CR3_STORE_EXITING        X86_BIT(16)
#define PRIMARY_TERTIARY_CONTROLS        X86_BIT(17)
#define PRIMARY_CR8_LOAD_EXITING         X86_BIT(19)
#define PRIMARY_CR8_STORE_EXITING        X86_BIT(20)
#define PRIMARY_TPR_SHADOW               X86_BIT(21)
#define PRIMARY_NMI_WINDOW_EXITING       X86_BIT(22)
#define PRIMARY_MOV_DR_EXITING           X86_BIT(23)
#define PRIMARY_UNCONDITIONAL_IO_EXITING X86_BIT(24)
#define PRIMARY_IO_BITMAPS               X86_BIT(25)
#define PRIMARY_MONITOR_TRAP_FLAG        X86_BIT(27)
#define PRIMARY_MSR_BITMAPS              X86_BIT(28)
#define PRIMARY_MONITOR_EXITING          X86_BIT(29)
#define PRIMARY_PAUSE_EXITING            X86_BIT(30)
#define PRIMARY_SECONDARY_CONTROLS       X86_BIT(31)

// SECONDARY_CONTROLS
#define SECONDARY_APIC_ACCESSES              X86_BIT(0)
#define SECONDARY_EPT                        X86_BIT(1)
#define SECONDARY_DESCRIPTOR_TABLE_EXITING   X86_BIT(2)
#define SECONDARY_RDTSCP                     X86_BIT(3)
#define SECONDARY_X2APIC_MODE                X86_BIT(4)
#define SECONDARY_VPID                       X86_BIT(5)
#define SECONDARY_WBINVD_EXITING             X86_BIT(6)
#define SECONDARY_UNRESTRICTED_GUEST         X86_BIT(7)
#define SECONDARY_APIC_REGISTERS             X86_BIT(8)
#define SECONDARY_VIRTUAL_INTERRUPT_DELIVERY X86_BIT(9)
#define SECONDARY_PAUSE_LOOP_EXITING         X86_BIT(10)
#define SECONDARY_RDRAND_EXITING             X86_BIT(11)
#define SECONDARY_INVPCID                    X86_BIT(12)
#define SECONDARY_VMFUNC                     X86_BIT(13)
#define SECONDARY_VMCS_SHADOWING             X86_BIT(14)
#define SECONDARY_ENCLS_EXITING              X86_BIT(15)
#define SECONDARY_RDSEED_EXITING             X86_BIT(16)
#define SECONDARY_PML                        X86_BIT(17)
#define SECONDARY_EPT_VIOLATION_VE           X86_BIT(18)
#define SECONDARY_CONCEAL_FROM_PT            X86_BIT(19)
#define SECONDARY_XSAVES                     X86_BIT(20)
#define SECONDARY_MODE_BASED_EXECUTE         X86_BIT(22)
#define SECONDARY_SUB_PAGE_WRITE             X86_BIT(23)
#define SECONDARY_PT_GUEST_PHYSICAL          X86_BIT(24)
#define SECONDARY_TSC_SCALING                X86_BIT(25)
#define SECONDARY_USER_WAIT                  X86_BIT(26)

// EXIT_CONTROLS
#define EXIT_SAVE_DEBUG_CONTROLS     X86_BIT(2)
#define EXIT_HOST_ADDRESS_SPACE_SIZE X86_BIT(9)
#define EXIT_LOAD_PERF_GLOBAL_CTRL   X86_BIT(12)
#define EXIT_ACKNOWLEDGE_INTERRUPT   X86_BIT(15)
#define EXIT_SAVE_PAT                X86_BIT(18)
#define EXIT_LOAD_PAT                X86_BIT(19)
#define EXIT_SAVE_EFER               X86_BIT(20)
#define EXIT_LOAD_EFER               X86_BIT(21)
#define EXIT_SAVE_PREEMPTION_TIMER   X86_BIT(22)
#define EXIT_CLEAR_BNDCFGS           X86_BIT(23)

// ENTRY_CONTROLS
#define ENTRY_LOAD_DEBUG_CONTROLS     X86_BIT(2)
#define ENTRY_IA32E_MODE_GUEST        X86_BIT(9)
#define ENTRY_TO_SMM                  X86_BIT(10)
#define ENTRY_DEACTIVATE_DUAL_MONITOR X86_BIT(11)
#define ENTRY_LOAD_PERF_GLOBAL_CTRL   X86_BIT(13)
#define ENTRY_LOAD_PAT                X86_BIT(14)
#define ENTRY_LOAD_EFER               X86_BIT(15)
#define ENTRY_LOAD_BNDCFGS            X86_BIT(16)

// ---- events (25.8.3, 25.9.2, 25.9.3) ----

// ENTRY_INTERRUPTION_INFO, EXIT_INTERRUPTION_INFO, IDT_VECTORING_INFO
#define INTERRUPTION_VECTOR        UINT64_C(0xff)
#define INTERRUPTION_TYPE(info)    ((unsigned)((info) >> 8) & 7)
#define INTERRUPTION_TYPE_SHIFT    8
#define INTERRUPTION_HAS_ERROR     X86_BIT(11)
#define INTERRUPTION_NMI_UNBLOCKED X86_BIT(12) // by IRET; not of ENTRY_INTERRUPTION_INFO
#define INTERRUPTION_VALID         X86_BIT(31)

#define INTERRUPTION_EXTERNAL             0u
#define INTERRUPTION_NMI                  2u
#define INTERRUPTION_HARDWARE_EXCEPTION   3u
#define INTERRUPTION_SOFTWARE             4u
#define INTERRUPTION_PRIVILEGED_EXCEPTION 5u // INT1
#define INTERRUPTION_SOFTWARE_EXCEPTION   6u // INT3, INTO
#define INTERRUPTION_OTHER                7u

// ---- guest state (25.4) ----

// GUEST_x_ACCESS_RIGHTS. Bits 7:0 are those of a descriptor.
#define RIGHTS_TYPE     UINT64_C(0xf)
#define RIGHTS_S        X86_BIT(4)
#define RIGHTS_DPL(r)   ((unsigned)((r) >> 5) & 3)
#define RIGHTS_P        X86_BIT(7)
#define RIGHTS_AVL      X86_BIT(12)
#define RIGHTS_L        X86_BIT(13)
#define RIGHTS_DB       X86_BIT(14)
#define RIGHTS_G        X86_BIT(15)
#define RIGHTS_UNUSABLE X86_BIT(16)

// GUEST_INTERRUPTIBILITY
#define BLOCKING_BY_STI    X86_BIT(0)
#define BLOCKING_BY_MOV_SS X86_BIT(1)
#define BLOCKING_BY_SMI    X86_BIT(2)
#define BLOCKING_BY_NMI    X86_BIT(3)

// GUEST_ACTIVITY
#define ACTIVITY_ACTIVE        0u
#define ACTIVITY_HLT           1u
#define ACTIVITY_SHUTDOWN      2u
#define ACTIVITY_WAIT_FOR_SIPI 3u

// GUEST_PENDING_DEBUG
#define PENDING_DEBUG_BS X86_BIT(14)

// ---- EPT_POINTER (25.6.11) ----

#define EPTP_MEMORY_TYPE    UINT64_C(7)
#define EPTP_WRITE_BACK     UINT64_C(6)
#define EPTP_LEVELS(n)      ((uint64_t)((n)-1) << 3)
#define EPTP_LEVELS_MASK    UINT64_C(0x38)
#define EPTP_ACCESSED_DIRTY X86_BIT(6)

// ---- capability MSRs (appendix A) ----

// IA32_VMX_BASIC
#define VMX_BASIC_REVISION      UINT64_C(0x7fffffff)
#define VMX_BASIC_32BIT_ADDRESS X86_BIT(48)
#define VMX_BASIC_TRUE_CONTROLS X86_BIT(55)

// IA32_VMX_EPT_VPID_CAP
#define EPT_CAP_EXECUTE_ONLY   X86_BIT(0)
#define EPT_CAP_4_LEVELS       X86_BIT(6)
#define EPT_CAP_UNCACHEABLE    X86_BIT(8)
#define EPT_CAP_WRITE_BACK     X86_BIT(14)
#define EPT_CAP_2M             X86_BIT(16)
#define EPT_CAP_1G             X86_BIT(17)
#define EPT_CAP_INVEPT         X86_BIT(20)
#define EPT_CAP_ACCESSED_DIRTY X86_BIT(21)
#define EPT_CAP_INVEPT_SINGLE  X86_BIT(25)
#define EPT_CAP_INVEPT_ALL     X86_BIT(26)
#define EPT_CAP_INVVPID        X86_BIT(32)
#define EPT_CAP_INVVPID_SINGLE X86_BIT(41)
#define EPT_CAP_INVVPID_ALL    X86_BIT(42)

// IA32_VMX_MISC: the preemption timer counts once per 2^n ticks of the TSC
#define VMX_MISC_PREEMPTION_SHIFT UINT64_C(0x1f)

// Types of INVEPT and INVVPID
#define INVEPT_SINGLE  1u
#define INVEPT_ALL     2u
#define INVVPID_SINGLE 1u
#define INVVPID_ALL    2u

// IA32_FEATURE_CONTROL
#define FEATURE_CONTROL_LOCK            X86_BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX X86_BIT(2)

// ---- exit reasons (appendix C) ----

#define EXIT_REASON_BASIC         UINT64_C(0xffff)
#define EXIT_REASON_ENTRY_FAILURE X86_BIT(31)

// X(name, number)
#define VMX_EXIT_REASONS(X)            \
    X(EXCEPTION_OR_NMI, 0)             \
    X(EXTERNAL_INTERRUPT, 1)           \
    X(TRIPLE_FAULT, 2)                 \
    X(INIT, 3)                         \
    X(SIPI, 4)                         \
    X(IO_SMI, 5)                       \
    X(OTHER_SMI, 6)                    \
    X(INTERRUPT_WINDOW, 7)             \
    X(NMI_WINDOW, 8)                   \
    X(TASK_SWITCH, 9)                  \
    X(CPUID, 10)                       \
    X(GETSEC, 11)                      \
    X(HLT, 12)                         \
    X(INVD, 13)                        \
    X(INVLPG, 14)                      \
    X(RDPMC, 15)                       \
    X(RDTSC, 16)                       \
    X(RSM, 17)                         \
    X(VMCALL, 18)                      \
    X(VMCLEAR, 19)                     \
    X(VMLAUNCH, 20)                    \
    X(VMPTRLD, 21)                     \
    X(VMPTRST, 22)                     \
    X(VMREAD, 23)                      \
    X(VMRESUME, 24)                    \
    X(VMWRITE, 25)                     \
    X(VMXOFF, 26)                      \
    X(VMXON, 27)                       \
    X(CR_ACCESS, 28)                   \
    X(MOV_DR, 29)                      \
    X(IO, 30)                          \
    X(RDMSR, 31)                       \
    X(WRMSR, 32)                       \
    X(ENTRY_FAILURE_GUEST_STATE, 33)   \
    X(ENTRY_FAILURE_MSR_LOADING, 34)   \
    X(MWAIT, 36)                       \
    X(MONITOR_TRAP_FLAG, 37)           \
    X(MONITOR, 39)                     \
    X(PAUSE, 40)                       \
    X(ENTRY_FAILURE_MACHINE_CHECK, 41) \
    X(TPR_BELOW_THRESHOLD, 43)         \
    X(APIC_ACCESS, 44)                 \
    X(VIRTUALIZED_EOI, 45)             \
    X(GDTR_OR_IDTR, 46)                \
    X(LDTR_OR_TR, 47)                  \
    X(EPT_VIOLATION, 48)               \
    X(EPT_MISCONFIGURATION, 49)        \
    X(INVEPT, 50)                      \
    X(RDTSCP, 51)                      \
    X(PREEMPTION_TIMER, 52)            \
    X(INVVPID, 53)                     \
    X(WBINVD, 54)                      \
    X(XSETBV, 55)                      \
    X(APIC_WRITE, 56)                  \
    X(RDRAND, 57)                      \
    X(INVPCID, 58)                     \
    X(VMFUNC, 59)                      \
    X(ENCLS, 60)                       \
    X(RDSEED, 61)                      \
    X(PML_FULL, 62)                    \
    X(XSAVES, 63)                      \
    X(XRSTORS, 64)                     \
    X(PCONFIG, 65)                     \
    X(SPP, 66)                         \
    X(UMWAIT, 67)                      \
    X(TPAUSE, 68)                      \
    X(LOADIWKEY, 69)                   \
    X(ENCLV, 70)                       \
    X(ENQCMD_PASID, 72)                \
    X(ENQCMDS_PASID, 73)               \
    X(BUS_LOCK, 74)                    \
    X(NOTIFY, 75)                      \
    X(SEAMCALL, 76)                    \
    X(TDCALL, 77)                      \
    X(RDMSRLIST, 78)                   \
    X(WRMSRLIST, 79)

typedef enum VmxExitReason {
#define VMX_EXIT_ENUM(name, number) VMX_EXIT_##name = (number),
    VMX_EXIT_REASONS(VMX_EXIT_ENUM)
#undef VMX_EXIT_ENUM
        VMX_EXIT_REASON_COUNT
} VmxExitReason;

// ---- exit qualifications (28.2.1) ----

// of CR_ACCESS
#define CR_NUMBER(q)       ((unsigned)(q)&0xf)
#define TASK_SELECTOR(q)   ((uint16_t)(q))
#define TASK_SOURCE(q)     ((unsigned)((q) >> 30) & 3)
#define CR_ACCESS(q)       ((unsigned)((q) >> 4) & 3)
#define CR_REGISTER(q)     ((unsigned)((q) >> 8) & 0xf)
#define CR_LMSW_SOURCE(q)  ((uint16_t)((q) >> 16))
#define CR_ACCESS_MOV_TO   0u
#define CR_ACCESS_MOV_FROM 1u
#define CR_ACCESS_CLTS     2u
#define CR_ACCESS_LMSW     3u

// of IO
#define IO_SIZE(q) ((unsigned)((q)&7) + 1)
#define IO_IN      X86_BIT(3)
#define IO_STRING  X86_BIT(4)
#define IO_REP     X86_BIT(5)
#define IO_PORT(q) ((uint16_t)((q) >> 16))

// of EPT_VIOLATION
#define VIOLATION_READ          X86_BIT(0)
#define VIOLATION_WRITE         X86_BIT(1)
#define VIOLATION_FETCH         X86_BIT(2)
#define VIOLATION_RIGHTS        UINT64_C(0x38) // that the entry has
#define VIOLATION_HAS_LINEAR    X86_BIT(7)
#define VIOLATION_TRANSLATED    X86_BIT(8) // clear: the walk itself
#define VIOLATION_NMI_UNBLOCKED X86_BIT(12)

// of an exit by #DB: bits of DR6
#define DEBUG_BREAKPOINTS UINT64_C(0xf)
#define DEBUG_BD          X86_BIT(13)
#define DEBUG_BS          X86_BIT(14)
