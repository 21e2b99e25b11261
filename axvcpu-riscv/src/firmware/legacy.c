// SPDX-License-Identifier: Apache-2.0
// Legacy extensions (SBI 2.0, 5). They return in a0 only, ignore a6, and take their harts as a bit
// vector in the guest's virtual memory: hart ids 0 to 63, which is more than a VM has.
#include "firmware.h"

#include "riscv_regs.h"

static RISCVNext console_getchar(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = (AxVCpuExit){.reason = AX_EXIT_CONSOLE_READ,
                         .console = {.in_register = true, .size = 1}};
    return RISCV_EXIT;
}

static RISCVNext clear_ipi(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    return riscv_call_return(vcpu, riscv_interrupt_clear_software(vcpu) ? 1 : 0, 0);
}

static RISCVTrap read_trap(void)
{
    return (RISCVTrap){
        .cause = RV_READ(SCAUSE),
        .tval = RV_READ(STVAL),
        .htval = RV_READ(HTVAL),
        .htinst = RV_READ(HTINST),
    };
}

// The fault of the vector is the guest's, with its PC on the ECALL (5). A guest page fault goes to
// the host, as for any other instruction that is no plain load; after it the call is made again.
static RISCVNext refuse_vector(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    vcpu->trap = read_trap();
    vcpu->regs.pc -= SBI_ECALL_SIZE;
    if (vcpu->trap.cause == CAUSE_LOAD_GUEST_PAGE) {
        return riscv_handle_data_fault(vcpu, exit);
    }
    riscv_reflect_trap(vcpu);
    return RISCV_RESUME;
}

typedef RISCVNext (*HartsCall)(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit);

// A NULL vector means everybody, as in the firmware that these calls come from.
static RISCVNext with_harts(RISCVVCpu *vcpu, HartsCall call, AxVCpuExit *exit)
{
    const uint64_t vector = riscv_call_arg(vcpu, 0);
    RISCVHarts harts = {.all = vector == 0};

    if (!harts.all && !rv_hlv_d(vector, &harts.mask)) {
        return refuse_vector(vcpu, exit);
    }
    return call(vcpu, &harts, exit);
}

static RISCVNext send_ipi(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return with_harts(vcpu, riscv_send_ipi, exit);
}

static RISCVNext remote_fence_i(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return with_harts(vcpu, riscv_remote_fence_i, exit);
}

static RISCVNext sfence(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit)
{
    return riscv_remote_sfence(vcpu, harts, 1, false, exit);
}

static RISCVNext remote_sfence_vma(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return with_harts(vcpu, sfence, exit);
}

static RISCVNext sfence_asid(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit)
{
    return riscv_remote_sfence(vcpu, harts, 1, true, exit);
}

static RISCVNext remote_sfence_vma_asid(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return with_harts(vcpu, sfence_asid, exit);
}

static RISCVNext shutdown(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = (AxVCpuExit){.reason = AX_EXIT_SYSTEM_DOWN};
    return RISCV_EXIT;
}

const RISCVCallHandler riscv_sbi_legacy[SBI_LEGACY_COUNT] = {
    riscv_call_set_timer, riscv_call_write_byte, console_getchar,        clear_ipi, send_ipi,
    remote_fence_i,       remote_sfence_vma,     remote_sfence_vma_asid, shutdown,
};
