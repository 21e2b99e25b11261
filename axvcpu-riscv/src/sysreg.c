// SPDX-License-Identifier: Apache-2.0
// Virtual-instruction exceptions (Privileged Architecture 8.6.1): what HS mode could execute and the
// guest may not. Its own CSRs never trap. What belongs to the H extension, to an extension that
// guests do not have, or to a mode above that of the guest is an illegal instruction there; other
// CSRs leave the backend for whoever claims them.
#include "riscv.h"

#include "riscv_regs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define INSTRUCTION_WFI     UINT32_C(0x10500073)
#define INSTRUCTION_WRS_NTO UINT32_C(0x00d00073) // Zawrs
#define SYSTEM_SIZE         4u

#define OPCODE        AX_MASK(6, 0)
#define OPCODE_SYSTEM UINT64_C(0x73)
#define CSR_RD        AX_MASK(11, 7)
#define CSR_OPERATION AX_MASK(13, 12) // 0: no CSR instruction
#define CSR_IMMEDIATE AX_BIT(14)
#define CSR_RS1       AX_MASK(19, 15) // or the immediate itself
#define CSR_NUMBER    AX_MASK(31, 20)

#define CSR_OPERATION_WRITE UINT64_C(1)
#define CSR_OPERATION_SET   UINT64_C(2)
#define CSR_OPERATION_CLEAR UINT64_C(3)

// Fields of a CSR number (2.1).
#define NUMBER_ACCESS           AX_MASK(11, 10)
#define NUMBER_ACCESS_READ_ONLY UINT64_C(3)
#define NUMBER_MODE             AX_MASK(9, 8)
#define NUMBER_MODE_S           UINT64_C(1)

// ---- one access, as its instruction says ----

static uint64_t field(const RISCVVCpu *vcpu, uint64_t mask)
{
    return ax_get(vcpu->instruction, mask);
}

static uint32_t destination(const RISCVVCpu *vcpu)
{
    return (uint32_t)field(vcpu, CSR_RD);
}

static bool reads(const RISCVVCpu *vcpu)
{
    return field(vcpu, CSR_OPERATION) != CSR_OPERATION_WRITE || destination(vcpu) != 0;
}

static bool writes(const RISCVVCpu *vcpu)
{
    return field(vcpu, CSR_OPERATION) == CSR_OPERATION_WRITE || field(vcpu, CSR_RS1) != 0;
}

static uint64_t new_value(const RISCVVCpu *vcpu, uint64_t old)
{
    const uint32_t rs1 = (uint32_t)field(vcpu, CSR_RS1);
    const uint64_t operand = field(vcpu, CSR_IMMEDIATE) != 0 ? rs1 : riscv_x(vcpu, rs1);

    switch (field(vcpu, CSR_OPERATION)) {
    case CSR_OPERATION_SET: return old | operand;
    case CSR_OPERATION_CLEAR: return old & ~operand;
    default: return operand;
    }
}

// ---- what a guest may not have ----

// Finished here instead of asking the host, which does not have them either.
static const struct {
    uint16_t first;
    uint16_t last;
} refused[] = {
    {0x10c, 0x10f}, // sstateen
    {0x114, 0x114}, // sieh
    {0x14d, 0x14d}, // stimecmp
    {0x150, 0x157}, // siselect, sireg, siph
    {0x15c, 0x15d}, // stopei, stimecmph
    {0xc00, 0xc1f}, // cycle, time, instret, hpmcounter: refused by scounteren, too
    {0xda0, 0xda0}, // scountovf
    {0xdb0, 0xdb0}, // stopi
};

static bool is_refused(uint64_t number)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (number >= refused[i].first && number <= refused[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_illegal(const RISCVVCpu *vcpu)
{
    const uint64_t number = field(vcpu, CSR_NUMBER);
    const uint64_t mode = ax_get(number, NUMBER_MODE);
    const bool is_read_only = ax_get(number, NUMBER_ACCESS) == NUMBER_ACCESS_READ_ONLY;

    return mode > NUMBER_MODE_S || (mode == NUMBER_MODE_S && !riscv_guest_is_supervisor(vcpu)) ||
           (is_read_only && writes(vcpu)) || is_refused(number);
}

// ---- to the host and back: a read, a write, or first one and then the other ----

static RISCVNext exit_read(const RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_SYSREG_READ,
        .sysreg = {.addr = {field(vcpu, CSR_NUMBER)}, .reg = destination(vcpu)},
    };
    return RISCV_EXIT;
}

static RISCVNext exit_write(const RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const bool is_immediate = field(vcpu, CSR_IMMEDIATE) != 0;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_SYSREG_WRITE,
        .sysreg = {.addr = {field(vcpu, CSR_NUMBER)},
                   .value = new_value(vcpu, vcpu->csr_value),
                   .reg = is_immediate ? 0 : (uint32_t)field(vcpu, CSR_RS1)},
    };
    return RISCV_EXIT;
}

// The destination changes when the whole instruction is done.
static void finish(RISCVVCpu *vcpu)
{
    riscv_set_x(vcpu, destination(vcpu), vcpu->csr_value);
    riscv_advance_pc(vcpu, SYSTEM_SIZE);
}

void riscv_complete_csr_read(RISCVVCpu *vcpu, uint64_t value)
{
    vcpu->csr_value = value;
    if (writes(vcpu)) {
        vcpu->csr_step = RISCV_CSR_WRITE_DUE;
    } else {
        finish(vcpu);
    }
}

void riscv_complete_csr_write(RISCVVCpu *vcpu)
{
    finish(vcpu);
}

RISCVNext riscv_resume_csr(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    vcpu->csr_step = RISCV_CSR_NONE;
    return exit_write(vcpu, exit);
}

// ---- entry ----

static RISCVNext illegal(RISCVVCpu *vcpu)
{
    riscv_inject_illegal(vcpu, vcpu->instruction);
    return RISCV_RESUME;
}

static RISCVNext handle_csr(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    if (is_illegal(vcpu)) {
        return illegal(vcpu);
    }
    return reads(vcpu) ? exit_read(vcpu, exit) : exit_write(vcpu, exit);
}

// WFI blocks. WRS.NTO, which may end at any time, only yields, so that a guest which spins on a lock
// lets others run.
static RISCVNext handle_wait(RISCVVCpu *vcpu, AxVCpuExitReason reason, AxVCpuExit *exit)
{
    riscv_advance_pc(vcpu, SYSTEM_SIZE);
    *exit = (AxVCpuExit){.reason = reason};
    return RISCV_EXIT;
}

// stval may be 0, and with QEMU 7.2 the instruction of another guest.
RISCVNext riscv_handle_virtual_instruction(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    unsigned size;

    if (!riscv_fetch_instruction(vcpu, &vcpu->instruction, &size)) {
        return RISCV_RESUME; // the guest meets the fault of the fetch itself
    }
    if (vcpu->instruction == INSTRUCTION_WFI && riscv_guest_is_supervisor(vcpu)) {
        return handle_wait(vcpu, AX_EXIT_IDLE, exit);
    }
    if (vcpu->instruction == INSTRUCTION_WRS_NTO) {
        return handle_wait(vcpu, AX_EXIT_NOTHING, exit);
    }
    if (field(vcpu, OPCODE) == OPCODE_SYSTEM && field(vcpu, CSR_OPERATION) != 0) {
        return handle_csr(vcpu, exit);
    }
    return illegal(vcpu);
}
