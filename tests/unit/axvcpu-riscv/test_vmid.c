// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

#define VMS 300u

static RISCVFixture f;
static RISCVVCpu vcpus[VMS];
static AxEptRoot roots[VMS];

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

// A vCPU of a VM of its own.
static RISCVVCpu *stranger(unsigned n)
{
    RISCVVCpu *vcpu = &vcpus[n];

    roots[n] = (AxEptRoot){
        .base = ax_hpa(ROOT_BASE + (n + 1) * 4 * AX_PAGE_SIZE), .levels = 3, .gpa_bits = 41};
    fixture_create_vcpu(&f, vcpu, 0);
    fixture_setup_vcpu(&f, vcpu);
    assert_int_equal(riscv_vcpu_ops.set_ept_root(vcpu, &roots[n]), AX_OK);
    return vcpu;
}

static RISCVVCpu *sibling(void)
{
    fixture_create_vcpu(&f, &vcpus[0], 1);
    fixture_setup_vcpu(&f, &vcpus[0]);
    return &vcpus[0];
}

static void bind_and_unbind(RISCVVCpu *vcpu)
{
    assert_int_equal(riscv_vcpu_ops.bind(vcpu, &f.percpu), AX_OK);
    assert_int_equal(riscv_vcpu_ops.unbind(vcpu), AX_OK);
}

static unsigned flushes(void)
{
    unsigned count = 0;

    for (unsigned op = RV_SIM_HFENCE_GVMA_ALL; op < RV_SIM_OP_COUNT; op++) {
        count += rv_sim.ops[op];
    }
    return count;
}

// The n-th flush of the log.
static RvSimEvent flush_number(unsigned n)
{
    for (size_t i = 0; i < rv_sim.log_count; i++) {
        if (rv_sim.log[i].op >= RV_SIM_HFENCE_GVMA_ALL && n-- == 0) {
            return rv_sim.log[i];
        }
    }
    fail();
    return (RvSimEvent){0};
}

static void as_many_vms_run_at_once_as_the_hart_has_vmids(void **state)
{
    (void)state;
    f.percpu.features.vmid_bits = 7;
    for (unsigned n = 0; n < 127; n++) {
        stranger(n)->percpu = &f.percpu;
        assert_int_equal(riscv_vmid_acquire(&vcpus[n]), AX_OK);
        assert_in_range(vcpus[n].vmid, 1, 127);
    }
    assert_int_equal(riscv_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_ENOSPC);
    assert_null(f.vcpu.percpu);
    riscv_vmid_release(&vcpus[100]);
    assert_int_equal(riscv_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    for (unsigned n = 0; n < 127; n++) {
        if (n != 100) {
            riscv_vmid_release(&vcpus[n]);
        }
    }
}

static void the_tables_are_walked_after_the_vmid_can_be_found(void **state)
{
    uint64_t found;

    (void)state;
    f.vcpu.percpu = &f.percpu;
    assert_int_equal(riscv_vmid_acquire(&f.vcpu), AX_OK);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 1].op, RV_SIM_FENCE);
    riscv_vmid_release(&f.vcpu);
    f.vcpu.percpu = NULL;
    assert_true(riscv_vmid_find(&f.root, &found)); // its entries are still there
    assert_int_equal(found, f.vcpu.vmid);
}

static void a_vm_that_is_new_to_a_pcpu_finds_no_entries_of_an_earlier_one(void **state)
{
    (void)state;
    fixture_bind(&f);
    assert_int_equal(flushes(), 2);
    assert_int_equal(flush_number(0).op, RV_SIM_HFENCE_GVMA_VMID);
    assert_int_equal(flush_number(0).id, f.vcpu.vmid);
    assert_int_equal(flush_number(1).op, RV_SIM_HFENCE_VVMA_ALL);
    assert_int_equal(flush_number(1).hgatp, riscv_hgatp(&f.root, f.vcpu.vmid));
}

static void siblings_on_one_pcpu_do_not_see_each_others_translations(void **state)
{
    RISCVVCpu *other = sibling();

    (void)state;
    bind_and_unbind(&f.vcpu);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(flushes(), 0); // nobody else was here
    bind_and_unbind(other);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 2);
    assert_int_equal(flushes(), 2); // what the G-stage says is the same for both
}

// Harts do not hear each other's fences: what the guest flushed elsewhere is still here.
static void a_vcpu_that_was_elsewhere_finds_nothing_it_left_behind(void **state)
{
    static RISCVPerCpu elsewhere;

    (void)state;
    elsewhere = f.percpu;
    bind_and_unbind(&f.vcpu);
    assert_int_equal(riscv_vcpu_ops.bind(&f.vcpu, &elsewhere), AX_OK);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
    bind_and_unbind(&f.vcpu);
    assert_int_equal(flushes(), 1);
}

static void a_vcpu_that_was_reset_starts_with_an_empty_tlb(void **state)
{
    (void)state;
    bind_and_unbind(&f.vcpu);
    assert_int_equal(riscv_vcpu_ops.reset(&f.vcpu), AX_OK);
    fixture_setup_vcpu(&f, &f.vcpu);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
}

