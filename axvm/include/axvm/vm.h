// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual machine: vCPUs, address space, devices, and the loop that answers exits.
 *
 *     create ─▶ Loaded ─ boot ─▶ Running ⇄ Paused
 *                  ▲                │
 *                  └──── reset ── Stopped ◀── power-off, reset call, failure, axvm_stop
 *
 * destroy: from any state once no vCPU is bound; every frame goes back to the HAL.
 */
#pragma once

#include <axvcpu_arch.h>
#include <axvm/addrspace.h>
#include <axvm/config.h>
#include <axvm/device.h>
#include <axvm/image.h>
#include <axvm/lock.h>

typedef struct AxVM AxVM;

typedef enum AxVMStatus {
    AX_VM_LOADED,
    AX_VM_RUNNING,
    AX_VM_PAUSED,
    AX_VM_STOPPED,
    AX_VM_STATUS_COUNT
} AxVMStatus;

/* Why a VM is Stopped. */
typedef enum AxVMStopReason {
    AX_VM_STOP_NONE,
    AX_VM_STOP_POWER_OFF, /* the guest asked for it */
    AX_VM_STOP_RESET,     /* the guest asked for a reset */
    AX_VM_STOP_HOST,      /* axvm_stop */
    AX_VM_STOP_FAILURE,   /* a vCPU cannot go on: see AxVM.failure */
    AX_VM_STOP_COUNT
} AxVMStopReason;

const char *axvm_status_name(AxVMStatus status);
const char *axvm_stop_name(AxVMStopReason reason);

/*
 * The board: which devices a VM has and how they are described to the guest. One const table per
 * machine (machines.h), without NULL members; its state lives in frames of the VM.
 */
typedef struct AxMachineOps {
    const char *name;
    size_t state_size;
    uint8_t gpa_bits;
    const AxImageReader *const *images; /* the formats it takes, as for axvm_image_probe */
    uint16_t image_machine;             /* AxImageMachine: images of others are refused */
    uint64_t raw_offset; /* where a raw image goes that does not say it, from the start of RAM */
    /* Default RAM base and device list, written into a config that leaves them out. */
    void (*defaults)(AxVMConfig *config);
    /* Builds the devices of config->devices onto vm's buses. *why gets a sentence on an error. */
    AxError (*init)(void *state, AxVM *vm, AxConsoleSink sink, const char **why);
    /* Back to power-on values. */
    void (*reset)(void *state);
    /* Writes the guest's description (device tree) of at most `room` bytes; *size gets its size. */
    AxError (*describe)(void *state, const AxVM *vm, void *buffer, size_t room, size_t *size);
    /*
     * Gives vCPU 0, which is set up, what the image's boot protocol wants in its registers besides
     * the entry point and the description's address.
     */
    AxError (*start)(void *state, const AxVM *vm, AxVCpu *vcpu);
    /*
     * The events of one vCPU were dropped because it was switched on (axvcpu_reset): posts what the
     * interrupt controller's registers say about it again.
     */
    void (*vcpu_reset)(void *state, AxVCpuId id);
    /*
     * Carries out AX_EXIT_SEND_IPI of `sender`. AX_EINVAL when a target is not there: where the
     * interface of the guest has an error for that nobody gets anything, else the others do.
     */
    AxError (*send_ipi)(void *state, AxVCpu *sender, const AxVCpuExit *exit);
    /* AX_EXIT_INTERRUPT_END of `vcpu`: a level may be sent again. */
    void (*interrupt_end)(void *state, AxVCpu *vcpu, uint64_t vector);
    /*
     * AX_EXIT_INTERRUPT_ACKNOWLEDGE of `vcpu`: what its external controller gives. AX_ENOTSUP where
     * there is none.
     */
    AxError (*interrupt_acknowledge)(void *state, AxVCpu *vcpu, uint64_t *vector);
    /* Carries out axvm_poll(). Kicks vCPU 0 when the moment that it returned becomes an earlier one. */
    uint64_t (*poll)(void *state);
    /* A byte typed on the console; false when the device's FIFO is full. Any pCPU. */
    bool (*console_input)(void *state, uint8_t byte);
    /*
     * The next typed byte, taken from the device's FIFO, for a guest that reads its console through
     * firmware (AX_EXIT_CONSOLE_READ). False when there is none. Any pCPU.
     */
    bool (*console_take)(void *state, uint8_t *byte);
} AxMachineOps;

