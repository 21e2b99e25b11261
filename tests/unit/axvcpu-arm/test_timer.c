// SPDX-License-Identifier: Apache-2.0
// The two EL1 timers of a guest: their way through bind, run and unbind, and what the host is told.
#include "arm.h"
#include "arm_regs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENABLE  CNT_CTL_ENABLE
#define IMASK   CNT_CTL_IMASK
#define ISTATUS CNT_CTL_ISTATUS

static AxEvents events;
static AxVCpuHal hal;
static Aarch64PerCpu percpu;
static Aarch64VCpu vcpu;
static uint64_t host_ns;

typedef struct TimerRegs {
    uint32_t intid;
    ArmReg ctl;
    ArmReg cval;
    AxRegId ctl_id;
    AxRegId cval_id;
} TimerRegs;

static const TimerRegs timers[] = {
    {AARCH64_PPI_VTIMER, ARM_REG_CNTV_CTL_EL0, ARM_REG_CNTV_CVAL_EL0, AARCH64_REG_CNTV_CTL,
     AARCH64_REG_CNTV_CVAL},
    {AARCH64_PPI_PTIMER, ARM_REG_CNTP_CTL_EL0, ARM_REG_CNTP_CVAL_EL0, AARCH64_REG_CNTP_CTL,
     AARCH64_REG_CNTP_CVAL},
};

#define FOR_EACH_TIMER(t) for (const TimerRegs *t = timers; t < timers + 2; t++)

static void irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx;
    (void)vector;
    (void)active;
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return host_ns;
}

static int setup(void **state)
{
    (void)state;
    arm_sim_reset();
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&percpu, 0, sizeof(percpu));
    axvcpu_events_init(&events);
    hal.irq_set_active = irq_set_active;
    hal.now_ns = now_ns;
    host_ns = 7000;
    percpu.features.lr_count = 4;
    vcpu.env = (AxArchVCpuEnv){.hal = &hal, .events = &events};
    aarch64_gic_reset(&vcpu);
    aarch64_timer_reset(&vcpu);
    return 0;
}

static void bind(void)
{
    vcpu.percpu = &percpu;
    aarch64_timer_load(&vcpu);
    aarch64_gic_load(&vcpu);
}

static void unbind(void)
{
    aarch64_gic_save(&vcpu);
    aarch64_timer_save(&vcpu);
    vcpu.percpu = NULL;
}

static void set(AxRegId reg, uint64_t value)
{
    assert_int_equal(aarch64_timer_set_reg(&vcpu, reg, value), AX_OK);
}

static uint64_t get(AxRegId reg)
{
    uint64_t value = 0xdead;

    assert_int_equal(aarch64_timer_get_reg(&vcpu, reg, &value), AX_OK);
    return value;
}

static void set_counter(uint64_t count)
{
    arm_sim.reg[ARM_REG_CNTPCT_EL0] = count;
}

static void timers_are_silent_until_the_guest_runs(void **state)
{
    (void)state;
    FOR_EACH_TIMER(t)
    {
        set(t->ctl_id, ENABLE);
        set(t->cval_id, 55 + t->intid);
    }
    bind();
    FOR_EACH_TIMER(t)
    {
        assert_int_equal(arm_sim.reg[t->ctl], ENABLE | IMASK);
        assert_int_equal(arm_sim.reg[t->cval], 55 + t->intid);
    }
    aarch64_timer_unmute(&vcpu);
    FOR_EACH_TIMER(t)
    {
        assert_int_equal(arm_sim.reg[t->ctl], ENABLE);
    }
}

static void the_guest_reaches_both_timers_without_traps(void **state)
{
    (void)state;
    set(AARCH64_REG_CNTVOFF, 1234);
    bind();
    assert_int_equal(arm_sim.reg[ARM_REG_CNTHCTL_EL2], 3);
    assert_int_equal(arm_sim.reg[ARM_REG_CNTVOFF_EL2], 1234);
}

static const uint64_t guest_controls[] = {0, ENABLE, IMASK, ENABLE | IMASK};

