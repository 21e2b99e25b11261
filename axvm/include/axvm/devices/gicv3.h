// SPDX-License-Identifier: Apache-2.0
/*
 * Distributor and redistributors of a GICv3 (IHI 0069, architecture version 3): one security state
 * (GICD_CTLR.DS = 1), affinity routing always on, Group 1 only, no LPIs, no 1-of-N. The CPU
 * interface is the backend's: it sees a vCPU's interrupts as enable, priority, latch and level in
 * AxEvents.
 * The model keeps the configuration and moves these bits along with it.
 *
 * All functions but init, add_cpu and reset may be called on any pCPU at any time.
 */
#pragma once

#include <axvm/config.h>
#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_GICV3_DIST_SIZE   UINT64_C(0x10000)
#define AX_GICV3_REDIST_SIZE UINT64_C(0x20000) /* per CPU: RD_base and SGI_base frame */

/* INTIDs: 0..15 SGIs, 16..31 PPIs, shared ones from 32 on. */
#define AX_GICV3_PPI_FIRST   16u
#define AX_GICV3_SPI_FIRST   32u
#define AX_GICV3_SPI_MAX     960u
#define AX_GICV3_SPI_DEFAULT 64u
#define AX_GICV3_BANKS       (AX_GICV3_SPI_MAX / 32u)

/* Configuration of 32 interrupts: SGIs and PPIs of one CPU, or SPIs. Bit n is interrupt n. */
typedef struct AxGicv3Bank {
    uint32_t group1;
    uint32_t enabled;
    uint32_t edge;     /* triggered by a rising edge, else by a high level */
    uint32_t line;     /* input, as the device drives it */
    uint32_t homeless; /* pending, but its route leads to no CPU */
    uint8_t priority[32];
} AxGicv3Bank;

typedef struct AxGicv3Cpu {
    AxVCpu *vcpu;
    uint64_t affinity; /* Aff3 39:32, Aff2..Aff0 23:0 */
    bool asleep;       /* GICR_WAKER.ProcessorSleep */
    AxGicv3Bank bank;
} AxGicv3Cpu;

typedef struct AxGicv3 {
    AxLock lock;
    uint32_t cpu_count;
    uint32_t bank_count; /* of SPIs */
    bool group1_enabled; /* GICD_CTLR.EnableGrp1 */
    AxGicv3Cpu cpus[AX_VM_CPUS_MAX];
    AxGicv3Bank spis[AX_GICV3_BANKS];
    uint32_t routes[AX_GICV3_SPI_MAX]; /* GICD_IROUTER, Aff2..Aff0 */
    uint8_t targets[AX_GICV3_SPI_MAX]; /* index of that CPU, or AX_GICV3_NOBODY */
} AxGicv3;

#define AX_GICV3_NOBODY UINT8_MAX

/* No CPUs yet. AX_EINVAL when spi_count is no multiple of 32 in 32..AX_GICV3_SPI_MAX. */
AX_MUST_CHECK AxError axvm_gicv3_init(AxGicv3 *gic, uint32_t spi_count);

/*
 * Connects the next CPU, whose redistributor is the next one in the region; `affinity` is its
 * MPIDR_EL1 affinity. All its interrupts are disabled by that. While the VM is built only.
 * AX_ENOSPC, AX_EEXIST (affinity), AX_EINVAL (Aff3 is not supported).
 */
AX_MUST_CHECK AxError axvm_gicv3_add_cpu(AxGicv3 *gic, AxVCpu *vcpu, uint64_t affinity);

/*
 * Power-on values; inputs are low until driven anew. With the VM's vCPUs reset before, who drop
 * what was pending and active.
 */
void axvm_gicv3_reset(AxGicv3 *gic);

/*
 * After axvcpu_reset() of CPU `index` alone, which forgot enables, priorities and levels: gives
 * them back. Edges that were pending there are lost, as on a CPU that is switched off.
 */
void axvm_gicv3_vcpu_reset(AxGicv3 *gic, uint32_t index);

/* The distributor; `device` is the AxGicv3, the range AX_GICV3_DIST_SIZE. */
extern const AxDeviceOps axvm_gicv3_dist_ops;
/* All redistributors; `device` is the AxGicv3, the range AX_GICV3_REDIST_SIZE per CPU. */
extern const AxDeviceOps axvm_gicv3_redist_ops;

/* Drives the input of SPI `intid` of an AxGicv3 (an AxIrqLine.set); other INTIDs are ignored. */
void axvm_gicv3_set_spi(void *controller, uint32_t intid, bool high);
/* Drives a PPI of CPU `index`. Not for the PPIs of the timers, which the backend serves. */
void axvm_gicv3_set_ppi(AxGicv3 *gic, uint32_t index, uint32_t intid, bool high);

static inline AxIrqLine axvm_gicv3_spi_line(AxGicv3 *gic, uint32_t intid)
{
    return (AxIrqLine){.set = axvm_gicv3_set_spi, .controller = gic, .irq = intid};
}

/*
 * Carries out AX_EXIT_SEND_IPI of `sender`: SGI exit->ipi.vector to the CPUs named there. Targets
 * that do not exist, or have the SGI in Group 0, get nothing. AX_EINVAL for an exit of another
 * kind, AX_ERANGE for a vector above 15.
 */
AX_MUST_CHECK AxError axvm_gicv3_send_sgi(AxGicv3 *gic, const AxVCpu *sender,
                                          const AxVCpuExit *exit);
