// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

#define SBI_EID_BASE UINT64_C(0x10)
#define WFI          UINT64_C(0x10500073)
#define A1           11
#define A6           16
#define A7           17

// What the guest does at its entries, one after the other.
typedef struct Step {
    uint64_t cause;
    uint64_t tval; // of a virtual instruction: what is at the PC
    void (*act)(RISCVGuestRegs *regs);
} Step;

typedef struct Entry {
    size_t log_begin; // of the simulated CSRs
    uint64_t stvec;
    uint64_t sscratch;
    uint64_t sstatus;
    uint64_t hstatus;
    uint64_t hvip;
    RISCVGuestRegs regs;
} Entry;

static RISCVFixture f;
static const Step *script;
static Entry entries[16];
static unsigned entry_count;

static uint64_t run_script(RISCVGuestRegs *regs)
{
    const Step *step = &script[entry_count];

    assert_in_range(entry_count, 0, 15);
    entries[entry_count++] = (Entry){
        .log_begin = rv_sim.log_count,
        .stvec = rv_sim.reg[RV_REG_STVEC],
        .sscratch = rv_sim.reg[RV_REG_SSCRATCH],
        .sstatus = rv_sim.reg[RV_REG_SSTATUS],
        .hstatus = rv_sim.reg[RV_REG_HSTATUS],
        .hvip = rv_sim.reg[RV_REG_HVIP],
        .regs = *regs,
    };
    rv_sim.reg[RV_REG_STVAL] = step->tval;
    if (step->act != NULL) {
        step->act(regs);
    }
    return step->cause;
}

static bool fetch_instruction(uint64_t va, uint16_t *out)
{
    *out = (uint16_t)(script[entry_count - 1].tval >> (8 * (va - f.vcpu.regs.pc)));
    return true;
}

// A host that uses FP and vectors, with interrupts on.
#define HOST_SSTATUS \
    (SSTATUS_UXL_64 | SSTATUS_SIE | SSTATUS_FS_CLEAN | SSTATUS_VS | SSTATUS_SUM | SSTATUS_MXR)

static int start(void **state)
{
    (void)state;
    fixture_start_bound(&f);
    entry_count = 0;
    rv_sim.guest = run_script;
    rv_sim.hlvx_hu = fetch_instruction;
    rv_sim.reg[RV_REG_SSTATUS] = HOST_SSTATUS;
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
    assert_int_equal(riscv_vcpu_ops.run(&f.vcpu, &exit), AX_OK);
    return exit;
}

static void queue_irq(uint64_t vector)
{
    assert_true(f.host.irq_count < QUEUE_MAX);
    f.host.irq_queue[f.host.irq_count++] = vector;
}

static void call_spec_version(RISCVGuestRegs *regs)
{
    regs->x[A7] = SBI_EID_BASE;
    regs->x[A6] = 0;
}

#define HOT_CALL                             \
    {                                        \
        CAUSE_ECALL_VS, 0, call_spec_version \
    }
#define IDLE                                 \
    {                                        \
        CAUSE_VIRTUAL_INSTRUCTION, WFI, NULL \
    }
#define IRQ                           \
    {                                 \
        SCAUSE_INTERRUPT | 5, 0, NULL \
    }

static void assert_host_is_back(void)
{
    assert_int_equal(rv_sim.reg[RV_REG_STVEC], HOST_STVEC);
    assert_int_equal(rv_sim.reg[RV_REG_SSCRATCH], HOST_SSCRATCH);
    assert_int_equal(rv_sim.reg[RV_REG_SSTATUS], HOST_SSTATUS);
    assert_int_equal(rv_sim.reg[RV_REG_HSTATUS], HSTATUS_VSXL_64);
    assert_false(f.vcpu.live);
}

static void the_guest_runs_on_our_vector_and_the_host_gets_its_own_back(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 1);
    assert_int_equal(entries[0].stvec, (uintptr_t)riscv_guest_vector);
    assert_int_equal(entries[0].sscratch, (uintptr_t)&f.vcpu.regs);
    assert_int_equal(entries[0].regs.host_stvec, HOST_STVEC);
    assert_int_equal(entries[0].regs.host_sscratch, HOST_SSCRATCH);
    assert_int_equal(entries[0].regs.pc, ENTRY);
    assert_int_equal(entries[0].regs.x[A1], DTB);
    assert_host_is_back();
}