static void another_vm_in_between_costs_no_flush(void **state)
{
    RISCVVCpu *other = stranger(0);

    (void)state;
    bind_and_unbind(&f.vcpu);
    bind_and_unbind(other);
    rv_sim_clear_log();
    for (int i = 0; i < 3; i++) {
        bind_and_unbind(&f.vcpu);
        bind_and_unbind(other);
    }
    assert_int_equal(flushes(), 0);
}

static void without_vmids_every_bind_flushes(void **state)
{
    RISCVVCpu *other = stranger(0);

    (void)state;
    bind_and_unbind(other);
    assert_int_not_equal(other->vmid, 0);
    rv_sim_clear_log();
    f.percpu.features.vmid_bits = 0;
    for (unsigned i = 1; i < 4; i++) {
        bind_and_unbind(i % 2 != 0 ? other : &f.vcpu);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], i);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], i);
        assert_int_equal(vcpus[0].vmid, 0);
    }
}

static void a_vmid_that_changes_hands_is_flushed_where_it_is_met(void **state)
{
    uint64_t vmid;
    unsigned n = 0;

    (void)state;
    f.percpu.features.vmid_bits = 4;
    bind_and_unbind(&f.vcpu);
    assert_true(riscv_vmid_find(&f.root, &vmid));
    do {
        bind_and_unbind(stranger(n));
    } while (vcpus[n++].vmid != vmid && n < 100);
    assert_int_equal(vcpus[n - 1].vmid, vmid);
    rv_sim_clear_log();
    bind_and_unbind(&vcpus[n - 1]);
    assert_int_equal(flushes(), 0);
    assert_false(riscv_vmid_find(&f.root, &vmid));
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], 1);
}

// What ran here in between is nobody's business, but its entries are.
static void a_pcpu_that_was_disabled_remembers_nobody(void **state)
{
    (void)state;
    bind_and_unbind(&f.vcpu);
    assert_int_equal(riscv_percpu_ops.disable(&f.percpu), AX_OK);
    assert_int_equal(riscv_percpu_ops.enable(&f.percpu), AX_OK);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], 1);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
}

// Another pCPU changed the tables while this one did not look.
static void tables_that_changed_meanwhile_are_flushed_at_bind(void **state)
{
    (void)state;
    bind_and_unbind(&f.vcpu);
    atomic_fetch_add(&f.root.flushes, 1);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], 1);
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], 1);
}

// ---- fences ----

static void post(AxFence fence)
{
    assert_int_equal(axvcpu_events_post_fence(&f.events, &fence), AX_OK);
}

static void each_kind_of_fence_has_its_instruction(void **state)
{
    static const struct {
        AxFence fence;
        RvSimOp op;
        unsigned count;
        uint64_t value;
        uint64_t id;
    } cases[] = {
        {{.instructions = true}, RV_SIM_FENCE_I, 1, 0, 0},
        {{.translations = true}, RV_SIM_HFENCE_VVMA_ALL, 1, 0, 0},
        {{.translations = true, .has_asid = true, .asid = 0xffff},
         RV_SIM_HFENCE_VVMA_ASID,
         1,
         0,
         0xffff},
        {{.translations = true, .start = {0x5000}, .size = 1}, RV_SIM_HFENCE_VVMA_VA, 1, 0x5000, 0},
        {{.translations = true, .start = {0x5fff}, .size = 2}, RV_SIM_HFENCE_VVMA_VA, 2, 0x5000, 0},
        {{.translations = true, .start = {0x5000}, .size = 0x2000, .has_asid = true, .asid = 0},
         RV_SIM_HFENCE_VVMA,
         2,
         0x5000,
         0},
        {{.translations = true, .start = {0}, .size = 0x40000}, RV_SIM_HFENCE_VVMA_VA, 64, 0, 0},
        {{.translations = true, .start = {0}, .size = 0x40001}, RV_SIM_HFENCE_VVMA_ALL, 1, 0, 0},
        {{.translations = true, .start = {0x123}, .size = UINT64_MAX},
         RV_SIM_HFENCE_VVMA_ALL,
         1,
         0,
         0},
        {{.translations = true, .start = {0}, .size = UINT64_MAX, .has_asid = true, .asid = 3},
         RV_SIM_HFENCE_VVMA_ASID,
         1,
         0,
         3},
        {{.translations = true, .start = {UINT64_MAX}, .size = 2},
         RV_SIM_HFENCE_VVMA_VA,
         2,
         UINT64_C(0xfffffffffffff000),
         0},
        // no ASID is that large: all of them
        {{.translations = true, .has_asid = true, .asid = 0x10000},
         RV_SIM_HFENCE_VVMA_ALL,
         1,
         0,
         0},
        {{.translations = true, .start = {0x5000}, .size = 1, .has_asid = true, .asid = UINT64_MAX},
         RV_SIM_HFENCE_VVMA_VA,
         1,
         0x5000,
         0},
    };

    (void)state;
    fixture_bind(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rv_sim_clear_log();
        post(cases[i].fence);
        riscv_fence(&f.vcpu);
        assert_int_equal(rv_sim.ops[cases[i].op], cases[i].count);
        assert_int_equal(rv_sim.log_count, cases[i].count);
        assert_int_equal(rv_sim.log[0].value, cases[i].value);
        assert_int_equal(rv_sim.log[0].id, cases[i].id);
        assert_int_equal(rv_sim.log[0].hgatp, riscv_hgatp(&f.root, f.vcpu.vmid));
    }
}

