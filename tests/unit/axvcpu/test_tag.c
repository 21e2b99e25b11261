// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <axvcpu/tag.h>

#include <pthread.h>
#include <string.h>

#define ROOTS   2000u
#define THREADS 4u
#define BITS    16u
#define PCPUS   3u

static AxTagPool pool;
static AxEptRoot roots[ROOTS];
static AxTagResidents residents[PCPUS];

static int start(void **state)
{
    (void)state;
    memset(&pool, 0, sizeof(pool));
    memset(roots, 0, sizeof(roots));
    memset(residents, 0, sizeof(residents));
    return 0;
}

static uint64_t acquire(unsigned n)
{
    uint64_t tag = 0;

    assert_error(axvcpu_tag_acquire(&pool, &roots[n], BITS, &tag), AX_OK);
    return tag;
}

static void release(unsigned n)
{
    axvcpu_tag_release(&pool, &roots[n]);
}

static void a_vm_keeps_its_tag(void **state)
{
    const uint64_t tag = acquire(0);

    (void)state;
    assert_in_range(tag, 1, 65535);
    assert_int_equal(acquire(0), tag); // a sibling
    release(0);
    release(0);
    assert_int_equal(acquire(0), tag); // and after a while
    release(0);
}

static void only_a_root_with_a_tag_is_found(void **state)
{
    uint64_t found = 0;
    uint64_t tag;

    (void)state;
    assert_false(axvcpu_tag_find(&pool, &roots[0], &found));
    tag = acquire(0);
    assert_true(axvcpu_tag_find(&pool, &roots[0], &found));
    assert_int_equal(found, tag);
    release(0);
    assert_true(axvcpu_tag_find(&pool, &roots[0], &found)); // its entries are still there
    assert_int_equal(found, tag);
}

static void a_vm_that_lost_its_tag_is_not_found_and_gets_another(void **state)
{
    uint64_t found;

    (void)state;
    (void)acquire(0);
    release(0);
    for (unsigned n = 1; n < ROOTS && axvcpu_tag_find(&pool, &roots[0], &found); n++) {
        (void)acquire(n);
        release(n);
    }
    assert_false(axvcpu_tag_find(&pool, &roots[0], &found));
    (void)acquire(0);
    assert_true(axvcpu_tag_find(&pool, &roots[0], &found));
    release(0);
}

static void as_many_vms_run_at_once_as_there_are_tags(void **state)
{
    static const struct {
        uint8_t bits;
        unsigned vms;
    } rows[] = {{0, 0}, {1, 1}, {4, 15}, {8, 255}, {10, 1023}, {14, 1023}, {16, 1023}, {64, 1023}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool taken[AX_TAG_SLOTS] = {false};
        uint64_t tag = 0;

        (void)start(state);
        for (unsigned n = 0; n < rows[i].vms; n++) {
            assert_error(axvcpu_tag_acquire(&pool, &roots[n], rows[i].bits, &tag), AX_OK);
            assert_in_range(tag, 1, rows[i].vms);
            assert_false(taken[tag]);
            taken[tag] = true;
        }
        tag = 77;
        assert_error(axvcpu_tag_acquire(&pool, &roots[rows[i].vms], rows[i].bits, &tag), AX_ENOSPC);
        assert_int_equal(tag, 77);
        assert_int_equal(roots[rows[i].vms].tag, 0);
    }
}

static void a_released_tag_serves_the_next_vm(void **state)
{
    uint64_t tag;

    (void)state;
    for (unsigned n = 0; n < 15; n++) {
        assert_error(axvcpu_tag_acquire(&pool, &roots[n], 4, &tag), AX_OK);
    }
    assert_true(axvcpu_tag_find(&pool, &roots[9], &tag));
    release(9);

    const uint64_t free_tag = tag;
    assert_error(axvcpu_tag_acquire(&pool, &roots[15], 4, &tag), AX_OK);
    assert_int_equal(tag, free_tag);
}

static void a_tag_that_is_too_wide_for_a_pcpu_is_refused_there(void **state)
{
    uint64_t tag = 0;
    uint64_t wide;

    (void)state;
    for (unsigned n = 1; n < 20; n++) { // the narrow ones
        (void)acquire(n);
    }
    wide = acquire(0);
    assert_true(wide >= 16);
    assert_error(axvcpu_tag_acquire(&pool, &roots[0], 4, &tag), AX_ENOSPC);
    assert_int_equal(tag, 0);
    assert_int_equal(acquire(0), wide);
    assert_int_equal(pool.slots[wide] & 0xffff, 2); // the refusal left no user behind
}

