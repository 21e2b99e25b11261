// SPDX-License-Identifier: Apache-2.0
/* The event store by itself, posting and taking side. */
#include "fixture.h"

static AxEvents events;

static int fresh(void **state)
{
    (void)state;
    memset(&events, 0xa5, sizeof(events));
    axvcpu_events_init(&events);
    return 0;
}

#define EVENT_TEST(f) cmocka_unit_test_setup(f, fresh)

static const uint32_t edges_of_words[] = {0, 1, 63, 64, 127, 512, AX_IRQ_COUNT - 1};

static uint64_t bit(uint32_t irq)
{
    return UINT64_C(1) << irq % 64;
}

static void a_new_store_is_empty_and_enabled(void **state)
{
    AxException exception;

    (void)state;
    assert_false(axvcpu_events_any(&events));
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_false(axvcpu_events_take_exception(&events, &exception));
    for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
        assert_true(axvcpu_events_enabled(&events, irq));
        assert_false(axvcpu_events_level(&events, irq));
        assert_false(axvcpu_events_take_pending(&events, irq));
        assert_int_equal(axvcpu_events_priority(&events, irq), 0);
    }
}

static void an_edge_is_latched_until_it_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edges_of_words); i++) {
        const uint32_t irq = edges_of_words[i];

        assert_error(axvcpu_events_post_irq(&events, irq), AX_OK);
        assert_error(axvcpu_events_post_irq(&events, irq), AX_OK);
        assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
        assert_int_equal(axvcpu_events_signalled(&events, irq / 64), bit(irq));
        assert_true(axvcpu_events_any(&events));
        assert_true(axvcpu_events_take_pending(&events, irq));
        assert_false(axvcpu_events_take_pending(&events, irq));
        assert_false(axvcpu_events_any(&events));
    }
}

static void a_level_stays_until_it_is_lowered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edges_of_words); i++) {
        const uint32_t irq = edges_of_words[i];

        assert_error(axvcpu_events_set_level(&events, irq, true), AX_OK);
        assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
        assert_true(axvcpu_events_level(&events, irq));
        assert_false(axvcpu_events_take_pending(&events, irq));
        assert_int_equal(axvcpu_events_signalled(&events, irq / 64), bit(irq));
        assert_true(axvcpu_events_any(&events));
        assert_error(axvcpu_events_set_level(&events, irq, false), AX_OK);
        assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
        assert_false(axvcpu_events_any(&events));
    }
}

static void a_disabled_interrupt_is_kept_but_not_signalled(void **state)
{
    (void)state;
    assert_error(axvcpu_events_enable_irq(&events, 70, false), AX_OK);
    assert_error(axvcpu_events_post_irq(&events, 70), AX_OK);
    assert_error(axvcpu_events_set_level(&events, 71, true), AX_OK);
    assert_error(axvcpu_events_enable_irq(&events, 71, false), AX_OK);
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
    assert_false(axvcpu_events_enabled(&events, 70));
    assert_int_equal(axvcpu_events_signalled(&events, 1), 0);
    assert_false(axvcpu_events_any(&events));
    assert_error(axvcpu_events_enable_irq(&events, 70, true), AX_OK);
    assert_error(axvcpu_events_enable_irq(&events, 71, true), AX_OK);
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
    assert_int_equal(axvcpu_events_signalled(&events, 1), bit(70) | bit(71));
}

static void what_changes_nothing_is_not_announced(void **state)
{
    (void)state;
    assert_error(axvcpu_events_set_level(&events, 5, false), AX_OK);
    assert_error(axvcpu_events_enable_irq(&events, 5, true), AX_OK);
    assert_error(axvcpu_events_set_priority(&events, 5, 0), AX_OK);
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_error(axvcpu_events_set_priority(&events, 5, 0x80), AX_OK);
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_IRQ);
    assert_int_equal(axvcpu_events_priority(&events, 5), 0x80);
    assert_false(axvcpu_events_any(&events));
}

static void a_latch_can_be_put_back_quietly(void **state)
{
    (void)state;
    assert_error(axvcpu_events_post_irq(&events, 9), AX_OK);
    (void)axvcpu_events_take_summary(&events);
    assert_true(axvcpu_events_take_pending(&events, 9));
    axvcpu_events_restore_pending(&events, 9);
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_true(axvcpu_events_take_pending(&events, 9));
}

