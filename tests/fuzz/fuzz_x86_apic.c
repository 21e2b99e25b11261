// SPDX-License-Identifier: Apache-2.0
// The local APIC and its timer under any sequence of accesses and interrupts.
#include "x86_apic_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    x86_apic_input(data, size);
    return 0;
}
