// SPDX-License-Identifier: Apache-2.0
// Fences between vCPUs: who gets them, and that nobody is in the guest with what they remove.
#include "vm_fixture.h"

#include <pthread.h>

#define FENCE_ALL ((AxFence){.translations = true})

static int set_up_fence(void **state)
{
    set_up(state);
    assert_error(create(), AX_OK);
    assert_error(axvm_boot(&fx.vm), AX_OK);
    return 0;
}

#define FENCE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_fence, tear_down)

// One exit of vCPU 0 that must be answered with `wanted`, then IDLE.
static void run_exit(AxVCpuExit exit, AxError wanted)
{
    const AxVCpuExit *last = NULL;

    assert_true(fake_push_exit(fake(0), exit));
    assert_true(fake_push_reason(fake(0), AX_EXIT_IDLE));
    assert_error(axvm_run_vcpu(&fx.vm, 0, &fx.percpu[0], &last), AX_OK);
    assert_int_equal(last->reason, AX_EXIT_IDLE);
    assert_error(fake(0)->answer_result, wanted);
}

static AxVCpuExit fence_exit(uint64_t cpu, uint64_t list, AxFence fence)
{
    return (AxVCpuExit){.reason = AX_EXIT_REMOTE_FENCE,
                        .remote_fence = {.target_cpu = cpu, .target_list = list, .fence = fence}};
}

// Which vCPUs have a fence to carry out, as a bitmap; vCPU 0 has done so already.
static uint32_t who_got_one(void)
{
    uint32_t who = fake(0)->fences_taken;
    AxFence fence;

    fake(0)->fences_taken = 0;
    for (AxVCpuId id = 1; id < fx.vm.vcpu_count; id++) {
        who |= (uint32_t)axvcpu_events_take_fence(&axvm_vcpu(&fx.vm, id)->events, &fence) << id;
    }
    return who;
}

// ---- who ----

static void fences_reach_those_that_are_named(void **state)
{
    static const struct {
        uint64_t cpu;
        uint64_t list;
        bool to_all;
        uint32_t who;
    } cases[] = {
        {0, 0x1, false, 0x1}, {0, 0x7, false, 0x7}, {1, 0x1, false, 0x2}, {2, 0x1, false, 0x4},
        {1, 0x3, false, 0x6}, {0, 0, false, 0},     {77, 0, false, 0},    {0, 0, true, 0x7},
        {9, 0xff, true, 0x7}, {0, 0x6, false, 0x6},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AxVCpuExit exit = fence_exit(cases[i].cpu, cases[i].list, FENCE_ALL);

        exit.remote_fence.to_all = cases[i].to_all;
        run_exit(exit, AX_OK);
        assert_int_equal(who_got_one(), cases[i].who);
    }
}

