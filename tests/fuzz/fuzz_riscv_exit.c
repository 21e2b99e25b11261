// SPDX-License-Identifier: Apache-2.0
// The load/store decoder, and what the exit handlers make of it, of trapped CSRs and of calls.
#include "riscv_exit_input.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rv_sim_reset();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    riscv_exit_input(data, size);
    return 0;
}
