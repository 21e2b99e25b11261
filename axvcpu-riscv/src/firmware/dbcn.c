// SPDX-License-Identifier: Apache-2.0
// Debug Console extension (SBI 2.0, 12).
#include "firmware.h"

#define SBI_EXT_DBCN UINT64_C(0x4442434e)

// num_bytes, base_addr_lo, base_addr_hi: whether that can be memory. The host knows if it is.
static bool is_range(const RISCVVCpu *vcpu)
{
    const uint64_t size = riscv_call_arg(vcpu, 0);
    const uint64_t addr = riscv_call_arg(vcpu, 1);

    return riscv_call_arg(vcpu, 2) == 0 && (size == 0 || size - 1 <= UINT64_MAX - addr);
}

static RISCVNext transfer(RISCVVCpu *vcpu, AxVCpuExitReason kind, AxVCpuExit *exit)
{
    const uint64_t size = riscv_call_arg(vcpu, 0);

    if (!is_range(vcpu)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    if (size == 0) {
        return riscv_call_return(vcpu, SBI_SUCCESS, 0);
    }
    *exit = (AxVCpuExit){
        .reason = kind,
        .console = {.addr = ax_gpa(riscv_call_arg(vcpu, 1)), .size = size},
    };
    return RISCV_EXIT;
}

static RISCVNext write(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return transfer(vcpu, AX_EXIT_CONSOLE_WRITE, exit);
}

static RISCVNext read(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return transfer(vcpu, AX_EXIT_CONSOLE_READ, exit);
}

RISCVNext riscv_call_write_byte(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CONSOLE_WRITE,
        .console = {.in_register = true, .size = 1, .byte = (uint8_t)riscv_call_arg(vcpu, 0)},
    };
    return RISCV_EXIT;
}

static const RISCVCallHandler functions[] = {write, read, riscv_call_write_byte};

const RISCVExtension riscv_sbi_dbcn = {SBI_EXT_DBCN, functions,
                                       sizeof(functions) / sizeof(functions[0])};

// ---- completions ----

// Memory that cannot be reached is an invalid parameter here, unlike elsewhere.
const int8_t riscv_console_errors[AX_ERROR_COUNT] = {
    [AX_EINVAL] = SBI_ERR_INVALID_PARAM,  [AX_EFAULT] = SBI_ERR_INVALID_PARAM,
    [AX_ERANGE] = SBI_ERR_INVALID_PARAM,  [AX_EALIGN] = SBI_ERR_INVALID_PARAM,
    [AX_ENOTSUP] = SBI_ERR_NOT_SUPPORTED, [AX_EPERM] = SBI_ERR_DENIED,
};
