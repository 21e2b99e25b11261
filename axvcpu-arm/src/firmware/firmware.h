// SPDX-License-Identifier: Apache-2.0
// Firmware calls (SMC Calling Convention, DEN 0028): one const table per service.
#pragma once

#include "arm.h"

// A call as its function id says: arguments of 32-bit functions are cut to 32 bits.
typedef struct Aarch64Call {
    uint32_t function;
    uint64_t args[3]; // x1..x3
} Aarch64Call;

typedef Aarch64Next (*Aarch64CallHandler)(Aarch64VCpu *vcpu, const Aarch64Call *call,
                                          AxVCpuExit *exit);

typedef struct Aarch64Function {
    uint32_t id;
    Aarch64CallHandler handle;
} Aarch64Function;

typedef struct Aarch64Service {
    const Aarch64Function *functions;
    size_t function_count;
} Aarch64Service;

extern const Aarch64Service aarch64_smccc_service;
extern const Aarch64Service aarch64_psci_service;

// NULL when the service has no such function.
const Aarch64Function *aarch64_find_function(const Aarch64Service *service, uint32_t id);

// Gives the guest `value` in x0. x4 to x17 are never changed (SMCCC 1.1).
static inline Aarch64Next aarch64_call_return(Aarch64VCpu *vcpu, int64_t value)
{
    aarch64_set_x(vcpu, 0, (uint64_t)value);
    return AARCH64_RESUME;
}

#define SMCCC_FAST    (UINT32_C(1) << 31)
#define SMCCC_64      (UINT32_C(1) << 30)
#define SMCCC_VERSION UINT32_C(0x80000000)

#define SMCCC_SUCCESS           INT64_C(0)
#define SMCCC_NOT_SUPPORTED     INT64_C(-1)
#define SMCCC_INVALID_PARAMETER INT64_C(-3)

// Results of a completed exit, by service.
uint64_t aarch64_psci_result(const AxVCpuExit *exit, AxError result, uint64_t value);
