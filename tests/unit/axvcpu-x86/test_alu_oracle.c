// SPDX-License-Identifier: Apache-2.0
// Values and flags against the CPU that runs the test: all pairs of bytes, the ends of all ranges,
// random operands. For x86-64 hosts.
#include "alu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

#define RANDOM_PAIRS 200000u // for each operation of each width

// What an instruction does with three registers. The third is the accumulator.
typedef struct Registers {
    uint64_t first;
    uint64_t second;
    uint64_t accumulator;
    uint64_t rflags;
} Registers;

typedef void (*Native)(Registers *registers);

// The stack pointer moves because the compiler may use the 128 bytes below it.
#define WITH_FLAGS(instruction)                                        \
    "lea -128(%%rsp), %%rsp\n\tpush %[flags]\n\tpopfq\n\t" instruction \
    "\n\tpushfq\n\tpop %[flags]\n\tlea 128(%%rsp), %%rsp"

#define NATIVE(name, type, instruction)                                \
    static void name(Registers *r)                                     \
    {                                                                  \
        type first = (type)r->first;                                   \
        type second = (type)r->second;                                 \
        uint64_t accumulator = r->accumulator;                         \
                                                                       \
        __asm__ volatile(WITH_FLAGS(instruction)                       \
                         : [first] "+r"(first), [second] "+r"(second), \
                           "+a"(accumulator), [flags] "+r"(r->rflags)  \
                         :                                             \
                         : "cc", "memory");                            \
        r->first = first;                                              \
        r->second = second;                                            \
        r->accumulator = accumulator;                                  \
    }

