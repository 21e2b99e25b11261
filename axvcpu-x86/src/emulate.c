// SPDX-License-Identifier: Apache-2.0
// What an instruction whose memory operand trapped does with everything else: registers, flags, its
// other operand in memory, the stack.
#include "alu.h"
#include "x86.h"

#include <string.h>

#define XMM_SIZE 16u

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

static uint64_t operand(const X86VCpu *vcpu, const X86Instruction *in)
{
    return in->has_reg ? register_value(vcpu, in) : (uint64_t)in->immediate;
}

// ---- addresses ----

static uint64_t register_or_0(const X86VCpu *vcpu, uint8_t reg)
{
    return reg == X86_NO_REGISTER ? 0 : vcpu->regs.gpr[reg % 16];
}

static uint64_t bit_distance(const X86VCpu *vcpu, const X86Instruction *in)
{
    const bool is_bit = in->operation >= X86_BT && in->operation <= X86_BTC;

    return is_bit && in->has_reg
               ? (uint64_t)x86_bit_distance(in->width, vcpu->regs.gpr[in->reg % 16])
               : 0;
}

uint64_t x86_operand_address(const X86VCpu *vcpu, const X86Instruction *in)
{
    const X86Memory *memory = &in->memory;
    uint64_t offset = (uint64_t)memory->displacement + register_or_0(vcpu, memory->base) +
                      register_or_0(vcpu, memory->index) * memory->scale + bit_distance(vcpu, in);

    offset += memory->rip_relative ? vcpu->regs.rip + in->length : 0;
    offset += in->operation == X86_POP && memory->base == RSP ? in->width : 0;
    return x86_segment_base(vcpu, memory->segment) +
           (offset & ax_width_mask((AccessWidth)memory->address_size));
}

uint64_t x86_destination_address(const X86VCpu *vcpu, const X86Instruction *in)
{
    const AccessWidth size = (AccessWidth)in->memory.address_size;

    return x86_segment_base(vcpu, X86_ES) + (vcpu->regs.gpr[RDI] & ax_width_mask(size));
}

// ---- the stack ----

static AccessWidth stack_size(const X86VCpu *vcpu)
{
    if (x86_is_64bit(vcpu)) {
        return AX_WIDTH_QWORD;
    }
    return (x86_read(vcpu, X86_FIELD_SS_ATTRIBUTES) & SEGMENT_BIG) != 0 ? AX_WIDTH_DWORD
                                                                        : AX_WIDTH_WORD;
}

static uint64_t stack_address(const X86VCpu *vcpu, uint64_t rsp)
{
    return x86_segment_base(vcpu, X86_SS) + (rsp & ax_width_mask(stack_size(vcpu)));
}

static void move_stack(X86VCpu *vcpu, uint64_t rsp)
{
    x86_set_gpr(vcpu, RSP, stack_size(vcpu), rsp);
}

// ---- strings ----

bool x86_is_string(const X86Instruction *in)
{
    return in->operation >= X86_MOVS && in->operation <= X86_SCAS;
}

static void move_index(X86VCpu *vcpu, const X86Instruction *in, unsigned index, uint64_t step)
{
    x86_set_gpr(vcpu, index, in->memory.address_size, vcpu->regs.gpr[index] + step);
}

// CMPS and SCAS also end with what they have found: REPE with a difference, REPNE with none.
static bool is_found(const X86VCpu *vcpu, const X86Instruction *in)
{
    const bool equal = (vcpu->regs.rflags & RFLAGS_ZF) != 0;

    return (in->operation == X86_CMPS || in->operation == X86_SCAS) &&
           equal != (in->repeat == X86_REP);
}

static bool is_last(X86VCpu *vcpu, const X86Instruction *in)
{
    if (in->repeat == X86_REPEAT_NONE) {
        return true;
    }
    move_index(vcpu, in, RCX, UINT64_MAX);
    return (vcpu->regs.gpr[RCX] & ax_width_mask((AccessWidth)in->memory.address_size)) == 0 ||
           is_found(vcpu, in);
}

// RIP stays until the count is through, as it does when an interrupt comes in between.
static void next_element(X86VCpu *vcpu, const X86Instruction *in)
{
    const uint64_t width = in->width;
    const uint64_t step = (vcpu->regs.rflags & RFLAGS_DF) != 0 ? -width : width;

    if (in->operation != X86_STOS && in->operation != X86_SCAS) {
        move_index(vcpu, in, RSI, step);
    }
    if (in->operation != X86_LODS) {
        move_index(vcpu, in, RDI, step);
    }
    if (is_last(vcpu, in)) {
        x86_advance(vcpu, in->length);
    } else {
        x86_single_step(vcpu);
    }
}

// ---- before the first access ----

// The operand of CMPS that trapped is the one whose page that is.
static bool read_cmps(X86VCpu *vcpu, const X86Instruction *in, bool *is_second, uint64_t *other,
                      X86Fault *fault)
{
    uint64_t gpa[2];

    if (!x86_translate_data(vcpu, x86_operand_address(vcpu, in), in->width, 0, gpa, fault)) {
        return false;
    }
    *is_second = gpa[0] / AX_PAGE_SIZE != vcpu->exit.fault.gpa / AX_PAGE_SIZE;
    return x86_read_memory(
        vcpu, *is_second ? x86_operand_address(vcpu, in) : x86_destination_address(vcpu, in), 0,
        other, in->width, fault);
}

