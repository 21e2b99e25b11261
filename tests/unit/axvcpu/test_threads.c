// SPDX-License-Identifier: Apache-2.0
/*
 * Posters on other threads against a vCPU that runs, blocks, unbinds and binds. The fake guest
 * stays inside until its pCPU is kicked, like a real one, so that a kick or a wake-up that gets
 * lost shows as a poster that waits in vain. Run it under -fsanitize=thread, too.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define HAMMER_NS  UINT64_C(1000000000)
#define PATIENCE   UINT64_C(10000000000)
#define MAGIC      UINT64_C(0x5bd1e9955bd1e995)
#define EDGE_IRQ   100u // the edges of poster n are interrupt EDGE_IRQ + 64 * n
#define LEVEL_IRQ  50u
#define ACTIVE_IRQ 51u

typedef struct Arena Arena;

typedef struct Poster {
    Arena *arena;
    uint32_t number;
    uint64_t posted;
    uint64_t sum; // of what the exceptions carried
    uint64_t seed;
    pthread_t thread;
} Poster;

// What the vCPU's thread says about deliveries, and the posters read.
struct Arena {
    Fixture *f;
    _Atomic bool ipi; // a kick that the pCPU has not serviced
    _Atomic uint32_t active;
    _Atomic uint32_t lost; // waits that ended by the clock
    _Atomic uint64_t edges[2];
    _Atomic uint64_t levels;
    _Atomic uint64_t nmis;
    _Atomic uint64_t kicks;
    uint64_t exceptions;
    uint64_t exception_sum;
    uint64_t torn;
    uint64_t seed;
    uint64_t blocks, stays, unbinds;
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

// Gives up, and says so, when `done` does not come true.
static bool wait_until(Arena *a, bool (*done)(Arena *a, uint64_t arg), uint64_t arg)
{
    const uint64_t limit = clock_ns() + PATIENCE;

    while (!done(a, arg)) {
        if (atomic_load(&a->lost) != 0 || clock_ns() > limit) {
            atomic_fetch_add(&a->lost, 1);
            return false;
        }
        sched_yield();
    }
    return true;
}

static void on_kick(void *ctx, AxPCpuId pcpu)
{
    Arena *a = ctx;

    if (pcpu == HOME) {
        atomic_store(&a->ipi, true);
    }
}

// ---- the vCPU's thread ----

static void publish(Arena *a)
{
    const FakeVCpu *fake = &a->f->fake;

    atomic_store(&a->edges[0], fake->irq_taken[EDGE_IRQ]);
    atomic_store(&a->edges[1], fake->irq_taken[EDGE_IRQ + 64]);
    atomic_store(&a->levels, fake->level_taken[LEVEL_IRQ]);
    atomic_store(&a->nmis, fake->nmi_taken);
    atomic_store(&a->kicks, fake->kicks_taken);
    if (fake->exceptions_taken != a->exceptions) {
        a->exceptions = fake->exceptions_taken;
        a->exception_sum += fake->last_exception.error_code;
        a->torn += fake->last_exception.address != fake->last_exception.error_code * MAGIC;
    }
}

static bool is_kicked(Arena *a, uint64_t arg)
{
    (void)arg;
    return atomic_load(&a->ipi);
}

// Half of the time the guest waits (WFI), else it computes until the host interrupts it.
static AxError guest(FakeVCpu *fake, AxVCpuExit *exit)
{
    Arena *a = fake->guest_ctx;

    publish(a);
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    if (next_random(&a->seed) % 2 == 0) {
        a->stays++;
        (void)wait_until(a, is_kicked, 0);
        atomic_store(&a->ipi, false);
        exit->reason = AX_EXIT_EXTERNAL_INTERRUPT;
    }
    return AX_OK;
}

static bool is_awake(Arena *a, uint64_t arg)
{
    (void)arg;
    return axvcpu_state(&a->f->vcpu) != AX_VCPU_BLOCKED;
}

static void unbind_sometimes(Arena *a)
{
    if (next_random(&a->seed) % 2 == 0) {
        a->unbinds++;
        assert_error(axvcpu_unbind(&a->f->vcpu), AX_OK);
    }
}

static void sleep_until_woken(Arena *a)
{
    const AxError error = axvcpu_block(&a->f->vcpu);

    if (error == AX_EAGAIN) {
        return;
    }
    assert_error(error, AX_OK);
    a->blocks++;
    unbind_sometimes(a);
    (void)wait_until(a, is_awake, 0);
}

static void vcpu_loop(Arena *a)
{
    AxVCpu *vcpu = &a->f->vcpu;
    const AxVCpuExit *exit;

    while (atomic_load(&a->active) != 0 && atomic_load(&a->lost) == 0) {
        if (axvcpu_state(vcpu) == AX_VCPU_FREE) {
            assert_error(axvcpu_bind(vcpu, &a->f->percpu), AX_OK);
        }
        assert_error(axvcpu_run(vcpu, &exit), AX_OK);
        publish(a);
        if (exit->reason == AX_EXIT_IDLE) {
            sleep_until_woken(a);
        }
    }
}

// ---- the posters ----

static bool edge_is_taken(Arena *a, uint64_t arg)
{
    return atomic_load(&a->edges[arg & 1]) >= arg >> 1;
}

static void post_edges(Poster *p)
{
    const uint32_t irq = EDGE_IRQ + 64 * p->number;

    p->posted++;
    if (axvcpu_inject_interrupt(&p->arena->f->vcpu, irq, AX_TRIGGER_EDGE) != AX_OK) {
        atomic_fetch_add(&p->arena->lost, 1);
    }
    (void)wait_until(p->arena, edge_is_taken, p->posted << 1 | p->number);
}

static bool level_is_taken(Arena *a, uint64_t arg)
{
    return atomic_load(&a->levels) > arg;
}

static void post_levels(Poster *p)
{
    AxVCpu *vcpu = &p->arena->f->vcpu;
    const uint64_t before = atomic_load(&p->arena->levels);

    p->posted++;
    if (axvcpu_set_interrupt_level(vcpu, LEVEL_IRQ, true) != AX_OK) {
        atomic_fetch_add(&p->arena->lost, 1);
    }
    (void)wait_until(p->arena, level_is_taken, before);
    if (axvcpu_set_interrupt_level(vcpu, LEVEL_IRQ, false) != AX_OK) {
        atomic_fetch_add(&p->arena->lost, 1);
    }
}

static void post_exceptions(Poster *p)
{
    const uint64_t code = p->posted * 2 + p->number;
    const AxException exception = {.vector = p->number,
                                   .has_error_code = true,
                                   .error_code = code,
                                   .has_address = true,
                                   .address = code * MAGIC};

    if (axvcpu_inject_exception(&p->arena->f->vcpu, &exception) == AX_OK) {
        p->posted++;
        p->sum += code;
    } else {
        sched_yield();
    }
}

static bool nmi_is_taken(Arena *a, uint64_t arg)
{
    return atomic_load(&a->nmis) >= arg;
}

static void post_nmis(Poster *p)
{
    p->posted++;
    if (axvcpu_inject_nmi(&p->arena->f->vcpu) != AX_OK) {
        atomic_fetch_add(&p->arena->lost, 1);
    }
    (void)wait_until(p->arena, nmi_is_taken, p->posted);
}

static bool kick_is_taken(Arena *a, uint64_t arg)
{
    return atomic_load(&a->kicks) > arg;
}

static void post_kicks(Poster *p)
{
    const uint64_t before = atomic_load(&p->arena->kicks);

    p->posted++;
    axvcpu_kick(&p->arena->f->vcpu);
    (void)wait_until(p->arena, kick_is_taken, before);
}

static bool active_is(Arena *a, uint64_t arg)
{
    return axvcpu_interrupt_state(&a->f->vcpu, ACTIVE_IRQ).active == (arg != 0);
}

static void post_requests(Poster *p)
{
    AxVCpu *vcpu = &p->arena->f->vcpu;

    p->posted++;
    if (axvcpu_request_interrupt(vcpu, ACTIVE_IRQ, AX_IRQ_SET_ACTIVE) != AX_OK ||
        !wait_until(p->arena, active_is, 1) ||
        axvcpu_request_interrupt(vcpu, ACTIVE_IRQ, AX_IRQ_CLEAR_ACTIVE) != AX_OK) {
        atomic_fetch_add(&p->arena->lost, 1);
    }
    (void)wait_until(p->arena, active_is, 0);
}

typedef struct PosterKind {
    void (*post)(Poster *p);
    uint32_t number;
} PosterKind;

enum { EDGES_A, EDGES_B, LEVELS, EXCEPTIONS_A, EXCEPTIONS_B, NMIS, KICKS, REQUESTS, POSTERS };

static const PosterKind kinds[POSTERS] = {
    [EDGES_A] = {post_edges, 0},
    [EDGES_B] = {post_edges, 1},
    [LEVELS] = {post_levels, 0},
    [EXCEPTIONS_A] = {post_exceptions, 0},
    [EXCEPTIONS_B] = {post_exceptions, 1},
    [NMIS] = {post_nmis, 0},
    [KICKS] = {post_kicks, 0},
    [REQUESTS] = {post_requests, 0},
};

typedef struct Job {
    Poster poster;
    PosterKind kind;
} Job;

// A post at a random moment meets the vCPU anywhere on its way in and out.
static void dawdle(Poster *p)
{
    const uint64_t most = UINT64_C(256) << next_random(&p->seed) % 8;

    if (next_random(&p->seed) % 2 == 0) {
        sched_yield();
    }
    for (volatile uint64_t left = next_random(&p->seed) % most; left != 0; left--) {
    }
}

static void *poster_thread(void *arg)
{
    Job *job = arg;
    Arena *a = job->poster.arena;

    fake_hal_set_pcpu(AWAY);
    while (clock_ns() < a->end && atomic_load(&a->lost) == 0) {
        dawdle(&job->poster);
        job->kind.post(&job->poster);
    }
    atomic_fetch_sub(&a->active, 1);
    axvcpu_kick(&a->f->vcpu);
    return NULL;
}

// Runs posters of the kinds in `set` against the vCPU for `ns`.
static void hammer(Arena *a, Fixture *f, Job *jobs, unsigned set, uint64_t ns)
{
    a->f = f;
    a->seed = 88172645463325252u;
    a->end = clock_ns() + ns;
    f->host.on_kick = on_kick;
    f->host.on_kick_ctx = a;
    f->fake.guest = guest;
    f->fake.guest_ctx = a;
    atomic_store(&a->active, (uint32_t)__builtin_popcount(set));
    for (unsigned i = 0; i < POSTERS; i++) {
        jobs[i].kind = kinds[i];
        jobs[i].poster.arena = a;
        jobs[i].poster.number = kinds[i].number;
        jobs[i].poster.seed = i + 1;
        if ((set >> i & 1) != 0) {
            assert_int_equal(pthread_create(&jobs[i].poster.thread, NULL, poster_thread, &jobs[i]),
                             0);
        }
    }
    vcpu_loop(a);
    for (unsigned i = 0; i < POSTERS; i++) {
        if ((set >> i & 1) != 0) {
            assert_int_equal(pthread_join(jobs[i].poster.thread, NULL), 0);
        }
    }
}

// One more run takes what was posted last.
static void drain(Fixture *f, Arena *a)
{
    const AxVCpuExit *exit;

    f->fake.guest = NULL;
    (void)axvcpu_wake(&f->vcpu);
    if (axvcpu_state(&f->vcpu) == AX_VCPU_FREE) {
        assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    }
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    publish(a);
}

static void no_event_is_lost_between_running_and_blocked(void **state)
{
    Fixture *f = *state;
    Arena a = {0};
    Job jobs[POSTERS] = {0};

    to_ready(f);
    hammer(&a, f, jobs, (1u << POSTERS) - 1, HAMMER_NS);
    drain(f, &a);
    assert_int_equal(atomic_load(&a.lost), 0);
    assert_int_equal(atomic_load(&a.edges[0]), jobs[EDGES_A].poster.posted);
    assert_int_equal(atomic_load(&a.edges[1]), jobs[EDGES_B].poster.posted);
    assert_int_equal(atomic_load(&a.nmis), jobs[NMIS].poster.posted);
    assert_true(atomic_load(&a.levels) >= jobs[LEVELS].poster.posted);
    assert_int_equal(a.exceptions,
                     jobs[EXCEPTIONS_A].poster.posted + jobs[EXCEPTIONS_B].poster.posted);
    assert_int_equal(a.exception_sum,
                     jobs[EXCEPTIONS_A].poster.sum + jobs[EXCEPTIONS_B].poster.sum);
    assert_int_equal(a.torn, 0);
    assert_true(a.stays > 0);
}

// One poster alone leaves the vCPU with nothing else to wake up for: every post races a block.
static void a_lone_poster_always_gets_through(void **state)
{
    static const unsigned lone[] = {EDGES_A, LEVELS, NMIS, KICKS, REQUESTS};
    uint64_t blocks = 0;
    uint64_t unbinds = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lone); i++) {
        Fixture *f = test_malloc(sizeof(*f));
        Arena a = {0};
        Job jobs[POSTERS] = {0};

        fixture_init(f);
        to_ready(f);
        hammer(&a, f, jobs, 1u << lone[i], HAMMER_NS / 4);
        assert_int_equal(atomic_load(&a.lost), 0);
        assert_true(jobs[lone[i]].poster.posted > 0);
        print_message("# poster %u: %lu posts, %lu blocks, %lu unbinds, %lu stays in the guest\n",
                      lone[i], (unsigned long)jobs[lone[i]].poster.posted, (unsigned long)a.blocks,
                      (unsigned long)a.unbinds, (unsigned long)a.stays);
        blocks += a.blocks;
        unbinds += a.unbinds;
        fixture_fini(f);
        test_free(f);
    }
    // The races were really run.
    assert_true(blocks > 0 && unbinds > 0);
}

// ---- wake against wake ----

enum { WAKERS = 3 };

typedef struct Wakers {
    AxVCpu *vcpu;
    _Atomic bool stop;
    _Atomic uint64_t wakes;
} Wakers;

static void *waker_thread(void *arg)
{
    Wakers *w = arg;

    fake_hal_set_pcpu(AWAY);
    while (!atomic_load(&w->stop)) {
        if (axvcpu_wake(w->vcpu)) {
            atomic_fetch_add(&w->wakes, 1);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void each_block_is_ended_by_exactly_one_waker(void **state)
{
    Fixture *f = *state;
    Wakers w = {.vcpu = &f->vcpu};
    pthread_t threads[WAKERS];
    const uint64_t end = clock_ns() + HAMMER_NS / 2;
    uint64_t blocks = 0;

    to_ready(f);
    for (unsigned i = 0; i < WAKERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, waker_thread, &w), 0);
    }
    while (clock_ns() < end) {
        assert_error(axvcpu_block(&f->vcpu), AX_OK);
        blocks++;
        if (blocks % 3 == 0 && axvcpu_is_bound(&f->vcpu)) {
            assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
        }
        while (axvcpu_state(&f->vcpu) == AX_VCPU_BLOCKED) {
            sched_yield();
        }
        if (!axvcpu_is_bound(&f->vcpu)) {
            assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
        }
        assert_state(f, AX_VCPU_READY);
    }
    atomic_store(&w.stop, true);
    for (unsigned i = 0; i < WAKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&w.wakes), blocks);
}

// ---- neighbours in a word ----

enum { SHARERS = 4, ROUNDS = 40 };

typedef struct Sharer {
    AxVCpu *vcpu;
    uint32_t first;
    uint64_t failed;
    _Atomic uint32_t *done;
    pthread_t thread;
} Sharer;

// Posts every SHARERS-th interrupt once.
static void *sharer_thread(void *arg)
{
    Sharer *s = arg;

    fake_hal_set_pcpu(AWAY);
    for (uint32_t irq = s->first; irq < AX_IRQ_COUNT; irq += SHARERS) {
        s->failed += axvcpu_inject_interrupt(s->vcpu, irq, AX_TRIGGER_EDGE) != AX_OK;
    }
    atomic_fetch_add(s->done, 1);
    return NULL;
}

static void bits_of_one_word_do_not_disturb_each_other(void **state)
{
    Fixture *f = *state;
    const AxVCpuExit *exit;

    to_ready(f);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        Sharer sharers[SHARERS] = {0};
        _Atomic uint32_t done = 0;

        for (uint32_t i = 0; i < SHARERS; i++) {
            sharers[i] = (Sharer){.vcpu = &f->vcpu, .first = i, .done = &done};
            assert_int_equal(pthread_create(&sharers[i].thread, NULL, sharer_thread, &sharers[i]),
                             0);
        }
        while (atomic_load(&done) != SHARERS) {
            assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
        }
        for (uint32_t i = 0; i < SHARERS; i++) {
            assert_int_equal(pthread_join(sharers[i].thread, NULL), 0);
            assert_int_equal(sharers[i].failed, 0);
        }
        assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
        for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
            assert_int_equal(f->fake.irq_taken[irq], round);
        }
    }
}

// ---- the event store in tight loops, where a step that is not atomic shows ----

typedef struct Store {
    AxEvents events;
    _Atomic bool stop;
    _Atomic uint64_t nmis; // taken
    _Atomic uint64_t posted_exceptions;
} Store;

// The kick makes the taker take; the NMI comes while it does.
static void *nmi_thread(void *arg)
{
    Store *s = arg;
    uint64_t posted = 0;

    while (!atomic_load(&s->stop)) {
        if (atomic_load(&s->nmis) == posted) {
            posted++;
            axvcpu_events_post_kick(&s->events);
            axvcpu_events_post_nmi(&s->events);
        }
    }
    return (void *)(uintptr_t)posted;
}

static void *exception_thread(void *arg)
{
    Store *s = arg;
    uint64_t code = 0;

    while (!atomic_load(&s->stop)) {
        const AxException exception = {.error_code = code, .address = code * MAGIC};

        if (axvcpu_events_post_exception(&s->events, &exception) == AX_OK) {
            code++;
        }
    }
    atomic_fetch_add(&s->posted_exceptions, code);
    return NULL;
}

typedef struct Taken {
    uint64_t exceptions, torn;
} Taken;

static void take_all(Store *s, Taken *taken)
{
    AxException out;

    if ((axvcpu_events_take_summary(&s->events) & AX_EVENT_NMI) != 0) {
        atomic_fetch_add(&s->nmis, 1);
    }
    if (axvcpu_events_take_exception(&s->events, &out)) {
        taken->exceptions++;
        taken->torn += out.address != out.error_code * MAGIC;
    }
}

// Takes while `count` threads post; returns what the last of them returned.
static void *race_the_taker(Store *s, Taken *taken, void *(*poster)(void *arg), unsigned count)
{
    pthread_t threads[2];
    void *result = NULL;
    const uint64_t end = clock_ns() + HAMMER_NS / 2;

    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, poster, s), 0);
    }
    while (clock_ns() < end) {
        for (unsigned i = 0; i < 1000; i++) {
            take_all(s, taken);
        }
    }
    atomic_store(&s->stop, true);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
    }
    take_all(s, taken);
    return result;
}

static void the_summary_is_taken_in_one_step(void **state)
{
    static Store store;
    Taken taken = {0};

    (void)state;
    axvcpu_events_init(&store.events);
    const uintptr_t posted = (uintptr_t)race_the_taker(&store, &taken, nmi_thread, 1);
    assert_true(posted > 0);
    assert_int_equal(atomic_load(&store.nmis), posted);
}

static void two_exceptions_never_mix(void **state)
{
    static Store store;
    Taken taken = {0};

    (void)state;
    axvcpu_events_init(&store.events);
    (void)race_the_taker(&store, &taken, exception_thread, 2);
    assert_int_equal(taken.torn, 0);
    assert_int_equal(taken.exceptions, atomic_load(&store.posted_exceptions));
    assert_true(taken.exceptions > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_event_is_lost_between_running_and_blocked),
        cmocka_unit_test(a_lone_poster_always_gets_through),
        TEST(each_block_is_ended_by_exactly_one_waker),
        TEST(bits_of_one_word_do_not_disturb_each_other),
        cmocka_unit_test(the_summary_is_taken_in_one_step),
        cmocka_unit_test(two_exceptions_never_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
