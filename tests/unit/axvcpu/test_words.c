// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <axvcpu/bits.h>

static void every_error_has_a_name_and_a_text_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AX_ERROR_COUNT; i++) {
        assert_memory_equal(axvcpu_error_name((AxError)i), i == 0 ? "AX_OK" : "AX_E", 4);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(axvcpu_error_name((AxError)i), axvcpu_error_name((AxError)j));
            assert_string_not_equal(axvcpu_error_text((AxError)i), axvcpu_error_text((AxError)j));
        }
    }
    assert_string_equal(axvcpu_error_name(AX_EINVAL), "AX_EINVAL");
    assert_string_equal(axvcpu_error_text(AX_EINVAL), "invalid argument");
}

static void a_value_that_is_no_error_has_words_too(void **state)
{
    const int bad[] = {AX_ERROR_COUNT, -1, INT32_MAX, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_string_equal(axvcpu_error_name((AxError)bad[i]), "AX_E?");
        assert_string_equal(axvcpu_error_text((AxError)bad[i]), "unknown error");
    }
}

static void every_exit_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AX_EXIT_COUNT; i++) {
        assert_string_not_equal(axvcpu_exit_name((AxVCpuExitReason)i), "?");
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(axvcpu_exit_name((AxVCpuExitReason)i),
                                    axvcpu_exit_name((AxVCpuExitReason)j));
        }
    }
    assert_string_equal(axvcpu_exit_name(AX_EXIT_MMIO_READ), "mmio-read");
    assert_string_equal(axvcpu_exit_name(AX_EXIT_COUNT), "?");
    assert_string_equal(axvcpu_exit_name((AxVCpuExitReason)-1), "?");
}

static void every_state_has_its_name(void **state)
{
    static const char *const names[] = {"Invalid", "Created", "Free",
                                        "Ready",   "Running", "Blocked"};

    (void)state;
    assert_int_equal(ARRAY_SIZE(names), AX_VCPU_STATE_COUNT);
    for (unsigned i = 0; i < AX_VCPU_STATE_COUNT; i++) {
        assert_string_equal(axvcpu_state_name((AxVCpuState)i), names[i]);
    }
    assert_string_equal(axvcpu_state_name(AX_VCPU_STATE_COUNT), "?");
    assert_string_equal(axvcpu_state_name((AxVCpuState)-1), "?");
}

// A HAL with one function missing, for each function.
static void a_hal_must_be_complete(void **state)
{
    Fixture *f = *state;
    AxVCpuHal hal = f->host.hal;

    assert_error(axvcpu_hal_check(&hal), AX_OK);
    assert_error(axvcpu_hal_check(NULL), AX_EINVAL);
#define WITHOUT(member)                              \
    hal.member = NULL;                               \
    assert_error(axvcpu_hal_check(&hal), AX_EINVAL); \
    hal.member = f->host.hal.member
    WITHOUT(alloc_frames);
    WITHOUT(dealloc_frames);
    WITHOUT(phys_to_virt);
    WITHOUT(virt_to_phys);
    WITHOUT(irq_fetch);
    WITHOUT(irq_handler);
    WITHOUT(irq_set_active);
    WITHOUT(set_deadline);
    WITHOUT(this_pcpu);
    WITHOUT(now_ns);
    WITHOUT(kick_pcpu);
    WITHOUT(log);
#undef WITHOUT
    hal.ctx = NULL;
    assert_error(axvcpu_hal_check(&hal), AX_OK);
}

static void widths_are_one_two_four_and_eight_bytes(void **state)
{
    static const uint64_t masks[9] = {[1] = 0xff, [2] = 0xffff, [4] = 0xffffffff, [8] = UINT64_MAX};

    (void)state;
    for (uint64_t bytes = 0; bytes <= 8; bytes++) {
        assert_int_equal(ax_width_is_valid(bytes), masks[bytes] != 0);
        if (masks[bytes] != 0) {
            assert_int_equal(ax_width_mask((AccessWidth)bytes), masks[bytes]);
        }
    }
    assert_false(ax_width_is_valid(UINT64_C(0x100000001)));
}

static void sign_extension_copies_the_top_bit_of_the_width(void **state)
{
    (void)state;
    assert_int_equal(ax_sign_extend(0x1280, AX_WIDTH_BYTE), UINT64_C(0xffffffffffffff80));
    assert_int_equal(ax_sign_extend(0x127f, AX_WIDTH_BYTE), 0x7f);
    assert_int_equal(ax_sign_extend(0x8000, AX_WIDTH_WORD), UINT64_C(0xffffffffffff8000));
    assert_int_equal(ax_sign_extend(0x80000000, AX_WIDTH_DWORD), UINT64_C(0xffffffff80000000));
    assert_int_equal(ax_sign_extend(UINT64_MAX, AX_WIDTH_QWORD), UINT64_MAX);
}

static void the_lowest_bit_is_found_whatever_is_above(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 64; n++) {
        assert_int_equal(ax_lowest_bit(UINT64_C(1) << n), n);
        assert_int_equal(ax_lowest_bit(UINT64_MAX << n), n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_and_a_text_of_its_own),
        cmocka_unit_test(a_value_that_is_no_error_has_words_too),
        cmocka_unit_test(every_exit_kind_has_a_name_of_its_own),
        cmocka_unit_test(every_state_has_its_name),
        TEST(a_hal_must_be_complete),
        cmocka_unit_test(widths_are_one_two_four_and_eight_bytes),
        cmocka_unit_test(sign_extension_copies_the_top_bit_of_the_width),
        cmocka_unit_test(the_lowest_bit_is_found_whatever_is_above),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
