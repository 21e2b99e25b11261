// SPDX-License-Identifier: Apache-2.0
// What the exit handlers make of any exit: the decoder, the walk of the guest's tables, port and
// memory accesses, MSRs, the local APIC, and what the host answers.
#include "x86_exit_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    x86_exit_input(data, size);
    return 0;
}
