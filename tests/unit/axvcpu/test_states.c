// SPDX-License-Identifier: Apache-2.0
/* Every state × every call: what each returns, where it leads, and that a refusal changes nothing. */
#include "fixture.h"

// Where a vCPU can stand: the states, split where the same state answers differently.
typedef enum Station {
    DESTROYED,
    INVALID,       // after a failing setup
    INVALID_BOUND, // after a failing run
    CREATED,
    CONFIGURED, // Created, entry and root are set
    FREE,
    READY,
    PENDING, // Ready, an MMIO read waits for its answer
    RUNNING,
    BLOCKED,
    BLOCKED_BOUND,
    STATION_COUNT
} Station;

static void fail_setup(Fixture *f)
{
    const SetupConfig config = {0};

    configure(f);
    fake_fail(&f->fake, FAKE_SETUP, AX_EBACKEND, 0);
    assert_error(axvcpu_arch_setup(&f->vcpu, &config), AX_EBACKEND);
}

static void fail_run(Fixture *f)
{
    const AxVCpuExit *exit;

    to_ready(f);
    fake_fail(&f->fake, FAKE_RUN, AX_EBACKEND, 0);
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_EBACKEND);
}

static void stay_created(Fixture *f)
{
    (void)f;
}

static void to_destroyed(Fixture *f)
{
    assert_error(axvcpu_destroy(&f->vcpu), AX_OK);
}

static void to_pending(Fixture *f)
{
    to_ready(f);
    (void)run_to(f, (AxVCpuExit){.reason = AX_EXIT_MMIO_READ, .mmio.width = AX_WIDTH_DWORD});
}

static void to_blocked(Fixture *f)
{
    to_free(f);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
}

static void to_blocked_bound(Fixture *f)
{
    to_ready(f);
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
}

// Running is reached inside the fake guest; until then the vCPU is Ready.
static const struct {
    const char *name;
    void (*go)(Fixture *f);
    AxVCpuState state;
    bool bound;
} stations[STATION_COUNT] = {
    [DESTROYED] = {"destroyed", to_destroyed, AX_VCPU_INVALID, false},
    [INVALID] = {"invalid", fail_setup, AX_VCPU_INVALID, false},
    [INVALID_BOUND] = {"invalid and bound", fail_run, AX_VCPU_INVALID, true},
    [CREATED] = {"created", stay_created, AX_VCPU_CREATED, false},
    [CONFIGURED] = {"configured", configure, AX_VCPU_CREATED, false},
    [FREE] = {"free", to_free, AX_VCPU_FREE, false},
    [READY] = {"ready", to_ready, AX_VCPU_READY, true},
    [PENDING] = {"ready with an exit", to_pending, AX_VCPU_READY, true},
    [RUNNING] = {"running", to_ready, AX_VCPU_RUNNING, true},
    [BLOCKED] = {"blocked", to_blocked, AX_VCPU_BLOCKED, false},
    [BLOCKED_BOUND] = {"blocked and bound", to_blocked_bound, AX_VCPU_BLOCKED, true},
};

// ---- the calls ----

static AxError call_set_entry(Fixture *f)
{
    return axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY));
}

static AxError call_set_ept_root(Fixture *f)
{
    return axvcpu_set_ept_root(&f->vcpu, &f->root);
}

static AxError call_setup(Fixture *f)
{
    const SetupConfig config = {0};

    return axvcpu_arch_setup(&f->vcpu, &config);
}

static AxError call_bind(Fixture *f)
{
    return axvcpu_bind(&f->vcpu, &f->percpu);
}

static AxError call_run(Fixture *f)
{
    const AxVCpuExit *exit;

    return axvcpu_run(&f->vcpu, &exit);
}

static AxError call_unbind(Fixture *f)
{
    return axvcpu_unbind(&f->vcpu);
}

static AxError call_block(Fixture *f)
{
    return axvcpu_block(&f->vcpu);
}

static AxError call_wake(Fixture *f)
{
    return axvcpu_wake(&f->vcpu) ? AX_OK : AX_ESTATE;
}

