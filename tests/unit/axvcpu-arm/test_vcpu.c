// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

static ArmFixture f;

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

static void an_mpidr_has_affinity_bits_only(void **state)
{
    const AxArchVCpuEnv env = {.hal = &f.host.hal, .events = &f.events, .stats = &f.stats};
    static Aarch64VCpu vcpu;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        const Aarch64VCpuCreateConfig config = {.mpidr_el1 = AX_BIT(bit)};
        const bool affinity = bit < 24 || (bit >= 32 && bit < 40);
        const AxError error = aarch64_vcpu_ops.create(&vcpu, &env, &config);

        assert_int_equal(error, affinity ? AX_OK : AX_EINVAL);
        if (affinity) {
            assert_int_equal(vcpu.vmpidr, AX_BIT(bit) | AX_BIT(31));
        }
    }
}

static void assert_reset_state(const Aarch64VCpu *vcpu)
{
    assert_int_equal(vcpu->regs.x[0], 0x44000000);
    for (unsigned n = 1; n < 31; n++) {
        assert_int_equal(vcpu->regs.x[n], 0);
    }
    assert_int_equal(vcpu->regs.pstate, 0x3c5); // EL1h, everything masked
    assert_int_equal(vcpu->sys[AARCH64_SCTLR_EL1], 0x30d00800);
    assert_int_equal(vcpu->sys[AARCH64_CPACR_EL1], 0);
    assert_int_equal(vcpu->sys[AARCH64_VBAR_EL1], 0);
    assert_null(vcpu->percpu);
    assert_false(vcpu->fp_loaded);
    assert_false(vcpu->serror_pending);
}

static void a_new_vcpu_has_the_architectural_reset_state(void **state)
{
    (void)state;
    assert_reset_state(&f.vcpu);
    assert_int_equal(f.vcpu.regs.pc, 0x40000000);
}

