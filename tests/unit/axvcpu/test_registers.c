// SPDX-License-Identifier: Apache-2.0
/* Single registers, and the whole file with all or nothing. */
#include "fixture.h"

static void a_register_keeps_what_is_written(void **state)
{
    Fixture *f = *state;
    size_t count = 0;
    const AxRegId *ids = axvcpu_reg_ids(&f->vcpu, &count);

    assert_int_equal(count, FAKE_REG_COUNT);
    for (size_t i = 0; i < count; i++) {
        assert_error(axvcpu_set_reg(&f->vcpu, ids[i], 0x1000 + i), AX_OK);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;

        assert_error(axvcpu_get_reg(&f->vcpu, ids[i], &value), AX_OK);
        assert_int_equal(value, 0x1000 + i);
    }
}

static void the_common_names_reach_the_right_registers(void **state)
{
    Fixture *f = *state;

    assert_error(axvcpu_set_gpr(&f->vcpu, 30, 0x30), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(30)), 0x30);
    assert_error(axvcpu_set_return_value(&f->vcpu, 0x99), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_RETURN), 0x99);
    assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(0)), 0x99);
    assert_error(axvcpu_set_reg(&f->vcpu, AX_REG_ARG(5), 0x55), AX_OK);
    assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(5)), 0x55);
}

static void unknown_registers_do_not_exist(void **state)
{
    static const AxRegId bad[] = {FAKE_GPR_COUNT, AX_REG_ARG(AX_REG_ARG_MAX), AX_REG_ARCH + 2,
                                  UINT32_MAX};
    Fixture *f = *state;
    uint64_t value = 42;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_error(axvcpu_get_reg(&f->vcpu, bad[i], &value), AX_ENOENT);
        assert_error(axvcpu_set_reg(&f->vcpu, bad[i], 1), AX_ENOENT);
        assert_error(axvcpu_set_gpr(&f->vcpu, bad[i], 1), AX_ENOENT);
    }
    // General registers only: the number of the program counter is none.
    assert_error(axvcpu_set_gpr(&f->vcpu, AX_REG_PC, 1), AX_ENOENT);
    assert_int_equal(value, 42);
    assert_state(f, AX_VCPU_CREATED);
}

static void a_refused_value_changes_nothing(void **state)
{
    Fixture *f = *state;

    assert_error(axvcpu_set_reg(&f->vcpu, FAKE_REG_PICKY, 7), AX_OK);
    assert_error(axvcpu_set_reg(&f->vcpu, FAKE_REG_PICKY, UINT64_MAX), AX_EINVAL);
    assert_int_equal(fake_reg(&f->fake, FAKE_REG_PICKY), 7);
    assert_state(f, AX_VCPU_CREATED);
}

static void missing_pointers_and_wrong_sizes_are_refused(void **state)
{
    Fixture *f = *state;
    uint64_t file[FAKE_REG_COUNT + 1] = {0};

    assert_error(axvcpu_get_reg(&f->vcpu, AX_REG_PC, NULL), AX_EINVAL);
    assert_error(axvcpu_get_regs(&f->vcpu, NULL, FAKE_REG_COUNT), AX_EINVAL);
    assert_error(axvcpu_set_regs(&f->vcpu, NULL, FAKE_REG_COUNT), AX_EINVAL);
    for (size_t count = 0; count <= FAKE_REG_COUNT + 1; count++) {
        const AxError error = count == FAKE_REG_COUNT ? AX_OK : AX_ERANGE;

        assert_error(axvcpu_get_regs(&f->vcpu, file, count), error);
        assert_error(axvcpu_set_regs(&f->vcpu, file, count), error);
    }
}

static void fill_file(uint64_t *file, uint64_t base)
{
    for (size_t i = 0; i < FAKE_REG_COUNT; i++) {
        file[i] = base + i;
    }
}

static void the_whole_file_moves_to_another_vcpu(void **state)
{
    Fixture *f = *state;
    uint64_t file[FAKE_REG_COUNT];
    uint64_t back[FAKE_REG_COUNT];

    fill_file(file, 0x1000);
    assert_error(axvcpu_set_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_OK);
    assert_error(axvcpu_get_regs(&f->vcpu, back, FAKE_REG_COUNT), AX_OK);
    assert_memory_equal(file, back, sizeof(file));
    assert_int_equal(fake_reg(&f->fake, AX_REG_PC), file[FAKE_GPR_COUNT]);
}

static void one_refused_value_stops_the_whole_file(void **state)
{
    Fixture *f = *state;
    uint64_t old[FAKE_REG_COUNT];
    uint64_t file[FAKE_REG_COUNT];

    fill_file(old, 0x1000);
    fill_file(file, 0x2000);
    file[FAKE_REG_COUNT - 1] = UINT64_MAX; // the picky one is last
    assert_error(axvcpu_set_regs(&f->vcpu, old, FAKE_REG_COUNT), AX_OK);
    assert_error(axvcpu_set_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_EINVAL);
    assert_memory_equal(f->fake.regs, old, sizeof(old));
    assert_state(f, AX_VCPU_CREATED);
}

// The backend fails at its n-th call: a refusal while trying changes nothing, the rest is Invalid.
static void a_backend_that_fails_half_way_never_leaves_a_mixed_file_in_use(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 3 * FAKE_REG_COUNT; n++) {
        Fixture *f = test_malloc(sizeof(*f));
        uint64_t file[FAKE_REG_COUNT];
        const bool trying = n < 2 * FAKE_REG_COUNT && n % 2 == 0;

        fixture_init(f);
        fill_file(file, 0x1000);
        fake_fail(&f->fake, FAKE_SET_REG, AX_EINVAL, n);
        assert_error(axvcpu_set_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_EINVAL);
        assert_state(f, trying ? AX_VCPU_CREATED : AX_VCPU_INVALID);
        if (trying) {
            assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(0)), 0xd7b000);
            assert_int_equal(fake_reg(&f->fake, AX_REG_GPR(1)), 0);
        }
        fixture_fini(f);
        test_free(f);
    }
}

static void a_backend_that_cannot_read_is_reported(void **state)
{
    Fixture *f = *state;
    uint64_t file[FAKE_REG_COUNT] = {0};

    fake_fail(&f->fake, FAKE_GET_REG, AX_EBACKEND, 4);
    assert_error(axvcpu_get_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_EBACKEND);
    assert_state(f, AX_VCPU_CREATED);
    fake_fail(&f->fake, FAKE_GET_REG, AX_EBACKEND, 4);
    assert_error(axvcpu_set_regs(&f->vcpu, file, FAKE_REG_COUNT), AX_EBACKEND);
    assert_state(f, AX_VCPU_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_register_keeps_what_is_written),
        TEST(the_common_names_reach_the_right_registers),
        TEST(unknown_registers_do_not_exist),
        TEST(a_refused_value_changes_nothing),
        TEST(missing_pointers_and_wrong_sizes_are_refused),
        TEST(the_whole_file_moves_to_another_vcpu),
        TEST(one_refused_value_stops_the_whole_file),
        cmocka_unit_test(a_backend_that_fails_half_way_never_leaves_a_mixed_file_in_use),
        TEST(a_backend_that_cannot_read_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
