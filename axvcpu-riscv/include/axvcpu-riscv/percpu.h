// SPDX-License-Identifier: Apache-2.0
/* HS-level state of one physical hart. A complete type to embed; the fields are private. */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/tag.h>

/* What the hart can do, probed once at enable. */
typedef struct RISCVFeatures {
    uint8_t gstage_levels; /* most levels of hgatp: 3 (Sv39x4), 4 (Sv48x4), 5 (Sv57x4) */
    uint8_t vmid_bits;     /* VMIDLEN, 0..14; 0: no tagged TLB */
    bool has_sstc;         /* vstimecmp, switched on by firmware */
    bool has_fp;           /* F and D */
    bool has_stateen;      /* hstateen0 (Smstateen) */
} RISCVFeatures;

/* Registers that enable and bind change, as they were before. */
typedef struct RISCVHost {
    uint64_t hstatus;
    uint64_t hedeleg;
    uint64_t hideleg;
    uint64_t hcounteren;
    uint64_t henvcfg;
    uint64_t htimedelta;
    uint64_t hgatp;
    uint64_t hvip;
    uint64_t hie;
    uint64_t scounteren;
    uint64_t senvcfg;
    uint64_t vstimecmp; /* has_sstc */
    uint64_t hstateen0; /* has_stateen */
} RISCVHost;

typedef struct RISCVPerCpu {
    const AxVCpuHal *hal;
    AxPCpuId id;
    bool enabled;
    RISCVFeatures features;
    RISCVHost host;
    AxTagResidents residents;
} RISCVPerCpu;

extern const AxArchPerCpuOps riscv_percpu_ops;

/*
 * Whether this hart can host guests: runs at HS level with the H extension and a G-stage of Sv39x4
 * or more. Found by trying, not by the ISA string. AX_OK or AX_ENOHW; *reason, when not NULL, gets a
 * sentence that says which. Interrupts may be on; stvec is changed and put back.
 */
AX_MUST_CHECK AxError riscv_hardware_check(const char **reason);

/*
 * The value of riscv,isa for guests: the extensions of `host` (the same property of this machine)
 * that need nothing but what this backend gives to guests, and sstc only when this hart lets guests
 * use it. `host` NULL: rv64imac, with fd when this hart has it. AX_EINVAL when `host` is no rv64
 * string, AX_ENOSPC when `room` is too small for the result and its terminating 0.
 */
AX_MUST_CHECK AxError riscv_guest_isa(const char *host, char *buffer, size_t room);
