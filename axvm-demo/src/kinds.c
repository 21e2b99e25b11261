// SPDX-License-Identifier: Apache-2.0
#include "kinds.h"

#include <stdio.h>

uint64_t kinds_print(char *text, size_t size, const uint64_t counts[AX_EXIT_COUNT])
{
    uint64_t sum = 0;
    size_t used = 0;

    (void)snprintf(text, size, "none");
    for (uint32_t kind = 0; kind < AX_EXIT_COUNT; kind++) {
        if (counts[kind] != 0 && used < size) {
            used += (size_t)snprintf(text + used, size - used, "%s%s %lu", used > 0 ? ", " : "",
                                     axvcpu_exit_name((AxVCpuExitReason)kind), counts[kind]);
        }
        sum += counts[kind];
    }
    return sum;
}
