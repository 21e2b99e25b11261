// SPDX-License-Identifier: Apache-2.0
/* Buses: sorted ranges, found by binary search. */
#include <axvm/device.h>

#include <string.h>

void axvm_bus_init(AxBus *bus)
{
    memset(bus, 0, sizeof(*bus));
}

// Number of ranges that begin at `addr` or below.
static uint32_t count_up_to(const AxBus *bus, uint64_t addr)
{
    uint32_t count = 0;

    while (count < bus->count && bus->ranges[count].base <= addr) {
        count++;
    }
    return count;
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

static bool overlap(const AxBusRange *lower, const AxBusRange *upper)
{
    return upper->base - lower->base < lower->size;
}

// The neighbour of a range that goes in at `at` which is in its way, if any.
static const AxBusRange *in_the_way(const AxBus *bus, uint32_t at, const AxBusRange *range)
{
    if (at > 0 && overlap(&bus->ranges[at - 1], range)) {
        return &bus->ranges[at - 1];
    }
    return at < bus->count && overlap(range, &bus->ranges[at]) ? &bus->ranges[at] : NULL;
}

AxError axvm_bus_add(AxBus *bus, const AxBusRange *range, const char **conflict)
{
    if (bus == NULL || !is_complete(range)) {
        return AX_EINVAL;
    }
    if (range->base + (range->size - 1) < range->base) {
        return AX_ERANGE;
    }

    const uint32_t at = count_up_to(bus, range->base);
    const AxBusRange *other = in_the_way(bus, at, range);

    if (other != NULL) {
        if (conflict != NULL) {
            *conflict = other->ops->name;
        }
        return AX_EOVERLAP;
    }
    if (bus->count == AX_BUS_RANGES) {
        return AX_ENOSPC;
    }
    insert(bus, at, range);
    return AX_OK;
}

// The last range that begins at `addr` or below. Below the first one the offset wraps around, to more
// than the range has up to the end of all addresses.
static inline const AxBusRange *find(const AxBus *bus, uint64_t addr, AccessWidth width)
{
    const AxBusRange *range = bus->ranges;

    if (bus->count == 0) {
        return NULL;
    }
    for (uint32_t left = bus->count; left > 1; left -= left / 2) {
        if (range[left / 2].base <= addr) {
            range += left / 2;
        }
    }

    const uint64_t offset = addr - range->base;

    return offset < range->size && range->size - offset >= (uint64_t)width ? range : NULL;
}

const AxBusRange *axvm_bus_find(const AxBus *bus, uint64_t addr, AccessWidth width)
{
    return find(bus, addr, width);
}

AxError axvm_bus_read(const AxBus *bus, AxVCpu *vcpu, uint64_t addr, AccessWidth width,
                      uint64_t *value)
{
    const AxBusRange *range = find(bus, addr, width);

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
    const AxBusRange *range = find(bus, addr, width);

    if (range == NULL) {
        return AX_ENOENT;
    }

    const AxError error = range->ops->write(range->device, vcpu, addr - range->base, width,
                                            value & ax_width_mask(width));

    return error == AX_ENOENT ? AX_EFAULT : error;
}
