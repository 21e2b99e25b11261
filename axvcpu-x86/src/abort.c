// SPDX-License-Identifier: Apache-2.0
// Nested page faults. An instruction that decode.c knows leaves as MMIO, or ends at the local APIC;
// everything else that memory could satisfy leaves as a nested page fault. One that reads and writes
// leaves twice, one that is wider than 8 bytes or crosses into another page once per piece.
#include "decode.h"
#include "x86.h"

#include <string.h>

// How far from a page's end an access lies that may go on in the next one.
#define WIDEST_ACCESS 16u

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

// The host may bring what is missing, for the instruction to begin anew.
X86Next x86_raise(X86VCpu *vcpu, const X86Fault *fault, AxVCpuExit *exit)
{
    if (fault->vector != X86_FAULT_NESTED) {
        x86_inject_fault(vcpu, fault);
        return X86_RESUME;
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_NESTED_PAGE_FAULT,
        .page_fault = {.addr = ax_gpa(fault->address),
                       .access = fault->error_code,
                       .permission = x86_ept_lookup(vcpu, fault->address, AX_MAP_READ) != NULL},
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

// Code that another vCPU changed meanwhile is believed only as far as it explains the fault. PUSH and
// POP may also have met their stack, which is no access of theirs to a device.
static bool explains(const X86Instruction *in, MappingFlags access)
{
    return access == AX_MAP_WRITE ? in->stores : in->loads;
}

static bool decode(const X86VCpu *vcpu, X86Instruction *in)
{
    uint8_t bytes[X86_MAX_INSTRUCTION];
    const size_t count = x86_fetch(vcpu, bytes);

    return x86_decode(bytes, count, code_size(vcpu), in) && explains(in, vcpu->exit.fault.access);
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

    uint64_t value = 0;
    X86Fault fault;

    if (!in->stores) {
        (void)x86_emulate_load(vcpu, in, &memory, &fault);
    } else if (in->loads) {
        next = write_apic(vcpu, x86_emulate_modify(vcpu, in, memory), exit);
    } else {
        (void)x86_emulate_store(vcpu, in, &value, &fault);
        next = write_apic(vcpu, value, exit);
    }
    x86_emulate_end(vcpu, in);
    return next;
}

// Whose other operand is a register, an immediate or none.
static bool is_simple(const X86Instruction *in)
{
    return in->operation < X86_MOVS;
}

static bool is_apic(const X86VCpu *vcpu)
{
    return vcpu->exit.fault.gpa / AX_PAGE_SIZE == X86_APIC_PAGE / AX_PAGE_SIZE &&
           x86_lapic_is_enabled(vcpu) && !x86_lapic_is_x2apic(vcpu);
}

// ---- MMIO: the access is kept from its first exit to the completion of its last ----

static_assert(sizeof(X86Instruction) <= sizeof(((X86VCpu *)0)->mmio.instruction),
              "is kept in the vCPU");

static void keep(X86VCpu *vcpu, const X86Instruction *in)
{
    memcpy(vcpu->mmio.instruction, in, sizeof(*in));
}

static X86Instruction kept(const X86VCpu *vcpu)
{
    X86Instruction in;

    memcpy(&in, vcpu->mmio.instruction, sizeof(in));
    return in;
}

static void begin(X86VCpu *vcpu, const X86Instruction *in, uint64_t gpa, bool is_write)
{
    X86Mmio *mmio = &vcpu->mmio;

    mmio->gpa[0] = gpa;
    mmio->first = in->width;
    mmio->width = in->width;
    mmio->done = 0;
    mmio->is_write = is_write;
    mmio->data[0] = 0;
    mmio->data[1] = 0;
}

// ---- its pieces ----

static uint64_t piece_gpa(const X86Mmio *mmio)
{
    return mmio->done < mmio->first ? mmio->gpa[0] + mmio->done
                                    : mmio->gpa[1] + (mmio->done - mmio->first);
}

static uint8_t piece_size(const X86Mmio *mmio)
{
    const unsigned end = mmio->done < mmio->first ? mmio->first : mmio->width;
    uint8_t size = 8;

    while (size > end - mmio->done) {
        size /= 2;
    }
    return size;
}

static uint8_t *piece_data(X86Mmio *mmio)
{
    return (uint8_t *)mmio->data + mmio->done;
}

// Pieces that lie in memory, until one does not.
static X86_RARE void pass_memory(X86VCpu *vcpu)
{
    X86Mmio *mmio = &vcpu->mmio;

    while (mmio->done < mmio->width) {
        const uint8_t size = piece_size(mmio);
        void *memory = x86_ept_lookup(vcpu, piece_gpa(mmio),
                                      mmio->is_write ? AX_MAP_WRITE : AX_MAP_READ);

        if (memory == NULL) {
            return;
        }
        if (mmio->is_write) {
            memcpy(memory, piece_data(mmio), size);
        } else {
            memcpy(piece_data(mmio), memory, size);
        }
        mmio->done += size;
    }
}

static X86Next exit_read(const X86Mmio *mmio, const X86Instruction *in, AxVCpuExit *exit)
{
    const bool is_whole = mmio->piece == in->width && in->operation != X86_VECTOR_MOV;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_MMIO_READ,
        .mmio = {.addr = ax_gpa(piece_gpa(mmio)),
                 .width = (AccessWidth)mmio->piece,
                 .reg = in->reg,
                 .reg_width = is_whole && in->has_reg ? (AccessWidth)in->reg_width
                                                      : (AccessWidth)mmio->piece,
                 .sign_extend = is_whole && in->sign_extend},
    };
    return X86_LEAVE;
}

static X86Next exit_write(X86Mmio *mmio, AxVCpuExit *exit)
{
    uint64_t data = 0;

    memcpy(&data, piece_data(mmio), mmio->piece);
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_MMIO_WRITE,
        .mmio = {.addr = ax_gpa(piece_gpa(mmio)),
                 .width = (AccessWidth)mmio->piece,
                 .data = data,
                 .reg_width = AX_WIDTH_QWORD},
    };
    return X86_LEAVE;
}

