// SPDX-License-Identifier: Apache-2.0
/* All VMs of the demo, from their creation to the summary. */
#pragma once

#include "console.h"
#include "hostinfo.h"
#include "options.h"

#include <axvm/vm.h>

#define VMS_MAX       8u
#define VM_RESETS_MAX 8u

/* What a vCPU did, kept beyond the life of the VM. */
typedef struct VCpuCounts {
    uint64_t exits[AX_EXIT_COUNT];
    uint64_t handled[AX_EXIT_COUNT];
    uint64_t run_ns;
} VCpuCounts;

typedef struct Vm {
    AxVM vm;
    uint32_t index;
    bool live; /* `vm` exists */
    bool failed;
    AxVMStopReason reason; /* once it is not live */
    uint32_t resets;
    char name[AX_VM_NAME_SIZE];
    uint32_t vcpu_count;
    uint32_t first_rank;
    VCpuCounts counts[AX_VM_CPUS_MAX];
    ConsoleStream console;
    uint64_t flush_at;   /* when the part of a line that waits is written, */
    size_t flush_length; /* if it has not grown until then; 0 = none is known */
} Vm;

/*
 * Reads the descriptions of all VMs: those of the bundle in `initrd`, or the built-in guest when its
 * size is 0. Host memory that a VM wants at a fixed address is taken out of `free`; what does not
 * lie there, and devices that the hypervisor or another VM has, are refused. False after an error
 * line.
 */
bool vms_plan(const HostInfo *host, const Options *options, RangeList *free);

/* Creates the VMs for `pcpu_count` pCPUs. False after an error line; nothing is left then. */
bool vms_create(uint32_t pcpu_count);
void vms_boot(void);

uint32_t vms_count(void);
Vm *vms_get(uint32_t index);
uint32_t vms_live_count(void);
bool vms_any_failed(void);

/* vCPUs of all VMs by one number below 64: 8 per VM. */
typedef struct VCpuRef {
    Vm *vm;
    AxVCpuId id;
    AxVCpu *vcpu;
    uint32_t rank; /* dense from 0 over all VMs */
} VCpuRef;

VCpuRef vms_vcpu(uint32_t number);
/* Numbers of those that exist and belong to a running VM. */
uint64_t vms_vcpu_mask(void);

/*
 * Resets or ends the VMs that have stopped and of which no vCPU is in `busy`, the numbers of those
 * that are on a pCPU. One that failed says why. True when there was one.
 */
bool vms_reap(uint64_t busy);

/*
 * On the boot CPU: writes the prompts and other parts of lines that have waited long enough. Returns
 * when to come again, UINT64_MAX = not needed.
 */
uint64_t vms_flush(uint64_t now_ns);

/* Ctrl-] x */
void vms_stop_all(void);

/* Brings `counts` of a live VM up to date. */
void vms_count_exits(Vm *vm);
