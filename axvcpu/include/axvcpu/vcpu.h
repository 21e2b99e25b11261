// SPDX-License-Identifier: Apache-2.0
/*
 * The generic virtual CPU.
 *
 *                   setup            bind              run
 *   create ─▶ Created ───▶ Free ◀────────▶ Ready ◀────────▶ Running
 *                           ▲ │    unbind   ▲ │    (exit)
 *                      wake │ │ block  wake │ │ block
 *                           │ ▼             │ ▼
 *                          Blocked        Blocked (still bound)
 *
 *   a failing backend call ─▶ Invalid;  reset: any state but Running ─▶ Created
 *
 * A call in the wrong state returns AX_ESTATE and changes nothing; a NULL pointer for a result or
 * an object is AX_EINVAL. Calls that change the state are made by one thread of control at a time
 * per vCPU, its scheduler: who finds a vCPU awake must not take it over before the axvcpu_block()
 * of the previous one has returned. Calls marked [any] may come from any pCPU at any time, also
 * while the vCPU runs: they are lock-free. None may run at the same time as axvcpu_destroy().
 *
 * A backend that refuses an argument (AX_EINVAL, AX_ENOENT, AX_ERANGE, AX_EALIGN, AX_EPERM,
 * AX_ENOTSUP from set_entry, set_ept_root or a register call) has not failed: nothing changes.
 */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/percpu.h>

typedef enum AxVCpuState {
    AX_VCPU_INVALID,
    AX_VCPU_CREATED,
    AX_VCPU_FREE,
    AX_VCPU_READY,
    AX_VCPU_RUNNING,
    AX_VCPU_BLOCKED,
    AX_VCPU_STATE_COUNT
} AxVCpuState;

/* "Free", "Running" …; "?" for a value that is none. */
const char *axvcpu_state_name(AxVCpuState state);

/* Physical CPUs a vCPU may be bound to: bit n of word n / 64. The words stay the caller's. */
typedef struct AxAffinity {
    const uint64_t *words; /* NULL = any pCPU */
    size_t word_count;     /* bits beyond are 0 */
} AxAffinity;

/* Fields are private to the core; read them through the functions below. */
struct AxVCpu {
    const AxVCpuHal *hal;
    const AxArchVCpuOps *ops;
    void *arch;
    AxVMId vm_id;
    AxVCpuId id;
    AxPCpuId preferred_pcpu;
    AxAffinity affinity;
    _Atomic uint32_t state;
    _Atomic uint32_t last_pcpu; /* where to kick; AX_PCPU_NONE before the first bind */
    _Atomic(AxPerCpu *) percpu; /* where it is bound, NULL when not */
    bool has_entry;
    bool has_ept_root;
    uint8_t answers_due; /* kinds of completion that the last exit waits for; 0 = none */
    AxVCpuExit exit;
    AxEvents events;
    AxVCpuStats stats;
};

typedef struct AxVCpuParams {
    const AxVCpuHal *hal;
    const AxArchVCpuOps *ops;
    void *arch;                /* the backend's AxArchVCpuImpl, uninitialised */
    const void *create_config; /* the backend's CreateConfig */
    AxVMId vm_id;
    AxVCpuId id;
    AxPCpuId preferred_pcpu; /* AX_PCPU_NONE = no preference */
    AxAffinity affinity;
} AxVCpuParams;

/* ---- life ---- */

/* → Created. AX_EINVAL for a NULL part or an empty affinity; the backend's error otherwise. */
AX_MUST_CHECK AxError axvcpu_create(AxVCpu *vcpu, const AxVCpuParams *params);

/* Created. AX_ESTATE in other states, AX_EEXIST the second time, AX_EALIGN for a bad address. */
AX_MUST_CHECK AxError axvcpu_set_entry(AxVCpu *vcpu, GuestPhysAddr entry);
AX_MUST_CHECK AxError axvcpu_set_ept_root(AxVCpu *vcpu, AxEptRoot *root);

/*
 * Created → Free. AX_ESTATE also when set_entry or set_ept_root is missing. `setup_config` is the
 * backend's SetupConfig. Does what the originals' three-argument setup did after the two setters.
 */
AX_MUST_CHECK AxError axvcpu_setup(AxVCpu *vcpu, const void *setup_config);

/*
 * Free → Ready, on the pCPU of `percpu`. AX_EWRONGCPU elsewhere or outside the affinity, AX_ESTATE
 * when the pCPU is not enabled, AX_EBUSY when another vCPU is bound to it.
 */
AX_MUST_CHECK AxError axvcpu_bind(AxVCpu *vcpu, AxPerCpu *percpu);

/*
 * Ready → Running → Ready. *exit points into the vCPU and stays valid until the next run. On a
 * bound pCPU only. AX_EPENDING when the last exit waits for its completion, AX_EWRONGCPU.
 */
