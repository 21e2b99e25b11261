// SPDX-License-Identifier: Apache-2.0
#include "frames.h"
#include "test.h"

// 16 MiB that pretend to lie at 0x40000000.
#define BASE     UINT64_C(0x40000000)
#define MEMORY   (UINT64_C(16) << 20)
#define MEGABYTE (UINT64_C(1) << 20)

typedef struct Memory {
    uint8_t *host;
    Frames frames;
} Memory;

static int set_up(void **state)
{
    Memory *memory = calloc(1, sizeof(*memory));

    memory->host = aligned_alloc(FRAME_SIZE, MEMORY);
    frames_init(&memory->frames, (intptr_t)((uintptr_t)memory->host - BASE));
    *state = memory;
    return memory->host == NULL;
}

static int tear_down(void **state)
{
    Memory *memory = *state;

    free(memory->host);
    free(memory);
    return 0;
}

static Frames *all_of(void **state)
{
    Memory *memory = *state;

    assert_true(frames_add(&memory->frames, (Range){BASE, MEMORY}));
    return &memory->frames;
}

static uint64_t must_alloc(Frames *frames, uint64_t count, uint64_t align)
{
    uint64_t addr = 0;

    assert_true(frames_alloc(frames, count, align, &addr));
    assert_int_equal(addr % align, 0);
    assert_in_range(addr, BASE, BASE + MEMORY - count * FRAME_SIZE);
    return addr;
}

static void all_frames_but_their_states_are_free(void **state)
{
    Frames *frames = all_of(state);

    // 4096 frames, one byte each.
    assert_int_equal(frames_free_count(frames), MEMORY / FRAME_SIZE - 1);
}

static void a_block_keeps_clear_of_every_other(void **state)
{
    Frames *frames = all_of(state);
    uint8_t *owner = calloc(MEMORY / FRAME_SIZE, 1);
    uint64_t addr;

    for (uint64_t n = 1; frames_alloc(frames, n % 7 + 1, FRAME_SIZE, &addr); n++) {
        for (uint64_t i = 0; i < n % 7 + 1; i++) {
            assert_int_equal(owner[(addr - BASE) / FRAME_SIZE + i]++, 0);
        }
    }
    free(owner);
}

static void every_alignment_up_to_the_largest_is_kept(void **state)
{
    Frames *frames = all_of(state);

    for (uint64_t align = FRAME_SIZE; align <= MEGABYTE; align *= 2) {
        (void)must_alloc(frames, 1, align);
        (void)must_alloc(frames, 3, align);
    }
}

static void a_count_takes_exactly_that_many(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t before = frames_free_count(frames);

    (void)must_alloc(frames, 5, MEGABYTE);
    assert_int_equal(frames_free_count(frames), before - 5);
}

static void all_freed_memory_merges_again(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t before = frames_free_count(frames);
    uint64_t addresses[512];

    for (size_t i = 0; i < COUNT(addresses); i++) {
        addresses[i] = must_alloc(frames, i % 5 + 1, FRAME_SIZE);
    }
    // Every second one first, so that most merges have to wait.
    for (size_t i = 0; i < 2 * COUNT(addresses); i += 2) {
        const size_t k = i % COUNT(addresses) + i / COUNT(addresses);

        assert_true(frames_free(frames, addresses[k], k % 5 + 1));
    }
    assert_int_equal(frames_free_count(frames), before);
    (void)must_alloc(frames, 8 * MEGABYTE / FRAME_SIZE, 8 * MEGABYTE);
}

static void a_part_of_a_block_can_be_freed(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t before = frames_free_count(frames);
    const uint64_t addr = must_alloc(frames, 512, 2 * MEGABYTE);

    assert_true(frames_free(frames, addr + 100 * FRAME_SIZE, 50));
    assert_false(frames_free(frames, addr, 512));
    assert_true(frames_free(frames, addr, 100));
    assert_true(frames_free(frames, addr + 150 * FRAME_SIZE, 362));
    assert_int_equal(frames_free_count(frames), before);
}

