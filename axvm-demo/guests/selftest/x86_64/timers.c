// SPDX-License-Identifier: Apache-2.0
// The timer of the local APIC: all modes, all dividers, the mask.
#include "selftest.h"

#define VECTOR_TIMER 0x40
#define TICKS        1000000u
#define DIVIDE_BY_1  0xbu
#define MODE_ONE     0u
#define ATTEMPTS     10u

static volatile uint32_t count;

static void on_irq(uint8_t vector)
{
    count += vector == VECTOR_TIMER ? 1 : 0;
    lapic_write(LAPIC_EOI, 0);
}

static void wait_for(uint32_t number)
{
    while (count < number) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static void let_in(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static void start(uint32_t mode, uint32_t initial)
{
    count = 0;
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | mode);
    lapic_write(LAPIC_INITIAL, initial);
}

static void wait_ticks(uint64_t ticks)
{
    const uint64_t begin = guest_ticks();

    while (guest_ticks() - begin < ticks) {
        __asm__ volatile("pause");
    }
}

static void one_shot(void)
{
    start(MODE_ONE, TICKS);
    GUEST_CHECK(lapic_read(LAPIC_CURRENT) <= TICKS, "the timer counts down from where it begins");
    wait_for(1);
    GUEST_CHECK_EQ(count, 1, "a one-shot timer ends HLT");
    GUEST_CHECK_EQ(lapic_read(LAPIC_CURRENT), 0, "and stops");
    GUEST_CHECK_EQ(lapic_read(LAPIC_INITIAL), TICKS, "the initial count stays");
    wait_ticks(UINT64_C(2) * TICKS);
    let_in();
    GUEST_CHECK_EQ(count, 1, "it does not come again");
    start(MODE_ONE, 1);
    wait_for(1);
    GUEST_CHECK_EQ(count, 1, "one of a single count");
    start(MODE_ONE, 50 * TICKS);
    lapic_write(LAPIC_INITIAL, 0);
    GUEST_CHECK_EQ(lapic_read(LAPIC_CURRENT), 0, "an initial count of 0 stops it");
    start(MODE_ONE, UINT32_MAX);
    GUEST_CHECK(lapic_read(LAPIC_CURRENT) > UINT32_MAX / 2, "the longest one");
    lapic_write(LAPIC_INITIAL, TICKS);
    wait_for(1);
    GUEST_CHECK_EQ(count, 1, "a new initial count starts anew");
}

static void periodic(void)
{
    start(LVT_PERIODIC, TICKS);
    wait_for(5);
    GUEST_CHECK(count >= 5, "a periodic timer comes again and again");
    GUEST_CHECK(lapic_read(LAPIC_CURRENT) <= TICKS, "it counts from the initial count");
    lapic_write(LAPIC_INITIAL, 0);
    let_in();
    count = 0;
    wait_ticks(UINT64_C(2) * TICKS);
    let_in();
    GUEST_CHECK_EQ(count, 0, "an initial count of 0 stops it, too");
}

static void masked(void)
{
    start(LVT_MASKED, TICKS / 10);
    while (lapic_read(LAPIC_CURRENT) != 0) {
        __asm__ volatile("pause");
    }
    let_in();
    GUEST_CHECK_EQ(count, 0, "a masked timer runs down in silence");
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    let_in();
    GUEST_CHECK_EQ(count, 0, "and what was masked is lost");
    start(LVT_MASKED | LVT_PERIODIC, TICKS);
    wait_ticks(UINT64_C(2) * TICKS);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LVT_PERIODIC);
    wait_for(1);
    GUEST_CHECK(count >= 1, "a masked periodic timer goes on");
    lapic_write(LAPIC_INITIAL, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    let_in();
}

// How far it counts, in counts before the divider, per 1024 ticks of the TSC.
static uint64_t speed(uint32_t divide, uint64_t factor)
{
    lapic_write(LAPIC_DIVIDE, divide);
    start(LVT_MASKED, UINT32_MAX);
    const uint32_t first = lapic_read(LAPIC_CURRENT);
    const uint64_t begin = guest_ticks();

    wait_ticks(UINT64_C(10) * TICKS);
    const uint32_t last = lapic_read(LAPIC_CURRENT);
    const uint64_t ticks = guest_ticks() - begin;

    return (first - last) * factor * 1024 / ticks;
}

static bool is_near(uint64_t got, uint64_t expected)
{
    return got > expected / 4 * 3 && got < expected / 4 * 5;
}

// A machine that has other work may need several attempts.
static void each_divider(void)
{
    static const struct {
        const char *name;
        uint32_t divide;
        uint32_t factor;
    } dividers[] = {{"divided by 2", 0x0, 2},    {"divided by 4", 0x1, 4},
                    {"divided by 8", 0x2, 8},    {"divided by 16", 0x3, 16},
                    {"divided by 32", 0x8, 32},  {"divided by 64", 0x9, 64},
                    {"divided by 128", 0xa, 128}};
    uint64_t expected = speed(DIVIDE_BY_1, 1);

    for (unsigned i = 0; i < 2; i++) { // the least disturbed of three
        const uint64_t again = speed(DIVIDE_BY_1, 1);

        expected = again > expected ? again : expected;
    }

    for (size_t i = 0; i < sizeof(dividers) / sizeof(dividers[0]); i++) {
        uint64_t got = 0;

        for (unsigned attempt = 0; attempt < ATTEMPTS && !is_near(got, expected); attempt++) {
            got = speed(dividers[i].divide, dividers[i].factor);
        }
        if (!GUEST_CHECK(is_near(got, expected), dividers[i].name)) {
            guest_printf("# %lu counts, expected %lu\n", got, expected);
        }
    }
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_INITIAL, 0);
}

