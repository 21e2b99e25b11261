// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

#define ONE_SHOT UINT32_C(0x00050)
#define PERIODIC UINT32_C(0x20050)
#define DEADLINE UINT32_C(0x40050)

static X86Fixture f;

static void write(uint32_t offset, uint64_t value)
{
    X86Next next = X86_RESUME;

    assert_true(x86_lapic_write(&f.vcpu, offset, value, &f.exit, &next));
    assert_int_equal(next, X86_RESUME);
}

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    write(0xf0, 0x1ff);
    write(LAPIC_TIMER_DIVIDE, 0xb);
    f.vcpu.regs.rflags |= RFLAGS_IF;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static bool fires_at(uint64_t time)
{
    f.now = time;
    (void)fixture_run_halt(&f);
    write(0xb0, 0);
    return scripted.event_seen == (EVENT_VALID | 0x50);
}

static void one_shot_fires_once(void **state)
{
    (void)state;
    write(LAPIC_LVT_TIMER, ONE_SHOT);
    write(LAPIC_TIMER_INITIAL, 500);
    assert_int_equal(x86_next_deadline(&f.vcpu), 1500);
    assert_false(fires_at(1499));
    assert_int_equal(f.deadline, 1500);
    assert_int_equal(x86_timer_read(&f.vcpu, LAPIC_TIMER_CURRENT), 1);
    assert_true(fires_at(1500));
    assert_int_equal(f.deadline, AX_DEADLINE_NONE);
    assert_false(fires_at(9000));
    assert_int_equal(x86_timer_read(&f.vcpu, LAPIC_TIMER_CURRENT), 0);
}

static void the_divider_slows_the_count(void **state)
{
    static const struct {
        uint32_t divide;
        unsigned by;
    } cases[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};

    (void)state;
    write(LAPIC_LVT_TIMER, ONE_SHOT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        write(LAPIC_TIMER_DIVIDE, cases[i].divide);
        write(LAPIC_TIMER_INITIAL, 100);
        assert_int_equal(x86_next_deadline(&f.vcpu), f.now + 100 * cases[i].by);
    }
}

static void periodic_keeps_its_rhythm(void **state)
{
    (void)state;
    write(LAPIC_LVT_TIMER, PERIODIC);
    write(LAPIC_TIMER_INITIAL, 100);
    assert_true(fires_at(1100));
    assert_false(fires_at(1199));
    assert_true(fires_at(1200));
    assert_true(fires_at(1555)); // late: one interrupt for three periods
    assert_false(fires_at(1599));
    assert_true(fires_at(1600));
    write(LAPIC_TIMER_INITIAL, 0);
    assert_false(fires_at(5000));
}

static void tsc_deadline_is_in_the_guests_ticks(void **state)
{
    (void)state;
    x86_sim.reg[X86_SIM_TSC] = 10000;
    x86_set_tsc_offset(&f.vcpu, UINT64_C(0) - 9000); // the guest's is 1000
    write(LAPIC_LVT_TIMER, DEADLINE);
    x86_timer_set_tsc_deadline(&f.vcpu, 1000 + 400);
    assert_int_equal(x86_next_deadline(&f.vcpu), 1000 + 200); // 2 GHz
    assert_int_equal(x86_timer_tsc_deadline(&f.vcpu), 1400);
    assert_true(fires_at(1200));
    assert_int_equal(x86_timer_tsc_deadline(&f.vcpu), 0);
    x86_timer_set_tsc_deadline(&f.vcpu, 1); // past
    assert_true(fires_at(1201));
    x86_timer_set_tsc_deadline(&f.vcpu, UINT64_MAX);
    assert_false(fires_at(UINT64_C(1) << 40));
    x86_timer_set_tsc_deadline(&f.vcpu, 0);
    assert_int_equal(x86_next_deadline(&f.vcpu), AX_DEADLINE_NONE);
}

static void a_change_of_mode_stops_the_timer(void **state)
{
    (void)state;
    write(LAPIC_LVT_TIMER, ONE_SHOT);
    write(LAPIC_TIMER_INITIAL, 500);
    write(LAPIC_LVT_TIMER, DEADLINE);
    assert_int_equal(x86_next_deadline(&f.vcpu), AX_DEADLINE_NONE);
    write(LAPIC_TIMER_INITIAL, 500); // ignored
    assert_int_equal(x86_next_deadline(&f.vcpu), AX_DEADLINE_NONE);
}

static void a_masked_timer_expires_in_silence(void **state)
{
    (void)state;
    write(LAPIC_LVT_TIMER, ONE_SHOT | LVT_MASKED);
    write(LAPIC_TIMER_INITIAL, 500);
    assert_int_equal(x86_next_deadline(&f.vcpu), AX_DEADLINE_NONE);
    assert_false(x86_timer_due(&f.vcpu));
    assert_false(fires_at(2000));
}

static void unbind_withdraws_the_deadline(void **state)
{
    (void)state;
    write(LAPIC_LVT_TIMER, ONE_SHOT);
    write(LAPIC_TIMER_INITIAL, 500);
    (void)fixture_run_halt(&f);
    assert_int_equal(f.deadline, 1500);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(f.deadline, AX_DEADLINE_NONE);
    assert_int_equal(x86_next_deadline(&f.vcpu), 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(one_shot_fires_once),
        ON_BOTH(the_divider_slows_the_count),
        ON_BOTH(periodic_keeps_its_rhythm),
        ON_BOTH(tsc_deadline_is_in_the_guests_ticks),
        ON_BOTH(a_change_of_mode_stops_the_timer),
        ON_BOTH(a_masked_timer_expires_in_silence),
        ON_BOTH(unbind_withdraws_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
