// SPDX-License-Identifier: Apache-2.0
#include "main.h"

#include "hal.h"
#include "hostinfo.h"
#include "log.h"
#include "options.h"
#include "pcpu.h"
#include "platform.h"
#include "summary.h"
#include "vms.h"

static HostInfo host;
static Options options;

static void read_options(void)
{
    char why[OPTIONS_WHY_SIZE];

    if (!options_parse(&options, host.bootargs, why)) {
        demo_fail("command line: %s", why);
    }
    log_set_level(options.log);
}

static void map_memory(void)
{
    for (uint32_t i = 0; i < host.memory.count; i++) {
        const Range range = host.memory.items[i];

        if (!platform_map(range.base, range.size, false)) {
            demo_fail("no room in the page tables for the memory at 0x%lx", range.base);
        }
    }
}

// What the image, the bundle, the firmware and the boot loader leave of the memory.
static RangeList free_memory(void)
{
    RangeList free = host.memory;
    bool fits = ranges_remove(&free, platform_image()) && ranges_remove(&free, host.initrd);

    for (uint32_t i = 0; fits && i < host.reserved.count; i++) {
        fits = ranges_remove(&free, host.reserved.items[i]);
    }
    if (!fits) {
        demo_fail("%s: memory is cut into too many pieces", platform_source);
    }
    ranges_align(&free, FRAME_SIZE);
    return free;
}

// False when there was nothing to run, or something went wrong with it.
static bool run_vms(void)
{
    const uint32_t pcpu_count = pcpu_start_all(&host);

    if (pcpu_count == 0) {
        return false;
    }
    if (vms_create(pcpu_count)) {
        vms_boot();
        pcpu_run_all();
    }
    pcpu_stop_all();
    return vms_count() > 0 && !vms_any_failed();
}

static bool report(bool success, uint64_t frames_at_start)
{
    const uint64_t frames_at_end = hal_free_frames();

    if (frames_at_start != frames_at_end) {
        log_line(AX_LOG_ERROR, "bug: frames were lost");
        success = false;
    }
    if (vms_count() > 0) {
        summary_print();
        log_line(AX_LOG_INFO, "frames: %lu free at start, %lu at end", frames_at_start,
                 frames_at_end);
        log_line(AX_LOG_INFO, "all VMs ended: %s", success ? "success" : "failure");
    }
    return success;
}

_Noreturn void demo_secondary(void)
{
    platform_init_pcpu(&host);
    pcpu_serve(this_pcpu());
    for (;;) {
        irq_wait();
    }
}

_Noreturn void demo_main(const void *boot)
{
    const char *why;

    if (!platform_read(&host, boot, &why)) {
        demo_fail("%s: %s", platform_source, why);
    }
    read_options();
    platform_init(&host);
    map_memory();

    RangeList free = free_memory();

    if (!vms_plan(&host, &options, &free)) {
        platform_exit(false);
    }
    hal_init(&free);

    const uint64_t frames_at_start = hal_free_frames();

    log_line(AX_LOG_DEBUG, "%u CPUs, %lu frames free", host.cpu_count, frames_at_start);

    platform_exit(report(run_vms(), frames_at_start));
}