static void reset_forgets_everything_but_what_create_gave(void **state)
{
    (void)state;
    memset(&f.vcpu.regs, 0xee, sizeof(f.vcpu.regs));
    memset(f.vcpu.sys, 0xee, sizeof(f.vcpu.sys));
    memset(&f.vcpu.fp, 0xee, sizeof(f.vcpu.fp));
    f.vcpu.serror_pending = true;
    f.vcpu.mdscr = 1;
    assert_int_equal(aarch64_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_reset_state(&f.vcpu);
    assert_int_equal(f.vcpu.regs.pc, 0);
    assert_int_equal(f.vcpu.mdscr, 0);
    assert_int_equal(f.vcpu.fp.q[31][1], 0);
    assert_null(f.vcpu.ept);
    assert_int_equal(f.vcpu.hcr & HCR_EL2_TWI, 0);
    assert_ptr_equal(f.vcpu.env.events, &f.events);
}

static void an_entry_is_aligned_to_an_instruction(void **state)
{
    (void)state;
    for (uint64_t low = 1; low < 4; low++) {
        assert_int_equal(aarch64_vcpu_ops.set_entry(&f.vcpu, ax_gpa(0x1000 + low)), AX_EALIGN);
        assert_int_equal(f.vcpu.regs.pc, 0x40000000);
    }
}

static void a_root_that_hardware_cannot_walk_is_refused(void **state)
{
    static const struct {
        uint64_t base;
        uint8_t levels;
        uint8_t gpa_bits;
        AxError error;
    } cases[] = {
        {0x48000000, 3, 40, AX_OK},      {0x48001000, 3, 40, AX_EALIGN}, // two root frames
        {0x48001000, 3, 39, AX_OK},      {0x48000800, 3, 39, AX_EALIGN},
        {0x48000000, 4, 40, AX_EINVAL},  {0x48000000, 2, 40, AX_EINVAL},
        {0x48000000, 4, 45, AX_ENOTSUP}, // more than the CPU's 44 bits
        {0x48000000, 2, 24, AX_ENOTSUP}, {UINT64_C(1) << 48, 3, 39, AX_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AxEptRoot root = {.base = ax_hpa(cases[i].base),
                          .levels = cases[i].levels,
                          .gpa_bits = cases[i].gpa_bits};

        f.vcpu.ept = NULL;
        assert_int_equal(aarch64_vcpu_ops.set_ept_root(&f.vcpu, &root), cases[i].error);
        assert_ptr_equal(f.vcpu.ept, cases[i].error == AX_OK ? &root : NULL);
    }
}

static void passthrough_is_not_offered(void **state)
{
    const Aarch64VCpuSetupConfig interrupt = {.passthrough_interrupt = true};
    const Aarch64VCpuSetupConfig timer = {.passthrough_timer = true};

    (void)state;
    assert_int_equal(aarch64_vcpu_ops.setup(&f.vcpu, &interrupt), AX_ENOTSUP);
    assert_int_equal(aarch64_vcpu_ops.setup(&f.vcpu, &timer), AX_ENOTSUP);
}

static void waiting_traps_only_when_asked_for(void **state)
{
    const Aarch64VCpuSetupConfig quiet = {.trap_wait = false};

    (void)state;
    assert_int_not_equal(f.vcpu.hcr & HCR_EL2_TWI, 0);
    assert_int_equal(aarch64_vcpu_ops.reset(&f.vcpu), AX_OK);
    assert_int_equal(aarch64_vcpu_ops.setup(&f.vcpu, &quiet), AX_OK);
    assert_int_equal(f.vcpu.hcr & HCR_EL2_TWI, 0);
}

static void a_guest_runs_with_the_controls_that_confine_it(void **state)
{
    const uint64_t set = HCR_EL2_VM | HCR_EL2_SWIO | HCR_EL2_PTW | HCR_EL2_FMO | HCR_EL2_IMO |
                         HCR_EL2_AMO | HCR_EL2_FB | HCR_EL2_BSU_IS | HCR_EL2_TID3 | HCR_EL2_TSC |
                         HCR_EL2_TIDCP | HCR_EL2_TACR | HCR_EL2_RW | HCR_EL2_TWI;
    const uint64_t clear = HCR_EL2_TGE | HCR_EL2_E2H | HCR_EL2_TVM | HCR_EL2_TTLB | HCR_EL2_TSW |
                           HCR_EL2_APK | HCR_EL2_API | HCR_EL2_ATA | HCR_EL2_VSE;

    (void)state;
    fixture_bind(&f);
    assert_int_equal(arm_sim.reg[ARM_REG_HCR_EL2] & (set | clear), set);
}

static void bind_loads_what_hardware_translates_with(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_VTTBR_EL2] = 0;
    f.percpu.host.hcr = HCR_EL2_IMO;
    fixture_bind(&f);
    assert_int_equal(arm_sim.reg[ARM_REG_VTCR_EL2], aarch64_vtcr(&f.percpu.features, &f.root));
    assert_int_equal(arm_sim.reg[ARM_REG_VTTBR_EL2] & VTTBR_EL2_BADDR, ROOT_BASE);
    assert_int_not_equal(ax_get(arm_sim.reg[ARM_REG_VTTBR_EL2], VTTBR_EL2_VMID), 0);
    assert_int_equal(arm_sim.reg[ARM_REG_VMPIDR_EL2], AX_BIT(31));
    assert_ptr_equal(f.vcpu.percpu, &f.percpu);

    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(arm_sim.reg[ARM_REG_HCR_EL2], HCR_EL2_IMO);
    assert_int_equal(arm_sim.reg[ARM_REG_VTTBR_EL2], f.percpu.host.vttbr);
    assert_int_equal(arm_sim.reg[ARM_REG_VTCR_EL2], f.percpu.host.vtcr);
    assert_null(f.vcpu.percpu);
}

static void the_last_register_a_bind_leaves_is_synchronised(void **state)
{
    (void)state;
    fixture_bind(&f);
    assert_int_equal(arm_sim.log[arm_sim.log_count - 1].op, ARM_SIM_ISB);
}

static void bind_and_unbind(Aarch64VCpu *vcpu)
{
    assert_int_equal(aarch64_vcpu_ops.bind(vcpu, &f.percpu), AX_OK);
    assert_int_equal(aarch64_vcpu_ops.unbind(vcpu), AX_OK);
}

static unsigned flushes(void)
{
    return arm_sim.ops[ARM_SIM_TLBI_VMALLE1] + arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1] +
           arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS];
}

