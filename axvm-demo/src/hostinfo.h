// SPDX-License-Identifier: Apache-2.0
/*
 * The machine, as its device tree describes it: what every architecture has. The rest is in
 * <arch>/board.h. Depends on nothing but libfdt.
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
    RangeList reserved; /* what the firmware keeps for itself */
    RangeList devices;  /* registers that the hypervisor uses; the board's reader fills it */
    Range initrd;       /* size 0: none */
    uint32_t cpu_count;
    uint64_t cpus[HOST_CPUS_MAX]; /* their numbers: as many as fit, the boot CPU among them */
    uint64_t counter_hz;          /* of AxVMParams; the board's reader fills it */
    const char *isa;              /* AxVMParams.host_isa, in the tree; likewise */
    bool has_seed;
    uint8_t seed[HOST_SEED_SIZE]; /* unpredictable, from the boot loader */
    char bootargs[HOST_BOOTARGS_SIZE];
} HostInfo;

/*
 * `boot_cpu` is the number of the calling CPU, as /cpus names CPUs. False with a sentence that names
 * the node in `why` when the tree is malformed or lacks a part.
 */
bool hostinfo_read(HostInfo *info, const void *fdt, uint64_t boot_cpu, const char **why);

/* Index into info->cpus, 0 when there is none of that number. */
uint32_t hostinfo_find_cpu(const HostInfo *info, uint64_t number);
