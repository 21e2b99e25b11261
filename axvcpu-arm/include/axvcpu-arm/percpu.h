// SPDX-License-Identifier: Apache-2.0
/* EL2 state of one physical CPU. A complete type to embed; the fields are private. */
#pragma once

#include <axvcpu/arch.h>
#include <axvcpu/tag.h>

/* What the CPU can do, read from its ID registers once at enable. */
typedef struct Aarch64Features {
    uint8_t pa_bits;   /* ID_AA64MMFR0_EL1.PARange in bits, at most 48 without LPA2 */
    uint8_t vmid_bits; /* 8 or 16 */
    uint8_t lr_count;  /* list registers, 1..16 */
    uint8_t apr_count; /* words of ICH_AP0R/AP1R: 1, 2 or 4 */
    bool has_fgt;
    bool has_hcx;
} Aarch64Features;

/* Registers that enable changes, as they were before. */
typedef struct Aarch64Host {
    uint64_t hcr;
    uint64_t vtcr;
    uint64_t vttbr;
    uint64_t cptr;
    uint64_t cnthctl;
    uint64_t cntvoff;
    uint64_t mdcr;
    uint64_t mdscr;
    uint64_t oslsr;
    uint64_t hstr;
    uint64_t vpidr;
    uint64_t vmpidr;
    uint64_t vbar;
    uint64_t icc_sre;
    uint64_t ich_hcr;
    uint64_t hcrx;   /* has_hcx */
    uint64_t hfgrtr; /* has_fgt, and the four below */
    uint64_t hfgwtr;
    uint64_t hfgitr;
    uint64_t hdfgrtr;
    uint64_t hdfgwtr;
} Aarch64Host;

typedef struct Aarch64PerCpu {
    const AxVCpuHal *hal;
    AxPCpuId id;
    bool enabled;
    Aarch64Features features;
    Aarch64Host host;
    AxTagResidents residents;
} Aarch64PerCpu;

extern const AxArchPerCpuOps aarch64_percpu_ops;

/*
 * Whether this CPU can host guests: runs at EL2 with E2H = 0, implements AArch64 at EL1, a GICv3
 * system-register interface and a 4 KiB stage-2 granule. AX_OK, AX_EPRIVILEGE (not at EL2),
 * AX_ENOHW (no EL2) or AX_ENOTSUP; *reason, when not NULL, gets a sentence that says which.
 */
AX_MUST_CHECK AxError aarch64_hardware_check(const char **reason);

/* INTIDs of the PPIs that the backend itself serves (QEMU virt, and the SBSA recommendation). */
#define AARCH64_PPI_MAINTENANCE UINT32_C(25)
#define AARCH64_PPI_VTIMER      UINT32_C(27)
#define AARCH64_PPI_PTIMER      UINT32_C(30)
