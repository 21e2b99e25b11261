// SPDX-License-Identifier: Apache-2.0
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
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
    for (unsigned frames = 0; frames < (fixture_is_vmx ? 2u : 7u); frames++) {
        f.frames_left = frames;
        assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_ENOMEM);
        assert_int_equal(f.frames_left, frames);
        assert_memory_equal(before, x86_sim.reg, sizeof(before));
        assert_false(f.percpu.enabled);
    }
}

static void enable_switches_vmx_on(void **state)
{
    const uint32_t *region;

    (void)state;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    region = (const uint32_t *)(uintptr_t)f.percpu.frames.vmxon.value;
    assert_true(x86_sim.vmx.on);
    assert_int_equal(x86_sim.vmx.region, f.percpu.frames.vmxon.value);
    assert_int_equal(*region, 4); // the revision
    assert_true((x86_sim.reg[X86_SIM_CR0] & CR0_NE) != 0);
    assert_true((x86_sim.reg[X86_SIM_CR4] & CR4_VMXE) != 0);
}

static void what_firmware_left_open_is_set_and_locked(void **state)
{
    (void)state;
    x86_sim.reg[X86_SIM_FEATURE_CONTROL] = 0;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    assert_int_equal(x86_sim.reg[X86_SIM_FEATURE_CONTROL], 5);
}

static void who_uses_the_extension_already_keeps_it(void **state)
{
    fixture_choose(state);
    fixture_start(&f);
    x86_sim.reg[fixture_is_vmx ? X86_SIM_CR4 : X86_SIM_EFER] |= fixture_is_vmx ? CR4_VMXE
                                                                               : EFER_SVME;
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

// A bit for reads and one for writes, in halves of the page.
static void only_msrs_that_the_vmcs_or_bind_switches_are_passed_through(void **state)
{
    static const uint32_t passed[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                                      0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102};
    unsigned clear = 0;
    const uint8_t *map;

    (void)state;
    assert_int_equal(x86_percpu_ops.enable(&f.percpu), AX_OK);
    map = (const uint8_t *)(uintptr_t)f.percpu.frames.msr_bitmap.value;
    for (size_t i = 0; i < COUNT(passed); i++) {
        const size_t bit = (passed[i] & 0x1fff) + (passed[i] >> 31 != 0 ? 0x2000 : 0);

        assert_int_equal(map[bit / 8] >> (bit % 8) & 1, 0);
        assert_int_equal(map[0x800 + bit / 8] >> (bit % 8) & 1, 0);
    }
    for (size_t i = 0; i < AX_PAGE_SIZE; i++) {
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
        ON_SVM(enable_switches_svm_on),
        ON_VMX(enable_switches_vmx_on),
        ON_VMX(what_firmware_left_open_is_set_and_locked),
        ON_BOTH(disable_puts_every_register_and_frame_back),
        ON_BOTH(without_frames_enable_changes_nothing),
        ON_BOTH(who_uses_the_extension_already_keeps_it),
        ON_SVM(only_msrs_that_hardware_switches_are_passed_through),
        ON_VMX(only_msrs_that_the_vmcs_or_bind_switches_are_passed_through),
        ON_BOTH(a_life_of_a_vcpu_leaves_every_register_of_the_host_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