static AxError call_reset(Fixture *f)
{
    return axvcpu_reset(&f->vcpu);
}

static AxError call_destroy(Fixture *f)
{
    return axvcpu_destroy(&f->vcpu);
}

static AxError call_complete_read(Fixture *f)
{
    return axvcpu_complete_read(&f->vcpu, 1);
}

static AxError call_complete_write(Fixture *f)
{
    return axvcpu_complete_write(&f->vcpu);
}

static AxError call_complete_call(Fixture *f)
{
    return axvcpu_complete_call(&f->vcpu, AX_OK, 1);
}

static AxError call_complete_retry(Fixture *f)
{
    return axvcpu_complete_retry(&f->vcpu);
}

static AxError call_complete_fault(Fixture *f)
{
    return axvcpu_complete_fault(&f->vcpu);
}

static AxError call_get_reg(Fixture *f)
{
    uint64_t value;

    return axvcpu_get_reg(&f->vcpu, AX_REG_PC, &value);
}

static AxError call_set_reg(Fixture *f)
{
    return axvcpu_set_reg(&f->vcpu, AX_REG_SP, 5);
}

static AxError call_set_gpr(Fixture *f)
{
    return axvcpu_set_gpr(&f->vcpu, 4, 5);
}

static AxError call_set_return_value(Fixture *f)
{
    return axvcpu_set_return_value(&f->vcpu, 5);
}

static AxError call_get_regs(Fixture *f)
{
    uint64_t values[FAKE_REG_COUNT];

    return axvcpu_get_regs(&f->vcpu, values, FAKE_REG_COUNT);
}

static AxError call_set_regs(Fixture *f)
{
    const uint64_t values[FAKE_REG_COUNT] = {1, 2, 3};

    return axvcpu_set_regs(&f->vcpu, values, FAKE_REG_COUNT);
}

static AxError call_inject_edge(Fixture *f)
{
    return axvcpu_inject_interrupt(&f->vcpu, 40, AX_TRIGGER_EDGE);
}

static AxError call_inject_level(Fixture *f)
{
    return axvcpu_inject_interrupt(&f->vcpu, 40, AX_TRIGGER_LEVEL);
}

static AxError call_raise(Fixture *f)
{
    return axvcpu_set_interrupt_level(&f->vcpu, 40, true);
}

static AxError call_lower(Fixture *f)
{
    return axvcpu_set_interrupt_level(&f->vcpu, 40, false);
}

static AxError call_disable_irq(Fixture *f)
{
    return axvcpu_enable_interrupt(&f->vcpu, 40, false);
}

static AxError call_priority(Fixture *f)
{
    return axvcpu_set_interrupt_priority(&f->vcpu, 40, 1);
}

static AxError call_request(Fixture *f)
{
    return axvcpu_request_interrupt(&f->vcpu, 40, AX_IRQ_CLEAR_ACTIVE);
}

static AxError call_exception(Fixture *f)
{
    const AxException exception = {.vector = 6};

    return axvcpu_inject_exception(&f->vcpu, &exception);
}

static AxError call_nmi(Fixture *f)
{
    return axvcpu_inject_nmi(&f->vcpu);
}

// ---- what they do; where nothing is said: AX_ESTATE, and nothing changes ----

#define AT(station)  (1u << (station))
#define ALIVE        (AT(STATION_COUNT) - 1 - AT(DESTROYED) - AT(INVALID) - AT(INVALID_BOUND))
#define RESTING      (ALIVE - AT(RUNNING))
#define ALL_BLOCKED  (AT(BLOCKED) | AT(BLOCKED_BOUND))
#define SAME         AX_VCPU_STATE_COUNT
#define RESULT_COUNT 5

typedef struct Result {
    unsigned at; // stations
    AxError error;
    AxVCpuState next; // SAME: stays
} Result;

