// SPDX-License-Identifier: Apache-2.0
/*
 * Why a vCPU left the guest. One kind per cause: there is no "don't know" bucket.
 *
 * Kinds marked [complete] wait for an answer: the guest's program counter still stands on (or the
 * register still misses the result of) the instruction that caused the exit. The host answers with
 * exactly one axvcpu_complete_*() call named beside the kind; axvcpu_run() refuses with AX_EPENDING
 * before that. Any of them may instead be refused with axvcpu_complete_fault(), which gives the
 * guest the fault that the architecture defines for an access that nobody answers.
 */
#pragma once

#include <axvcpu/fence.h>
#include <axvcpu/types.h>

/* X(symbol, name for people) */
#define AX_EXIT_LIST(X)                                                          \
    /* The backend did its part; run again. Handed out after a kick. */          \
    X(AX_EXIT_NOTHING, "nothing")                                                \
    /* [complete_call] */                                                        \
    X(AX_EXIT_HYPERCALL, "hypercall")                                            \
    /* [complete_read] */                                                        \
    X(AX_EXIT_MMIO_READ, "mmio-read")                                            \
    /* [complete_write] */                                                       \
    X(AX_EXIT_MMIO_WRITE, "mmio-write")                                          \
    /* [complete_read] */                                                        \
    X(AX_EXIT_SYSREG_READ, "sysreg-read")                                        \
    /* [complete_write] */                                                       \
    X(AX_EXIT_SYSREG_WRITE, "sysreg-write")                                      \
    /* [complete_read] */                                                        \
    X(AX_EXIT_IO_READ, "io-read")                                                \
    /* [complete_write] */                                                       \
    X(AX_EXIT_IO_WRITE, "io-write")                                              \
    /* A host interrupt arrived; the host services `vector`, then runs again. */ \
    X(AX_EXIT_EXTERNAL_INTERRUPT, "external-interrupt")                          \
    /* [complete_retry once mapped] RAM that is not mapped, or lacks a right. */ \
    X(AX_EXIT_NESTED_PAGE_FAULT, "nested-page-fault")                            \
    /* It waits with interrupts off (x86 HLT): only an NMI or an INIT of a */    \
    /* sibling ends that. Until then each run leaves with this again. */         \
    X(AX_EXIT_HALT, "halt")                                                      \
    /* The guest waits for an event (WFI, HLT): block it or just run again. */   \
    X(AX_EXIT_IDLE, "idle")                                                      \
    /* [complete_call] Start another vCPU. */                                    \
    X(AX_EXIT_CPU_UP, "cpu-up")                                                  \
    /* This vCPU switched itself off. */                                         \
    X(AX_EXIT_CPU_DOWN, "cpu-down")                                              \
    /* [complete_call] Power state of another vCPU is asked for. */              \
    X(AX_EXIT_CPU_STATUS, "cpu-status")                                          \
    X(AX_EXIT_SYSTEM_DOWN, "system-down")                                        \
    X(AX_EXIT_SYSTEM_RESET, "system-reset")                                      \
    /* The guest cannot go on (x86 triple fault). */                             \
    X(AX_EXIT_TRIPLE_FAULT, "triple-fault")                                      \
    /* [complete_call] Send an interrupt to sibling vCPUs. */                    \
    X(AX_EXIT_SEND_IPI, "send-ipi")                                              \
    /* [complete_call] Sibling vCPUs must forget what they cached. */            \
    X(AX_EXIT_REMOTE_FENCE, "remote-fence")                                      \
    /* [complete_call] Text to and from the firmware's console. */               \
    X(AX_EXIT_CONSOLE_WRITE, "console-write")                                    \
    X(AX_EXIT_CONSOLE_READ, "console-read")                                      \
    /* The guest ended the handling of `vector`, asked for by the host. */       \
    X(AX_EXIT_INTERRUPT_END, "interrupt-end")                                    \
    /* [complete_read] The guest takes the interrupt that an interrupt */        \
    /* controller outside of the CPU holds for it: which one? */                 \
    X(AX_EXIT_INTERRUPT_ACKNOWLEDGE, "interrupt-acknowledge")                    \
    /* The guest can take an interrupt now, asked for by the host. */            \
    X(AX_EXIT_INTERRUPT_WINDOW, "interrupt-window")                              \
    /* Guest exception or debug event that the host asked to see. */             \
    X(AX_EXIT_EXCEPTION, "exception")                                            \
    X(AX_EXIT_DEBUG, "debug")                                                    \
    /* The hardware refused to enter the guest. */                               \
    X(AX_EXIT_FAIL_ENTRY, "fail-entry")                                          \
    /* A cause this backend has no treatment for, with the raw values. */        \
    X(AX_EXIT_UNHANDLED, "unhandled")

typedef enum AxVCpuExitReason {
#define AX_EXIT_ENUM(symbol, name) symbol,
    AX_EXIT_LIST(AX_EXIT_ENUM)
#undef AX_EXIT_ENUM
        AX_EXIT_COUNT
} AxVCpuExitReason;