#define NATIVE_WIDE(name, instruction)      \
    NATIVE(name##_2, uint16_t, instruction) \
    NATIVE(name##_4, uint32_t, instruction) \
    NATIVE(name##_8, uint64_t, instruction)
#define NATIVE_ALL(name, instruction)      \
    NATIVE(name##_1, uint8_t, instruction) \
    NATIVE_WIDE(name, instruction)

NATIVE_ALL(add, "add %[second], %[first]")
NATIVE_ALL(or, "or %[second], %[first]")
NATIVE_ALL(adc, "adc %[second], %[first]")
NATIVE_ALL(sbb, "sbb %[second], %[first]")
NATIVE_ALL(and, "and %[second], %[first]")
NATIVE_ALL(sub, "sub %[second], %[first]")
NATIVE_ALL(xor, "xor %[second], %[first]")
NATIVE_ALL(cmp, "cmp %[second], %[first]")
NATIVE_ALL(test, "test %[second], %[first]")
NATIVE_ALL(not, "not %[first]")
NATIVE_ALL(neg, "neg %[first]")
NATIVE_ALL(inc, "inc %[first]")
NATIVE_ALL(dec, "dec %[first]")
NATIVE_ALL(xadd, "xadd %[second], %[first]")
NATIVE_ALL(cmpxchg, "cmpxchg %[second], %[first]")
NATIVE_WIDE(bt, "bt %[second], %[first]")
NATIVE_WIDE(bts, "bts %[second], %[first]")
NATIVE_WIDE(btr, "btr %[second], %[first]")
NATIVE_WIDE(btc, "btc %[second], %[first]")

#define NATIVES(name)                          \
    {                                          \
        name##_1, name##_2, name##_4, name##_8 \
    }
#define WIDE_NATIVES(name)                 \
    {                                      \
        NULL, name##_2, name##_4, name##_8 \
    }

static const struct Operation {
    const char *text;
    X86Operation operation;
    uint64_t undefined; // flags that the SDM leaves open
    Native natives[4];  // of 1, 2, 4, 8 bytes
} operations[] = {
    {"add", X86_ADD, 0, NATIVES(add)},
    {"or", X86_OR, RFLAGS_AF, NATIVES(or)},
    {"adc", X86_ADC, 0, NATIVES(adc)},
    {"sbb", X86_SBB, 0, NATIVES(sbb)},
    {"and", X86_AND, RFLAGS_AF, NATIVES(and)},
    {"sub", X86_SUB, 0, NATIVES(sub)},
    {"xor", X86_XOR, RFLAGS_AF, NATIVES(xor)},
    {"cmp", X86_CMP, 0, NATIVES(cmp)},
    {"test", X86_TEST, RFLAGS_AF, NATIVES(test)},
    {"not", X86_NOT, 0, NATIVES(not )},
    {"neg", X86_NEG, 0, NATIVES(neg)},
    {"inc", X86_INC, 0, NATIVES(inc)},
    {"dec", X86_DEC, 0, NATIVES(dec)},
    {"xadd", X86_XADD, 0, NATIVES(xadd)},
    {"bt", X86_BT, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF, WIDE_NATIVES(bt)},
    {"bts", X86_BTS, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF, WIDE_NATIVES(bts)},
    {"btr", X86_BTR, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF, WIDE_NATIVES(btr)},
    {"btc", X86_BTC, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF, WIDE_NATIVES(btc)},
};

static const uint64_t ends[] = {
    0,
    1,
    2,
    0xf,
    0x10,
    0x7e,
    0x7f,
    0x80,
    0x81,
    0xfe,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0x8001,
    0xfffe,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0x80000001,
    0xfffffffe,
    0xffffffff,
    0x100000000,
    INT64_MAX,
    UINT64_C(1) << 63,
    (UINT64_C(1) << 63) + 1,
    UINT64_MAX - 1,
    UINT64_MAX,
};

static uint64_t random_state = UINT64_C(0x2545f4914f6cdd1d);

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void compare(const struct Operation *o, unsigned log_width, uint64_t first, uint64_t second,
                    uint64_t rflags)
{
    Registers r = {.first = first, .second = second, .rflags = rflags};
    const uint64_t defined = STATUS_FLAGS & ~o->undefined;
    const X86AluResult ours = x86_alu(o->operation, 1u << log_width, first, second, rflags);

    o->natives[log_width](&r);
    if (ours.value != r.first || (ours.rflags & defined) != (r.rflags & defined)) {
        fail_msg("%s, %u bytes, %llx, %llx, flags %llx: %llx, flags %llx; the CPU: %llx, %llx",
                 o->text, 1u << log_width, (unsigned long long)first, (unsigned long long)second,
                 (unsigned long long)rflags, (unsigned long long)ours.value,
                 (unsigned long long)ours.rflags, (unsigned long long)r.first,
                 (unsigned long long)r.rflags);
    }
}

static void compare_all(unsigned log_width, uint64_t first, uint64_t second, uint64_t rflags)
{
    for (size_t i = 0; i < COUNT(operations); i++) {
        if (operations[i].natives[log_width] != NULL) {
            compare(&operations[i], log_width, first, second, rflags);
        }
    }
}

static void all_bytes_are_computed_like_the_cpu_does(void **state)
{
    (void)state;
    for (uint64_t pair = 0; pair < 0x10000; pair++) {
        compare_all(0, pair & 0xff, pair >> 8, 0);
        compare_all(0, pair & 0xff, pair >> 8, STATUS_FLAGS);
    }
}

static void the_ends_of_ranges_are_computed_like_the_cpu_does(void **state)
{
    (void)state;
    for (unsigned log_width = 0; log_width < 4; log_width++) {
        for (size_t i = 0; i < COUNT(ends) * COUNT(ends); i++) {
            const uint64_t first = ends[i % COUNT(ends)];
            const uint64_t second = ends[i / COUNT(ends)];

            compare_all(log_width, first, second, 0);
            compare_all(log_width, first, second, STATUS_FLAGS);
            compare_all(log_width, first, second, RFLAGS_CF);
        }
    }
}

static void random_operands_are_computed_like_the_cpu_does(void **state)
{
    (void)state;
    for (unsigned log_width = 0; log_width < 4; log_width++) {
        for (unsigned i = 0; i < RANDOM_PAIRS; i++) {
            const uint64_t first = next_random();
            const uint64_t second = next_random();

            compare_all(log_width, first, second, next_random() & STATUS_FLAGS);
        }
    }
}

// The contract's recipe: who becomes what in CMPXCHG, and that its flags are those of CMP.
static void cmpxchg_exchanges_like_the_cpu_does(void **state)
{
    static const Native natives[4] = NATIVES(cmpxchg);

    (void)state;
    for (unsigned i = 0; i < 4 * RANDOM_PAIRS; i++) {
        const unsigned log_width = i % 4;
        const uint64_t mask = UINT64_MAX >> (64 - (8u << log_width));
        const uint64_t memory = next_random() & mask;
        const uint64_t accumulator = (next_random() & 1) != 0 ? memory : next_random() & mask;
        Registers r = {.first = memory, .second = next_random() & mask, .accumulator = accumulator};
        const X86AluResult ours = x86_alu(X86_CMPXCHG, 1u << log_width, accumulator, memory, 0);
        const bool equal = (ours.rflags & RFLAGS_ZF) != 0;
        const uint64_t source = r.second;

        natives[log_width](&r);
        assert_int_equal(ours.rflags, r.rflags & STATUS_FLAGS);
        assert_int_equal(r.first, equal ? source : memory);
        assert_int_equal(r.accumulator & mask, equal ? accumulator : memory);
    }
}

#define CONDITION(name)                                                 \
    static void name(Registers *r)                                      \
    {                                                                   \
        uint8_t first = 0;                                              \
                                                                        \
        __asm__ volatile(WITH_FLAGS(#name " %[first]")                  \
                         : [first] "+r"(first), [flags] "+r"(r->rflags) \
                         :                                              \
                         : "cc", "memory");                             \
        r->first = first;                                               \
    }

CONDITION(seto)
CONDITION(setno)
CONDITION(setb)
CONDITION(setae)
CONDITION(sete)
CONDITION(setne)
CONDITION(setbe)
CONDITION(seta)
CONDITION(sets)
CONDITION(setns)
CONDITION(setp)
CONDITION(setnp)
CONDITION(setl)
CONDITION(setge)
CONDITION(setle)
CONDITION(setg)

static void conditions_hold_like_on_the_cpu(void **state)
{
    static const Native natives[16] = {seto, setno, setb, setae, sete, setne, setbe, seta,
                                       sets, setns, setp, setnp, setl, setge, setle, setg};

    (void)state;
    for (uint64_t rflags = 0; rflags <= STATUS_FLAGS; rflags++) {
        if ((rflags & ~STATUS_FLAGS) != 0) {
            continue;
        }
        for (uint8_t condition = 0; condition < 16; condition++) {
            Registers r = {.rflags = rflags};

            natives[condition](&r);
            assert_int_equal(x86_condition(condition, rflags), r.first != 0);
        }
    }
}

// BTS of a register into an array: which bit of which byte.
#define BIT_STRING(name, type, suffix)                                      \
    static void name(Registers *r)                                          \
    {                                                                       \
        __asm__ volatile("bts" suffix " %[bit], (%[base])"                  \
                         :                                                  \
                         : [bit] "r"((type)r->second), [base] "r"(r->first) \
                         : "cc", "memory");                                 \
    }

BIT_STRING(bit_string_2, uint16_t, "w")
BIT_STRING(bit_string_4, uint32_t, "l")
BIT_STRING(bit_string_8, uint64_t, "q")

static void a_bit_is_as_far_away_as_on_the_cpu(void **state)
{
    static const Native natives[4] = {NULL, bit_string_2, bit_string_4, bit_string_8};
    static uint8_t array[2 * 4096 + 8];
    uint8_t *const base = array + 4096;

    (void)state;
    for (unsigned log_width = 1; log_width < 4; log_width++) {
        for (int64_t bit = INT16_MIN; bit <= INT16_MAX; bit++) {
            const unsigned width = 1u << log_width;
            const uint64_t above = log_width == 3 ? 0 : next_random() << (8 * width);
            const uint64_t number = ((uint64_t)bit & (UINT64_MAX >> (64 - 8 * width))) | above;
            Registers r = {.first = (uintptr_t)base, .second = number};
            uint64_t operand = 0;

            natives[log_width](&r);
            memcpy(&operand, base + x86_bit_distance(width, number), width);
            assert_int_equal(operand, x86_alu(X86_BTS, width, 0, number, 0).value);
            memset(base + x86_bit_distance(width, number), 0, width);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_are_computed_like_the_cpu_does),
        cmocka_unit_test(the_ends_of_ranges_are_computed_like_the_cpu_does),
        cmocka_unit_test(random_operands_are_computed_like_the_cpu_does),
        cmocka_unit_test(cmpxchg_exchanges_like_the_cpu_does),
        cmocka_unit_test(conditions_hold_like_on_the_cpu),
        cmocka_unit_test(a_bit_is_as_far_away_as_on_the_cpu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
