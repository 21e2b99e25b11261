// SPDX-License-Identifier: Apache-2.0
// The clock of KVM's guests (Linux, virt/kvm/x86/msr.rst): a page of theirs says how their TSC counts
// time. Without it they measure the TSC against an 8254 whose every access is an exit, and fail. The
// TSC never changes its pace, so the page is written once.
#include "x86.h"

#include <string.h>

#define CLOCK_ENABLE  X86_BIT(0)
#define CLOCK_ALIGN   UINT64_C(4)
#define CLOCK_VERSION 2u // even: not being written
#define TSC_STABLE    1u // the same on all of the guest's processors

#define NS_PER_SECOND UINT64_C(1000000000)

typedef struct SystemTime {
    uint32_t version;
    uint32_t reserved;
    uint64_t tsc;
    uint64_t ns; // at that TSC
    uint32_t multiplier;
    int8_t shift;
    uint8_t flags;
    uint8_t reserved_too[2];
} SystemTime;

// Of the moment at which the system time was 0; nobody knows it here.
typedef struct WallClock {
    uint32_t version;
    uint32_t seconds;
    uint32_t nanoseconds;
} WallClock;

static_assert(sizeof(SystemTime) == 32 && sizeof(WallClock) == 12, "msr.rst");

// ns = (ticks << shift) * multiplier >> 32. Above 1 GHz the multiplier has 32 bits.
static void set_pace(SystemTime *time, uint64_t hz)
{
    for (; hz <= NS_PER_SECOND; hz <<= 1) {
        time->shift++;
    }
    for (; hz > 4 * NS_PER_SECOND; hz >>= 1) {
        time->shift--;
    }
    time->multiplier = (uint32_t)((NS_PER_SECOND << 32) / hz);
}

static bool write_guest(const X86VCpu *vcpu, uint64_t gpa, const void *data, size_t size)
{
    void *memory;

    if (gpa % CLOCK_ALIGN != 0 || gpa % AX_PAGE_SIZE > AX_PAGE_SIZE - size) {
        return false;
    }
    memory = x86_ept_lookup(vcpu, gpa, AX_MAP_READ | AX_MAP_WRITE);
    if (memory == NULL) {
        return false;
    }
    memcpy(memory, data, size);
    return true;
}

bool x86_set_system_time(X86VCpu *vcpu, uint64_t value)
{
    const AxVCpuHal *hal = vcpu->env.hal;
    SystemTime time = {.version = CLOCK_VERSION,
                       .tsc = x86_guest_tsc(vcpu),
                       .ns = hal->now_ns(hal->ctx),
                       .flags = TSC_STABLE};

    set_pace(&time, vcpu->tsc_hz);
    if ((value & CLOCK_ENABLE) != 0 &&
        !write_guest(vcpu, value & ~CLOCK_ENABLE, &time, sizeof(time))) {
        return false;
    }
    vcpu->system_time = value;
    return true;
}

void x86_system_time_changed(X86VCpu *vcpu)
{
    if ((vcpu->system_time & CLOCK_ENABLE) != 0) {
        (void)x86_set_system_time(vcpu, vcpu->system_time); // the page was there before
    }
}

bool x86_set_wall_clock(X86VCpu *vcpu, uint64_t value)
{
    const WallClock clock = {.version = CLOCK_VERSION};

    return write_guest(vcpu, value, &clock, sizeof(clock));
}