// Posts that leave an event, and so wake.
#define WAKES                                                                   \
    {                                                                           \
        {ALIVE - ALL_BLOCKED, AX_OK, SAME}, {AT(BLOCKED), AX_OK, AX_VCPU_FREE}, \
        {                                                                       \
            AT(BLOCKED_BOUND), AX_OK, AX_VCPU_READY                             \
        }                                                                       \
    }
#define ANYWHERE_ALIVE         \
    {                          \
        {                      \
            ALIVE, AX_OK, SAME \
        }                      \
    }
#define WHILE_RESTING            \
    {                            \
        {                        \
            RESTING, AX_OK, SAME \
        }                        \
    }
#define NO_SUCH_EXIT                                  \
    {                                                 \
        {                                             \
            AT(READY) | AT(PENDING), AX_ENOEXIT, SAME \
        }                                             \
    }
#define ANSWERS                        \
    {                                  \
        {AT(READY), AX_ENOEXIT, SAME}, \
        {                              \
            AT(PENDING), AX_OK, SAME   \
        }                              \
    }

static const struct {
    const char *name;
    AxError (*call)(Fixture *f);
    Result results[RESULT_COUNT];
} calls[] = {
    {"set_entry", call_set_entry, {{AT(CREATED), AX_OK, SAME}, {AT(CONFIGURED), AX_EEXIST, SAME}}},
    {"set_ept_root",
     call_set_ept_root,
     {{AT(CREATED), AX_OK, SAME}, {AT(CONFIGURED), AX_EEXIST, SAME}}},
    {"setup", call_setup, {{AT(CONFIGURED), AX_OK, AX_VCPU_FREE}}},
    {"bind", call_bind, {{AT(FREE), AX_OK, AX_VCPU_READY}}},
    {"run", call_run, {{AT(READY), AX_OK, SAME}, {AT(PENDING), AX_EPENDING, SAME}}},
    {"unbind",
     call_unbind,
     {{AT(READY) | AT(PENDING), AX_OK, AX_VCPU_FREE}, {AT(BLOCKED_BOUND), AX_OK, SAME}}},
    {"block", call_block, {{AT(FREE) | AT(READY) | AT(PENDING), AX_OK, AX_VCPU_BLOCKED}}},
    {"wake",
     call_wake,
     {{AT(BLOCKED), AX_OK, AX_VCPU_FREE}, {AT(BLOCKED_BOUND), AX_OK, AX_VCPU_READY}}},
    {"reset", call_reset, {{RESTING | AT(INVALID) | AT(INVALID_BOUND), AX_OK, AX_VCPU_CREATED}}},
    {"destroy",
     call_destroy,
     {{AT(INVALID) | AT(CREATED) | AT(CONFIGURED) | AT(FREE) | AT(BLOCKED), AX_OK,
       AX_VCPU_INVALID}}},
    {"complete_read", call_complete_read, ANSWERS},
    {"complete_write", call_complete_write, NO_SUCH_EXIT},
    {"complete_call", call_complete_call, NO_SUCH_EXIT},
    {"complete_retry", call_complete_retry, ANSWERS},
    {"complete_fault", call_complete_fault, ANSWERS},
    {"get_reg", call_get_reg, WHILE_RESTING},
    {"set_reg", call_set_reg, WHILE_RESTING},
    {"set_gpr", call_set_gpr, WHILE_RESTING},
    {"set_return_value", call_set_return_value, WHILE_RESTING},
    {"get_regs", call_get_regs, WHILE_RESTING},
    {"set_regs", call_set_regs, WHILE_RESTING},
    {"inject an edge", call_inject_edge, WAKES},
    {"inject a level", call_inject_level, WAKES},
    {"raise a line", call_raise, WAKES},
    {"lower a line", call_lower, ANYWHERE_ALIVE},
    {"disable an interrupt", call_disable_irq, ANYWHERE_ALIVE},
    {"set a priority", call_priority, ANYWHERE_ALIVE},
    {"request", call_request, WAKES},
    {"inject an exception", call_exception, WAKES},
    {"inject an NMI", call_nmi, WAKES},
};

