// SPDX-License-Identifier: Apache-2.0
// QEMU's virt board, or one like it: what the device tree says, wired together.
#include "platform.h"

#include "board.h"
#include "cpu.h"
#include "firmware.h"
#include "gic.h"
#include "hostinfo_fdt.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"
#include "receive.h"
#include "scale.h"
#include "uart.h"

#include <axvcpu-arm/percpu.h>

#define CNT_CTL_ENABLE UINT64_C(1)
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

#define PSCI_CPU_ON UINT64_C(0xc4000003)

_Static_assert(HOST_CPUS_MAX <= STACK_COUNT, "one stack each");

void secondary_start(void);

static Aarch64Board board;
static uint64_t frequency;
static Clock host_clock;

// Each pCPU has its number in TPIDR_EL2: it is asked for at every exit of a guest.
AxPCpuId hal_this_pcpu(void *ctx)
{
    (void)ctx;
    return (AxPCpuId)CPU_READ(tpidr_el2);
}

uint64_t platform_cpu_number(void)
{
    return CPU_READ(mpidr_el1) & MPIDR_AFFINITY;
}

const char platform_source[] = "device tree";

bool platform_read(HostInfo *info, const void *boot, const char **why)
{
    return hostinfo_read_fdt(info, boot, platform_cpu_number(), why) &&
           aarch64_board_read(&board, info, boot, why);
}

void platform_init(const HostInfo *info)
{
    frequency = CPU_READ(cntfrq_el0);
    if (frequency == 0 || frequency > UINT32_MAX) {
        demo_fail("CNTFRQ_EL0 is %lu Hz", frequency);
    }
    host_clock = clock_of(frequency);
    hostmap_add_devices(&info->devices);
    uart_init(board.uart.base);
    gic_init(&board);
    platform_init_pcpu(info);
    gic_enable(this_pcpu(), board.uart_irq);
}

void platform_init_pcpu(const HostInfo *info)
{
    const AxPCpuId pcpu = hostinfo_find_cpu(info, platform_cpu_number());

    CPU_WRITE(tpidr_el2, pcpu);
    time_arm(UINT64_MAX);
    gic_init_pcpu(&board, pcpu, info->cpus[pcpu]);
    gic_enable(pcpu, board.hyp_timer_irq);
    gic_enable(pcpu, board.virt_timer_irq);
    gic_enable(pcpu, AARCH64_PPI_PTIMER);
    gic_enable(pcpu, AARCH64_PPI_MAINTENANCE);
}

bool platform_start_pcpu(const HostInfo *info, AxPCpuId id)
{
    const uint64_t stack = hostmap_stack_top(id);

    return firmware_call(PSCI_CPU_ON, info->cpus[id], (uintptr_t)secondary_start, stack) == 0;
}

uint64_t hal_now_ns(void *ctx)
{
    (void)ctx;
    cpu_isb();
    return clock_ns(&host_clock, CPU_READ(cntpct_el0));
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
    if (vector == board.uart_irq) {
        receive_all();
    } else if (vector == board.hyp_timer_irq) {
        time_arm(UINT64_MAX);
    }
    gic_deactivate(vector);
}
