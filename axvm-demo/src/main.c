// SPDX-License-Identifier: Apache-2.0
#include "hostinfo.h"
#include "log.h"
#include "platform.h"

#include <axvm/vm.h>

static HostInfo host;

_Noreturn void demo_main(const void *fdt)
{
    const char *why;

    if (!hostinfo_read(&host, fdt, &why)) {
        demo_fail("device tree: %s", why);
    }
    platform_init(&host);
    log_line(AX_LOG_INFO, "up: %u CPUs, memory 0x%lx+0x%lx bootargs '%s'", host.cpu_count, host.memory.items[0].base, host.memory.items[0].size, host.bootargs);
    uint64_t t = time_now_ns();
    time_arm(t + 500000000);
    for (int i = 0; i < 3; i++) {
        uint64_t v;
        irq_kick(0);
        irq_wait();
        while ((v = irq_fetch()) != UINT64_MAX) {
            log_line(AX_LOG_INFO, "irq %lu after %lu ns", v, time_now_ns() - t);
            irq_handle(v);
        }
        if (i == 0) irq_wait();
        uint8_t b;
        while (uart_get(&b)) log_line(AX_LOG_INFO, "key %c", b);
    }
    *(volatile int *)4096 = 1;
    platform_exit(true);
}
