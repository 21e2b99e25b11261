// SPDX-License-Identifier: Apache-2.0
/*
 * Fences between vCPUs: the store, the vCPU that is fenced in each state, and threads. The guest of
 * the threads keeps copies of values that others change, like a TLB, and looks for one that is older
 * than what a finished fence promised. Run it under -fsanitize=thread, too.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define HAMMER_NS UINT64_C(1000000000)

static AxEvents events;

static int fresh(void **state)
{
    (void)state;
    memset(&events, 0xa5, sizeof(events));
    axvcpu_events_init(&events);
    return 0;
}

#define EVENT_TEST(f) cmocka_unit_test_setup(f, fresh)

static const AxFence of_all_translations = {.translations = true};
static const AxFence of_a_page = {.translations = true, .start = {0x5000}, .size = 0x1000};
static const AxFence of_instructions = {.instructions = true};
static const AxFence of_nested = {.nested = true};

static void post(const AxFence *fence)
{
    assert_error(axvcpu_events_post_fence(&events, fence), AX_OK);
}

static AxFence take(void)
{
    AxFence fence;

    assert_true(axvcpu_events_take_fence(&events, &fence));
    return fence;
}

static void assert_fence(AxFence actual, AxFence expected)
{
    assert_int_equal(actual.instructions, expected.instructions);
    assert_int_equal(actual.translations, expected.translations);
    assert_int_equal(actual.nested, expected.nested);
    assert_int_equal(actual.has_asid, expected.has_asid);
    assert_int_equal(actual.asid, expected.asid);
    assert_int_equal(actual.start.value, expected.start.value);
    assert_int_equal(actual.size, expected.size);
}

// ---- the store ----

static void a_fence_of_nothing_is_refused(void **state)
{
    static const AxFence nothing = {.has_asid = true, .asid = 3, .start = {0x1000}, .size = 0x1000};
    AxFence out;

    (void)state;
    assert_error(axvcpu_events_post_fence(&events, NULL), AX_EINVAL);
    assert_error(axvcpu_events_post_fence(&events, &nothing), AX_EINVAL);
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_false(axvcpu_events_take_fence(&events, &out));
}

static void a_lone_fence_is_taken_as_it_was_posted_and_once(void **state)
{
    static const AxFence fences[] = {
        {.instructions = true},
        {.translations = true},
        {.nested = true},
        {.instructions = true, .translations = true, .nested = true},
        {.translations = true, .has_asid = true, .asid = UINT64_MAX},
        {.translations = true, .start = {UINT64_MAX}, .size = UINT64_MAX},
        {.translations = true, .has_asid = true, .asid = 7, .start = {0x1234}, .size = 1},
        {.instructions = true, .translations = true, .nested = true, .size = 0x2000},
    };
    AxFence out;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fences); i++) {
        post(&fences[i]);
        assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_FENCE);
        assert_fence(take(), fences[i]);
        assert_false(axvcpu_events_take_fence(&events, &out));
        assert_int_equal(axvcpu_events_take_summary(&events), 0);
    }
}

static void a_second_range_becomes_everything(void **state)
{
    static const AxFence of_a_space = {.translations = true, .has_asid = true, .asid = 9};

    (void)state;
    post(&of_a_page);
    post(&of_a_space);
    assert_fence(take(), of_all_translations);
    post(&of_a_space); // the place of the first one is free again
    assert_fence(take(), of_a_space);
}

static void fences_that_wait_together_are_taken_as_one(void **state)
{
    static const AxFence page_and_more = {.instructions = true,
                                          .translations = true,
                                          .nested = true,
                                          .start = {0x5000},
                                          .size = 4096};
    static const AxFence all = {.instructions = true, .translations = true, .nested = true};

    (void)state;
    post(&of_instructions);
    post(&of_a_page);
    post(&of_nested);
    assert_fence(take(), page_and_more); // none of the others widens the range
    post(&page_and_more);
    post(&of_all_translations);
    assert_fence(take(), all);
}

static void a_fence_ends_no_wait(void **state)
{
    (void)state;
    post(&of_a_page);
    post(&of_nested);
    assert_false(axvcpu_events_any(&events));
}

// ---- a vCPU that is fenced ----

static void carried_out_at_the_next_run(Fixture *f, AxFence expected)
{
    const uint32_t before = f->fake.fences_taken;

    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_IDLE});
    assert_int_equal(f->fake.fences_taken, before + 1);
    assert_fence(f->fake.last_fence, expected);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_IDLE});
    assert_int_equal(f->fake.fences_taken, before + 1);
}

static void a_fence_is_carried_out_before_the_next_entry(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_fence(&f->vcpu, &of_a_page), AX_OK);
    assert_error(axvcpu_fence(&f->vcpu, &(AxFence){0}), AX_EINVAL);
    axvcpu_fence_wait(&f->vcpu); // it is out of the guest
    fake_hal_set_pcpu(HOME);
    assert_int_equal(f->host.kick_count, 0);
    carried_out_at_the_next_run(f, of_a_page);
}

static void a_kick_that_ends_the_run_loses_no_fence(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    assert_error(axvcpu_fence(&f->vcpu, &of_nested), AX_OK);
    axvcpu_kick(&f->vcpu);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(exit->reason, AX_EXIT_NOTHING);
    assert_int_equal(f->fake.fences_taken, 1);
}

static void a_blocked_vcpu_is_not_woken(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    assert_error(axvcpu_fence(&f->vcpu, &of_nested), AX_OK);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_error(axvcpu_fence(&f->vcpu, &of_nested), AX_OK);
    axvcpu_fence_wait(&f->vcpu);
    assert_state(f, AX_VCPU_BLOCKED);
    assert_false(axvcpu_wakeup_pending(&f->vcpu));
    assert_true(axvcpu_wake(&f->vcpu));
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    carried_out_at_the_next_run(f, of_nested);
}

static void a_fence_survives_failure_and_reset(void **state)
{
    static const AxFence both = {.nested = true, .translations = true};
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    fake_fail(&f->fake, FAKE_RUN, AX_EBACKEND, 0);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_EBACKEND);
    assert_state(f, AX_VCPU_INVALID);
    assert_error(axvcpu_fence(&f->vcpu, &of_nested), AX_OK);
    axvcpu_fence_wait(&f->vcpu);
    assert_error(axvcpu_inject_nmi(&f->vcpu), AX_ESTATE);
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    assert_error(axvcpu_fence(&f->vcpu, &of_all_translations), AX_OK);
    axvcpu_kick(&f->vcpu);
    assert_error(axvcpu_reset(&f->vcpu), AX_OK);
    to_ready(f);
    carried_out_at_the_next_run(f, both);
}

static AxError fenced_inside(FakeVCpu *fake, AxVCpuExit *exit)
{
    AxVCpu *vcpu = fake->guest_ctx;

    assert_int_equal(axvcpu_state(vcpu), AX_VCPU_RUNNING);
    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_fence(vcpu, &of_a_page), AX_OK);
    fake_hal_set_pcpu(HOME);
    assert_error(axvcpu_fence(vcpu, &of_instructions), AX_OK);
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    return AX_OK;
}

static void a_running_vcpu_is_kicked_by_others(void **state)
{
    static const AxFence both = {
        .instructions = true, .translations = true, .start = {0x5000}, .size = 0x1000};
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    f->fake.guest = fenced_inside;
    f->fake.guest_ctx = &f->vcpu;
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(f->host.kick_count, 1);
    assert_int_equal(f->host.kick_log[0], HOME);
    carried_out_at_the_next_run(f, both);
}

// ---- threads ----

#define PAGES 8u

typedef struct Guest Guest;

typedef struct Poster {
    Guest *guest;
    uint32_t page;
    uint64_t seed;
    uint64_t posted;
    pthread_t thread;
} Poster;

struct Guest {
    Fixture *f;
    _Atomic bool ipi; // a kick that the pCPU has not serviced
    _Atomic uint32_t active;
    _Atomic uint32_t lost;           // waits that ended by the clock
    _Atomic uint32_t stale;          // uses of a copy that a fence should have removed
    _Atomic uint64_t table[PAGES];   // what the posters change
    _Atomic uint64_t promise[PAGES]; // the guest sees at least this: its fence is over
    uint64_t copy[PAGES];
    uint32_t fences_seen;
    uint64_t narrow, wide;
    uint64_t seed;
    uint64_t end;
};

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void on_kick(void *ctx, AxPCpuId pcpu)
{
    Guest *g = ctx;

    (void)pcpu;
    atomic_store(&g->ipi, true);
}

static bool covers(const AxFence *fence, uint32_t page)
{
    return fence->translations && (fence->size == 0 || fence->start.value / AX_PAGE_SIZE == page);
}

static void carry_out(Guest *g, const FakeVCpu *fake)
{
    if (g->fences_seen == fake->fences_taken) {
        return;
    }
    g->fences_seen = fake->fences_taken;
    g->narrow += fake->last_fence.size != 0;
    g->wide += fake->last_fence.size == 0;
    for (uint32_t page = 0; page < PAGES; page++) {
        if (covers(&fake->last_fence, page)) {
            g->copy[page] = atomic_load(&g->table[page]);
        }
    }
}

// Stays in the guest until it is kicked, or for a moment.
static AxError use_copies(FakeVCpu *fake, AxVCpuExit *exit)
{
    Guest *g = fake->guest_ctx;
    const uint64_t most = next_random(&g->seed) % 4 == 0 ? UINT64_MAX : 64;

    carry_out(g, fake);
    for (uint64_t i = 0; i < most && !atomic_load(&g->ipi); i++) {
        const uint32_t page = (uint32_t)(i % PAGES);
        const uint64_t promised = atomic_load(&g->promise[page]);

        if (g->copy[page] < promised) {
            atomic_fetch_add(&g->stale, 1);
        }
        if (i % 256 == 255) {
            sched_yield();
        }
    }
    atomic_store(&g->ipi, false);
    *exit = (AxVCpuExit){.reason = AX_EXIT_EXTERNAL_INTERRUPT};
    return AX_OK;
}

static void *poster_thread(void *arg)
{
    Poster *p = arg;
    Guest *g = p->guest;

    fake_hal_set_pcpu(AWAY);
    while (clock_ns() < g->end && atomic_load(&g->lost) == 0) {
        const bool narrow = next_random(&p->seed) % 4 != 0;
        const AxFence fence = {.translations = true,
                               .start = ax_gva(narrow ? p->page * AX_PAGE_SIZE : 0),
                               .size = narrow ? 1 : 0};
        const uint64_t value = atomic_fetch_add(&g->table[p->page], 1) + 1;

        if (axvcpu_fence(&g->f->vcpu, &fence) != AX_OK) {
            atomic_fetch_add(&g->lost, 1);
        }
        axvcpu_fence_wait(&g->f->vcpu);
        atomic_store(&g->promise[p->page], value);
        p->posted++;
        for (volatile uint64_t left = next_random(&p->seed) % 2048; left != 0; left--) {
        }
    }
    atomic_fetch_sub(&g->active, 1);
    axvcpu_kick(&g->f->vcpu);
    return NULL;
}

enum { POSTERS = 3 };

static void no_guest_uses_what_a_finished_fence_removed(void **state)
{
    Fixture *f = *state;
    Guest g = {
        .f = f, .seed = 88172645463325252u, .end = clock_ns() + HAMMER_NS, .active = POSTERS};
    Poster posters[POSTERS];
    const AxVCpuExit *exit;

    f->host.on_kick = on_kick;
    f->host.on_kick_ctx = &g;
    to_ready(f);
    f->fake.guest = use_copies;
    f->fake.guest_ctx = &g;
    for (uint32_t i = 0; i < POSTERS; i++) {
        posters[i] = (Poster){.guest = &g, .page = i, .seed = i + 1};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_thread, &posters[i]), 0);
    }
    while (atomic_load(&g.active) != 0) {
        assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    }
    for (uint32_t i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        assert_true(posters[i].posted > 0);
    }
    assert_int_equal(atomic_load(&g.stale), 0);
    assert_int_equal(atomic_load(&g.lost), 0);
    print_message(
        "# %lu, %lu and %lu fences posted, taken %lu with a range and %lu of everything\n",
        (unsigned long)posters[0].posted, (unsigned long)posters[1].posted,
        (unsigned long)posters[2].posted, (unsigned long)g.narrow, (unsigned long)g.wide);
    assert_true(g.narrow > 0 && g.wide > 0);
}

// ---- two vCPUs, each of which fences the other ----

typedef struct Side {
    Fixture f;
    AxPCpuId pcpu;
    struct Side *other;
    _Atomic bool ipi;
    uint64_t rounds;
    uint64_t failed;
    pthread_t thread;
} Side;

static void on_side_kick(void *ctx, AxPCpuId pcpu)
{
    Side *s = ctx;

    atomic_store(pcpu == s->pcpu ? &s->ipi : &s->other->ipi, true);
}

static AxError ask_for_a_fence(FakeVCpu *fake, AxVCpuExit *exit)
{
    Side *s = fake->guest_ctx;

    (void)atomic_exchange(&s->ipi, false);
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_REMOTE_FENCE,
        .remote_fence = {.to_all = true, .fence = {.translations = true, .instructions = true}}};
    return AX_OK;
}

static void fence_both(Side *s, const AxVCpuExit *exit)
{
    Side *const sides[] = {s, s->other};

    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        s->failed += axvcpu_fence(&sides[i]->f.vcpu, &exit->remote_fence.fence) != AX_OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        axvcpu_fence_wait(&sides[i]->f.vcpu);
    }
    s->failed += axvcpu_complete_call(&s->f.vcpu, AX_OK, 0) != AX_OK;
}

static void *side_thread(void *arg)
{
    Side *s = arg;
    const uint64_t end = clock_ns() + HAMMER_NS / 2;

    fake_hal_set_pcpu(s->pcpu);
    while (clock_ns() < end && s->failed == 0) {
        const AxVCpuExit *exit;

        if (axvcpu_run(&s->f.vcpu, &exit) != AX_OK) {
            s->failed++;
            break;
        }
        fence_both(s, exit);
        s->rounds++;
    }
    return NULL;
}

static void put_on(Side *s, AxPCpuId pcpu)
{
    fixture_init(&s->f);
    assert_error(axvcpu_percpu_disable(&s->f.percpu), AX_OK);
    fake_hal_set_pcpu(pcpu);
    assert_error(axvcpu_arch_percpu_init(&s->f.percpu, &s->f.fake_percpu, &s->f.host.hal, pcpu),
                 AX_OK);
    assert_error(axvcpu_percpu_enable(&s->f.percpu), AX_OK);
    to_ready(&s->f);
    s->pcpu = pcpu;
    s->f.host.on_kick = on_side_kick;
    s->f.host.on_kick_ctx = s;
    s->f.fake.guest = ask_for_a_fence;
    s->f.fake.guest_ctx = s;
}

static void take_down(Side *s)
{
    fake_hal_set_pcpu(s->pcpu);
    assert_error(axvcpu_reset(&s->f.vcpu), AX_OK);
    assert_error(axvcpu_percpu_disable(&s->f.percpu), AX_OK);
    fake_hal_set_pcpu(HOME);
    make_percpu(&s->f);
    fixture_fini(&s->f);
}

static void two_that_fence_each_other_both_go_on(void **state)
{
    static Side a;
    static Side b;

    (void)state;
    a.other = &b;
    b.other = &a;
    put_on(&a, HOME);
    put_on(&b, AWAY);
    assert_int_equal(pthread_create(&a.thread, NULL, side_thread, &a), 0);
    assert_int_equal(pthread_create(&b.thread, NULL, side_thread, &b), 0);
    assert_int_equal(pthread_join(a.thread, NULL), 0);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_int_equal(a.failed + b.failed, 0);
    assert_true(a.rounds > 0 && b.rounds > 0);
    assert_true(a.f.fake.fences_taken > 0 && b.f.fake.fences_taken > 0);
    take_down(&a);
    take_down(&b);
}

// ---- the store in a tight loop ----

typedef struct Store {
    AxEvents events;
    _Atomic bool stop;
    _Atomic uint64_t version[2]; // one for each poster, which is also its address space
    uint64_t seen[2];
} Store;

typedef struct StorePoster {
    Store *store;
    uint64_t asid;
    uint64_t missed;
    pthread_t thread;
} StorePoster;

static void *store_thread(void *arg)
{
    StorePoster *p = arg;
    Store *s = p->store;
    const AxFence fence = {.translations = true, .has_asid = true, .asid = p->asid};

    while (!atomic_load(&s->stop)) {
        atomic_fetch_add(&s->version[p->asid], 1);
        p->missed += axvcpu_events_post_fence(&s->events, &fence) != AX_OK;
    }
    return NULL;
}

static void look(Store *s)
{
    AxFence fence;

    if ((axvcpu_events_take_summary(&s->events) & AX_EVENT_FENCE) == 0 ||
        !axvcpu_events_take_fence(&s->events, &fence)) {
        return;
    }
    for (uint64_t asid = 0; asid < 2; asid++) {
        if (!fence.has_asid || fence.asid == asid) {
            s->seen[asid] = atomic_load(&s->version[asid]);
        }
    }
}

static void no_fence_is_lost_when_posts_collide(void **state)
{
    static Store store;
    StorePoster posters[2];
    const uint64_t end = clock_ns() + HAMMER_NS / 2;

    (void)state;
    axvcpu_events_init(&store.events);
    for (uint64_t i = 0; i < 2; i++) {
        posters[i] = (StorePoster){.store = &store, .asid = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, store_thread, &posters[i]), 0);
    }
    while (clock_ns() < end) {
        for (unsigned i = 0; i < 1000; i++) {
            look(&store);
        }
    }
    atomic_store(&store.stop, true);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        assert_int_equal(posters[i].missed, 0);
    }
    look(&store);
    assert_int_equal(store.seen[0], store.version[0]);
    assert_int_equal(store.seen[1], store.version[1]);
    assert_int_equal(store.events.fences_taken, store.events.fences_posted);
    assert_int_equal(store.events.fences_posted, store.version[0] + store.version[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENT_TEST(a_fence_of_nothing_is_refused),
        EVENT_TEST(a_lone_fence_is_taken_as_it_was_posted_and_once),
        EVENT_TEST(a_second_range_becomes_everything),
        EVENT_TEST(fences_that_wait_together_are_taken_as_one),
        EVENT_TEST(a_fence_ends_no_wait),
        TEST(a_fence_is_carried_out_before_the_next_entry),
        TEST(a_kick_that_ends_the_run_loses_no_fence),
        TEST(a_blocked_vcpu_is_not_woken),
        TEST(a_fence_survives_failure_and_reset),
        TEST(a_running_vcpu_is_kicked_by_others),
        TEST(no_guest_uses_what_a_finished_fence_removed),
        cmocka_unit_test(two_that_fence_each_other_both_go_on),
        cmocka_unit_test(no_fence_is_lost_when_posts_collide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
