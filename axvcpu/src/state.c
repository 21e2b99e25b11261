// SPDX-License-Identifier: Apache-2.0
/* The state of a vCPU, and what follows from it. */
#include "internal.h"

static const char *const names[AX_VCPU_STATE_COUNT] = {
    [AX_VCPU_INVALID] = "Invalid", [AX_VCPU_CREATED] = "Created", [AX_VCPU_FREE] = "Free",
    [AX_VCPU_READY] = "Ready",     [AX_VCPU_RUNNING] = "Running", [AX_VCPU_BLOCKED] = "Blocked",
};

// What a backend says of an argument it does not take; it has changed nothing then.
#define REFUSALS                                                                      \
    (UINT32_C(1) << AX_EINVAL | UINT32_C(1) << AX_ENOENT | UINT32_C(1) << AX_ERANGE | \
     UINT32_C(1) << AX_EALIGN | UINT32_C(1) << AX_EPERM | UINT32_C(1) << AX_ENOTSUP)
_Static_assert(AX_ERROR_COUNT <= 32, "errors fit into a 32-bit set");

const char *axvcpu_state_name(AxVCpuState state)
{
    return (unsigned)state < AX_VCPU_STATE_COUNT ? names[state] : "?";
}

AxVCpuState axvcpu_state(const AxVCpu *vcpu)
{
    const uint32_t raw = axvcpu_raw_state(vcpu);

    return raw == AX_VCPU_BLOCKED_BOUND ? AX_VCPU_BLOCKED : (AxVCpuState)raw;
}

void axvcpu_force_state(AxVCpu *vcpu, uint32_t to)
{
    // Repeats at most once: only a waker can interfere, and only to end Blocked.
    while (!axvcpu_change_state(vcpu, axvcpu_raw_state(vcpu), to)) {
    }
}

AxError axvcpu_settle_setter(AxVCpu *vcpu, AxError error)
{
    const bool refused = (unsigned)error < AX_ERROR_COUNT && (REFUSALS >> error & 1) != 0;

    return refused ? error : axvcpu_settle(vcpu, error);
}
