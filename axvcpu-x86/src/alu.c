// SPDX-License-Identifier: Apache-2.0
// Integer operations and their flags (SDM vol. 1, 3.4.3.1 and appendix A; vol. 2, the instructions).
#include "alu.h"

#define FLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

typedef struct Inputs {
    uint64_t first; // both without what lies above `mask`
    uint64_t second;
    uint64_t rflags;
    uint64_t mask;
    uint64_t top; // the highest bit of the operands
    unsigned width;
} Inputs;

typedef X86AluResult (*Alu)(const Inputs *in);

static uint64_t flag_if(bool condition, uint64_t flag)
{
    return condition ? flag : 0;
}

// PF: the lowest byte has an even number of ones. Bit n of 0x9669 says it of the number n.
static bool parity(uint64_t value)
{
    const unsigned folded = (unsigned)(value ^ (value >> 4)) & 0xf;

    return ((0x9669u >> folded) & 1) != 0;
}

// The result of all that sets the six status flags: those of the value, and three that are given.
static X86AluResult with_flags(const Inputs *in, uint64_t value, uint64_t carry_adjust_overflow)
{
    return (X86AluResult){
        .value = value,
        .rflags = (in->rflags & ~FLAGS_ARITHMETIC) | carry_adjust_overflow |
                  flag_if(parity(value), RFLAGS_PF) | flag_if(value == 0, RFLAGS_ZF) |
                  flag_if((value & in->top) != 0, RFLAGS_SF),
    };
}

// The value is the first operand, which the instruction only looks at.
static X86AluResult flags_alone(const Inputs *in, X86AluResult result)
{
    return (X86AluResult){.value = in->first, .rflags = result.rflags};
}

static X86AluResult add_carry(const Inputs *in, uint64_t second, uint64_t carry)
{
    const uint64_t first = in->first;
    const uint64_t sum = (first + second + carry) & in->mask;
    const uint64_t carries = (first & second) | ((first | second) & ~sum);

    return with_flags(in, sum,
                      flag_if((carries & in->top) != 0, RFLAGS_CF) |
                          ((first ^ second ^ sum) & RFLAGS_AF) |
                          flag_if(((first ^ sum) & (second ^ sum) & in->top) != 0, RFLAGS_OF));
}

static X86AluResult subtract_borrow(const Inputs *in, uint64_t first, uint64_t second,
                                    uint64_t borrow)
{
    const uint64_t difference = (first - second - borrow) & in->mask;
    const uint64_t borrows = (~first & second) | ((~first | second) & difference);

    return with_flags(
        in, difference,
        flag_if((borrows & in->top) != 0, RFLAGS_CF) | ((first ^ second ^ difference) & RFLAGS_AF) |
            flag_if(((first ^ second) & (first ^ difference) & in->top) != 0, RFLAGS_OF));
}

static X86AluResult add(const Inputs *in)
{
    return add_carry(in, in->second, 0);
}

static X86AluResult adc(const Inputs *in)
{
    return add_carry(in, in->second, in->rflags & RFLAGS_CF);
}

static X86AluResult sub(const Inputs *in)
{
    return subtract_borrow(in, in->first, in->second, 0);
}

static X86AluResult sbb(const Inputs *in)
{
    return subtract_borrow(in, in->first, in->second, in->rflags & RFLAGS_CF);
}

static X86AluResult compare(const Inputs *in)
{
    return flags_alone(in, sub(in));
}

static X86AluResult neg(const Inputs *in)
{
    return subtract_borrow(in, 0, in->first, 0);
}

// INC and DEC leave CF alone.
static X86AluResult keep_carry(const Inputs *in, X86AluResult result)
{
    result.rflags = (result.rflags & ~RFLAGS_CF) | (in->rflags & RFLAGS_CF);
    return result;
}

static X86AluResult inc(const Inputs *in)
{
    return keep_carry(in, add_carry(in, 1, 0));
}

static X86AluResult dec(const Inputs *in)
{
    return keep_carry(in, subtract_borrow(in, in->first, 1, 0));
}

