// SPDX-License-Identifier: Apache-2.0
// Nested page faults. An instruction that decode.c knows leaves as MMIO, or ends at the local APIC;
// everything else that memory could satisfy leaves as a nested page fault. One that reads and writes
// leaves twice.
#include "alu.h"
#include "x86.h"

#include <string.h>

static X86Next exit_page_fault(const X86VCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_NESTED_PAGE_FAULT,
        .page_fault = {.addr = ax_gpa(vcpu->exit.fault.gpa),
                       .access = vcpu->exit.fault.access,
                       .permission = vcpu->exit.fault.present,
                       .page_table_walk = vcpu->exit.fault.walk},
    };
    return X86_LEAVE;
}

static X86CodeSize code_size(const X86VCpu *vcpu)
{
    if (x86_is_64bit(vcpu)) {
        return X86_CODE_64;
    }
    return (x86_read(vcpu, X86_FIELD_CS_ATTRIBUTES) & SEGMENT_BIG) != 0 ? X86_CODE_32 : X86_CODE_16;
}

// AH to BH are registers 0 to 3.
static uint64_t register_value(const X86VCpu *vcpu, const X86Instruction *in)
{
    return in->reg_high ? vcpu->regs.gpr[in->reg % 4] >> 8 : vcpu->regs.gpr[in->reg % 16];
}

