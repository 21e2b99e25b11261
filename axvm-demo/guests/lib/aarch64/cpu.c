// SPDX-License-Identifier: Apache-2.0
// CPUs of a guest: stage-1 tables, start, exceptions.
#include "arch.h"

// Frame that entry.S builds: x0..x18, x29, x30, ELR, SPSR.
typedef struct Frame {
    uint64_t x[18];
    uint64_t x18_x29[2];
    uint64_t x30;
    uint64_t elr;
    uint64_t spsr;
} Frame;

void guest_cpu_main(uint64_t cpu);
void guest_sync(uint64_t vector, Frame *frame);
void guest_irq(uint64_t vector, Frame *frame);
void guest_unexpected(uint64_t vector, Frame *frame);
extern char guest_secondary_entry[];

typedef struct FaultSlot {
    volatile bool expected;
    volatile bool taken;
    volatile uint64_t esr;
    volatile uint64_t far;
    volatile uint64_t elr;
} FaultSlot;

static FaultSlot fault_slots[GUEST_CPUS_MAX];
static void (*volatile cpu_programs[GUEST_CPUS_MAX])(void);
static GuestIrqHandler irq_handler;

#define BLOCK_1G    (UINT64_C(1) << 30)
#define DESC_BLOCK  UINT64_C(1)
#define DESC_AF     (UINT64_C(1) << 10)
#define DESC_AP_EL0 (UINT64_C(1) << 6) // for unprivileged loads and stores at EL1
#define DESC_ISH    (UINT64_C(3) << 8)
#define DESC_NORMAL (UINT64_C(0) << 2)
#define DESC_DEVICE (UINT64_C(1) << 2)
#define MAIR_VALUE  UINT64_C(0x04ff) // 0: normal write-back, 1: device-nGnRE
#define TCR_VALUE   (UINT64_C(25) | UINT64_C(0x3500) | (UINT64_C(1) << 23) | (UINT64_C(2) << 32))
#define SCTLR_M_C_I UINT64_C(0x1005)

// Identity: 1 GiB of devices, then 3 GiB of RAM.
static uint64_t level1[512] __attribute__((aligned(4096)));

static void mmu_on(void)
{
    level1[0] = DESC_BLOCK | DESC_AF | DESC_AP_EL0 | DESC_DEVICE;
    for (uint64_t i = 1; i < 4; i++) {
        level1[i] = (i * BLOCK_1G) | DESC_BLOCK | DESC_AF | DESC_ISH | DESC_NORMAL;
    }
    WRITE_SYSREG(mair_el1, MAIR_VALUE);
    WRITE_SYSREG(tcr_el1, TCR_VALUE);
    WRITE_SYSREG(ttbr0_el1, (uintptr_t)level1);
    __asm__ volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb" : : : "memory");
    WRITE_SYSREG(sctlr_el1, READ_SYSREG(sctlr_el1) | SCTLR_M_C_I);
}

unsigned guest_cpu(void)
{
    return (unsigned)(READ_SYSREG(mpidr_el1) & 0xff);
}

void guest_cpu_main(uint64_t cpu)
{
    mmu_on();
    if (cpu == 0) {
        guest_main();
        guest_finish();
    }
    cpu_programs[cpu]();
    (void)guest_hvc(PSCI_CPU_OFF, 0, 0, 0);
}

uint64_t guest_cpu_start(unsigned cpu, void (*program)(void))
{
    cpu_programs[cpu] = program;
    __asm__ volatile("dsb sy" : : : "memory");
    return guest_hvc(PSCI_CPU_ON, cpu, (uintptr_t)guest_secondary_entry, cpu);
}

void guest_fault_begin(void)
{
    FaultSlot *slot = &fault_slots[guest_cpu()];

    slot->taken = false;
    slot->expected = true;
}

GuestFault guest_fault_end(void)
{
    FaultSlot *slot = &fault_slots[guest_cpu()];

    slot->expected = false;
    return (GuestFault){slot->taken, slot->esr, slot->far, slot->elr};
}

static _Noreturn void die(const char *what, uint64_t vector, const Frame *frame)
{
    guest_printf("# %s: vector 0x%lx esr 0x%lx far 0x%lx elr 0x%lx\n", what, vector,
                 READ_SYSREG(esr_el1), READ_SYSREG(far_el1), frame->elr);
    guest_exit(2);
}

void guest_unexpected(uint64_t vector, Frame *frame)
{
    die("unexpected exception", vector, frame);
}

void guest_sync(uint64_t vector, Frame *frame)
{
    FaultSlot *slot = &fault_slots[guest_cpu()];

    if (!slot->expected) {
        die("unexpected fault", vector, frame);
    }
    slot->expected = false;
    slot->taken = true;
    slot->esr = READ_SYSREG(esr_el1);
    slot->far = READ_SYSREG(far_el1);
    slot->elr = frame->elr;
    // A failed jump has no instruction to step over: go back to the caller.
    frame->elr = ESR_EC(slot->esr) == ESR_EC_IABT_SAME_EL ? frame->x30 : frame->elr + 4;
}

void guest_irq_handler(GuestIrqHandler handler)
{
    irq_handler = handler;
}

#define INTID_SPURIOUS 1020u

void guest_irq(uint64_t vector, Frame *frame)
{
    const uint32_t intid = (uint32_t)READ_SYSREG(S3_0_C12_C12_0); // ICC_IAR1_EL1

    if (intid >= INTID_SPURIOUS) {
        return;
    }
    if (irq_handler == NULL) {
        die("unexpected interrupt", vector, frame);
    }
    irq_handler(intid);
    WRITE_SYSREG(S3_0_C12_C12_1, intid); // ICC_EOIR1_EL1
}

uint64_t guest_ticks(void)
{
    __asm__ volatile("isb" : : : "memory");
    return READ_SYSREG(cntvct_el0);
}

uint64_t guest_tick_rate(void)
{
    return READ_SYSREG(cntfrq_el0);
}

void guest_putc(char c)
{
    if (c == '\n') {
        mmio_write32(GUEST_UART_BASE, '\r');
    }
    mmio_write32(GUEST_UART_BASE, (uint8_t)c);
}

void guest_exit(uint64_t status)
{
    (void)guest_hvc(GUEST_HC_EXIT, status, 0, 0);
    for (;;) {
        (void)guest_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
}
