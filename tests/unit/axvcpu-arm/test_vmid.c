// SPDX-License-Identifier: Apache-2.0
#include "arm_fixture.h"

#include <pthread.h>

#define ROOTS   2000u
#define THREADS 4u

static AxEptRoot roots[ROOTS];
static int owner_of[65536]; // model: which root had this VMID last, -1 for none
static int uses[ROOTS];     // model: how often the root is acquired

static int start(void **state)
{
    (void)state;
    memset(roots, 0, sizeof(roots));
    memset(uses, 0, sizeof(uses));
    for (unsigned i = 0; i < 65536; i++) {
        owner_of[i] = -1;
    }
    arm_sim_reset();
    return 0;
}

static uint64_t acquire(unsigned n)
{
    uint64_t vmid = 0;

    assert_int_equal(aarch64_vmid_acquire(&roots[n], 16, &vmid), AX_OK);
    return vmid;
}

static void a_vm_keeps_its_vmid(void **state)
{
    const uint64_t vmid = acquire(0);

    (void)state;
    assert_in_range(vmid, 1, 65535);
    assert_int_equal(acquire(0), vmid); // a sibling
    aarch64_vmid_release(&roots[0]);
    aarch64_vmid_release(&roots[0]);
    arm_sim_clear_log();
    assert_int_equal(acquire(0), vmid); // and after a while
    assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS], 0);
    aarch64_vmid_release(&roots[0]);
}

static void only_a_root_with_a_vmid_is_found(void **state)
{
    uint64_t vmid = 0;
    uint64_t found = 0;

    (void)state;
    assert_false(aarch64_vmid_find(&roots[0], &found));
    vmid = acquire(0);
    assert_true(aarch64_vmid_find(&roots[0], &found));
    assert_int_equal(found, vmid);
    aarch64_vmid_release(&roots[0]);
    assert_true(aarch64_vmid_find(&roots[0], &found)); // its entries are still there
    assert_int_equal(found, vmid);
}

static bool was_flushed(uint64_t vmid)
{
    for (size_t i = 0; i < arm_sim.log_count; i++) {
        if (arm_sim.log[i].op == ARM_SIM_TLBI_VMALLS12E1IS &&
            arm_get(arm_sim.log[i].vttbr, VTTBR_EL2_VMID) == vmid) {
            return true;
        }
    }
    return false;
}

static unsigned random_number(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

// Against a model: a VMID is with one VM at a time, and was flushed when it went to another.
static void check_acquire(unsigned n)
{
    uint64_t vmid;

    arm_sim_clear_log();
    vmid = acquire(n);
    if (owner_of[vmid] >= 0 && owner_of[vmid] != (int)n) {
        assert_int_equal(uses[owner_of[vmid]], 0);
        assert_true(was_flushed(vmid));
    }
    if (uses[n] > 0) {
        assert_int_equal(owner_of[vmid], n);
    }
    owner_of[vmid] = (int)n;
    uses[n]++;
}

static void more_vms_than_vmids_take_turns(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (unsigned step = 0; step < 40000; step++) {
        const unsigned n = random_number(&seed) % ROOTS;

        if (uses[n] > 0 && random_number(&seed) % 16 != 0) {
            aarch64_vmid_release(&roots[n]);
            uses[n]--;
        } else if (step % 1000 < 500) {
            check_acquire(n);
        }
    }
    for (unsigned n = 0; n < ROOTS; n++) {
        for (; uses[n] > 0; uses[n]--) {
            aarch64_vmid_release(&roots[n]);
        }
    }
}

static void a_vm_that_lost_its_vmid_has_nothing_to_flush_and_gets_another(void **state)
{
    uint64_t found;
    const uint64_t vmid = acquire(0);

    (void)state;
    aarch64_vmid_release(&roots[0]);
    for (unsigned n = 1; n < ROOTS && aarch64_vmid_find(&roots[0], &found); n++) {
        acquire(n);
        aarch64_vmid_release(&roots[n]);
    }
    assert_false(aarch64_vmid_find(&roots[0], &found));
    assert_true(was_flushed(vmid));
    acquire(0);
    assert_true(aarch64_vmid_find(&roots[0], &found));
    aarch64_vmid_release(&roots[0]);
}

static void with_8_bits_255_vms_run_at_once(void **state)
{
    static bool taken[256];
    uint64_t vmid;

    (void)state;
    memset(taken, 0, sizeof(taken));
    for (unsigned n = 0; n < 255; n++) {
        assert_int_equal(aarch64_vmid_acquire(&roots[n], 8, &vmid), AX_OK);
        assert_in_range(vmid, 1, 255);
        assert_false(taken[vmid]);
        taken[vmid] = true;
    }
    assert_int_equal(aarch64_vmid_acquire(&roots[255], 8, &vmid), AX_ENOSPC);
    assert_int_equal(roots[255].tag, 0);
    aarch64_vmid_release(&roots[100]);
    assert_int_equal(aarch64_vmid_acquire(&roots[255], 8, &vmid), AX_OK);
    for (unsigned n = 0; n < 256; n++) {
        if (n != 100) {
            aarch64_vmid_release(&roots[n]);
        }
    }
}

static void a_flush_of_a_vmid_leaves_the_current_one_in_place(void **state)
{
    (void)state;
    arm_sim.reg[ARM_REG_VTTBR_EL2] = UINT64_C(0x0001000048000000);
    for (unsigned n = 0; n < ROOTS; n++) {
        acquire(n);
        aarch64_vmid_release(&roots[n]);
    }
    assert_true(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS] > 0);
    assert_int_equal(arm_sim.reg[ARM_REG_VTTBR_EL2], UINT64_C(0x0001000048000000));
}

