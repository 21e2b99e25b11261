// SPDX-License-Identifier: Apache-2.0
/* Buses: sorted ranges, found by binary search. */
#include <axvm/device.h>

#include <string.h>

void axvm_bus_init(AxBus *bus)
{
    memset(bus, 0, sizeof(*bus));
}

// Index of the first range whose last address is not below `addr`.
static uint32_t first_not_below(const AxBus *bus, uint64_t addr)
{
    uint32_t low = 0;
    uint32_t high = bus->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const AxBusRange *range = &bus->ranges[middle];

        if (range->base + (range->size - 1) < addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_complete(const AxBusRange *range)
{
    return range != NULL && range->size != 0 && range->ops != NULL && range->ops->name != NULL &&
           range->ops->read != NULL && range->ops->write != NULL;
}

static void insert(AxBus *bus, uint32_t at, const AxBusRange *range)
{
    memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(*range));
    bus->ranges[at] = *range;
    bus->count++;
}

AxError axvm_bus_add(AxBus *bus, const AxBusRange *range, const char **conflict)
{
    if (bus == NULL || !is_complete(range)) {
        return AX_EINVAL;
    }
    if (range->base + (range->size - 1) < range->base) {
        return AX_ERANGE;
    }

    const uint32_t at = first_not_below(bus, range->base);

    if (at < bus->count && bus->ranges[at].base <= range->base + (range->size - 1)) {
        if (conflict != NULL) {
            *conflict = bus->ranges[at].ops->name;
        }
        return AX_EOVERLAP;
    }
    if (bus->count == AX_BUS_RANGES) {
        return AX_ENOSPC;
    }
    insert(bus, at, range);
    return AX_OK;
}

const AxBusRange *axvm_bus_find(const AxBus *bus, uint64_t addr, AccessWidth width)
{
    const uint32_t at = first_not_below(bus, addr);

    if (at == bus->count || bus->ranges[at].base > addr) {
        return NULL;
    }

    const AxBusRange *range = &bus->ranges[at];

    return range->size - (addr - range->base) >= (uint64_t)width ? range : NULL;
}

AxError axvm_bus_read(const AxBus *bus, AxVCpu *vcpu, uint64_t addr, AccessWidth width,
                      uint64_t *value)
{
    const AxBusRange *range = axvm_bus_find(bus, addr, width);

    if (range == NULL) {
        return AX_ENOENT;
    }

    const AxError error = range->ops->read(range->device, vcpu, addr - range->base, width, value);

    if (error == AX_OK) {
        *value &= ax_width_mask(width);
    }
    // Only "no device" may look like one: the exit loop then asks the address space.
    return error == AX_ENOENT ? AX_EFAULT : error;
}

AxError axvm_bus_write(const AxBus *bus, AxVCpu *vcpu, uint64_t addr, AccessWidth width,
                       uint64_t value)
{
    const AxBusRange *range = axvm_bus_find(bus, addr, width);

    if (range == NULL) {
        return AX_ENOENT;
    }

    const AxError error = range->ops->write(range->device, vcpu, addr - range->base, width,
                                            value & ax_width_mask(width));

    return error == AX_ENOENT ? AX_EFAULT : error;
}
