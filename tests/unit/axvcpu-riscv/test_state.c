// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

static RISCVFixture f;

static const RvReg hardware[RISCV_SYSREG_COUNT] = {
#define HARDWARE(reg) [RISCV_##reg] = RV_REG_##reg,
    RISCV_VS_REGS(HARDWARE)
#undef HARDWARE
};

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

// Something that register n can hold, different for each salt.
static uint64_t value_for(unsigned n, unsigned salt)
{
    return (UINT64_C(0x0101010101010101) * salt * 0x22 + n) & rv_sim.writable[hardware[n]];
}

static void bind_moves_each_csr_into_hardware(void **state)
{
    (void)state;
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        f.vcpu.sys[n] = value_for(n, 3);
    }
    fixture_bind(&f);
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        assert_int_equal(rv_sim.reg[hardware[n]] & rv_sim.writable[hardware[n]], value_for(n, 3));
        assert_int_equal(rv_sim.writes[hardware[n]], 1);
    }
}

static void unbind_moves_each_csr_into_memory(void **state)
{
    (void)state;
    fixture_bind(&f);
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        rv_sim.reg[hardware[n]] = value_for(n, 5);
    }
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        assert_int_equal(f.vcpu.sys[n], value_for(n, 5));
    }
}

// Tables of the guest would be walked with the next one's hgatp; an interrupt that stays enabled
// would end the host's WFI.
static void unbind_leaves_nothing_that_acts(void **state)
{
    (void)state;
    f.percpu.host.scounteren = 7;
    f.percpu.host.senvcfg = 1;
    f.vcpu.sys[RISCV_VSATP] = UINT64_C(0x8000000000080000);
    f.vcpu.sys[RISCV_VSIE] = SIP_STIP;
    f.vcpu.sys[RISCV_SCOUNTEREN] = 2;
    f.vcpu.interrupts.hvip = HIP_VSSIP;
    f.vcpu.timer.deadline = 5;
    f.percpu.host.hvip = 0;
    fixture_bind(&f);
    assert_int_equal(rv_sim.reg[RV_REG_SCOUNTEREN], 2);
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], HIP_VSSIP);
    assert_int_equal(rv_sim.reg[RV_REG_VSTIMECMP], 5);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(rv_sim.reg[RV_REG_VSATP], 0);
    assert_int_equal(rv_sim.reg[RV_REG_VSIE], 0);
    assert_int_equal(rv_sim.reg[RV_REG_HIP], 0);
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], 0);
    assert_int_not_equal(rv_sim.reg[RV_REG_VSTIMECMP], 5);
    assert_int_equal(rv_sim.reg[RV_REG_SCOUNTEREN], 7);
    assert_int_equal(rv_sim.reg[RV_REG_SENVCFG], 1);
    assert_int_equal(rv_sim.reg[RV_REG_HGATP], f.percpu.host.hgatp);
}

static void hgatp_changes_only_while_the_guest_has_no_tables(void **state)
{
    (void)state;
    f.vcpu.sys[RISCV_VSATP] = UINT64_C(0x8000000000080000);
    for (int i = 0; i < 2; i++) {
        fixture_bind(&f);
        assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    }
    uint64_t vsatp = 0;

    for (size_t i = 0; i < rv_sim.log_count; i++) {
        const RvSimEvent *event = &rv_sim.log[i];

        if (event->op == RV_SIM_WRITE && event->reg == RV_REG_VSATP) {
            vsatp = event->value;
        }
        assert_false(event->op == RV_SIM_WRITE && event->reg == RV_REG_HGATP && vsatp != 0);
    }
    assert_int_equal(rv_sim.writes[RV_REG_HGATP], 4);
}

// The registers are listed twice, for storage and for hardware: no two may be mixed up.
static void each_register_has_hardware_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < RISCV_SYSREG_COUNT; a++) {
        for (unsigned b = 0; b < a; b++) {
            assert_int_not_equal(hardware[a], hardware[b]);
        }
    }
}

