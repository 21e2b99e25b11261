// SPDX-License-Identifier: Apache-2.0
// A PC: what the boot loader and ACPI say, wired together.
#include "platform.h"

#include "apic.h"
#include "board.h"
#include "cpu.h"
#include "descriptors.h"
#include "exit.h"
#include "hostmap.h"
#include "layout.h"
#include "log.h"
#include "mmu.h"
#include "quirks.h"
#include "receive.h"
#include "scale.h"
#include "tsc.h"
#include "uart.h"

#include <stdatomic.h>
#include <string.h>

#define TSC_HZ_MAX (UINT64_C(16) << 30)
// Clock takes less than 2^32 Hz.
#define TSC_SHIFT_FAST 2u

#define TIMER_WINDOW_NS UINT64_C(10000000)
#define INIT_DELAY_NS   UINT64_C(10000000)
#define SIPI_DELAY_NS   UINT64_C(200000)

_Static_assert(HOST_CPUS_MAX <= STACK_COUNT, "one stack each");

extern char stacks[];
extern const char trampoline[], trampoline_end[];
extern _Atomic uint32_t secondary_stack;

// Top of the stack of the CPU that is being started, which takes it away.
_Atomic uint32_t secondary_stack;

static X86Board board;
static unsigned tsc_shift;
static uint64_t clock_hz; // of the TSC, shifted
static Clock host_clock;
static uint64_t timer_hz; // of the local APIC
// pCPU whose stack this is.
static AxPCpuId owners[STACK_COUNT];

static uint32_t this_stack(void)
{
    uint64_t sp;

    __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
    return (uint32_t)((sp - (uintptr_t)stacks) >> (STACK_SHIFT + 1));
}

// No register of a guest's has to be put back for it.
AxPCpuId hal_this_pcpu(void *ctx)
{
    (void)ctx;
    return owners[this_stack()];
}

uint64_t platform_cpu_number(void)
{
    return apic_id();
}

const char platform_source[] = "boot information";

bool platform_read(HostInfo *info, const void *boot, const char **why)
{
    uart_init();
    if (!x86_64_board_read(&board, info, (uintptr_t)boot, platform_cpu_number(), mmu_read, why)) {
        return false;
    }
    hostmap_add_devices(&info->devices);
    exit_use_acpi(&board.acpi);
    info->counter_hz = tsc_measure();
    if (info->counter_hz == 0 || info->counter_hz >= TSC_HZ_MAX) {
        *why = "neither the 8254 nor CPUID tells the frequency of the TSC";
        return false;
    }
    return true;
}

static uint64_t clock_ticks(void)
{
    return tsc_read() >> tsc_shift;
}

static void delay(uint64_t ns)
{
    const uint64_t end = time_now_ns() + ns;

    while (time_now_ns() < end) {
        cpu_pause();
    }
}

static uint64_t measure_timer(void)
{
    const uint64_t start = time_now_ns();

    apic_timer_start();
    delay(TIMER_WINDOW_NS);

    const uint64_t ticks = apic_timer_elapsed();

    return scale(ticks, time_now_ns() - start, NS_PER_SECOND);
}

void platform_init(const HostInfo *info)
{
    tsc_shift = info->counter_hz >> 32 != 0 ? TSC_SHIFT_FAST : 0;
    clock_hz = info->counter_hz >> tsc_shift;
    host_clock = clock_of(clock_hz);
    apic_init(&board.acpi);
    platform_init_pcpu(info);
    timer_hz = apic_has_deadline() ? 0 : measure_timer();
    time_arm(UINT64_MAX);
    if (!apic_enable_uart(&board.acpi)) {
        demo_fail("no IOAPIC has an input for the interrupt of COM1");
    }
    uart_listen(true);
    memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
}

// The boot CPU has the first stack, the others the one of their number, or, when the boot CPU's number
// is that, the first number's.
static uint32_t stack_of(AxPCpuId id)
{
    return id == 0 ? owners[0] : id;
}

void platform_init_pcpu(const HostInfo *info)
{
    const AxPCpuId pcpu = hostinfo_find_cpu(info, platform_cpu_number());
    const uint32_t stack = this_stack();

    owners[stack] = pcpu;
    if (stack != 0) {
        descriptors_load(stack);
    }
    apic_init_pcpu(pcpu, info->cpus[pcpu]);
    time_arm(UINT64_MAX);
}

static bool is_started(void)
{
    return atomic_load_explicit(&secondary_stack, memory_order_acquire) == 0;
}

bool platform_start_pcpu(const HostInfo *info, AxPCpuId id)
{
    const uint64_t stack = hostmap_stack_top(stack_of(id));

    atomic_store_explicit(&secondary_stack, (uint32_t)stack, memory_order_release);
    apic_send_init(info->cpus[id]);
    delay(INIT_DELAY_NS);
    apic_send_startup(info->cpus[id], TRAMPOLINE);
    delay(SIPI_DELAY_NS);
    if (!is_started()) {
        apic_send_startup(info->cpus[id], TRAMPOLINE);
    }
    return true;
}

uint64_t hal_now_ns(void *ctx)
{
    (void)ctx;
    return clock_ns(&host_clock, clock_ticks());
}

static uint64_t ticks_until(uint64_t deadline_ns)
{
    const uint64_t now = time_now_ns();

    return deadline_ns <= now ? 0 : scale(deadline_ns - now, NS_PER_SECOND, timer_hz) + 1;
}

static uint64_t tsc_at(uint64_t deadline_ns)
{
    return (scale(deadline_ns, NS_PER_SECOND, clock_hz) + 1) << tsc_shift;
}

// Without deadlines nothing is armed before the timer's frequency is known.
void time_arm(uint64_t deadline_ns)
{
    const bool never = deadline_ns == UINT64_MAX;

    if (apic_has_deadline()) {
        apic_arm(never ? 0 : tsc_at(deadline_ns));
    } else {
        apic_arm(quirk_lost_interrupt(never ? UINT64_MAX : ticks_until(deadline_ns), timer_hz));
    }
}

static void handle(uint64_t vector)
{
    if (vector == VECTOR_UART) {
        receive_all();
    } else if (vector == VECTOR_TIMER) {
        time_arm(UINT64_MAX);
    }
    apic_end_of_interrupt();
}

// As long as one of them is in service, the local APIC holds those back that are not above it: none
// may be left before a guest is entered again.
void irq_handle(uint64_t vector)
{
    while (vector != AX_IRQ_NONE) {
        handle(vector);
        vector = apic_next_noted();
    }
}