static void one_wrong_target_and_nobody_gets_anything(void **state)
{
    static const struct {
        uint64_t cpu;
        uint64_t list;
    } cases[] = {
        {0, 0x8},
        {0, 0xf},
        {0, UINT64_C(1) << 63},
        {2, 0x2},
        {3, 0x1},
        {UINT64_MAX, 0x2}, // would be CPU 0 if it wrapped
        {UINT64_MAX - 62, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run_exit(fence_exit(cases[i].cpu, cases[i].list, FENCE_ALL), AX_EINVAL);
        assert_int_equal(who_got_one(), 0);
    }
}

static void addresses_that_are_far_apart_are_not_mixed_up(void **state)
{
    (void)state;
    fx.vm.vcpus[2].cpu_address = 64;
    run_exit(fence_exit(0, 0x1, FENCE_ALL), AX_OK);
    assert_int_equal(who_got_one(), 0x1);
    run_exit(fence_exit(1, UINT64_C(1) << 63, FENCE_ALL), AX_OK);
    assert_int_equal(who_got_one(), 0x4);
    run_exit(fence_exit(64, 0x1, FENCE_ALL), AX_OK);
    assert_int_equal(who_got_one(), 0x4);
}

static void a_fence_of_nothing_is_refused(void **state)
{
    (void)state;
    run_exit(fence_exit(0, 7, (AxFence){.has_asid = true, .size = 4096}), AX_EINVAL);
    assert_int_equal(who_got_one(), 0);
}

static void a_fence_arrives_as_it_was_asked_for(void **state)
{
    const AxFence asked = {.translations = true,
                           .has_asid = true,
                           .asid = 7,
                           .start = ax_gva(0x12345000),
                           .size = 0x3000};
    AxFence fence = {0};

    (void)state;
    run_exit(fence_exit(1, 1, asked), AX_OK);
    assert_true(axvcpu_events_take_fence(&axvm_vcpu(&fx.vm, 1)->events, &fence));
    assert_true(fence.translations && fence.has_asid);
    assert_false(fence.instructions || fence.nested);
    assert_int_equal(fence.asid, 7);
    assert_int_equal(fence.start.value, 0x12345000);
    assert_int_equal(fence.size, 0x3000);
}

// ---- nested tables ----

#define PAGE GIB(2)

static void unmapping_recalls_every_vcpu(void **state)
{
    (void)state;
    assert_error(axvm_map_ram(&fx.vm.memory, ax_gpa(PAGE), KIB(4), AX_MAP_READ, true), AX_OK);
    assert_int_equal(who_got_one(), 0);
    assert_error(axvm_unmap(&fx.vm.memory, ax_gpa(PAGE), KIB(4)), AX_OK);
    for (AxVCpuId id = 0; id < fx.vm.vcpu_count; id++) {
        AxFence fence = {0};

        assert_true(axvcpu_events_take_fence(&axvm_vcpu(&fx.vm, id)->events, &fence));
        assert_true(fence.nested);
    }
}

static void nobody_is_recalled_before_there_are_vcpus_or_after(void **state)
{
    AxAddrSpace *memory = &fx.vm.memory;

    (void)state;
    assert_ptr_equal(memory->root.owner, &fx.vm);
    assert_non_null(memory->root.recall);
    // Taking the VM apart unmaps what there is: that must not look at vCPUs that are gone.
    assert_error(axvm_map_ram(memory, ax_gpa(PAGE), KIB(64), AX_MAP_READ, true), AX_OK);
    assert_error(axvm_destroy(&fx.vm), AX_OK);
    assert_null(memory->root.recall);
}

// ---- in the guest ----

// vCPU 1 on pCPU 1, in a thread of its own: it holds a translation of PAGE from the fault that
// brought it until a fence, and sits in the guest until it is kicked.
typedef struct Holder {
    atomic_bool in_guest;
    atomic_bool kicked;
    atomic_bool gone; // PAGE is unmapped and its frame may be anybody's
    _Atomic uint32_t stale;
    bool asked;
    bool holds;
    uint32_t fences;
    uint32_t faults;
} Holder;

static Holder holder;

static void on_kick(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    if (pcpu == 1) {
        atomic_store(&holder.kicked, true);
    }
}

static void sit_in_the_guest(void)
{
    atomic_store(&holder.in_guest, true);
    while (!atomic_exchange(&holder.kicked, false)) {
        if (atomic_load(&holder.gone)) {
            atomic_fetch_add(&holder.stale, 1);
        }
    }
    atomic_store(&holder.in_guest, false);
}

static AxError hold_a_translation(FakeVCpu *vcpu, AxVCpuExit *exit)
{
    static const AxVCpuExit fault = {
        .reason = AX_EXIT_NESTED_PAGE_FAULT,
        .page_fault = {.addr = {PAGE}, .access = AX_MAP_READ},
    };
    const bool refused = vcpu->calls[FAKE_COMPLETE_FAULT] != holder.faults;

    holder.holds = (holder.holds || holder.asked) && vcpu->fences_taken == holder.fences;
    holder.fences = vcpu->fences_taken;
    holder.asked = false;
    if (refused) {
        *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    } else if (holder.holds) {
        sit_in_the_guest();
        *exit = (AxVCpuExit){.reason = AX_EXIT_HYPERCALL};
    } else {
        holder.asked = true;
        *exit = fault;
    }
    return AX_OK;
}

static void *run_holder(void *unused)
{
    const AxVCpuExit *exit = NULL;

    (void)unused;
    fake_hal_set_pcpu(1);
    holder.holds = false;
    holder.asked = false;
    holder.fences = fake(1)->fences_taken;
    holder.faults = fake(1)->calls[FAKE_COMPLETE_FAULT];
    do {
        assert_error(axvm_run_vcpu(&fx.vm, 1, &fx.percpu[1], &exit), AX_OK);
    } while (exit->reason != AX_EXIT_IDLE);
    return NULL;
}

static void power_up(AxVCpuId id)
{
    run_exit(
        (AxVCpuExit){.reason = AX_EXIT_CPU_UP,
                     .cpu_up = {.target_cpu = axvcpu_arch_cpu_address(id), .entry = ax_gpa(RAM)}},
        AX_OK);
}

static void nobody_uses_a_page_that_is_unmapped(void **state)
{
    (void)state;
    memset(&holder, 0, sizeof(holder));
    fx.host.on_kick = on_kick;
    power_up(1);
    fake(1)->guest = hold_a_translation;
    for (uint32_t round = 0; round < 30; round++) {
        pthread_t thread;

        atomic_store(&holder.gone, false);
        assert_error(axvm_map_ram(&fx.vm.memory, ax_gpa(PAGE), KIB(4), AX_MAP_READ, true), AX_OK);
        assert_int_equal(pthread_create(&thread, NULL, run_holder, NULL), 0);
        while (!atomic_load(&holder.in_guest)) {
        }
        assert_error(axvm_unmap(&fx.vm.memory, ax_gpa(PAGE), KIB(4)), AX_OK);
        atomic_store(&holder.gone, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_int_equal(atomic_load(&holder.stale), 0);
}

// ---- all at once ----

#define FENCES_EACH 500u

static uint32_t left[2];

static AxError fence_everybody(FakeVCpu *vcpu, AxVCpuExit *exit)
{
    uint32_t *mine = vcpu->guest_ctx;

    *exit = fence_exit(0, 3, FENCE_ALL);
    exit->remote_fence.to_all = *mine % 2 == 0;
    if ((*mine)-- == 0) {
        *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    }
    return AX_OK;
}

static void *run_fences(void *argument)
{
    const AxVCpuId id = (AxVCpuId)(uintptr_t)argument;
    const AxVCpuExit *exit = NULL;

    fake_hal_set_pcpu(id);
    left[id] = FENCES_EACH;
    do {
        assert_error(axvm_run_vcpu(&fx.vm, id, &fx.percpu[id], &exit), AX_OK);
    } while (exit->reason != AX_EXIT_IDLE);
    return NULL;
}

static void vcpus_that_fence_each_other_go_on(void **state)
{
    pthread_t threads[2];

    (void)state;
    power_up(1);
    for (uintptr_t id = 0; id < 2; id++) {
        fake((AxVCpuId)id)->guest = fence_everybody;
        fake((AxVCpuId)id)->guest_ctx = &left[id];
        assert_int_equal(pthread_create(&threads[id], NULL, run_fences, (void *)id), 0);
    }
    for (size_t id = 0; id < 2; id++) {
        assert_int_equal(pthread_join(threads[id], NULL), 0);
        assert_error(fake((AxVCpuId)id)->answer_result, AX_OK);
        assert_true(fake((AxVCpuId)id)->fences_taken > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FENCE_TEST(fences_reach_those_that_are_named),
        FENCE_TEST(one_wrong_target_and_nobody_gets_anything),
        FENCE_TEST(addresses_that_are_far_apart_are_not_mixed_up),
        FENCE_TEST(a_fence_of_nothing_is_refused),
        FENCE_TEST(a_fence_arrives_as_it_was_asked_for),
        FENCE_TEST(unmapping_recalls_every_vcpu),
        FENCE_TEST(nobody_is_recalled_before_there_are_vcpus_or_after),
        FENCE_TEST(nobody_uses_a_page_that_is_unmapped),
        FENCE_TEST(vcpus_that_fence_each_other_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
