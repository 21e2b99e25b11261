// SPDX-License-Identifier: Apache-2.0
// Built with the backend for x86 only, whose register ids these are.
#include "x86_64_boot.h"

#define SELECTOR_CODE UINT64_C(0x10)
#define SELECTOR_DATA UINT64_C(0x18)
#define FLAT_LIMIT    UINT64_C(0xffffffff)

// X86_FIELD attributes: type, S, DPL, P; then AVL, L, D/B, G.
#define CODE_32 UINT64_C(0xc9b)
#define CODE_64 UINT64_C(0xa9b)
#define DATA    UINT64_C(0xc93)

#define CR0_PE   UINT64_C(0x00000001)
#define CR0_ET   UINT64_C(0x00000010)
#define CR0_PG   UINT64_C(0x80000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)

typedef struct RegValue {
    AxRegId reg;
    uint64_t value;
} RegValue;

static AxError set_all(AxVCpu *vcpu, const RegValue *values, size_t count)
{
    AxError error = AX_OK;

    for (size_t i = 0; error == AX_OK && i < count; i++) {
        error = axvcpu_set_reg(vcpu, values[i].reg, values[i].value);
    }
    return error;
}

#define SET_ALL(vcpu, values) set_all(vcpu, values, sizeof(values) / sizeof((values)[0]))

#define FIELD(name) X86_REG_FIELD(X86_FIELD_##name)

#define SEGMENT(name, selector, attributes)                                     \
    {FIELD(name##_SELECTOR), selector}, {FIELD(name##_ATTRIBUTES), attributes}, \
        {FIELD(name##_LIMIT), FLAT_LIMIT},                                      \
    {                                                                           \
        FIELD(name##_BASE), 0                                                   \
    }

static AxError set_segments(AxVCpu *vcpu, uint64_t code)
{
    const RegValue values[] = {
        SEGMENT(CS, SELECTOR_CODE, code), SEGMENT(DS, SELECTOR_DATA, DATA),
        SEGMENT(ES, SELECTOR_DATA, DATA), SEGMENT(FS, SELECTOR_DATA, DATA),
        SEGMENT(GS, SELECTOR_DATA, DATA), SEGMENT(SS, SELECTOR_DATA, DATA),
    };

    return SET_ALL(vcpu, values);
}

static AxError set_mode(AxVCpu *vcpu, const X86Start *start)
{
    const bool is_long = start->mode == X86_START_LONG;
    const RegValue values[] = {
        {FIELD(GDTR_BASE), start->gdt_base},
        {FIELD(GDTR_LIMIT), start->gdt_limit},
        {FIELD(CR3), start->cr3},
        {FIELD(CR4), is_long ? CR4_PAE : 0},
        {FIELD(EFER), is_long ? EFER_LME | EFER_LMA : 0},
        {FIELD(CR0), CR0_PE | CR0_ET | (is_long ? CR0_PG : 0)},
    };
    const AxError error = set_segments(vcpu, is_long ? CODE_64 : CODE_32);

    return error == AX_OK ? SET_ALL(vcpu, values) : error;
}

AxError axvm_x86_64_set_start(AxVCpu *vcpu, const X86Start *start)
{
    const RegValue values[] = {
        {AX_REG_PC, start->entry.value},
        {AX_REG_GPR(0), start->rax},
        {AX_REG_GPR(3), start->rbx},
        {AX_REG_GPR(6), start->rsi},
    };
    const AxError error = set_mode(vcpu, start);

    return error == AX_OK ? SET_ALL(vcpu, values) : error;
}
