// SPDX-License-Identifier: Apache-2.0
#include "gic.h"

#include "cpu.h"
#include "log.h"
#include "platform.h"

// Assemblers do not know all of these by name: op0_op1_CRn_CRm_op2 (IHI 0069, 12.2).
#define ICC_IAR1_EL1    s3_0_c12_c12_0
#define ICC_EOIR1_EL1   s3_0_c12_c12_1
#define ICC_CTLR_EL1    s3_0_c12_c12_4
#define ICC_IGRPEN1_EL1 s3_0_c12_c12_7
#define ICC_DIR_EL1     s3_0_c12_c11_1
#define ICC_SGI1R_EL1   s3_0_c12_c11_5
#define ICC_BPR1_EL1    s3_0_c12_c12_3
#define ICC_PMR_EL1     s3_0_c4_c6_0
#define ICC_SRE_EL2     s3_4_c12_c9_5

// One more level, so that the names above are replaced before they become text.
#define GIC_READ(reg)         CPU_READ(reg)
#define GIC_WRITE(reg, value) CPU_WRITE(reg, value)

#define ICC_CTLR_EOIMODE  (UINT64_C(1) << 1)
#define ICC_SRE_ALL       UINT64_C(0xf) // Enable, DIB, DFB, SRE
#define ICC_PMR_ANY       UINT64_C(0xff)
#define INTID_MASK        UINT64_C(0xffffff)
#define INTID_SPECIAL     1020u
#define INTID_SPI         32u
#define SGI1R_INTID_SHIFT 24

// Distributor, and the SGI frame of a redistributor, which has the same registers at 0x10000.
#define GICD_CTLR       0x0000u
#define GICD_TYPER      0x0004u
#define GIC_IGROUPR     0x0080u
#define GIC_ISENABLER   0x0100u
#define GIC_ICENABLER   0x0180u
#define GIC_ISACTIVER   0x0300u
#define GIC_ICACTIVER   0x0380u
#define GIC_IPRIORITYR  0x0400u
#define GICD_IROUTER    0x6000u
#define GICR_TYPER      0x0008u
#define GICR_WAKER      0x0014u
#define GICR_SGI_FRAME  0x10000u
#define GICR_STRIDE     0x20000u
#define GICR_STRIDE_V4  0x40000u
#define GICR_TYPER_VLPI (UINT64_C(1) << 1)

#define GICD_CTLR_RWP     (UINT32_C(1) << 31)
#define GICD_CTLR_ARE_NS  (UINT32_C(1) << 4)
#define GICD_CTLR_ENABLE  (UINT32_C(1) << 1) // Group 1
#define GICR_WAKER_SLEEP  (UINT32_C(1) << 1)
#define GICR_WAKER_ASLEEP (UINT32_C(1) << 2)
#define GIC_PRIORITY      0xa0u
#define MPIDR_AFF3        UINT64_C(0xff00000000)
#define MPIDR_AFF012      UINT64_C(0xffffff)

static uint64_t distributor;
static uint64_t redistributors[HOST_CPUS_MAX];
static uint64_t affinities[HOST_CPUS_MAX];

static void wait_distributor(void)
{
    while ((mmio_read32(distributor + GICD_CTLR) & GICD_CTLR_RWP) != 0) {
    }
}

// Register block that holds the bits of `intid`: SGIs and PPIs are in the redistributor.
static uint64_t frame_of(AxPCpuId pcpu, uint64_t intid)
{
    return intid < INTID_SPI ? redistributors[pcpu] + GICR_SGI_FRAME : distributor;
}

static void set_bit(AxPCpuId pcpu, uint32_t reg, uint64_t intid)
{
    mmio_write32(frame_of(pcpu, intid) + reg + intid / 32 * 4, UINT32_C(1) << intid % 32);
}

void gic_init(const Aarch64Board *board)
{
    distributor = board->gicd.base;

    const uint32_t banks = (mmio_read32(distributor + GICD_TYPER) & 0x1f) + 1;

    mmio_write32(distributor + GICD_CTLR, 0);
    wait_distributor();
    for (uint64_t bank = 1; bank < banks; bank++) {
        mmio_write32(distributor + GIC_ICENABLER + 4 * bank, UINT32_MAX);
        mmio_write32(distributor + GIC_IGROUPR + 4 * bank, UINT32_MAX);
    }
    wait_distributor();
    mmio_write32(distributor + GICD_CTLR, GICD_CTLR_ARE_NS | GICD_CTLR_ENABLE);
    wait_distributor();
}

