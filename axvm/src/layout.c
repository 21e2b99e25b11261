// SPDX-License-Identifier: Apache-2.0
/*
 * Where the parts of a boot image go. The kernel as low in RAM as it may, the device tree and the
 * ramdisk as high as they may, so that they stay clear of what the kernel decompresses or grows.
 */
#include <axvm/image.h>

#include "span.h"
#include "why.h"

// Linux, booting.rst, section 2 and 4: the ramdisk, and with it here the device tree, inside 32 GiB
// from a multiple of 1 GiB that holds the kernel; below 4 GiB as well for what has 32-bit DMA.
#define WINDOW_ALIGN (UINT64_C(1) << 30)
#define WINDOW_SIZE  (UINT64_C(32) << 30)
#define LOW_LIMIT    (UINT64_C(4) << 30)

_Static_assert(
    (AX_BOOT_BLOCK_ROOM & (AX_BOOT_BLOCK_ROOM - 1)) == 0 && AX_BOOT_BLOCK_ROOM <= UINT64_C(2) << 20,
    "aligned to its size, it never crosses 2 MiB, which arm64 and riscv want of a devicetree");

enum { PART_KERNEL, PART_RAMDISK, PART_BOOT_BLOCK, PART_COUNT };

typedef struct Plan {
    const AxVMConfig *config;
    const AxImageInfo *info;
    AxSpan room;             // RAM that all parts may use
    AxSpan part[PART_COUNT]; // size 0: not placed
} Plan;

// Guests' RAM: what a description does not lend for other purposes, or as device memory.
static bool is_ram(const AxVMMemory *memory)
{
    return memory->type != AX_MAP_TYPE_RESERVED && (memory->flags & AX_MAP_DEVICE) == 0;
}

static AxSpan span_of(const AxVMMemory *memory)
{
    return (AxSpan){memory->base.value, memory->size};
}

// The RAM region that holds all of `span`; size 0 when none does.
static AxSpan home_of(const AxVMConfig *config, AxSpan span)
{
    for (uint32_t i = 0; i < config->memory_count; i++) {
        if (is_ram(&config->memory[i]) && axvm_span_inside(span, span_of(&config->memory[i]))) {
            return span_of(&config->memory[i]);
        }
    }
    return (AxSpan){0, 0};
}

// ---- kernel ----

static bool is_below(AxSpan span, uint64_t limit)
{
    return limit == 0 || axvm_span_inside(span, (AxSpan){0, limit});
}

static bool may_lie_at(const AxImageInfo *info, AxSpan kernel)
{
    return kernel.base >= info->load_min && (!info->fixed || kernel.base == info->load_min) &&
           is_below(kernel, info->limit);
}

static bool place_kernel_in(Plan *plan, AxSpan region)
{
    const AxImageInfo *info = plan->info;
    const uint64_t start = region.base > info->load_min ? region.base : info->load_min;
    const AxSpan kernel = {axvm_align_up(start, info->load_align) + info->load_offset,
                           info->memory_size};

    if (!axvm_span_inside(kernel, region) || !may_lie_at(info, kernel)) {
        return false;
    }
    plan->part[PART_KERNEL] = kernel;
    plan->room = region;
    return true;
}

static AxError choose_kernel(Plan *plan, const char **why)
{
    const AxVMConfig *config = plan->config;

    for (uint32_t i = 0; i < config->memory_count; i++) {
        if (is_ram(&config->memory[i]) && place_kernel_in(plan, span_of(&config->memory[i]))) {
            return AX_OK;
        }
    }
    return axvm_because(why, AX_ERANGE,
                        plan->info->fixed
                            ? "kernel: no memory region holds all of the addresses it is made for"
                            : "kernel: no memory region is large enough for it");
}

static AxError fix_kernel(Plan *plan, const char **why)
{
    const AxImageInfo *info = plan->info;
    const AxSpan kernel = {plan->config->kernel_load_addr.value, info->memory_size};

    plan->room = home_of(plan->config, kernel);
    if (plan->room.size == 0) {
        return axvm_because(why, AX_ERANGE,
                            "kernel_load_addr: the kernel is not inside one memory region");
    }
    if (!may_lie_at(info, kernel)) {
        return axvm_because(why, AX_ERANGE,
                            "kernel_load_addr: the kernel cannot be at this address");
    }
    if ((kernel.base - info->load_offset) % info->load_align != 0) {
        return axvm_because(why, AX_EALIGN,
                            "kernel_load_addr: not the alignment that the image needs");
    }
    plan->part[PART_KERNEL] = kernel;
    return AX_OK;
}

// Without a kernel the host fills the guest's memory itself, around the entry point.
static AxError no_kernel(Plan *plan, const char **why)
{
    plan->room = home_of(plan->config, (AxSpan){plan->config->entry_point.value, 1});
    return plan->room.size != 0
               ? AX_OK
               : axvm_because(why, AX_ERANGE, "entry_point: not inside a memory region");
}