/* Room for the list of extensions that a guest is told of, with the terminating 0. */
#define AX_VM_ISA_SIZE 256u

typedef struct AxVMVCpu {
    AxVCpu vcpu;
    AxArchVCpuImpl arch;
    uint64_t cpu_address;   /* as firmware calls and the description name it */
    _Atomic uint32_t power; /* AxCpuPower */
    /* Not 0: on, but waits for an NMI or INIT of a sibling. A word: RISC-V swaps no bytes. */
    _Atomic uint32_t halted;
    GuestPhysAddr start; /* from CPU_UP until it runs: where, and its argument */
    uint64_t start_arg;
} AxVMVCpu;

/*
 * Hypercalls of the guest: fills *result. AX_ENOTSUP for an unknown number. Called on the pCPU of
 * `vcpu` without locks held.
 */
typedef AxError (*AxHypercallHandler)(void *ctx, AxVM *vm, AxVCpu *vcpu, uint64_t nr,
                                      const uint64_t args[6], uint64_t *result);

/*
 * A sibling switched vCPU `id` on (CPU_UP): the host's scheduler should find it a pCPU. Called on
 * the pCPU of the sibling, without locks held; must not run vCPUs.
 */
typedef void (*AxPowerOnHandler)(void *ctx, AxVM *vm, AxVCpuId id);

/*
 * Fills `buffer` with bytes that nobody can foresee: the seeds that the guest's description carries
 * (kaslr-seed, rng-seed). Called once per load, so that no two boots get the same ones.
 */
typedef void (*AxVMRandom)(void *ctx, uint8_t *buffer, size_t size);

typedef struct AxVMFailure {
    AxVCpuId vcpu;
    AxError error;   /* AX_OK when the exit itself is the failure */
    AxVCpuExit exit; /* the last one */
} AxVMFailure;

struct AxVM {
    const AxVCpuHal *hal;
    const AxMachineOps *machine;
    void *machine_state;
    AxVMConfig config;
    AxAddrSpace memory;
    AxBus mmio;
    AxBus ports;
    AxBus sysregs;
    AxVMVCpu *vcpus; /* config.cpu_num, in frames of the HAL */
    uint32_t vcpu_count;
    AxImageInfo image;
    AxBootLayout layout;
    AxLock lock; /* status, stop reason, failure */
    _Atomic uint32_t status;
    AxVMStopReason stop_reason;
    AxVMFailure failure;
    AxHypercallHandler hypercall;
    void *hypercall_ctx;
    AxPowerOnHandler power_on;
    void *power_on_ctx;
    AxVMRandom random;
    void *random_ctx;
    AxConsoleSink console;
    uint64_t counter_hz;
    char isa[AX_VM_ISA_SIZE];
    bool trap_wait;
};

typedef struct AxVMParams {
    const AxVCpuHal *hal;
    const AxMachineOps *machine;
    const AxVMConfig *config; /* copied; what it leaves out comes from the machine */
    AxConsoleSink console;
    AxHypercallHandler hypercall; /* NULL: every number is AX_ENOTSUP */
    void *hypercall_ctx;
    AxPowerOnHandler power_on; /* NULL: the scheduler looks at axvm_vcpu_runnable by itself */
    void *power_on_ctx;
    AxVMRandom random; /* NULL: the guest gets no seeds */
    void *random_ctx;
    uint64_t counter_hz; /* of the guest's time counter, where CPUs do not tell it; else 0 */
    /*
     * Extensions of this machine's CPUs as its firmware says them, of which guests are told those
     * that they may use; AX_EINVAL and AX_ENOSPC as axvcpu_arch_guest_isa says. NULL where nobody
     * says it. Needed during the call only.
     */
    const char *host_isa;
    bool trap_wait; /* waiting comes out as AX_EXIT_IDLE: needed when pCPUs are shared */
} AxVMParams;

/*
 * Builds a whole VM: checks the config, allocates memory, builds devices, loads the images, writes
 * the guest's description, creates and sets up the vCPUs. Virtualization must be enabled on this
 * pCPU. On an error nothing is left behind and *why (when not NULL) says what was wrong. *vm must
 * not move afterwards.
 *
 * Memory of type ALLOC is allocated at once. IDENTICAL and RESERVED memory and passed devices are
 * host memory at addresses that the description names: the host checks, before it calls, that it
 * may lend them. RESERVED memory is mapped, but no RAM to the guest and never cleared.
 */