// GICR_TYPER has the affinity in its upper half, packed: Aff3.Aff2.Aff1.Aff0.
static bool is_redistributor_of(uint64_t frame, uint64_t affinity)
{
    const uint64_t packed = (affinity & MPIDR_AFF3) >> 8 | (affinity & MPIDR_AFF012);

    return mmio_read64(frame + GICR_TYPER) >> 32 == packed;
}

static uint64_t find_redistributor(const Aarch64Board *board, uint64_t affinity)
{
    for (uint32_t i = 0; i < board->gicr.count; i++) {
        const Range region = board->gicr.items[i];
        uint64_t stride;

        for (uint64_t at = 0; at + GICR_STRIDE <= region.size; at += stride) {
            const uint64_t frame = region.base + at;

            if (is_redistributor_of(frame, affinity)) {
                return frame;
            }
            stride = (mmio_read64(frame + GICR_TYPER) & GICR_TYPER_VLPI) != 0 ? GICR_STRIDE_V4
                                                                              : GICR_STRIDE;
        }
    }
    return 0;
}

static void wake_redistributor(uint64_t frame)
{
    const uint32_t waker = mmio_read32(frame + GICR_WAKER);

    mmio_write32(frame + GICR_WAKER, waker & ~GICR_WAKER_SLEEP);
    while ((mmio_read32(frame + GICR_WAKER) & GICR_WAKER_ASLEEP) != 0) {
    }
    mmio_write32(frame + GICR_SGI_FRAME + GIC_ICENABLER, UINT32_MAX);
    mmio_write32(frame + GICR_SGI_FRAME + GIC_IGROUPR, UINT32_MAX);
}

static void start_cpu_interface(void)
{
    GIC_WRITE(ICC_SRE_EL2, ICC_SRE_ALL);
    cpu_isb();
    GIC_WRITE(ICC_PMR_EL1, ICC_PMR_ANY);
    GIC_WRITE(ICC_BPR1_EL1, 0);
    GIC_WRITE(ICC_CTLR_EL1, ICC_CTLR_EOIMODE);
    GIC_WRITE(ICC_IGRPEN1_EL1, 1);
    cpu_isb();
}

void gic_init_pcpu(const Aarch64Board *board, AxPCpuId pcpu, uint64_t affinity)
{
    affinities[pcpu] = affinity;
    redistributors[pcpu] = find_redistributor(board, affinity);
    if (redistributors[pcpu] == 0) {
        demo_fail("the GICv3 has no redistributor for CPU 0x%lx", affinity);
    }
    wake_redistributor(redistributors[pcpu]);
    start_cpu_interface();
    gic_enable(pcpu, GIC_KICK_SGI);
}

void gic_enable(AxPCpuId pcpu, uint32_t intid)
{
    const uint64_t frame = frame_of(pcpu, intid);
    const uint64_t word = frame + GIC_IPRIORITYR + (intid & ~UINT32_C(3));
    const uint32_t shift = intid % 4 * 8;

    mmio_write32(word, (mmio_read32(word) & ~(UINT32_C(0xff) << shift)) | GIC_PRIORITY << shift);
    if (intid >= INTID_SPI) {
        mmio_write64(distributor + GICD_IROUTER + UINT64_C(8) * intid, affinities[pcpu]);
    }
    set_bit(pcpu, GIC_ISENABLER, intid);
}

void gic_deactivate(uint64_t intid)
{
    GIC_WRITE(ICC_DIR_EL1, intid);
    cpu_isb();
}

uint64_t irq_fetch(void)
{
    const uint64_t intid = GIC_READ(ICC_IAR1_EL1) & INTID_MASK;

    if (intid >= INTID_SPECIAL) {
        return UINT64_MAX;
    }
    GIC_WRITE(ICC_EOIR1_EL1, intid);
    cpu_isb();
    return intid;
}

void irq_set_active(uint64_t vector, bool active)
{
    if (vector < INTID_SPECIAL) {
        set_bit(this_pcpu(), active ? GIC_ISACTIVER : GIC_ICACTIVER, vector);
        cpu_dsb();
    }
}

void irq_kick(AxPCpuId pcpu)
{
    const uint64_t affinity = affinities[pcpu];
    const uint64_t aff0 = affinity & 0xff;
    const uint64_t target = (affinity & MPIDR_AFF3) << 16 | (affinity & 0xff0000) << 16 |
                            (affinity & 0xff00) << 8 | (aff0 / 16) << 44 | UINT64_C(1) << aff0 % 16;

    cpu_dsb();
    GIC_WRITE(ICC_SGI1R_EL1, target | (uint64_t)GIC_KICK_SGI << SGI1R_INTID_SHIFT);
    cpu_isb();
}

void irq_wait(void)
{
    cpu_wait();
}