AX_MUST_CHECK AxError axvcpu_run(AxVCpu *vcpu, const AxVCpuExit **exit);

/*
 * Ready → Free, or a bound Blocked → Blocked and unbound. AX_EWRONGCPU off the bound pCPU. When the
 * backend fails the vCPU is Invalid, and off the pCPU all the same.
 */
AX_MUST_CHECK AxError axvcpu_unbind(AxVCpu *vcpu);

/*
 * Free or Ready → Blocked. AX_EAGAIN when an event that ends a wait is already there: the state
 * stays and the caller runs the vCPU again. No wake-up is lost between the check and the block.
 */
AX_MUST_CHECK AxError axvcpu_block(AxVCpu *vcpu);

/*
 * [any] Blocked → Free or Ready (when bound), and kicks the pCPU it was last bound to, also when
 * that is the caller's: it has somebody to schedule. True when it was blocked.
 */
bool axvcpu_wake(AxVCpu *vcpu);

/*
 * Any state but Running → Created, also from Invalid: as after create. A bound vCPU is unbound
 * first and so must be on its pCPU. Pending events are dropped, statistics are kept.
 */
AX_MUST_CHECK AxError axvcpu_reset(AxVCpu *vcpu);

/*
 * Any state but Running and not bound → Invalid, resources given back. AX_ESTATE otherwise, and for
 * a vCPU that is destroyed already. Only axvcpu_create() brings it back.
 */
AX_MUST_CHECK AxError axvcpu_destroy(AxVCpu *vcpu);

/* ---- queries, all [any] ---- */

AxVCpuState axvcpu_state(const AxVCpu *vcpu);
AxVCpuId axvcpu_id(const AxVCpu *vcpu);
AxVMId axvcpu_vm_id(const AxVCpu *vcpu);
bool axvcpu_is_bsp(const AxVCpu *vcpu); /* id 0 */
AxPCpuId axvcpu_preferred_pcpu(const AxVCpu *vcpu);
bool axvcpu_may_run_on(const AxVCpu *vcpu, AxPCpuId pcpu);
bool axvcpu_is_bound(const AxVCpu *vcpu);
/* Exits of `reason` handed to the host / finished inside the backend; 0 for a bad reason. */
uint64_t axvcpu_exit_count(const AxVCpu *vcpu, AxVCpuExitReason reason);
uint64_t axvcpu_handled_count(const AxVCpu *vcpu, AxVCpuExitReason reason);
uint64_t axvcpu_run_time_ns(const AxVCpu *vcpu);

/*
 * ---- completing an exit: Ready, once, on the bound pCPU (AX_EWRONGCPU). AX_ENOEXIT when none of
 * that sort waits. ----
 */

/*
 * MMIO, port or system-register read: writes the destination with the width and sign of the exit
 * (bits of `value` above the access width are ignored), then advances the program counter.
 * INTERRUPT_ACKNOWLEDGE: `value` is the vector, which the guest takes at its next entry.
 */
AX_MUST_CHECK AxError axvcpu_complete_read(AxVCpu *vcpu, uint64_t value);
/* MMIO, port or system-register write: advances the program counter. */
AX_MUST_CHECK AxError axvcpu_complete_write(AxVCpu *vcpu);
/*
 * Hypercall, CPU_UP, CPU_STATUS, SEND_IPI, REMOTE_FENCE, CONSOLE_WRITE, CONSOLE_READ. `value` is the
 * result of a hypercall (with AX_OK), an AxCpuPower for CPU_STATUS, what exit.h says for the console,
 * and ignored for the others. Errors become the code of the interface the guest called: AX_ENOTSUP,
 * AX_EINVAL, AX_EEXIST (already on), AX_EBUSY (on pending), AX_EPERM (denied), AX_ENOENT (no such
 * CPU), AX_EFAULT (no such address), others where the interface has a code for them, else internal
 * failure. An interface without a result (a register that was written) drops it.
 */
AX_MUST_CHECK AxError axvcpu_complete_call(AxVCpu *vcpu, AxError result, uint64_t value);
/*
 * NESTED_PAGE_FAULT, and MMIO when the address is RAM that is mapped on demand: the mapping was
 * mended, the guest repeats the instruction.
 */
AX_MUST_CHECK AxError axvcpu_complete_retry(AxVCpu *vcpu);
/* Any exit that waits: the guest gets the fault of its architecture instead of an answer. */
AX_MUST_CHECK AxError axvcpu_complete_fault(AxVCpu *vcpu);

/*
 * ---- registers: any state but Running and Invalid; a bound vCPU's on its pCPU (AX_EWRONGCPU),
 * where some of the values are. AX_ENOENT for an id that the backend does not know. ----
 */