static void requests_are_taken_by_word_once(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < AX_IRQ_REQUEST_COUNT; kind++) {
        const AxIrqRequest request = (AxIrqRequest)kind;

        assert_error(axvcpu_events_request(&events, 64, request), AX_OK);
        assert_error(axvcpu_events_request(&events, 127, request), AX_OK);
        assert_true(axvcpu_events_any(&events));
        assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_REQUEST);
        assert_int_equal(axvcpu_events_take_requests(&events, request, 0), 0);
        assert_int_equal(axvcpu_events_take_requests(&events, request, 1), bit(64) | bit(127));
        assert_int_equal(axvcpu_events_take_requests(&events, request, 1), 0);
        assert_false(axvcpu_events_any(&events));
    }
}

static void clearing_an_interrupt_spares_a_later_edge(void **state)
{
    (void)state;
    assert_error(axvcpu_events_post_irq(&events, 8), AX_OK);
    assert_error(axvcpu_events_request(&events, 8, AX_IRQ_CLEAR_PENDING), AX_OK);
    assert_int_equal(axvcpu_events_signalled(&events, 0), 0);
    assert_error(axvcpu_events_post_irq(&events, 8), AX_OK);
    assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_CLEAR_PENDING, 0), bit(8));
    assert_true(axvcpu_events_take_pending(&events, 8));
}

static void the_last_of_two_opposite_requests_wins(void **state)
{
    (void)state;
    assert_error(axvcpu_events_request(&events, 8, AX_IRQ_SET_ACTIVE), AX_OK);
    assert_error(axvcpu_events_request(&events, 8, AX_IRQ_CLEAR_ACTIVE), AX_OK);
    assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_SET_ACTIVE, 0), 0);
    assert_error(axvcpu_events_request(&events, 8, AX_IRQ_SET_ACTIVE), AX_OK);
    assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_CLEAR_ACTIVE, 0), 0);
    assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_SET_ACTIVE, 0), bit(8));
}

static void one_exception_can_wait(void **state)
{
    const AxException first = {.vector = 0x25,
                               .has_error_code = true,
                               .error_code = 0x10,
                               .has_address = true,
                               .address = UINT64_C(0xffff000000001234)};
    AxException out;

    (void)state;
    assert_error(axvcpu_events_post_exception(&events, NULL), AX_EINVAL);
    assert_error(axvcpu_events_post_exception(&events, &first), AX_OK);
    assert_error(axvcpu_events_post_exception(&events, &(AxException){.vector = 1}), AX_EBUSY);
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_EXCEPTION);
    assert_true(axvcpu_events_any(&events));
    assert_true(axvcpu_events_take_exception(&events, &out));
    assert_int_equal(out.vector, first.vector);
    assert_int_equal(out.error_code, first.error_code);
    assert_int_equal(out.address, first.address);
    assert_false(axvcpu_events_any(&events));
    assert_error(axvcpu_events_post_exception(&events, &(AxException){.vector = 1}), AX_OK);
}

static void nmis_and_kicks_are_bits_of_the_summary(void **state)
{
    (void)state;
    axvcpu_events_post_nmi(&events);
    assert_true(axvcpu_events_any(&events));
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_NMI);
    axvcpu_events_post_kick(&events);
    axvcpu_events_post_kick(&events);
    assert_true(axvcpu_events_any(&events));
    assert_int_equal(axvcpu_events_take_summary(&events), AX_EVENT_KICK);
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_false(axvcpu_events_any(&events));
}