// Nothing of the host's sstatus acts on the guest: MXR would make its pages readable.
static void the_guest_is_entered_with_the_controls_that_confine_it(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    run(steps);
    assert_int_equal(entries[0].sstatus, SSTATUS_UXL_64 | SSTATUS_SPP | SSTATUS_FS_CLEAN);
    assert_int_equal(entries[0].hstatus,
                     HSTATUS_VSXL_64 | HSTATUS_SPV | HSTATUS_SPVP | HSTATUS_VTW);
}

static void go_to_user_mode_and_use_fp(RISCVGuestRegs *regs)
{
    (void)regs;
    rv_sim.reg[RV_REG_SSTATUS] &= ~SSTATUS_SPP;
    rv_sim.reg[RV_REG_SSTATUS] |= SSTATUS_FS_DIRTY;
    rv_sim.reg[RV_REG_HSTATUS] |= HSTATUS_GVA;
}

static void the_guests_mode_and_fp_state_survive_the_run(void **state)
{
    static const Step steps[] = {{SCAUSE_INTERRUPT | 5, 0, go_to_user_mode_and_use_fp}, IRQ};

    (void)state;
    queue_irq(5);
    queue_irq(5);
    run(steps);
    assert_host_is_back();
    assert_false(riscv_guest_is_supervisor(&f.vcpu));
    assert_int_equal(f.vcpu.sstatus, SSTATUS_FS_DIRTY);
    assert_int_equal(f.vcpu.hstatus, HSTATUS_VSXL_64 | HSTATUS_SPV | HSTATUS_VTW);
    run(steps);
    assert_int_equal(entries[1].sstatus, SSTATUS_UXL_64 | SSTATUS_FS_DIRTY);
}

// From where the vector takes them, when a fault of the hypervisor arrives there.
static void the_hosts_values_are_in_memory_before_the_vector_is_ours(void **state)
{
    static const Step steps[] = {IDLE};
    size_t vector = 0;
    size_t scratch = 0;

    (void)state;
    run(steps);
    for (size_t i = 0; i < entries[0].log_begin; i++) {
        if (rv_sim.log[i].op == RV_SIM_WRITE && rv_sim.log[i].reg == RV_REG_STVEC) {
            vector = i;
        }
        if (rv_sim.log[i].op == RV_SIM_WRITE && rv_sim.log[i].reg == RV_REG_SSCRATCH) {
            scratch = i;
        }
    }
    assert_true(scratch != 0 && scratch < vector);
}

static void the_vector_changes_back_before_interrupts_are_open(void **state)
{
    static const Step steps[] = {IDLE};
    bool open = false;

    (void)state;
    run(steps);
    for (size_t i = entries[0].log_begin; i < rv_sim.log_count; i++) {
        const RvSimEvent *event = &rv_sim.log[i];

        open |= event->op == RV_SIM_WRITE && event->reg == RV_REG_SSTATUS &&
                (event->value & SSTATUS_SIE) != 0;
        assert_false(open && event->op == RV_SIM_WRITE && event->reg != RV_REG_SSTATUS);
    }
    assert_true(open);
}

static void a_hot_exit_touches_two_csrs_only(void **state)
{
    static const Step steps[] = {HOT_CALL, HOT_CALL, HOT_CALL, IDLE};
    static const RvReg expected[] = {RV_REG_SCAUSE, RV_REG_STVAL};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 4);
    for (unsigned n = 0; n + 1 < entry_count; n++) {
        const RvSimEvent *events = &rv_sim.log[entries[n].log_begin];
        const size_t count = entries[n + 1].log_begin - entries[n].log_begin;

        assert_int_equal(count, 3); // and the next entry
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(events[i].op, RV_SIM_READ);
            assert_int_equal(events[i].reg, expected[i]);
        }
        assert_int_equal(events[2].op, RV_SIM_ENTER);
    }
    assert_int_equal(f.stats.handled[AX_EXIT_HYPERCALL], 3);
    assert_int_equal(entries[1].regs.x[A1], 0x2000000); // SBI 2.0
    assert_int_equal(entries[1].regs.pc, ENTRY + 4);
}

