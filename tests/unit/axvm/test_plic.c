// SPDX-License-Identifier: Apache-2.0
// The PLIC: its registers against a table, the rules of the specification one by one, then long
// random sequences against a model that knows nothing of words and bits.
#include "test.h"

#include <axvm/devices/plic.h>
#include <pthread.h>

#define SOURCES  70u
#define CONTEXTS 3u
#define SOURCE   10u
#define OTHER    40u

#define PRIORITY(source)   (4u * (source))
#define PENDING(word)      (0x1000u + 4u * (word))
#define ENABLE(cpu, word)  (0x2000u + 0x80u * (cpu) + 4u * (word))
#define THRESHOLD(context) (0x200000u + 0x1000u * (context))
#define CLAIM(context)     (THRESHOLD(context) + 4u)

static FakeHal host;
static AxVCpu vcpus[AX_VM_CPUS_MAX + 1];
static FakeVCpu fakes[AX_VM_CPUS_MAX + 1];
static AxPlic plic;

static void create_vcpu(AxVCpuId id)
{
    const AxVCpuParams params = {.hal = &host.hal, .id = id, .preferred_pcpu = AX_PCPU_NONE};
    const CreateConfig config = axvcpu_arch_create_config(id, ax_gpa(0), 0);

    assert_error(axvcpu_arch_create(&vcpus[id], params, &fakes[id], &config), AX_OK);
}

static int setup(void **state)
{
    (void)state;
    fake_hal_init(&host, 16);
    assert_error(axvm_plic_init(&plic, SOURCES), AX_OK);
    for (AxVCpuId id = 0; id < CONTEXTS; id++) {
        create_vcpu(id);
        assert_error(axvm_plic_add_cpu(&plic, &vcpus[id]), AX_OK);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (AxVCpuId id = 0; id < CONTEXTS; id++) {
        assert_error(axvcpu_destroy(&vcpus[id]), AX_OK);
    }
    assert_int_equal(fake_hal_fini(&host), 0);
    return 0;
}

static uint32_t get(uint64_t offset)
{
    uint64_t value = UINT64_MAX;

    assert_error(axvm_plic_ops.read(&plic, &vcpus[0], offset, AX_WIDTH_DWORD, &value), AX_OK);
    assert_true(value <= UINT32_MAX);
    return (uint32_t)value;
}

static void set(uint64_t offset, uint64_t value)
{
    assert_error(axvm_plic_ops.write(&plic, &vcpus[0], offset, AX_WIDTH_DWORD, value), AX_OK);
}

static void enable(uint32_t context, uint32_t source)
{
    const uint32_t offset = ENABLE(context, source / 32);

    set(offset, get(offset) | UINT32_C(1) << source % 32);
}

static void disable(uint32_t context, uint32_t source)
{
    const uint32_t offset = ENABLE(context, source / 32);

    set(offset, get(offset) & ~(UINT32_C(1) << source % 32));
}

static void prepare(uint32_t context, uint32_t source, uint32_t priority)
{
    set(PRIORITY(source), priority);
    enable(context, source);
}

static void drive(uint32_t source, bool high)
{
    const AxIrqLine line = axvm_plic_line(&plic, source);

    axvm_irq_set(&line, high);
}

static bool is_high(uint32_t context)
{
    return axvcpu_events_level(&vcpus[context].events, AX_PLIC_IRQ);
}

static bool is_pending(uint32_t source)
{
    return (get(PENDING(source / 32)) >> source % 32 & 1) != 0;
}

// ---- registers ----

typedef struct Reg {
    uint32_t offset;
    uint32_t writable;
} Reg;

static const Reg regs[] = {
    {PRIORITY(0), 0}, // there is no source 0
    {PRIORITY(1), 7},
    {PRIORITY(SOURCES), 7},
    {PRIORITY(SOURCES + 1), 0},
    {PRIORITY(1023), 0},
    {PENDING(0), 0},
    {PENDING(2), 0},
    {PENDING(31), 0},
    {PENDING(32), 0},
    {0x1ffc, 0},
    {ENABLE(0, 0), 0xfffffffe},
    {ENABLE(0, 1), 0xffffffff},
    {ENABLE(0, 2), 0x7f}, // sources 64 to 70
    {ENABLE(0, 3), 0},
    {ENABLE(0, 31), 0},
    {ENABLE(2, 2), 0x7f},
    {ENABLE(3, 0), 0}, // no such context
    {0x1ffffc, 0},
    {THRESHOLD(0), 7},
    {THRESHOLD(2), 7},
    {THRESHOLD(3), 0},
    {THRESHOLD(0) + 8, 0},
    {CLAIM(0), 0},
    {CLAIM(3), 0},
    {THRESHOLD(0) + 0xffc, 0},
    {0x5ffffc, 0},
};

static void registers_are_zero_after_reset_and_keep_their_writable_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        assert_int_equal(get(regs[i].offset), 0);
    }
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        set(regs[i].offset, UINT32_MAX);
        assert_int_equal(get(regs[i].offset), regs[i].writable);
    }
    axvm_plic_reset(&plic);
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        assert_int_equal(get(regs[i].offset), 0);
    }
}

