// SPDX-License-Identifier: Apache-2.0
// The timer of a guest, on harts with Sstc and without: its way through bind, entries and unbind,
// and what the host is told.
#include "riscv.h"
#include "riscv_regs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NEVER        UINT64_MAX

static AxEvents events;
static AxVCpuHal hal;
static RISCVPerCpu percpu;
static RISCVVCpu vcpu;
static uint64_t host_ns;
static uint64_t told; // by set_deadline
static unsigned told_count;

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return host_ns;
}

static void set_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx;
    told = deadline_ns;
    told_count++;
}

static int setup(void **state)
{
    (void)state;
    rv_sim_reset();
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&percpu, 0, sizeof(percpu));
    axvcpu_events_init(&events);
    hal = (AxVCpuHal){.now_ns = now_ns, .set_deadline = set_deadline};
    host_ns = 7000;
    told = 1;
    told_count = 0;
    vcpu.env = (AxArchVCpuEnv){.hal = &hal, .events = &events};
    vcpu.create.timebase_hz = 10000000;
    vcpu.sys[RISCV_VSIE] = SIP_STIP;
    rv_sim.reg[RV_REG_VSTIMECMP] = NEVER;
    rv_sim.reg[RV_REG_HENVCFG] = HENVCFG_STCE;
    riscv_interrupt_reset(&vcpu);
    riscv_timer_reset(&vcpu);
    return 0;
}

static void bind(bool sstc)
{
    percpu.features.has_sstc = sstc;
    rv_sim.reg[RV_REG_HENVCFG] = sstc ? HENVCFG_STCE : 0;
    vcpu.percpu = &percpu;
    riscv_timer_load(&vcpu);
    riscv_interrupt_load(&vcpu);
    rv_sim.reg[RV_REG_VSIE] = vcpu.sys[RISCV_VSIE];
}

static void unbind(void)
{
    vcpu.sys[RISCV_VSIE] = rv_sim.reg[RV_REG_VSIE];
    riscv_interrupt_save(&vcpu);
    riscv_timer_save(&vcpu);
    vcpu.percpu = NULL;
}

static int setup_sstc(void **state)
{
    setup(state);
    bind(true);
    return 0;
}

static int setup_software(void **state)
{
    setup(state);
    bind(false);
    return 0;
}

static void enter(void)
{
    riscv_timer_enter(&vcpu);
    riscv_interrupt_enter(&vcpu, axvcpu_events_take_summary(&events));
}

static bool is_raised(void)
{
    return (rv_sim.reg[RV_REG_HVIP] & HIP_VSTIP) != 0;
}

static void set_time(uint64_t time)
{
    rv_sim.reg[RV_REG_TIME] = time;
}

static void set(AxRegId reg, uint64_t value)
{
    assert_int_equal(riscv_timer_set_reg(&vcpu, reg, value), AX_OK);
}

static uint64_t get(AxRegId reg)
{
    uint64_t value = 0xdead;

    assert_int_equal(riscv_timer_get_reg(&vcpu, reg, &value), AX_OK);
    return value;
}

// ---- Sstc ----

static void with_sstc_the_guest_has_the_hardware(void **state)
{
    (void)state;
    set(RISCV_REG_TIMECMP, 4711);
    set(RISCV_REG_HTIMEDELTA, 1234);
    bind(true);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 4711);
    assert_int_equal(rv_sim.reg[RV_REG_HTIMEDELTA], 1234);
    rv_sim.reg[RV_REG_VSTIMECMP] = 5000; // the guest's own write
    assert_int_equal(get(RISCV_REG_TIMECMP), 5000);
    unbind();
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], NEVER);
    assert_int_equal(rv_sim.reg[RV_REG_HTIMEDELTA], 0);
    assert_int_equal(get(RISCV_REG_TIMECMP), 5000);
    assert_int_equal(told_count, 0);
}