static X86Next exit_piece(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    X86Mmio *mmio = &vcpu->mmio;

    mmio->piece = piece_size(mmio);
    return mmio->is_write ? exit_write(mmio, exit) : exit_read(mmio, in, exit);
}

// ---- two pages ----

// The address that a processor gives for such an access may be cut to its width, or be that of the
// second page alone.
static bool may_cross(const X86VCpu *vcpu)
{
    return (vcpu->exit.fault.gpa + WIDEST_ACCESS) % AX_PAGE_SIZE <= WIDEST_ACCESS;
}

static uint64_t trapped_address(const X86VCpu *vcpu, const X86Instruction *in)
{
    return in->operation == X86_MOVS && vcpu->mmio.is_write ? x86_destination_address(vcpu, in)
                                                            : x86_operand_address(vcpu, in);
}

// Where the access is in both pages. False when it is not what trapped.
static X86_RARE bool place(X86VCpu *vcpu, const X86Instruction *in, uint64_t linear)
{
    X86Mmio *mmio = &vcpu->mmio;
    const uint64_t page = vcpu->exit.fault.gpa / AX_PAGE_SIZE;
    const uint64_t left = AX_PAGE_SIZE - linear % AX_PAGE_SIZE;
    X86Fault fault;

    if (left >= in->width) {
        return vcpu->exit.fault.gpa % AX_PAGE_SIZE + in->width <= AX_PAGE_SIZE;
    }
    if (!x86_translate_data(vcpu, linear, in->width, mmio->is_write ? PF_WRITE : 0, mmio->gpa,
                            &fault) ||
        (mmio->gpa[0] / AX_PAGE_SIZE != page && mmio->gpa[1] / AX_PAGE_SIZE != page)) {
        return false;
    }
    mmio->first = (uint8_t)left;
    pass_memory(vcpu);
    return true;
}

// ---- from the fault to the first exit ----

static bool start(X86VCpu *vcpu, const X86Instruction *in, X86Fault *fault)
{
    const bool is_write = vcpu->exit.fault.access == AX_MAP_WRITE;
    const bool reads_first = in->loads && !x86_is_string(in);

    begin(vcpu, in, vcpu->exit.fault.gpa, is_write && !reads_first);
    if (!x86_emulate_check(vcpu, in, fault)) {
        return false;
    }
    return !vcpu->mmio.is_write || x86_emulate_store(vcpu, in, vcpu->mmio.data, fault);
}

