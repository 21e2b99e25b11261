// SPDX-License-Identifier: Apache-2.0
/*
 * Emulated devices and the buses they sit on. A bus maps addresses of one kind (guest-physical,
 * ports, system registers) to devices. It is filled while the VM is built and then only read, so
 * look-ups on the exit path take no lock. On the bus of system registers a range counts register
 * addresses (SysRegAddr), and every access is AX_WIDTH_QWORD.
 */
#pragma once

#include <axvcpu/axvcpu.h>

/*
 * A device model: plain C state plus these functions, called by the exit loop on the pCPU of `vcpu`
 * (the vCPU that made the access), possibly from several pCPUs at once: a device locks itself.
 *
 * `offset` counts from the base of the range; offset + width never passes its end; the address may
 * be unaligned for `width`. A value read must fit `width`; the bus cuts it. A device that has no
 * register there reads 0 and ignores writes, or returns AX_EFAULT to give the guest a fault, as its
 * manual says; other errors are treated as AX_EFAULT.
 */
typedef struct AxDeviceOps {
    const char *name;
    AxError (*read)(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                    uint64_t *value);
    AxError (*write)(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                     uint64_t value);
} AxDeviceOps;

typedef struct AxBusRange {
    uint64_t base;
    uint64_t size; /* > 0, base + size does not wrap */
    const AxDeviceOps *ops;
    void *device;
} AxBusRange;

#define AX_BUS_RANGES 32u

typedef struct AxBus {
    AxBusRange ranges[AX_BUS_RANGES]; /* sorted by base */
    uint32_t count;
} AxBus;

void axvm_bus_init(AxBus *bus);

/*
 * AX_EINVAL (NULL part, size 0), AX_ERANGE (wraps), AX_EOVERLAP (names the other through
 * *conflict when not NULL), AX_ENOSPC. Only before the VM runs.
 */
AX_MUST_CHECK AxError axvm_bus_add(AxBus *bus, const AxBusRange *range, const char **conflict);

/* NULL when no device covers all of [addr, addr + width). */
const AxBusRange *axvm_bus_find(const AxBus *bus, uint64_t addr, AccessWidth width);

/* AX_ENOENT when no device is there, else the device's result. *value is cut to `width`. */
AX_MUST_CHECK AxError axvm_bus_read(const AxBus *bus, AxVCpu *vcpu, uint64_t addr,
                                    AccessWidth width, uint64_t *value);
AX_MUST_CHECK AxError axvm_bus_write(const AxBus *bus, AxVCpu *vcpu, uint64_t addr,
                                     AccessWidth width, uint64_t value);

/* One input of an interrupt controller, as a device sees it. set: high = asserted; any pCPU. */
typedef struct AxIrqLine {
    void (*set)(void *controller, uint32_t irq, bool high);
    void *controller;
    uint32_t irq;
} AxIrqLine;

/* An unconnected line is all zero. */
static inline void axvm_irq_set(const AxIrqLine *line, bool high)
{
    if (line->set != NULL) {
        line->set(line->controller, line->irq, high);
    }
}

/* Where a console's output goes: called per byte, may not block. NULL drops it. */
typedef struct AxConsoleSink {
    void (*put)(void *ctx, uint8_t byte);
    void *ctx;
} AxConsoleSink;
