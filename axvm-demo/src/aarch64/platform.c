// SPDX-License-Identifier: Apache-2.0
// QEMU's virt board, or one like it: what the device tree says, wired together.
#include "platform.h"

#include "cpu.h"
#include "firmware.h"
#include "gic.h"
#include "layout.h"
#include "log.h"
#include "scale.h"
#include "uart.h"

#include <axvcpu-arm/percpu.h>

#define CNT_CTL_ENABLE UINT64_C(1)
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

#define PSCI_CPU_ON UINT64_C(0xc4000003)

_Static_assert(HOST_CPUS_MAX <= STACK_COUNT, "one stack each");

extern char stacks[];
void secondary_start(void);

static uint64_t frequency;
static uint32_t uart_irq;
static uint32_t timer_irq;

// Each pCPU has its number in TPIDR_EL2: it is asked for at every exit of a guest.
AxPCpuId this_pcpu(void)
{
    return (AxPCpuId)CPU_READ(tpidr_el2);
}

static AxPCpuId find_own_number(const HostInfo *info)
{
    const uint64_t affinity = CPU_READ(mpidr_el1) & MPIDR_AFFINITY;

    for (AxPCpuId i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i] == affinity) {
            return i;
        }
    }
    return 0;
}

static void map_device(Range range, const char *name)
{
    if (!platform_map(range.base, range.size, true)) {
        demo_fail("no room in the page tables for the %s at 0x%lx", name, range.base);
    }
}

static void map_devices(const HostInfo *info)
{
    map_device(info->uart, "PL011");
    map_device(info->gicd, "GIC distributor");
    for (uint32_t i = 0; i < info->gicr.count; i++) {
        map_device(info->gicr.items[i], "GIC redistributors");
    }
}

void platform_init(const HostInfo *info)
{
    frequency = CPU_READ(cntfrq_el0);
    if (frequency == 0 || frequency > UINT32_MAX) {
        demo_fail("CNTFRQ_EL0 is %lu Hz", frequency);
    }
    uart_irq = info->uart_irq;
    timer_irq = info->hyp_timer_irq;
    map_devices(info);
    uart_init(info->uart.base);
    gic_init(info);
    platform_init_pcpu(info);
    gic_enable(this_pcpu(), uart_irq);
}

void platform_init_pcpu(const HostInfo *info)
{
    const AxPCpuId pcpu = find_own_number(info);

    CPU_WRITE(tpidr_el2, pcpu);
    time_arm(UINT64_MAX);
    gic_init_pcpu(info, pcpu);
    gic_enable(pcpu, info->hyp_timer_irq);
    gic_enable(pcpu, info->virt_timer_irq);
    gic_enable(pcpu, AARCH64_PPI_PTIMER);
    gic_enable(pcpu, AARCH64_PPI_MAINTENANCE);
}

bool platform_start_pcpu(const HostInfo *info, AxPCpuId id)
{
    const uint64_t stack = (uintptr_t)stacks + UINT64_C(2) * STACK_SIZE * id + STACK_SIZE;

    return firmware_call(PSCI_CPU_ON, info->cpus[id], (uintptr_t)secondary_start, stack) == 0;
}

uint64_t time_now_ns(void)
{
    cpu_isb();
    return scale(CPU_READ(cntpct_el0), frequency, NS_PER_SECOND);
}

void time_arm(uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        CPU_WRITE(cnthp_ctl_el2, 0);
    } else {
        CPU_WRITE(cnthp_cval_el2, scale(deadline_ns, NS_PER_SECOND, frequency) + 1);
        CPU_WRITE(cnthp_ctl_el2, CNT_CTL_ENABLE);
    }
    cpu_isb();
}

void irq_handle(uint64_t vector)
{
    if (vector == uart_irq) {
        uart_interrupt();
    } else if (vector == timer_irq) {
        time_arm(UINT64_MAX);
    }
    gic_deactivate(vector);
}
