// SPDX-License-Identifier: Apache-2.0
// Guest page faults (Privileged Architecture 8.6). A load or store that decode.c knows leaves as
// MMIO; everything else that memory could satisfy leaves as a nested page fault. The instruction
// comes from htinst, transformed as in 8.6.3, or from the guest's memory when htinst is 0.
#include "riscv.h"

#include "riscv_regs.h"

#define PAGE_OFFSET (AX_PAGE_SIZE - 1)

#define HTVAL_SHIFT    2
#define TVAL_LOW       UINT64_C(3) // what HTVAL_SHIFT cuts off
#define HTINST_TRAPPED AX_BIT(0)   // an instruction, not a pseudo-instruction

// ---- guest-physical address ----

static bool is_walk(const RISCVVCpu *vcpu)
{
    const uint64_t htinst = vcpu->trap.htinst;

    return htinst == HTINST_PSEUDO_READ || htinst == HTINST_PSEUDO_WRITE ||
           htinst == HTINST_PSEUDO_READ_RV32 || htinst == HTINST_PSEUDO_WRITE_RV32;
}

// That of a table walk is aligned, whatever the address behind the walk.
static GuestPhysAddr fault_address(const RISCVVCpu *vcpu)
{
    const uint64_t low = is_walk(vcpu) ? 0 : vcpu->trap.tval & TVAL_LOW;

    return ax_gpa(vcpu->trap.htval << HTVAL_SHIFT | low);
}

// ---- nested page faults ----

// A walk writes to set accessed and dirty flags.
static MappingFlags walk_rights(const RISCVVCpu *vcpu)
{
    const uint64_t htinst = vcpu->trap.htinst;
    const bool is_write = htinst == HTINST_PSEUDO_WRITE || htinst == HTINST_PSEUDO_WRITE_RV32;

    return is_write ? AX_MAP_WRITE : AX_MAP_READ;
}

// The hart does not tell a missing translation from a missing right.
static RISCVNext exit_page_fault(const RISCVVCpu *vcpu, MappingFlags access, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_NESTED_PAGE_FAULT,
        .page_fault = {.addr = fault_address(vcpu),
                       .access = is_walk(vcpu) ? walk_rights(vcpu) : access,
                       .page_table_walk = is_walk(vcpu)},
    };
    return RISCV_EXIT;
}

static RISCVNext data_page_fault(const RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const bool is_write = vcpu->trap.cause == CAUSE_STORE_GUEST_PAGE ||
                          riscv_is_atomic_store(vcpu->instruction);

    return exit_page_fault(vcpu, is_write ? AX_MAP_WRITE : AX_MAP_READ, exit);
}

// ---- the instruction ----

bool riscv_fetch_instruction(const RISCVVCpu *vcpu, uint32_t *instruction, unsigned *size)
{
    uint32_t fetched = 0;

    if (!rv_hlvx_instruction(vcpu->regs.pc, &fetched)) {
        return false;
    }
    *instruction = fetched;
    *size = (fetched & 3) == 3 ? 4 : 2;
    return true;
}

static bool has_trapped_instruction(const RISCVVCpu *vcpu)
{
    return (vcpu->trap.htinst & HTINST_TRAPPED) != 0;
}

// False when the guest can no longer fetch the instruction.
static bool find_instruction(RISCVVCpu *vcpu)
{
    unsigned size;

    if (has_trapped_instruction(vcpu)) {
        vcpu->instruction = (uint32_t)(vcpu->trap.htinst | HTINST_32BIT);
        vcpu->instruction_size = (vcpu->trap.htinst & HTINST_32BIT) != 0 ? 4 : 2;
        return true;
    }
    if (!riscv_fetch_instruction(vcpu, &vcpu->instruction, &size)) {
        return false;
    }
    vcpu->instruction_size = (uint8_t)size;
    return true;
}

