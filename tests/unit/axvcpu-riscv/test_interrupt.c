// SPDX-License-Identifier: Apache-2.0
// Interrupts of a guest: from AxEvents into hvip, what the guest does to them, and who is told.
#include "riscv.h"
#include "riscv_regs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static AxEvents events;
static RISCVPerCpu percpu;
static RISCVVCpu vcpu;

typedef struct Irq {
    uint32_t number;
    uint64_t hip; // its bit in hvip and hip
    uint64_t sie; // its bit in the guest's sie
} Irq;

static const Irq irqs[] = {
    {RISCV_IRQ_SOFTWARE, HIP_VSSIP, SIP_SSIP},
    {RISCV_IRQ_TIMER, HIP_VSTIP, SIP_STIP},
    {RISCV_IRQ_EXTERNAL, HIP_VSEIP, SIP_SEIP},
};

#define FOR_EACH_IRQ(i)   for (const Irq *i = irqs; i < irqs + COUNT(irqs); i++)
#define FOR_EACH_LEVEL(i) for (const Irq *i = irqs + 1; i < irqs + COUNT(irqs); i++)

static int setup(void **state)
{
    (void)state;
    rv_sim_reset();
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&percpu, 0, sizeof(percpu));
    axvcpu_events_init(&events);
    vcpu.env = (AxArchVCpuEnv){.events = &events};
    rv_sim.reg[RV_REG_VSTIMECMP] = UINT64_MAX;
    rv_sim.reg[RV_REG_HENVCFG] = HENVCFG_STCE;
    rv_sim.reg[RV_REG_HIDELEG] = HIP_VS;
    riscv_interrupt_reset(&vcpu);
    riscv_timer_reset(&vcpu);
    return 0;
}

static void bind(void)
{
    vcpu.percpu = &percpu;
    riscv_interrupt_load(&vcpu);
}

static void unbind(void)
{
    riscv_interrupt_save(&vcpu);
    vcpu.percpu = NULL;
}

static int setup_bound(void **state)
{
    setup(state);
    bind();
    return 0;
}

// As before an entry; what hvip is then.
static uint64_t enter(void)
{
    riscv_interrupt_enter(&vcpu, axvcpu_events_take_summary(&events));
    return rv_sim.reg[RV_REG_HVIP];
}

static void post(uint32_t irq)
{
    assert_int_equal(axvcpu_events_post_irq(&events, irq), AX_OK);
}

static void drive(uint32_t irq, bool high)
{
    assert_int_equal(axvcpu_events_set_level(&events, irq, high), AX_OK);
}

static void enable(uint32_t irq, bool on)
{
    assert_int_equal(axvcpu_events_enable_irq(&events, irq, on), AX_OK);
}

static void request(uint32_t irq, AxIrqRequest what)
{
    assert_int_equal(axvcpu_events_request(&events, irq, what), AX_OK);
}

static bool is_pending(uint32_t irq)
{
    return riscv_interrupt_state(&vcpu, irq).pending;
}

static bool is_latched(uint32_t irq)
{
    return axvcpu_irq_bit(events.pending, irq);
}

// ---- into the guest ----

static void an_edge_reaches_its_bit(void **state)
{
    FOR_EACH_IRQ(i)
    {
        setup_bound(state);
        post(i->number);
        assert_int_equal(enter(), i->hip);
    }
}

static void an_edge_of_the_software_interrupt_is_delivered_once(void **state)
{
    (void)state;
    post(RISCV_IRQ_SOFTWARE);
    assert_int_equal(enter(), HIP_VSSIP);
    assert_false(is_latched(RISCV_IRQ_SOFTWARE));
    assert_false(axvcpu_events_any(&events));
    rv_sim.reg[RV_REG_HVIP] = 0; // the guest clears sip.SSIP
    drive(RISCV_IRQ_EXTERNAL, true);
    assert_int_equal(enter(), HIP_VSEIP);
    post(RISCV_IRQ_SOFTWARE);
    assert_int_equal(enter(), HIP_VSEIP | HIP_VSSIP);
}