static void numbers_out_of_range_are_refused_and_harmless(void **state)
{
    static const uint32_t bad[] = {AX_IRQ_COUNT, AX_IRQ_COUNT + 1, 1u << 31, UINT32_MAX};
    AxEvents before;

    (void)state;
    memcpy(&before, &events, sizeof(before));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_error(axvcpu_events_post_irq(&events, bad[i]), AX_ERANGE);
        assert_error(axvcpu_events_set_level(&events, bad[i], true), AX_ERANGE);
        assert_error(axvcpu_events_enable_irq(&events, bad[i], false), AX_ERANGE);
        assert_error(axvcpu_events_set_priority(&events, bad[i], 1), AX_ERANGE);
        assert_error(axvcpu_events_request(&events, bad[i], AX_IRQ_SET_ACTIVE), AX_ERANGE);
        assert_false(axvcpu_events_take_pending(&events, bad[i]));
        axvcpu_events_restore_pending(&events, bad[i]);
        assert_false(axvcpu_events_level(&events, bad[i]));
        assert_false(axvcpu_events_enabled(&events, bad[i]));
        assert_int_equal(axvcpu_events_priority(&events, bad[i]), UINT8_MAX);
        assert_int_equal(axvcpu_events_signalled(&events, bad[i]), 0);
        assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_SET_ACTIVE, bad[i]), 0);
    }
    assert_error(axvcpu_events_request(&events, 1, AX_IRQ_REQUEST_COUNT), AX_EINVAL);
    assert_int_equal(axvcpu_events_take_requests(&events, AX_IRQ_REQUEST_COUNT, 0), 0);
    assert_int_equal(axvcpu_events_signalled(&events, AX_IRQ_WORDS), 0);
    assert_memory_equal(&before, &events, sizeof(before));
}

static void post_edge(uint32_t irq)
{
    assert_error(axvcpu_events_post_irq(&events, irq), AX_OK);
}

static void post_level(uint32_t irq)
{
    assert_error(axvcpu_events_set_level(&events, irq, true), AX_OK);
}

static void post_own_level(uint32_t irq)
{
    axvcpu_events_set_own_level(&events, irq, true);
}

static void post_request(uint32_t irq)
{
    assert_error(axvcpu_events_request(&events, irq, AX_IRQ_SET_ACTIVE), AX_OK);
}

// Whatever is posted, its word is among those that a backend looks at; it stays so when taken.
static void words_are_marked_when_they_are_used_and_only_those(void **state)
{
    void (*const posts[])(uint32_t irq) = {
        post_edge,
        post_level,
        post_own_level,
        post_request,
    };

    for (size_t i = 0; i < ARRAY_SIZE(posts); i++) {
        for (uint32_t irq = 0; irq < AX_IRQ_COUNT; irq++) {
            (void)fresh(state);
            assert_int_equal(axvcpu_events_used_words(&events), 0);
            posts[i](irq);
            assert_int_equal(axvcpu_events_used_words(&events), UINT32_C(1) << irq / 64);
            (void)axvcpu_events_take_pending(&events, irq);
            assert_int_equal(axvcpu_events_used_words(&events), UINT32_C(1) << irq / 64);
        }
    }
}

static void a_latch_put_back_into_an_unused_word_is_found(void **state)
{
    (void)state;
    axvcpu_events_restore_pending(&events, 700);
    assert_int_equal(axvcpu_events_used_words(&events), UINT32_C(1) << 700 / 64);
    assert_true(axvcpu_events_any(&events));
}

static void a_level_of_the_backend_itself_is_not_announced(void **state)
{
    (void)state;
    axvcpu_events_set_own_level(&events, 27, true);
    assert_true(axvcpu_events_level(&events, 27));
    assert_int_equal(axvcpu_events_take_summary(&events), 0);
    assert_true(axvcpu_events_any(&events));
    axvcpu_events_set_own_level(&events, 27, false);
    assert_false(axvcpu_events_any(&events));
    axvcpu_events_set_own_level(&events, AX_IRQ_COUNT, true);
    assert_false(axvcpu_events_any(&events));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENT_TEST(a_new_store_is_empty_and_enabled),
        EVENT_TEST(an_edge_is_latched_until_it_is_taken),
        EVENT_TEST(a_level_stays_until_it_is_lowered),
        EVENT_TEST(a_disabled_interrupt_is_kept_but_not_signalled),
        EVENT_TEST(what_changes_nothing_is_not_announced),
        EVENT_TEST(a_latch_can_be_put_back_quietly),
        EVENT_TEST(requests_are_taken_by_word_once),
        EVENT_TEST(clearing_an_interrupt_spares_a_later_edge),
        EVENT_TEST(the_last_of_two_opposite_requests_wins),
        EVENT_TEST(one_exception_can_wait),
        EVENT_TEST(nmis_and_kicks_are_bits_of_the_summary),
        EVENT_TEST(words_are_marked_when_they_are_used_and_only_those),
        EVENT_TEST(a_latch_put_back_into_an_unused_word_is_found),
        EVENT_TEST(a_level_of_the_backend_itself_is_not_announced),
        EVENT_TEST(numbers_out_of_range_are_refused_and_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
