// SPDX-License-Identifier: Apache-2.0
// The life of a vCPU: what creation needs, where it starts, second names of its registers.
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static AxError create(X86VCpu *vcpu, uint64_t tsc_hz)
{
    const AxArchVCpuEnv env = {.hal = &f.hal, .events = &f.events, .stats = &f.stats};
    const X86VCpuCreateConfig config = {.tsc_hz = tsc_hz};

    return x86_vcpu_ops.create(vcpu, &env, &config);
}

static void without_frames_there_is_no_vcpu(void **state)
{
    const unsigned need = fixture_is_vmx ? 4 : 2; // with the FP registers
    const unsigned left = f.frames_left;
    X86VCpu vcpu;

    (void)state;
    for (unsigned frames = 0; frames < need; frames++) {
        f.frames_left = frames;
        assert_int_equal(create(&vcpu, TSC_HZ), AX_ENOMEM);
        assert_int_equal(f.frames_left, frames);
    }
    f.frames_left = left;
    assert_int_equal(create(&vcpu, TSC_HZ), AX_OK);
    x86_vcpu_ops.destroy(&vcpu);
    assert_int_equal(f.frames_left, left);
}

static void without_a_pace_or_a_vendor_there_is_none_either(void **state)
{
    X86VCpu vcpu;

    (void)state;
    assert_int_equal(create(&vcpu, 0), AX_EINVAL);
    x86_sim_leaf(1)->ecx &= ~UINT32_C(0x20);
    x86_sim_leaf(0x80000001)->ecx &= ~UINT32_C(4);
    assert_int_equal(create(&vcpu, TSC_HZ), AX_ENOHW);
    assert_null(x86_vendor());
    if (fixture_is_vmx) {
        x86_sim_leaf(1)->ecx |= UINT32_C(0x20);
    } else {
        x86_sim_leaf(0x80000001)->ecx |= UINT32_C(4);
    }
}

static void an_entry_below_1_mib_sets_the_segment(void **state)
{
    static const struct {
        uint64_t entry;
        uint64_t base;
        uint64_t rip;
    } cases[] = {
        {0x7c00, 0, 0x7c00},
        {0x9a000, 0x90000, 0xa000},
        {0xfffff, 0xf0000, 0xffff},
        {0x100000, 0xf0000, 0x100000}, // and leaves it
        {UINT64_C(0xffffffff81000000), 0xf0000, UINT64_C(0xffffffff81000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(x86_vcpu_ops.set_entry(&f.vcpu, ax_gpa(cases[i].entry)), AX_OK);
        assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_BASE), cases[i].base);
        assert_int_equal(x86_read(&f.vcpu, X86_FIELD_CS_SELECTOR), cases[i].base >> 4);
        assert_int_equal(f.vcpu.regs.rip, cases[i].rip);
    }
}

static void nothing_is_passed_through(void **state)
{
    const X86VCpuSetupConfig interrupt = {.passthrough_interrupt = true};
    const X86VCpuSetupConfig timer = {.passthrough_timer = true};

    (void)state;
    assert_int_equal(x86_vcpu_ops.setup(&f.vcpu, &interrupt), AX_ENOTSUP);
    assert_int_equal(x86_vcpu_ops.setup(&f.vcpu, &timer), AX_ENOTSUP);
    assert_true(f.vcpu.trap_wait);
}

static void a_root_of_another_shape_is_refused(void **state)
{
    AxEptRoot levels = f.root;
    AxEptRoot bits = f.root;
    AxEptRoot high = f.root;
    AxEptRoot crooked = f.root;

    (void)state;
    levels.levels = 3;
    bits.gpa_bits = 57;
    high.base = ax_hpa(X86_BIT(50));
    crooked.base.value += 8;
    assert_int_equal(x86_vcpu_ops.set_ept_root(&f.vcpu, &levels), AX_EINVAL);
    assert_int_equal(x86_vcpu_ops.set_ept_root(&f.vcpu, &bits), AX_ENOTSUP);
    assert_int_equal(x86_vcpu_ops.set_ept_root(&f.vcpu, &high), AX_EINVAL);
    assert_int_equal(x86_vcpu_ops.set_ept_root(&f.vcpu, &crooked), AX_EALIGN);
    assert_ptr_equal(f.vcpu.ept, &f.root);
}

