// SPDX-License-Identifier: Apache-2.0
// S mode of the riscv64 machine, for guest programs.
#pragma once

#include "guest.h"

#define GUEST_UART_BASE UINT64_C(0x10000000)
#define GUEST_UART_IRQ  10u
#define GUEST_PLIC_BASE UINT64_C(0x0c000000)
#define GUEST_RAM_BASE  UINT64_C(0x80000000)

#define READ_CSR(csr)                                                   \
    ({                                                                  \
        uint64_t value_;                                                \
        __asm__ volatile("csrr %0, " #csr : "=r"(value_) : : "memory"); \
        value_;                                                         \
    })
#define WRITE_CSR(csr, value) \
    __asm__ volatile("csrw " #csr ", %0" : : "r"((uint64_t)(value)) : "memory")
#define SET_CSR(csr, bits) \
    __asm__ volatile("csrs " #csr ", %0" : : "r"((uint64_t)(bits)) : "memory")
#define CLEAR_CSR(csr, bits) \
    __asm__ volatile("csrc " #csr ", %0" : : "r"((uint64_t)(bits)) : "memory")

#define SSTATUS_SIE     (UINT64_C(1) << 1)
#define SSTATUS_SPIE    (UINT64_C(1) << 5)
#define SSTATUS_SPP     (UINT64_C(1) << 8)
#define SSTATUS_VS      (UINT64_C(3) << 9)
#define SSTATUS_FS      (UINT64_C(3) << 13)
#define SSTATUS_SUM     (UINT64_C(1) << 18)
#define FS_INITIAL      (UINT64_C(1) << 13)
#define FS_CLEAN        (UINT64_C(2) << 13)
#define FS_DIRTY        (UINT64_C(3) << 13)
#define SCAUSE_IRQ      (UINT64_C(1) << 63)
#define IRQ_BIT(number) (UINT64_C(1) << (number))

// ---- SBI ----
typedef struct GuestSbi {
    uint64_t error;
    uint64_t value;
} GuestSbi;

GuestSbi guest_sbi(uint64_t extension, uint64_t function, const uint64_t args[6]);

// The same with the first three arguments.
static inline GuestSbi guest_sbi3(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                                  uint64_t a2)
{
    return guest_sbi(extension, function, (const uint64_t[6]){a0, a1, a2});
}

#define SBI_BASE         UINT64_C(0x10)
#define SBI_TIME         UINT64_C(0x54494d45)
#define SBI_IPI          UINT64_C(0x735049)
#define SBI_RFENCE       UINT64_C(0x52464e43)
#define SBI_HSM          UINT64_C(0x48534d)
#define SBI_SRST         UINT64_C(0x53525354)
#define SBI_DBCN         UINT64_C(0x4442434e)
#define SBI_PMU          UINT64_C(0x504d55)
#define SBI_EXPERIMENTAL UINT64_C(0x08000000) // here: the hypercalls of the demo

#define SBI_BASE_VERSION   0u
#define SBI_BASE_PROBE     3u
#define SBI_FENCE_I        0u
#define SBI_SFENCE_VMA     1u
#define SBI_SFENCE_ASID    2u
#define SBI_HART_START     0u
#define SBI_HART_STOP      1u
#define SBI_HART_STATUS    2u
#define SBI_HART_SUSPEND   3u
#define SBI_STARTED        UINT64_C(0)
#define SBI_STOPPED        UINT64_C(1)
#define SBI_RETENTIVE      UINT64_C(0)
#define SBI_NON_RETENTIVE  UINT64_C(0x80000000)
#define SBI_DBCN_WRITE     0u
#define SBI_DBCN_READ      1u
#define SBI_DBCN_BYTE      2u
#define SBI_LEGACY_GETCHAR UINT64_C(2)

#define SBI_SUCCESS           UINT64_C(0)
#define SBI_FAILED            ((uint64_t)-1)
#define SBI_NOT_SUPPORTED     ((uint64_t)-2)
#define SBI_INVALID_PARAM     ((uint64_t)-3)
#define SBI_INVALID_ADDRESS   ((uint64_t)-5)
#define SBI_ALREADY_AVAILABLE ((uint64_t)-6)

// ---- devices ----
static inline void mmio_write8(uint64_t addr, uint8_t value)
{
    __asm__ volatile("sb %0, (%1)" : : "r"(value), "r"(addr) : "memory");
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
    __asm__ volatile("sw %0, (%1)" : : "r"(value), "r"(addr) : "memory");
}

static inline void mmio_write64(uint64_t addr, uint64_t value)
{
    __asm__ volatile("sd %0, (%1)" : : "r"(value), "r"(addr) : "memory");
}

static inline uint8_t mmio_read8(uint64_t addr)
{
    uint64_t value;

    __asm__ volatile("lbu %0, (%1)" : "=r"(value) : "r"(addr) : "memory");
    return (uint8_t)value;
}

static inline uint32_t mmio_read32(uint64_t addr)
{
    uint64_t value;

    __asm__ volatile("lwu %0, (%1)" : "=r"(value) : "r"(addr) : "memory");
    return (uint32_t)value;
}

static inline uint64_t mmio_read64(uint64_t addr)
{
    uint64_t value;

    __asm__ volatile("ld %0, (%1)" : "=r"(value) : "r"(addr) : "memory");
    return value;
}

// ---- exceptions: one that is expected is recorded and stepped over ----
typedef struct GuestFault {
    bool taken;
    uint64_t cause;
    uint64_t tval;
    uint64_t epc;
} GuestFault;

#define CAUSE_FETCH_ACCESS UINT64_C(1)
#define CAUSE_ILLEGAL      UINT64_C(2)
#define CAUSE_BREAKPOINT   UINT64_C(3)
#define CAUSE_LOAD_ALIGN   UINT64_C(4)
#define CAUSE_LOAD_ACCESS  UINT64_C(5)
#define CAUSE_STORE_ALIGN  UINT64_C(6)
#define CAUSE_STORE_ACCESS UINT64_C(7)
#define CAUSE_ECALL_USER   UINT64_C(8)
#define CAUSE_FETCH_PAGE   UINT64_C(12)
#define CAUSE_LOAD_PAGE    UINT64_C(13)
#define CAUSE_STORE_PAGE   UINT64_C(15)

// From here on until guest_fault_end, an exception of this CPU is recorded.
void guest_fault_begin(void);
GuestFault guest_fault_end(void);

// Runs `statement`, which may fault, and yields the GuestFault.
#define GUEST_FAULT_OF(statement) \
    ({                            \
        guest_fault_begin();      \
        statement;                \
        guest_fault_end();        \
    })

// ---- one instruction with all registers given, in S or U mode ----
typedef struct GuestContext {
    uint64_t x[32]; // x0 is not used
    uint64_t pc;
    uint64_t sstatus;
    uint64_t cause;
    uint64_t tval;
    uint64_t host_sp;
} GuestContext;

// Runs from `pc` with the registers and sstatus of `context` until any trap, which it describes.
void guest_context_run(GuestContext *context);

// Copies the instruction at `code` in front of a C.EBREAK and runs it, as user when `user` is set.
// True when it completed, that is, came to the C.EBREAK.
bool guest_step(GuestContext *context, const void *code, bool user);
// Address that the instruction has in guest_step.
uint64_t guest_step_pc(bool user);

// Address of the assembled instruction `text`.
#define GUEST_CODE(text)                                                              \
    ({                                                                                \
        const void *code_;                                                            \
        __asm__ volatile(".pushsection .text.steps, \"ax\"\n\t.balign 4\n901:\t" text \
                         "\n\t.popsection\n\tla %0, 901b"                             \
                         : "=r"(code_));                                              \
        code_;                                                                        \
    })
// The 32-bit form, even when there is a 16-bit one.
#define GUEST_CODE32(text) GUEST_CODE(".option push\n\t.option norvc\n\t" text "\n\t.option pop")

// ---- address translation: 4 GiB identity and a window of single pages ----
#define PTE_R UINT64_C(0x02)
#define PTE_W UINT64_C(0x04)
#define PTE_X UINT64_C(0x08)
#define PTE_U UINT64_C(0x10)

#define GUEST_PAGE        UINT64_C(4096)
#define GUEST_WINDOW      UINT64_C(0x100000000)
#define GUEST_WINDOW_PAGE UINT64_C(16) // first page that a program may use

// Address of page `index` of the window.
static inline uint64_t guest_window(uint64_t index)
{
    return GUEST_WINDOW + index * GUEST_PAGE;
}

// Maps page `index` of the window to `address`; its virtual address. No fence.
uint64_t guest_map(uint64_t index, uint64_t address, uint64_t rights);
// A table for 2 MiB of the window at `address`, which may be nowhere; their virtual address.
uint64_t guest_map_table(uint64_t address);
// Sv39 or no translation; the tables stay.
void guest_paging(bool on);
void guest_set_asid(uint64_t asid);

static inline void guest_fence_vma(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

// ---- CPUs ----
unsigned guest_cpu(void); // hart id
#define GUEST_CPUS_MAX 4u
uint64_t guest_boot_tree(void);

// Starts CPU `cpu` in `program` (HSM hart_start); its error. The CPU has a stack, MMU and PLIC.
uint64_t guest_cpu_start(unsigned cpu, void (*program)(void));
// How it was started last.
#define GUEST_CPU_OPAQUE UINT64_C(0x5a5a0000a5a50000) // plus the number of the CPU

typedef struct GuestCpuStart {
    uint64_t opaque;
    uint64_t satp_sie; // satp and sstatus.SIE: 0
} GuestCpuStart;

GuestCpuStart guest_cpu_started(unsigned cpu);
// HSM hart_suspend, non-retentive; error, or success when the CPU came back as the SBI says.
uint64_t guest_cpu_suspend(void);

// ---- interrupts ----
typedef void (*GuestIrqHandler)(uint32_t irq);

#define GUEST_IRQ_SOFTWARE       1u
#define GUEST_IRQ_TIMER          5u
#define GUEST_IRQ_EXTERNAL       9u
#define GUEST_IRQ_SOURCE(source) (16u + (source)) // of the PLIC

void guest_plic_init_cpu(void);                  // context of this CPU, sie
void guest_plic_init(void);                      // priorities, once
void guest_irq_handler(GuestIrqHandler handler); // all CPUs; stops what a timer or device asserts
void guest_irq_config(uint32_t source, uint32_t priority, bool enable);
void guest_irq_threshold(uint32_t threshold);
uint32_t guest_irq_priority(uint32_t source);
bool guest_irq_is_pending(uint32_t source);
uint32_t guest_irq_claim(void);
void guest_irq_complete(uint32_t source);
void guest_ipi(unsigned cpu);

static inline void guest_irq_on(void)
{
    SET_CSR(sstatus, SSTATUS_SIE);
}

static inline void guest_irq_off(void)
{
    CLEAR_CSR(sstatus, SSTATUS_SIE);
}

static inline void guest_wfi(void)
{
    __asm__ volatile("wfi" : : : "memory");
}

// ---- device tree ----
// The first 32-bit property `name` of any node, or 0.
uint32_t guest_tree_number(const char *name);
// True when the string property `name` of any node contains `word`.
bool guest_tree_has(const char *name, const char *word);
