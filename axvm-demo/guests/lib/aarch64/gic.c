// SPDX-License-Identifier: Apache-2.0
// GICv3 driver of the guest programs (IHI 0069), group 1 only.
#include "arch.h"

#define GICD_CTLR        0x0000u
#define GICD_IGROUPR     0x0080u
#define GICD_ISENABLER   0x0100u
#define GICD_ICENABLER   0x0180u
#define GICD_ISPENDR     0x0200u
#define GICD_ICPENDR     0x0280u
#define GICD_ISACTIVER   0x0300u
#define GICD_IPRIORITYR  0x0400u
#define GICD_IROUTER     0x6000u
#define GICD_CTLR_ENABLE 0x12u // ARE_NS, EnableGrp1
#define GICR_WAKER       0x0014u
#define GICR_SGI_BASE    0x10000u

#define SPI_BASE 32u

static uint64_t redistributor(void)
{
    return GUEST_GICR_BASE + guest_cpu() * GUEST_GICR_STRIDE;
}

// Frame that has the registers of `intid`: the private ones live in the redistributor.
static uint64_t frame_of(uint32_t intid)
{
    return intid < SPI_BASE ? redistributor() + GICR_SGI_BASE : GUEST_GICD_BASE;
}

static void write_bit(uint32_t reg, uint32_t intid)
{
    mmio_write32(frame_of(intid) + reg + 4 * (intid / 32), UINT32_C(1) << (intid % 32));
}

static bool read_bit(uint32_t reg, uint32_t intid)
{
    return (mmio_read32(frame_of(intid) + reg + 4 * (intid / 32)) >> (intid % 32)) & 1;
}

void guest_gic_init(void)
{
    mmio_write32(GUEST_GICD_BASE + GICD_CTLR, GICD_CTLR_ENABLE);
    mmio_write32(GUEST_GICD_BASE + GICD_IGROUPR + 4, UINT32_MAX);
    mmio_write32(GUEST_GICD_BASE + GICD_IGROUPR + 8, UINT32_MAX);
}

void guest_gic_init_cpu(void)
{
    mmio_write32(redistributor() + GICR_WAKER, 0);
    mmio_write32(redistributor() + GICR_SGI_BASE + GICD_IGROUPR, UINT32_MAX);
    WRITE_SYSREG(S3_0_C12_C12_5, 7);  // ICC_SRE_EL1
    WRITE_SYSREG(S3_0_C4_C6_0, 0xff); // ICC_PMR_EL1
    WRITE_SYSREG(S3_0_C12_C12_7, 1);  // ICC_IGRPEN1_EL1
}

void guest_irq_config(uint32_t intid, uint8_t priority, bool enable)
{
    mmio_write8(frame_of(intid) + GICD_IPRIORITYR + intid, priority);
    if (intid >= SPI_BASE) {
        mmio_write64(GUEST_GICD_BASE + GICD_IROUTER + 8 * (uint64_t)intid, guest_cpu());
    }
    write_bit(enable ? GICD_ISENABLER : GICD_ICENABLER, intid);
}

void guest_irq_set_pending(uint32_t intid, bool pending)
{
    write_bit(pending ? GICD_ISPENDR : GICD_ICPENDR, intid);
}

bool guest_irq_is_pending(uint32_t intid)
{
    return read_bit(GICD_ISPENDR, intid);
}

bool guest_irq_is_active(uint32_t intid)
{
    return read_bit(GICD_ISACTIVER, intid);
}

void guest_sgi(uint32_t intid, unsigned cpu)
{
    WRITE_SYSREG(S3_0_C12_C11_5, ((uint64_t)intid << 24) | (UINT64_C(1) << cpu)); // ICC_SGI1R_EL1
}
