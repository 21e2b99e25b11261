// SPDX-License-Identifier: Apache-2.0
/*
 * A backend without hardware, for tests on the host. Its guest does what the test says: exits come
 * from a script, calls fail when asked to, everything that the core does is written down.
 *
 * The test owns the FakeVCpu and looks into it. axvcpu_create() clears it, so scripts and failures
 * are set after create (the failure of create itself is in the config).
 */
#pragma once

#include <axvcpu/arch.h>

#define FAKE_GPR_COUNT  31u
#define FAKE_SCRIPT_MAX 64u
#define FAKE_LOG_MAX    256u
/* Every fake instruction has this size. */
#define FAKE_INSN_SIZE 4u
/* complete_fault sends the guest here. */
#define FAKE_FAULT_VECTOR UINT64_C(0xfa0170)
/* `cause` of the AX_EXIT_UNHANDLED that a run returns when the script is used up. */
#define FAKE_CAUSE_SCRIPT_END UINT64_C(0xe0d)

/* A system register that takes everything, and one that refuses (AX_EINVAL) bit 63. */
#define FAKE_REG_ANY   (AX_REG_ARCH + 0u)
#define FAKE_REG_PICKY (AX_REG_ARCH + 1u)
/* GPRs, PC, SP, and the two above: all that is in reg_ids, in this order. */
#define FAKE_REG_COUNT (FAKE_GPR_COUNT + 4u)

/* Calls that are logged and can be made to fail. */
typedef enum FakeOp {
    FAKE_CREATE,
    FAKE_DESTROY,
    FAKE_RESET,
    FAKE_SET_ENTRY,
    FAKE_SET_EPT_ROOT,
    FAKE_SETUP,
    FAKE_BIND,
    FAKE_UNBIND,
    FAKE_RUN,
    FAKE_COMPLETE_READ,
    FAKE_COMPLETE_WRITE,
    FAKE_COMPLETE_CALL,
    FAKE_COMPLETE_FAULT,
    FAKE_GET_REG,
    FAKE_SET_REG,
    FAKE_OP_COUNT
} FakeOp;

typedef struct FakeVCpuCreateConfig {
    uint64_t cpu_address;
    GuestPhysAddr dtb_addr; /* to register 0 */
    uint64_t counter_hz;
    AxError create_error; /* create returns this; AX_OK lets it succeed */
} FakeVCpuCreateConfig;

typedef struct FakeVCpuSetupConfig {
    bool trap_wait;
} FakeVCpuSetupConfig;

typedef struct FakeVCpu FakeVCpu;

/* The guest, when the script is empty: fills *exit. May change and look at everything in `vcpu`. */
typedef AxError FakeGuest(FakeVCpu *vcpu, AxVCpuExit *exit);

typedef struct FakePerCpu FakePerCpu;

struct FakeVCpu {
    AxArchVCpuEnv env;
    FakeVCpu *self; /* the way round the const of get_reg */
    FakeVCpuCreateConfig create;
    FakeVCpuSetupConfig setup;
    HostPhysAddr frame; /* held from create to destroy, so that a lost destroy is a leak */
    AxEptRoot *root;
    FakePerCpu *percpu;
    bool is_setup;

    /* In the order of reg_ids: GPRs, PC, SP, ANY, PICKY. */
    uint64_t regs[FAKE_REG_COUNT];

    AxVCpuExit script[FAKE_SCRIPT_MAX];
    uint32_t script_head;
    uint32_t script_tail;
    FakeGuest *guest;
    void *guest_ctx;

    AxError fail[FAKE_OP_COUNT];
    uint32_t fail_skip[FAKE_OP_COUNT]; /* calls that succeed before the one that fails */
    uint32_t calls[FAKE_OP_COUNT];
    FakeOp log[FAKE_LOG_MAX]; /* the first calls in order, get_reg and set_reg left out */
    uint32_t log_count;
    uint32_t violations; /* calls that break the contract of AxArchVCpuOps; must stay 0 */

    /* What the last completions said. */
    uint64_t answer;
    AxError answer_result;

