// SPDX-License-Identifier: Apache-2.0
/* The machine, as its device tree describes it. Depends on nothing but libfdt. */
#pragma once

#include "ranges.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_CPUS_MAX      8u
#define HOST_GICR_MAX      4u
#define HOST_BOOTARGS_SIZE 512u
#define HOST_SEED_SIZE     32u

typedef struct HostInfo {
    RangeList memory;   /* all RAM */
    RangeList reserved; /* what the firmware keeps for itself */
    Range initrd;       /* size 0: none */
    Range uart;
    uint32_t uart_irq; /* INTID */
    Range gicd;
    RangeList gicr;
    uint32_t hyp_timer_irq;  /* INTID */
    uint32_t virt_timer_irq; /* INTID */
    uint32_t cpu_count;
    uint64_t cpus[HOST_CPUS_MAX]; /* MPIDR affinity, as many as fit */
    bool has_seed;
    uint8_t seed[HOST_SEED_SIZE]; /* unpredictable, from the boot loader */
    char bootargs[HOST_BOOTARGS_SIZE];
} HostInfo;

/* False with a sentence that names the node in `why` when the tree is malformed or lacks a part. */
bool hostinfo_read(HostInfo *info, const void *fdt, const char **why);