// What is in memory by now is tried again.
static X86Next exit_mmio(X86VCpu *vcpu, const X86Instruction *in, AxVCpuExit *exit)
{
    X86Fault fault;

    if (!start(vcpu, in, &fault)) {
        return x86_raise(vcpu, &fault, exit);
    }
    if (may_cross(vcpu) && !place(vcpu, in, trapped_address(vcpu, in))) {
        return exit_page_fault(vcpu, exit);
    }
    if (vcpu->mmio.done == vcpu->mmio.width) {
        return X86_RESUME;
    }
    keep(vcpu, in);
    return exit_piece(vcpu, in, exit);
}

// What delivers an event, or walks tables, is no instruction's own access.
X86Next x86_handle_nested_fault(X86VCpu *vcpu, AxVCpuExit *exit)
{
    X86Instruction in;

    if (vcpu->exit.event.valid || vcpu->exit.fault.walk ||
        vcpu->exit.fault.access == AX_MAP_EXECUTE || !decode(vcpu, &in)) {
        return exit_page_fault(vcpu, exit);
    }
    if (!is_apic(vcpu)) {
        return exit_mmio(vcpu, &in, exit);
    }
    return is_simple(&in) ? apic_access(vcpu, &in, exit) : exit_page_fault(vcpu, exit);
}

X86Next x86_resume_mmio(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const X86Instruction in = kept(vcpu);

    vcpu->due = X86_DUE_NONE;
    return exit_piece(vcpu, &in, exit);
}

// ---- from an answer to the next exit, or to the end of the instruction ----

static AxError go_on(X86VCpu *vcpu, const X86Instruction *in)
{
    if (vcpu->mmio.done < vcpu->mmio.width) {
        vcpu->due = X86_DUE_MMIO;
    } else {
        x86_emulate_end(vcpu, in);
    }
    return AX_OK;
}

static AxError refuse(X86VCpu *vcpu, const X86Fault *fault)
{
    x86_inject_fault(vcpu, fault);
    return AX_OK;
}

// The pieces are where they were.
static AxError write_result(X86VCpu *vcpu, const X86Instruction *in)
{
    X86Mmio *mmio = &vcpu->mmio;

    mmio->data[0] = x86_emulate_modify(vcpu, in, mmio->data[0]);
    mmio->is_write = true;
    mmio->done = 0;
    if (mmio->first != mmio->width) {
        pass_memory(vcpu);
    }
    return go_on(vcpu, in);
}

// MOVS to memory, or to one more device.
static AxError write_copy(X86VCpu *vcpu, const X86Instruction *in)
{
    const uint64_t linear = x86_destination_address(vcpu, in);
    const uint64_t left = AX_PAGE_SIZE - linear % AX_PAGE_SIZE;
    X86Mmio *mmio = &vcpu->mmio;
    X86Fault fault;

    if (!x86_translate_data(vcpu, linear, in->width, PF_WRITE, mmio->gpa, &fault)) {
        return refuse(vcpu, &fault);
    }
    mmio->first = left < in->width ? (uint8_t)left : in->width;
    mmio->is_write = true;
    mmio->done = 0;
    pass_memory(vcpu);
    return go_on(vcpu, in);
}

static AxError end_read(X86VCpu *vcpu, const X86Instruction *in)
{
    X86Fault fault;

    if (in->operation == X86_MOVS) {
        return write_copy(vcpu, in);
    }
    if (in->stores) {
        return write_result(vcpu, in);
    }
    if (!x86_emulate_load(vcpu, in, vcpu->mmio.data, &fault)) {
        return refuse(vcpu, &fault);
    }
    x86_emulate_end(vcpu, in);
    return AX_OK;
}

AxError x86_complete_mmio(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    const X86Instruction in = kept(vcpu);
    X86Mmio *mmio = &vcpu->mmio;

    if (exit->reason == AX_EXIT_MMIO_READ) {
        memcpy(piece_data(mmio), &value, mmio->piece);
    }
    mmio->done += mmio->piece;
    if (mmio->first != mmio->width) {
        pass_memory(vcpu);
    }
    if (mmio->done < mmio->width || mmio->is_write) {
        return go_on(vcpu, &in);
    }
    return end_read(vcpu, &in);
}
