// SPDX-License-Identifier: Apache-2.0
// Port accesses. A string form leaves once per element: RIP stays on the instruction until its count
// is through, as it does when an interrupt comes in between.
#include "x86.h"

#define SEGMENT_ES 0u
#define SEGMENT_DS 3u

// ---- string forms ----

static uint64_t address_mask(const X86VCpu *vcpu)
{
    const unsigned size = vcpu->exit.io.address_size;

    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static const struct {
    uint8_t prefix;
    uint8_t segment;
} overrides[] = {{0x26, 0}, {0x2e, 1}, {0x36, 2}, {0x3e, 3}, {0x64, 4}, {0x65, 5}};

#define PREFIX_ADDRESS_SIZE 0x67

static unsigned default_address_size(const X86VCpu *vcpu)
{
    if (x86_is_64bit(vcpu)) {
        return 8;
    }
    return (x86_read(vcpu, X86_FIELD_CS_ATTRIBUTES) & SEGMENT_BIG) != 0 ? 4 : 2;
}

static unsigned other_address_size(unsigned size)
{
    return size == 4 ? 2 : 4;
}

// Segment of OUTS and address size by the prefixes: not every processor tells (QEMU 7.2 does neither).
// The last override counts. What is no prefix ends them: the opcode, 6C to 6F.
static void look_at_prefixes(X86VCpu *vcpu)
{
    uint8_t bytes[15];
    const size_t count = x86_fetch(vcpu, bytes);
    unsigned size = default_address_size(vcpu);

    vcpu->exit.io.segment = SEGMENT_DS;
    for (size_t at = 0; at < count && (bytes[at] & 0xfc) != 0x6c; at++) {
        for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
            if (overrides[i].prefix == bytes[at]) {
                vcpu->exit.io.segment = overrides[i].segment;
            }
        }
        if (bytes[at] == PREFIX_ADDRESS_SIZE) {
            size = other_address_size(default_address_size(vcpu));
        }
    }
    vcpu->exit.io.address_size = (uint8_t)size;
}

static uint64_t element_address(const X86VCpu *vcpu)
{
    const bool in = vcpu->exit.io.in;
    const uint64_t offset = vcpu->regs.gpr[in ? RDI : RSI] & address_mask(vcpu);

    return x86_segment_base(vcpu, in ? SEGMENT_ES : vcpu->exit.io.segment) + offset;
}

static void put_address(X86VCpu *vcpu, unsigned n, uint64_t value)
{
    x86_set_gpr(vcpu, n, vcpu->exit.io.address_size, value);
}

static bool count_is_through(const X86VCpu *vcpu)
{
    return vcpu->exit.io.repeat && (vcpu->regs.gpr[RCX] & address_mask(vcpu)) == 0;
}

static void next_element(X86VCpu *vcpu)
{
    const X86Exit *cause = &vcpu->exit;
    const unsigned index = cause->io.in ? RDI : RSI;
    const uint64_t step = (vcpu->regs.rflags & RFLAGS_DF) != 0 ? -(uint64_t)cause->io.width
                                                               : cause->io.width;

    put_address(vcpu, index, vcpu->regs.gpr[index] + step);
    if (cause->io.repeat) {
        put_address(vcpu, RCX, vcpu->regs.gpr[RCX] - 1);
    }
    if (!cause->io.repeat || count_is_through(vcpu)) {
        x86_advance(vcpu, cause->length);
    } else {
        x86_single_step(vcpu);
    }
}

// ---- one access ----

static X86Next leave(const X86VCpu *vcpu, uint64_t data, AxVCpuExit *exit)
{
    const AccessWidth width = (AccessWidth)vcpu->exit.io.width;

    *exit = (AxVCpuExit){
        .reason = vcpu->exit.io.in ? AX_EXIT_IO_READ : AX_EXIT_IO_WRITE,
        .io = {.port = {vcpu->exit.io.port}, .width = width, .data = data & ax_width_mask(width)},
    };
    return X86_LEAVE;
}

// What the access does in memory: OUTS has read `data`, and INS will be able to write.
static bool access_memory(const X86VCpu *vcpu, uint64_t *data, X86Fault *fault)
{
    const uint64_t address = element_address(vcpu);
    const unsigned width = vcpu->exit.io.width;

    return vcpu->exit.io.in ? x86_may_write(vcpu, address, width, fault)
                            : x86_read_memory(vcpu, address, 0, data, width, fault);
}

static X86Next handle_string(X86VCpu *vcpu, AxVCpuExit *exit)
{
    uint64_t data = 0;
    X86Fault fault;

    look_at_prefixes(vcpu);
    if (count_is_through(vcpu)) {
        x86_advance(vcpu, vcpu->exit.length);
        return X86_RESUME;
    }
    if (!access_memory(vcpu, &data, &fault)) {
        return x86_raise(vcpu, &fault, exit);
    }
    return leave(vcpu, data, exit);
}

X86Next x86_handle_io(X86VCpu *vcpu, AxVCpuExit *exit)
{
    const unsigned width = vcpu->exit.io.width;

    if (width != 1 && width != 2 && width != 4) {
        return x86_exit_unhandled(vcpu, exit);
    }
    if (vcpu->exit.io.string) {
        return handle_string(vcpu, exit);
    }
    return leave(vcpu, vcpu->exit.io.in ? 0 : vcpu->regs.gpr[RAX], exit);
}

AxError x86_complete_io(X86VCpu *vcpu, const AxVCpuExit *exit, uint64_t value)
{
    const unsigned width = vcpu->exit.io.width;
    X86Fault fault;

    (void)exit;
    if (!vcpu->exit.io.string) {
        if (vcpu->exit.io.in) {
            x86_set_gpr(vcpu, RAX, width, value);
        }
        x86_advance(vcpu, vcpu->exit.length);
        return AX_OK;
    }
    if (vcpu->exit.io.in && !x86_write_memory(vcpu, element_address(vcpu), &value, width, &fault)) {
        x86_inject_fault(vcpu, &fault);
        return AX_OK;
    }
    next_element(vcpu);
    return AX_OK;
}