static void a_recalled_guest_forgets_its_tables(void **state)
{
    (void)state;
    fixture_bind(&f);
    atomic_fetch_add(&f.root.flushes, 1);
    rv_sim_clear_log();
    post((AxFence){.nested = true, .translations = true, .instructions = true});
    riscv_fence(&f.vcpu);
    assert_int_equal(flush_number(0).op, RV_SIM_HFENCE_GVMA_VMID);
    assert_int_equal(flush_number(0).id, f.vcpu.vmid);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
    assert_int_equal(rv_sim.ops[RV_SIM_FENCE_I], 1); // other code may stand there
    assert_int_equal(rv_sim.log_count, 3);
}

// Whoever asks may know of a change that `flushes` does not tell.
static void a_nested_fence_is_carried_out_whatever_happened_before(void **state)
{
    (void)state;
    fixture_bind(&f);
    rv_sim_clear_log();
    for (unsigned i = 1; i < 4; i++) {
        post((AxFence){.nested = true});
        riscv_fence(&f.vcpu);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], i);
        assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], i);
    }
}

static void what_a_nested_fence_flushed_is_not_flushed_at_the_next_bind(void **state)
{
    (void)state;
    fixture_bind(&f);
    atomic_fetch_add(&f.root.flushes, 1);
    post((AxFence){.nested = true});
    riscv_fence(&f.vcpu);
    assert_int_equal(riscv_vcpu_ops.unbind(&f.vcpu), AX_OK);
    rv_sim_clear_log();
    bind_and_unbind(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_GVMA_VMID], 0);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 0);
}

static void all_fences_that_wait_are_taken_at_once(void **state)
{
    AxFence left;

    (void)state;
    fixture_bind(&f);
    post((AxFence){.translations = true, .start = {0x1000}, .size = 1});
    post((AxFence){.translations = true, .start = {0x2000}, .size = 1});
    post((AxFence){.instructions = true});
    rv_sim_clear_log();
    riscv_fence(&f.vcpu);
    assert_int_equal(rv_sim.ops[RV_SIM_FENCE_I], 1);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_ALL], 1);
    assert_false(axvcpu_events_take_fence(&f.events, &left));
}

static unsigned posts_left;

static void post_again(RvSimOp op)
{
    if (op == RV_SIM_FENCE_I && posts_left != 0) {
        posts_left--;
        post((AxFence){.instructions = true});
    }
}

static void siblings_that_keep_posting_do_not_hold_a_guest_up(void **state)
{
    AxFence left;

    (void)state;
    fixture_bind(&f);
    posts_left = 1000;
    rv_sim.fence_hook = post_again;
    post((AxFence){.instructions = true});
    post((AxFence){.translations = true, .start = {0x1000}, .size = 1}); // taken with it
    rv_sim_clear_log();
    riscv_fence(&f.vcpu);
    assert_int_equal(posts_left, 999);
    assert_int_equal(rv_sim.ops[RV_SIM_HFENCE_VVMA_VA], 1);
    assert_int_equal(rv_sim.log_count, 2);
    rv_sim.fence_hook = NULL;
    assert_true(axvcpu_events_take_fence(&f.events, &left)); // with its event: the next entry's
    assert_true((axvcpu_events_take_summary(&f.events) & AX_EVENT_FENCE) != 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(as_many_vms_run_at_once_as_the_hart_has_vmids),
        TEST(the_tables_are_walked_after_the_vmid_can_be_found),
        TEST(a_vm_that_is_new_to_a_pcpu_finds_no_entries_of_an_earlier_one),
        TEST(siblings_on_one_pcpu_do_not_see_each_others_translations),
        TEST(a_vcpu_that_was_elsewhere_finds_nothing_it_left_behind),
        TEST(a_vcpu_that_was_reset_starts_with_an_empty_tlb),
        TEST(another_vm_in_between_costs_no_flush),
        TEST(without_vmids_every_bind_flushes),
        TEST(a_vmid_that_changes_hands_is_flushed_where_it_is_met),
        TEST(a_pcpu_that_was_disabled_remembers_nobody),
        TEST(tables_that_changed_meanwhile_are_flushed_at_bind),
        TEST(each_kind_of_fence_has_its_instruction),
        TEST(a_recalled_guest_forgets_its_tables),
        TEST(a_nested_fence_is_carried_out_whatever_happened_before),
        TEST(what_a_nested_fence_flushed_is_not_flushed_at_the_next_bind),
        TEST(all_fences_that_wait_are_taken_at_once),
        TEST(siblings_that_keep_posting_do_not_hold_a_guest_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
