// SPDX-License-Identifier: Apache-2.0
// QEMU's virt board, or one like it: what the device tree says, wired together.
#include "platform.h"

#include "board.h"
#include "cpu.h"
#include "crash.h"
#include "exit.h"
#include "hostinfo_fdt.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"
#include "plic.h"
#include "quirks.h"
#include "receive.h"
#include "sbi.h"
#include "scale.h"
#include "uart.h"

// Sstc; assemblers do not know it by name.
#define stimecmp 0x14d

_Static_assert(HOST_CPUS_MAX <= STACK_COUNT, "one stack each");

void secondary_start(void);
extern uint64_t secondary_stack;

// Top of the stack of the hart that is being started, for start.S when the firmware does not pass it.
uint64_t secondary_stack;

static Riscv64Board board;
static uint64_t frequency;
static Clock host_clock;
static bool has_sstc; // harts can set their timers themselves

// Each pCPU has its number in tp, where C code does not touch it: it is asked for at every exit of a
// guest. Until it is known, the hart's id is there.
AxPCpuId hal_this_pcpu(void *ctx)
{
    uint64_t tp;

    (void)ctx;
    __asm__ volatile("mv %0, tp" : "=r"(tp));
    return (AxPCpuId)tp;
}

uint64_t platform_cpu_number(void)
{
    uint64_t tp;

    __asm__ volatile("mv %0, tp" : "=r"(tp));
    return tp;
}

const char platform_source[] = "device tree";

bool platform_read(HostInfo *info, const void *boot, const char **why)
{
    return hostinfo_read_fdt(info, boot, platform_cpu_number(), why) &&
           riscv64_board_read(&board, info, boot, why);
}

// Firmware has to switch it on, so that finding its name in the device tree would not be enough.
static bool probe_sstc(void)
{
    crash_expect();
    (void)CPU_READ(stimecmp);
    return !crash_happened();
}

void platform_init(const HostInfo *info)
{
    frequency = info->counter_hz;
    host_clock = clock_of(frequency);
    hostmap_add_devices(&info->devices);
    exit_use_test_device(board.test.base);
    uart_init(board.uart.base);
    has_sstc = probe_sstc();
    platform_init_pcpu(info);
    if (board.contexts[this_pcpu()] == PLIC_NO_CONTEXT) {
        demo_fail("the PLIC has no context for hart %lu", info->cpus[this_pcpu()]);
    }
    plic_enable(this_pcpu(), board.uart_irq);
}

void platform_init_pcpu(const HostInfo *info)
{
    const AxPCpuId pcpu = hostinfo_find_cpu(info, platform_cpu_number());

    __asm__ volatile("mv tp, %0" : : "r"((uint64_t)pcpu) : "memory");
    plic_init_pcpu(&board, pcpu, info->cpus[pcpu]);
    time_arm(UINT64_MAX);
}

// The first stack is that of the hart that booted, which may be any and calls this; it leaves its own
// to the first one.
static AxPCpuId stack_of(AxPCpuId id)
{
    return id == 0 ? this_pcpu() : id;
}

bool platform_start_pcpu(const HostInfo *info, AxPCpuId id)
{
    const uint64_t stack = hostmap_stack_top(stack_of(id));

    secondary_stack = stack;
    __asm__ volatile("fence rw, rw" : : : "memory");
    return sbi_call(SBI_EXT_HSM, SBI_HSM_START, info->cpus[id], (uintptr_t)secondary_start,
                    stack) == SBI_SUCCESS;
}

uint64_t hal_now_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(&host_clock, CPU_READ(time));
}

// A comparator that lies ahead takes back an interrupt that is pending, too.
void time_arm(uint64_t deadline_ns)
{
    const uint64_t ticks = deadline_ns == UINT64_MAX
                               ? UINT64_MAX
                               : scale(deadline_ns, NS_PER_SECOND, frequency) + 1;

    if (has_sstc) {
        CPU_WRITE(stimecmp, quirk_lost_guest_timer(ticks, CPU_READ(time), frequency));
    } else {
        (void)sbi_call(SBI_EXT_TIME, SBI_TIME_SET_TIMER, ticks, 0, 0);
    }
}

void irq_handle(uint64_t vector)
{
    if (vector == PLIC_VECTOR(board.uart_irq)) {
        receive_all();
    } else if (vector == IRQ_TIMER) {
        time_arm(UINT64_MAX);
    } else if (vector == IRQ_SOFTWARE) {
        CPU_CLEAR(sip, IRQ_BIT(IRQ_SOFTWARE));
        cpu_fence(); // what it was sent for is looked at afterwards
    }
    if (vector >= PLIC_VECTOR(0)) {
        plic_complete(vector);
    }
}