// ---- residents ----

static AxTagChange enter(unsigned pcpu, unsigned n, AxVCpuId id)
{
    return axvcpu_tag_enter(&residents[pcpu], &roots[n], id, false);
}

static void a_pcpu_flushes_when_it_meets_a_vm_and_not_again(void **state)
{
    (void)state;
    (void)acquire(0);
    assert_int_equal(enter(0, 0, 0), AX_TAG_OTHER);
    assert_int_equal(enter(0, 0, 0), AX_TAG_SAME);
    assert_int_equal(enter(1, 0, 0), AX_TAG_OTHER); // for each pCPU anew
    assert_int_equal(enter(0, 0, 0), AX_TAG_SAME);
}

static void a_sibling_that_follows_is_told_from_another_vm(void **state)
{
    (void)state;
    (void)acquire(0);
    (void)acquire(1);
    (void)enter(0, 0, 0);
    assert_int_equal(enter(0, 0, 1), AX_TAG_SIBLING);
    assert_int_equal(enter(0, 0, 1), AX_TAG_SAME);
    assert_int_equal(enter(0, 0, 0), AX_TAG_SIBLING);
    assert_int_equal(enter(0, 1, 0), AX_TAG_OTHER);
    assert_int_equal(enter(0, 0, 0), AX_TAG_SAME); // tags keep VMs apart
}

static void what_a_vcpu_left_on_a_pcpu_before_it_moved_is_stale(void **state)
{
    (void)state;
    (void)acquire(0);
    (void)enter(0, 0, 0);
    assert_int_equal(axvcpu_tag_enter(&residents[1], &roots[0], 0, true), AX_TAG_OTHER);
    assert_int_equal(axvcpu_tag_enter(&residents[0], &roots[0], 0, true), AX_TAG_SIBLING);
    assert_int_equal(enter(0, 0, 0), AX_TAG_SAME);
}

static void changed_nested_tables_count_as_another_vm_on_each_pcpu(void **state)
{
    (void)state;
    (void)acquire(0);
    (void)enter(0, 0, 0);
    (void)enter(1, 0, 1);
    atomic_fetch_add(&roots[0].flushes, 1);
    assert_int_equal(enter(0, 0, 1), AX_TAG_OTHER);
    assert_int_equal(enter(0, 0, 1), AX_TAG_SAME);
    assert_int_equal(enter(1, 0, 1), AX_TAG_OTHER);
}

static void a_vm_that_lost_its_tag_and_got_it_back_is_another(void **state)
{
    uint64_t first;
    uint64_t tag;

    (void)state;
    assert_error(axvcpu_tag_acquire(&pool, &roots[0], 1, &first), AX_OK); // the only one
    (void)enter(0, 0, 0);
    release(0);
    assert_error(axvcpu_tag_acquire(&pool, &roots[1], 1, &tag), AX_OK);
    assert_int_equal(tag, first);
    release(1);
    assert_error(axvcpu_tag_acquire(&pool, &roots[0], 1, &tag), AX_OK);
    assert_int_equal(tag, first);
    assert_int_equal(enter(0, 0, 0), AX_TAG_OTHER);
}

// ---- against a model of the TLBs: whose entries each pCPU may hold under each tag ----

typedef struct Cached {
    const AxEptRoot *root; // NULL: nothing
    uint64_t flushes;
    AxVCpuId vcpu_id;
} Cached;

static Cached tlb[PCPUS][AX_TAG_SLOTS];
static unsigned uses[ROOTS];