AX_MUST_CHECK AxError axvcpu_get_reg(const AxVCpu *vcpu, AxRegId reg, uint64_t *value);
AX_MUST_CHECK AxError axvcpu_set_reg(AxVCpu *vcpu, AxRegId reg, uint64_t value);
/* General register by number; the name of the originals for axvcpu_set_reg(AX_REG_GPR(n)). */
AX_MUST_CHECK AxError axvcpu_set_gpr(AxVCpu *vcpu, uint32_t n, uint64_t value);
AX_MUST_CHECK AxError axvcpu_set_return_value(AxVCpu *vcpu, uint64_t value);
/*
 * The whole register file in the order of axvcpu_reg_ids. AX_ERANGE when `count` is not its size;
 * set changes nothing unless every value is accepted by the backend.
 */
const AxRegId *axvcpu_reg_ids(const AxVCpu *vcpu, size_t *count);
AX_MUST_CHECK AxError axvcpu_get_regs(const AxVCpu *vcpu, uint64_t *values, size_t count);
AX_MUST_CHECK AxError axvcpu_set_regs(AxVCpu *vcpu, const uint64_t *values, size_t count);

/*
 * ---- events, all [any], in any state but Invalid (AX_ESTATE). ----
 *
 * Each wakes a Blocked vCPU when it leaves something that ends a wait, and kicks the pCPU of one
 * that runs on another pCPU than the caller's. Nobody is kicked for a vCPU that takes its events
 * before its next entry anyway, nor when nothing changed (line already high, edge already latched).
 * AX_ERANGE when `vector` >= AX_IRQ_COUNT, AX_EINVAL for a trigger or request that is none.
 */

/* Edge: latches `vector`. Level: raises the line; axvcpu_set_interrupt_level lowers it. */
AX_MUST_CHECK AxError axvcpu_inject_interrupt(AxVCpu *vcpu, uint32_t vector, AxTrigger trigger);
AX_MUST_CHECK AxError axvcpu_set_interrupt_level(AxVCpu *vcpu, uint32_t vector, bool high);
/* For interrupt controller models: enable bit, priority, state changes, state. */
AX_MUST_CHECK AxError axvcpu_enable_interrupt(AxVCpu *vcpu, uint32_t vector, bool enable);
AX_MUST_CHECK AxError axvcpu_set_interrupt_priority(AxVCpu *vcpu, uint32_t vector,
                                                    uint8_t priority);
AX_MUST_CHECK AxError axvcpu_request_interrupt(AxVCpu *vcpu, uint32_t vector, AxIrqRequest request);
/* Latched, at a high level or waiting in hardware / active. All false for a bad vector. */
AxIrqState axvcpu_interrupt_state(const AxVCpu *vcpu, uint32_t vector);
/* AX_EBUSY when one waits already. */
AX_MUST_CHECK AxError axvcpu_inject_exception(AxVCpu *vcpu, const AxException *exception);
/* AX_ENOTSUP on an architecture without one. */
AX_MUST_CHECK AxError axvcpu_inject_nmi(AxVCpu *vcpu);
/*
 * Makes a running vCPU leave the guest soon; a run that begins later returns at once, once. Ends a
 * wait like any event, so that a host can set a flag, kick, and know that the flag is looked at.
 */
void axvcpu_kick(AxVCpu *vcpu);

/* ---- fences, all [any], in any state: also a vCPU that is Invalid may be reset and run again ---- */

/*
 * Before its next entry the vCPU carries out `fence`, or more; one that is in the guest on another
 * pCPU than the caller's is made to leave it. Ends no wait, survives a reset. AX_EINVAL when it asks
 * for nothing. What the fence is for is true only after axvcpu_fence_wait().
 */
AX_MUST_CHECK AxError axvcpu_fence(AxVCpu *vcpu, const AxFence *fence);
/*
 * Returns when no fence posted before this call is still to be carried out while the vCPU is in the
 * guest: it runs no instruction any more with what those fences remove. To fence several vCPUs, post
 * to all of them first. Waits for AxVCpuHal.kick_pcpu to take effect, so: never inside axvcpu_run (a
 * HAL function), and never with a lock held, or a message unanswered, that the pCPU of the vCPU may
 * need in order to leave the guest. Two vCPUs that fence each other do not wait for each other: who
 * waits is not in the guest.
 */
void axvcpu_fence_wait(const AxVCpu *vcpu);

/* ---- waiting ---- */

/* Whether an event waits that ends a wait-for-interrupt; only posted ones count while it runs. */
bool axvcpu_wakeup_pending(const AxVCpu *vcpu);
/* Host time at which its own timer fires, AX_DEADLINE_NONE when none is armed or while it runs. */
uint64_t axvcpu_next_deadline(const AxVCpu *vcpu);
