// SPDX-License-Identifier: Apache-2.0
#include "plic.h"

#include "cpu.h"
#include "platform.h"
#include "sbi.h"

#define PLIC_PRIORITY  UINT64_C(0x000000) // + 4 * source
#define PLIC_ENABLE    UINT64_C(0x002000) // + stride * context + 4 * (source / 32)
#define PLIC_THRESHOLD UINT64_C(0x200000) // + stride * context
#define PLIC_CLAIM     UINT64_C(0x200004)

#define PLIC_ENABLE_STRIDE  UINT64_C(0x80)
#define PLIC_CONTEXT_STRIDE UINT64_C(0x1000)

static uint64_t plic;
static uint32_t contexts[HOST_CPUS_MAX];
static uint64_t harts[HOST_CPUS_MAX];

static uint64_t enable_word(uint32_t context, uint32_t source)
{
    return plic + PLIC_ENABLE + PLIC_ENABLE_STRIDE * context + source / 32 * UINT64_C(4);
}

static uint64_t context_register(AxPCpuId pcpu, uint64_t reg)
{
    return plic + reg + PLIC_CONTEXT_STRIDE * contexts[pcpu];
}

void plic_init_pcpu(const Riscv64Board *board, AxPCpuId pcpu, uint64_t hart)
{
    plic = board->plic.base;
    contexts[pcpu] = board->contexts[pcpu];
    harts[pcpu] = hart;
    CPU_WRITE(sie, IRQ_BIT(IRQ_SOFTWARE) | IRQ_BIT(IRQ_TIMER));
    if (contexts[pcpu] == PLIC_NO_CONTEXT) {
        return;
    }
    for (uint32_t source = 0; source <= board->plic_sources; source += 32) {
        mmio_write32(enable_word(contexts[pcpu], source), 0);
    }
}

// The priority comes last: QEMU's model looks at what is pending when that changes, not when a source is
// enabled, and a UART with a byte from before sends no further request.
void plic_enable(AxPCpuId pcpu, uint32_t source)
{
    const uint64_t word = enable_word(contexts[pcpu], source);

    mmio_write32(word, mmio_read32(word) | UINT32_C(1) << source % 32);
    mmio_write32(context_register(pcpu, PLIC_THRESHOLD), 0);
    mmio_write32(plic + PLIC_PRIORITY + UINT64_C(4) * source, 1);
    CPU_SET(sie, IRQ_BIT(IRQ_EXTERNAL));
}

void plic_complete(uint64_t vector)
{
    mmio_write32(context_register(this_pcpu(), PLIC_CLAIM), (uint32_t)(vector - PLIC_VECTOR(0)));
}

uint64_t irq_fetch(void)
{
    const uint64_t pending = CPU_READ(sip) & CPU_READ(sie);

    if ((pending & IRQ_BIT(IRQ_EXTERNAL)) != 0) {
        const uint32_t source = mmio_read32(context_register(this_pcpu(), PLIC_CLAIM));

        if (source != 0) {
            return PLIC_VECTOR(source);
        }
    }
    if ((pending & IRQ_BIT(IRQ_SOFTWARE)) != 0) {
        return IRQ_SOFTWARE;
    }
    return (pending & IRQ_BIT(IRQ_TIMER)) != 0 ? IRQ_TIMER : UINT64_MAX;
}

// Nothing of an interrupt is left here between its claim and its completion.
void irq_set_active(uint64_t vector, bool active)
{
    (void)vector;
    (void)active;
}

// The firmware refuses harts only that there are none of.
void irq_kick(AxPCpuId pcpu)
{
    cpu_fence();
    (void)sbi_call(SBI_EXT_IPI, SBI_IPI_SEND, 1, harts[pcpu], 0);
}

void irq_wait(void)
{
    cpu_wait();
}
