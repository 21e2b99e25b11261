// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    (void)state;
    fixture_start(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void enable_switches_svm_on(void **state)
{
    (void)state;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    assert_true((x86_sim.reg[X86_SIM_EFER] & (EFER_SVME | EFER_NXE)) == (EFER_SVME | EFER_NXE));
    assert_int_equal(x86_sim.reg[X86_SIM_VM_HSAVE_PA], f.percpu.frames.host_save.value);
    assert_int_equal(x86_sim.reg[X86_SIM_CR0] & (CR0_TS | CR0_EM), 0);
    assert_true((x86_sim.reg[X86_SIM_CR4] & CR4_OSXSAVE) != 0);
}

static void disable_puts_every_register_and_frame_back(void **state)
{
    uint64_t before[X86_SIM_REG_COUNT];

    (void)state;
    x86_sim.reg[X86_SIM_VM_HSAVE_PA] = 0x1234000;
    memcpy(before, x86_sim.reg, sizeof(before));
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    assert_memory_not_equal(before, x86_sim.reg, sizeof(before));
    assert_int_equal(x86_percpu_ops.disable(&f.percpu), AX_OK);
    assert_memory_equal(before, x86_sim.reg, sizeof(before));
    assert_int_equal(f.frames_left, FRAMES);
}

static void without_frames_enable_changes_nothing(void **state)
{
    uint64_t before[X86_SIM_REG_COUNT];

    (void)state;
    memcpy(before, x86_sim.reg, sizeof(before));
    for (unsigned frames = 0; frames < 7; frames++) {
        f.frames_left = frames;
        assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_ENOMEM);
        assert_int_equal(f.frames_left, frames);
        assert_memory_equal(before, x86_sim.reg, sizeof(before));
        assert_false(f.percpu.enabled);
    }
}

static void who_uses_svm_already_keeps_it(void **state)
{
    (void)state;
    x86_sim.reg[X86_SIM_EFER] |= EFER_SVME;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_EBUSY);
    assert_int_equal(f.frames_left, FRAMES);
}

static void only_msrs_that_hardware_switches_are_passed_through(void **state)
{
    static const uint32_t passed[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                                      0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102};
    unsigned clear = 0;
    const uint8_t *map;

    (void)state;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    map = (const uint8_t *)(uintptr_t)f.percpu.frames.msr_bitmap.value;
    for (size_t i = 0; i < COUNT(passed); i++) {
        const size_t bit = ((passed[i] & 0x1fff) + (passed[i] >> 31 != 0 ? 0x2000 : 0)) * 2;

        assert_int_equal(map[bit / 8] >> (bit % 8) & 3, 0);
    }
    for (size_t i = 0; i < 2 * AX_PAGE_SIZE; i++) {
        clear += 8u - (unsigned)__builtin_popcount(map[i]);
    }
    assert_int_equal(clear, 2 * COUNT(passed));
}

static void a_life_of_a_vcpu_leaves_every_register_of_the_host_as_it_was(void **state)
{
    uint64_t before[X86_SIM_REG_COUNT];

    (void)state;
    for (unsigned i = X86_SIM_DR0; i <= X86_SIM_DR3; i++) {
        x86_sim.reg[i] = 0x1000 + i;
    }
    x86_sim.reg[X86_SIM_DR7] = 0x403;
    memcpy(before, x86_sim.reg, sizeof(before));
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    fixture_map(&f);
    fixture_create_vcpu(&f, &f.vcpu, 0);
    fixture_setup_vcpu(&f, &f.vcpu);
    assert_int_equal(x86_vcpu_ops.bind(&f.vcpu, &f.percpu), AX_OK);
    assert_int_equal(x86_sim.reg[X86_SIM_DR0], 0);
    assert_int_equal(x86_sim.reg[X86_SIM_DR7], DR7_FIXED);
    assert_int_equal(fixture_run_halt(&f), AX_EXIT_HALT);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_percpu_ops.disable(&f.percpu), AX_OK);
    assert_memory_equal(before, x86_sim.reg, sizeof(before));
    assert_true((x86_sim.rflags & RFLAGS_IF) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(enable_switches_svm_on, start, stop),
        cmocka_unit_test_setup_teardown(disable_puts_every_register_and_frame_back, start, stop),
        cmocka_unit_test_setup_teardown(without_frames_enable_changes_nothing, start, stop),
        cmocka_unit_test_setup(who_uses_svm_already_keeps_it, start),
        cmocka_unit_test_setup_teardown(only_msrs_that_hardware_switches_are_passed_through, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            a_life_of_a_vcpu_leaves_every_register_of_the_host_as_it_was, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