static void set_register(X86VCpu *vcpu, const X86Instruction *in, uint64_t value)
{
    if (in->reg_high) {
        uint64_t *gpr = &vcpu->regs.gpr[in->reg % 4];

        *gpr = (*gpr & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
        return;
    }
    x86_set_gpr(vcpu, in->reg, in->reg_width, value);
}

// ---- what an instruction does with memory ----

static bool is_string(const X86Instruction *in)
{
    return in->operation == X86_STOS || in->operation == X86_MOVS;
}

// Of one operand in memory and the rest in registers, or a copy. The others need the stack, or an XMM
// register.
static bool is_emulated(const X86Instruction *in)
{
    return in->operation != X86_NONE && (in->operation < X86_MOVS || is_string(in)) &&
           ax_width_is_valid(in->width) && (in->loads || in->stores);
}

// Code that another vCPU changed meanwhile is believed only as far as it explains the fault.
static bool decode(const X86VCpu *vcpu, X86Instruction *in)
{
    uint8_t bytes[X86_MAX_INSTRUCTION];
    const size_t count = x86_fetch(vcpu, bytes);

    return x86_decode(bytes, count, code_size(vcpu), in) && is_emulated(in) &&
           (in->stores || vcpu->exit.fault.access != AX_MAP_WRITE);
}

static uint64_t operand(const X86VCpu *vcpu, const X86Instruction *in)
{
    return in->has_reg ? register_value(vcpu, in) : (uint64_t)in->immediate;
}

static bool changes_flags_only(X86Operation operation)
{
    return operation == X86_CMP || operation == X86_TEST || operation == X86_BT;
}

static void load_move(X86VCpu *vcpu, const X86Instruction *in, uint64_t value)
{
    const AccessWidth width = (AccessWidth)in->width;

    set_register(vcpu, in,
                 in->sign_extend ? ax_sign_extend(value, width) : value & ax_width_mask(width));
}

// Memory is read only.
static void load(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory)
{
    const uint64_t other = operand(vcpu, in);
    X86AluResult result;

    if (in->operation == X86_MOV) {
        load_move(vcpu, in, memory);
        return;
    }
    result = in->reg_first ? x86_alu(in->operation, in->width, other, memory, vcpu->regs.rflags)
                           : x86_alu(in->operation, in->width, memory, other, vcpu->regs.rflags);
    vcpu->regs.rflags = result.rflags;
    if (!changes_flags_only(in->operation)) {
        set_register(vcpu, in, result.value);
    }
}

// CMPXCHG: what goes back to memory. The accumulator changes only when the comparison fails.
static uint64_t compare_exchange(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory)
{
    const X86AluResult result = x86_alu(in->operation, in->width, vcpu->regs.gpr[RAX], memory,
                                        vcpu->regs.rflags);

    vcpu->regs.rflags = result.rflags;
    if ((result.rflags & RFLAGS_ZF) != 0) {
        return operand(vcpu, in);
    }
    x86_set_gpr(vcpu, RAX, in->width, memory);
    return memory;
}

// Memory is read, then written with the result.
static uint64_t modify(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory)
{
    const uint64_t other = operand(vcpu, in);
    X86AluResult result;

    if (in->operation == X86_CMPXCHG) {
        return compare_exchange(vcpu, in, memory);
    }
    result = x86_alu(in->operation, in->width, memory, other, vcpu->regs.rflags);
    vcpu->regs.rflags = result.rflags;
    if (in->operation == X86_XCHG || in->operation == X86_XADD) {
        set_register(vcpu, in, memory);
    }
    return result.value;
}

// Memory is written only.
static uint64_t stored_value(const X86VCpu *vcpu, const X86Instruction *in)
{
    if (in->operation == X86_SETCC) {
        return x86_condition(in->condition, vcpu->regs.rflags) ? 1 : 0;
    }
    return x86_alu(in->operation, in->width, 0, operand(vcpu, in), vcpu->regs.rflags).value;
}

// ---- the local APIC's page ----

// Registers are 32 bits wide and 16 bytes apart; what lies between reads as zeros.
static uint64_t read_apic(X86VCpu *vcpu, const X86Instruction *in)
{
    const uint32_t offset = (uint32_t)(vcpu->exit.fault.gpa % AX_PAGE_SIZE);
    uint64_t value = 0;

    (void)x86_lapic_read(vcpu, offset & ~UINT32_C(15), &value);
    return (offset % 16 < 4 ? value >> (8 * offset % 32) : 0) &
           ax_width_mask((AccessWidth)in->width);
}

static X86Next write_apic(X86VCpu *vcpu, uint64_t value, AxVCpuExit *exit)
{
    const uint32_t offset = (uint32_t)(vcpu->exit.fault.gpa % AX_PAGE_SIZE);
    X86Next next = X86_RESUME;

    if (offset % 16 == 0) {
        (void)x86_lapic_write(vcpu, offset, value, exit, &next);
    }
    return next;
}

static X86Next apic_access(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    const uint64_t memory = in->loads ? read_apic(vcpu, in) : 0;
    X86Next next = X86_RESUME;

    if (!in->stores) {
        load(vcpu, in, memory);
    } else {
        next = write_apic(vcpu, in->loads ? modify(vcpu, in, memory) : stored_value(vcpu, in),
                          exit);
    }
    x86_advance(vcpu, in->length);
    return next;
}

static bool is_apic(const X86VCpu *vcpu)
{
    return vcpu->exit.fault.gpa / AX_PAGE_SIZE == X86_APIC_PAGE / AX_PAGE_SIZE &&
           x86_lapic_is_enabled(vcpu) && !x86_lapic_is_x2apic(vcpu);
}

// ---- MMIO ----

// ---- MMIO: the instruction is kept from the exit to its completion ----

static_assert(sizeof(X86Instruction) <= sizeof(((X86VCpu *)0)->instruction), "is kept in the vCPU");

static void keep(X86VCpu *vcpu, const X86Instruction *in)
{
    memcpy(vcpu->instruction, in, sizeof(*in));
}

static X86Instruction kept(const X86VCpu *vcpu)
{
    X86Instruction in;

    memcpy(&in, vcpu->instruction, sizeof(in));
    return in;
}

static X86Next exit_read(const X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_MMIO_READ,
        .mmio = {.addr = ax_gpa(vcpu->exit.fault.gpa),
                 .width = (AccessWidth)in->width,
                 .reg = in->reg,
                 .reg_width = in->has_reg ? (AccessWidth)in->reg_width : (AccessWidth)in->width,
                 .sign_extend = in->sign_extend},
    };
    return X86_LEAVE;
}

static X86Next exit_write(const X86VCpu *vcpu, const X86Instruction *in, uint64_t value,
                          AxVCpuExit *exit)
{
    const AccessWidth width = (AccessWidth)in->width;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_MMIO_WRITE,
        .mmio = {.addr = ax_gpa(vcpu->exit.fault.gpa),
                 .width = width,
                 .data = value & ax_width_mask(width),
                 .reg_width = AX_WIDTH_QWORD},
    };
    return X86_LEAVE;
}

// ---- STOS and MOVS: an exit per element, RIP stays until the count is through ----

static uint64_t string_address(const X86VCpu *vcpu, const X86Instruction *in, X86Segment segment,
                               unsigned index)
{
    const AccessWidth size = (AccessWidth)in->memory.address_size;

    return x86_segment_base(vcpu, segment) + (vcpu->regs.gpr[index] & ax_width_mask(size));
}