static void the_comparison_begins_with_the_right_time(void **state)
{
    bool delta_written = false;

    (void)state;
    set(RISCV_REG_HTIMEDELTA, 1234);
    rv_sim_clear_log();
    bind(true);
    for (size_t i = 0; i < rv_sim.log_count; i++) {
        if (rv_sim.log[i].op == RV_SIM_WRITE && rv_sim.log[i].reg == RV_REG_VSTIMECMP) {
            assert_true(delta_written);
            return;
        }
        delta_written = delta_written || (rv_sim.log[i].op == RV_SIM_WRITE &&
                                          rv_sim.log[i].reg == RV_REG_HTIMEDELTA);
    }
    fail();
}

static void with_sstc_an_entry_costs_nothing(void **state)
{
    (void)state;
    enter();
    rv_sim_clear_log();
    riscv_timer_set(&vcpu, 1);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 1);
    enter();
    assert_int_equal(rv_sim.log_count, 1); // that write
    assert_false(is_raised());
    assert_int_equal(told_count, 0);
}

// ---- without Sstc ----

static void without_sstc_the_host_ends_the_stay_in_the_guest(void **state)
{
    (void)state;
    set_time(1000);
    enter();
    assert_int_equal(told_count, 0);
    riscv_timer_set(&vcpu, 1000 + 50);
    enter();
    assert_int_equal(told_count, 1);
    assert_int_equal(told, host_ns + 5000);
    assert_false(is_raised());
    for (unsigned n = 0; n < 5; n++) { // only what changed is told
        set_time(1001 + n);
        host_ns += 100;
        enter();
    }
    assert_int_equal(told_count, 1);
    assert_int_equal(rv_sim.writes[RV_REG_VSTIMECMP], 0);
}

static void without_sstc_the_interrupt_comes_with_the_deadline(void **state)
{
    (void)state;
    riscv_timer_set(&vcpu, 2000);
    set_time(1999);
    enter();
    assert_false(is_raised());
    set_time(2000);
    enter();
    assert_true(is_raised());
    assert_int_equal(told, AX_DEADLINE_NONE);
    assert_int_equal(told_count, 2);
    enter();
    assert_true(is_raised());
    assert_int_equal(told_count, 2);
    riscv_timer_set(&vcpu, 3000); // clears it
    enter();
    assert_false(is_raised());
    assert_int_equal(told_count, 3);
    assert_int_equal(told, host_ns + 100000);
    riscv_timer_set(&vcpu, NEVER);
    enter();
    assert_false(is_raised());
    assert_int_equal(told_count, 4);
    assert_int_equal(told, AX_DEADLINE_NONE);
}

static void a_deadline_that_is_past_already_is_not_told(void **state)
{
    (void)state;
    set_time(5000);
    riscv_timer_set(&vcpu, 4999);
    enter();
    assert_true(is_raised());
    assert_int_equal(told_count, 0);
    riscv_timer_set(&vcpu, 1); // another one of the past
    enter();
    assert_true(is_raised());
}

static void the_enable_bit_stops_a_timer_in_software(void **state)
{
    (void)state;
    assert_int_equal(axvcpu_events_enable_irq(&events, RISCV_IRQ_TIMER, false), AX_OK);
    riscv_timer_set(&vcpu, 1);
    enter();
    assert_false(is_raised());
    assert_int_equal(axvcpu_events_enable_irq(&events, RISCV_IRQ_TIMER, true), AX_OK);
    enter();
    assert_true(is_raised());
}

static void the_host_hears_of_no_timer_of_a_vcpu_that_left(void **state)
{
    (void)state;
    set_time(1000);
    riscv_timer_set(&vcpu, 2000);
    enter();
    unbind();
    assert_int_equal(told_count, 2);
    assert_int_equal(told, AX_DEADLINE_NONE);
    assert_int_equal(get(RISCV_REG_TIMECMP), 2000);
    bind(false);
    enter();
    assert_int_equal(told_count, 3);
    assert_int_equal(told, host_ns + 100000);
    riscv_timer_set(&vcpu, NEVER);
    enter();
    told_count = 0;
    unbind(); // nothing is announced: nothing to take back
    assert_int_equal(told_count, 0);
}

