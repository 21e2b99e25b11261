// SPDX-License-Identifier: Apache-2.0
// Entry of all HVC and SMC calls. Nothing is ever passed to the real firmware.
#include "firmware.h"

#include "arm_regs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// By owning entity, bits 29:24 of a function id; entities that are not here offer nothing.
#define SMCCC_OWNER(id) (((id) >> 24) & 0x3f)

static const Aarch64Service *const services[] = {
    [0] = &aarch64_smccc_service, // Arm Architecture
    [4] = &aarch64_psci_service,  // Standard Secure
};

const Aarch64Function *aarch64_find_function(const Aarch64Service *service, uint32_t id)
{
    for (size_t i = 0; i < service->function_count; i++) {
        if (service->functions[i].id == id) {
            return &service->functions[i];
        }
    }
    return NULL;
}

static const Aarch64Function *find(uint32_t id)
{
    const uint32_t owner = SMCCC_OWNER(id);
    const Aarch64Service *service = owner < COUNT(services) ? services[owner] : NULL;

    return service != NULL ? aarch64_find_function(service, id) : NULL;
}

static Aarch64Next exit_hypercall(const Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t *x = vcpu->regs.x;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_HYPERCALL,
        .hypercall = {.nr = x[0], .args = {x[1], x[2], x[3], x[4], x[5], x[6]}},
    };
    return AARCH64_EXIT;
}

static uint64_t argument(const Aarch64VCpu *vcpu, uint32_t function, uint32_t n)
{
    const uint64_t value = aarch64_x(vcpu, n);

    return (function & SMCCC_64) != 0 ? value : value & UINT32_MAX;
}

// Yielding calls are free for the host's own hypercalls, but by HVC only: SMC means firmware.
static bool is_hypercall(const Aarch64VCpu *vcpu, uint32_t function)
{
    return (function & SMCCC_FAST) == 0 &&
           ax_get(vcpu->syndrome.esr, ESR_ELX_EC) == ESR_ELX_EC_HVC64;
}

Aarch64Next aarch64_handle_firmware_call(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const uint32_t id = (uint32_t)aarch64_x(vcpu, 0);
    const Aarch64Function *function;

    if (is_hypercall(vcpu, id)) {
        return exit_hypercall(vcpu, exit);
    }
    function = find(id);
    if (function == NULL) {
        return aarch64_call_return(vcpu, SMCCC_NOT_SUPPORTED);
    }

    const Aarch64Call call = {
        .function = id,
        .args = {argument(vcpu, id, 1), argument(vcpu, id, 2), argument(vcpu, id, 3)},
    };

    return function->handle(vcpu, &call, exit);
}

uint64_t aarch64_firmware_result(const AxVCpuExit *exit, AxError result, uint64_t value)
{
    if (exit->reason != AX_EXIT_HYPERCALL) {
        return aarch64_psci_result(exit, result, value);
    }
    if (result == AX_OK) {
        return value;
    }
    return (uint64_t)(result == AX_ENOTSUP ? SMCCC_NOT_SUPPORTED : SMCCC_INVALID_PARAMETER);
}