static void what_the_guest_wrote_survives_a_move(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bind();
        aarch64_timer_unmute(&vcpu);
        FOR_EACH_TIMER(t)
        {
            arm_sim.reg[t->ctl] = guest_controls[i] | ISTATUS;
            arm_sim.reg[t->cval] = 900 * i + t->intid;
        }
        aarch64_timer_mute(&vcpu);
        FOR_EACH_TIMER(t)
        {
            assert_int_not_equal(arm_sim.reg[t->ctl] & (ENABLE | IMASK), ENABLE);
            assert_int_equal(get(t->ctl_id), guest_controls[i]);
        }
        unbind();
        FOR_EACH_TIMER(t)
        {
            assert_int_equal(arm_sim.reg[t->ctl], 0);
            arm_sim.reg[t->cval] = 1; // another vCPU
            assert_int_equal(get(t->ctl_id), guest_controls[i]);
        }
        bind();
        aarch64_timer_unmute(&vcpu);
        FOR_EACH_TIMER(t)
        {
            assert_int_equal(arm_sim.reg[t->cval], 900 * i + t->intid);
            assert_int_equal(arm_sim.reg[t->ctl] & ENABLE, guest_controls[i] & ENABLE);
        }
        aarch64_timer_mute(&vcpu);
        unbind();
    }
}

static void only_the_timers_interrupts_are_taken(void **state)
{
    (void)state;
    bind();
    assert_false(aarch64_timer_interrupt(&vcpu, 26));
    assert_false(aarch64_timer_interrupt(&vcpu, 25));
    assert_false(aarch64_timer_interrupt(&vcpu, 27 + (UINT64_C(1) << 32)));
    assert_false(aarch64_timer_interrupt(&vcpu, AX_IRQ_NONE));
    assert_int_equal(vcpu.gic.linked, 0);
    FOR_EACH_TIMER(t)
    {
        assert_true(aarch64_timer_interrupt(&vcpu, t->intid));
        assert_true((vcpu.gic.linked >> t->intid) & 1);
        assert_true(axvcpu_events_level(&events, t->intid));
    }
}

typedef struct Case {
    uint64_t ctl;
    uint64_t cval;
    uint64_t count;
    uint64_t offset; // virtual timer only
    bool asserted;
} Case;

static const Case cases[] = {
    {ENABLE, 100, 99, 0, false},
    {ENABLE, 100, 100, 0, true},
    {ENABLE, 100, 101, 0, true},
    {ENABLE, 0, 0, 0, true},
    {0, 100, 101, 0, false},
    {ENABLE | IMASK, 100, 101, 0, false},
    {IMASK, 100, 101, 0, false},
    {ENABLE, UINT64_MAX, UINT64_MAX - 1, 0, false},
    {ENABLE, UINT64_MAX, UINT64_MAX, 0, true},
    {ENABLE, 100, 1099, 1000, false},
    {ENABLE, 100, 1100, 1000, true},
    {ENABLE, UINT64_MAX, 999, 1000, true}, // CNTVCT wrapped below 0
    {ENABLE, 100, 999, 1000, true},
};

static void the_output_is_high_from_the_compare_value_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FOR_EACH_TIMER(t)
        {
            const bool is_virtual = t->intid == AARCH64_PPI_VTIMER;

            setup(NULL);
            set(AARCH64_REG_CNTVOFF, cases[i].offset);
            set(t->ctl_id, cases[i].ctl);
            set(t->cval_id, cases[i].cval);
            set_counter(is_virtual ? cases[i].count : cases[i].count - cases[i].offset);
            assert_int_equal(aarch64_timer_asserted(&vcpu, t->intid), cases[i].asserted);
            assert_int_equal(aarch64_timer_wakeup_pending(&vcpu), cases[i].asserted);
            bind();
            aarch64_timer_unmute(&vcpu);
            assert_int_equal(aarch64_timer_asserted(&vcpu, t->intid), cases[i].asserted);
        }
    }
}

static void a_disabled_or_handled_interrupt_wakes_nobody(void **state)
{
    (void)state;
    FOR_EACH_TIMER(t)
    {
        setup(NULL);
        set(t->ctl_id, ENABLE);
        assert_true(aarch64_timer_wakeup_pending(&vcpu));
        assert_int_equal(aarch64_next_deadline(&vcpu), host_ns);
        assert_int_equal(axvcpu_events_enable_irq(&events, t->intid, false), AX_OK);
        assert_false(aarch64_timer_wakeup_pending(&vcpu));
        assert_int_equal(aarch64_next_deadline(&vcpu), AX_DEADLINE_NONE);
        assert_int_equal(axvcpu_events_enable_irq(&events, t->intid, true), AX_OK);
        bind();
        assert_int_equal(axvcpu_events_request(&events, t->intid, AX_IRQ_SET_ACTIVE), AX_OK);
        aarch64_gic_enter(&vcpu, axvcpu_events_take_summary(&events));
        aarch64_gic_exit(&vcpu);
        assert_false(aarch64_timer_wakeup_pending(&vcpu));
        assert_int_equal(aarch64_next_deadline(&vcpu), AX_DEADLINE_NONE);
    }
}

typedef struct Deadline {
    uint64_t hz;
    uint64_t ticks; // from now
    uint64_t now;
    uint64_t result;
} Deadline;