static void the_last_source_of_a_full_word_has_its_enable_bit(void **state)
{
    static const struct {
        uint32_t sources;
        uint32_t word;
        uint32_t bits;
    } cases[] = {{1, 0, 0x2},  {31, 0, 0xfffffffe},    {32, 1, 0x1},          {63, 1, 0xffffffff},
                 {64, 2, 0x1}, {1022, 31, 0x7fffffff}, {1023, 31, 0xffffffff}};
    static AxPlic small;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const uint32_t offset = ENABLE(0, cases[i].word);
        uint64_t value = 0;

        assert_error(axvm_plic_init(&small, cases[i].sources), AX_OK);
        assert_error(axvm_plic_add_cpu(&small, &vcpus[0]), AX_OK);
        assert_error(axvm_plic_ops.write(&small, NULL, offset, AX_WIDTH_DWORD, UINT32_MAX), AX_OK);
        assert_error(axvm_plic_ops.read(&small, NULL, offset, AX_WIDTH_DWORD, &value), AX_OK);
        assert_int_equal(value, cases[i].bits);
    }
}

static void accesses_other_than_of_aligned_words_are_faults(void **state)
{
    static const AccessWidth widths[] = {AX_WIDTH_BYTE, AX_WIDTH_WORD, AX_WIDTH_QWORD,
                                         AX_WIDTH_DWORD};
    static AxPlic before;

    (void)state;
    prepare(0, SOURCE, 3);
    drive(SOURCE, true);
    before = plic;
    for (size_t i = 0; i < COUNT_OF(regs); i++) {
        for (size_t w = 0; w < COUNT_OF(widths); w++) {
            const uint32_t offset = regs[i].offset + (widths[w] == AX_WIDTH_DWORD ? 2 : 0);
            uint64_t value = 1;

            assert_error(axvm_plic_ops.read(&plic, NULL, offset, widths[w], &value), AX_EFAULT);
            assert_int_equal(value, 0);
            assert_error(axvm_plic_ops.write(&plic, NULL, offset, widths[w], UINT64_MAX),
                         AX_EFAULT);
        }
    }
    assert_memory_equal(&plic, &before, sizeof(plic));
}

static void offsets_beyond_the_registers_reach_nothing(void **state)
{
    static const uint64_t offsets[] = {AX_PLIC_SIZE,          AX_PLIC_SIZE + 4,
                                       UINT64_C(0x4000000),   UINT64_C(0x100000000),
                                       UINT64_C(0x100200004), UINT64_C(0x8000000000000000),
                                       UINT64_MAX - 3};
    static AxPlic before;

    (void)state;
    prepare(0, SOURCE, 3);
    drive(SOURCE, true);
    before = plic;
    for (size_t i = 0; i < COUNT_OF(offsets); i++) {
        assert_int_equal(get(offsets[i]), 0);
        set(offsets[i], UINT32_MAX);
    }
    before.lock = plic.lock;
    assert_memory_equal(&plic, &before, sizeof(plic));
}

// ---- the way of an interrupt ----

static void a_source_reaches_the_contexts_where_it_is_enabled(void **state)
{
    (void)state;
    prepare(1, SOURCE, 1);
    drive(SOURCE, true);
    assert_true(is_pending(SOURCE));
    assert_false(is_high(0));
    assert_true(is_high(1));
    enable(0, SOURCE);
    assert_true(is_high(0));
    disable(1, SOURCE);
    assert_false(is_high(1));
}

