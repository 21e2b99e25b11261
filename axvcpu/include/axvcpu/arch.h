// SPDX-License-Identifier: Apache-2.0
/*
 * The contract downwards: what a backend implements. Both tables are complete, const, and without
 * NULL members. Only the core calls them; hosts use vcpu.h and percpu.h, which check states and
 * arguments first, so a backend may rely on the rules stated here.
 *
 * `arch` is the backend's own complete type (AxArchVCpuImpl, PerCpu), in memory of the caller, that
 * does not move. A config pointer is the backend's CreateConfig or SetupConfig; the typed inline
 * functions of its axvcpu_arch.h keep callers from passing anything else.
 */
#pragma once

#include <axvcpu/ept.h>
#include <axvcpu/error.h>
#include <axvcpu/event.h>
#include <axvcpu/exit.h>
#include <axvcpu/hal.h>
#include <axvcpu/types.h>

/*
 * Registers by number. 0..AX_REG_GPR_COUNT-1 are the general registers in the order of the
 * architecture's encoding; the next few mean the same everywhere; from AX_REG_ARCH on the backend
 * names its own (system registers, FP and vector registers in 64-bit pieces).
 */
typedef uint32_t AxRegId;
#define AX_REG_GPR(n)  ((AxRegId)(n))
#define AX_REG_PC      ((AxRegId)0x80)
#define AX_REG_SP      ((AxRegId)0x81)
#define AX_REG_RETURN  ((AxRegId)0x82)         /* hypercall result */
#define AX_REG_ARG(n)  ((AxRegId)(0x88 + (n))) /* first 6 arguments at boot and in hypercalls */
#define AX_REG_ARG_MAX 6u
#define AX_REG_ARCH    ((AxRegId)0x100)

/* Registers in a row, for a backend's reg_ids: id(n), id(n + 1), and so on. */
#define AX_REG_IDS_4(id, n)  id(n), id((n) + 1), id((n) + 2), id((n) + 3)
#define AX_REG_IDS_8(id, n)  AX_REG_IDS_4(id, n), AX_REG_IDS_4(id, (n) + 4)
#define AX_REG_IDS_16(id, n) AX_REG_IDS_8(id, n), AX_REG_IDS_8(id, (n) + 8)
#define AX_REG_IDS_32(id, n) AX_REG_IDS_16(id, n), AX_REG_IDS_16(id, (n) + 16)

/* Counters of one vCPU; written on its pCPU, read from anywhere, each exact by itself. */
typedef struct AxVCpuStats {
    _Atomic uint64_t exits[AX_EXIT_COUNT];   /* handed to the host, by kind */
    _Atomic uint64_t handled[AX_EXIT_COUNT]; /* finished inside the backend, by kind */
    _Atomic uint64_t run_ns;                 /* time inside run, hot exits included */
} AxVCpuStats;

/* Only the vCPU's own pCPU writes, so a relaxed load and store is enough and has no bus lock. */
static inline void axvcpu_count(_Atomic uint64_t *counter, uint64_t amount)
{
    const uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, old + amount, memory_order_relaxed);
}

/* What the core lends a backend vCPU at create; valid until destroy. */
typedef struct AxArchVCpuEnv {
    const AxVCpuHal *hal;
    AxEvents *events;
    AxVCpuStats *stats;
    AxVMId vm_id;
    AxVCpuId vcpu_id;
} AxArchVCpuEnv;

/* State of one interrupt inside the CPU interface, beyond the latch and level in AxEvents. */
typedef struct AxIrqState {
    bool pending; /* waits in hardware for delivery */
    bool active;  /* delivered, not yet ended by the guest */
} AxIrqState;

