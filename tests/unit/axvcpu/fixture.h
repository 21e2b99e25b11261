// SPDX-License-Identifier: Apache-2.0
/* One vCPU on the fake backend and the fake host, and the ways into each of its states. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <axvcpu_arch.h>
#include <fake_hal.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TEST(f)       cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* pCPU 3 is where the vCPU lives, pCPU 5 is somewhere else. */
enum { HOME = 3, AWAY = 5 };

#define ENTRY UINT64_C(0x40200000)
#define VM_ID 7u

typedef struct Fixture {
    FakeHal host;
    AxPerCpu percpu;
    FakePerCpu fake_percpu;
    AxVCpu vcpu;
    FakeVCpu fake;
    AxEptRoot root;
    AxVCpuParams params;
    CreateConfig config;
} Fixture;

static inline void make_percpu(Fixture *f)
{
    assert_int_equal(axvcpu_arch_percpu_init(&f->percpu, &f->fake_percpu, &f->host.hal, HOME),
                     AX_OK);
    assert_int_equal(axvcpu_percpu_enable(&f->percpu), AX_OK);
}

static inline AxError make_vcpu(Fixture *f)
{
    return axvcpu_arch_create(&f->vcpu, f->params, &f->fake, &f->config);
}

static inline void fixture_init(Fixture *f)
{
    memset(f, 0, sizeof(*f));
    fake_hal_init(&f->host, 16);
    fake_hal_set_pcpu(HOME);
    f->root = (AxEptRoot){.base = ax_hpa(0x1000), .levels = 4, .gpa_bits = 48};
    f->config = axvcpu_arch_create_config(0, ax_gpa(0xd7b000), 1000);
    f->params = (AxVCpuParams){.hal = &f->host.hal, .vm_id = VM_ID, .preferred_pcpu = HOME};
    make_percpu(f);
    assert_int_equal(make_vcpu(f), AX_OK);
}

/* Takes down whatever is left and proves that the core kept the rules and leaked nothing. */
static inline void fixture_fini(Fixture *f)
{
    fake_hal_set_pcpu(HOME);
    if (axvcpu_is_bound(&f->vcpu)) {
        assert_int_equal(axvcpu_reset(&f->vcpu), AX_OK);
    }
    if (f->vcpu.arch != NULL) {
        assert_int_equal(axvcpu_destroy(&f->vcpu), AX_OK);
    }
    assert_int_equal(axvcpu_percpu_disable(&f->percpu), AX_OK);
    assert_int_equal(f->fake.violations, 0);
    assert_int_equal(f->fake_percpu.violations, 0);
    assert_int_equal(f->host.bad_frees, 0);
    assert_int_equal(fake_hal_fini(&f->host), 0);
}

static inline int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return -1;
    }
    fixture_init(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture_fini(*state);
    free(*state);
    return 0;
}

static inline void configure(Fixture *f)
{
    assert_int_equal(axvcpu_set_entry(&f->vcpu, ax_gpa(ENTRY)), AX_OK);
    assert_int_equal(axvcpu_set_ept_root(&f->vcpu, &f->root), AX_OK);
}

static inline void to_free(Fixture *f)
{
    const SetupConfig config = axvcpu_arch_setup_config(true);

    configure(f);
    assert_int_equal(axvcpu_arch_setup(&f->vcpu, &config), AX_OK);
}

static inline void to_ready(Fixture *f)
{
    to_free(f);
    assert_int_equal(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
}

/* Ready, after a run that ended with `exit`. */
static inline const AxVCpuExit *run_to(Fixture *f, AxVCpuExit exit)
{
    const AxVCpuExit *seen = NULL;

    assert_true(fake_push_exit(&f->fake, exit));
    assert_int_equal(axvcpu_run(&f->vcpu, &seen), AX_OK);
    assert_int_equal(seen->reason, exit.reason);
    return seen;
}

static inline void assert_state(const Fixture *f, AxVCpuState state)
{
    assert_string_equal(axvcpu_state_name(axvcpu_state(&f->vcpu)), axvcpu_state_name(state));
}

/* Error values as names, so that a failing test can be read. */
#define assert_error(actual, expected) \
    assert_string_equal(axvcpu_error_name(actual), axvcpu_error_name(expected))
