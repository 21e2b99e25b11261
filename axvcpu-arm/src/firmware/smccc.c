// SPDX-License-Identifier: Apache-2.0
// Arm Architecture Service (DEN 0028, 7). Version 1.2: x1..x17 may be arguments, and all that is not
// a result is preserved.
//
// ARCH_WORKAROUND_1, 2 and 3 are not offered: a CPU that needs them needs its own firmware to do the
// work at EL3, and whether it does is not ours to say; "not supported" makes a guest report itself
// vulnerable, which is the truth. CPUs that are not affected say so in ID_AA64PFR0_EL1.
#include "firmware.h"

#define SMCCC_ARCH_FEATURES UINT32_C(0x80000001)
#define SMCCC_VERSION_1_2   INT64_C(0x10002)

static Aarch64Next version(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)call;
    (void)exit;
    return aarch64_call_return(vcpu, SMCCC_VERSION_1_2);
}

static Aarch64Next arch_features(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    const uint32_t id = (uint32_t)call->args[0];

    (void)exit;
    return aarch64_call_return(vcpu, aarch64_find_function(&aarch64_smccc_service, id) != NULL
                                         ? SMCCC_SUCCESS
                                         : SMCCC_NOT_SUPPORTED);
}

static const Aarch64Function functions[] = {
    {SMCCC_VERSION, version},
    {SMCCC_ARCH_FEATURES, arch_features},
};

const Aarch64Service aarch64_smccc_service = {functions, sizeof(functions) / sizeof(functions[0])};