AX_MUST_CHECK AxError axvm_create(AxVM *vm, const AxVMParams *params, const char **why);

/*
 * Gives all frames back. AX_EBUSY while a vCPU is bound; the VM is stopped first if it runs.
 * AX_EINVAL when there is no VM in *vm.
 */
AX_MUST_CHECK AxError axvm_destroy(AxVM *vm);

/* Loaded → Running: vCPU 0 may run. AX_ESTATE in another status, as for the next two. */
AX_MUST_CHECK AxError axvm_boot(AxVM *vm);
/* Running ⇄ Paused: running vCPUs are kicked and come out with AX_EXIT_NOTHING. Any pCPU. */
AX_MUST_CHECK AxError axvm_pause(AxVM *vm);
AX_MUST_CHECK AxError axvm_resume(AxVM *vm);
/*
 * Any but Stopped → Stopped; running vCPUs are kicked, blocked ones wake. Any pCPU. AX_ESTATE when
 * stopped already, AX_EINVAL for AX_VM_STOP_NONE or no reason at all.
 */
AX_MUST_CHECK AxError axvm_stop(AxVM *vm, AxVMStopReason reason);
/*
 * Stopped → Loaded: RAM cleared, images loaded again, devices and vCPUs reset. AX_ESTATE in another
 * status, AX_EBUSY while a vCPU is bound (nothing changed). After any other error the VM is Stopped
 * and may be reset again.
 */
AX_MUST_CHECK AxError axvm_reset(AxVM *vm, const char **why);

AxVMStatus axvm_status(const AxVM *vm);          /* any pCPU */
AxVMStopReason axvm_stop_reason(const AxVM *vm); /* Stopped */
AxVCpu *axvm_vcpu(const AxVM *vm, AxVCpuId id);  /* NULL when there is none */
uint32_t axvm_vcpu_count(const AxVM *vm);
/* Whether the scheduler should give this vCPU a pCPU: VM Running, powered on, not Blocked. */
bool axvm_vcpu_runnable(const AxVM *vm, AxVCpuId id);

/*
 * Runs vCPU `id` on the pCPU of `percpu`, binding it first if need be, and answers exits until one
 * concerns the host:
 *
 *   EXTERNAL_INTERRUPT  serviced already through hal->irq_handler; a point to reschedule
 *   NOTHING             after a kick, after AX_RUN_EXITS exits, or the VM is not Running any more
 *   IDLE                the vCPU waits: block it, or run it again
 *   CPU_DOWN            it is off; unbind it. The last one that goes off stops the VM (POWER_OFF)
 *   HALT                it waits for a sibling's NMI or INIT; when all do, the VM stops by failure
 *   INTERRUPT_WINDOW, EXCEPTION, DEBUG
 *                       only what the host has asked the vCPU for
 *   SYSTEM_DOWN, SYSTEM_RESET, TRIPLE_FAULT
 *                       the VM is Stopped: the guest asked for it (the last is a reset)
 *   FAIL_ENTRY, UNHANDLED
 *                       the VM is Stopped by failure
 *
 * The vCPU stays bound, so that running it again is cheap: axvcpu_unbind before another one takes
 * the pCPU. An access that nobody answers becomes a fault in the guest. An error of the backend, or
 * no memory left for the guest's, stops the VM (AX_VM_STOP_FAILURE) and is returned; a vCPU whose
 * backend failed is not bound any more then. Errors that change nothing: AX_ESTATE when the vCPU is
 * not runnable, AX_EINVAL for an id that is none, and those of axvcpu_bind that are the caller's
 * (AX_EWRONGCPU, AX_EBUSY, AX_ESTATE).
 */
#define AX_RUN_EXITS 4096u
AX_MUST_CHECK AxError axvm_run_vcpu(AxVM *vm, AxVCpuId id, AxPerCpu *percpu,
                                    const AxVCpuExit **exit);

/*
 * Brings devices that keep time (the timers of a PC) to the present, and returns the host time
 * (AxVCpuHal.now_ns) by which to call again, AX_DEADLINE_NONE when that is not needed before the
 * guest acts. Who schedules vCPU 0 calls it whenever it decides about it; when the guest brings that
 * time forward, vCPU 0 is kicked. Any pCPU, in any status.
 */
uint64_t axvm_poll(AxVM *vm);

/* A typed byte for the guest's console; false when it cannot take one now. Any pCPU. */
bool axvm_console_input(AxVM *vm, uint8_t byte);
