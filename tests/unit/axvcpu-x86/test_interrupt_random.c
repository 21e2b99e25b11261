// SPDX-License-Identifier: Apache-2.0
// The harness of the fuzzer with a fixed seed, for builds without one.
#include "../../fuzz/x86_apic_input.h"

#include <setjmp.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void any_sequence_keeps_the_promises_of_an_apic(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint64_t words[100];
    unsigned deliveries = 0;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            words[k] = next_random(&seed);
        }
        x86_apic_input((const uint8_t *)words, sizeof(words));
        deliveries += apic_model.deliveries;
    }
    assert_true(deliveries > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sequence_keeps_the_promises_of_an_apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
