// SPDX-License-Identifier: Apache-2.0
// Harts of a guest: page tables, start, traps.
#include "arch.h"

// Frame that entry.S builds: x0..x31 (x0 is not used), sepc, sstatus.
typedef struct Frame {
    uint64_t x[32];
    uint64_t sepc;
    uint64_t sstatus;
} Frame;

void guest_cpu_main(uint64_t cpu, uint64_t opaque, uint64_t state);
void guest_trap(uint64_t cause, Frame *frame);
uint64_t guest_suspend(uint64_t extension, uint64_t function, uint64_t type);
extern char guest_secondary_entry[];
extern uint64_t guest_boot_argument;
extern uint64_t guest_boot_hart;

typedef struct FaultSlot {
    volatile bool expected;
    volatile bool taken;
    volatile uint64_t cause;
    volatile uint64_t tval;
    volatile uint64_t epc;
} FaultSlot;

static FaultSlot fault_slots[GUEST_CPUS_MAX];
static void (*volatile cpu_programs[GUEST_CPUS_MAX])(void);
static GuestCpuStart cpu_starts[GUEST_CPUS_MAX];
static GuestIrqHandler irq_handler;

#define REG_RA        1
#define GIGABYTE      (UINT64_C(1) << 30)
#define MEGA_PAGE     (UINT64_C(1) << 21)
#define PTE_V         UINT64_C(0x01)
#define PTE_A_D       UINT64_C(0xc0)
#define SATP_SV39     (UINT64_C(8) << 60)
#define SATP_ASID     44
#define C_EBREAK      UINT16_C(0x9002)
#define STEP_SPACING  64u // between the instructions of different harts
#define PTE_OF(addr)  ((addr) >> 12 << 10)
#define TABLE_ENTRIES 512

