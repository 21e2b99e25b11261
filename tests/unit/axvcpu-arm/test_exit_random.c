// SPDX-License-Identifier: Apache-2.0
// The harness of the fuzzer with a fixed seed, for builds without one.
#include "../../fuzz/arm_exit_input.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

// Random words are seldom loads and random classes seldom aborts, so half of the inputs are made so.
static void random_exits_keep_the_promises_of_the_backend(void **state)
{
    uint64_t seed = 0x2545f4914f6cdd1d;
    uint64_t words[sizeof(ArmExitInput) / 8];
    unsigned mmio = 0;

    (void)state;
    arm_sim_reset();
    for (unsigned i = 0; i < 400000; i++) {
        ArmExitInput *input = (ArmExitInput *)(void *)words;

        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            words[k] = next_random(&seed);
        }
        if (i % 2 == 0) {
            input->instruction = (input->instruction | 0x28000000) & 0xfbffffff;
            input->esr = (input->esr & 0x1ffffc0) | UINT64_C(0x92000007);
            input->far = input->x[i % 4];
        }
        arm_exit_input((const uint8_t *)words, i % 1000 == 1 ? i % sizeof(*input) : sizeof(words));
        mmio += arm_exit_run.exit.reason == AX_EXIT_MMIO_READ;
    }
    assert_true(mmio > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_exits_keep_the_promises_of_the_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