static unsigned random_number(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

static void carry_out(Cached *cached, AxTagChange change, const AxEptRoot *root, AxVCpuId id)
{
    if (change == AX_TAG_OTHER) {
        *cached = (Cached){.root = root, .flushes = root->flushes, .vcpu_id = id};
    } else if (change == AX_TAG_SIBLING) {
        cached->vcpu_id = id;
    }
}

static void check_enter(unsigned pcpu, unsigned n, AxVCpuId id)
{
    const uint64_t tag = acquire(n);
    Cached *cached = &tlb[pcpu][tag];

    carry_out(cached, enter(pcpu, n, id), &roots[n], id);
    assert_ptr_equal(cached->root, &roots[n]);
    assert_int_equal(cached->flushes, roots[n].flushes);
    assert_int_equal(cached->vcpu_id, id);
    uses[n]++;
}

static void no_vcpu_ever_meets_stale_entries(void **state)
{
    unsigned seed = 1;

    (void)state;
    memset(tlb, 0, sizeof(tlb));
    memset(uses, 0, sizeof(uses));
    for (unsigned step = 0; step < 60000; step++) {
        // Phases with few VMs, which meet again, and with more than there are tags.
        const unsigned n = random_number(&seed) % (step % 2000 < 1000 ? 20 : ROOTS);

        if (random_number(&seed) % 64 == 0) {
            atomic_fetch_add(&roots[n].flushes, 1);
        }
        check_enter(random_number(&seed) % PCPUS, n, random_number(&seed) % 2);
        while (uses[n] > (n < 20 ? random_number(&seed) % 3 : 0)) { // some stay bound
            release(n);
            uses[n]--;
        }
    }
}

// ---- several pCPUs: a thread each ----

static _Atomic int holder[AX_TAG_SLOTS]; // root + 1 that uses the tag now
static _Atomic int holders[AX_TAG_SLOTS];
static _Atomic unsigned faults;

static void hold(unsigned n, uint64_t tag)
{
    int nobody = 0;

    atomic_fetch_add(&holders[tag], 1);
    if (!atomic_compare_exchange_strong(&holder[tag], &nobody, (int)n + 1) &&
        nobody != (int)n + 1) {
        atomic_fetch_add(&faults, 1);
    }
}

static void let_go(uint64_t tag)
{
    if (atomic_fetch_sub(&holders[tag], 1) == 1) {
        atomic_store(&holder[tag], 0);
    }
}

static void *run_pcpu(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;

    for (unsigned step = 0; step < 20000; step++) {
        const unsigned n = random_number(&seed) % 300;
        uint64_t tag;

        // 8 bits: they fight for 255 tags.
        if (axvcpu_tag_acquire(&pool, &roots[n], 8, &tag) != AX_OK) {
            atomic_fetch_add(&faults, 1);
            continue;
        }
        hold(n, tag);
        let_go(tag);
        axvcpu_tag_release(&pool, &roots[n]);
    }
    return NULL;
}

static void pcpus_never_share_a_tag_between_vms(void **state)
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

// Siblings that are bound at the same time on new pCPUs must end up with one tag.
static _Atomic unsigned ready;

static void *bind_sibling(void *argument)
{
    uint64_t *tag = argument;

    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < THREADS) {
    }
    (void)!axvcpu_tag_acquire(&pool, &roots[0], BITS, tag);
    return NULL;
}

static void siblings_that_start_together_agree_on_a_tag(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        pthread_t threads[THREADS];
        uint64_t tag[THREADS] = {0};

        roots[0].tag = 0;
        atomic_store(&ready, 0);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, bind_sibling, &tag[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_not_equal(tag[i], 0);
            assert_int_equal(tag[i], tag[0]);
            release(0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vm_keeps_its_tag, start),
        cmocka_unit_test_setup(only_a_root_with_a_tag_is_found, start),
        cmocka_unit_test_setup(a_vm_that_lost_its_tag_is_not_found_and_gets_another, start),
        cmocka_unit_test_setup(as_many_vms_run_at_once_as_there_are_tags, start),
        cmocka_unit_test_setup(a_released_tag_serves_the_next_vm, start),
        cmocka_unit_test_setup(a_tag_that_is_too_wide_for_a_pcpu_is_refused_there, start),
        cmocka_unit_test_setup(a_pcpu_flushes_when_it_meets_a_vm_and_not_again, start),
        cmocka_unit_test_setup(a_sibling_that_follows_is_told_from_another_vm, start),
        cmocka_unit_test_setup(what_a_vcpu_left_on_a_pcpu_before_it_moved_is_stale, start),
        cmocka_unit_test_setup(changed_nested_tables_count_as_another_vm_on_each_pcpu, start),
        cmocka_unit_test_setup(a_vm_that_lost_its_tag_and_got_it_back_is_another, start),
        cmocka_unit_test_setup(no_vcpu_ever_meets_stale_entries, start),
        cmocka_unit_test_setup(pcpus_never_share_a_tag_between_vms, start),
        cmocka_unit_test_setup(siblings_that_start_together_agree_on_a_tag, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