static void the_guest_may_raise_its_own_software_interrupt(void **state)
{
    (void)state;
    (void)enter();
    rv_sim.reg[RV_REG_HVIP] = HIP_VSSIP;
    drive(RISCV_IRQ_EXTERNAL, true);
    assert_int_equal(enter(), HIP_VSEIP | HIP_VSSIP);
    riscv_interrupt_exit(&vcpu);
    assert_true(is_pending(RISCV_IRQ_SOFTWARE));
}

static void a_level_follows_its_line(void **state)
{
    FOR_EACH_LEVEL(i)
    {
        setup_bound(state);
        for (unsigned n = 0; n < 3; n++) {
            drive(i->number, true);
            assert_int_equal(enter(), i->hip);
            assert_int_equal(enter(), i->hip);
            drive(i->number, false);
            assert_int_equal(enter(), 0);
        }
    }
}

static void an_edge_that_no_guest_can_clear_stays_until_it_is_withdrawn(void **state)
{
    FOR_EACH_LEVEL(i)
    {
        setup_bound(state);
        post(i->number);
        assert_int_equal(enter(), i->hip);
        drive(i->number, true);
        drive(i->number, false);
        assert_int_equal(enter(), i->hip);
        request(i->number, AX_IRQ_CLEAR_PENDING);
        assert_int_equal(enter(), 0);
        assert_false(is_latched(i->number));
    }
}

static void all_three_are_independent(void **state)
{
    for (uint64_t set = 0; set < 8; set++) {
        uint64_t expected = 0;

        setup_bound(state);
        for (size_t n = 0; n < COUNT(irqs); n++) {
            if ((set >> n & 1) != 0) {
                post(irqs[n].number);
                expected |= irqs[n].hip;
            }
        }
        assert_int_equal(enter(), expected);
    }
}

static void an_interrupt_that_is_switched_off_waits_in_the_events(void **state)
{
    FOR_EACH_IRQ(i)
    {
        setup_bound(state);
        enable(i->number, false);
        post(i->number);
        assert_int_equal(enter(), 0);
        assert_true(is_latched(i->number));
        enable(i->number, true);
        assert_int_equal(enter(), i->hip);
    }
    FOR_EACH_IRQ(i) // and goes back there
    {
        setup_bound(state);
        post(i->number);
        assert_int_equal(enter(), i->hip);
        enable(i->number, false);
        assert_int_equal(enter(), 0);
        assert_true(is_latched(i->number));
        enable(i->number, true);
        assert_int_equal(enter(), i->hip);
    }
}

static void an_interrupt_that_is_handled_does_not_come_back_with_the_enable_bit(void **state)
{
    (void)state;
    post(RISCV_IRQ_SOFTWARE);
    (void)enter();
    rv_sim.reg[RV_REG_HVIP] = 0;
    enable(RISCV_IRQ_SOFTWARE, false);
    assert_int_equal(enter(), 0);
    assert_false(is_latched(RISCV_IRQ_SOFTWARE));
}

static void interrupts_that_no_guest_has_change_nothing(void **state)
{
    (void)state;
    for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
        if (irq != 1 && irq != 5 && irq != 9) {
            post(irq);
            drive(irq, true);
            request(irq, AX_IRQ_CLEAR_PENDING);
            request(irq, AX_IRQ_SET_ACTIVE);
        }
    }
    assert_int_equal(enter(), 0);
}

static void an_entry_without_news_costs_no_access(void **state)
{
    (void)state;
    drive(RISCV_IRQ_EXTERNAL, true);
    (void)enter();
    rv_sim_clear_log();
    assert_int_equal(enter(), HIP_VSEIP);
    assert_int_equal(rv_sim.log_count, 0);
    drive(RISCV_IRQ_EXTERNAL, false);
    drive(RISCV_IRQ_EXTERNAL, true);
    (void)enter(); // news, but nothing new to write
    assert_int_equal(rv_sim.writes[RV_REG_HVIP], 0);
}

