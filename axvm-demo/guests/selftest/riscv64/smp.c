// SPDX-License-Identifier: Apache-2.0
// A second hart: start, state, interrupts both ways, own registers, end, start again.
#include "fp.h"

#include "smp.h"

#define FP_ROUNDS   2000u
#define PING_ROUNDS 500u

#define PAUSES_PER_SECOND 2000u

static volatile uint32_t started;
static volatile uint32_t pings;
static volatile uint32_t pongs;
static volatile uint32_t go;
static volatile uint32_t finished;
static volatile uint64_t other_hart;
static volatile uint64_t other_differences;
static volatile bool other_csrs_kept;
static volatile uint64_t latest_time;
static volatile uint32_t time_errors;
static uint64_t atomic_counter;

static void on_ipi(uint32_t irq)
{
    if (irq == GUEST_IRQ_TIMER) {
        (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
    }
    if (irq != GUEST_IRQ_SOFTWARE) {
        return;
    }
    if (guest_cpu() == 0) {
        pongs++;
        return;
    }
    pings++;
    guest_ipi(0);
}

// No hart sees a time before what another has seen already.
static void compare_time(void)
{
    const uint64_t latest = latest_time;
    const uint64_t now = guest_ticks();

    if (now < latest) {
        __atomic_fetch_add(&time_errors, 1, __ATOMIC_SEQ_CST);
    }
    latest_time = now;
}

typedef struct OwnCsrs {
    uint64_t sscratch;
    uint64_t scounteren;
    uint64_t senvcfg;
    uint64_t stval;
} OwnCsrs;

static OwnCsrs read_csrs(void)
{
    return (OwnCsrs){READ_CSR(sscratch), READ_CSR(scounteren), READ_CSR(0x10a), READ_CSR(stval)};
}

static void write_csrs(uint64_t seed)
{
    WRITE_CSR(sscratch, seed);
    WRITE_CSR(scounteren, seed >> 60 & 7);
    WRITE_CSR(0x10a, seed >> 60 & 1); // senvcfg.FIOM
    WRITE_CSR(stval, seed + 1);
}

static bool same_csrs(OwnCsrs a, OwnCsrs b)
{
    return a.sscratch == b.sscratch && a.scounteren == b.scounteren && a.senvcfg == b.senvcfg &&
           a.stval == b.stval;
}

// Both harts keep a pattern in the registers while they leave the guest again and again.
static uint64_t keep_pattern(uint64_t seed, volatile bool *csrs_kept)
{
    uint64_t differences = 0;

    SET_CSR(sstatus, SSTATUS_FS);
    fp_fill(seed);
    write_csrs(seed);
    const OwnCsrs csrs = read_csrs();

    *csrs_kept = csrs.sscratch == seed;
    for (uint32_t i = 0; i < FP_ROUNDS; i++) {
        (void)guest_sbi3(SBI_EXPERIMENTAL | GUEST_HC_NONE, 0, 0, 0, 0);
        differences += fp_differences(seed);
        *csrs_kept = *csrs_kept && same_csrs(csrs, read_csrs());
        __atomic_fetch_add(&atomic_counter, 1, __ATOMIC_SEQ_CST);
        compare_time();
    }
    return differences;
}

static void second_cpu(void)
{
    guest_plic_init_cpu();
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE)); // of an IPI before the start, if the SBI keeps it
    other_hart = guest_cpu();
    started++;
    while (go == 0) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
    other_differences = keep_pattern(UINT64_C(0xaaaa000000000001), &other_csrs_kept);
    finished++;
}

void smp_pause(void)
{
    (void)guest_sbi3(SBI_TIME, 0, guest_ticks() + guest_tick_rate() / PAUSES_PER_SECOND, 0, 0);
    guest_wfi();
    (void)guest_sbi3(SBI_TIME, 0, UINT64_MAX, 0, 0);
}

