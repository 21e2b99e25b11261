// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

static RISCVFixture f;

static int start(void **state)
{
    (void)state;
    fixture_start_free(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void the_counters_speed_must_be_known(void **state)
{
    const AxArchVCpuEnv env = {.hal = &f.host.hal, .events = &f.events, .stats = &f.stats};
    const RISCVVCpuCreateConfig unknown = {.hart_id = 1};
    const RISCVVCpuCreateConfig slow = {.hart_id = 1, .timebase_hz = 1};
    static RISCVVCpu vcpu;

    (void)state;
    assert_int_equal(riscv_vcpu_ops.create(&vcpu, &env, &unknown), AX_EINVAL);
    assert_int_equal(riscv_vcpu_ops.create(&vcpu, &env, &slow), AX_OK);
}

static void assert_reset_state(const RISCVVCpu *vcpu)
{
    for (unsigned n = 0; n < 32; n++) {
        assert_int_equal(vcpu->regs.x[n], n == 11 ? DTB : 0);
    }
    assert_true(riscv_guest_is_supervisor(vcpu));
    assert_int_equal(vcpu->sys[RISCV_VSSTATUS], SSTATUS_UXL_64); // interrupts and FP off
    assert_int_equal(vcpu->sys[RISCV_VSATP], 0);
    assert_int_equal(vcpu->sys[RISCV_VSIE], 0);
    assert_null(vcpu->percpu);
    assert_false(vcpu->live);
    assert_int_equal(vcpu->csr_step, RISCV_CSR_NONE);
}

static void a_new_vcpu_has_the_state_of_a_hart_that_firmware_starts(void **state)
{
    static RISCVVCpu second;

    (void)state;
    assert_reset_state(&f.vcpu);
    assert_int_equal(f.vcpu.regs.pc, ENTRY);
    fixture_create_vcpu(&f, &second, 5);
    assert_int_equal(second.regs.x[10], 5); // hart id
}

static void reset_forgets_everything_but_what_create_gave(void **state)
{
    (void)state;
    memset(&f.vcpu.regs, 0xee, sizeof(f.vcpu.regs));
    memset(f.vcpu.sys, 0xee, sizeof(f.vcpu.sys));
    memset(&f.vcpu.fp, 0xee, sizeof(f.vcpu.fp));
    f.vcpu.csr_step = RISCV_CSR_WRITE_DUE;
    f.vcpu.hstatus = 0;
    f.vcpu.sstatus = 0;
    f.vcpu.live = true;
    f.vcpu.trap.cause = CAUSE_ECALL_VS;
    f.vcpu.interrupts.hvip = HIP_VS;
    f.vcpu.timer.deadline = 1;
    f.vcpu.timer.htimedelta = 1;
    assert_int_equal(riscv_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_reset_state(&f.vcpu);
    assert_int_equal(f.vcpu.regs.pc, 0);
    assert_int_equal(f.vcpu.regs.host_ra, 0); // no trap is taken for the guest's
    assert_int_equal(f.vcpu.fp.f[31], 0);
    assert_int_equal(f.vcpu.trap.cause, 0);
    assert_int_equal(f.vcpu.interrupts.hvip, 0);
    assert_int_equal(f.vcpu.timer.deadline, UINT64_MAX);
    assert_null(f.vcpu.ept);
    assert_int_equal(f.vcpu.hstatus, riscv_hstatus_base());
    assert_ptr_equal(f.vcpu.env.events, &f.events);
}

static void an_entry_is_aligned_to_an_instruction(void **state)
{
    (void)state;
    assert_int_equal(riscv_vcpu_ops.set_entry(&f.vcpu, ax_gpa(0x1001)), AX_EALIGN);
    assert_int_equal(f.vcpu.regs.pc, ENTRY);
    assert_int_equal(riscv_vcpu_ops.set_entry(&f.vcpu, ax_gpa(0x1002)), AX_OK);
    assert_int_equal(f.vcpu.regs.pc, 0x1002);
}

static void a_root_that_hardware_cannot_walk_is_refused(void **state)
{
    static const struct {
        uint64_t base;
        uint8_t levels;
        uint8_t gpa_bits;
        AxError error;
    } cases[] = {
        {0x88000000, 3, 41, AX_OK},      {0x88004000, 3, 41, AX_OK},
        {0x88001000, 3, 41, AX_EALIGN},  {0x88002000, 3, 41, AX_EALIGN},
        {0x88000800, 3, 41, AX_EALIGN},  {0x88000000, 4, 41, AX_EINVAL},
        {0x88000000, 2, 30, AX_EINVAL},  {0x88000000, 3, 30, AX_OK},
        {0x88000000, 4, 42, AX_OK},      {0x88000000, 5, 51, AX_ENOTSUP}, // more than Sv48x4
        {0x88000000, 3, 12, AX_ENOTSUP}, {UINT64_C(1) << 56, 3, 41, AX_EINVAL},
    };

    (void)state;
    rv_sim.gstage_modes = 0x301;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AxEptRoot root = {.base = ax_hpa(cases[i].base),
                          .levels = cases[i].levels,
                          .gpa_bits = cases[i].gpa_bits};

        f.vcpu.ept = NULL;
        assert_int_equal(riscv_vcpu_ops.set_ept_root(&f.vcpu, &root), cases[i].error);
        assert_ptr_equal(f.vcpu.ept, cases[i].error == AX_OK ? &root : NULL);
    }
}

static void passthrough_is_not_offered(void **state)
{
    const RISCVVCpuSetupConfig interrupt = {.passthrough_interrupt = true};
    const RISCVVCpuSetupConfig timer = {.passthrough_timer = true};

    (void)state;
    assert_int_equal(riscv_vcpu_ops.setup(&f.vcpu, &interrupt), AX_ENOTSUP);
    assert_int_equal(riscv_vcpu_ops.setup(&f.vcpu, &timer), AX_ENOTSUP);
}

static void waiting_traps_only_when_asked_for(void **state)
{
    const RISCVVCpuSetupConfig quiet = {.trap_wait = false};

    (void)state;
    assert_int_not_equal(f.vcpu.hstatus & HSTATUS_VTW, 0);
    assert_int_equal(riscv_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_int_equal(riscv_vcpu_ops.setup(&f.vcpu, &quiet), AX_OK);
    assert_int_equal(f.vcpu.hstatus & HSTATUS_VTW, 0);
}

static void bind_loads_what_hardware_translates_with(void **state)
{
    (void)state;
    f.percpu.host.hgatp = UINT64_C(0x8000000000012340);
    fixture_bind(&f);
    assert_int_equal(ax_get(rv_sim.reg[RV_REG_HGATP], HGATP_MODE), HGATP_MODE_SV39X4);
    assert_int_equal(ax_get(rv_sim.reg[RV_REG_HGATP], HGATP_PPN), ROOT_BASE >> 12);
    assert_int_not_equal(ax_get(rv_sim.reg[RV_REG_HGATP], HGATP_VMID), 0);
    assert_int_equal(ax_get(rv_sim.reg[RV_REG_HGATP], HGATP_VMID), f.vcpu.vmid);
    assert_ptr_equal(f.vcpu.percpu, &f.percpu);

    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(rv_sim.reg[RV_REG_HGATP], f.percpu.host.hgatp);
    assert_null(f.vcpu.percpu);
}

// What the host wrote for the guest (an image, another time) is fetched, not what was there before.
static void instructions_are_fetched_anew_after_each_bind(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 4; n++) {
        const uint32_t before = rv_sim.ops[RV_SIM_FENCE_I];

        fixture_bind(&f);
        assert_true(rv_sim.ops[RV_SIM_FENCE_I] > before);
        assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    }
}

static void destroy_leaves_nothing(void **state)
{
    static const RISCVVCpu zero;

    (void)state;
    riscv_vcpu_ops.destroy(&f.vcpu);
    assert_memory_equal(&f.vcpu, &zero, sizeof(zero));
}

static void the_ops_table_is_complete(void **state)
{
    const AxArchVCpuOps *ops = &riscv_vcpu_ops;

    (void)state;
    assert_false(ops->has_nmi);
    assert_non_null(ops->run);
    assert_non_null(ops->complete_read);
    assert_non_null(ops->complete_write);
    assert_non_null(ops->complete_call);
    assert_non_null(ops->complete_fault);
    assert_non_null(ops->irq_state);
    assert_non_null(ops->next_deadline);
    assert_false(ops->wakeup_pending(&f.vcpu));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_counters_speed_must_be_known),
        TEST(a_new_vcpu_has_the_state_of_a_hart_that_firmware_starts),
        TEST(reset_forgets_everything_but_what_create_gave),
        TEST(an_entry_is_aligned_to_an_instruction),
        TEST(a_root_that_hardware_cannot_walk_is_refused),
        TEST(passthrough_is_not_offered),
        TEST(waiting_traps_only_when_asked_for),
        TEST(bind_loads_what_hardware_translates_with),
        TEST(instructions_are_fetched_anew_after_each_bind),
        TEST(destroy_leaves_nothing),
        TEST(the_ops_table_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
