// SPDX-License-Identifier: Apache-2.0
// Where traps arrive, what they say, WFI, and the CSRs of S mode.
#include "sip.h"

#define NOWHERE  UINT64_C(0x18000000)
#define VECTORED UINT64_C(1)

extern const char noting_vectors[];
extern volatile uint64_t noted_entry; // written by vectors.S
extern volatile uint64_t noted_cause;
volatile uint64_t noted_entry;
volatile uint64_t noted_cause;

static GuestContext context;

// ---- stvec ----

static void note_breakpoint(void)
{
    __asm__ volatile(".option push\n\t.option norvc\n\tebreak\n\t.option pop" : : : "memory");
}

static void note_access_fault(void)
{
    __asm__ volatile(".option push\n\t.option norvc\n\tlw t2, 0(%0)\n\t.option pop"
                     :
                     : "r"(NOWHERE)
                     : "t2", "memory");
}

static void let_interrupts_in(void)
{
    guest_irq_on();
    for (volatile int i = 0; i < 1000; i++) {
    }
    guest_irq_off();
}

static void note_software(void)
{
    WRITE_CSR(sie, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    guest_ipi(guest_cpu());
    let_interrupts_in();
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
}

static void note_timer(void)
{
    WRITE_CSR(sie, IRQ_BIT(GUEST_IRQ_TIMER));
    (void)guest_sbi3(SBI_TIME, 0, 0, 0, 0);
    let_interrupts_in();
    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
}

typedef struct VectorCase {
    const char *name;
    void (*run)(void);
    uint64_t mode;
    uint64_t entry;
    uint64_t cause;
} VectorCase;

static const VectorCase vector_cases[] = {
    {"stvec direct: a breakpoint", note_breakpoint, 0, 0, CAUSE_BREAKPOINT},
    {"stvec direct: an access fault", note_access_fault, 0, 0, CAUSE_LOAD_ACCESS},
    {"stvec direct: a software interrupt", note_software, 0, 0, SCAUSE_IRQ | 1},
    {"stvec direct: a timer interrupt", note_timer, 0, 0, SCAUSE_IRQ | 5},
    {"stvec vectored: a breakpoint", note_breakpoint, VECTORED, 0, CAUSE_BREAKPOINT},
    {"stvec vectored: an access fault", note_access_fault, VECTORED, 0, CAUSE_LOAD_ACCESS},
    {"stvec vectored: a software interrupt", note_software, VECTORED, 1, SCAUSE_IRQ | 1},
    {"stvec vectored: a timer interrupt", note_timer, VECTORED, 5, SCAUSE_IRQ | 5},
};

static void vectors(void)
{
    const uint64_t stvec = READ_CSR(stvec);
    const uint64_t sie = READ_CSR(sie);

    for (size_t i = 0; i < sizeof(vector_cases) / sizeof(vector_cases[0]); i++) {
        const VectorCase *c = &vector_cases[i];

        noted_entry = UINT64_MAX;
        noted_cause = 0;
        WRITE_CSR(stvec, (uint64_t)noting_vectors | c->mode);
        c->run();
        WRITE_CSR(stvec, stvec);
        WRITE_CSR(sie, sie);
        GUEST_CHECK_EQ(noted_entry, c->entry, c->name);
        GUEST_CHECK_EQ(noted_cause, c->cause, c->name);
    }
}

// ---- from U mode ----

typedef struct UserCase {
    const char *name;
    const void *code;
    uint64_t cause;
} UserCase;

static void from_user_mode(void)
{
    const UserCase user_cases[] = {
        {"U mode: ecall", GUEST_CODE("ecall"), CAUSE_ECALL_USER},
        {"U mode: ebreak", GUEST_CODE32("ebreak"), CAUSE_BREAKPOINT},
        {"U mode: an illegal instruction", GUEST_CODE(".4byte 0xffffffff"), CAUSE_ILLEGAL},
        {"U mode: sret is illegal", GUEST_CODE("sret"), CAUSE_ILLEGAL},
        {"U mode: wfi is illegal", GUEST_CODE("wfi"), CAUSE_ILLEGAL},
        {"U mode: sfence.vma is illegal", GUEST_CODE("sfence.vma"), CAUSE_ILLEGAL},
        {"U mode: sstatus is illegal", GUEST_CODE("csrr a0, sstatus"), CAUSE_ILLEGAL},
        {"U mode: hstatus is illegal", GUEST_CODE("csrr a0, 0x600"), CAUSE_ILLEGAL},
        {"U mode: vsstatus is illegal", GUEST_CODE("csrr a0, 0x200"), CAUSE_ILLEGAL},
        {"U mode: hlv.d is illegal", GUEST_CODE(".insn r 0x73, 4, 0x36, a0, a1, x0"),
         CAUSE_ILLEGAL},
        {"U mode: a page of S mode", GUEST_CODE32("ld a0, 0(a1)"), CAUSE_LOAD_PAGE},
    };

    for (size_t i = 0; i < sizeof(user_cases) / sizeof(user_cases[0]); i++) {
        context.x[11] = GUEST_RAM_BASE + 0x200000;
        (void)guest_step(&context, user_cases[i].code, true);
        GUEST_CHECK_EQ(context.cause, user_cases[i].cause, user_cases[i].name);
        GUEST_CHECK(context.pc == guest_step_pc(true) && (context.sstatus & SSTATUS_SPP) == 0,
                    user_cases[i].name);
    }
}

static void step_user_with(uint64_t scounteren, const void *code)
{
    WRITE_CSR(scounteren, scounteren);
    (void)guest_step(&context, code, true);
    WRITE_CSR(scounteren, 7);
}

// Not `time`: firmware may emulate it whatever scounteren says.
static void counters_of_user_mode(void)
{
    step_user_with(0, GUEST_CODE("rdcycle a0"));
    GUEST_CHECK_EQ(context.cause, CAUSE_ILLEGAL, "U mode: cycle is illegal without scounteren.CY");
    step_user_with(1, GUEST_CODE("rdcycle a0"));
    GUEST_CHECK_EQ(context.cause, CAUSE_BREAKPOINT, "U mode: and can be read with it");
    step_user_with(1, GUEST_CODE("rdinstret a0"));
    GUEST_CHECK_EQ(context.cause, CAUSE_ILLEGAL, "U mode: which says nothing about instret");
}

// AMOs must be aligned; a plain access to memory need not.
static void misaligned_atomic(void)
{
    static uint64_t word[2];

    context.x[11] = (uint64_t)word + 2;
    (void)guest_step(&context, GUEST_CODE("amoadd.w a0, a2, (a1)"), false);
    // A store, says the privileged specification; QEMU 7.2 sees loads in AMOs of guests.
    GUEST_CHECK(context.cause >= CAUSE_LOAD_ALIGN && context.cause <= CAUSE_STORE_ACCESS,
                "a misaligned AMO on memory faults");
    GUEST_CHECK_EQ(context.tval, (uint64_t)word + 2, "with its address");
}

// ---- WFI ----

static void wfi_sees_what_is_masked(void)
{
    guest_ipi(guest_cpu());
    guest_wfi(); // sstatus.SIE is clear
    GUEST_CHECK(sip_shows(GUEST_IRQ_SOFTWARE),
                "WFI ends at once when an interrupt is pending, though interrupts are off");
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    GUEST_CHECK(!sip_shows(GUEST_IRQ_SOFTWARE), "S mode clears SSIP itself");
}

static void wfi_ends_by_the_timer(void)
{
    const uint64_t deadline = guest_ticks() + guest_tick_rate() / 100;

    (void)guest_sbi3(SBI_TIME, 0, deadline, 0, 0);
    while (guest_ticks() < deadline) {
        guest_wfi(); // may end without a cause
    }
    const uint64_t end = guest_ticks();

    check_sip(sip_shows(GUEST_IRQ_TIMER), "WFI ends with the timer pending");
    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
    GUEST_CHECK(end < deadline + guest_tick_rate() / 10, "and soon after its deadline");
}

static void own_software_interrupt(void)
{
    SET_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    GUEST_CHECK(sip_shows(GUEST_IRQ_SOFTWARE), "S mode sets SSIP itself");
    (void)guest_sbi3(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0);
    GUEST_CHECK(sip_shows(GUEST_IRQ_SOFTWARE), "and it stays over an exit");
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    (void)guest_sbi3(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0);
    GUEST_CHECK(!sip_shows(GUEST_IRQ_SOFTWARE), "and stays cleared, too");
}

// ---- CSRs keep what is written ----

#define CHECK_KEEPS(csr, value, name)                                   \
    do {                                                                \
        const uint64_t old_ = READ_CSR(csr);                            \
        WRITE_CSR(csr, value);                                          \
        (void)guest_sbi3(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0);          \
        (void)guest_sbi3(SBI_EXPERIMENTAL | GUEST_HC_NONE, 0, 0, 0, 0); \
        GUEST_CHECK_EQ(READ_CSR(csr), (value), name);                   \
        WRITE_CSR(csr, old_);                                           \
    } while (0)

static void csrs_survive(void)
{
    CHECK_KEEPS(sscratch, UINT64_C(0x123456789abcdef0), "sscratch survives exits");
    CHECK_KEEPS(sepc, UINT64_C(0x0000001234567ffe), "sepc survives exits");
    CHECK_KEEPS(stval, UINT64_C(0x0fedcba987654321), "stval survives exits");
    CHECK_KEEPS(scause, UINT64_C(13), "scause survives exits");
    CHECK_KEEPS(scounteren, UINT64_C(5), "scounteren survives exits");
    CHECK_KEEPS(sie, IRQ_BIT(GUEST_IRQ_TIMER), "sie survives exits");
}

void test_exceptions(void)
{
    vectors();
    from_user_mode();
    counters_of_user_mode();
    misaligned_atomic();
    wfi_sees_what_is_masked();
    wfi_ends_by_the_timer();
    own_software_interrupt();
    csrs_survive();
}
