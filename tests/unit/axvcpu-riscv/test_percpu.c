// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

static RISCVFixture f;

static int start(void **state)
{
    (void)state;
    fixture_start(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// Distinct values in all CSRs, cut to what each can hold; a G-stage in use.
static void fill_csrs(void)
{
    for (unsigned i = 0; i < RV_REG_COUNT; i++) {
        rv_sim.reg[i] |= (UINT64_C(0x5a5a5a5a5a5a5000) | i) & rv_sim.writable[i];
    }
    rv_sim.reg[RV_REG_HGATP] = UINT64_C(0x9123400000088000);
    rv_sim.reg[RV_REG_HVIP] = HIP_VSSIP;
    rv_sim.reg[RV_REG_HIE] = HIP_SGEIP | HIP_VSSIP;
    rv_sim.reg[RV_REG_HENVCFG] = HENVCFG_CBZE | HENVCFG_FIOM;
}

static void disable_puts_every_csr_back(void **state)
{
    uint64_t before[RV_REG_COUNT];

    (void)state;
    for (int extended = 0; extended < 2; extended++) {
        rv_sim_reset();
        rv_sim.missing[RV_REG_HSTATEEN0] = !extended;
        rv_sim.missing[RV_REG_VSTIMECMP] = !extended;
        fill_csrs();
        memcpy(before, rv_sim.reg, sizeof(before));
        assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
        assert_memory_not_equal(before, rv_sim.reg, sizeof(before));
        assert_int_equal(riscv_percpu_ops.disable(&f.percpu), AX_OK);
        for (unsigned i = 0; i < RV_REG_COUNT; i++) {
            if (before[i] != rv_sim.reg[i]) {
                fail_msg("%s changed", rv_sim_reg_name((RvReg)i));
            }
        }
        assert_false(f.percpu.enabled);
        assert_int_equal(rv_sim.illegal, 0);
    }
}

static bool fetch_wfi(uint64_t va, uint16_t *out)
{
    *out = va % 4 == 0 ? 0x0073 : 0x1050;
    return true;
}

// A whole life of a vCPU with a run in between leaves nothing behind, either.
static uint64_t wait(RISCVGuestRegs *regs)
{
    (void)regs;
    for (unsigned i = RV_REG_VSSTATUS; i <= RV_REG_VSATP; i++) {
        rv_sim.reg[i] = rv_sim.writable[i] & UINT64_C(0x1234567812345678);
    }
    rv_sim.reg[RV_REG_SCOUNTEREN] = 1;
    rv_sim.reg[RV_REG_SENVCFG] = 1;
    return CAUSE_VIRTUAL_INSTRUCTION;
}

// But those that are only a guest's, and those of traps, which no host leaves anything in.
static bool is_the_hosts(unsigned reg)
{
    return (reg < RV_REG_VSSTATUS || reg > RV_REG_VSATP || reg == RV_REG_VSIE ||
            reg == RV_REG_VSTIMECMP) &&
           reg != RV_REG_SEPC && reg != RV_REG_SCAUSE && reg != RV_REG_STVAL;
}

static void a_life_of_a_vcpu_leaves_every_csr_of_the_host_as_it_was(void **state)
{
    uint64_t before[RV_REG_COUNT];
    AxVCpuExit exit;

    (void)state;
    fill_csrs();
    rv_sim.reg[RV_REG_STVEC] = HOST_STVEC;
    rv_sim.reg[RV_REG_VSIE] = 0;
    rv_sim.guest = wait;
    rv_sim.hlvx_hu = fetch_wfi;
    memcpy(before, rv_sim.reg, sizeof(before));
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    fixture_create_vcpu(&f, &f.vcpu, 0);
    fixture_setup_vcpu(&f, &f.vcpu);
    fixture_bind(&f);
    assert_int_equal(riscv_vcpu_ops.run(&f.vcpu, &exit), AX_OK);
    assert_int_equal(exit.reason, AX_EXIT_IDLE);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(riscv_percpu_ops.disable(&f.percpu), AX_OK);
    for (unsigned i = 0; i < RV_REG_COUNT; i++) {
        if (is_the_hosts(i) && before[i] != rv_sim.reg[i]) {
            fail_msg("%s changed", rv_sim_reg_name((RvReg)i));
        }
    }
}

static void enable_delegates_what_is_the_guests(void **state)
{
    (void)state;
    rv_sim.reg[RV_REG_HCOUNTEREN] = UINT32_MAX;
    rv_sim.reg[RV_REG_HVIP] = HIP_VSSIP;
    rv_sim.reg[RV_REG_HIE] = HIP_SGEIP;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    assert_true(f.percpu.enabled);
    assert_int_equal(rv_sim.reg[RV_REG_HEDELEG], 0xb1ff);
    assert_int_equal(rv_sim.reg[RV_REG_HIDELEG], 0x444);
    assert_int_equal(rv_sim.reg[RV_REG_HCOUNTEREN], 7);
    assert_int_equal(rv_sim.reg[RV_REG_HENVCFG], HENVCFG_STCE);
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], 0);
    assert_int_equal(rv_sim.reg[RV_REG_HIE], 0);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], UINT64_MAX);
}

