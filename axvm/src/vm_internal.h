// SPDX-License-Identifier: Apache-2.0
/* Seams between the files of the VM layer. */
#pragma once

#include <axvm/vm.h>

/* Zeroed frames of the HAL for `size` bytes; NULL when there are none. */
void *axvm_alloc_bytes(const AxVCpuHal *hal, size_t size);
/* NULL is fine. */
void axvm_free_bytes(const AxVCpuHal *hal, void *memory, size_t size);

/* ---- build.c: the parts of a VM; vm->hal, machine and config are set ---- */

/* Where everything goes. */
AX_MUST_CHECK AxError axvm_plan(AxVM *vm, const char **why);
/* Fills memory with images and the description. */
AX_MUST_CHECK AxError axvm_load(AxVM *vm, const char **why);
/* Makes vCPU 0 ready to start at the entry point; the others are off. */
AX_MUST_CHECK AxError axvm_prepare_first_vcpu(AxVM *vm, const char **why);
AX_MUST_CHECK AxError axvm_build(AxVM *vm, const AxVMParams *params, const char **why);
/* Undoes as much of axvm_build as was done. No vCPU is bound. */
void axvm_unbuild(AxVM *vm);

/* ---- vm.c ---- */

/*
 * → Stopped, unless it is already: the first reason counts. `failure` may be NULL. True when this
 * call stopped it.
 */
bool axvm_end(AxVM *vm, AxVMStopReason reason, const AxVMFailure *failure);

/* ---- power.c ---- */

/* CPU_UP and CPU_STATUS; results as axvcpu_complete_call wants them. */
AX_MUST_CHECK AxError axvm_power_up(AxVM *vm, uint64_t cpu_address, GuestPhysAddr entry,
                                    uint64_t arg);
AX_MUST_CHECK AxError axvm_power_status(const AxVM *vm, uint64_t cpu_address, uint32_t level,
                                        uint64_t *status);
/* CPU_DOWN of `self`; stops the VM when it was the last. */
void axvm_power_down(AxVM *vm, AxVMVCpu *self);
/* HALT of `self`: it runs no more before an NMI or INIT. True when nobody is left to send one. */
bool axvm_power_halt(AxVM *vm, AxVMVCpu *self);
/* AX_IPI_NMI and AX_IPI_INIT for `target`. Without locks held. */
void axvm_power_nmi(AxVM *vm, AxVMVCpu *target);
void axvm_power_init(AxVM *vm, AxVMVCpu *target);
/* On the pCPU that will run it: carries out a power-up that waits. */
AX_MUST_CHECK AxError axvm_power_start(AxVM *vm, AxVMVCpu *self);

/* Sets entry point and address space, then → Free. */
AX_MUST_CHECK AxError axvm_setup_vcpu(AxVM *vm, AxVMVCpu *self, GuestPhysAddr entry);

/* ---- addrspace.c ---- */

/* Writes zeroes over what is mapped in [gpa, gpa + size). */
void axvm_zero_guest(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size);

/* ---- run.c ---- */

/* One call of axvm_run_vcpu. Exit handlers complete what waits; an error of theirs ends the VM. */
typedef struct AxRun {
    AxVM *vm;
    AxVMVCpu *self;
    AxVCpu *vcpu;
} AxRun;

/* ---- fence.c ---- */

AX_MUST_CHECK AxError axvm_on_remote_fence(const AxRun *run, const AxVCpuExit *exit);
/* AxEptRoot.recall; the owner is the AxVM. */
void axvm_recall(void *owner);

/* ---- firmware_console.c ---- */

AX_MUST_CHECK AxError axvm_on_console_write(const AxRun *run, const AxVCpuExit *exit);
AX_MUST_CHECK AxError axvm_on_console_read(const AxRun *run, const AxVCpuExit *exit);
