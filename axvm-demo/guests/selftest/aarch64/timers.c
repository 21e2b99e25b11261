// SPDX-License-Identifier: Apache-2.0
// The architected timers: interrupts in time and in order, and as the end of a wait.
#include "selftest.h"

#define PPI_VIRTUAL  27u
#define PPI_PHYSICAL 30u
#define CTL_ENABLE   UINT64_C(1)
#define CTL_ISTATUS  UINT64_C(4)

static volatile uint64_t fired_at[32];
static volatile uint32_t fired[32];

static void on_timer(uint32_t intid)
{
    fired_at[intid % 32] = guest_ticks();
    fired[intid % 32]++;
    if (intid == PPI_VIRTUAL) {
        WRITE_SYSREG(cntv_ctl_el0, 0);
    }
    if (intid == PPI_PHYSICAL) {
        WRITE_SYSREG(cntp_ctl_el0, 0);
    }
}

static void start(void)
{
    fired[PPI_VIRTUAL] = 0;
    fired[PPI_PHYSICAL] = 0;
    guest_irq_handler(on_timer);
    guest_irq_config(PPI_VIRTUAL, 0x80, true);
    guest_irq_config(PPI_PHYSICAL, 0x80, true);
}

// Waits at most a second for the interrupt `intid`, asleep.
static void wait_for(uint32_t intid)
{
    const uint64_t limit = guest_ticks() + guest_tick_rate();

    while (fired[intid] == 0 && guest_ticks() < limit) {
        guest_wfi();
        guest_irq_on();
        guest_irq_off();
    }
}

static void virtual_timer(void)
{
    const uint64_t begin = guest_ticks();
    const uint64_t delay = guest_tick_rate() / 100;

    start();
    WRITE_SYSREG(cntv_cval_el0, begin + delay);
    WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE);
    wait_for(PPI_VIRTUAL);
    GUEST_CHECK_EQ(fired[PPI_VIRTUAL], 1, "the virtual timer ends a wait, once");
    GUEST_CHECK(fired_at[PPI_VIRTUAL] >= begin + delay, "not too early");
    GUEST_CHECK(fired_at[PPI_VIRTUAL] < begin + 20 * delay, "and not much too late");
}

static void relative_value(void)
{
    start();
    WRITE_SYSREG(cntv_tval_el0, guest_tick_rate() / 1000);
    WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE);
    wait_for(PPI_VIRTUAL);
    GUEST_CHECK_EQ(fired[PPI_VIRTUAL], 1, "a relative deadline fires");
}

static void physical_timer(void)
{
    start();
    WRITE_SYSREG(cntp_tval_el0, guest_tick_rate() / 1000);
    WRITE_SYSREG(cntp_ctl_el0, CTL_ENABLE);
    wait_for(PPI_PHYSICAL);
    GUEST_CHECK_EQ(fired[PPI_PHYSICAL], 1, "the physical timer fires");
}

static void both_in_order(void)
{
    const uint64_t step = guest_tick_rate() / 200;

    start();
    WRITE_SYSREG(cntp_tval_el0, 2 * step);
    WRITE_SYSREG(cntv_tval_el0, step);
    WRITE_SYSREG(cntp_ctl_el0, CTL_ENABLE);
    WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE);
    wait_for(PPI_PHYSICAL);
    wait_for(PPI_VIRTUAL);
    GUEST_CHECK(fired[PPI_VIRTUAL] == 1 && fired[PPI_PHYSICAL] == 1, "both timers fire");
    GUEST_CHECK(fired_at[PPI_VIRTUAL] < fired_at[PPI_PHYSICAL], "the earlier one first");
}

static void masked_timer(void)
{
    start();
    WRITE_SYSREG(cntv_tval_el0, 1);
    WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE | 2);
    for (volatile int i = 0; i < 10000; i++) {
    }
    guest_irq_on();
    guest_irq_off();
    GUEST_CHECK_EQ(fired[PPI_VIRTUAL], 0, "a masked timer does not interrupt");
    GUEST_CHECK((READ_SYSREG(cntv_ctl_el0) & CTL_ISTATUS) != 0, "but its condition is met");
    WRITE_SYSREG(cntv_ctl_el0, 0);
}

static void many_ticks(void)
{
    bool all = true;

    for (int i = 0; i < 50; i++) {
        start();
        WRITE_SYSREG(cntv_tval_el0, guest_tick_rate() / 5000);
        WRITE_SYSREG(cntv_ctl_el0, CTL_ENABLE);
        wait_for(PPI_VIRTUAL);
        all = all && fired[PPI_VIRTUAL] == 1;
    }
    GUEST_CHECK(all, "fifty deadlines in a row, each fires once");
}

void test_timers(void)
{
    virtual_timer();
    relative_value();
    physical_timer();
    both_in_order();
    masked_timer();
    many_ticks();
}