static AxError place_kernel(Plan *plan, const char **why)
{
    if (plan->config->kernel.size == 0) {
        return no_kernel(plan, why);
    }
    return plan->config->kernel_load_addr.value == AX_ADDR_AUTO.value ? choose_kernel(plan, why)
                                                                      : fix_kernel(plan, why);
}

static AxError find_entry(const Plan *plan, GuestPhysAddr *entry, const char **why)
{
    *entry = plan->config->entry_point;
    if (entry->value == AX_ADDR_AUTO.value) {
        *entry = ax_gpa(plan->part[PART_KERNEL].base + plan->info->entry_offset);
    }
    return home_of(plan->config, (AxSpan){entry->value, 1}).size != 0
               ? AX_OK
               : axvm_because(why, AX_ERANGE, "entry_point: not inside a memory region");
}

// ---- the rest ----

// Cuts the room to where ramdisk and device tree may be.
static void limit_room(Plan *plan, uint64_t kernel)
{
    uint64_t end = plan->room.base + plan->room.size;
    const uint64_t window_end = axvm_align_down(kernel, WINDOW_ALIGN) + WINDOW_SIZE;

    end = end > window_end ? window_end : end;
    end = kernel < LOW_LIMIT && end > LOW_LIMIT ? LOW_LIMIT : end;
    end = plan->info->limit != 0 && end > plan->info->limit ? plan->info->limit : end;
    plan->room.size = end - plan->room.base;
}

// A part that is in the way of `span`, NULL when it is free.
static const AxSpan *obstacle(const Plan *plan, AxSpan span)
{
    for (int i = 0; i < PART_COUNT; i++) {
        if (axvm_spans_overlap(plan->part[i], span)) {
            return &plan->part[i];
        }
    }
    return NULL;
}

// The highest free place; each turn goes below one more part, so it ends.
static bool place_high(Plan *plan, int part, uint64_t size, uint64_t align)
{
    uint64_t end = plan->room.base + plan->room.size;

    while (end >= size) {
        const AxSpan span = {axvm_align_down(end - size, align), size};
        const AxSpan *other = obstacle(plan, span);

        if (!axvm_span_inside(span, plan->room)) {
            return false;
        }
        if (other == NULL) {
            plan->part[part] = span;
            return true;
        }
        end = other->base;
    }
    return false;
}

static AxError fix_ramdisk(Plan *plan, const char **why)
{
    const AxSpan ramdisk = {plan->config->ramdisk_load_addr.value, plan->config->ramdisk.size};

    if (home_of(plan->config, ramdisk).size == 0) {
        return axvm_because(why, AX_ERANGE,
                            "ramdisk_load_addr: the ramdisk is not inside one memory region");
    }
    if (!is_below(ramdisk, plan->info->limit)) {
        return axvm_because(why, AX_ERANGE,
                            "ramdisk_load_addr: the kernel cannot reach a ramdisk there");
    }
    if (obstacle(plan, ramdisk) != NULL) {
        return axvm_because(why, AX_EOVERLAP, "ramdisk_load_addr: the ramdisk overlaps the kernel");
    }
    plan->part[PART_RAMDISK] = ramdisk;
    return AX_OK;
}

static AxError place_ramdisk(Plan *plan, const char **why)
{
    const AxVMConfig *config = plan->config;

    if (config->ramdisk.size == 0) {
        return AX_OK;
    }
    if (config->ramdisk_load_addr.value != AX_ADDR_AUTO.value) {
        return fix_ramdisk(plan, why);
    }
    return place_high(plan, PART_RAMDISK, config->ramdisk.size, AX_PAGE_SIZE)
               ? AX_OK
               : axvm_because(why, AX_ERANGE, "ramdisk: does not fit beside the kernel");
}

static AxError place_boot_block(Plan *plan, const char **why)
{
    return place_high(plan, PART_BOOT_BLOCK, AX_BOOT_BLOCK_ROOM, AX_BOOT_BLOCK_ROOM)
               ? AX_OK
               : axvm_because(why, AX_ERANGE,
                              "memory_regions: no room for the device tree or boot tables");
}

AxError axvm_boot_layout(const AxVMConfig *config, const AxImageInfo *info, AxBootLayout *layout,
                         const char **why)
{
    Plan plan = {.config = config, .info = info};
    GuestPhysAddr entry;
    AxError error = place_kernel(&plan, why);

    if (error == AX_OK) {
        error = find_entry(&plan, &entry, why);
    }
    if (error != AX_OK) {
        return error;
    }
    limit_room(&plan, config->kernel.size != 0 ? plan.part[PART_KERNEL].base : entry.value);
    error = place_ramdisk(&plan, why);
    if (error == AX_OK) {
        error = place_boot_block(&plan, why);
    }
    if (error != AX_OK) {
        return error;
    }
    *layout = (AxBootLayout){
        .kernel = ax_gpa(plan.part[PART_KERNEL].base),
        .entry = entry,
        .ramdisk = ax_gpa(plan.part[PART_RAMDISK].base),
        .boot_block = ax_gpa(plan.part[PART_BOOT_BLOCK].base),
    };
    return AX_OK;
}
