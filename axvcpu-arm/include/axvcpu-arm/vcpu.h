// SPDX-License-Identifier: Apache-2.0
/*
 * A virtual CPU on Arm's EL2 (Arm ARM, D8 and G8; GICv3: IHI 0069). Complete types to embed; the
 * fields are private to the backend. The host runs at EL2 with HCR_EL2.E2H = 0, on CPUs with and
 * without VHE; its kernel stack pointer is SP_EL2 (SPSel = 1).
 */
#pragma once

#include <axvcpu-arm/percpu.h>
#include <axvcpu-arm/sysregs.h>
#include <axvcpu/arch.h>

/* Most list registers an implementation can have (ICH_VTR_EL2.ListRegs + 1). */
#define AARCH64_LR_MAX 16u
/* Bits of ICH_AP0R<n>/AP1R<n>_EL2: 4 words each at 7 preemption bits. */
#define AARCH64_APR_MAX 4u

/*
 * What the guest sees in x0.. at its first instruction and in MPIDR_EL1.
 * mpidr_el1: affinity fields only (Aff3 39:32, Aff2..Aff0 23:0); AX_EINVAL for other bits.
 * dtb_addr: put into x0 at entry, 0 for none.
 */
typedef struct Aarch64VCpuCreateConfig {
    uint64_t mpidr_el1;
    GuestPhysAddr dtb_addr;
} Aarch64VCpuCreateConfig;

/*
 * trap_wait: WFI leaves the guest as AX_EXIT_IDLE. Needed as soon as the pCPU has something
 * else to run; without it the pCPU waits in the guest, which costs no exit.
 * passthrough_interrupt, passthrough_timer: as in the originals, the guest owns the physical
 * interrupt controller or the physical timer. Not offered: AX_ENOTSUP when set.
 */
typedef struct Aarch64VCpuSetupConfig {
    bool trap_wait;
    bool passthrough_interrupt;
    bool passthrough_timer;
} Aarch64VCpuSetupConfig;

/* General state of the guest at an exit: what world_switch.S moves, in its order. */
typedef struct Aarch64GuestRegs {
    uint64_t x[31];
    uint64_t pc;     /* ELR_EL2 */
    uint64_t pstate; /* SPSR_EL2 */
} Aarch64GuestRegs;

/* Syndrome of the last synchronous exit, read once in C after the switch. */
typedef struct Aarch64Syndrome {
    uint64_t esr;
    uint64_t far;
    uint64_t hpfar;
} Aarch64Syndrome;

/* 32 vector registers of 128 bits; 16-byte aligned for the assembly. */
typedef struct Aarch64Fp {
    _Alignas(16) uint64_t q[32][2];
    uint64_t fpsr;
    uint64_t fpcr;
} Aarch64Fp;

/* CPU interface of the virtual GICv3 (list registers), IHI 0069 12.5. */
typedef struct Aarch64VGic {
    uint64_t lr[AARCH64_LR_MAX]; /* as last written or read; 0 when not used */
    uint32_t used;               /* bit n: lr[n] holds an interrupt */
    uint32_t latched;            /* bit n: lr[n] carries an edge taken from AxEvents */
    uint32_t linked;             /* bit n: physical PPI n is active on behalf of this vCPU */
    uint32_t active_outside;     /* active interrupts that are in no list register */
    bool look_again;             /* something to do at the next entry without an event */
    uint8_t priority_mask;       /* priority bits that the pCPU implements */
    uint32_t hcr;                /* what ICH_HCR_EL2 holds while bound */
    uint64_t vmcr;
    uint32_t ap0r[AARCH64_APR_MAX];
    uint32_t ap1r[AARCH64_APR_MAX];
    uint64_t listed[AX_IRQ_WORDS]; /* INTIDs in lr[] */
    /* Of the active ones: the guest acknowledged it, so its end of interrupt is counted. */
    uint64_t acknowledged[AX_IRQ_WORDS];
    /*
     * Read by irq_state on other pCPUs, as of the last exit: what waits in a list register, and
     * what is active, in a list register or outside.
     */
    AxIrqBitmap pending;
    AxIrqBitmap active;
} Aarch64VGic;

