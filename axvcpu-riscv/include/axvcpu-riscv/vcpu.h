// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual CPU on RISC-V's hypervisor extension (Privileged Architecture 1.12, chapter 8; SBI 2.0).
 * Complete types to embed; the fields are private to the backend. The host runs at HS level with
 * sstatus.SUM any, an stvec of its own, and its C code uses no FP or vector register.
 *
 * AX_EXIT_HYPERCALL is an SBI call in the experimental space, a7 = 0x08000000 to 0x08ffffff: nr is
 * a7, args are a0 to a5. The answer is a0 = 0 and a1 = value, or an SBI error in a0 and a1 = 0. All
 * other calls are SBI's own; those that are not there return SBI_ERR_NOT_SUPPORTED.
 */
#pragma once

#include <axvcpu-riscv/percpu.h>
#include <axvcpu-riscv/sysregs.h>
#include <axvcpu/arch.h>

/*
 * What the guest sees in a0 and a1 at its first instruction, and how fast `time` counts.
 * hart_id: its own number, also a0. dtb_addr: put into a1 at entry, 0 for none.
 * timebase_hz: ticks of the time CSR per second, as the machine's description says; AX_EINVAL for 0.
 */
typedef struct RISCVVCpuCreateConfig {
    uint64_t hart_id;
    GuestPhysAddr dtb_addr;
    uint64_t timebase_hz;
} RISCVVCpuCreateConfig;

/*
 * trap_wait: WFI leaves the guest as AX_EXIT_IDLE. Needed as soon as the pCPU has something else to
 * run; without it the pCPU waits in the guest, which costs no exit.
 * passthrough_interrupt, passthrough_timer: as in the originals. Not offered: AX_ENOTSUP when set.
 */
typedef struct RISCVVCpuSetupConfig {
    bool trap_wait;
    bool passthrough_interrupt;
    bool passthrough_timer;
} RISCVVCpuSetupConfig;

/* General state of the guest at an exit, and what of the host waits meanwhile: see world_switch.S. */
typedef struct RISCVGuestRegs {
    uint64_t x[32];   /* x[0] stays 0 */
    uint64_t pc;      /* sepc */
    uint64_t host_ra; /* 0 while the guest does not run */
    uint64_t host_sp;
    uint64_t host_gp;
    uint64_t host_tp;
    uint64_t host_s0;
    uint64_t host_stvec;
    uint64_t host_sscratch;
    uint64_t saved_t0; /* within the vector: whose trap it is, is not known yet */
} RISCVGuestRegs;

/* The cause of the last exit, read once in C after the switch. */
typedef struct RISCVTrap {
    uint64_t cause; /* scause */
    uint64_t tval;  /* stval */
    uint64_t htval; /* with guest page faults only: guest-physical address >> 2 */
    uint64_t htinst;
} RISCVTrap;

typedef struct RISCVFp {
    uint64_t f[32];
    uint64_t fcsr;
} RISCVFp;

/* Interrupts of a guest: bits of hvip. */
typedef struct RISCVInterrupts {
    uint64_t hvip;   /* as last written or read; during a run the guest may have changed VSSIP */
    bool look_again; /* before the next entry, whatever the events say */
    /* Read by irq_state on other pCPUs, as of the last exit from run. */
    _Atomic uint64_t pending;
} RISCVInterrupts;

/*
 * Interrupt numbers of a vCPU, the causes that the guest sees; it never sees another one. An edge of
 * TIMER or EXTERNAL stays until AX_IRQ_CLEAR_PENDING, because a guest cannot clear it; nothing is
 * ever active. The enable bit of TIMER has no power over a timer in hardware (Sstc).
 */
#define RISCV_IRQ_SOFTWARE 1u /* edge: the guest clears sip.SSIP itself */
#define RISCV_IRQ_TIMER    5u /* the backend's own */
#define RISCV_IRQ_EXTERNAL 9u /* level */

/*
 * The timer of a guest. With Sstc it is vstimecmp, in hardware from bind to unbind; a set_timer call
 * writes it, too. Without, `deadline` is compared in software and AxVCpuHal.set_deadline is used.
 */
typedef struct RISCVVTimer {
    uint64_t htimedelta; /* guest time - host time, the same for all vCPUs of a VM */
    uint64_t deadline;   /* guest time; UINT64_MAX: off. Not up to date while bound with Sstc */
    uint64_t announced;  /* guest time that set_deadline was last called for; UINT64_MAX: none */
    bool fired;          /* without Sstc: the deadline was reached, as of the last entry */
} RISCVVTimer;

typedef struct RISCVVCpu {
    RISCVGuestRegs regs; /* first: offsets are shared with world_switch.S */
    AxArchVCpuEnv env;
    RISCVPerCpu *percpu; /* NULL when not bound */
    /* Where it was bound before, NULL at first: the guest's own fences were not heard elsewhere. */
    const RISCVPerCpu *last_percpu;
    AxEptRoot *ept;
    uint64_t vmid; /* while bound */
    RISCVVCpuCreateConfig create;
    RISCVTrap trap;
    uint64_t sys[RISCV_SYSREG_COUNT]; /* valid while not bound */
    bool live; /* within run: hstatus and sstatus are in hardware, not in the next two */
    uint64_t hstatus;
    uint64_t sstatus;
    uint32_t instruction;     /* of the MMIO or CSR access that is being completed ... */
    uint8_t instruction_size; /* ... and its size in memory, 2 or 4 */
    uint8_t csr_step;         /* of a CSR that is read and then written */
    uint64_t csr_value;       /* what was read */
    RISCVFp fp;
    RISCVInterrupts interrupts;
    RISCVVTimer timer;
} RISCVVCpu;

extern const AxArchVCpuOps riscv_vcpu_ops;
extern const AxEptFormat riscv_ept_format;

/* Register ids beyond the general ones, see AX_REG_ARCH. */
#define RISCV_REG_MODE        (AX_REG_ARCH + 0u)                        /* 0: VU, 1: VS */
#define RISCV_REG_SYS(sysreg) (AX_REG_ARCH + 0x10u + (AxRegId)(sysreg)) /* RISCVSysReg */
#define RISCV_REG_HVIP        (AX_REG_ARCH + 0x40u) /* the three bits of a guest's interrupts */
#define RISCV_REG_TIMECMP     (AX_REG_ARCH + 0x41u) /* guest time at which its timer fires */
#define RISCV_REG_HTIMEDELTA  (AX_REG_ARCH + 0x42u)
#define RISCV_REG_FCSR        (AX_REG_ARCH + 0x5fu)
#define RISCV_REG_F(n)        (AX_REG_ARCH + 0x60u + (AxRegId)(n))
