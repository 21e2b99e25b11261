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

#include <libfdt.h>

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

// What the image, the device tree, the bundle and the firmware leave of the memory.
static void free_memory(const void *fdt)
{
    const Range image = platform_image();
    const Range tree = {.base = (uintptr_t)fdt, .size = fdt_totalsize(fdt)};
    RangeList free = host.memory;
    bool fits = ranges_remove(&free, image) && ranges_remove(&free, tree) &&
                ranges_remove(&free, host.initrd);

    for (uint32_t i = 0; fits && i < host.reserved.count; i++) {
        fits = ranges_remove(&free, host.reserved.items[i]);
    }
    if (!fits) {
        demo_fail("device tree: memory is cut into too many pieces");
    }
    ranges_align(&free, FRAME_SIZE);
    hal_init(&free);
}

static bool run_vms(void)
{
    const AxPCpuId pcpu = this_pcpu();

    if (!pcpu_start(pcpu) || !vms_create(host.initrd, &options)) {
        return false;
    }
    vms_boot();
    pcpu_run(pcpu);
    pcpu_stop(pcpu);
    return !vms_any_failed();
}

_Noreturn void demo_main(const void *fdt)
{
    const char *why;

    if (fdt == NULL) {
        demo_fail("no device tree in x0: boot axvm-demo.bin, not axvm-demo.elf");
    }
    if (!hostinfo_read(&host, fdt, &why)) {
        demo_fail("device tree: %s", why);
    }
    read_options();
    platform_init(&host);
    map_memory();
    free_memory(fdt);

    const uint64_t frames_at_start = hal_free_frames();

    log_line(AX_LOG_DEBUG, "%u CPUs, %lu frames free", host.cpu_count, frames_at_start);

    bool success = run_vms();
    const uint64_t frames_at_end = hal_free_frames();

    if (vms_count() == 0 || vms_live_count() > 0) {
        platform_exit(false);
    }
    summary_print();
    log_line(AX_LOG_INFO, "frames: %lu free at start, %lu at end", frames_at_start, frames_at_end);
    success = success && frames_at_start == frames_at_end;
    log_line(AX_LOG_INFO, "all VMs ended: %s", success ? "success" : "failure");
    platform_exit(success);
}