    /*
     * Interrupts. While `masked` the guest takes none: an edge waits in `held` (as in a list
     * register), a level stays where it is.
     */
    bool masked;
    AxIrqBitmap held;
    AxIrqBitmap active;
    uint32_t irq_taken[AX_IRQ_COUNT];   /* edges delivered */
    uint32_t level_taken[AX_IRQ_COUNT]; /* entries at which the level was high */
    uint32_t nmi_taken;
    uint32_t exceptions_taken;
    AxException last_exception;
    uint32_t kicks_taken;
    uint32_t fences_taken;
    AxFence last_fence;

    /* Answers to the core's questions. */
    bool wakeup;
    uint64_t deadline; /* AX_DEADLINE_NONE after create and reset */
};

extern const AxArchVCpuOps fake_vcpu_ops;
/* The same without NMIs. */
extern const AxArchVCpuOps fake_vcpu_ops_no_nmi;

/* Appends to the script. False when it is full. */
bool fake_push_exit(FakeVCpu *vcpu, AxVCpuExit exit);
/* Appends an exit that has only a kind. */
bool fake_push_reason(FakeVCpu *vcpu, AxVCpuExitReason reason);
/* The call of `op` after `skip` more successful ones returns `error`, once. */
void fake_fail(FakeVCpu *vcpu, FakeOp op, AxError error, uint32_t skip);
uint64_t fake_reg(const FakeVCpu *vcpu, AxRegId reg);

/* ---- per CPU ---- */

typedef enum FakePerCpuOp {
    FAKE_PERCPU_ENABLE,
    FAKE_PERCPU_DISABLE,
    FAKE_PERCPU_OP_COUNT
} FakePerCpuOp;

struct FakePerCpu {
    AxPCpuId id;
    const AxVCpuHal *hal;
    bool enabled;
    FakeVCpu *bound;
    AxError fail[FAKE_PERCPU_OP_COUNT]; /* returned once */
    uint32_t calls[FAKE_PERCPU_OP_COUNT];
    uint32_t violations;
    AxPerCpuCaps caps; /* 4 levels, 48 bits, 8-bit tags after init */
};

extern const AxArchPerCpuOps fake_percpu_ops;

/*
 * What fake_hardware_check and enable say from now on, on all pCPUs, and what init says. AX_OK at
 * start. Global because a CPU's abilities are; a test that changes it puts it back.
 */
void fake_set_hardware(AxError error);
void fake_set_percpu_init(AxError error);
AX_MUST_CHECK AxError fake_hardware_check(const char **reason);

/* axvcpu_arch_guest_isa: what `host` says, AX_EINVAL for an empty text. */
AX_MUST_CHECK AxError fake_guest_isa(const char *host, char *buffer, size_t room);

/* ---- nested page tables ---- */

/*
 * Entry: bit 0 present, bit 1 table, bits 5:2 MappingFlags, bits 47:12 address. 4 levels of 512
 * entries for 42 to 48 bits, 3 levels for 31 to 41 bits, with 2 or 4 root frames for 40 and 41.
 */
extern const AxEptFormat fake_ept_format;
#define FAKE_EPT_PRESENT (UINT64_C(1) << 0)
#define FAKE_EPT_TABLE   (UINT64_C(1) << 1)

#define FAKE_FLUSH_MAX 64u

typedef struct FakeFlush {
    AxEptRoot *root;
    GuestPhysAddr gpa;
    uint64_t size;
} FakeFlush;

/*
 * Everything since the last fake_ept_reset. `flush` has the first FAKE_FLUSH_MAX in order. As on CPUs
 * that do not hear of each other's flushes, a flush counts AxEptRoot.flushes up and calls `recall`.
 */
typedef struct FakeEptLog {
    _Atomic uint64_t synced_bytes;
    _Atomic uint32_t publish_count;
    _Atomic uint32_t flush_count;
    FakeFlush flush[FAKE_FLUSH_MAX];
    uint8_t max_gpa_bits; /* more is AX_ENOTSUP; 48 after a reset */
} FakeEptLog;

FakeEptLog *fake_ept_log(void);
void fake_ept_reset(void);