// The other operand of MOVS: `value` has been read, or will be written where that is possible.
static bool other_operand(const X86VCpu *vcpu, const X86Instruction *in, bool is_write,
                          uint64_t *value, X86Fault *fault)
{
    if (!is_write) {
        return x86_may_write(vcpu, string_address(vcpu, in, X86_ES, RDI), in->width, fault);
    }
    return in->operation != X86_MOVS ||
           x86_read_memory(vcpu, string_address(vcpu, in, in->memory.segment, RSI), 0, value,
                           in->width, fault);
}

static X86Next exit_string(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    const bool is_write = vcpu->exit.fault.access == AX_MAP_WRITE;
    uint64_t value = vcpu->regs.gpr[RAX];
    X86Fault fault;

    if (!other_operand(vcpu, in, is_write, &value, &fault)) {
        x86_inject_fault(vcpu, &fault);
        return X86_RESUME;
    }
    return is_write ? exit_write(vcpu, in, value, exit) : exit_read(vcpu, in, exit);
}

static void move_index(X86VCpu *vcpu, const X86Instruction *in, unsigned index, uint64_t step)
{
    x86_set_gpr(vcpu, index, in->memory.address_size, vcpu->regs.gpr[index] + step);
}

static void next_element(X86VCpu *vcpu, const X86Instruction *in)
{
    const AccessWidth size = (AccessWidth)in->memory.address_size;
    const uint64_t width = in->width;
    const uint64_t step = (vcpu->regs.rflags & RFLAGS_DF) != 0 ? -width : width;

    move_index(vcpu, in, RDI, step);
    if (in->operation == X86_MOVS) {
        move_index(vcpu, in, RSI, step);
    }
    if (in->repeat != X86_REPEAT_NONE) {
        move_index(vcpu, in, RCX, UINT64_MAX);
        if ((vcpu->regs.gpr[RCX] & ax_width_mask(size)) != 0) {
            x86_single_step(vcpu);
            return;
        }
    }
    x86_advance(vcpu, in->length);
}

static AxError complete_string(X86VCpu *vcpu, const X86Instruction *in, const AxVCpuExit *exit,
                               uint64_t value)
{
    X86Fault fault;

    if (exit->reason == AX_EXIT_MMIO_READ &&
        !x86_write_memory(vcpu, string_address(vcpu, in, X86_ES, RDI), &value, in->width, &fault)) {
        x86_inject_fault(vcpu, &fault);
        return AX_OK;
    }
    next_element(vcpu, in);
    return AX_OK;
}

static X86Next exit_mmio(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    keep(vcpu, in);
    if (is_string(in)) {
        return exit_string(vcpu, in, exit);
    }
    return in->loads ? exit_read(vcpu, in, exit)
                     : exit_write(vcpu, in, stored_value(vcpu, in), exit);
}

// What delivers an event, or walks tables, is no instruction's own access.
X86Next x86_handle_nested_fault(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Instruction in;

    if (vcpu->exit.event.valid || vcpu->exit.fault.walk ||
        vcpu->exit.fault.access == AX_MAP_EXECUTE || !decode(vcpu, &in) ||
        vcpu->exit.fault.gpa % AX_PAGE_SIZE + in.width > AX_PAGE_SIZE) {
        return exit_page_fault(vcpu, exit);
    }
    if (!is_apic(vcpu)) {
        return exit_mmio(vcpu, &in, exit);
    }
    return is_string(&in) ? exit_page_fault(vcpu, exit) : apic_access(vcpu, &in, exit);
}

// The second exit of an instruction that reads and writes.
X86Next x86_resume_mmio(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const X86Instruction in = kept(vcpu);

    vcpu->due = X86_DUE_NONE;
    return exit_write(vcpu, &in, modify(vcpu, &in, vcpu->mmio_value), exit);
}

AxError x86_complete_mmio(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    const X86Instruction in = kept(vcpu);

    if (is_string(&in)) {
        return complete_string(vcpu, &in, exit, value);
    }
    if (exit->reason == AX_EXIT_MMIO_READ && in.stores) {
        vcpu->mmio_value = value & ax_width_mask((AccessWidth)in.width);
        vcpu->due = X86_DUE_MMIO_WRITE;
        return AX_OK;
    }
    if (exit->reason == AX_EXIT_MMIO_READ) {
        load(vcpu, &in, value);
    }
    x86_advance(vcpu, in.length);
    return AX_OK;
}