static void a_claim_takes_the_request_from_everybody(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    enable(1, SOURCE);
    drive(SOURCE, true);
    assert_int_equal(get(CLAIM(1)), SOURCE);
    assert_false(is_pending(SOURCE));
    assert_false(is_high(0));
    assert_false(is_high(1));
    assert_int_equal(get(CLAIM(0)), 0);
    assert_int_equal(get(CLAIM(1)), 0);
}

static void a_line_that_is_still_high_asks_again_after_the_completion(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    drive(SOURCE, true);
    assert_int_equal(get(CLAIM(0)), SOURCE);
    drive(SOURCE, false);
    drive(SOURCE, true);
    assert_false(is_pending(SOURCE));
    set(CLAIM(0), SOURCE);
    assert_true(is_pending(SOURCE));
    assert_true(is_high(0));
    assert_int_equal(get(CLAIM(0)), SOURCE);
    drive(SOURCE, false);
    set(CLAIM(0), SOURCE);
    assert_false(is_pending(SOURCE));
    assert_false(is_high(0));
}

static void a_request_stays_when_its_line_falls(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    drive(SOURCE, true);
    drive(SOURCE, false);
    assert_true(is_high(0));
    assert_int_equal(get(CLAIM(0)), SOURCE);
    set(CLAIM(0), SOURCE);
    assert_int_equal(get(CLAIM(0)), 0);
}

static void requests_wait_for_priority_and_enable(void **state)
{
    (void)state;
    drive(SOURCE, true);
    enable(0, SOURCE);
    assert_true(is_pending(SOURCE));
    assert_false(is_high(0)); // priority 0: never
    assert_int_equal(get(CLAIM(0)), 0);
    set(PRIORITY(SOURCE), 1);
    assert_true(is_high(0));
    set(PRIORITY(SOURCE), 8); // bits that are not there
    assert_false(is_high(0));
}

static void the_highest_priority_wins_then_the_lowest_number(void **state)
{
    static const struct {
        uint32_t source;
        uint32_t priority;
    } given[] = {{1, 2}, {31, 5}, {32, 5}, {33, 7}, {SOURCES, 7}, {64, 1}};
    static const uint32_t wanted[] = {33, SOURCES, 31, 32, 1, 64, 0, 0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(given); i++) {
        prepare(0, given[i].source, given[i].priority);
        drive(given[i].source, true);
    }
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_int_equal(get(CLAIM(0)), wanted[i]);
    }
}

static void the_threshold_masks_the_interrupt_but_not_the_claim(void **state)
{
    (void)state;
    prepare(0, SOURCE, 3);
    enable(1, SOURCE);
    drive(SOURCE, true);
    for (uint32_t threshold = 0; threshold <= 7; threshold++) {
        set(THRESHOLD(0), threshold);
        assert_int_equal(is_high(0), threshold < 3);
        assert_true(is_high(1));
    }
    assert_int_equal(get(CLAIM(0)), SOURCE);
}

static void completions_count_only_where_the_source_is_enabled(void **state)
{
    static const uint32_t strange[] = {0,         OTHER, SOURCES + 1, 1023, 1024, SOURCE + 0x10000,
                                       UINT32_MAX};

    (void)state;
    prepare(0, SOURCE, 1);
    drive(SOURCE, true);
    assert_int_equal(get(CLAIM(0)), SOURCE);
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        set(CLAIM(0), strange[i]);
        assert_false(is_pending(SOURCE));
    }
    set(CLAIM(1), SOURCE);
    assert_false(is_pending(SOURCE));
    disable(0, SOURCE);
    set(CLAIM(0), SOURCE);
    assert_false(is_pending(SOURCE));
    // Who claimed does not matter.
    enable(2, SOURCE);
    set(CLAIM(2), SOURCE);
    assert_true(is_pending(SOURCE));
    assert_true(is_high(2));
    assert_false(is_high(0));
}

static void a_completion_of_what_nobody_claimed_does_nothing(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    set(CLAIM(0), SOURCE);
    assert_false(is_pending(SOURCE));
    drive(SOURCE, true);
    set(CLAIM(0), SOURCE);
    assert_int_equal(get(CLAIM(0)), SOURCE);
    assert_int_equal(get(CLAIM(0)), 0);
}