static void a_vcpu_may_move_between_harts_with_and_without_sstc(void **state)
{
    (void)state;
    set_time(2000);
    riscv_timer_set(&vcpu, 1500);
    enter();
    assert_true(is_raised());
    unbind();
    bind(true);
    enter();
    assert_false(is_raised()); // vstimecmp does it
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 1500);
    rv_sim.reg[RV_REG_VSTIMECMP] = 1600;
    unbind();
    bind(false);
    enter();
    assert_true(is_raised());
    assert_int_equal(get(RISCV_REG_TIMECMP), 1600);
}

// ---- when it is due ----

static const struct {
    uint64_t deadline;
    uint64_t time;
    uint64_t delta;
    bool due;
} cases[] = {
    {100, 99, 0, false},
    {100, 100, 0, true},
    {100, 101, 0, true},
    {0, 0, 0, true},
    {NEVER, 0, 0, false},
    {NEVER, NEVER - 1, 0, false},
    {1100, 99, 1000, false},
    {1100, 100, 1000, true},
    {5, 1004, UINT64_C(0) - 1000, false}, // the guest's time began later
    {5, 1005, UINT64_C(0) - 1000, true},
    {NEVER - 1, 998, UINT64_C(0) - 1000, true}, // its time is negative, which is late
};

static void the_timer_is_due_from_the_deadline_on(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int bound = 0; bound < 3; bound++) { // not, with and without Sstc
            setup(state);
            set(RISCV_REG_TIMECMP, cases[i].deadline);
            set(RISCV_REG_HTIMEDELTA, cases[i].delta);
            set_time(cases[i].time);
            if (bound != 0) {
                bind(bound == 1);
                vcpu.sys[RISCV_VSIE] = 0; // the hardware counts
            }
            assert_int_equal(riscv_timer_asserted(&vcpu), cases[i].due);
            assert_int_equal(riscv_timer_wakeup_pending(&vcpu), cases[i].due);
        }
    }
}

static void a_timer_that_the_guest_does_not_want_wakes_nobody(void **state)
{
    for (int bound = 0; bound < 3; bound++) {
        setup(state);
        set(RISCV_REG_TIMECMP, 1);
        vcpu.sys[RISCV_VSIE] = SIP_SSIP | SIP_SEIP;
        if (bound != 0) {
            bind(bound == 1);
            vcpu.sys[RISCV_VSIE] = SIP_STIP;
        }
        assert_true(riscv_timer_asserted(&vcpu));
        assert_false(riscv_timer_wakeup_pending(&vcpu));
        assert_int_equal(riscv_next_deadline(&vcpu), AX_DEADLINE_NONE);
    }
}

typedef struct Deadline {
    uint64_t hz;
    uint64_t ticks; // from now
    uint64_t now;
    uint64_t result;
} Deadline;

static const Deadline deadlines[] = {
    {10000000, 0, 5, 5},
    {10000000, 1, 0, 100},
    {10000000, 10000000, 77, 1000000077},
    {62500000, 1, 0, 16},
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
    {10000000, UINT64_C(1) << 62, 0, AX_DEADLINE_NONE},
    {10000000, 10, UINT64_MAX - 999, AX_DEADLINE_NONE},
    {UINT64_C(18446744073), 18446744072, 0, 1000000000},
    {UINT64_C(1) << 40, UINT64_C(5) << 39, 3, 2000000003}, // early, never late
    {UINT64_MAX, UINT64_C(1) << 62, 3, 3},
};

static void deadlines_are_in_host_time_and_never_overflow(void **state)
{
    for (size_t i = 0; i < COUNT(deadlines); i++) {
        for (int bound = 0; bound < 3; bound++) {
            setup(state);
            host_ns = deadlines[i].now;
            vcpu.create.timebase_hz = deadlines[i].hz;
            set_time(1000);
            set(RISCV_REG_TIMECMP, 1300 + deadlines[i].ticks);
            set(RISCV_REG_HTIMEDELTA, 300);
            if (bound != 0) {
                bind(bound == 1);
            }
            assert_int_equal(riscv_next_deadline(&vcpu), deadlines[i].result);
            if (bound == 2 && deadlines[i].ticks != 0) {
                enter();
                assert_int_equal(told, deadlines[i].result);
            }
        }
    }
}

