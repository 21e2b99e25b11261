// SPDX-License-Identifier: Apache-2.0
// Base extension (SBI 2.0, 4): who this is, and what else there is.
#include "firmware.h"

#define SBI_EXT_BASE UINT64_C(0x10)

#define SPEC_VERSION_2_0 (UINT64_C(2) << 24) // major in bits 30:24, minor below
// No number that is given out (4.9): "AXVM". Version: major, minor, patch, a byte each.
#define IMPL_ID      UINT64_C(0x4158564d)
#define IMPL_VERSION UINT64_C(0x000100)

static RISCVNext answer(RISCVVCpu *vcpu, uint64_t value)
{
    return riscv_call_return(vcpu, SBI_SUCCESS, value);
}

static RISCVNext get_spec_version(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return answer(vcpu, SPEC_VERSION_2_0);
}

static RISCVNext get_impl_id(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return answer(vcpu, IMPL_ID);
}

static RISCVNext get_impl_version(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return answer(vcpu, IMPL_VERSION);
}

static RISCVNext probe_extension(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return answer(vcpu, riscv_sbi_has_extension(riscv_call_arg(vcpu, 0)) ? 1 : 0);
}

// mvendorid, marchid and mimpid: 0 is always legal, and what this CPU is called is not ours to say.
static RISCVNext get_machine_id(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return answer(vcpu, 0);
}

static const RISCVCallHandler functions[] = {
    get_spec_version, get_impl_id,    get_impl_version, probe_extension,
    get_machine_id,   get_machine_id, get_machine_id,
};

const RISCVExtension riscv_sbi_base = {SBI_EXT_BASE, functions,
                                       sizeof(functions) / sizeof(functions[0])};