static const Deadline deadlines[] = {
    {62500000, 0, 5, 5},
    {62500000, 1, 0, 16},
    {62500000, 62500000, 0, 1000000000},
    {62500000, 62500000, 77, 1000000077},
    {1000000000, 12345, 5, 12350},
    {24000000, 1, 0, 42}, // 41.67, rounded up
    {24000000, 2, 0, 84},
    {24000000, 3, 0, 125},
    {1, 3, 1, 3000000001},
    {UINT32_MAX, UINT32_MAX, 0, 1000000000},
    {UINT32_MAX, UINT64_C(0xfffffffe), 0, 1000000000},
    {1, UINT64_C(18446744073), 0, UINT64_C(18446744073000000000)},
    {1, UINT64_C(18446744074), 0, AX_DEADLINE_NONE},
    {1, UINT64_C(18446744073), UINT64_C(1000000000), AX_DEADLINE_NONE},
    {62500000, (UINT64_C(1) << 60) - 1, 0, UINT64_MAX - 15},
    {62500000, UINT64_C(1) << 60, 0, AX_DEADLINE_NONE},
    {0, 100, 9, 9}, // no frequency: due at once
};

static void deadlines_are_in_host_time_and_never_overflow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        FOR_EACH_TIMER(t)
        {
            setup(NULL);
            host_ns = deadlines[i].now;
            arm_sim.reg[ARM_REG_CNTFRQ_EL0] = deadlines[i].hz;
            set_counter(1000);
            set(t->ctl_id, ENABLE);
            set(t->cval_id, 1000 + deadlines[i].ticks);
            assert_int_equal(aarch64_next_deadline(&vcpu), deadlines[i].result);
        }
    }
}

static void the_earlier_timer_is_the_deadline(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_CNTFRQ_EL0] = 1000000000;
    host_ns = 100;
    assert_int_equal(aarch64_next_deadline(&vcpu), AX_DEADLINE_NONE);
    FOR_EACH_TIMER(t)
    {
        set(t->ctl_id, ENABLE);
        set(t->cval_id, t->intid == AARCH64_PPI_VTIMER ? 50 : 40);
    }
    assert_int_equal(aarch64_next_deadline(&vcpu), 140);
    set(AARCH64_REG_CNTP_CTL, ENABLE | IMASK);
    assert_int_equal(aarch64_next_deadline(&vcpu), 150);
    set(AARCH64_REG_CNTVOFF, UINT64_C(0) - 20); // CNTVCT is ahead by 20
    assert_int_equal(aarch64_next_deadline(&vcpu), 130);
}

static void registers_of_a_bound_vcpu_reach_the_hardware(void **state)
{
    (void)state;
    bind();
    FOR_EACH_TIMER(t)
    {
        set(t->cval_id, 4711);
        set(t->ctl_id, ENABLE);
        assert_int_equal(arm_sim.reg[t->cval], 4711);
        assert_int_equal(arm_sim.reg[t->ctl], ENABLE | IMASK);
        assert_int_equal(get(t->ctl_id), ENABLE);
        assert_int_equal(get(t->cval_id), 4711);
    }
}

static void bad_registers_and_values_are_refused(void **state)
{
    uint64_t value = 3;

    (void)state;
    assert_int_equal(aarch64_timer_set_reg(&vcpu, AARCH64_REG_CNTV_CTL, ISTATUS), AX_EINVAL);
    assert_int_equal(aarch64_timer_set_reg(&vcpu, AARCH64_REG_CNTP_CTL, 8), AX_EINVAL);
    assert_int_equal(aarch64_timer_set_reg(&vcpu, AARCH64_REG_MDSCR, 0), AX_ENOENT);
    assert_int_equal(aarch64_timer_get_reg(&vcpu, AX_REG_PC, &value), AX_ENOENT);
    assert_int_equal(value, 3);
    assert_int_equal(get(AARCH64_REG_CNTV_CTL), 0);
    assert_int_equal(get(AARCH64_REG_CNTP_CTL), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_are_silent_until_the_guest_runs),
        TEST(the_guest_reaches_both_timers_without_traps),
        TEST(what_the_guest_wrote_survives_a_move),
        TEST(only_the_timers_interrupts_are_taken),
        TEST(the_output_is_high_from_the_compare_value_on),
        TEST(a_disabled_or_handled_interrupt_wakes_nobody),
        TEST(deadlines_are_in_host_time_and_never_overflow),
        TEST(the_earlier_timer_is_the_deadline),
        TEST(registers_of_a_bound_vcpu_reach_the_hardware),
        TEST(bad_registers_and_values_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