// ---- requests ----

static void a_pending_software_interrupt_can_be_withdrawn(void **state)
{
    (void)state;
    post(RISCV_IRQ_SOFTWARE);
    request(RISCV_IRQ_SOFTWARE, AX_IRQ_CLEAR_PENDING);
    assert_int_equal(enter(), 0);
    post(RISCV_IRQ_SOFTWARE);
    assert_int_equal(enter(), HIP_VSSIP);
    request(RISCV_IRQ_SOFTWARE, AX_IRQ_CLEAR_PENDING);
    assert_int_equal(enter(), 0);
    request(RISCV_IRQ_SOFTWARE, AX_IRQ_CLEAR_PENDING);
    post(RISCV_IRQ_SOFTWARE); // came after the request: stays
    assert_int_equal(enter(), HIP_VSSIP);
}

static void a_request_leaves_the_other_interrupts_alone(void **state)
{
    (void)state;
    FOR_EACH_IRQ(i)
    {
        post(i->number);
    }
    assert_int_equal(enter(), HIP_VS);
    request(RISCV_IRQ_SOFTWARE, AX_IRQ_CLEAR_PENDING);
    assert_int_equal(enter(), HIP_VSTIP | HIP_VSEIP);
    post(RISCV_IRQ_SOFTWARE);
    request(RISCV_IRQ_EXTERNAL, AX_IRQ_CLEAR_PENDING);
    assert_int_equal(enter(), HIP_VSSIP | HIP_VSTIP);
}

static void nothing_becomes_active(void **state)
{
    static const AxIrqRequest requests[] = {AX_IRQ_SET_ACTIVE, AX_IRQ_CLEAR_ACTIVE};

    (void)state;
    FOR_EACH_IRQ(i)
    {
        post(i->number);
        for (size_t n = 0; n < COUNT(requests); n++) {
            request(i->number, requests[n]);
            assert_true((enter() & i->hip) != 0);
            riscv_interrupt_exit(&vcpu);
            assert_true(is_pending(i->number));
            assert_false(riscv_interrupt_state(&vcpu, i->number).active);
            // Taken all the same.
            assert_int_equal(axvcpu_events_take_requests(&events, requests[n], 0), 0);
        }
    }
}

static void clearing_the_software_interrupt_tells_whether_it_was_there(void **state)
{
    (void)state;
    assert_false(riscv_interrupt_clear_software(&vcpu));
    rv_sim.reg[RV_REG_HVIP] = HIP_VS;
    assert_true(riscv_interrupt_clear_software(&vcpu));
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], HIP_VSTIP | HIP_VSEIP);
    assert_false(riscv_interrupt_clear_software(&vcpu));
}

// ---- what others see ----

static void state_is_that_of_the_last_exit(void **state)
{
    FOR_EACH_IRQ(i)
    {
        setup_bound(state);
        assert_false(is_pending(i->number));
        post(i->number);
        (void)enter();
        riscv_interrupt_exit(&vcpu);
        assert_true(is_pending(i->number));
        FOR_EACH_IRQ(other)
        {
            assert_int_equal(is_pending(other->number), other == i);
        }
        unbind();
        assert_true(is_pending(i->number));
    }
}

static void a_timer_in_hardware_shows_as_pending(void **state)
{
    (void)state;
    rv_sim.reg[RV_REG_VSTIMECMP] = 1;
    riscv_interrupt_exit(&vcpu);
    assert_true(is_pending(RISCV_IRQ_TIMER));
    assert_int_equal(vcpu.interrupts.hvip, 0); // but does not stick
    rv_sim.reg[RV_REG_VSTIMECMP] = UINT64_MAX;
    riscv_interrupt_exit(&vcpu);
    assert_false(is_pending(RISCV_IRQ_TIMER));
}