static void sources_that_do_not_exist_are_ignored(void **state)
{
    static const uint32_t sources[] = {0, SOURCES + 1, 1023, 1024, UINT32_MAX};
    static AxPlic before;

    (void)state;
    before = plic;
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        drive(sources[i], true);
        drive(sources[i], false);
    }
    assert_memory_equal(&plic, &before, sizeof(plic));
}

// ---- life ----

static void bad_configurations_are_refused(void **state)
{
    static AxPlic other;

    (void)state;
    assert_error(axvm_plic_init(&other, 0), AX_EINVAL);
    assert_error(axvm_plic_init(&other, 1024), AX_EINVAL);
    assert_error(axvm_plic_init(&other, 1023), AX_OK);
    assert_error(axvm_plic_add_cpu(&other, NULL), AX_EINVAL);
    for (uint32_t i = 0; i < AX_VM_CPUS_MAX; i++) {
        assert_error(axvm_plic_add_cpu(&other, &vcpus[0]), AX_OK);
    }
    assert_error(axvm_plic_add_cpu(&other, &vcpus[0]), AX_ENOSPC);
}

static void reset_lowers_everything(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    prepare(0, OTHER, 1);
    drive(SOURCE, true);
    drive(OTHER, true);
    assert_int_equal(get(CLAIM(0)), SOURCE);
    assert_true(is_high(0));
    axvm_plic_reset(&plic);
    assert_false(is_high(0));
    // Neither claims nor lines are left.
    prepare(0, SOURCE, 1);
    prepare(0, OTHER, 1);
    assert_false(is_high(0));
    drive(SOURCE, true);
    assert_int_equal(get(CLAIM(0)), SOURCE);
}

static void a_vcpu_that_was_reset_is_told_again(void **state)
{
    (void)state;
    prepare(1, SOURCE, 1);
    drive(SOURCE, true);
    assert_error(axvcpu_reset(&vcpus[1]), AX_OK);
    assert_false(is_high(1));
    axvm_plic_vcpu_reset(&plic, 0);
    assert_false(is_high(1));
    axvm_plic_vcpu_reset(&plic, CONTEXTS);
    axvm_plic_vcpu_reset(&plic, UINT32_MAX);
    axvm_plic_vcpu_reset(&plic, 1);
    assert_true(is_high(1));
}

static void a_vcpu_that_is_gone_stops_nobody(void **state)
{
    (void)state;
    prepare(0, SOURCE, 1);
    enable(1, SOURCE);
    assert_error(axvcpu_destroy(&vcpus[0]), AX_OK);
    drive(SOURCE, true);
    assert_true(is_high(1));
    create_vcpu(0);
}

// ---- random sequences against a model ----

typedef struct Model {
    uint32_t priority[SOURCES + 1];
    bool line[SOURCES + 1];
    bool pending[SOURCES + 1];
    bool claimed[SOURCES + 1];
    bool enabled[CONTEXTS][SOURCES + 1];
    uint32_t threshold[CONTEXTS];
} Model;

static Model model;

static void model_drive(uint32_t source, bool high)
{
    model.line[source] = high;
    if (high && !model.claimed[source]) {
        model.pending[source] = true;
    }
}

static uint32_t model_best(uint32_t context)
{
    uint32_t best = 0;

    for (uint32_t priority = 7; priority > 0 && best == 0; priority--) {
        for (uint32_t source = 1; source <= SOURCES && best == 0; source++) {
            if (model.pending[source] && model.enabled[context][source] &&
                model.priority[source] == priority) {
                best = source;
            }
        }
    }
    return best;
}

static uint32_t model_claim(uint32_t context)
{
    const uint32_t source = model_best(context);

    model.pending[source] = false;
    model.claimed[source] = source != 0;
    return source;
}

static void model_complete(uint32_t context, uint32_t source)
{
    if (source == 0 || source > SOURCES || !model.enabled[context][source]) {
        return;
    }
    model.claimed[source] = false;
    if (model.line[source]) {
        model.pending[source] = true;
    }
}

static void compare(void)
{
    for (uint32_t context = 0; context < CONTEXTS; context++) {
        const uint32_t best = model_best(context);

        assert_int_equal(is_high(context), model.priority[best] > model.threshold[context]);
    }
    for (uint32_t word = 0; word <= SOURCES / 32; word++) {
        uint32_t bits = 0;

        for (uint32_t source = word * 32; source <= SOURCES && source < word * 32 + 32; source++) {
            bits |= (uint32_t)model.pending[source] << source % 32;
        }
        assert_int_equal(get(PENDING(word)), bits);
    }
}

