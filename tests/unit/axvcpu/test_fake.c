// SPDX-License-Identifier: Apache-2.0
/* The fake host and the fake page-table format: other tests believe what these say. */
#include "fixture.h"

static int host_up(void **state)
{
    static FakeHal host;

    fake_hal_init(&host, 8);
    *state = &host;
    return 0;
}

static int host_down(void **state)
{
    (void)fake_hal_fini(*state);
    return 0;
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, host_up, host_down)

static AxError alloc(FakeHal *host, size_t count, uint64_t align, HostPhysAddr *out)
{
    return host->hal.alloc_frames(host->hal.ctx, count, align, out);
}

static void dealloc(FakeHal *host, HostPhysAddr addr, size_t count)
{
    host->hal.dealloc_frames(host->hal.ctx, addr, count);
}

static void frames_are_zero_aligned_and_counted(void **state)
{
    FakeHal *host = *state;
    HostPhysAddr one;
    HostPhysAddr four;

    assert_error(alloc(host, 1, AX_PAGE_SIZE, &one), AX_OK);
    assert_error(alloc(host, 4, 4 * AX_PAGE_SIZE, &four), AX_OK);
    assert_int_equal(four.value % (4 * AX_PAGE_SIZE), 0);
    assert_int_equal(host->frames_used, 5);
    const HostVirtAddr virt = host->hal.phys_to_virt(host, four);
    uint8_t *bytes = ax_ptr_from_hva(virt);
    for (size_t i = 0; i < 4 * AX_PAGE_SIZE; i++) {
        assert_int_equal(bytes[i], 0);
        bytes[i] = 0xff;
    }
    assert_int_equal(host->hal.virt_to_phys(host, virt).value, four.value);
    dealloc(host, four, 4);
    assert_false(fake_hal_is_allocated(host, four));
    assert_true(fake_hal_is_allocated(host, one));
    assert_error(alloc(host, 4, AX_PAGE_SIZE, &four), AX_OK);
    assert_int_equal(*(uint8_t *)ax_ptr_from_hva(host->hal.phys_to_virt(host, four)), 0);
    assert_int_equal(host->frames_peak, 5);
    assert_int_equal(host->bad_frees, 0);
    assert_int_equal(fake_hal_fini(host), 5);
}

static void allocation_fails_when_full_when_asked_to_and_for_bad_sizes(void **state)
{
    FakeHal *host = *state;
    HostPhysAddr addr = ax_hpa(1);

    assert_error(alloc(host, 9, AX_PAGE_SIZE, &addr), AX_ENOMEM);
    assert_error(alloc(host, 0, AX_PAGE_SIZE, &addr), AX_EINVAL);
    assert_error(alloc(host, 1, 3 * AX_PAGE_SIZE, &addr), AX_EINVAL);
    assert_error(alloc(host, 1, 8, &addr), AX_EINVAL);
    fake_hal_fail_alloc(host, 2);
    assert_int_equal(addr.value, 1);
    assert_error(alloc(host, 1, AX_PAGE_SIZE, &addr), AX_OK);
    assert_error(alloc(host, 1, AX_PAGE_SIZE, &addr), AX_ENOMEM);
    assert_error(alloc(host, 7, AX_PAGE_SIZE, &addr), AX_OK);
    assert_error(alloc(host, 1, AX_PAGE_SIZE, &addr), AX_ENOMEM);
}

static void wrong_frees_are_noticed(void **state)
{
    FakeHal *host = *state;
    HostPhysAddr a;
    HostPhysAddr b;

    assert_error(alloc(host, 2, AX_PAGE_SIZE, &a), AX_OK);
    assert_error(alloc(host, 2, AX_PAGE_SIZE, &b), AX_OK);
    dealloc(host, a, 1);
    dealloc(host, a, 4);
    dealloc(host, ax_hpa(a.value + AX_PAGE_SIZE), 1);
    dealloc(host, ax_hpa(a.value + 8), 2);
    dealloc(host, ax_hpa(0), 2);
    dealloc(host, a, 0);
    dealloc(host, ax_hpa(FAKE_PHYS_BASE + 8 * AX_PAGE_SIZE), 1);
    assert_int_equal(host->bad_frees, 7);
    assert_int_equal(host->frames_used, 4);
    dealloc(host, a, 2);
    dealloc(host, a, 2);
    assert_int_equal(host->bad_frees, 8);
    assert_int_equal(host->frames_used, 2);
}

static uint32_t hook_calls;

static void on_kick(void *ctx, AxPCpuId pcpu)
{
    (void)ctx;
    hook_calls += pcpu;
}