// They are stale with other causes.
static void the_guest_physical_address_is_read_with_guest_page_faults_only(void **state)
{
    (void)state;
    for (uint64_t cause = 0; cause < 24; cause++) {
        const bool is_page_fault = cause == 20 || cause == 21 || cause == 23;
        const Step steps[] = {{cause, 0x1234, NULL}, IRQ};

        entry_count = 0;
        f.host.irq_count = f.host.irq_next = 0;
        queue_irq(1);
        rv_sim_clear_log();
        rv_sim.reg[RV_REG_HTVAL] = 0x777;
        rv_sim.reg[RV_REG_HTINST] = 0x3000;
        run(steps);
        assert_int_equal(f.vcpu.trap.cause, cause);
        assert_int_equal(f.vcpu.trap.tval, 0x1234);
        assert_int_equal(f.vcpu.trap.htval, is_page_fault ? 0x777 : 0);
        assert_int_equal(f.vcpu.trap.htinst, is_page_fault ? 0x3000 : 0);
    }
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
    assert_host_is_back();
}

static void a_spurious_interrupt_is_forgotten(void **state)
{
    static const Step steps[] = {IRQ, IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 2);
    assert_int_equal(f.stats.handled[AX_EXIT_EXTERNAL_INTERRUPT], 1);
}

static void a_kick_before_the_run_ends_it_once(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    axvcpu_events_post_kick(&f.events);
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(entry_count, 0);
    assert_host_is_back();
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entry_count, 1);
}

static void get_kicked(RISCVGuestRegs *regs)
{
    (void)regs;
    axvcpu_events_post_kick(&f.events);
}

static void a_kick_while_in_the_guest_ends_the_run_at_the_next_exit(void **state)
{
    static const Step steps[] = {{SCAUSE_INTERRUPT | 1, 0, get_kicked}};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(entry_count, 1);
}

// A kick says nothing about what else was posted: that must not be lost with it.
static void an_interrupt_posted_with_a_kick_is_delivered(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    assert_int_equal(axvcpu_events_post_irq(&f.events, RISCV_IRQ_SOFTWARE), AX_OK);
    axvcpu_events_post_kick(&f.events);
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[0].hvip, HIP_VSSIP);
}

static void a_posted_exception_is_taken_before_the_first_instruction(void **state)
{
    static const Step steps[] = {IDLE};
    const AxException exception = {.vector = CAUSE_ILLEGAL_INSTRUCTION};

    (void)state;
    rv_sim.reg[RV_REG_VSTVEC] = 0x8000;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
    run(steps);
    assert_int_equal(entries[0].regs.pc, 0x8000);
    assert_int_equal(rv_sim.reg[RV_REG_VSEPC], ENTRY);
    assert_int_equal(rv_sim.reg[RV_REG_VSCAUSE], CAUSE_ILLEGAL_INSTRUCTION);
}

static void get_an_exception_in_user_mode(RISCVGuestRegs *regs)
{
    const AxException exception = {.vector = CAUSE_BREAKPOINT};

    (void)regs;
    rv_sim.reg[RV_REG_SSTATUS] &= ~SSTATUS_SPP;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
}

// The mode is in hardware while the guest can run.
static void an_exception_in_user_mode_leads_to_supervisor_mode(void **state)
{
    static const Step steps[] = {{SCAUSE_INTERRUPT | 1, 0, get_an_exception_in_user_mode}, IDLE};

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[1].sstatus & SSTATUS_SPP, SSTATUS_SPP);
    assert_int_equal(entries[1].hstatus & HSTATUS_SPVP, HSTATUS_SPVP);
}

static void clear_software_interrupt(RISCVGuestRegs *regs)
{
    (void)regs;
    rv_sim.reg[RV_REG_HVIP] &= ~HIP_VSSIP;
}

static void what_the_guest_cleared_is_known_after_the_run(void **state)
{
    static const Step steps[] = {IDLE, {CAUSE_VIRTUAL_INSTRUCTION, WFI, clear_software_interrupt}};

    (void)state;
    assert_int_equal(axvcpu_events_post_irq(&f.events, RISCV_IRQ_SOFTWARE), AX_OK);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_true(riscv_interrupt_state(&f.vcpu, RISCV_IRQ_SOFTWARE).pending);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_false(riscv_interrupt_state(&f.vcpu, RISCV_IRQ_SOFTWARE).pending);
}

static void an_exception_that_does_not_exist_is_dropped(void **state)
{
    static const Step steps[] = {IDLE};
    const AxException exception = {.vector = 64};

    (void)state;
    assert_int_equal(axvcpu_events_post_exception(&f.events, &exception), AX_OK);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    assert_int_equal(entries[0].regs.pc, ENTRY);
}

