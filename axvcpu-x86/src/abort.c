// SPDX-License-Identifier: Apache-2.0
// Nested page faults. A move that decode.c knows leaves as MMIO, or ends at the local APIC; everything
// else that memory could satisfy leaves as a nested page fault.
#include "decode.h"
#include "x86.h"

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
    uint64_t *gpr = &vcpu->regs.gpr[in->reg % 16];

    if (in->reg_high) {
        gpr = &vcpu->regs.gpr[in->reg % 4];
        *gpr = (*gpr & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
        return;
    }
    x86_set_gpr(vcpu, in->reg, in->reg_width, value);
}

// One transfer between a register, or an immediate, and memory.
static bool is_move(const X86Instruction *in)
{
    return in->operation == X86_MOV && in->loads != in->stores && ax_width_is_valid(in->width);
}

static bool decode_move(const X86VCpu *vcpu, X86Instruction *in)
{
    uint8_t bytes[X86_MAX_INSTRUCTION];
    const size_t count = x86_fetch(vcpu, bytes);

    return x86_decode(bytes, count, code_size(vcpu), in) && is_move(in) &&
           in->loads == (vcpu->exit.fault.access != AX_MAP_WRITE);
}

static uint64_t stored_value(const X86VCpu *vcpu, const X86Instruction *in)
{
    const uint64_t value = in->has_reg ? register_value(vcpu, in) : (uint64_t)in->immediate;

    return value & ax_width_mask((AccessWidth)in->width);
}

static void load(X86VCpu *vcpu, const X86Instruction *in, uint64_t value)
{
    const AccessWidth width = (AccessWidth)in->width;

    set_register(vcpu, in,
                 in->sign_extend ? ax_sign_extend(value, width) : value & ax_width_mask(width));
}

// ---- the local APIC's page ----

// The address of the operand ends where that of the fault does, unless the access began before it.
static X86Next apic_access(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    const uint32_t offset = (uint32_t)(vcpu->exit.fault.gpa % AX_PAGE_SIZE);
    X86Next next = X86_RESUME;
    uint64_t value = 0;

    if (in->stores) {
        if (offset % 16 == 0) {
            (void)x86_lapic_write(vcpu, offset, stored_value(vcpu, in), exit, &next);
        }
    } else {
        (void)x86_lapic_read(vcpu, offset & ~UINT32_C(15), &value);
        load(vcpu, in, value >> (8 * (offset % 4)));
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

static X86Next exit_mmio(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = in->loads ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE,
        .mmio = {.addr = ax_gpa(vcpu->exit.fault.gpa),
                 .width = (AccessWidth)in->width,
                 .data = in->stores ? stored_value(vcpu, in) : 0,
                 .reg = in->reg,
                 .reg_width = in->loads ? (AccessWidth)in->reg_width : AX_WIDTH_QWORD,
                 .sign_extend = in->sign_extend},
    };
    vcpu->exit.length = in->length;
    vcpu->mmio_high = in->reg_high;
    return X86_LEAVE;
}

// What delivers an event, or walks tables, is no instruction's own access.
X86Next x86_handle_nested_fault(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Instruction in;

    if (vcpu->exit.event.valid || vcpu->exit.fault.walk ||
        vcpu->exit.fault.access == AX_MAP_EXECUTE || !decode_move(vcpu, &in) ||
        vcpu->exit.fault.gpa % AX_PAGE_SIZE + in.width > AX_PAGE_SIZE) {
        return exit_page_fault(vcpu, exit);
    }
    return is_apic(vcpu) ? apic_access(vcpu, &in, exit) : exit_mmio(vcpu, &in, exit);
}

AxError x86_complete_mmio(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    if (exit->reason == AX_EXIT_MMIO_READ) {
        const X86Instruction in = {.reg = (uint8_t)exit->mmio.reg,
                                   .reg_high = vcpu->mmio_high,
                                   .reg_width = (uint8_t)exit->mmio.reg_width,
                                   .width = (uint8_t)exit->mmio.width,
                                   .sign_extend = exit->mmio.sign_extend};

        load(vcpu, &in, value);
    }
    x86_advance(vcpu, vcpu->exit.length);
    return AX_OK;
}
