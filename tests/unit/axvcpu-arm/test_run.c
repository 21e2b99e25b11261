// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

#define PSCI_VERSION UINT64_C(0x84000000)

// What the guest does at its entries, one after the other.
typedef struct Step {
    Aarch64Vector vector;
    uint64_t esr;
    void (*act)(Aarch64GuestRegs *regs);
} Step;

typedef struct Entry {
    size_t log_begin; // of the simulated registers
    uint64_t vbar;
    uint64_t hcr;
    uint64_t cptr;
    uint64_t daif;
    Aarch64GuestRegs regs;
} Entry;

static ArmFixture f;
static const Step *script;
static Entry entries[16];
static unsigned entry_count;

static uint64_t run_script(Aarch64GuestRegs *regs)
{
    const Step *step = &script[entry_count];

    assert_in_range(entry_count, 0, 15);
    entries[entry_count++] = (Entry){
        .log_begin = arm_sim.log_count,
        .vbar = arm_sim.reg[ARM_REG_VBAR_EL2],
        .hcr = arm_sim.reg[ARM_REG_HCR_EL2],
        .cptr = arm_sim.reg[ARM_REG_CPTR_EL2],
        .daif = arm_sim.reg[ARM_REG_DAIF],
        .regs = *regs,
    };
    arm_sim.reg[ARM_REG_ESR_EL2] = step->esr;
    if (step->act != NULL) {
        step->act(regs);
    }
    return step->vector;
}

static int start(void **state)
{
    (void)state;
    fixture_start_bound(&f);
    entry_count = 0;
    arm_sim.guest = run_script;
    arm_sim.reg[ARM_REG_CPTR_EL2] = CPTR_EL2_RES1; // the host uses FP
    arm_sim.reg[ARM_REG_DAIF] = 0;                 // and has interrupts on
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static AxVCpuExit run(const Step *steps)
{
    AxVCpuExit exit = {.reason = AX_EXIT_COUNT};

    script = steps;
    assert_int_equal(aarch64_vcpu_ops.run(&f.vcpu, &exit), AX_OK);
    return exit;
}

static void queue_irq(uint64_t vector)
{
    assert_true(f.host.irq_count < QUEUE_MAX);
    f.host.irq_queue[f.host.irq_count++] = vector;
}

static void call_psci_version(Aarch64GuestRegs *regs)
{
    regs->x[0] = PSCI_VERSION;
}

#define CLASS(ec) ((ec) << 26 | ESR_ELX_IL)
#define HVC       CLASS(ESR_ELX_EC_HVC64)
#define FP_TRAP   CLASS(ESR_ELX_EC_FP)
#define WFI       CLASS(ESR_ELX_EC_WFX)

#define HOT_CALL                                    \
    {                                               \
        AARCH64_VECTOR_SYNC, HVC, call_psci_version \
    }
#define IDLE                           \
    {                                  \
        AARCH64_VECTOR_SYNC, WFI, NULL \
    }
#define IRQ                         \
    {                               \
        AARCH64_VECTOR_IRQ, 0, NULL \
    }

static void the_guest_runs_on_our_vectors_and_the_host_gets_its_own_back(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 1);
    assert_int_equal(entries[0].vbar, (uintptr_t)aarch64_vectors);
    assert_int_equal(entries[0].hcr, f.vcpu.hcr);
    assert_int_equal(entries[0].cptr, aarch64_cptr(&f.vcpu));
    assert_int_equal(entries[0].daif, 0x3c0);
    assert_int_equal(entries[0].regs.pc, 0x40000000);
    assert_int_equal(entries[0].regs.x[0], 0x44000000);
    assert_int_equal(arm_sim.reg[ARM_REG_VBAR_EL2], HOST_VBAR);
    assert_int_equal(arm_sim.reg[ARM_REG_CPTR_EL2], CPTR_EL2_RES1);
    assert_int_equal(arm_sim.reg[ARM_REG_DAIF], 0);
}

// Host code between runs is reached by physical interrupts, which HCR_EL2.IMO routes to EL2.
static void host_interrupts_reach_el2_between_runs(void **state)
{
    static const Step steps[] = {IDLE};
    const uint64_t routes = HCR_EL2_IMO | HCR_EL2_FMO | HCR_EL2_AMO;

    (void)state;
    run(steps);
    assert_int_equal(arm_sim.reg[ARM_REG_HCR_EL2] & routes, routes);
}

static void vectors_change_back_before_interrupts_are_open(void **state)
{
    static const Step steps[] = {IDLE};
    bool open = false;

    (void)state;
    run(steps);
    for (size_t i = entries[0].log_begin; i < arm_sim.log_count; i++) {
        const ArmSimEvent *event = &arm_sim.log[i];

        open |= event->op == ARM_SIM_WRITE && event->reg == ARM_REG_DAIF && event->value == 0;
        assert_false(open && event->op == ARM_SIM_WRITE && event->reg == ARM_REG_VBAR_EL2);
    }
    assert_true(open);
    assert_int_equal(arm_sim.log[arm_sim.log_count - 2].op, ARM_SIM_ISB);
}