static X86AluResult bitwise_and(const Inputs *in)
{
    return with_flags(in, in->first & in->second, 0);
}

static X86AluResult bitwise_or(const Inputs *in)
{
    return with_flags(in, in->first | in->second, 0);
}

static X86AluResult bitwise_xor(const Inputs *in)
{
    return with_flags(in, in->first ^ in->second, 0);
}

static X86AluResult test(const Inputs *in)
{
    return flags_alone(in, bitwise_and(in));
}

static X86AluResult bitwise_not(const Inputs *in)
{
    return (X86AluResult){.value = ~in->first & in->mask, .rflags = in->rflags};
}

static uint64_t selected_bit(const Inputs *in)
{
    return UINT64_C(1) << (in->second & (8 * in->width - 1));
}

// CF is the bit as it was.
static X86AluResult with_bit(const Inputs *in, uint64_t value)
{
    return (X86AluResult){
        .value = value,
        .rflags = (in->rflags & ~RFLAGS_CF) |
                  flag_if((in->first & selected_bit(in)) != 0, RFLAGS_CF),
    };
}

static X86AluResult bt(const Inputs *in)
{
    return with_bit(in, in->first);
}

static X86AluResult bts(const Inputs *in)
{
    return with_bit(in, in->first | selected_bit(in));
}

static X86AluResult btr(const Inputs *in)
{
    return with_bit(in, in->first & ~selected_bit(in));
}

static X86AluResult btc(const Inputs *in)
{
    return with_bit(in, in->first ^ selected_bit(in));
}

static X86AluResult reverse_bytes(const Inputs *in)
{
    const uint64_t reversed = __builtin_bswap64(in->second) >> (64 - 8 * in->width);

    return (X86AluResult){.value = reversed, .rflags = in->rflags};
}

static X86AluResult move(const Inputs *in)
{
    return (X86AluResult){.value = in->second, .rflags = in->rflags};
}

// What is not here moves.
static const Alu operations[X86_OPERATIONS] = {
    [X86_ADD] = add,         [X86_OR] = bitwise_or,
    [X86_ADC] = adc,         [X86_SBB] = sbb,
    [X86_AND] = bitwise_and, [X86_SUB] = sub,
    [X86_XOR] = bitwise_xor, [X86_CMP] = compare,
    [X86_TEST] = test,       [X86_NOT] = bitwise_not,
    [X86_NEG] = neg,         [X86_INC] = inc,
    [X86_DEC] = dec,         [X86_BT] = bt,
    [X86_BTS] = bts,         [X86_BTR] = btr,
    [X86_BTC] = btc,         [X86_XADD] = add,
    [X86_CMPXCHG] = compare, [X86_CMPS] = compare,
    [X86_SCAS] = compare,    [X86_MOVBE] = reverse_bytes,
};

X86AluResult x86_alu(X86Operation operation, unsigned width, uint64_t first, uint64_t second,
                     uint64_t rflags)
{
    const uint64_t mask = UINT64_MAX >> (64 - 8 * width);
    const Inputs in = {
        .first = first & mask,
        .second = second & mask,
        .rflags = rflags,
        .mask = mask,
        .top = mask ^ (mask >> 1),
        .width = width,
    };
    const Alu alu = operations[operation];

    return alu != NULL ? alu(&in) : move(&in);
}

bool x86_condition(uint8_t condition, uint64_t rflags)
{
    const bool less = ((rflags & RFLAGS_SF) != 0) != ((rflags & RFLAGS_OF) != 0);
    const bool truths[8] = {
        (rflags & RFLAGS_OF) != 0,
        (rflags & RFLAGS_CF) != 0,
        (rflags & RFLAGS_ZF) != 0,
        (rflags & (RFLAGS_CF | RFLAGS_ZF)) != 0,
        (rflags & RFLAGS_SF) != 0,
        (rflags & RFLAGS_PF) != 0,
        less,
        less || (rflags & RFLAGS_ZF) != 0,
    };

    return truths[(condition >> 1) & 7] != ((condition & 1) != 0);
}
