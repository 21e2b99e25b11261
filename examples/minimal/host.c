// SPDX-License-Identifier: Apache-2.0
// The smallest host: it gives the libraries a HAL, maps one gigabyte, and runs a guest of a few
// instructions. docs/embedding.md walks through it. Nothing here depends on the architecture.
#include "board.h"

#include <axvcpu_arch.h>

#include <stdarg.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);

// ---- the C library that freestanding code needs ----

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    }
    return to;
}

static void print(const char *text)
{
    while (*text != '\0') {
        board_put(*text++);
    }
}

static void print_number(uint64_t value)
{
    if (value >= 10) {
        print_number(value / 10);
    }
    board_put((char)('0' + value % 10));
}

// ---- the HAL ----

static uintptr_t next_frame;

// Frames are only handed out here, so the memory is as zero as it was at reset.
static AxError alloc_frames(void *ctx, size_t count, uint64_t align, HostPhysAddr *out)
{
    const uintptr_t first = (next_frame + align - 1) & ~(uintptr_t)(align - 1);

    (void)ctx;
    if (first > (uintptr_t)frames_end || count > ((uintptr_t)frames_end - first) / AX_PAGE_SIZE) {
        return AX_ENOMEM;
    }
    next_frame = first + count * AX_PAGE_SIZE;
    *out = ax_hpa(first);
    return AX_OK;
}

static void dealloc_frames(void *ctx, HostPhysAddr first, size_t count)
{
    (void)ctx, (void)first, (void)count;
}

static HostVirtAddr phys_to_virt(void *ctx, HostPhysAddr addr)
{
    (void)ctx;
    return ax_hva(addr.value);
}

static HostPhysAddr virt_to_phys(void *ctx, HostVirtAddr addr)
{
    (void)ctx;
    return ax_hpa(addr.value);
}

// No interrupt of this machine is enabled.
static uint64_t irq_fetch(void *ctx)
{
    (void)ctx;
    return AX_IRQ_NONE;
}

static void irq_handler(void *ctx, uint64_t vector)
{
    (void)ctx, (void)vector;
}

static void irq_set_active(void *ctx, uint64_t vector, bool active)
{
    (void)ctx, (void)vector, (void)active;
}

// The guest sets no timer.
static void set_deadline(void *ctx, uint64_t deadline_ns)
{
    (void)ctx, (void)deadline_ns;
}

static AxPCpuId this_pcpu(void *ctx)
{
    (void)ctx;
    return 0;
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return board_now_ns();
}

static void kick_pcpu(void *ctx, AxPCpuId pcpu)
{
    (void)ctx, (void)pcpu;
}

static void log_line(void *ctx, AxLogLevel level, const char *format, ...)
{
    (void)ctx, (void)level;
    print(format);
    print("\n");
}

static const AxVCpuHal hal = {
    .alloc_frames = alloc_frames,
    .dealloc_frames = dealloc_frames,
    .phys_to_virt = phys_to_virt,
    .virt_to_phys = virt_to_phys,
    .irq_fetch = irq_fetch,
    .irq_handler = irq_handler,
    .irq_set_active = irq_set_active,
    .set_deadline = set_deadline,
    .this_pcpu = this_pcpu,
    .now_ns = now_ns,
    .kick_pcpu = kick_pcpu,
    .log = log_line,
};

// ---- memory of the guest: one block, guest-physical = host-physical ----

static AxEptRoot ept_root;

static AxError map_memory(void)
{
    const AxEptFormat *const format = axvcpu_arch_ept_format();
    const uintptr_t ram = (uintptr_t)ram_start;
    HostPhysAddr table;
    uint8_t root_frames;
    AxError error;

    ept_root.gpa_bits = 39;
    error = format->root_shape(ept_root.gpa_bits, &ept_root.levels, &root_frames);
    if (error != AX_OK) {
        return error;
    }
    error = alloc_frames(NULL, root_frames, root_frames * AX_PAGE_SIZE, &ept_root.base);
    if (error != AX_OK) {
        return error;
    }
    table = ept_root.base;
    // The first entry of what is above has all of 39 bits.
    for (unsigned level = ept_root.levels; level > 3; level--) {
        HostPhysAddr next;

        error = alloc_frames(NULL, 1, AX_PAGE_SIZE, &next);
        if (error != AX_OK) {
            return error;
        }
        *(uint64_t *)table.value = format->make_table(next);
        table = next;
    }
    ((uint64_t *)table.value)[ram >> 30] = format->make_leaf(ax_hpa(ram), AX_MAP_RIGHTS, 2);
    format->publish();
    return AX_OK;
}

// ---- the vCPU ----

static PerCpu percpu_arch;
static AxPerCpu percpu;
static AxArchVCpuImpl vcpu_arch;
static AxVCpu vcpu;

static AxError prepare(void)
{
    const CreateConfig create = axvcpu_arch_create_config(0, ax_gpa(0), board_counter_hz());
    const SetupConfig setup = axvcpu_arch_setup_config(false);
    const AxVCpuParams params = {.hal = &hal, .preferred_pcpu = AX_PCPU_NONE};
    AxError error = axvcpu_arch_percpu_init(&percpu, &percpu_arch, &hal, 0);

    if (error == AX_OK) {
        error = axvcpu_percpu_enable(&percpu);
    }
    if (error == AX_OK) {
        error = map_memory();
    }
    if (error == AX_OK) {
        error = axvcpu_arch_create(&vcpu, params, &vcpu_arch, &create);
    }
    if (error == AX_OK) {
        error = axvcpu_set_entry(&vcpu, ax_gpa((uintptr_t)guest_code));
    }
    if (error == AX_OK) {
        error = axvcpu_set_ept_root(&vcpu, &ept_root);
    }
    if (error == AX_OK) {
        error = axvcpu_arch_setup(&vcpu, &setup);
    }
    if (error == AX_OK) {
        error = axvcpu_bind(&vcpu, &percpu);
    }
    return error;
}

// By a call of the firmware, or on a PC by a port.
static bool is_power_off(const AxVCpuExit *exit)
{
    return exit->reason == AX_EXIT_SYSTEM_DOWN ||
           (exit->reason == AX_EXIT_IO_WRITE && exit->io.port.number == board_off_port);
}

// Answers hypercalls until the guest powers itself off.
static AxError run(void)
{
    const AxVCpuExit *exit;
    AxError error;

    while ((error = axvcpu_run(&vcpu, &exit)) == AX_OK) {
        if (is_power_off(exit)) {
            print("guest powered off\n");
            return AX_OK;
        }
        if (exit->reason != AX_EXIT_HYPERCALL) {
            print(axvcpu_exit_name(exit->reason));
            print(": unexpected exit\n");
            return AX_ENOTSUP;
        }
        print("hypercall ");
        print_number(exit->hypercall.nr - board_hypercalls);
        print(" with ");
        print_number(exit->hypercall.args[0]);
        print("\n");
        error = axvcpu_complete_call(&vcpu, AX_OK, 0);
        if (error != AX_OK) {
            return error;
        }
    }
    return error;
}

void host_main(void)
{
    const char *why = "";
    AxError error = axvcpu_arch_hardware_check(&why);

    next_frame = (uintptr_t)frames_start;
    if (error == AX_OK) {
        error = prepare();
    }
    if (error == AX_OK) {
        error = run();
    }
    print(error == AX_OK ? "done: " : "failed: ");
    print(axvcpu_error_text(error));
    print("\n");
    board_power_off();
}