// VS mode is RV64 and little-endian (hstatus.VSXL and VSBE), but the guest chooses for VU mode.
static bool runs_rv64(const RISCVVCpu *vcpu)
{
    const uint64_t fields = SSTATUS_UXL | SSTATUS_UBE;

    return riscv_guest_is_supervisor(vcpu) ||
           (riscv_sysreg_get(vcpu, RISCV_VSSTATUS) & fields) == SSTATUS_UXL_64;
}

// Whether the access begins where it faulted. In place of the base register htinst has the distance.
static bool starts_here(const RISCVVCpu *vcpu, const RISCVLoadStore *access)
{
    if (has_trapped_instruction(vcpu)) {
        return access->base == 0;
    }
    return riscv_x(vcpu, access->base) + (uint64_t)access->offset == vcpu->trap.tval;
}

// Another hart may have changed the code since, so believe the decoded instruction only as far as it
// explains the fault. An access that starts on another page than the one which faulted, or goes on
// to another, is refused.
static bool explains_fault(const RISCVVCpu *vcpu, const RISCVLoadStore *access)
{
    const uint64_t offset = vcpu->trap.tval & PAGE_OFFSET;

    return access->is_load == (vcpu->trap.cause == CAUSE_LOAD_GUEST_PAGE) &&
           starts_here(vcpu, access) && offset + (uint64_t)access->width <= AX_PAGE_SIZE;
}

// ---- MMIO ----

static RISCVNext exit_mmio(const RISCVVCpu *vcpu, const RISCVLoadStore *access, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = access->is_load ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE,
        .mmio = {.addr = fault_address(vcpu),
                 .width = access->width,
                 .reg = access->reg,
                 .reg_width = AX_WIDTH_QWORD,
                 .sign_extend = access->sign_extend},
    };
    if (!access->is_load) {
        exit->mmio.data = riscv_x(vcpu, access->reg) & ax_width_mask(access->width);
    }
    return RISCV_EXIT;
}

static uint64_t loaded_value(const AxVCpuExit *exit, uint64_t value)
{
    return exit->mmio.sign_extend ? ax_sign_extend(value, exit->mmio.width)
                                  : value & ax_width_mask(exit->mmio.width);
}

AxError riscv_complete_mmio(RISCVVCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    if (exit->reason == AX_EXIT_MMIO_READ) {
        riscv_set_x(vcpu, exit->mmio.reg, loaded_value(exit, value));
    }
    riscv_advance_pc(vcpu, vcpu->instruction_size);
    return AX_OK;
}

// ---- the causes ----

// The cause of a walk is that of the access behind it (8.6.3), but QEMU 7.2 reports a load for all.
// If the instruction cannot be fetched, its own walk has failed, or the guest has changed its tables
// since.
static uint64_t access_behind_walk(const RISCVVCpu *vcpu)
{
    uint32_t instruction;
    unsigned size;

    if (vcpu->trap.cause != CAUSE_LOAD_GUEST_PAGE) {
        return vcpu->trap.cause;
    }
    if (!riscv_fetch_instruction(vcpu, &instruction, &size)) {
        return vcpu->trap.tval - vcpu->regs.pc < 4 ? CAUSE_FETCH_GUEST_PAGE : CAUSE_LOAD_GUEST_PAGE;
    }
    return riscv_is_store(instruction) ? CAUSE_STORE_GUEST_PAGE : CAUSE_LOAD_GUEST_PAGE;
}

RISCVNext riscv_handle_data_fault(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    RISCVLoadStore access;

    vcpu->instruction = 0;
    if (is_walk(vcpu)) {
        vcpu->trap.cause = access_behind_walk(vcpu);
        return data_page_fault(vcpu, exit);
    }
    if (!find_instruction(vcpu)) {
        return RISCV_RESUME; // the guest meets the fault of the fetch itself
    }
    if (!runs_rv64(vcpu) || !riscv_decode_load_store(vcpu->instruction, &access) ||
        !explains_fault(vcpu, &access)) {
        return data_page_fault(vcpu, exit);
    }
    return exit_mmio(vcpu, &access, exit);
}

RISCVNext riscv_handle_fetch_fault(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return exit_page_fault(vcpu, AX_MAP_EXECUTE, exit);
}