typedef struct AxArchVCpuOps {
    const char *name;
    bool has_nmi;

    /* Initialises all of *arch. AX_EINVAL for a bad config; nothing to release then. */
    AxError (*create)(void *arch, const AxArchVCpuEnv *env, const void *create_config);
    /* Gives every frame back. Not bound. */
    void (*destroy)(void *arch);
    /* Architectural reset values, as after create; entry and EPT root are forgotten. Not bound. */
    AxError (*reset)(void *arch);
    /* Each exactly once between create/reset and setup. */
    AxError (*set_entry)(void *arch, GuestPhysAddr entry);
    AxError (*set_ept_root)(void *arch, AxEptRoot *root);
    AxError (*setup)(void *arch, const void *setup_config);

    /*
     * Loads/saves what stays on the pCPU between runs. On the pCPU of `percpu`, host IRQs any. The
     * vCPU counts as unbound after unbind, and not as bound after bind, when they fail.
     */
    AxError (*bind)(void *arch, void *percpu);
    AxError (*unbind)(void *arch);
    /*
     * Enters the guest until an exit that is not finished inside. Bound, on the pCPU it is bound
     * to. Fills *exit on AX_OK. Before each entry it takes events, and carries fences out; a kick
     * ends it with AX_EXIT_NOTHING at the latest after the next exit.
     */
    AxError (*run)(void *arch, AxVCpuExit *exit);

    /* Completions; `exit` is what run returned. See exit.h. */
    AxError (*complete_read)(void *arch, const AxVCpuExit *exit, uint64_t value);
    AxError (*complete_write)(void *arch, const AxVCpuExit *exit);
    /*
     * `result` in the words of AxError, mapped to what the firmware interface of the call says
     * (e.g. AX_EEXIST = already on); `value` is returned where the call has a value.
     */
    AxError (*complete_call)(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value);
    AxError (*complete_fault)(void *arch, const AxVCpuExit *exit);

    /*
     * AX_ENOENT for an unknown id, AX_EINVAL for a value that the register cannot hold, and nothing
     * changes. Not running, and on its pCPU when bound. Whether a value is taken must not depend on
     * other registers: axvcpu_set_regs() tries each of them alone first.
     */
    AxError (*get_reg)(const void *arch, AxRegId reg, uint64_t *value);
    AxError (*set_reg)(void *arch, AxRegId reg, uint64_t value);
    /* Ids of the whole register file: all that a snapshot must hold. */
    const AxRegId *reg_ids;
    size_t reg_id_count;

    /* Any pCPU; as of the last exit when the vCPU runs elsewhere. */
    AxIrqState (*irq_state)(const void *arch, uint32_t irq);
    /* Not running: whether something besides AxEvents ends a wait (timer due, interrupt held). */
    bool (*wakeup_pending)(const void *arch);
    /* Not running: host time (AxVCpuHal.now_ns) at which the vCPU's own timer fires. */
    uint64_t (*next_deadline)(const void *arch);
} AxArchVCpuOps;

/*
 * For backends: host time at which a counter of `hz` has counted `ticks` from `now_ns` on, rounded up;
 * AX_DEADLINE_NONE when 64 bits do not hold it. Never late: above 18 GHz up to a second early, and
 * `now_ns` for a counter whose frequency firmware did not tell (0), so that the host polls.
 */
uint64_t axvcpu_deadline_after(uint64_t now_ns, uint64_t ticks, uint64_t hz);

typedef struct AxPerCpuCaps {
    uint8_t ept_levels; /* most levels of a nested page table */
    uint8_t gpa_bits;   /* widest guest-physical address */
    uint8_t tag_bits;   /* width of VMID, ASID or VPID; 0 = no tagged TLB */
} AxPerCpuCaps;

typedef struct AxArchPerCpuOps {
    const char *name;
    /* All on the pCPU concerned. */
    AxError (*init)(void *arch, AxPCpuId id, const AxVCpuHal *hal);
    /* Remembers what it changes. AX_ENOHW, AX_EPRIVILEGE, AX_EFIRMWARE, AX_ENOTSUP, AX_EBUSY. */
    AxError (*enable)(void *arch);
    /* Puts everything back as it was before enable. */
    AxError (*disable)(void *arch);
    /* Enabled. */
    AxPerCpuCaps (*caps)(const void *arch);
} AxArchPerCpuOps;
