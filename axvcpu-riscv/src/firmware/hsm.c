// SPDX-License-Identifier: Apache-2.0
// Hart State Management extension (SBI 2.0, 9).
#include "firmware.h"

#include "riscv_regs.h"

#define SBI_EXT_HSM UINT64_C(0x48534d)

// Suspend types; all others are reserved, or some platform's.
#define SUSPEND_RETENTIVE     UINT32_C(0)
#define SUSPEND_NON_RETENTIVE UINT32_C(0x80000000)

#define INSTRUCTION_ALIGNMENT UINT64_C(2)

// Whether there may be an instruction; the host knows where there is memory.
static bool is_code_address(const RISCVVCpu *vcpu, uint64_t addr)
{
    return addr % INSTRUCTION_ALIGNMENT == 0 && addr >> vcpu->ept->gpa_bits == 0;
}

static RISCVNext hart_start(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t entry = riscv_call_arg(vcpu, 1);

    if (!is_code_address(vcpu, entry)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_ADDRESS);
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CPU_UP,
        .cpu_up = {.target_cpu = riscv_call_arg(vcpu, 0),
                   .entry = ax_gpa(entry),
                   .arg = riscv_call_arg(vcpu, 2)},
    };
    return RISCV_EXIT;
}

static RISCVNext hart_stop(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = (AxVCpuExit){.reason = AX_EXIT_CPU_DOWN};
    return RISCV_EXIT;
}

static RISCVNext hart_get_status(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CPU_STATUS,
        .cpu_status = {.target_cpu = riscv_call_arg(vcpu, 0)},
    };
    return RISCV_EXIT;
}

// As a hart that was started, but that it keeps what it enabled in sie, which wakes it. Calls come
// from S mode, so it is there already.
static void resume_at(RISCVVCpu *vcpu, uint64_t addr, uint64_t opaque)
{
    const uint64_t status = riscv_sysreg_get(vcpu, RISCV_VSSTATUS);

    riscv_sysreg_set(vcpu, RISCV_VSSTATUS, status & ~SSTATUS_SIE);
    riscv_sysreg_set(vcpu, RISCV_VSATP, 0);
    riscv_set_x(vcpu, SBI_A0, vcpu->create.hart_id);
    riscv_set_x(vcpu, SBI_A1, opaque);
    vcpu->regs.pc = addr;
}

static RISCVNext suspend_non_retentive(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t addr = riscv_call_arg(vcpu, 1);

    if (!is_code_address(vcpu, addr)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_ADDRESS);
    }
    resume_at(vcpu, addr, riscv_call_arg(vcpu, 2));
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    return RISCV_EXIT;
}

static RISCVNext hart_suspend(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    switch ((uint32_t)riscv_call_arg(vcpu, 0)) {
    case SUSPEND_RETENTIVE:
        (void)riscv_call_return(vcpu, SBI_SUCCESS, 0);
        *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
        return RISCV_EXIT;
    case SUSPEND_NON_RETENTIVE: return suspend_non_retentive(vcpu, exit);
    default: return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
}

static const RISCVCallHandler functions[] = {hart_start, hart_stop, hart_get_status, hart_suspend};

const RISCVExtension riscv_sbi_hsm = {SBI_EXT_HSM, functions,
                                      sizeof(functions) / sizeof(functions[0])};