/* Name of `reason` as in the demo's summary, e.g. "mmio-read"; "?" for a value that is none. */
const char *axvcpu_exit_name(AxVCpuExitReason reason);

/* Power state of a vCPU as firmware interfaces report it (PSCI AFFINITY_INFO, SBI HSM status). */
typedef enum AxCpuPower {
    AX_CPU_ON,
    AX_CPU_OFF,
    AX_CPU_ON_PENDING,
} AxCpuPower;

/* What AX_EXIT_SEND_IPI brings to its targets. */
typedef enum AxIpiKind {
    AX_IPI_INTERRUPT, /* interrupt `vector`: axvcpu_inject_interrupt, an edge */
    AX_IPI_NMI,       /* axvcpu_inject_nmi */
    /* x86: switched off at once, like AX_EXIT_CPU_DOWN but from outside, until AX_EXIT_CPU_UP. */
    AX_IPI_INIT,
} AxIpiKind;

typedef struct AxVCpuExit {
    AxVCpuExitReason reason;
    union {
        struct {
            uint64_t nr;
            uint64_t args[6];
        } hypercall;
        /*
         * Both directions. `width` is the size of the access in guest-physical space. For a read,
         * the loaded value is sign-extended from `width` to `reg_width` when `sign_extend`, else
         * zero-extended, and `reg_width` bytes of register `reg` are defined (the rest is zeroed).
         * An access that needs more than one transfer (pairs) exits once per transfer.
         */
        struct {
            GuestPhysAddr addr;
            AccessWidth width;
            uint64_t data; /* write only, cut to width */
            uint32_t reg;  /* read only: general register number of the architecture */
            AccessWidth reg_width;
            bool sign_extend;
        } mmio;
        struct {
            SysRegAddr addr;
            uint64_t value; /* write only */
            uint32_t reg;
        } sysreg;
        struct {
            Port port;
            AccessWidth width;
            uint64_t data; /* write only, cut to width */
        } io;
        struct {
            uint64_t vector; /* as AxVCpuHal.irq_fetch returned it */
        } interrupt;         /* EXTERNAL_INTERRUPT, INTERRUPT_END */
        struct {
            GuestPhysAddr addr;
            MappingFlags access;  /* the rights that the access needed */
            bool permission;      /* mapped, but a right is missing */
            bool page_table_walk; /* caused by the guest's own table walk */
        } page_fault;
        struct {
            uint64_t target_cpu; /* MPIDR affinity on Arm, hart id on RISC-V, APIC id on x86 */
            GuestPhysAddr entry;
            uint64_t arg; /* goes to x0 on Arm, a1 on RISC-V */
        } cpu_up;
        struct {
            uint64_t target_cpu;
            uint32_t level; /* lowest affinity level asked for, 0 = one CPU */
        } cpu_status;
        struct {
            uint64_t state; /* argument of the call, for the log */
        } cpu_down;
        struct {
            uint64_t type; /* 0 cold or unspecified; else the number the guest gave */
        } reset;           /* SYSTEM_DOWN, SYSTEM_RESET */
        /*
         * Target set: all vCPUs but the sender when `to_all`, the sender when `to_self`, else the
         * CPUs `target_cpu + i` (affinity with Aff0 = i on Arm) for each bit i of `target_list`.
         * Targets that are off get AX_IPI_INTERRUPT and AX_IPI_NMI no more than the hardware's do.
         */
        struct {
            uint64_t target_cpu;
            uint64_t target_list;
            AxIpiKind kind;
            uint32_t vector; /* AX_IPI_INTERRUPT */
            bool to_all;
            bool to_self;
        } ipi;
        /*
         * Target set: every vCPU, the sender included, when `to_all`, else as for `ipi`. Completed
         * when each of them has been waited for: axvcpu_fence(), then axvcpu_fence_wait(). AX_EINVAL
         * when a target does not exist.
         */
        struct {
            uint64_t target_cpu;
            uint64_t target_list;
            bool to_all;
            AxFence fence;
        } remote_fence;
        /*
         * `size` bytes of guest memory at `addr`, or one byte that the call itself carries when
         * `in_register`. The host may do less than all. `value` of the completion is the number of
         * bytes written or read; of a read `in_register` it is the byte, with AX_EAGAIN instead when
         * nothing was typed. AX_EFAULT when there is no RAM at `addr`.
         */
        struct {
            GuestPhysAddr addr;
            uint64_t size;
            bool in_register;
            uint8_t byte; /* CONSOLE_WRITE in_register */
        } console;
        struct {
            uint64_t vector; /* number or class of the architecture */
            uint64_t syndrome;
            GuestVirtAddr addr;
            GuestVirtAddr pc;
        } exception; /* EXCEPTION, DEBUG */
        struct {
            uint64_t hardware_reason;
        } fail_entry;
        struct {
            uint64_t cause; /* ESR_EL2, scause, VM-exit reason, EXITCODE */
            uint64_t info;  /* FAR_EL2, stval, exit qualification, EXITINFO1 */
            GuestPhysAddr addr;
            GuestVirtAddr pc;
        } unhandled;
    };
} AxVCpuExit;