static void random_step(Random *random)
{
    const uint32_t source = 1 + (uint32_t)random_below(random, SOURCES);
    const uint32_t context = (uint32_t)random_below(random, CONTEXTS);
    const uint32_t value = (uint32_t)random_below(random, 8);
    uint32_t given;

    switch (random_below(random, 9)) {
    case 0:
    case 1:
        drive(source, value > 2);
        model_drive(source, value > 2);
        break;
    case 2:
        set(PRIORITY(source), value);
        model.priority[source] = value;
        break;
    case 3:
        enable(context, source);
        model.enabled[context][source] = true;
        break;
    case 4:
        disable(context, source);
        model.enabled[context][source] = false;
        break;
    case 5:
        set(THRESHOLD(context), value / 2);
        model.threshold[context] = value / 2;
        break;
    case 6:
    case 7: assert_int_equal(get(CLAIM(context)), model_claim(context)); break;
    default:
        given = value == 0 ? (uint32_t)random_next(random) : source;
        set(CLAIM(context), given);
        model_complete(context, given);
        break;
    }
}

static void random_sequences_agree_with_the_model(void **state)
{
    Random random = {UINT64_C(0x9e3779b97f4a7c15)};

    (void)state;
    for (uint32_t round = 0; round < 20; round++) {
        memset(&model, 0, sizeof(model));
        axvm_plic_reset(&plic);
        for (uint32_t i = 0; i < 3000; i++) {
            random_step(&random);
            compare();
        }
    }
}

// ---- several pCPUs ----

#define CLAIMS_EACH 1000u

static _Atomic uint32_t holders[SOURCES + 1];
static _Atomic uint32_t shared_claims;

// Drives a line and claims what there is. Whoever claims a source has it alone until it completes.
static void *drive_and_claim(void *context)
{
    const uint32_t claim = CLAIM((uint32_t)(uintptr_t)context);

    for (uint32_t i = 0; i < CLAIMS_EACH; i++) {
        uint32_t source;

        drive(1 + i % SOURCES, i / SOURCES % 2 == 0);
        source = get(claim);
        if (source != 0) {
            atomic_fetch_add(&shared_claims, atomic_fetch_add(&holders[source], 1) != 0);
            atomic_fetch_sub(&holders[source], 1);
            set(claim, source);
        }
    }
    return NULL;
}

static void a_source_has_one_holder_whoever_claims(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (uint32_t source = 1; source <= SOURCES; source++) {
        prepare(0, source, 1 + source % 7);
        enable(1, source);
    }
    for (uintptr_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, drive_and_claim, (void *)i), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&shared_claims), 0);
    // All lines down, all requests served: nothing is stuck.
    for (uint32_t source = 1; source <= SOURCES; source++) {
        drive(source, false);
    }
    for (uint32_t source = get(CLAIM(0)); source != 0; source = get(CLAIM(0))) {
        set(CLAIM(0), source);
    }
    assert_false(is_high(0));
    assert_false(is_high(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_are_zero_after_reset_and_keep_their_writable_bits),
        TEST(the_last_source_of_a_full_word_has_its_enable_bit),
        TEST(accesses_other_than_of_aligned_words_are_faults),
        TEST(offsets_beyond_the_registers_reach_nothing),
        TEST(a_source_reaches_the_contexts_where_it_is_enabled),
        TEST(a_claim_takes_the_request_from_everybody),
        TEST(a_line_that_is_still_high_asks_again_after_the_completion),
        TEST(a_request_stays_when_its_line_falls),
        TEST(requests_wait_for_priority_and_enable),
        TEST(the_highest_priority_wins_then_the_lowest_number),
        TEST(the_threshold_masks_the_interrupt_but_not_the_claim),
        TEST(completions_count_only_where_the_source_is_enabled),
        TEST(a_completion_of_what_nobody_claimed_does_nothing),
        TEST(sources_that_do_not_exist_are_ignored),
        TEST(bad_configurations_are_refused),
        TEST(reset_lowers_everything),
        TEST(a_vcpu_that_was_reset_is_told_again),
        TEST(a_vcpu_that_is_gone_stops_nobody),
        TEST(random_sequences_agree_with_the_model),
        TEST(a_source_has_one_holder_whoever_claims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