static void a_hot_exit_touches_three_registers_only(void **state)
{
    static const Step steps[] = {HOT_CALL, HOT_CALL, HOT_CALL, IDLE};
    static const ArmReg expected[] = {ARM_REG_ESR_EL2, ARM_REG_FAR_EL2, ARM_REG_HPFAR_EL2};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 4);
    for (unsigned n = 0; n + 1 < entry_count; n++) {
        const ArmSimEvent *events = &arm_sim.log[entries[n].log_begin];
        const size_t count = entries[n + 1].log_begin - entries[n].log_begin;

        assert_int_equal(count, 4); // and the next entry
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(events[i].op, ARM_SIM_READ);
            assert_int_equal(events[i].reg, expected[i]);
        }
        assert_int_equal(events[3].op, ARM_SIM_ENTER);
    }
    assert_int_equal(f.stats.handled[AX_EXIT_HYPERCALL], 3);
    assert_int_equal(entries[1].regs.x[0] >> 16, 1); // PSCI 1.x
}

static void an_interrupt_of_the_host_ends_the_run(void **state)
{
    static const Step steps[] = {IRQ};
    AxVCpuExit exit;

    (void)state;
    queue_irq(33);
    exit = run(steps);
    assert_int_equal(exit.reason, AX_EXIT_EXTERNAL_INTERRUPT);
    assert_int_equal(exit.interrupt.vector, 33);
    assert_int_equal(f.host.handled_count, 0); // the host calls its handler itself
}

static void a_spurious_interrupt_is_forgotten(void **state)
{
    static const Step steps[] = {IRQ, IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 2);
    assert_int_equal(f.stats.handled[AX_EXIT_EXTERNAL_INTERRUPT], 1);
}

static void the_maintenance_interrupt_is_completed_inside(void **state)
{
    static const Step steps[] = {IRQ, IDLE};

    (void)state;
    queue_irq(AARCH64_PPI_MAINTENANCE);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(f.host.handled_count, 1);
    assert_int_equal(f.host.handled[0], AARCH64_PPI_MAINTENANCE);
}

// The guest's end of interrupt deactivates it: the host must not.
static void the_virtual_timer_goes_into_a_linked_list_register(void **state)
{
    static const Step steps[] = {IRQ, IDLE};
    uint64_t lr;

    (void)state;
    assert_int_equal(axvcpu_events_enable_irq(&f.events, AARCH64_PPI_VTIMER, true), AX_OK);
    assert_int_equal(aarch64_set_reg(&f.vcpu, AARCH64_REG_CNTV_CTL, CNT_CTL_ENABLE), AX_OK);
    queue_irq(AARCH64_PPI_VTIMER);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(f.host.handled_count, 0);
    lr = arm_sim.reg[ARM_REG_ICH_LR0_EL2];
    assert_int_equal(ax_get(lr, ICH_LR_VINTID), AARCH64_PPI_VTIMER);
    assert_int_equal(lr & ICH_LR_HW, ICH_LR_HW);
    assert_int_equal(ax_get(lr, ICH_LR_PINTID), AARCH64_PPI_VTIMER);
}

// It stays pending and is taken by the host's own vector when the host opens FIQ.
static void an_fiq_goes_back_to_the_host(void **state)
{
    static const Step steps[] = {{AARCH64_VECTOR_FIQ, 0, NULL}};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(entry_count, 1);
}

static void an_serror_while_the_guest_runs_becomes_its_own(void **state)
{
    static const Step steps[] = {
        {AARCH64_VECTOR_SERROR, UINT64_C(0x2f) << 26 | AX_BIT(25), NULL}, IDLE, IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[0].hcr & HCR_EL2_VSE, 0);
    assert_int_equal(entries[1].hcr & HCR_EL2_VSE, HCR_EL2_VSE);
    arm_sim.reg[ARM_REG_HCR_EL2] &= ~HCR_EL2_VSE; // taken
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[2].hcr & HCR_EL2_VSE, 0);
}

static void a_kick_before_the_run_ends_it_once(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    axvcpu_events_post_kick(&f.events);
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(entry_count, 0);
    assert_int_equal(arm_sim.reg[ARM_REG_VBAR_EL2], HOST_VBAR);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 1);
}

static void get_kicked(Aarch64GuestRegs *regs)
{
    (void)regs;
    axvcpu_events_post_kick(&f.events);
}

static void a_kick_while_in_the_guest_ends_the_run_at_the_next_exit(void **state)
{
    static const Step steps[] = {{AARCH64_VECTOR_IRQ, 0, get_kicked}};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(entry_count, 1);
}

