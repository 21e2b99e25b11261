// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

#define ROOTS 2000u

static AxEptRoot roots[ROOTS];
static ArmFixture f;

static int start(void **state)
{
    (void)state;
    memset(roots, 0, sizeof(roots));
    fixture_start_free(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static uint64_t acquire(AxEptRoot *root, uint8_t bits)
{
    uint64_t vmid = 0;

    assert_int_equal(aarch64_vmid_acquire(root, bits, &vmid), AX_OK);
    return vmid;
}

static unsigned flushes(void)
{
    return arm_sim.ops[ARM_SIM_TLBI_VMALLE1] + arm_sim.ops[ARM_SIM_TLBI_VMALLE1IS] +
           arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1] + arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS] +
           arm_sim.ops[ARM_SIM_TLBI_ALLE1];
}

static void as_many_vms_run_at_once_as_the_cpu_has_vmids(void **state)
{
    uint64_t vmid;

    (void)state;
    for (unsigned n = 0; n < 255; n++) {
        assert_in_range(acquire(&roots[n], 8), 1, 255);
    }
    assert_int_equal(aarch64_vmid_acquire(&roots[255], 8, &vmid), AX_ENOSPC);
    assert_in_range(acquire(&roots[255], 16), 256, 65535);
    aarch64_vmid_release(&roots[100]);
    assert_in_range(acquire(&roots[256], 8), 1, 255);
    for (unsigned n = 0; n < 257; n++) {
        if (n != 100) {
            aarch64_vmid_release(&roots[n]);
        }
    }
}

static void the_tables_are_walked_after_the_vmid_can_be_found(void **state)
{
    uint64_t found;

    (void)state;
    arm_sim_clear_log();
    const uint64_t vmid = acquire(&roots[0], 16);

    assert_int_equal(arm_sim.log[arm_sim.log_count - 1].op, ARM_SIM_DSB_ISH);
    aarch64_vmid_release(&roots[0]);
    assert_true(aarch64_vmid_find(&roots[0], &found)); // its entries are still there
    assert_int_equal(found, vmid);
}

static void a_vmid_that_changes_hands_is_flushed_where_it_is_met_and_not_before(void **state)
{
    const uint64_t vmid = acquire(&f.root, 8);
    unsigned n = 0;

    (void)state;
    aarch64_vmid_release(&f.root);
    assert_int_equal(aarch64_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    arm_sim_clear_log();
    while (acquire(&roots[n], 8) != vmid) {
        aarch64_vmid_release(&roots[n++]);
    }
    assert_int_equal(flushes(), 0);

    f.vcpu.ept = &roots[n];
    fixture_bind(&f);
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1], 1);
    assert_int_equal(arm_sim.ops[ARM_SIM_IC_IALLU], 1);
    assert_int_equal(flushes(), 1);
    assert_int_equal(aarch64_vcpu_ops.unbind(&f.vcpu), AX_OK);
    fixture_bind(&f);
    assert_int_equal(flushes(), 1);
    aarch64_vmid_release(&roots[n]);
}

// What the simulated CPU was told, without register accesses.
static size_t operations(ArmSimOp *ops, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < arm_sim.log_count && count < room; i++) {
        if (arm_sim.log[i].op >= ARM_SIM_ISB) {
            ops[count++] = arm_sim.log[i].op;
        }
    }
    return count;
}

static void check_order(ArmSimOp flush)
{
    const ArmSimOp order[] = {ARM_SIM_ISB, flush, ARM_SIM_IC_IALLU, ARM_SIM_DSB_NSH};
    ArmSimOp ops[8];

    arm_sim_clear_log();
    aarch64_vmid_flush(&f.vcpu);
    assert_int_equal(operations(ops, 8), sizeof(order) / sizeof(order[0]));
    assert_memory_equal(ops, order, sizeof(order));
}

static void a_flush_acts_on_the_vmid_just_written_and_is_over_before_the_entry(void **state)
{
    (void)state;
    fixture_bind(&f);
    f.percpu.residents = (AxTagResidents){0};
    check_order(ARM_SIM_TLBI_VMALLS12E1);
    f.vcpu.env.vcpu_id++;
    check_order(ARM_SIM_TLBI_VMALLE1);
}

static void a_fence_flushes_what_it_asks_for_or_more(void **state)
{
    static const struct {
        AxFence fence;
        ArmSimOp flush;
    } cases[] = {
        {{.instructions = true}, ARM_SIM_TLBI_VMALLE1},
        {{.translations = true, .size = 0x1000}, ARM_SIM_TLBI_VMALLE1},
        {{.nested = true}, ARM_SIM_TLBI_VMALLS12E1},
        {{.nested = true, .translations = true}, ARM_SIM_TLBI_VMALLS12E1},
    };

    (void)state;
    fixture_bind(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ArmSimOp order[] = {ARM_SIM_ISB, cases[i].flush, ARM_SIM_IC_IALLU, ARM_SIM_DSB_NSH};
        ArmSimOp ops[8];

        arm_sim_clear_log();
        assert_int_equal(axvcpu_events_post_fence(&f.events, &cases[i].fence), AX_OK);
        aarch64_fence(&f.vcpu);
        aarch64_fence(&f.vcpu);
        assert_int_equal(operations(ops, 8), 4); // once
        assert_memory_equal(ops, order, sizeof(order));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_many_vms_run_at_once_as_the_cpu_has_vmids),
        TEST(the_tables_are_walked_after_the_vmid_can_be_found),
        TEST(a_vmid_that_changes_hands_is_flushed_where_it_is_met_and_not_before),
        TEST(a_fence_flushes_what_it_asks_for_or_more),
        TEST(a_flush_acts_on_the_vmid_just_written_and_is_over_before_the_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
