// SPDX-License-Identifier: Apache-2.0
// A simulated virtual CPU interface (IHI 0069 4.8, 12.5): what a guest does to the list registers
// of arm_sim, and the physical side of linked interrupts. With EOImode 0 and full preemption.
#pragma once

#include "arm.h"
#include "arm_regs.h"

#include <string.h>

#define NO_INTID   1023u
#define STACK_SIZE 64u

typedef struct GicCpu {
    unsigned lr_count;
    uint8_t running[STACK_SIZE]; // priorities of acknowledged interrupts, innermost last
    unsigned depth;
    bool physical_active[32];
} GicCpu;

static GicCpu gic_cpu;

static inline uint64_t *cpu_lr(unsigned n)
{
    return &arm_sim.reg[ARM_REG_ICH_LR0_EL2 + n];
}

static inline uint32_t cpu_lr_intid(unsigned n)
{
    return (uint32_t)ax_get(*cpu_lr(n), ICH_LR_VINTID);
}

static inline unsigned cpu_running(void)
{
    return gic_cpu.depth == 0 ? 0x100 : gic_cpu.running[gic_cpu.depth - 1];
}

// The list register whose interrupt is delivered next, -1 when none can be.
static inline int cpu_next(void)
{
    uint64_t best = cpu_running();
    int found = -1;

    for (unsigned n = 0; n < gic_cpu.lr_count; n++) {
        const uint64_t priority = ax_get(*cpu_lr(n), ICH_LR_PRIORITY);

        if ((*cpu_lr(n) & ICH_LR_STATE) == ICH_LR_PENDING && priority < best) {
            best = priority;
            found = (int)n;
        }
    }
    return found;
}

// ICC_IAR1_EL1
static inline uint32_t cpu_acknowledge(void)
{
    const int n = cpu_next();

    if (n < 0 || gic_cpu.depth == STACK_SIZE) {
        return NO_INTID;
    }
    gic_cpu.running[gic_cpu.depth++] = (uint8_t)ax_get(*cpu_lr((unsigned)n), ICH_LR_PRIORITY);
    *cpu_lr((unsigned)n) ^= ICH_LR_STATE; // pending becomes active
    return cpu_lr_intid((unsigned)n);
}

static inline void cpu_deactivate(uint32_t intid)
{
    for (unsigned n = 0; n < gic_cpu.lr_count; n++) {
        if ((*cpu_lr(n) & ICH_LR_ACTIVE) != 0 && cpu_lr_intid(n) == intid) {
            *cpu_lr(n) &= ~ICH_LR_ACTIVE;
            if ((*cpu_lr(n) & ICH_LR_HW) != 0) {
                gic_cpu.physical_active[ax_get(*cpu_lr(n), ICH_LR_PINTID)] = false;
            }
            return;
        }
    }
    arm_sim.reg[ARM_REG_ICH_HCR_EL2] += ICH_HCR_EOICOUNT & -ICH_HCR_EOICOUNT;
}

// ICC_EOIR1_EL1
static inline void cpu_end(uint32_t intid)
{
    gic_cpu.depth--;
    cpu_deactivate(intid);
}

// Whether the maintenance interrupt is asserted (ICH_MISR_EL2).
static inline bool cpu_maintenance(void)
{
    const uint64_t hcr = arm_sim.reg[ARM_REG_ICH_HCR_EL2];
    bool pending = false;
    bool ended = false;

    for (unsigned n = 0; n < gic_cpu.lr_count; n++) {
        const uint64_t lr = *cpu_lr(n);

        pending = pending || (lr & ICH_LR_STATE) == ICH_LR_PENDING;
        ended = ended || ((lr & (ICH_LR_STATE | ICH_LR_HW)) == 0 && (lr & ICH_LR_EOI) != 0);
    }
    return (hcr & ICH_HCR_EN) != 0 &&
           (ended || ((hcr & ICH_HCR_NPIE) != 0 && !pending) ||
            ((hcr & ICH_HCR_LRENPIE) != 0 && (hcr & ICH_HCR_EOICOUNT) != 0));
}