static void kicks_interrupts_time_and_log_are_recorded(void **state)
{
    FakeHal *host = *state;
    const AxVCpuHal *hal = &host->hal;

    host->on_kick = on_kick;
    hal->kick_pcpu(hal->ctx, 2);
    assert_int_equal(atomic_load(&host->kicks[2]), 1);
    assert_int_equal(hook_calls, 2);
    fake_hal_clear_kicks(host);
    assert_int_equal(atomic_load(&host->kick_count), 0);

    assert_int_equal(hal->irq_fetch(hal->ctx), AX_IRQ_NONE);
    for (uint64_t i = 0; i < FAKE_IRQ_MAX; i++) {
        assert_true(fake_hal_raise_irq(host, 32 + i));
    }
    assert_false(fake_hal_raise_irq(host, 1));
    assert_int_equal(hal->irq_fetch(hal->ctx), 32);
    hal->irq_handler(hal->ctx, 32);
    assert_int_equal(host->irq_handled_last, 32);
    hal->irq_set_active(hal->ctx, 65, true);
    assert_int_equal(host->irq_active[1], 2);
    hal->irq_set_active(hal->ctx, 65, false);
    assert_int_equal(host->irq_active[1], 0);

    hal->set_deadline(hal->ctx, 77);
    assert_int_equal(host->deadline, 77);
    assert_int_equal(host->deadline_count, 1);

    fake_hal_set_time(host, 100, 7);
    assert_int_equal(hal->now_ns(hal->ctx), 100);
    assert_int_equal(hal->now_ns(hal->ctx), 107);

    assert_string_equal(fake_hal_last_line(host), "");
    hal->log(hal->ctx, AX_LOG_WARN, "vm %u: %s", 3u, "stopped");
    assert_string_equal(fake_hal_last_line(host), "vm 3: stopped");
    assert_int_equal(host->level_count[AX_LOG_WARN], 1);
}

static void page_table_entries_say_what_they_were_made_of(void **state)
{
    const AxEptFormat *format = axvcpu_arch_ept_format();

    (void)state;
    assert_int_equal(format->kind(0, 0), AX_EPT_EMPTY);
    for (uint8_t level = 0; level <= 2; level++) {
        assert_true(format->leaf_allowed(level));
        for (MappingFlags flags = 0; flags <= AX_MAP_ALL; flags++) {
            const uint64_t leaf = format->make_leaf(ax_hpa(0x123440000000), flags, level);

            assert_int_equal(format->kind(leaf, level), AX_EPT_LEAF);
            assert_int_equal(format->address(leaf, level).value, 0x123440000000);
            assert_int_equal(format->flags(leaf), flags);
        }
    }
    assert_false(format->leaf_allowed(3));
    const uint64_t table = format->make_table(ax_hpa(0x5000));
    assert_int_equal(format->kind(table, 3), AX_EPT_TABLE);
    assert_int_equal(format->kind(table, 0), AX_EPT_LEAF);
    assert_int_equal(format->address(table, 1).value, 0x5000);
}

static void the_root_fits_the_width_of_the_guest(void **state)
{
    static const struct {
        uint8_t bits, levels, frames;
    } shapes[] = {{31, 3, 1}, {39, 3, 1}, {40, 3, 2}, {41, 3, 4}, {42, 4, 1}, {48, 4, 1}};
    const AxEptFormat *format = axvcpu_arch_ept_format();
    uint8_t levels = 0;
    uint8_t frames = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        assert_error(format->root_shape(shapes[i].bits, &levels, &frames), AX_OK);
        assert_int_equal(levels, shapes[i].levels);
        assert_int_equal(frames, shapes[i].frames);
    }
    assert_error(format->root_shape(30, &levels, &frames), AX_ENOTSUP);
    assert_error(format->root_shape(49, &levels, &frames), AX_ENOTSUP);
    fake_ept_log()->max_gpa_bits = 40;
    assert_error(format->root_shape(41, &levels, &frames), AX_ENOTSUP);
    fake_ept_reset();
    assert_error(format->root_shape(48, &levels, &frames), AX_OK);
}

static void flushes_are_recorded_in_order(void **state)
{
    const AxEptFormat *format = axvcpu_arch_ept_format();
    AxEptRoot root = {.levels = 4};

    (void)state;
    fake_ept_reset();
    format->publish();
    format->flush(&root, ax_gpa(0x1000), 0x2000);
    format->flush(&root, ax_gpa(0), 0);
    assert_int_equal(atomic_load(&fake_ept_log()->publish_count), 1);
    assert_int_equal(atomic_load(&fake_ept_log()->flush_count), 2);
    assert_ptr_equal(fake_ept_log()->flush[0].root, &root);
    assert_int_equal(fake_ept_log()->flush[0].gpa.value, 0x1000);
    assert_int_equal(fake_ept_log()->flush[0].size, 0x2000);
    assert_int_equal(fake_ept_log()->flush[1].size, 0);
    fake_ept_reset();
}