// A kick says nothing about what else was posted: that must not be lost with it.
static void an_interrupt_posted_with_a_kick_is_delivered(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    assert_int_equal(axvcpu_events_post_irq(&f.events, 40), AX_OK);
    axvcpu_events_post_kick(&f.events);
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(ax_get(arm_sim.reg[ARM_REG_ICH_LR0_EL2], ICH_LR_VINTID), 40);
}

static void a_posted_exception_is_taken_before_the_first_instruction(void **state)
{
    static const Step steps[] = {IDLE};
    const AxException exception = {.vector = ESR_ELX_EC_UNKNOWN};

    (void)state;
    arm_sim.reg[ARM_REG_VBAR_EL1] = 0x8000;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
    run(steps);
    assert_int_equal(entries[0].regs.pc, 0x8200);
    assert_int_equal(arm_sim.reg[ARM_REG_ELR_EL1], 0x40000000);
}

static void a_posted_fence_is_carried_out_before_the_first_instruction(void **state)
{
    static const Step steps[] = {IDLE, IDLE};
    const AxFence fence = {.nested = true};
    bool before = false;

    (void)state;
    assert_int_equal(axvcpu_events_post_fence(&f.events, &fence), AX_OK);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    for (size_t i = 0; i < entries[0].log_begin; i++) {
        before = before || arm_sim.log[i].op == ARM_SIM_TLBI_VMALLS12E1;
    }
    assert_true(before);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1], 1);
}

static void an_exception_that_does_not_exist_is_dropped(void **state)
{
    static const Step steps[] = {IDLE};
    const AxException exception = {.vector = 64};

    (void)state;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[0].regs.pc, 0x40000000);
}

static void fp_is_loaded_once_when_the_guest_first_uses_it(void **state)
{
    static const Step steps[] = {{AARCH64_VECTOR_SYNC, FP_TRAP, NULL}, HOT_CALL, IDLE, IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[0].cptr & CPTR_EL2_TFP, CPTR_EL2_TFP);
    assert_int_equal(entries[1].cptr & CPTR_EL2_TFP, 0);
    assert_int_equal(entries[1].regs.pc, entries[0].regs.pc); // the instruction runs again
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[3].cptr & CPTR_EL2_TFP, 0);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_LOAD], 1);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_SAVE], 0);
    assert_int_equal(arm_sim.reg[ARM_REG_CPTR_EL2], CPTR_EL2_RES1);
}

static void a_run_without_fp_moves_none(void **state)
{
    static const Step steps[] = {HOT_CALL, IRQ, IDLE};

    (void)state;
    run(steps);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_LOAD] + arm_sim.ops[ARM_SIM_FP_SAVE], 0);
}

// Its second transfer needs no entry, and a kick must not come between.
static void the_second_half_of_a_pair_goes_out_first(void **state)
{
    static const Step steps[] = {IDLE};
    AxVCpuExit exit;

    (void)state;
    f.vcpu.instruction = UINT32_C(0xa9412428); // ldp x8, x9, [x1, #16]
    f.vcpu.split_step = AARCH64_SPLIT_DUE;
    f.vcpu.syndrome.hpfar = ax_put(0x9000, HPFAR_EL2_FIPA);
    f.vcpu.syndrome.far = 0x9000010;
    f.vcpu.syndrome.esr = CLASS(ESR_ELX_EC_DABT_LOW) | 7;
    f.vcpu.regs.x[1] = 0x9000000;
    axvcpu_events_post_kick(&f.events);
    exit = run(steps);
    assert_int_equal(exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(exit.mmio.addr.value, 0x9000018);
    assert_int_equal(exit.mmio.width, 8);
    assert_int_equal(entry_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_guest_runs_on_our_vectors_and_the_host_gets_its_own_back),
        TEST(host_interrupts_reach_el2_between_runs),
        TEST(vectors_change_back_before_interrupts_are_open),
        TEST(a_hot_exit_touches_three_registers_only),
        TEST(an_interrupt_of_the_host_ends_the_run),
        TEST(a_spurious_interrupt_is_forgotten),
        TEST(the_maintenance_interrupt_is_completed_inside),
        TEST(the_virtual_timer_goes_into_a_linked_list_register),
        TEST(an_fiq_goes_back_to_the_host),
        TEST(an_serror_while_the_guest_runs_becomes_its_own),
        TEST(a_kick_before_the_run_ends_it_once),
        TEST(a_kick_while_in_the_guest_ends_the_run_at_the_next_exit),
        TEST(an_interrupt_posted_with_a_kick_is_delivered),
        TEST(a_posted_exception_is_taken_before_the_first_instruction),
        TEST(a_posted_fence_is_carried_out_before_the_first_instruction),
        TEST(an_exception_that_does_not_exist_is_dropped),
        TEST(fp_is_loaded_once_when_the_guest_first_uses_it),
        TEST(a_run_without_fp_moves_none),
        TEST(the_second_half_of_a_pair_goes_out_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
