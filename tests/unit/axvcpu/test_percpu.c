// SPDX-License-Identifier: Apache-2.0
/* Virtualization on one pCPU: on, off, and where one may say so. */
#include "fixture.h"

static AxError init_with(AxPerCpuParams params)
{
    AxPerCpu percpu;

    return axvcpu_percpu_init(&percpu, &params);
}

static void init_refuses_missing_parts(void **state)
{
    Fixture *f = *state;
    static FakePerCpu arch;
    AxArchPerCpuOps ops = fake_percpu_ops;
    const AxPerCpuParams good = {.hal = &f->host.hal, .ops = &ops, .arch = &arch, .id = HOME};
    AxPerCpuParams bad = good;
    AxPerCpu percpu;

    assert_error(axvcpu_percpu_init(NULL, &good), AX_EINVAL);
    assert_error(axvcpu_percpu_init(&percpu, NULL), AX_EINVAL);
    bad.hal = NULL;
    assert_error(init_with(bad), AX_EINVAL);
    bad = good;
    bad.ops = NULL;
    assert_error(init_with(bad), AX_EINVAL);
    bad = good;
    bad.arch = NULL;
    assert_error(init_with(bad), AX_EINVAL);
    bad = good;
    bad.id = AX_PCPU_NONE;
    assert_error(init_with(bad), AX_EINVAL);
#define WITHOUT(member)                       \
    ops.member = NULL;                        \
    assert_error(init_with(good), AX_EINVAL); \
    ops.member = fake_percpu_ops.member
    WITHOUT(name);
    WITHOUT(init);
    WITHOUT(enable);
    WITHOUT(disable);
    WITHOUT(caps);
#undef WITHOUT
    assert_error(init_with(good), AX_OK);
}

static void init_passes_the_backends_error_on(void **state)
{
    Fixture *f = *state;
    static FakePerCpu arch;
    AxPerCpu percpu;

    fake_set_percpu_init(AX_ENOMEM);
    assert_error(axvcpu_arch_percpu_init(&percpu, &arch, &f->host.hal, HOME), AX_ENOMEM);
    fake_set_percpu_init(AX_OK);
}

static void a_new_pcpu_is_off_and_empty(void **state)
{
    Fixture *f = *state;
    static FakePerCpu arch;
    AxPerCpu percpu;
    AxPerCpuCaps caps;

    assert_error(axvcpu_arch_percpu_init(&percpu, &arch, &f->host.hal, HOME), AX_OK);
    assert_false(axvcpu_percpu_is_enabled(&percpu));
    assert_null(axvcpu_current(&percpu));
    assert_error(axvcpu_percpu_disable(&percpu), AX_ESTATE);
    assert_error(axvcpu_percpu_caps(&percpu, &caps), AX_ESTATE);
    assert_int_equal(arch.calls[FAKE_PERCPU_DISABLE], 0);
}

static void enabling_twice_is_refused(void **state)
{
    Fixture *f = *state;

    assert_true(axvcpu_percpu_is_enabled(&f->percpu));
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_EBUSY);
    assert_int_equal(f->fake_percpu.calls[FAKE_PERCPU_ENABLE], 1);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_OK);
    assert_false(axvcpu_percpu_is_enabled(&f->percpu));
    assert_false(f->fake_percpu.enabled);
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_OK);
    assert_true(f->fake_percpu.enabled);
}

static void the_pcpu_concerned_must_call(void **state)
{
    Fixture *f = *state;
    static FakePerCpu arch;
    AxPerCpu percpu;
    AxPerCpuCaps caps;

    fake_hal_set_pcpu(AWAY);
    assert_error(axvcpu_arch_percpu_init(&percpu, &arch, &f->host.hal, HOME), AX_EWRONGCPU);
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_EWRONGCPU);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_EWRONGCPU);
    // The queries may come from anywhere.
    assert_true(axvcpu_percpu_is_enabled(&f->percpu));
    assert_error(axvcpu_percpu_caps(&f->percpu, &caps), AX_OK);
    assert_null(axvcpu_current(&f->percpu));
}

static void the_hardware_may_refuse(void **state)
{
    static const AxError errors[] = {AX_ENOHW, AX_EPRIVILEGE, AX_EFIRMWARE, AX_ENOTSUP, AX_EBUSY};
    Fixture *f = *state;
    const char *reason = NULL;

    assert_true(has_hardware_support());
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_OK);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        fake_set_hardware(errors[i]);
        assert_false(has_hardware_support());
        assert_error(axvcpu_arch_hardware_check(&reason), errors[i]);
        assert_non_null(reason);
        assert_error(axvcpu_percpu_enable(&f->percpu), errors[i]);
        assert_false(axvcpu_percpu_is_enabled(&f->percpu));
    }
    fake_set_hardware(AX_OK);
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_OK);
}

static void a_failing_disable_leaves_it_on(void **state)
{
    Fixture *f = *state;

    f->fake_percpu.fail[FAKE_PERCPU_DISABLE] = AX_EBACKEND;
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_EBACKEND);
    assert_true(axvcpu_percpu_is_enabled(&f->percpu));
}

static void a_bound_vcpu_keeps_it_on(void **state)
{
    Fixture *f = *state;

    to_ready(f);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_EBUSY);
    assert_true(axvcpu_percpu_is_enabled(&f->percpu));
    assert_int_equal(f->fake_percpu.calls[FAKE_PERCPU_DISABLE], 0);
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_error(axvcpu_percpu_disable(&f->percpu), AX_OK);
    assert_error(axvcpu_percpu_enable(&f->percpu), AX_OK);
}

static void capabilities_are_the_backends(void **state)
{
    Fixture *f = *state;
    AxPerCpuCaps caps = {0};

    f->fake_percpu.caps = (AxPerCpuCaps){.ept_levels = 3, .gpa_bits = 40, .tag_bits = 16};
    assert_error(axvcpu_percpu_caps(&f->percpu, NULL), AX_EINVAL);
    assert_error(axvcpu_percpu_caps(&f->percpu, &caps), AX_OK);
    assert_int_equal(caps.ept_levels, 3);
    assert_int_equal(caps.gpa_bits, 40);
    assert_int_equal(caps.tag_bits, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init_refuses_missing_parts),     TEST(init_passes_the_backends_error_on),
        TEST(a_new_pcpu_is_off_and_empty),    TEST(enabling_twice_is_refused),
        TEST(the_pcpu_concerned_must_call),   TEST(the_hardware_may_refuse),
        TEST(a_failing_disable_leaves_it_on), TEST(a_bound_vcpu_keeps_it_on),
        TEST(capabilities_are_the_backends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
