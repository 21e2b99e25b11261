// SPDX-License-Identifier: Apache-2.0
// EL1 of the aarch64 machine, for guest programs.
#pragma once

#include "guest.h"

#define GUEST_UART_BASE   UINT64_C(0x09000000)
#define GUEST_GICD_BASE   UINT64_C(0x08000000)
#define GUEST_GICR_BASE   UINT64_C(0x080a0000)
#define GUEST_GICR_STRIDE UINT64_C(0x20000)

#define READ_SYSREG(reg)                                               \
    ({                                                                 \
        uint64_t value_;                                               \
        __asm__ volatile("mrs %0, " #reg : "=r"(value_) : : "memory"); \
        value_;                                                        \
    })
#define WRITE_SYSREG(reg, value) \
    __asm__ volatile("msr " #reg ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

typedef struct GuestCall {
    uint64_t x[18]; // x0..x17 before and after
} GuestCall;

// HVC or SMC with all SMCCC registers; returns x0.
uint64_t guest_hvc_regs(GuestCall *call);
uint64_t guest_smc_regs(GuestCall *call);

static inline uint64_t guest_hvc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3)
{
    GuestCall call = {.x = {fn, a1, a2, a3}};

    return guest_hvc_regs(&call);
}

static inline void mmio_write8(uint64_t addr, uint8_t value)
{
    __asm__ volatile("strb %w0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

static inline void mmio_write64(uint64_t addr, uint64_t value)
{
    __asm__ volatile("str %0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

static inline uint32_t mmio_read32(uint64_t addr)
{
    uint32_t value;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(addr) : "memory");
    return value;
}

static inline uint64_t mmio_read64(uint64_t addr)
{
    uint64_t value;

    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(addr) : "memory");
    return value;
}

// ---- exceptions: one that is expected is recorded and stepped over ----
typedef struct GuestFault {
    bool taken;
    uint64_t esr;
    uint64_t far;
    uint64_t elr;
} GuestFault;

#define ESR_EC(esr)         (((esr) >> 26) & 0x3f)
#define ESR_EC_UNKNOWN      0x00
#define ESR_EC_FP           0x07
#define ESR_EC_IABT_SAME_EL 0x21
#define ESR_EC_DABT_SAME_EL 0x25
#define ESR_EC_BRK          0x3c
#define ESR_DFSC(esr)       ((esr)&0x3f)
#define ESR_DFSC_EXTERNAL   0x10

// From here on until guest_fault_end, a synchronous exception of this CPU is recorded.
void guest_fault_begin(void);
GuestFault guest_fault_end(void);

// Runs `statement`, which may fault, and yields the GuestFault.
#define GUEST_FAULT_OF(statement) \
    ({                            \
        guest_fault_begin();      \
        statement;                \
        guest_fault_end();        \
    })

// ---- CPUs ----
unsigned guest_cpu(void); // Aff0
#define GUEST_CPUS_MAX 4u

// ---- interrupts ----
typedef void (*GuestIrqHandler)(uint32_t intid);

void guest_gic_init_cpu(void);                   // GICR, ICC_*, of this CPU
void guest_gic_init(void);                       // GICD, once
void guest_irq_handler(GuestIrqHandler handler); // all CPUs
void guest_irq_config(uint32_t intid, uint8_t priority, bool enable);
void guest_irq_set_pending(uint32_t intid, bool pending);
bool guest_irq_is_pending(uint32_t intid);
bool guest_irq_is_active(uint32_t intid);
void guest_sgi(uint32_t intid, unsigned cpu);

static inline void guest_irq_on(void)
{
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void guest_irq_off(void)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

static inline void guest_wfi(void)
{
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
}

// ---- PSCI (DEN0022) ----
#define PSCI_VERSION           UINT64_C(0x84000000)
#define PSCI_CPU_SUSPEND       UINT64_C(0xc4000001)
#define PSCI_CPU_SUSPEND_32    UINT64_C(0x84000001)
#define PSCI_CPU_OFF           UINT64_C(0x84000002)
#define PSCI_CPU_ON            UINT64_C(0xc4000003)
#define PSCI_CPU_ON_32         UINT64_C(0x84000003)
#define PSCI_AFFINITY_INFO     UINT64_C(0xc4000004)
#define PSCI_AFFINITY_INFO_32  UINT64_C(0x84000004)
#define PSCI_MIGRATE           UINT64_C(0xc4000005)
#define PSCI_MIGRATE_INFO_TYPE UINT64_C(0x84000006)
#define PSCI_SYSTEM_OFF        UINT64_C(0x84000008)
#define PSCI_SYSTEM_RESET      UINT64_C(0x84000009)
#define PSCI_FEATURES          UINT64_C(0x8400000a)
#define SMCCC_VERSION          UINT64_C(0x80000000)
#define SMCCC_ARCH_FEATURES    UINT64_C(0x80000001)

#define PSCI_SUCCESS            UINT64_C(0)
#define PSCI_NOT_SUPPORTED      ((uint64_t)-1)
#define PSCI_INVALID_PARAMETERS ((uint64_t)-2)
#define PSCI_DENIED             ((uint64_t)-3)
#define PSCI_ALREADY_ON         ((uint64_t)-4)
#define PSCI_ON_PENDING         ((uint64_t)-5)
#define PSCI_INVALID_ADDRESS    ((uint64_t)-9)

// Starts CPU `cpu` in `program` (PSCI CPU_ON); its result. The CPU has a stack, MMU and GIC.
uint64_t guest_cpu_start(unsigned cpu, void (*program)(void));