static void an_edge_is_never_invisible(void **state)
{
    (void)state;
    post(RISCV_IRQ_SOFTWARE);
    assert_true(is_latched(RISCV_IRQ_SOFTWARE));
    (void)enter();
    assert_false(is_latched(RISCV_IRQ_SOFTWARE));
    assert_true(is_pending(RISCV_IRQ_SOFTWARE)); // before any exit
}

static void numbers_that_are_none_are_never_pending(void **state)
{
    (void)state;
    rv_sim.reg[RV_REG_HVIP] = HIP_VS;
    riscv_interrupt_exit(&vcpu);
    for (uint32_t irq = 0; irq < 2000; irq++) {
        assert_int_equal(is_pending(irq), irq == 1 || irq == 5 || irq == 9);
    }
    assert_false(is_pending(UINT32_MAX));
}

// ---- moving, waiting ----

static void interrupts_move_with_the_vcpu(void **state)
{
    (void)state;
    post(RISCV_IRQ_SOFTWARE);
    drive(RISCV_IRQ_EXTERNAL, true);
    (void)enter();
    riscv_interrupt_exit(&vcpu);
    unbind();
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], 0);
    drive(RISCV_IRQ_EXTERNAL, false); // while it is nowhere
    bind();
    assert_int_equal(rv_sim.reg[RV_REG_HVIP] & HIP_VSSIP, HIP_VSSIP);
    assert_int_equal(enter(), HIP_VSSIP);
}

static void what_the_guest_did_to_its_interrupt_moves_with_the_vcpu(void **state)
{
    static const uint64_t left[] = {HIP_VSEIP | HIP_VSSIP, HIP_VSEIP};

    (void)state;
    drive(RISCV_IRQ_EXTERNAL, true);
    for (unsigned n = 0; n < 4; n++) {
        (void)enter();
        rv_sim.reg[RV_REG_HVIP] = left[n % 2]; // by the guest
        riscv_interrupt_exit(&vcpu);
        unbind();
        bind();
        assert_int_equal(rv_sim.reg[RV_REG_HVIP], left[n % 2]);
        assert_int_equal(enter(), left[n % 2]);
    }
}

static void a_reset_leaves_nothing_pending(void **state)
{
    FOR_EACH_IRQ(i)
    {
        setup(state);
        assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, i->hip), AX_OK);
        riscv_interrupt_reset(&vcpu);
        assert_false(is_pending(i->number));
        bind();
        assert_int_equal(enter(), 0);
    }
}

static void only_a_software_interrupt_that_the_guest_wants_ends_a_wait(void **state)
{
    static const struct {
        uint64_t hvip;
        uint64_t sie;
        bool wakes;
    } cases[] = {
        {0, SIP_SSIP | SIP_STIP | SIP_SEIP, false},
        {HIP_VSSIP, 0, false},
        {HIP_VSSIP, SIP_STIP | SIP_SEIP, false},
        {HIP_VSSIP, SIP_SSIP, true},
        {HIP_VSSIP | HIP_VSEIP, SIP_SSIP | SIP_SEIP, true},
        {HIP_VSEIP, SIP_SSIP | SIP_SEIP, false}, // AxEvents knows of that one
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(NULL);
        assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, cases[i].hvip), AX_OK);
        vcpu.sys[RISCV_VSIE] = cases[i].sie;
        assert_int_equal(riscv_interrupt_wakeup_pending(&vcpu), cases[i].wakes);
        bind();
        vcpu.sys[RISCV_VSIE] = ~cases[i].sie; // not looked at while bound
        rv_sim.reg[RV_REG_VSIE] = cases[i].sie;
        assert_int_equal(riscv_interrupt_wakeup_pending(&vcpu), cases[i].wakes);
    }
}

static void a_posted_interrupt_ends_a_wait_whatever_the_guest_wants(void **state)
{
    (void)state;
    FOR_EACH_IRQ(i)
    {
        setup(NULL);
        assert_false(axvcpu_events_any(&events));
        post(i->number);
        assert_true(axvcpu_events_any(&events));
    }
}

// ---- register id ----