static void what_is_not_allocated_cannot_be_freed(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t addr = must_alloc(frames, 2, FRAME_SIZE);
    const uint64_t before = frames_free_count(frames);
    const struct {
        uint64_t addr;
        uint64_t count;
    } bad[] = {
        {addr, 0},
        {addr, 3},
        {addr, UINT64_MAX},
        {addr + 1, 1},
        {BASE, 1}, // the states
        {BASE - FRAME_SIZE, 1},
        {BASE + MEMORY, 1},
        {BASE + MEMORY - FRAME_SIZE, 2},
        {0, 1},
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(frames_free(frames, bad[i].addr, bad[i].count));
    }
    assert_int_equal(frames_free_count(frames), before);
    assert_true(frames_free(frames, addr, 2));
    assert_false(frames_free(frames, addr, 2));
}

static void requests_that_cannot_be_met_change_nothing(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t before = frames_free_count(frames);
    uint64_t addr = 1;

    assert_false(frames_alloc(frames, 0, FRAME_SIZE, &addr));
    assert_false(frames_alloc(frames, MEMORY / FRAME_SIZE, FRAME_SIZE, &addr));
    assert_false(frames_alloc(frames, UINT64_MAX, FRAME_SIZE, &addr));
    assert_false(frames_alloc(frames, 1, UINT64_C(1) << 63, &addr));
    assert_int_equal(addr, 1);
    assert_int_equal(frames_free_count(frames), before);
}

static void memory_with_holes_is_several_zones(void **state)
{
    Memory *memory = *state;
    Frames *frames = &memory->frames;
    uint64_t addr;

    assert_true(frames_add(frames, (Range){BASE + 1, 2 * MEGABYTE}));
    assert_true(frames_add(frames, (Range){BASE + 8 * MEGABYTE, 4 * MEGABYTE}));
    while (frames_alloc(frames, 1, FRAME_SIZE, &addr)) {
        const bool low = addr > BASE && addr < BASE + 2 * MEGABYTE;
        const bool high = addr >= BASE + 8 * MEGABYTE && addr < BASE + 12 * MEGABYTE;

        assert_true(low || high);
        memset(memory->host + (addr - BASE), 0xff, FRAME_SIZE);
    }
    assert_int_equal(frames_free_count(frames), 0);
}

static void ranges_of_no_use_are_refused(void **state)
{
    Memory *memory = *state;
    const Range bad[] = {
        {BASE, FRAME_SIZE},
        {BASE + 1, 2 * FRAME_SIZE - 2},
        {BASE, 0},
        {0, MEGABYTE},
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(frames_add(&memory->frames, bad[i]));
    }
    assert_int_equal(frames_free_count(&memory->frames), 0);
}

static void a_random_history_loses_nothing(void **state)
{
    Frames *frames = all_of(state);
    const uint64_t before = frames_free_count(frames);
    struct {
        uint64_t addr;
        uint64_t count;
    } held[64] = {0};
    uint64_t taken = 0;

    srand(1);
    for (int step = 0; step < 20000; step++) {
        const size_t k = (size_t)rand() % COUNT(held);
        const uint64_t count = (uint64_t)rand() % 90 + 1;

        if (held[k].count != 0) {
            assert_true(frames_free(frames, held[k].addr, held[k].count));
            taken -= held[k].count;
            held[k].count = 0;
        } else if (frames_alloc(frames, count, FRAME_SIZE << rand() % 6, &held[k].addr)) {
            held[k].count = count;
            taken += count;
        }
        assert_int_equal(frames_free_count(frames), before - taken);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_frames_but_their_states_are_free),
        TEST(a_block_keeps_clear_of_every_other),
        TEST(every_alignment_up_to_the_largest_is_kept),
        TEST(a_count_takes_exactly_that_many),
        TEST(all_freed_memory_merges_again),
        TEST(a_part_of_a_block_can_be_freed),
        TEST(what_is_not_allocated_cannot_be_freed),
        TEST(requests_that_cannot_be_met_change_nothing),
        TEST(memory_with_holes_is_several_zones),
        TEST(ranges_of_no_use_are_refused),
        TEST(a_random_history_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