bool smp_becomes(volatile uint32_t *flag, uint32_t value)
{
    const uint64_t limit = guest_ticks() + SMP_SECONDS * guest_tick_rate();

    while (*flag != value && guest_ticks() < limit) {
        smp_pause();
        guest_irq_on();
        guest_irq_off();
    }
    return *flag == value;
}

GuestSbi smp_status(unsigned cpu)
{
    return guest_sbi3(SBI_HSM, SBI_HART_STATUS, cpu, 0, 0);
}

bool smp_stops(unsigned cpu)
{
    const uint64_t limit = guest_ticks() + SMP_SECONDS * guest_tick_rate();

    while (smp_status(cpu).value != SBI_STOPPED && guest_ticks() < limit) {
        smp_pause();
    }
    return smp_status(cpu).value == SBI_STOPPED;
}

static bool ping_pong(void)
{
    for (uint32_t i = 1; i <= PING_ROUNDS; i++) {
        guest_ipi(1);
        if (!smp_becomes(&pongs, i)) {
            return false;
        }
    }
    return pings == PING_ROUNDS && pongs == PING_ROUNDS;
}

static void one_life(uint32_t life)
{
    bool csrs_kept = false;

    pings = 0;
    pongs = 0;
    go = 0;
    // The answer to the IPI that ended the other life may have come when interrupts were off here.
    CLEAR_CSR(sip, IRQ_BIT(GUEST_IRQ_SOFTWARE));
    guest_irq_handler(on_ipi);
    GUEST_CHECK_EQ(guest_cpu_start(1, second_cpu), SBI_SUCCESS, "HSM: hart 1 is started");
    if (!GUEST_CHECK(smp_becomes(&started, life), "hart 1 runs")) {
        return;
    }
    GUEST_CHECK_EQ(other_hart, 1, "hart 1 is told its number");
    GUEST_CHECK_EQ(guest_cpu_started(1).opaque, GUEST_CPU_OPAQUE + 1, "and the opaque value");
    GUEST_CHECK_EQ(guest_cpu_started(1).satp_sie, 0, "it starts without translation, masked");
    GUEST_CHECK_EQ(smp_status(1).value, SBI_STARTED, "HSM: hart 1 is started, says its status");
    GUEST_CHECK_EQ(guest_cpu_start(1, second_cpu), SBI_ALREADY_AVAILABLE,
                   "HSM: a second start is refused");
    GUEST_CHECK_EQ(pongs, 0, "nobody has sent an IPI yet");
    if (!GUEST_CHECK(ping_pong(), "500 IPIs go there and come back, none is lost")) {
        guest_printf("# %u went there, %u came back\n", pings, pongs);
    }
    go = 1;
    guest_ipi(1);
    GUEST_CHECK_EQ(keep_pattern(UINT64_C(0x5555000000000082), &csrs_kept), 0,
                   "this hart's floating-point registers are its own");
    GUEST_CHECK(csrs_kept, "and its CSRs");
    GUEST_CHECK(smp_becomes(&finished, life), "hart 1 comes to its end");
    GUEST_CHECK_EQ(other_differences, 0, "its floating-point registers are its own, too");
    GUEST_CHECK(other_csrs_kept, "and its CSRs");
    GUEST_CHECK_EQ(atomic_counter, UINT64_C(2) * FP_ROUNDS * life, "atomics work between harts");
    GUEST_CHECK_EQ(time_errors, 0, "the harts have the same time");
    GUEST_CHECK(smp_stops(1), "HSM: hart 1 is stopped in the end");
}

static void to_a_stopped_hart(void)
{
    guest_ipi(1);
    GUEST_CHECK_EQ(guest_sbi3(SBI_RFENCE, SBI_FENCE_I, 2, 0, 0).error, SBI_SUCCESS,
                   "a fence for a stopped hart does not hang");
}

bool smp_has_second(void)
{
    return smp_status(1).error == SBI_SUCCESS;
}

void test_smp(void)
{
    if (!smp_has_second()) {
        guest_skip("a second hart", "this VM has one");
        return;
    }
    one_life(1);
    to_a_stopped_hart();
    one_life(2);
}
