// SPDX-License-Identifier: Apache-2.0
#include "hostinfo.h"

// The boot CPU is here: it has a place whatever its number is.
void hostinfo_add_cpu(HostInfo *info, uint64_t number, uint64_t boot_cpu)
{
    if (info->cpu_count < HOST_CPUS_MAX) {
        info->cpus[info->cpu_count++] = number;
    } else if (number == boot_cpu) {
        info->cpus[HOST_CPUS_MAX - 1] = number;
    }
}

uint32_t hostinfo_find_cpu(const HostInfo *info, uint64_t number)
{
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i] == number) {
            return i;
        }
    }
    return 0;
}
