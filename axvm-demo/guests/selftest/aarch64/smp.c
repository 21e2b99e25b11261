// SPDX-License-Identifier: Apache-2.0
// A second CPU: start, state, interrupts both ways, own registers, end, start again.
#include "fp.h"
#include "selftest.h"

#define SGI_PING  5u
#define SGI_PONG  6u
#define FP_ROUNDS 2000u

static volatile uint32_t started;
static volatile uint32_t pings;
static volatile uint32_t pongs;
static volatile uint64_t other_mpidr;
static volatile uint64_t other_differences;
static volatile uint32_t go;
static volatile uint32_t finished;
static uint64_t atomic_counter;

static void on_sgi(uint32_t intid)
{
    if (intid == SGI_PING) {
        pings++;
        guest_sgi(SGI_PONG, 0);
    }
    if (intid == SGI_PONG) {
        pongs++;
    }
}

static void prepare_cpu(void)
{
    guest_gic_init_cpu();
    guest_irq_handler(on_sgi);
    guest_irq_config(SGI_PING, 0x80, true);
    guest_irq_config(SGI_PONG, 0x80, true);
}

// Both CPUs keep a pattern in the vector registers while they leave the guest again and again.
static uint64_t keep_pattern(uint64_t seed)
{
    uint64_t differences = 0;

    fp_fill(seed);
    for (uint32_t i = 0; i < FP_ROUNDS; i++) {
        (void)guest_hvc(GUEST_HC_NONE, 0, 0, 0);
        differences += fp_differences(seed);
        __atomic_fetch_add(&atomic_counter, 1, __ATOMIC_SEQ_CST);
    }
    return differences;
}

static void second_cpu(void)
{
    prepare_cpu();
    other_mpidr = READ_SYSREG(mpidr_el1) & 0xffffff;
    started++;
    while (pings == 0) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
    while (go == 0) {
        __asm__ volatile("yield");
    }
    other_differences = keep_pattern(UINT64_C(0xaaaa000000000000));
    finished++;
}

// True when *flag became `value` within two seconds.
static bool becomes(volatile uint32_t *flag, uint32_t value)
{
    const uint64_t limit = guest_ticks() + 2 * guest_tick_rate();

    while (*flag != value && guest_ticks() < limit) {
        guest_irq_on();
        guest_irq_off();
    }
    return *flag == value;
}

static bool turns_off(unsigned cpu)
{
    const uint64_t limit = guest_ticks() + 2 * guest_tick_rate();

    while (guest_hvc(PSCI_AFFINITY_INFO, cpu, 0, 0) != 1 && guest_ticks() < limit) {
    }
    return guest_hvc(PSCI_AFFINITY_INFO, cpu, 0, 0) == 1;
}

static void one_life(uint32_t life)
{
    pings = 0;
    pongs = 0;
    go = 0;
    GUEST_CHECK_EQ(guest_cpu_start(1, second_cpu), PSCI_SUCCESS, "CPU_ON starts CPU 1");
    if (!GUEST_CHECK(becomes(&started, life), "CPU 1 runs")) {
        return;
    }
    GUEST_CHECK_EQ(other_mpidr, 1, "CPU 1 has affinity 1");
    GUEST_CHECK_EQ(guest_hvc(PSCI_AFFINITY_INFO, 1, 0, 0), 0, "AFFINITY_INFO: CPU 1 is on");
    GUEST_CHECK_EQ(guest_cpu_start(1, second_cpu), PSCI_ALREADY_ON, "a second CPU_ON is refused");
    guest_sgi(SGI_PING, 1);
    GUEST_CHECK(becomes(&pongs, 1), "an SGI goes there and one comes back");
    GUEST_CHECK_EQ(pings, 1, "exactly one arrived");
    go = 1;
    GUEST_CHECK_EQ(keep_pattern(UINT64_C(0x5555000000000000)), 0,
                   "this CPU's vector registers are its own");
    GUEST_CHECK(becomes(&finished, life), "CPU 1 comes to its end");
    GUEST_CHECK_EQ(other_differences, 0, "so are those of CPU 1");
    GUEST_CHECK_EQ(atomic_counter, UINT64_C(2) * FP_ROUNDS * life, "atomics work between CPUs");
    GUEST_CHECK(turns_off(1), "AFFINITY_INFO: CPU 1 is off after CPU_OFF");
}

void test_smp(void)
{
    if (guest_hvc(PSCI_AFFINITY_INFO, 1, 0, 0) == PSCI_INVALID_PARAMETERS) {
        guest_skip("a second CPU", "this VM has one CPU");
        return;
    }
    prepare_cpu();
    one_life(1);
    one_life(2);
}
