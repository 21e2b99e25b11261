// SPDX-License-Identifier: Apache-2.0
// PLIC driver of the guest programs; context n is S mode of hart n.
#include "arch.h"

#define PLIC_PRIORITY       0x000000u
#define PLIC_PENDING        0x001000u
#define PLIC_ENABLE         0x002000u
#define PLIC_ENABLE_STRIDE  0x80u
#define PLIC_CONTEXT        0x200000u
#define PLIC_CONTEXT_STRIDE 0x1000u
#define CONTEXT_THRESHOLD   0u
#define CONTEXT_CLAIM       4u

#define SOURCES 32u // that the programs know

static uint64_t context(void)
{
    return GUEST_PLIC_BASE + PLIC_CONTEXT + (uint64_t)guest_cpu() * PLIC_CONTEXT_STRIDE;
}

static uint64_t enable_word(uint32_t source)
{
    return GUEST_PLIC_BASE + PLIC_ENABLE + (uint64_t)guest_cpu() * PLIC_ENABLE_STRIDE +
           4 * (source / 32);
}

void guest_plic_init(void)
{
    for (uint32_t source = 1; source < SOURCES; source++) {
        mmio_write32(GUEST_PLIC_BASE + PLIC_PRIORITY + 4 * source, 0);
    }
}

void guest_plic_init_cpu(void)
{
    mmio_write32(enable_word(0), 0);
    guest_irq_threshold(0);
    WRITE_CSR(sie,
              IRQ_BIT(GUEST_IRQ_SOFTWARE) | IRQ_BIT(GUEST_IRQ_TIMER) | IRQ_BIT(GUEST_IRQ_EXTERNAL));
}

void guest_irq_config(uint32_t source, uint32_t priority, bool enable)
{
    const uint64_t word = enable_word(source);
    const uint32_t bit = UINT32_C(1) << (source % 32);
    const uint32_t old = mmio_read32(word);

    mmio_write32(GUEST_PLIC_BASE + PLIC_PRIORITY + 4 * source, priority);
    mmio_write32(word, enable ? old | bit : old & ~bit);
}

void guest_irq_threshold(uint32_t threshold)
{
    mmio_write32(context() + CONTEXT_THRESHOLD, threshold);
}

uint32_t guest_irq_priority(uint32_t source)
{
    return mmio_read32(GUEST_PLIC_BASE + PLIC_PRIORITY + 4 * source);
}

bool guest_irq_is_pending(uint32_t source)
{
    return (mmio_read32(GUEST_PLIC_BASE + PLIC_PENDING + 4 * (source / 32)) >> (source % 32)) & 1;
}

uint32_t guest_irq_claim(void)
{
    return mmio_read32(context() + CONTEXT_CLAIM);
}

void guest_irq_complete(uint32_t source)
{
    mmio_write32(context() + CONTEXT_CLAIM, source);
}

void guest_ipi(unsigned cpu)
{
    (void)guest_sbi3(SBI_IPI, 0, 1, cpu, 0);
}