static void hvip_is_a_register(void **state)
{
    uint64_t value = 7;

    (void)state;
    for (uint64_t set = 0; set < 8; set++) {
        const uint64_t hvip = ((set & 1) != 0 ? HIP_VSSIP : 0) | ((set & 2) != 0 ? HIP_VSTIP : 0) |
                              ((set & 4) != 0 ? HIP_VSEIP : 0);

        assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, hvip), AX_OK);
        assert_int_equal(riscv_interrupt_get_reg(&vcpu, RISCV_REG_HVIP, &value), AX_OK);
        assert_int_equal(value, hvip);
        assert_int_equal(rv_sim.reg[RV_REG_HVIP], hvip);
        FOR_EACH_IRQ(i)
        {
            assert_int_equal(is_pending(i->number), (hvip & i->hip) != 0);
        }
    }
}

static void a_level_of_a_snapshot_lasts_as_long_as_its_line(void **state)
{
    (void)state;
    assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, HIP_VS), AX_OK);
    assert_int_equal(enter(), HIP_VSSIP);
    drive(RISCV_IRQ_EXTERNAL, true);
    (void)enter();
    assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, 0), AX_OK);
    assert_int_equal(enter(), HIP_VSEIP);
}

static void bad_values_and_ids_change_nothing(void **state)
{
    uint64_t value = 7;

    (void)state;
    for (unsigned n = 0; n < 64; n++) {
        const bool good = n == 2 || n == 6 || n == 10;

        if (!good) {
            assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_HVIP, AX_BIT(n) | HIP_VSSIP),
                             AX_EINVAL);
        }
    }
    assert_int_equal(riscv_interrupt_set_reg(&vcpu, RISCV_REG_TIMECMP, 0), AX_ENOENT);
    assert_int_equal(riscv_interrupt_get_reg(&vcpu, RISCV_REG_TIMECMP, &value), AX_ENOENT);
    assert_int_equal(value, 7);
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], 0);
    assert_int_equal(vcpu.interrupts.hvip, 0);
}

#define TEST(name)       cmocka_unit_test_setup(name, setup)
#define BOUND_TEST(name) cmocka_unit_test_setup(name, setup_bound)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_edge_reaches_its_bit),
        BOUND_TEST(an_edge_of_the_software_interrupt_is_delivered_once),
        BOUND_TEST(the_guest_may_raise_its_own_software_interrupt),
        TEST(a_level_follows_its_line),
        TEST(an_edge_that_no_guest_can_clear_stays_until_it_is_withdrawn),
        TEST(all_three_are_independent),
        TEST(an_interrupt_that_is_switched_off_waits_in_the_events),
        BOUND_TEST(an_interrupt_that_is_handled_does_not_come_back_with_the_enable_bit),
        BOUND_TEST(interrupts_that_no_guest_has_change_nothing),
        BOUND_TEST(an_entry_without_news_costs_no_access),
        BOUND_TEST(a_pending_software_interrupt_can_be_withdrawn),
        BOUND_TEST(a_request_leaves_the_other_interrupts_alone),
        BOUND_TEST(nothing_becomes_active),
        BOUND_TEST(clearing_the_software_interrupt_tells_whether_it_was_there),
        TEST(state_is_that_of_the_last_exit),
        BOUND_TEST(a_timer_in_hardware_shows_as_pending),
        BOUND_TEST(an_edge_is_never_invisible),
        BOUND_TEST(numbers_that_are_none_are_never_pending),
        BOUND_TEST(interrupts_move_with_the_vcpu),
        BOUND_TEST(what_the_guest_did_to_its_interrupt_moves_with_the_vcpu),
        TEST(a_reset_leaves_nothing_pending),
        TEST(only_a_software_interrupt_that_the_guest_wants_ends_a_wait),
        TEST(a_posted_interrupt_ends_a_wait_whatever_the_guest_wants),
        BOUND_TEST(hvip_is_a_register),
        BOUND_TEST(a_level_of_a_snapshot_lasts_as_long_as_its_line),
        BOUND_TEST(bad_values_and_ids_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
