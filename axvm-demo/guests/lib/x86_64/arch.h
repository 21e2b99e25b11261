// SPDX-License-Identifier: Apache-2.0
// Ring 0 of the x86_64 machine, for guest programs.
#pragma once

#include "guest.h"

#define GUEST_UART_PORT 0x3f8
#define GUEST_PM1       0x604 // power-off: GUEST_PM1_OFF
#define GUEST_PM1_OFF   0x3400
#define GUEST_LOAD      0x8000 // guest.ld
#define GUEST_CPUS      8u     // entry.S has stacks for so many

// ---- ports ----
static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t port_read16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// ---- registers ----
#define READ_CR(n)                                                        \
    ({                                                                    \
        uint64_t value_;                                                  \
        __asm__ volatile("movq %%cr" #n ", %0" : "=r"(value_)::"memory"); \
        value_;                                                           \
    })
#define WRITE_CR(n, value) \
    __asm__ volatile("movq %0, %%cr" #n : : "r"((uint64_t)(value)) : "memory")
#define READ_DR(n)                                                        \
    ({                                                                    \
        uint64_t value_;                                                  \
        __asm__ volatile("movq %%dr" #n ", %0" : "=r"(value_)::"memory"); \
        value_;                                                           \
    })
#define WRITE_DR(n, value) \
    __asm__ volatile("movq %0, %%dr" #n : : "r"((uint64_t)(value)) : "memory")

#define CR0_TS      (UINT64_C(1) << 3)
#define CR0_WP      (UINT64_C(1) << 16)
#define CR4_DE      (UINT64_C(1) << 3)
#define CR4_OSXSAVE (UINT64_C(1) << 18)

#define RFLAGS_CF UINT64_C(0x001)
#define RFLAGS_PF UINT64_C(0x004)
#define RFLAGS_AF UINT64_C(0x010)
#define RFLAGS_ZF UINT64_C(0x040)
#define RFLAGS_SF UINT64_C(0x080)
#define RFLAGS_TF UINT64_C(0x100)
#define RFLAGS_IF UINT64_C(0x200)
#define RFLAGS_DF UINT64_C(0x400)
#define RFLAGS_OF UINT64_C(0x800)
#define RFLAGS_NT UINT64_C(0x4000)
#define RFLAGS_RF UINT64_C(0x10000)
#define RFLAGS_VM UINT64_C(0x20000)
#define RFLAGS_AC UINT64_C(0x40000)
#define RFLAGS_1  UINT64_C(0x002)

#define DR6_BS UINT64_C(0x4000)

static inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

typedef struct GuestCpuid {
    uint32_t eax, ebx, ecx, edx;
} GuestCpuid;

static inline GuestCpuid guest_cpuid(uint32_t leaf, uint32_t subleaf)
{
    GuestCpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// VMMCALL on an AMD processor, else VMCALL; returns rax.
uint64_t guest_hypercall(uint64_t nr, uint64_t argument);
// Number of this CPU, without an exit. It is its APIC id.
uint32_t guest_cpu(void);

// ---- exceptions and interrupts ----
#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_OF  4
#define VECTOR_BR  5
#define VECTOR_UD  6
#define VECTOR_NM  7
#define VECTOR_DF  8
#define VECTOR_TS  10
#define VECTOR_NP  11
#define VECTOR_SS  12
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_MF  16
#define VECTOR_AC  17
#define VECTOR_XM  19

#define PF_PRESENT UINT64_C(0x01)
#define PF_WRITE   UINT64_C(0x02)
#define PF_USER    UINT64_C(0x04)
#define PF_FETCH   UINT64_C(0x10)

typedef struct GuestFault {
    bool taken;
    uint8_t vector;
    uint64_t error;
} GuestFault;

// Where the instruction under test continues when it faults; set by GUEST_TRY.
extern volatile uint64_t guest_resume;
extern volatile GuestFault guest_fault;

// One instruction, with its operands: a fault ends it and is in guest_fault. On CPU 0.
#define GUEST_TRY(code, ...)                                                  \
    do {                                                                      \
        guest_fault.taken = false;                                            \
        __asm__ volatile("leaq 1f(%%rip), %%r11\n\t"                          \
                         "movq %%r11, guest_resume(%%rip)\n\t" code           \
                         "\n1:\n\tmovq $0, guest_resume(%%rip)" __VA_ARGS__); \
    } while (0)

// Called with interrupts off for each one taken, from vector 32 on, and for NMIs. It says the end
// of interrupt.
typedef void (*GuestIrqHandler)(uint8_t vector);
void guest_irq_handler(GuestIrqHandler handler);
// Where the last one came.
extern volatile uint64_t guest_irq_rip;

// The gate of `vector` in the IDT that all CPUs share: its stack of the TSS (0: none), and whether
// it is there. The stacks are GUEST_IST_*.
void guest_gate(uint8_t vector, unsigned ist, bool present);
#define GUEST_IST_EXCEPTION 1u // of all exceptions, but
#define GUEST_IST_NMI       2u
#define GUEST_IST_DF        3u
#define GUEST_IST_TEST      4u // guest_test_stack
// Where the stack GUEST_IST_TEST of this CPU begins (its highest address).
void guest_test_stack(uint64_t top);

// ---- segments, entry.S ----
#define SEL_CODE64      0x08u
#define SEL_DATA        0x10u
#define SEL_CODE32      0x18u
#define SEL_DATA_USER   0x23u
#define SEL_CODE64_USER 0x2bu
#define SEL_CODE32_USER 0x33u
#define SEL_CODE16      0x38u // its base is where guest_step has its code
#define SEL_CODE16_USER 0x43u
#define SEL_WINDOW      0x4bu // 16-bit data at guest_window_base
#define SEL_ABSENT      0x70u // not present
#define SEL_FREE        0x78u

// Where SEL_WINDOW begins.
void guest_window_base(uint32_t base);

// ---- one instruction with all registers given ----
enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
};

// What the processor has while it runs; entry.S and legacy.S know the offsets.
typedef struct GuestContext {
    uint64_t r[16];
    uint64_t rip;
    uint64_t rflags;
    uint64_t cs, ss, ds, es;
    uint64_t vector; // of the exception that ended it
    uint64_t error;
    uint64_t cr2;
    uint64_t dr6; // of #DB
    uint64_t host_rsp;
} GuestContext;

// Runs in 64-bit or compatibility mode from rip with the registers of `context` until any
// exception, which it describes.
void guest_context_run(GuestContext *context);

typedef enum GuestMode {
    GUEST_LONG,
    GUEST_LONG_USER,
    GUEST_COMPAT32,
    GUEST_COMPAT32_USER,
    GUEST_COMPAT16,
    GUEST_COMPAT16_USER,
    GUEST_PROTECTED32, // without paging. From here on: CPU 0 only
    GUEST_PROTECTED16,
    GUEST_PAGING32, // two levels of page tables
    GUEST_PAGING16,
    GUEST_PAE32,
    GUEST_PAE16,
    GUEST_REAL, // DS and ES begin at guest_window_base, as in the other 16-bit modes
    GUEST_MODES,
} GuestMode;

typedef struct GuestCode {
    const void *start;
    uint64_t size; // up to 32 bytes
} GuestCode;

// Copies the instruction in front of an INT3 and runs it in `mode`, of which the segments are. True
// when it completed, that is, came to the INT3.
bool guest_step(GuestContext *context, GuestMode mode, GuestCode code);
// rip that the instruction has in guest_step.
uint64_t guest_step_pc(GuestMode mode);
// 16, 32 or 64
unsigned guest_mode_bits(GuestMode mode);
bool guest_mode_is_user(GuestMode mode);
const char *guest_mode_name(GuestMode mode);
// A stack that may be used in any mode: its top.
uint64_t guest_step_stack(void);

// The assembled 64-bit instruction `text`.
#define GUEST_CODE(text) GUEST_CODE_OF(".code64\n\t", text)
#define GUEST_CODE_OF(bits, text)                                                       \
    ({                                                                                  \
        GuestCode code_;                                                                \
        __asm__ volatile(".pushsection .text.steps, \"ax\"\n\t" bits "901:\t" text      \
                         "\n902:\n\t.code64\n\t.popsection\n\tleaq 901b(%%rip), %0\n\t" \
                         "movq $902b - 901b, %1"                                        \
                         : "=r"(code_.start), "=r"(code_.size));                        \
        code_;                                                                          \
    })

// ---- address translation: the first GiB and the APICs identity, and a window of single pages ----
#define PTE_P  UINT64_C(0x001)
#define PTE_W  UINT64_C(0x002)
#define PTE_U  UINT64_C(0x004)
#define PTE_A  UINT64_C(0x020)
#define PTE_D  UINT64_C(0x040)
#define PTE_NX (UINT64_C(1) << 63)

#define GUEST_PAGE   UINT64_C(4096)
#define GUEST_WINDOW UINT64_C(0x40000000)

// Page `index` of the window, up to 511: at `address` with the rights `pte`. Returns where it is.
uint64_t guest_map(unsigned index, uint64_t address, uint64_t pte);
// Its entry, with the flags that the processor has set.
uint64_t guest_pte(unsigned index);

// ---- local APIC ----
#define GUEST_LAPIC  UINT64_C(0xfee00000)
#define GUEST_IOAPIC UINT64_C(0xfec00000)

#define LAPIC_ID        0x020
#define LAPIC_VERSION   0x030
#define LAPIC_TPR       0x080
#define LAPIC_PPR       0x0a0
#define LAPIC_EOI       0x0b0
#define LAPIC_LDR       0x0d0
#define LAPIC_DFR       0x0e0
#define LAPIC_SVR       0x0f0
#define LAPIC_ISR       0x100
#define LAPIC_TMR       0x180
#define LAPIC_IRR       0x200
#define LAPIC_ESR       0x280
#define LAPIC_ICR       0x300
#define LAPIC_ICR_HIGH  0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_INITIAL   0x380
#define LAPIC_CURRENT   0x390
#define LAPIC_DIVIDE    0x3e0
#define LAPIC_SELF_IPI  0x3f0

#define SVR_ENABLE   0x100u
#define LVT_MASKED   0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_DEADLINE 0x40000u
#define ICR_LOWEST   0x100u
#define ICR_NMI      0x400u
#define ICR_INIT     0x4500u
#define ICR_STARTUP  0x4600u
#define ICR_LOGICAL  0x800u
#define ICR_ASSERT   0x4000u
#define ICR_SELF     0x40000u
#define ICR_ALL      0x80000u
#define ICR_OTHERS   0xc0000u

#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC(reg)  (0x800u + ((reg) >> 4))
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

static inline void lapic_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(GUEST_LAPIC + offset) = value;
}

static inline uint32_t lapic_read(uint32_t offset)
{
    return *(volatile uint32_t *)(GUEST_LAPIC + offset);
}

// Interrupt command to the CPU with this APIC id.
static inline void lapic_send(uint32_t cpu, uint32_t command)
{
    lapic_write(LAPIC_ICR_HIGH, cpu << 24);
    lapic_write(LAPIC_ICR, command);
}

// Another CPU, by its APIC id, runs `program` and then halts. It need not be there.
void guest_cpu_start(uint32_t cpu, void (*program)(void));