// ---- several pCPUs: a thread each, with its own simulated registers ----

static _Atomic int holder[65536]; // root + 1 that uses the VMID now
static _Atomic int holders[65536];
static _Atomic unsigned faults;

static void enter_as(unsigned n, uint64_t vmid)
{
    int nobody = 0;

    atomic_fetch_add(&holders[vmid], 1);
    if (!atomic_compare_exchange_strong(&holder[vmid], &nobody, (int)n + 1) &&
        nobody != (int)n + 1) {
        atomic_fetch_add(&faults, 1);
    }
}

static void leave(uint64_t vmid)
{
    if (atomic_fetch_sub(&holders[vmid], 1) == 1) {
        atomic_store(&holder[vmid], 0);
    }
}

static void *run_pcpu(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;

    arm_sim_reset();
    for (unsigned step = 0; step < 20000; step++) {
        const unsigned n = random_number(&seed) % 300;
        uint64_t vmid;

        // 8 bits: they fight for 255 VMIDs.
        if (aarch64_vmid_acquire(&roots[n], 8, &vmid) != AX_OK) {
            atomic_fetch_add(&faults, 1);
            continue;
        }
        enter_as(n, vmid);
        leave(vmid);
        aarch64_vmid_release(&roots[n]);
        arm_sim_clear_log();
    }
    return NULL;
}

static void pcpus_never_share_a_vmid_between_vms(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_pcpu, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(faults, 0);
}

// Siblings that are bound at the same time on new pCPUs must end up with one VMID.
static _Atomic unsigned ready;

static void *bind_sibling(void *argument)
{
    uint64_t *vmid = argument;

    arm_sim_reset();
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < THREADS) {
    }
    (void)!aarch64_vmid_acquire(&roots[0], 16, vmid);
    return NULL;
}

static void siblings_that_start_together_agree_on_a_vmid(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pthread_t threads[THREADS];
        uint64_t vmid[THREADS] = {0};

        roots[0].tag = 0;
        atomic_store(&ready, 0);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, bind_sibling, &vmid[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_not_equal(vmid[i], 0);
            assert_int_equal(vmid[i], vmid[0]);
            aarch64_vmid_release(&roots[0]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vm_keeps_its_vmid, start),
        cmocka_unit_test_setup(only_a_root_with_a_vmid_is_found, start),
        cmocka_unit_test_setup(more_vms_than_vmids_take_turns, start),
        cmocka_unit_test_setup(a_vm_that_lost_its_vmid_has_nothing_to_flush_and_gets_another,
                               start),
        cmocka_unit_test_setup(with_8_bits_255_vms_run_at_once, start),
        cmocka_unit_test_setup(a_flush_of_a_vmid_leaves_the_current_one_in_place, start),
        cmocka_unit_test_setup(pcpus_never_share_a_vmid_between_vms, start),
        cmocka_unit_test_setup(siblings_that_start_together_agree_on_a_vmid, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