static Result expected_of(size_t call, Station station)
{
    for (size_t i = 0; i < RESULT_COUNT; i++) {
        if ((calls[call].results[i].at & AT(station)) != 0) {
            Result result = calls[call].results[i];

            result.next = result.next == SAME ? stations[station].state : result.next;
            return result;
        }
    }
    return (Result){.error = AX_ESTATE, .next = stations[station].state};
}

typedef struct Snapshot {
    AxVCpu vcpu;
    FakeVCpu fake;
    uint32_t kicks;
} Snapshot;

static Snapshot *take_snapshot(const Fixture *f)
{
    Snapshot *s = test_malloc(sizeof(*s));

    memcpy(&s->vcpu, &f->vcpu, sizeof(s->vcpu));
    memcpy(&s->fake, &f->fake, sizeof(s->fake));
    s->kicks = atomic_load(&f->host.kick_count);
    return s;
}

static void assert_unchanged(const Fixture *f, const Snapshot *s)
{
    assert_memory_equal(&s->vcpu, &f->vcpu, sizeof(s->vcpu));
    assert_memory_equal(&s->fake, &f->fake, sizeof(s->fake));
    assert_int_equal(s->kicks, atomic_load(&f->host.kick_count));
}

static void check_cell(Fixture *f, size_t call, Station station)
{
    const Result expected = expected_of(call, station);
    Snapshot *before = take_snapshot(f);

    print_message("# %s when %s\n", calls[call].name, stations[station].name);
    assert_state(f, stations[station].state);
    assert_int_equal(axvcpu_is_bound(&f->vcpu), stations[station].bound);
    assert_error(calls[call].call(f), expected.error);
    assert_state(f, expected.next);
    if (expected.error != AX_OK) {
        assert_unchanged(f, before);
    }
    test_free(before);
}

typedef struct Cell {
    Fixture *fixture;
    size_t call;
} Cell;

static AxError check_while_running(FakeVCpu *fake, AxVCpuExit *exit)
{
    const Cell *cell = fake->guest_ctx;

    check_cell(cell->fixture, cell->call, RUNNING);
    *exit = (AxVCpuExit){.reason = AX_EXIT_NOTHING};
    return AX_OK;
}

static void check_in_guest(Fixture *f, size_t call)
{
    Cell cell = {f, call};
    const AxVCpuExit *exit;

    f->fake.guest = check_while_running;
    f->fake.guest_ctx = &cell;
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(exit->reason, AX_EXIT_NOTHING);
    assert_state(f, AX_VCPU_READY);
    f->fake.guest = NULL;
    f->fake.guest_ctx = NULL;
}

static void every_call_in_every_state_does_what_the_table_says(void **state)
{
    (void)state;
    for (size_t call = 0; call < ARRAY_SIZE(calls); call++) {
        for (unsigned station = 0; station < STATION_COUNT; station++) {
            Fixture *f = test_malloc(sizeof(*f));

            fixture_init(f);
            stations[station].go(f);
            if (station == RUNNING) {
                check_in_guest(f, call);
            } else {
                check_cell(f, call, (Station)station);
            }
            fixture_fini(f);
            test_free(f);
        }
    }
}

static void a_kick_reaches_every_living_state_and_wakes_the_blocked(void **state)
{
    (void)state;
    for (unsigned station = 0; station < STATION_COUNT; station++) {
        Fixture *f = test_malloc(sizeof(*f));

        fixture_init(f);
        stations[station].go(f);
        axvcpu_kick(&f->vcpu);
        assert_int_equal(axvcpu_wakeup_pending(&f->vcpu), (ALIVE & AT(station)) != 0);
        assert_int_equal(axvcpu_state(&f->vcpu) == stations[station].state,
                         (ALL_BLOCKED & AT(station)) == 0 && station != RUNNING);
        fixture_fini(f);
        test_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_in_every_state_does_what_the_table_says),
        cmocka_unit_test(a_kick_reaches_every_living_state_and_wakes_the_blocked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
