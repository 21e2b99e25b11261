// SPDX-License-Identifier: Apache-2.0
// The harness of the fuzzer with a fixed seed, for builds without one.
#include "../../fuzz/riscv_exit_input.h"

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

// Random words are seldom loads, CSR accesses or calls that exist, so most inputs are made so.
static void make_likely(RISCVExitInput *input, unsigned i)
{
    switch (i % 4) {
    case 0:
        input->cause = i % 8 == 0 ? CAUSE_LOAD_GUEST_PAGE : CAUSE_STORE_GUEST_PAGE;
        input->instruction = (input->instruction & ~0x000ff07fu) | (i % 8 == 0 ? 0x3003 : 0x3023);
        input->instruction &= i % 8 == 0 ? 0x000fffff : 0x01fff07f;
        input->tval = 0;
        input->htinst = i % 16 < 8 ? 0 : input->instruction;
        break;
    case 1:
        input->cause = CAUSE_VIRTUAL_INSTRUCTION;
        input->instruction = (input->instruction & 0xffffff80) | 0x73;
        input->mode &= i % 8 == 1 ? UINT8_MAX : (uint8_t) ~(INPUT_NO_LOW | INPUT_NO_HIGH);
        break;
    case 2:
        input->cause = CAUSE_ECALL_VS;
        input->eid %= 16;
        input->fid %= 8;
        break;
    default: input->cause %= 25; break;
    }
}

static void random_exits_keep_the_promises_of_the_backend(void **state)
{
    static unsigned seen[AX_EXIT_COUNT];
    uint64_t seed = 0x2545f4914f6cdd1d;
    uint64_t words[sizeof(RISCVExitInput) / 8];

    (void)state;
    rv_sim_reset();
    for (unsigned i = 0; i < 400000; i++) {
        RISCVExitInput *input = (RISCVExitInput *)(void *)words;

        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            words[k] = next_random(&seed);
        }
        make_likely(input, i);
        riscv_exit_input((const uint8_t *)words,
                         i % 1000 == 1 ? i % sizeof(*input) : sizeof(words));
        seen[riscv_exit_run.exit.reason]++;
    }
    assert_true(seen[AX_EXIT_MMIO_READ] > 10000 && seen[AX_EXIT_MMIO_WRITE] > 10000);
    assert_true(seen[AX_EXIT_SYSREG_READ] > 1000 && seen[AX_EXIT_SYSREG_WRITE] > 10000);
    assert_true(seen[AX_EXIT_NESTED_PAGE_FAULT] > 10000);
    assert_int_equal(rv_sim.illegal, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_exits_keep_the_promises_of_the_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
