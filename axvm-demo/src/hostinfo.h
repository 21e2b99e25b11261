// SPDX-License-Identifier: Apache-2.0
/*
 * The machine: what every architecture has. The rest is in <arch>/board.h. Where it is read from is a
 * matter of the architecture, too: a device tree (hostinfo_fdt.h), ACPI.
 */
#pragma once

#include "ranges.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_CPUS_MAX      8u
#define HOST_BOOTARGS_SIZE 512u
#define HOST_SEED_SIZE     32u

typedef struct HostInfo {
    RangeList memory;   /* all RAM */
    RangeList reserved; /* what the firmware or the boot loader left there */
    RangeList devices;  /* registers that the hypervisor uses; the board's reader fills it */
    Range initrd;       /* size 0: none */
    uint32_t cpu_count;
    uint64_t cpus[HOST_CPUS_MAX]; /* their numbers: as many as fit, the boot CPU among them */
    uint64_t counter_hz;          /* of AxVMParams; the board's reader fills it */
    const char *isa;              /* AxVMParams.host_isa, NULL for none; likewise */
    bool has_seed;
    uint8_t seed[HOST_SEED_SIZE]; /* unpredictable, from the boot loader */
    char bootargs[HOST_BOOTARGS_SIZE];
} HostInfo;

/* As many as fit; `boot_cpu`, which is the number of the calling CPU, has a place anyway. */
void hostinfo_add_cpu(HostInfo *info, uint64_t number, uint64_t boot_cpu);

/* Index into info->cpus, 0 when there is none of that number. */
uint32_t hostinfo_find_cpu(const HostInfo *info, uint64_t number);
