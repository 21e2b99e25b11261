// SPDX-License-Identifier: Apache-2.0
// System Reset extension (SBI 2.0, 10). Types and reasons that are reserved, or some platform's, are
// invalid parameters.
#include "firmware.h"

#define SBI_EXT_SRST UINT64_C(0x53525354)

enum { TYPE_SHUTDOWN, TYPE_COLD_REBOOT, TYPE_WARM_REBOOT, TYPE_COUNT };
enum { REASON_NONE, REASON_SYSTEM_FAILURE, REASON_COUNT };

static const AxVCpuExitReason kinds[TYPE_COUNT] = {
    [TYPE_SHUTDOWN] = AX_EXIT_SYSTEM_DOWN,
    [TYPE_COLD_REBOOT] = AX_EXIT_SYSTEM_RESET,
    [TYPE_WARM_REBOOT] = AX_EXIT_SYSTEM_RESET,
};

static RISCVNext system_reset(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const uint32_t type = (uint32_t)riscv_call_arg(vcpu, 0);
    const uint32_t reason = (uint32_t)riscv_call_arg(vcpu, 1);

    if (type >= TYPE_COUNT || reason >= REASON_COUNT) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    *exit = (AxVCpuExit){.reason = kinds[type], .reset = {.type = type}};
    return RISCV_EXIT;
}

static const RISCVCallHandler functions[] = {system_reset};

const RISCVExtension riscv_sbi_srst = {SBI_EXT_SRST, functions,
                                       sizeof(functions) / sizeof(functions[0])};