static void a_register_is_found_where_it_lives(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
            const uint32_t writes = rv_sim.writes[hardware[n]];

            riscv_sysreg_set(&f.vcpu, (RISCVSysReg)n, value_for(n, 1));
            riscv_sysreg_set(&f.vcpu, (RISCVSysReg)n, value_for(n, 2));
            assert_int_equal(riscv_sysreg_get(&f.vcpu, (RISCVSysReg)n) &
                                 rv_sim.writable[hardware[n]],
                             value_for(n, 2));
            assert_int_equal(rv_sim.writes[hardware[n]] - writes, bound ? 2 : 0);
        }
        if (!bound) {
            assert_int_equal(rv_sim.log_count, 0);
            fixture_bind(&f);
        }
    }
}

static void a_register_beyond_the_list_reads_0_and_ignores_writes(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        const size_t logged = rv_sim.log_count;

        riscv_sysreg_set(&f.vcpu, RISCV_SYSREG_COUNT, 1);
        assert_int_equal(riscv_sysreg_get(&f.vcpu, RISCV_SYSREG_COUNT), 0);
        assert_int_equal(rv_sim.log_count, logged);
        if (!bound) {
            fixture_bind(&f);
        }
    }
}

static void the_mode_of_the_guest_is_found_where_it_lives(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        f.vcpu.live = live;
        rv_sim.reg[RV_REG_HSTATUS] = f.vcpu.hstatus;
        rv_sim.reg[RV_REG_SSTATUS] |= SSTATUS_SPP;
        riscv_set_guest_mode(&f.vcpu, false);
        assert_false(riscv_guest_is_supervisor(&f.vcpu));
        assert_int_equal(f.vcpu.sstatus & SSTATUS_SPP, live ? SSTATUS_SPP : 0);
        assert_int_equal(rv_sim.reg[RV_REG_HSTATUS] & HSTATUS_SPVP, live ? 0 : HSTATUS_SPVP);
        assert_int_equal(rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_SPP, live ? 0 : SSTATUS_SPP);
        riscv_set_guest_mode(&f.vcpu, true);
        assert_true(riscv_guest_is_supervisor(&f.vcpu));
        assert_int_equal(f.vcpu.sstatus & SSTATUS_SPP, SSTATUS_SPP);
    }
    f.vcpu.live = false;
}

static void fp_is_in_the_registers_from_bind_on(void **state)
{
    (void)state;
    f.vcpu.fp.f[7] = 77;
    f.vcpu.fp.fcsr = 8;
    fixture_bind(&f);
    assert_int_equal(rv_sim.f[7], 77);
    assert_int_equal(rv_sim.fcsr, 8);
    assert_int_equal(f.vcpu.sstatus & SSTATUS_FS, SSTATUS_FS_CLEAN);
    assert_int_equal(rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_FS, 0); // the host's
}

static void clean_fp_is_not_saved(void **state)
{
    (void)state;
    fixture_bind(&f);
    memset(rv_sim.f, 0xbb, sizeof(rv_sim.f)); // somebody else's
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(rv_sim.ops[RV_SIM_FP_SAVE], 0);
    assert_int_equal(f.vcpu.fp.f[0], 0);
}

// FP accesses of the hypervisor would trap while the host has its own switched off.
static void dirty_fp_is_saved_and_the_hosts_sstatus_put_back(void **state)
{
    (void)state;
    fixture_bind(&f);
    f.vcpu.sstatus |= SSTATUS_FS_DIRTY;
    memset(rv_sim.f, 0xcc, sizeof(rv_sim.f));
    rv_sim.fcsr = 3;
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.fp.f[31], UINT64_C(0xcccccccccccccccc));
    assert_int_equal(f.vcpu.fp.fcsr, 3);
    assert_int_equal(rv_sim.reg[RV_REG_SSTATUS], SSTATUS_UXL_64 | SSTATUS_SIE);
}

