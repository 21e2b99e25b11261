// SPDX-License-Identifier: Apache-2.0
/* Who a vCPU is, and on which pCPUs it may run. */
#include "fixture.h"

static void create_with_affinity(Fixture *f, const uint64_t *words, size_t count, AxError expected)
{
    assert_error(axvcpu_destroy(&f->vcpu), AX_OK);
    f->params.affinity = (AxAffinity){.words = words, .word_count = count};
    assert_error(make_vcpu(f), expected);
}

static void without_a_mask_every_pcpu_will_do(void **state)
{
    static const AxPCpuId some[] = {0, 1, 63, 64, 1000000, AX_PCPU_NONE - 1};
    Fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
        assert_true(axvcpu_may_run_on(&f->vcpu, some[i]));
    }
    assert_false(axvcpu_may_run_on(&f->vcpu, AX_PCPU_NONE));
}

// Masks of 1 to 17 words with one bit each, looked at bit by bit and beyond the end.
static void a_mask_of_any_size_is_obeyed_bit_by_bit(void **state)
{
    Fixture *f = *state;
    uint64_t words[17];

    for (size_t count = 1; count <= ARRAY_SIZE(words); count++) {
        const AxPCpuId only = (AxPCpuId)(count * 64 - 1 - count);

        memset(words, 0, sizeof(words));
        words[only / 64] = UINT64_C(1) << only % 64;
        create_with_affinity(f, words, count, AX_OK);
        for (AxPCpuId pcpu = 0; pcpu < 18 * 64; pcpu++) {
            assert_int_equal(axvcpu_may_run_on(&f->vcpu, pcpu), pcpu == only);
        }
        assert_false(axvcpu_may_run_on(&f->vcpu, AX_PCPU_NONE));
    }
}

static void an_empty_mask_is_refused(void **state)
{
    static const uint64_t zeros[4];
    static const uint64_t late[2] = {0, 1};
    Fixture *f = *state;
    AxVCpuParams params = f->params;
    static FakeVCpu arch;
    AxVCpu vcpu;

    for (size_t count = 0; count <= ARRAY_SIZE(zeros); count++) {
        params.affinity = (AxAffinity){.words = zeros, .word_count = count};
        assert_error(axvcpu_arch_create(&vcpu, params, &arch, &f->config), AX_EINVAL);
    }
    params.affinity = (AxAffinity){.words = late, .word_count = 1};
    assert_error(axvcpu_arch_create(&vcpu, params, &arch, &f->config), AX_EINVAL);
}

static void bind_obeys_the_mask(void **state)
{
    static const uint64_t away = UINT64_C(1) << AWAY;
    static const uint64_t home[3] = {UINT64_C(1) << HOME, 0, UINT64_MAX};
    Fixture *f = *state;

    create_with_affinity(f, &away, 1, AX_OK);
    to_free(f);
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_EWRONGCPU);
    assert_null(axvcpu_current(&f->percpu));
    assert_state(f, AX_VCPU_FREE);
    create_with_affinity(f, home, 3, AX_OK);
    to_ready(f);
}

static void a_vcpu_knows_who_it_is(void **state)
{
    Fixture *f = *state;

    assert_int_equal(axvcpu_vm_id(&f->vcpu), VM_ID);
    assert_int_equal(axvcpu_id(&f->vcpu), 0);
    assert_true(axvcpu_is_bsp(&f->vcpu));
    assert_int_equal(axvcpu_preferred_pcpu(&f->vcpu), HOME);
    assert_error(axvcpu_destroy(&f->vcpu), AX_OK);
    f->params.id = 6;
    f->params.preferred_pcpu = AX_PCPU_NONE;
    assert_error(make_vcpu(f), AX_OK);
    assert_int_equal(axvcpu_id(&f->vcpu), 6);
    assert_false(axvcpu_is_bsp(&f->vcpu));
    assert_int_equal(axvcpu_preferred_pcpu(&f->vcpu), AX_PCPU_NONE);
}

static void bound_means_from_bind_to_unbind(void **state)
{
    Fixture *f = *state;

    to_free(f);
    assert_false(axvcpu_is_bound(&f->vcpu));
    assert_error(axvcpu_bind(&f->vcpu, &f->percpu), AX_OK);
    assert_true(axvcpu_is_bound(&f->vcpu));
    assert_error(axvcpu_block(&f->vcpu), AX_OK);
    assert_true(axvcpu_is_bound(&f->vcpu));
    assert_error(axvcpu_unbind(&f->vcpu), AX_OK);
    assert_false(axvcpu_is_bound(&f->vcpu));
    assert_state(f, AX_VCPU_BLOCKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_mask_every_pcpu_will_do),
        TEST(a_mask_of_any_size_is_obeyed_bit_by_bit),
        TEST(an_empty_mask_is_refused),
        TEST(bind_obeys_the_mask),
        TEST(a_vcpu_knows_who_it_is),
        TEST(bound_means_from_bind_to_unbind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
