// SPDX-License-Identifier: Apache-2.0
// Timer extension (SBI 2.0, 6). A guest with Sstc has no need of it.
#include "firmware.h"

#define SBI_EXT_TIME UINT64_C(0x54494d45)

RISCVNext riscv_call_set_timer(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    riscv_timer_set(vcpu, riscv_call_arg(vcpu, 0));
    return riscv_call_return(vcpu, SBI_SUCCESS, 0);
}

static const RISCVCallHandler functions[] = {riscv_call_set_timer};

const RISCVExtension riscv_sbi_time = {SBI_EXT_TIME, functions,
                                       sizeof(functions) / sizeof(functions[0])};