// Processors look at that first; QEMU's do not.
static bool is_aligned(const X86VCpu *vcpu, const X86Instruction *in, X86Fault *fault)
{
    *fault = (X86Fault){.vector = VECTOR_GP};
    return !in->aligned || x86_operand_address(vcpu, in) % XMM_SIZE == 0;
}

bool x86_emulate_check(X86VCpu *vcpu, const X86Instruction *in, X86Fault *fault)
{
    const uint64_t rsp = vcpu->regs.gpr[RSP];
    uint64_t other = 0;
    uint64_t gpa[2];
    bool is_second;

    switch (in->operation) {
    case X86_PUSH:
        return x86_may_write(vcpu, stack_address(vcpu, rsp - in->width), in->width, fault);
    case X86_MOVS:
        return vcpu->exit.fault.access == AX_MAP_WRITE ||
               x86_translate_data(vcpu, x86_destination_address(vcpu, in), in->width, PF_WRITE, gpa,
                                  fault); // to a device, too
    case X86_CMPS: return read_cmps(vcpu, in, &is_second, &other, fault);
    case X86_VECTOR_MOV: return is_aligned(vcpu, in, fault);
    default: return true;
    }
}

// ---- memory is read only ----

static void load_vector(X86VCpu *vcpu, const X86Instruction *in, const uint64_t *memory)
{
    uint64_t value[2] = {0, 0};

    memcpy(value, memory, in->width);
    x86_xmm_set(vcpu, in->reg, value);
}

static void load_move(X86VCpu *vcpu, const X86Instruction *in, uint64_t value)
{
    const AccessWidth width = (AccessWidth)in->width;

    set_register(vcpu, in,
                 in->sign_extend ? ax_sign_extend(value, width) : value & ax_width_mask(width));
}

static bool changes_flags_only(X86Operation operation)
{
    return operation == X86_CMP || operation == X86_TEST || operation == X86_BT ||
           operation == X86_SCAS;
}

static void load_alu(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory)
{
    const uint64_t other = operand(vcpu, in);
    const X86AluResult result =
        in->reg_first ? x86_alu(in->operation, in->width, other, memory, vcpu->regs.rflags)
                      : x86_alu(in->operation, in->width, memory, other, vcpu->regs.rflags);

    vcpu->regs.rflags = result.rflags;
    if (!changes_flags_only(in->operation)) {
        set_register(vcpu, in, result.value);
    }
}

static bool load_compare(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory, X86Fault *fault)
{
    uint64_t other = 0;
    bool is_second;

    if (!read_cmps(vcpu, in, &is_second, &other, fault)) {
        return false;
    }
    vcpu->regs.rflags = x86_alu(X86_CMPS, in->width, is_second ? other : memory,
                                is_second ? memory : other, vcpu->regs.rflags)
                            .rflags;
    return true;
}

static bool load_push(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory, X86Fault *fault)
{
    const uint64_t rsp = vcpu->regs.gpr[RSP] - in->width;

    if (!x86_write_memory(vcpu, stack_address(vcpu, rsp), &memory, in->width, fault)) {
        return false;
    }
    move_stack(vcpu, rsp);
    return true;
}

bool x86_emulate_load(X86VCpu *vcpu, const X86Instruction *in, const uint64_t *memory,
                      X86Fault *fault)
{
    switch (in->operation) {
    case X86_MOV: load_move(vcpu, in, *memory); return true;
    case X86_VECTOR_MOV: load_vector(vcpu, in, memory); return true;
    case X86_CMPS: return load_compare(vcpu, in, *memory, fault);
    case X86_PUSH: return load_push(vcpu, in, *memory, fault);
    default: load_alu(vcpu, in, *memory); return true;
    }
}

// ---- memory is read and written ----

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

uint64_t x86_emulate_modify(X86VCpu *vcpu, const X86Instruction *in, uint64_t memory)
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

// ---- memory is written only ----

bool x86_emulate_store(X86VCpu *vcpu, const X86Instruction *in, uint64_t *memory, X86Fault *fault)
{
    switch (in->operation) {
    case X86_SETCC: *memory = x86_condition(in->condition, vcpu->regs.rflags) ? 1 : 0; return true;
    case X86_VECTOR_MOV: x86_xmm_get(vcpu, in->reg, memory); return true;
    case X86_POP:
        return x86_read_memory(vcpu, stack_address(vcpu, vcpu->regs.gpr[RSP]), 0, memory, in->width,
                               fault);
    case X86_MOVS:
        return x86_read_memory(vcpu, x86_operand_address(vcpu, in), 0, memory, in->width, fault);
    default:
        *memory = x86_alu(in->operation, in->width, 0, operand(vcpu, in), vcpu->regs.rflags).value;
        return true;
    }
}

// ---- behind the last access ----

void x86_emulate_end(X86VCpu *vcpu, const X86Instruction *in)
{
    if (x86_is_string(in)) {
        next_element(vcpu, in);
        return;
    }
    if (in->operation == X86_POP) {
        move_stack(vcpu, vcpu->regs.gpr[RSP] + in->width);
    }
    x86_advance(vcpu, in->length);
}