static void disarm_by_msr(void)
{
    write_msr(MSR_TSC_DEADLINE, 0);
}

static void disarm_by_mode(void)
{
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
}

// Interrupts behind a deadline that was disarmed in time, which may need several attempts on a machine
// that has other work.
static uint32_t count_after(void (*disarm)(void))
{
    uint64_t due;

    do {
        let_in();
        count = 0;
        lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LVT_DEADLINE);
        due = guest_ticks() + UINT64_C(10) * TICKS;
        write_msr(MSR_TSC_DEADLINE, due);
        disarm();
    } while (guest_ticks() >= due);
    wait_ticks(UINT64_C(12) * TICKS);
    let_in();
    return count;
}

static void deadline(void)
{
    lapic_write(LAPIC_INITIAL, 0);
    start(LVT_DEADLINE, TICKS);
    GUEST_CHECK_EQ(lapic_read(LAPIC_CURRENT), 0, "in TSC-deadline mode there is no count");
    uint64_t due = UINT64_MAX / 2;

    write_msr(MSR_TSC_DEADLINE, due);
    GUEST_CHECK_EQ(read_msr(MSR_TSC_DEADLINE), due, "the deadline can be read");
    due = guest_ticks() + TICKS;
    write_msr(MSR_TSC_DEADLINE, due);
    wait_for(1);
    GUEST_CHECK(guest_ticks() >= due, "it is not early");
    GUEST_CHECK_EQ(read_msr(MSR_TSC_DEADLINE), 0, "it is 0 afterwards");
    count = 0;
    write_msr(MSR_TSC_DEADLINE, 1);
    wait_for(1);
    GUEST_CHECK_EQ(count, 1, "a deadline that is over comes at once");
    GUEST_CHECK_EQ(count_after(disarm_by_msr), 0, "0 disarms it");
    GUEST_CHECK_EQ(count_after(disarm_by_mode), 0, "so does another mode");
    write_msr(MSR_TSC_DEADLINE, 1);
    GUEST_CHECK_EQ(read_msr(MSR_TSC_DEADLINE), 0, "in which the MSR reads as 0");
    let_in();
    GUEST_CHECK_EQ(count, 0, "and does nothing");
}

void test_timers(void)
{
    guest_irq_handler(on_irq);
    lapic_write(LAPIC_SVR, SVR_ENABLE | 0xff);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_1);
    one_shot();
    periodic();
    masked();
    each_divider();
    deadline();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    guest_irq_handler(NULL);
}