// Guest page faults, virtual instructions and calls from VS are never the guest's.
static void what_is_ours_is_not_delegated_even_where_it_could_be(void **state)
{
    (void)state;
    rv_sim.writable[RV_REG_HEDELEG] = UINT64_MAX;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(rv_sim.reg[RV_REG_HEDELEG] & 0xf00e00, 0);
}

// Host code between enable and bind runs under its own CSRs.
static void enable_leaves_the_hosts_own_controls_alone(void **state)
{
    static const RvReg host[] = {RV_REG_STVEC,      RV_REG_SSCRATCH, RV_REG_HSTATUS, RV_REG_SIE,
                                 RV_REG_SCOUNTEREN, RV_REG_SENVCFG,  RV_REG_SATP};

    (void)state;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    for (size_t i = 0; i < sizeof(host) / sizeof(host[0]); i++) {
        assert_int_equal(rv_sim.writes[host[i]], 0);
    }
}

static void enable_flushes_what_ran_in_vs_mode_before(void **state)
{
    (void)state;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_ALL], 1);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 1].op, RV_SIM_HFENCE_GVMA_ALL);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 2].op, RV_SIM_FENCE);
}

static void state_that_could_pass_between_guests_is_hidden_where_it_exists(void **state)
{
    (void)state;
    rv_sim.missing[RV_REG_HSTATEEN0] = false;
    rv_sim.reg[RV_REG_HSTATEEN0] = UINT64_MAX;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(rv_sim.reg[RV_REG_HSTATEEN0], HSTATEEN0_ENVCFG);
}

static void without_sstc_its_csr_is_not_touched(void **state)
{
    (void)state;
    rv_sim.missing[RV_REG_VSTIMECMP] = true;
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(rv_sim.reg[RV_REG_HENVCFG], 0);
    assert_int_equal(riscv_percpu_ops.disable(&f.percpu), AX_OK);
    assert_int_equal(rv_sim.reads[RV_REG_VSTIMECMP] + rv_sim.writes[RV_REG_VSTIMECMP], 0);
}

static void unfit_hardware_is_refused_and_nothing_changes(void **state)
{
    uint64_t before[RV_REG_COUNT];

    (void)state;
    rv_sim.gstage_modes = 1;
    memcpy(before, rv_sim.reg, sizeof(before));
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_ENOHW);
    assert_memory_equal(before, rv_sim.reg, sizeof(before));
    assert_false(f.percpu.enabled);
}

static void capabilities_follow_what_was_found(void **state)
{
    static const struct {
        uint32_t modes;
        uint64_t vmid;
        AxPerCpuCaps caps;
    } cases[] = {
        {0x101, 0, {3, 41, 0}},
        {0x301, 0x7f, {4, 50, 7}},
        {0x701, 0x3fff, {5, 59, 14}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AxPerCpuCaps caps;

        rv_sim.gstage_modes = cases[i].modes;
        rv_sim.writable[RV_REG_HGATP] = HGATP_MODE | HGATP_PPN | ax_put(cases[i].vmid, HGATP_VMID);
        assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
        caps = riscv_percpu_ops.caps(&f.percpu);
        assert_memory_equal(&caps, &cases[i].caps, sizeof(caps));
        assert_int_equal(riscv_percpu_ops.disable(&f.percpu), AX_OK);
    }
}

static void the_ops_table_is_complete(void **state)
{
    (void)state;
    assert_ptr_equal(f.percpu.hal, &f.host.hal);
    assert_int_equal(f.percpu.id, 0);
    assert_non_null(riscv_percpu_ops.name);
    assert_non_null(riscv_percpu_ops.caps);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(disable_puts_every_csr_back),
        TEST(a_life_of_a_vcpu_leaves_every_csr_of_the_host_as_it_was),
        TEST(enable_delegates_what_is_the_guests),
        TEST(what_is_ours_is_not_delegated_even_where_it_could_be),
        TEST(enable_leaves_the_hosts_own_controls_alone),
        TEST(enable_flushes_what_ran_in_vs_mode_before),
        TEST(state_that_could_pass_between_guests_is_hidden_where_it_exists),
        TEST(without_sstc_its_csr_is_not_touched),
        TEST(unfit_hardware_is_refused_and_nothing_changes),
        TEST(capabilities_follow_what_was_found),
        TEST(the_ops_table_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
