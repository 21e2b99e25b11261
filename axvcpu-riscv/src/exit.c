// SPDX-License-Identifier: Apache-2.0
// Synchronous exits by exception code (scause), and the completions of what they hand out.
#include "riscv.h"

#include "riscv_regs.h"

#include <stdatomic.h>

#define CAUSE_COUNT (CAUSE_STORE_GUEST_PAGE + 1)
#define ECALL_SIZE  4u

typedef RISCVNext (*ExitHandler)(RISCVVCpu *vcpu, AxVCpuExit *exit);

typedef struct ExceptionCause {
    ExitHandler handle;
    AxVCpuExitReason kind; // counted as, when it is finished here
} ExceptionCause;

// ---- handlers ----

// htval belongs to guest page faults, which are never unhandled.
RISCVNext riscv_exit_unhandled(const RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_UNHANDLED,
        .unhandled = {.cause = vcpu->trap.cause,
                      .info = vcpu->trap.tval,
                      .pc = ax_gva(vcpu->regs.pc)},
    };
    return RISCV_EXIT;
}

// Exceptions that belong to VS mode, on harts where they cannot be delegated. What the memory system
// found while the guest ran is the guest's, too.
static RISCVNext handle_reflect(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    riscv_reflect_trap(vcpu);
    return RISCV_RESUME;
}

static RISCVNext handle_call(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    riscv_advance_pc(vcpu, ECALL_SIZE);
    return riscv_handle_firmware_call(vcpu, exit);
}

#define REFLECT                           \
    {                                     \
        handle_reflect, AX_EXIT_EXCEPTION \
    }

// What is not here is unhandled: calls from HS and M mode, which no guest makes; double traps, as
// VS mode can take one no more than what caused it; all that is reserved or custom.
static const ExceptionCause causes[CAUSE_COUNT] = {
    [CAUSE_FETCH_MISALIGNED] = REFLECT,
    [CAUSE_FETCH_ACCESS] = REFLECT,
    [CAUSE_ILLEGAL_INSTRUCTION] = REFLECT,
    [CAUSE_BREAKPOINT] = REFLECT,
    [CAUSE_LOAD_MISALIGNED] = REFLECT,
    [CAUSE_LOAD_ACCESS] = REFLECT,
    [CAUSE_STORE_MISALIGNED] = REFLECT,
    [CAUSE_STORE_ACCESS] = REFLECT,
    [CAUSE_ECALL_U] = REFLECT,
    [CAUSE_ECALL_VS] = {handle_call, AX_EXIT_HYPERCALL},
    [CAUSE_FETCH_PAGE] = REFLECT,
    [CAUSE_LOAD_PAGE] = REFLECT,
    [CAUSE_STORE_PAGE] = REFLECT,
    [CAUSE_SOFTWARE_CHECK] = REFLECT,
    [CAUSE_HARDWARE_ERROR] = REFLECT,
    [CAUSE_FETCH_GUEST_PAGE] = {riscv_handle_fetch_fault, AX_EXIT_NESTED_PAGE_FAULT},
    [CAUSE_LOAD_GUEST_PAGE] = {riscv_handle_data_fault, AX_EXIT_NESTED_PAGE_FAULT},
    [CAUSE_VIRTUAL_INSTRUCTION] = {riscv_handle_virtual_instruction, AX_EXIT_EXCEPTION},
    [CAUSE_STORE_GUEST_PAGE] = {riscv_handle_data_fault, AX_EXIT_NESTED_PAGE_FAULT},
};

RISCVNext riscv_handle_sync(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t code = vcpu->trap.cause;
    RISCVNext next;

    if (code >= CAUSE_COUNT || causes[code].handle == NULL) {
        return riscv_exit_unhandled(vcpu, exit);
    }
    next = causes[code].handle(vcpu, exit);
    if (next == RISCV_RESUME) {
        axvcpu_count(&vcpu->env.stats->handled[causes[code].kind], 1);
    }
    return next;
}

// ---- completions ----

AxError riscv_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value)
{
    if (exit->reason == AX_EXIT_MMIO_READ) {
        return riscv_complete_mmio(arch, exit, value);
    }
    if (exit->reason != AX_EXIT_SYSREG_READ) {
        return AX_EINVAL;
    }
    riscv_complete_csr_read(arch, value);
    return AX_OK;
}

AxError riscv_complete_write(void *arch, const AxVCpuExit *exit)
{
    if (exit->reason == AX_EXIT_MMIO_WRITE) {
        return riscv_complete_mmio(arch, exit, 0);
    }
    if (exit->reason != AX_EXIT_SYSREG_WRITE) {
        return AX_EINVAL;
    }
    riscv_complete_csr_write(arch);
    return AX_OK;
}

AxError riscv_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value)
{
    return riscv_firmware_complete(arch, exit, result, value);
}

// A call nobody answers is not supported; a CSR nobody has is an illegal instruction; an address
// where nothing is gives an access fault.
AxError riscv_complete_fault(void *arch, const AxVCpuExit *exit)
{
    RISCVVCpu *vcpu = arch;

    switch (exit->reason) {
    case AX_EXIT_SYSREG_READ:
    case AX_EXIT_SYSREG_WRITE: riscv_inject_illegal(vcpu, vcpu->instruction); return AX_OK;
    case AX_EXIT_MMIO_READ:
    case AX_EXIT_MMIO_WRITE:
    case AX_EXIT_NESTED_PAGE_FAULT: riscv_inject_access_fault(vcpu); return AX_OK;
    default: return riscv_firmware_complete(vcpu, exit, AX_ENOTSUP, 0);
    }
}