static void ask_for_a_fence(RISCVGuestRegs *regs)
{
    const AxFence fence = {.instructions = true, .translations = true};

    (void)regs;
    assert_int_equal(axvcpu_events_post_fence(&f.events, &fence), AX_OK);
    rv_sim_clear_log();
    entries[0].log_begin = 0;
}

static void a_fence_is_carried_out_before_the_next_instruction(void **state)
{
    static const Step steps[] = {{SCAUSE_INTERRUPT | 1, 0, ask_for_a_fence}, IDLE};
    bool fenced = false;

    (void)state;
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
    for (size_t i = 0; i < entries[1].log_begin; i++) {
        fenced |= rv_sim.log[i].op == RV_SIM_HFENCE_VVMA_ALL;
    }
    assert_true(fenced);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
    assert_int_equal(rv_sim.ops[RV_SIM_FENCE_I], 1);
}

static void without_sstc_the_host_keeps_the_time(void **state)
{
    static const Step steps[] = {IDLE};

    (void)state;
    fixture_stop(&f);
    fixture_start(&f);
    rv_sim.missing[RV_REG_VSTIMECMP] = true;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    fixture_create_vcpu(&f, &f.vcpu, 0);
    fixture_setup_vcpu(&f, &f.vcpu);
    fixture_bind(&f);
    rv_sim.guest = run_script;
    rv_sim.hlvx_hu = fetch_instruction;
    riscv_timer_set(&f.vcpu, rv_sim.reg[RV_REG_TIME] + 1000);
    run(steps);
    assert_int_equal(f.host.deadline, 100000); // ns: 1000 ticks of 10 MHz
}

static void a_run_moves_no_fp(void **state)
{
    static const Step steps[] = {HOT_CALL, IRQ, IDLE};

    (void)state;
    run(steps);
    assert_int_equal(rv_sim.ops[RV_SIM_FP_LOAD] + rv_sim.ops[RV_SIM_FP_SAVE], 0);
}

// Its second exit needs no entry, and a kick must not come between.
static void the_write_of_a_csr_that_was_read_goes_out_first(void **state)
{
    static const Step steps[] = {{CAUSE_VIRTUAL_INSTRUCTION, 0x5d929573, NULL}, IDLE};
    AxVCpuExit exit; // csrrw a0, 0x5d9, t0

    (void)state;
    exit = run(steps);
    assert_int_equal(exit.reason, AX_EXIT_SYSREG_READ);
    assert_int_equal(riscv_vcpu_ops.complete_read(&f.vcpu, &exit, 1), AX_OK);
    axvcpu_events_post_kick(&f.events);
    exit = run(steps);
    assert_int_equal(exit.reason, AX_EXIT_SYSREG_WRITE);
    assert_int_equal(entry_count, 1);
    assert_int_equal(riscv_vcpu_ops.complete_write(&f.vcpu, &exit), AX_OK);
    assert_int_equal(run(steps).reason, AX_EXIT_NOTHING);
    assert_int_equal(run(steps).reason, AX_EXIT_IDLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_guest_runs_on_our_vector_and_the_host_gets_its_own_back),
        TEST(the_guest_is_entered_with_the_controls_that_confine_it),
        TEST(the_guests_mode_and_fp_state_survive_the_run),
        TEST(the_hosts_values_are_in_memory_before_the_vector_is_ours),
        TEST(the_vector_changes_back_before_interrupts_are_open),
        TEST(a_hot_exit_touches_two_csrs_only),
        TEST(the_guest_physical_address_is_read_with_guest_page_faults_only),
        TEST(an_interrupt_of_the_host_ends_the_run),
        TEST(a_spurious_interrupt_is_forgotten),
        TEST(a_kick_before_the_run_ends_it_once),
        TEST(a_kick_while_in_the_guest_ends_the_run_at_the_next_exit),
        TEST(an_interrupt_posted_with_a_kick_is_delivered),
        TEST(a_posted_exception_is_taken_before_the_first_instruction),
        TEST(an_exception_in_user_mode_leads_to_supervisor_mode),
        TEST(what_the_guest_cleared_is_known_after_the_run),
        TEST(an_exception_that_does_not_exist_is_dropped),
        TEST(a_fence_is_carried_out_before_the_next_instruction),
        TEST(without_sstc_the_host_keeps_the_time),
        TEST(a_run_moves_no_fp),
        TEST(the_write_of_a_csr_that_was_read_goes_out_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
