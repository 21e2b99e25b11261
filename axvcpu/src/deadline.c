// SPDX-License-Identifier: Apache-2.0
#include <axvcpu/arch.h>

#define NS_PER_SECOND UINT64_C(1000000000)

// Rounded up. `ticks` < `hz`.
static uint64_t ns_within_second(uint64_t ticks, uint64_t hz)
{
    uint64_t product;

    if (__builtin_mul_overflow(ticks, NS_PER_SECOND, &product)) {
        return 0;
    }
    return product / hz + (product % hz != 0 ? 1 : 0);
}

uint64_t axvcpu_deadline_after(uint64_t now_ns, uint64_t ticks, uint64_t hz)
{
    uint64_t ns;

    if (hz == 0) {
        return now_ns;
    }
    if (__builtin_mul_overflow(ticks / hz, NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, ns_within_second(ticks % hz, hz), &ns) ||
        __builtin_add_overflow(ns, now_ns, &ns)) {
        return AX_DEADLINE_NONE;
    }
    return ns;
}
