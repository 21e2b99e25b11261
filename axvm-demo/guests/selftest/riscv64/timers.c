// SPDX-License-Identifier: Apache-2.0
// The timer, by SBI and by stimecmp: interrupts in time and in order, and as the end of a wait.
#include "sip.h"

typedef struct Timer {
    const char *name;
    void (*set)(uint64_t deadline);
} Timer;

static volatile uint64_t fired_at;
static volatile uint32_t fired;
static volatile uint32_t early;
static uint64_t deadline;
static uint64_t least_late; // ticks from deadline to handler, the best of many_ticks
static const Timer *current;

static void set_by_sbi(uint64_t time)
{
    deadline = time;
    (void)guest_sbi3(SBI_TIME, 0, time, 0, 0);
}

static void set_by_csr(uint64_t time)
{
    deadline = time;
    WRITE_CSR(0x14d, time); // stimecmp
}

static void on_timer(uint32_t irq)
{
    if (irq != GUEST_IRQ_TIMER) {
        return;
    }
    fired_at = guest_ticks();
    if (fired_at < deadline) {
        early++;
        current->set(deadline);
        return;
    }
    fired++;
    if (fired_at - deadline < least_late) {
        least_late = fired_at - deadline;
    }
    current->set(UINT64_MAX);
}

static void start(void)
{
    fired = 0;
    guest_irq_handler(on_timer);
}

static bool is_pending(void)
{
    return sip_shows(GUEST_IRQ_TIMER);
}

static void take_pending(void)
{
    guest_irq_on();
    for (volatile int i = 0; i < 1000; i++) {
    }
    guest_irq_off();
}

// Waits at most five seconds for the interrupt, asleep. Machines that run this may have more to do,
// so how late one interrupt is says nothing: see least_late.
static void wait_for_it(void)
{
    const uint64_t limit = guest_ticks() + 5 * guest_tick_rate();

    while (fired == 0 && guest_ticks() < limit) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
}

static void check(bool condition, const char *name)
{
    if (!GUEST_CHECK(condition, name)) {
        guest_printf("# of the timer by %s\n", current->name);
    }
}

static void ends_a_wait(void)
{
    const uint64_t begin = guest_ticks();
    const uint64_t delay = guest_tick_rate() / 100;

    start();
    current->set(begin + delay);
    check(!is_pending(), "a deadline to come is not pending");
    wait_for_it();
    check(fired == 1, "the timer ends a wait, once");
    check(fired_at >= begin + delay, "not too early");
    check(!is_pending(), "a new deadline takes the interrupt back");
}

static void past_deadline(void)
{
    start();
    current->set(0);
    check_sip(is_pending(), "a deadline in the past is pending at once");
    current->set(0);
    take_pending();
    check(fired == 1, "and interrupts, once");
    current->set(guest_ticks() - 1);
    take_pending();
    check(fired == 2, "so does one just over");
}

static void cleared_by_a_later_one(void)
{
    start();
    current->set(0);
    current->set(guest_ticks() + 100 * guest_tick_rate());
    check(!is_pending(), "a later deadline clears a pending interrupt");
    take_pending();
    check(fired == 0, "which does not arrive");
}

// True when `first` was replaced before it was reached. If it was not, the interrupt may rightly have
// come; and QEMU 7.2 may signal it still, after the write, because its timer runs beside the hart.
static bool replace(uint64_t first, uint64_t second)
{
    current->set(first);
    current->set(second);
    return guest_ticks() < first;
}

#define REPLACE_TRIES 8

// The host may stop the hart between the two writes, so the distance grows until it does not.
static void later_replaces_earlier(void)
{
    uint64_t step = guest_tick_rate() / 200;
    uint64_t second = 0;
    bool in_time = false;

    for (int i = 0; i < REPLACE_TRIES && !in_time; i++, step *= 2) {
        const uint64_t begin = guest_ticks();

        second = begin + 3 * step;
        in_time = replace(begin + step, second);
    }
    start();
    wait_for_it();
    check(in_time && fired == 1 && fired_at >= second, "a later one replaces an earlier one");
}

static void replaced(void)
{
    const uint64_t begin = guest_ticks();

    start();
    (void)replace(begin + 100 * guest_tick_rate(), begin + guest_tick_rate() / 200);
    wait_for_it();
    check(fired == 1, "an earlier deadline replaces a later one");
    later_replaces_earlier();
}

static void disabled(void)
{
    start();
    CLEAR_CSR(sie, IRQ_BIT(GUEST_IRQ_TIMER));
    current->set(0);
    take_pending();
    check(fired == 0, "a disabled timer does not interrupt");
    check_sip(is_pending(), "but is pending");
    current->set(0);
    SET_CSR(sie, IRQ_BIT(GUEST_IRQ_TIMER));
    take_pending();
    check(fired == 1, "and interrupts when it is enabled");
}

static void in_order(void)
{
    const uint64_t step = guest_tick_rate() / 400;
    const uint64_t begin = guest_ticks();
    uint64_t last = 0;
    bool ordered = true;

    for (uint64_t i = 1; i <= 4; i++) {
        start();
        current->set(begin + i * step);
        wait_for_it();
        ordered = ordered && fired == 1 && fired_at >= begin + i * step && fired_at > last;
        last = fired_at;
    }
    check(ordered, "four deadlines come in order, each after its time");
}

static void many_ticks(void)
{
    bool all = true;

    least_late = UINT64_MAX;
    for (int i = 0; i < 50; i++) {
        start();
        current->set(guest_ticks() + guest_tick_rate() / 5000);
        wait_for_it();
        all = all && fired == 1;
    }
    check(all, "fifty deadlines in a row, each fires once");
    check(least_late < guest_tick_rate() / 200, "the best of them is not five milliseconds late");
}

static void test_timer(const Timer *timer)
{
    current = timer;
    early = 0;
    ends_a_wait();
    past_deadline();
    cleared_by_a_later_one();
    replaced();
    disabled();
    in_order();
    many_ticks();
    check(early == 0, "interrupts do not come before their deadlines");
}

static const Timer by_sbi = {"SBI", set_by_sbi};
static const Timer by_csr = {"stimecmp", set_by_csr};

// Both are one timer.
static void mixed(void)
{
    start();
    set_by_csr(0);
    set_by_sbi(UINT64_MAX);
    check(!is_pending(), "the SBI takes back what stimecmp has set");
    set_by_sbi(guest_ticks() + 100 * guest_tick_rate());
    set_by_csr(0);
    check_sip(is_pending(), "stimecmp replaces what the SBI has set");
    set_by_sbi(guest_ticks() + 100 * guest_tick_rate());
    set_by_csr(0);
    take_pending();
    check(fired == 1, "and interrupts");
    set_by_csr(UINT64_MAX);
    check(!is_pending(), "and takes it back");
}

static void time_goes_on(void)
{
    uint64_t last = guest_ticks();
    bool forward = true;

    for (int i = 0; i < 1000; i++) {
        const uint64_t now = guest_ticks();

        forward = forward && now >= last;
        last = now;
    }
    GUEST_CHECK(forward, "time does not go back");
}

void test_timers(void)
{
    time_goes_on();
    test_timer(&by_sbi);
    if (GUEST_FAULT_OF((void)READ_CSR(0x14d)).taken) {
        guest_skip("the timer by stimecmp", "this VM has no Sstc");
        return;
    }
    test_timer(&by_csr);
    mixed();
}