/* One of the two EL1 timers. Arm ARM D11. */
typedef struct Aarch64Timer {
    uint64_t ctl; /* ENABLE and IMASK */
    uint64_t cval;
} Aarch64Timer;

/*
 * The timers of a guest: virtual (CNTV, PPI 27) and physical (CNTP, PPI 30), both in hardware
 * while bound and without traps; the host keeps the EL2 timer (CNTHP). CNTPCT has no offset.
 */
typedef struct Aarch64VTimer {
    uint64_t cntvoff; /* CNTVCT = CNTPCT - cntvoff, the same for all vCPUs of a VM */
    Aarch64Timer virt;
    Aarch64Timer phys;
    bool live; /* within run: the hardware has the values, not virt and phys */
} Aarch64VTimer;

typedef struct Aarch64VCpu {
    Aarch64GuestRegs regs; /* first: offsets are shared with world_switch.S */
    AxArchVCpuEnv env;
    Aarch64PerCpu *percpu; /* NULL when not bound */
    AxEptRoot *ept;
    Aarch64VCpuCreateConfig create;
    Aarch64Syndrome syndrome;
    uint64_t sys[AARCH64_SYSREG_COUNT]; /* valid while not bound */
    uint64_t hcr;                       /* HCR_EL2 while in the guest */
    uint64_t vmpidr;
    uint64_t mdscr; /* MDSCR_EL1 as the guest wrote it; single steps work, other debug does not */
    bool fp_loaded; /* the FP registers of the pCPU hold this guest's values */
    bool serror_pending;
    /* Access without a syndrome (ESR_EL2.ISV = 0) that is being completed: what it is, ... */
    uint32_t instruction;
    uint32_t split_step;  /* ... its second transfer (pairs): 0 none, 1 due, 2 handed out, ... */
    uint64_t split_value; /* ... and what the first one loaded: registers change together. */
    Aarch64Fp fp;
    Aarch64VGic gic;
    Aarch64VTimer timer;
} Aarch64VCpu;

extern const AxArchVCpuOps aarch64_vcpu_ops;
extern const AxEptFormat aarch64_ept_format;

/* Register ids beyond the general ones, see AX_REG_ARCH. */
#define AARCH64_REG_PSTATE      (AX_REG_ARCH + 0u)
#define AARCH64_REG_SYS(sysreg) (AX_REG_ARCH + 0x10u + (AxRegId)(sysreg)) /* Aarch64SysReg */
#define AARCH64_REG_CNTV_CTL    (AX_REG_ARCH + 0x80u)
#define AARCH64_REG_CNTV_CVAL   (AX_REG_ARCH + 0x81u)
#define AARCH64_REG_CNTVOFF     (AX_REG_ARCH + 0x82u)
#define AARCH64_REG_CNTP_CTL    (AX_REG_ARCH + 0x83u)
#define AARCH64_REG_CNTP_CVAL   (AX_REG_ARCH + 0x84u)
#define AARCH64_REG_MDSCR       (AX_REG_ARCH + 0x85u)
#define AARCH64_REG_ICH_VMCR    (AX_REG_ARCH + 0x90u)
#define AARCH64_REG_ICH_AP0R(n) (AX_REG_ARCH + 0x94u + (AxRegId)(n))
#define AARCH64_REG_ICH_AP1R(n) (AX_REG_ARCH + 0x98u + (AxRegId)(n))
#define AARCH64_REG_FPSR        (AX_REG_ARCH + 0x9eu)
#define AARCH64_REG_FPCR        (AX_REG_ARCH + 0x9fu)
#define AARCH64_REG_Q_LOW(n)    (AX_REG_ARCH + 0xa0u + 2u * (AxRegId)(n))
#define AARCH64_REG_Q_HIGH(n)   (AX_REG_ARCH + 0xa1u + 2u * (AxRegId)(n))
#define AARCH64_REG_ICH_LR(n)   (AX_REG_ARCH + 0xe0u + (AxRegId)(n))