static void count_recall(void *owner)
{
    ++*(unsigned *)owner;
}

static void a_flush_is_counted_and_recalls_whoever_the_root_names(void **state)
{
    unsigned recalls = 0;
    AxEptRoot root = {.recall = count_recall, .owner = &recalls};

    (void)state;
    fake_ept_reset();
    axvcpu_arch_ept_format()->flush(&root, ax_gpa(0), 0);
    assert_int_equal(recalls, 1);
    assert_int_equal(root.flushes, 1);
    root.recall = NULL;
    axvcpu_arch_ept_format()->flush(&root, ax_gpa(0), 0);
    assert_int_equal(recalls, 1);
    assert_int_equal(root.flushes, 2);
    fake_ept_reset();
}

static void a_guest_may_use_the_extensions_of_the_host(void **state)
{
    char buffer[9] = "before";

    (void)state;
    assert_error(axvcpu_arch_guest_isa("fake64ab", buffer, sizeof(buffer)), AX_OK);
    assert_string_equal(buffer, "fake64ab");
    assert_error(axvcpu_arch_guest_isa("other", buffer, 5), AX_ENOSPC);
    assert_error(axvcpu_arch_guest_isa("", buffer, sizeof(buffer)), AX_EINVAL);
    assert_error(axvcpu_arch_guest_isa(NULL, buffer, sizeof(buffer)), AX_EINVAL);
    assert_string_equal(buffer, "fake64ab");
}

// The two registers differ on purpose: who takes one for the other is found out.
static void the_argument_of_a_start_has_a_register_of_its_own(void **state)
{
    const CreateConfig config = axvcpu_arch_create_config(0, ax_gpa(0xd7b000), 7);
    static FakeVCpu fake;
    FakeHal *host = *state;
    const AxArchVCpuEnv env = {.hal = &host->hal};

    assert_int_equal(config.counter_hz, 7);
    assert_error(fake_vcpu_ops.create(&fake, &env, &config), AX_OK);
    assert_int_equal(fake_reg(&fake, AX_REG_ARG(0)), 0xd7b000);
    assert_error(fake_vcpu_ops.set_reg(&fake, AXVCPU_ARCH_START_ARG, 5), AX_OK);
    assert_int_equal(fake_reg(&fake, AX_REG_ARG(0)), 0xd7b000);
    assert_int_equal(fake_reg(&fake, AX_REG_ARG(1)), 5);
    fake_vcpu_ops.destroy(&fake);
}

static void the_script_holds_its_limit_and_then_says_that_it_ended(void **state)
{
    Fixture *f = test_malloc(sizeof(*f));
    const AxVCpuExit *exit;

    (void)state;
    fixture_init(f);
    to_ready(f);
    for (unsigned i = 0; i < FAKE_SCRIPT_MAX; i++) {
        assert_true(fake_push_reason(&f->fake, AX_EXIT_IDLE));
    }
    assert_false(fake_push_reason(&f->fake, AX_EXIT_IDLE));
    for (unsigned i = 0; i < FAKE_SCRIPT_MAX; i++) {
        assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
        assert_int_equal(exit->reason, AX_EXIT_IDLE);
    }
    assert_error(axvcpu_run(&f->vcpu, &exit), AX_OK);
    assert_int_equal(exit->reason, AX_EXIT_UNHANDLED);
    assert_int_equal(exit->unhandled.cause, FAKE_CAUSE_SCRIPT_END);
    assert_int_equal(fake_reg(&f->fake, AX_REG_ARCH + 9), 0);
    fixture_fini(f);
    test_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(frames_are_zero_aligned_and_counted),
        HOST_TEST(allocation_fails_when_full_when_asked_to_and_for_bad_sizes),
        HOST_TEST(wrong_frees_are_noticed),
        HOST_TEST(kicks_interrupts_time_and_log_are_recorded),
        cmocka_unit_test(page_table_entries_say_what_they_were_made_of),
        cmocka_unit_test(the_root_fits_the_width_of_the_guest),
        cmocka_unit_test(flushes_are_recorded_in_order),
        cmocka_unit_test(a_flush_is_counted_and_recalls_whoever_the_root_names),
        cmocka_unit_test(a_guest_may_use_the_extensions_of_the_host),
        HOST_TEST(the_argument_of_a_start_has_a_register_of_its_own),
        cmocka_unit_test(the_script_holds_its_limit_and_then_says_that_it_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
