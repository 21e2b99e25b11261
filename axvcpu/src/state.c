// SPDX-License-Identifier: Apache-2.0
/* The state of a vCPU: its one writer, and what follows from it. */
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

uint32_t axvcpu_raw_state(const AxVCpu *vcpu)
{
    return atomic_load_explicit(&vcpu->state, memory_order_seq_cst);
}

AxVCpuState axvcpu_state(const AxVCpu *vcpu)
{
    const uint32_t raw = axvcpu_raw_state(vcpu);

    return raw == AX_VCPU_BLOCKED_BOUND ? AX_VCPU_BLOCKED : (AxVCpuState)raw;
}

bool axvcpu_change_state(AxVCpu *vcpu, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&vcpu->state, &from, to, memory_order_seq_cst,
                                                   memory_order_seq_cst);
}

void axvcpu_force_state(AxVCpu *vcpu, uint32_t to)
{
    // Repeats at most once: only a waker can interfere, and only to end Blocked.
    while (!axvcpu_change_state(vcpu, axvcpu_raw_state(vcpu), to)) {
    }
}

AxError axvcpu_settle(AxVCpu *vcpu, AxError error)
{
    if (error != AX_OK) {
        axvcpu_force_state(vcpu, AX_VCPU_INVALID);
    }
    return error;
}

AxError axvcpu_settle_setter(AxVCpu *vcpu, AxError error)
{
    const bool refused = (unsigned)error < AX_ERROR_COUNT && (REFUSALS >> error & 1) != 0;

    return refused ? error : axvcpu_settle(vcpu, error);
}

bool axvcpu_on_bound_pcpu(const AxVCpu *vcpu)
{
    const AxPerCpu *percpu = atomic_load_explicit(&vcpu->percpu, memory_order_acquire);

    return percpu == NULL || vcpu->hal->this_pcpu(vcpu->hal->ctx) == percpu->id;
}