// Identity: 1 GiB of devices, then 3 GiB of which RAM is a part; then the window.
static uint64_t level2[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t window2[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t window1[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint16_t step_page[GUEST_PAGE / 2] __attribute__((aligned(4096)));

#define STEP_PAGE_USER 0 // of the window
#define WINDOW_TABLE   1 // entry of window2 that guest_map_table takes

static void make_tables(void)
{
    level2[0] = PTE_R | PTE_W | PTE_A_D | PTE_V;
    for (uint64_t i = 1; i < 4; i++) {
        level2[i] = PTE_OF(i * GIGABYTE) | PTE_R | PTE_W | PTE_X | PTE_A_D | PTE_V;
    }
    level2[GUEST_WINDOW / GIGABYTE] = PTE_OF((uint64_t)window2) | PTE_V;
    window2[0] = PTE_OF((uint64_t)window1) | PTE_V;
    (void)guest_map(STEP_PAGE_USER, (uint64_t)step_page, PTE_R | PTE_X | PTE_U);
}

void guest_paging(bool on)
{
    guest_fence_vma();
    WRITE_CSR(satp, on ? SATP_SV39 | (uint64_t)level2 >> 12 : 0);
    guest_fence_vma();
}

void guest_set_asid(uint64_t asid)
{
    WRITE_CSR(satp, SATP_SV39 | asid << SATP_ASID | (uint64_t)level2 >> 12);
}

uint64_t guest_map(uint64_t index, uint64_t address, uint64_t rights)
{
    __atomic_store_n(&window1[index], PTE_OF(address) | rights | PTE_A_D | PTE_V, __ATOMIC_SEQ_CST);
    return guest_window(index);
}

uint64_t guest_map_table(uint64_t address)
{
    window2[WINDOW_TABLE] = PTE_OF(address) | PTE_V;
    guest_fence_vma();
    return GUEST_WINDOW + WINDOW_TABLE * MEGA_PAGE;
}

unsigned guest_cpu(void)
{
    uint64_t hart;

    __asm__("mv %0, tp" : "=r"(hart)); // entry.S puts it there
    return (unsigned)hart;
}

uint64_t guest_boot_tree(void)
{
    return guest_boot_argument;
}

void guest_cpu_main(uint64_t cpu, uint64_t opaque, uint64_t state)
{
    if (cpu == guest_boot_hart) {
        make_tables();
    }
    cpu_starts[cpu] = (GuestCpuStart){opaque, state};
    guest_paging(true);
    if (cpu == guest_boot_hart) {
        guest_main();
        guest_finish();
    }
    cpu_programs[cpu]();
    (void)guest_sbi3(SBI_HSM, SBI_HART_STOP, 0, 0, 0);
}

uint64_t guest_cpu_start(unsigned cpu, void (*program)(void))
{
    cpu_programs[cpu] = program;
    __asm__ volatile("fence" : : : "memory");
    return guest_sbi3(SBI_HSM, SBI_HART_START, cpu, (uint64_t)guest_secondary_entry,
                      GUEST_CPU_OPAQUE + cpu)
        .error;
}

GuestCpuStart guest_cpu_started(unsigned cpu)
{
    return cpu_starts[cpu];
}

uint64_t guest_cpu_suspend(void)
{
    const uint64_t sie = READ_CSR(sie);
    const uint64_t sstatus = READ_CSR(sstatus);
    const uint64_t result = guest_suspend(SBI_HSM, SBI_HART_SUSPEND, SBI_NON_RETENTIVE);

    WRITE_CSR(sie, sie);
    WRITE_CSR(sstatus, sstatus);
    guest_paging(true);
    return result;
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
    return (GuestFault){slot->taken, slot->cause, slot->tval, slot->epc};
}

static _Noreturn void die(const char *what, uint64_t cause, const Frame *frame)
{
    guest_printf("# %s: hart %u cause 0x%lx tval 0x%lx epc 0x%lx\n", what, guest_cpu(), cause,
                 READ_CSR(stval), frame->sepc);
    guest_exit(2);
}

// By the addresses: a CPU may describe the fetch that failed in a page-table walk as a load.
static bool is_fetch_fault(const Frame *frame)
{
    return READ_CSR(stval) == frame->sepc;
}

static uint64_t instruction_size(uint64_t address)
{
    return (*(const uint16_t *)address & 3) == 3 ? 4 : 2;
}

static void take_exception(uint64_t cause, Frame *frame)
{
    FaultSlot *slot = &fault_slots[guest_cpu()];

    if (!slot->expected) {
        die("unexpected exception", cause, frame);
    }
    slot->expected = false;
    slot->taken = true;
    slot->cause = cause;
    slot->tval = READ_CSR(stval);
    slot->epc = frame->sepc;
    // A failed jump has no instruction to step over: go back to the caller.
    frame->sepc = is_fetch_fault(frame) ? frame->x[REG_RA]
                                        : frame->sepc + instruction_size(frame->sepc);
}

void guest_irq_handler(GuestIrqHandler handler)
{
    irq_handler = handler;
}

static void take_external(void)
{
    const uint32_t source = guest_irq_claim();

    if (source != 0) {
        irq_handler(GUEST_IRQ_SOURCE(source));
        guest_irq_complete(source);
    }
}

void guest_trap(uint64_t cause, Frame *frame)
{
    if ((cause & SCAUSE_IRQ) == 0) {
        take_exception(cause, frame);
        return;
    }
    if (irq_handler == NULL) {
        die("unexpected interrupt", cause, frame);
    }
    if ((cause & ~SCAUSE_IRQ) == GUEST_IRQ_EXTERNAL) {
        take_external();
        return;
    }
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE) & IRQ_BIT(cause & ~SCAUSE_IRQ));
    irq_handler((uint32_t)cause);
}

static uint16_t *step_slot(void)
{
    return &step_page[guest_cpu() * STEP_SPACING / 2];
}

uint64_t guest_step_pc(bool user)
{
    return user ? guest_window(STEP_PAGE_USER) + guest_cpu() * STEP_SPACING : (uint64_t)step_slot();
}

bool guest_step(GuestContext *context, const void *code, bool user)
{
    const uint64_t size = instruction_size((uint64_t)code);
    const uint16_t *const from = code;
    uint16_t *const to = step_slot();
    const uint64_t kept = READ_CSR(sstatus) & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);

    to[0] = from[0];
    to[1] = size == 4 ? from[1] : C_EBREAK;
    to[2] = C_EBREAK;
    __asm__ volatile("fence.i" : : : "memory");
    context->pc = guest_step_pc(user);
    context->sstatus = kept | (user ? 0 : SSTATUS_SPP);
    guest_context_run(context);
    return context->cause == CAUSE_BREAKPOINT && context->pc == guest_step_pc(user) + size;
}

GuestSbi guest_sbi(uint64_t extension, uint64_t function, const uint64_t args[6])
{
    register uint64_t a0 __asm__("a0") = args[0];
    register uint64_t a1 __asm__("a1") = args[1];
    register uint64_t a2 __asm__("a2") = args[2];
    register uint64_t a3 __asm__("a3") = args[3];
    register uint64_t a4 __asm__("a4") = args[4];
    register uint64_t a5 __asm__("a5") = args[5];
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
                     : "memory");
    return (GuestSbi){a0, a1};
}

uint64_t guest_ticks(void)
{
    return READ_CSR(time);
}

uint64_t guest_tick_rate(void)
{
    static uint64_t rate;

    if (rate == 0) {
        rate = guest_tree_number("timebase-frequency");
    }
    return rate;
}

void guest_putc(char c)
{
    if (c == '\n') {
        mmio_write8(GUEST_UART_BASE, '\r');
    }
    mmio_write8(GUEST_UART_BASE, (uint8_t)c);
}

#define SRST_FAILURE UINT64_C(1) // reset reason

void guest_exit(uint64_t status)
{
    (void)guest_sbi3(SBI_EXPERIMENTAL | GUEST_HC_EXIT, 0, status, 0, 0);
    for (;;) {
        (void)guest_sbi3(SBI_SRST, 0, 0, status == 0 ? 0 : SRST_FAILURE, 0);
    }
}