static void siblings_on_one_pcpu_do_not_see_each_others_translations(void **state)
{
    static Aarch64VCpu sibling;

    (void)state;
    fixture_create_vcpu(&f, &sibling, 1);
    fixture_setup_vcpu(&f, &sibling);
    bind_and_unbind(&f.vcpu);
    arm_sim_clear_log();

    bind_and_unbind(&f.vcpu);
    assert_int_equal(flushes(), 0); // nobody else was here
    bind_and_unbind(&sibling);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLE1], 1);
    assert_int_equal(arm_sim.ops[ARM_SIM_IC_IALLU], 1);
    bind_and_unbind(&f.vcpu);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLE1], 2);
    assert_int_equal(flushes(), 2); // what stage 2 says is the same for both
}

static void another_vm_in_between_costs_no_flush(void **state)
{
    static Aarch64VCpu stranger;
    AxEptRoot root = {.base = ax_hpa(0x4a000000), .levels = 3, .gpa_bits = 40};

    (void)state;
    fixture_create_vcpu(&f, &stranger, 0);
    fixture_setup_vcpu(&f, &stranger);
    assert_int_equal(aarch64_vcpu_ops.set_ept_root(&stranger, &root), AX_OK);
    bind_and_unbind(&f.vcpu);
    bind_and_unbind(&stranger);
    arm_sim_clear_log();
    for (int i = 0; i < 3; i++) {
        bind_and_unbind(&f.vcpu);
        bind_and_unbind(&stranger);
    }
    assert_int_equal(flushes(), 0);
}

static void a_vm_that_is_new_to_a_pcpu_finds_no_entries_of_an_earlier_one(void **state)
{
    (void)state;
    fixture_bind(&f);
    for (size_t i = 0; i < arm_sim.log_count; i++) {
        if (arm_sim.log[i].op == ARM_SIM_TLBI_VMALLS12E1) {
            assert_int_equal(arm_sim.log[i].vttbr, arm_sim.reg[ARM_REG_VTTBR_EL2]);
            return;
        }
    }
    fail();
}

static void destroy_leaves_nothing(void **state)
{
    static const Aarch64VCpu zero;

    (void)state;
    aarch64_vcpu_ops.destroy(&f.vcpu);
    assert_memory_equal(&f.vcpu, &zero, sizeof(zero));
}

static void the_ops_table_is_complete(void **state)
{
    const AxArchVCpuOps *ops = &aarch64_vcpu_ops;

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
        TEST(an_mpidr_has_affinity_bits_only),
        TEST(a_new_vcpu_has_the_architectural_reset_state),
        TEST(reset_forgets_everything_but_what_create_gave),
        TEST(an_entry_is_aligned_to_an_instruction),
        TEST(a_root_that_hardware_cannot_walk_is_refused),
        TEST(passthrough_is_not_offered),
        TEST(waiting_traps_only_when_asked_for),
        TEST(a_guest_runs_with_the_controls_that_confine_it),
        TEST(bind_loads_what_hardware_translates_with),
        TEST(the_last_register_a_bind_leaves_is_synchronised),
        TEST(siblings_on_one_pcpu_do_not_see_each_others_translations),
        TEST(another_vm_in_between_costs_no_flush),
        TEST(a_vm_that_is_new_to_a_pcpu_finds_no_entries_of_an_earlier_one),
        TEST(destroy_leaves_nothing),
        TEST(the_ops_table_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