// QEMU 7.2: a guest that writes fcsr alone makes its own FS dirty only.
static void fp_that_is_dirty_in_the_guests_eyes_is_saved(void **state)
{
    (void)state;
    fixture_bind(&f);
    rv_sim.reg[RV_REG_VSSTATUS] |= SSTATUS_FS_DIRTY;
    rv_sim.fcsr = 0x60;
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(f.vcpu.fp.fcsr, 0x60);
}

static void a_hart_without_fp_is_not_asked_for_it(void **state)
{
    (void)state;
    f.percpu.features.has_fp = false;
    f.vcpu.fp.f[1] = 5;
    rv_sim.writable[RV_REG_SSTATUS] &= ~SSTATUS_FS;
    fixture_bind(&f);
    assert_int_equal(f.vcpu.sstatus & SSTATUS_FS, 0);
    rv_sim.reg[RV_REG_VSSTATUS] |= SSTATUS_FS_DIRTY;
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(rv_sim.ops[RV_SIM_FP_LOAD] + rv_sim.ops[RV_SIM_FP_SAVE], 0);
    assert_int_equal(f.vcpu.fp.f[1], 5);
}

static void fp_is_off_on_a_hart_without_it_after_one_with_it(void **state)
{
    (void)state;
    fixture_bind(&f);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    f.percpu.features.has_fp = false;
    fixture_bind(&f);
    assert_int_equal(f.vcpu.sstatus & SSTATUS_FS, 0);
}

static void fp_of_two_vcpus_does_not_mix(void **state)
{
    static RISCVVCpu other;

    (void)state;
    fixture_create_vcpu(&f, &other, 1);
    fixture_setup_vcpu(&f, &other);
    fixture_bind(&f);
    memset(rv_sim.f, 0x11, sizeof(rv_sim.f));
    f.vcpu.sstatus |= SSTATUS_FS_DIRTY;
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);

    assert_int_equal(riscv_vcpu_ops.bind(&other, &f.percpu), AX_OK);
    for (unsigned n = 0; n < 32; n++) {
        assert_int_equal(rv_sim.f[n], 0);
    }
    assert_int_equal(riscv_vcpu_ops.unbind(&other), AX_OK);

    fixture_bind(&f);
    assert_int_equal(rv_sim.f[0], UINT64_C(0x1111111111111111));
}

// All that one guest left in hardware is the next one's own before it runs.
static void no_csr_of_one_guest_reaches_the_next(void **state)
{
    static RISCVVCpu other;

    (void)state;
    fixture_create_vcpu(&f, &other, 1);
    fixture_setup_vcpu(&f, &other);
    fixture_bind(&f);
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        rv_sim.reg[hardware[n]] = value_for(n, 9);
    }
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(riscv_vcpu_ops.bind(&other, &f.percpu), AX_OK);
    for (unsigned n = 0; n < RISCV_SYSREG_COUNT; n++) {
        assert_int_equal(rv_sim.reg[hardware[n]], n == RISCV_VSSTATUS ? SSTATUS_UXL_64 : 0);
    }
    assert_int_equal(riscv_vcpu_ops.unbind(&other), AX_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bind_moves_each_csr_into_hardware),
        TEST(unbind_moves_each_csr_into_memory),
        TEST(unbind_leaves_nothing_that_acts),
        TEST(hgatp_changes_only_while_the_guest_has_no_tables),
        TEST(each_register_has_hardware_of_its_own),
        TEST(a_register_is_found_where_it_lives),
        TEST(a_register_beyond_the_list_reads_0_and_ignores_writes),
        TEST(the_mode_of_the_guest_is_found_where_it_lives),
        TEST(fp_is_in_the_registers_from_bind_on),
        TEST(clean_fp_is_not_saved),
        TEST(dirty_fp_is_saved_and_the_hosts_sstatus_put_back),
        TEST(fp_that_is_dirty_in_the_guests_eyes_is_saved),
        TEST(a_hart_without_fp_is_not_asked_for_it),
        TEST(fp_is_off_on_a_hart_without_it_after_one_with_it),
        TEST(fp_of_two_vcpus_does_not_mix),
        TEST(no_csr_of_one_guest_reaches_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