static void second_names_are_the_same_registers(void **state)
{
    static const struct {
        AxRegId name;
        unsigned gpr;
    } cases[] = {
        {AX_REG_SP, RSP},     {AX_REG_RETURN, RAX}, {AX_REG_ARG(0), RDI}, {AX_REG_ARG(1), RSI},
        {AX_REG_ARG(2), RDX}, {AX_REG_ARG(3), R10}, {AX_REG_ARG(4), R8},  {AX_REG_ARG(5), R9},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;

        assert_int_equal(x86_set_reg(&f.vcpu, cases[i].name, 0x1000 + i), AX_OK);
        assert_int_equal(f.vcpu.regs.gpr[cases[i].gpr], 0x1000 + i);
        assert_int_equal(x86_get_reg(&f.vcpu, cases[i].name, &value), AX_OK);
        assert_int_equal(value, 0x1000 + i);
    }
    assert_int_equal(x86_set_reg(&f.vcpu, X86_REG_FP(X86_FP_WORDS), 0), AX_ENOENT);
}

// A reset vCPU is a new one, whatever it was before.
static void a_reset_forgets_everything(void **state)
{
    uint64_t before[X86_REG_ID_COUNT];
    X86VCpu other;

    (void)state;
    fixture_create_vcpu(&f, &other, 0);
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        assert_int_equal(x86_get_reg(&other, x86_reg_ids[i], &before[i]), AX_OK);
    }
    for (unsigned n = 0; n < 16; n++) {
        other.regs.gpr[n] = n + 1;
    }
    other.activity = X86_SHUTDOWN;
    x86_write(&other, X86_FIELD_LSTAR, 0x1234);
    x86_write(&other, X86_FIELD_CR0, CR0_PE | CR0_ET);
    x86_lapic_raise(&other, 0x50);
    assert_int_equal(x86_vcpu_ops.reset(&other), AX_OK);
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        uint64_t value;

        assert_int_equal(x86_get_reg(&other, x86_reg_ids[i], &value), AX_OK);
        assert_int_equal(value, before[i]);
    }
    x86_vcpu_ops.destroy(&other);
}

static void a_fence_flushes_before_the_next_entry(void **state)
{
    const AxFence fence = {.translations = true};
    const unsigned flushes = x86_sim.vmx.invvpids;

    (void)state;
    (void)fixture_run_halt(&f);
    assert_int_equal(axvcpu_events_post_fence(&f.events, &fence), AX_OK);
    x86_fence(&f.vcpu);
    if (fixture_is_vmx) {
        assert_true(x86_sim.vmx.invvpids > flushes);
    } else {
        assert_int_equal(fixture_vmcb(&f)->tlb_control, TLB_CONTROL_FLUSH_ALL);
    }
}

static void capabilities_are_those_of_the_processor(void **state)
{
    AxPerCpuCaps caps = x86_percpu_ops.caps(&f.percpu);

    (void)state;
    assert_int_equal(caps.ept_levels, 4);
    assert_int_equal(caps.gpa_bits, 48);
    assert_int_equal(caps.tag_bits, fixture_is_vmx ? 16 : 4);
    x86_sim_leaf(0x80000008)->eax = 39;
    caps = x86_percpu_ops.caps(&f.percpu);
    assert_int_equal(caps.gpa_bits, 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(without_frames_there_is_no_vcpu),
        ON_BOTH(without_a_pace_or_a_vendor_there_is_none_either),
        ON_BOTH(an_entry_below_1_mib_sets_the_segment),
        ON_BOTH(nothing_is_passed_through),
        ON_BOTH(a_root_of_another_shape_is_refused),
        ON_BOTH(second_names_are_the_same_registers),
        ON_BOTH(a_reset_forgets_everything),
        ON_BOTH(a_fence_flushes_before_the_next_entry),
        ON_BOTH(capabilities_are_those_of_the_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