static void a_deadline_of_the_past_is_now(void **state)
{
    (void)state;
    set_time(1000);
    set(RISCV_REG_TIMECMP, 3);
    assert_int_equal(riscv_next_deadline(&vcpu), host_ns);
}

static void a_timer_that_is_off_has_no_deadline(void **state)
{
    (void)state;
    vcpu.create.timebase_hz = UINT64_MAX;            // so that the ticks would fit
    assert_int_equal(get(RISCV_REG_TIMECMP), NEVER); // after a reset
    assert_int_equal(riscv_next_deadline(&vcpu), AX_DEADLINE_NONE);
    assert_false(riscv_timer_wakeup_pending(&vcpu));
}

// ---- register ids ----

static void registers_of_a_bound_vcpu_reach_the_hardware(void **state)
{
    (void)state;
    set(RISCV_REG_TIMECMP, 4711);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 4711);
    rv_sim.reg[RV_REG_VSTIMECMP] = 5000; // by the guest
    set(RISCV_REG_HTIMEDELTA, 99);
    assert_int_equal(rv_sim.reg[RV_REG_HTIMEDELTA], 99);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 5000);
    assert_int_equal(get(RISCV_REG_HTIMEDELTA), 99);
    assert_int_equal(get(RISCV_REG_TIMECMP), 5000);
}

// The same guest time is another host time then.
static void a_changed_offset_is_told_to_the_host(void **state)
{
    (void)state;
    set_time(1000);
    riscv_timer_set(&vcpu, 2000);
    enter();
    assert_int_equal(told, host_ns + 100000);
    set(RISCV_REG_HTIMEDELTA, 400);
    enter();
    assert_int_equal(told, host_ns + 60000);
    set(RISCV_REG_HTIMEDELTA, 1000);
    enter();
    assert_int_equal(told, AX_DEADLINE_NONE);
    assert_true(is_raised());
}

static void bad_registers_are_refused(void **state)
{
    uint64_t value = 3;

    (void)state;
    assert_int_equal(riscv_timer_set_reg(&vcpu, RISCV_REG_HVIP, 0), AX_ENOENT);
    assert_int_equal(riscv_timer_get_reg(&vcpu, RISCV_REG_HVIP, &value), AX_ENOENT);
    assert_int_equal(riscv_timer_get_reg(&vcpu, AX_REG_PC, &value), AX_ENOENT);
    assert_int_equal(value, 3);
}

#define TEST(name)          cmocka_unit_test_setup(name, setup)
#define SSTC_TEST(name)     cmocka_unit_test_setup(name, setup_sstc)
#define SOFTWARE_TEST(name) cmocka_unit_test_setup(name, setup_software)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_sstc_the_guest_has_the_hardware),
        TEST(the_comparison_begins_with_the_right_time),
        SSTC_TEST(with_sstc_an_entry_costs_nothing),
        SOFTWARE_TEST(without_sstc_the_host_ends_the_stay_in_the_guest),
        SOFTWARE_TEST(without_sstc_the_interrupt_comes_with_the_deadline),
        SOFTWARE_TEST(a_deadline_that_is_past_already_is_not_told),
        SOFTWARE_TEST(the_enable_bit_stops_a_timer_in_software),
        SOFTWARE_TEST(the_host_hears_of_no_timer_of_a_vcpu_that_left),
        SOFTWARE_TEST(a_vcpu_may_move_between_harts_with_and_without_sstc),
        TEST(the_timer_is_due_from_the_deadline_on),
        TEST(a_timer_that_the_guest_does_not_want_wakes_nobody),
        TEST(deadlines_are_in_host_time_and_never_overflow),
        TEST(a_deadline_of_the_past_is_now),
        TEST(a_timer_that_is_off_has_no_deadline),
        SSTC_TEST(registers_of_a_bound_vcpu_reach_the_hardware),
        SOFTWARE_TEST(a_changed_offset_is_told_to_the_host),
        TEST(bad_registers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
