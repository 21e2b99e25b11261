// SPDX-License-Identifier: Apache-2.0
// Values and flags by examples, on any host. test_alu_oracle.c compares with the CPU.
#include "alu.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CF  RFLAGS_CF
#define PF  RFLAGS_PF
#define AF  RFLAGS_AF
#define ZF  RFLAGS_ZF
#define SF  RFLAGS_SF
#define OF  RFLAGS_OF
#define ALL (CF | PF | AF | ZF | SF | OF)

static const struct {
    const char *text;
    X86Operation operation;
    unsigned width;
    uint64_t first;
    uint64_t second;
    uint64_t rflags;
    uint64_t value;
    uint64_t result_flags;
} examples[] = {
    {"add, signed overflow", X86_ADD, 1, 0x7f, 1, 0, 0x80, AF | SF | OF},
    {"add, carry out", X86_ADD, 2, 0xffff, 1, 0, 0, CF | PF | AF | ZF},
    {"add, both", X86_ADD, 4, 0x80000000, 0x80000000, 0, 0, CF | PF | ZF | OF},
    {"adc, 64 bits", X86_ADC, 8, UINT64_MAX, UINT64_MAX, CF, UINT64_MAX, CF | PF | AF | SF},
    {"adc, no carry in", X86_ADC, 1, 1, 1, ZF | OF, 2, 0},
    {"sub, borrow", X86_SUB, 4, 0, 1, 0, 0xffffffff, CF | PF | AF | SF},
    {"sub, signed overflow", X86_SUB, 1, 0x80, 1, CF, 0x7f, AF | OF},
    {"sbb, borrow of the lowest number", X86_SBB, 1, 0, 0xff, CF, 0, CF | PF | AF | ZF},
    {"cmp, equal", X86_CMP, 8, 5, 5, CF, 5, PF | ZF},
    {"cmp, below", X86_CMP, 2, 3, 4, 0, 3, CF | PF | AF | SF},
    {"and", X86_AND, 1, 0xf0, 0x3c, ALL, 0x30, PF},
    {"or", X86_OR, 4, 0x80000000, 1, CF | OF, 0x80000001, SF},
    {"xor with itself", X86_XOR, 8, UINT64_MAX, UINT64_MAX, CF, 0, PF | ZF},
    {"test", X86_TEST, 1, 0x81, 0x80, CF, 0x81, SF},
    {"not leaves flags", X86_NOT, 2, 0x00ff, 0, ALL, 0xff00, ALL},
    {"neg of the lowest number", X86_NEG, 1, 0x80, 0, 0, 0x80, CF | SF | OF},
    {"neg of 0", X86_NEG, 8, 0, 0, CF, 0, PF | ZF},
    {"inc leaves CF", X86_INC, 1, 0xff, 0, CF, 0, CF | PF | AF | ZF},
    {"inc does not set CF", X86_INC, 1, 0xff, 0, 0, 0, PF | AF | ZF},
    {"dec leaves CF", X86_DEC, 4, 0, 0, 0, 0xffffffff, PF | AF | SF},
    {"bt, bit 33 of 32", X86_BT, 4, 2, 33, ZF, 2, CF | ZF},
    {"bts", X86_BTS, 8, 0, 63, CF, UINT64_C(1) << 63, 0},
    {"btr", X86_BTR, 2, 0xffff, 0, 0, 0xfffe, CF},
    {"btc", X86_BTC, 4, 0, 31, ALL, 0x80000000, ALL & ~CF},
    {"xadd", X86_XADD, 1, 2, 3, 0, 5, PF},
    {"cmpxchg, equal", X86_CMPXCHG, 4, 7, 7, 0, 7, PF | ZF},
    {"cmps", X86_CMPS, 1, 2, 1, 0, 2, 0},
    {"scas", X86_SCAS, 1, 1, 1, 0, 1, PF | ZF},
    {"mov", X86_MOV, 4, 1, 2, ALL, 2, ALL},
    {"xchg", X86_XCHG, 4, 1, 2, 0, 2, 0},
    {"movbe, 16 bits", X86_MOVBE, 2, 0, 0x1234, CF, 0x3412, CF},
    {"movbe, 64 bits", X86_MOVBE, 8, 0, UINT64_C(0x0102030405060708), 0,
     UINT64_C(0x0807060504030201), 0},
    {"what lies above the width", X86_ADD, 1, 0x1ff, 0x301, 0, 0, CF | PF | AF | ZF},
};

static void each_operation_has_its_value_and_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const X86AluResult result = x86_alu(examples[i].operation, examples[i].width,
                                            examples[i].first, examples[i].second,
                                            examples[i].rflags);

        if (result.value != examples[i].value || result.rflags != examples[i].result_flags) {
            fail_msg("%s: value %llx, flags %llx", examples[i].text,
                     (unsigned long long)result.value, (unsigned long long)result.rflags);
        }
    }
}

// IF, DF, IOPL ... are none of the decoder's business.
static void other_flags_stay(void **state)
{
    const uint64_t others = ~(ALL);

    (void)state;
    for (X86Operation operation = X86_ADD; operation < X86_OPERATIONS; operation++) {
        assert_int_equal(x86_alu(operation, 4, 1, 2, others | CF).rflags & others, others);
        assert_int_equal(x86_alu(operation, 4, 1, 2, CF).rflags & others, 0);
    }
}

static void each_condition_looks_at_its_flags(void **state)
{
    static const struct {
        uint8_t condition; // and its opposite, one above
        uint64_t holds[4];
        uint64_t fails[4];
    } conditions[] = {
        {0, {OF, OF | CF}, {0, CF}},
        {2, {CF, CF | ZF}, {0, ZF}},
        {4, {ZF, ZF | SF}, {SF, 0}},
        {6, {CF, ZF, CF | ZF, CF | OF}, {0, SF, OF, PF}},
        {8, {SF, SF | OF}, {OF, 0}},
        {10, {PF, PF | AF}, {AF, 0}},
        {12, {SF, OF, SF | ZF, OF | CF}, {0, SF | OF, ZF, SF | OF | ZF}},
        {14, {SF, OF, ZF, SF | OF | ZF}, {0, SF | OF, CF, PF}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        const uint8_t condition = conditions[i].condition;
        const size_t number = conditions[i].holds[2] != 0 ? 4 : 2;

        for (size_t k = 0; k < number; k++) {
            assert_true(x86_condition(condition, conditions[i].holds[k]));
            assert_false(x86_condition(condition + 1, conditions[i].holds[k]));
            assert_false(x86_condition(condition, conditions[i].fails[k]));
            assert_true(x86_condition(condition + 1, conditions[i].fails[k]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_has_its_value_and_flags),
        cmocka_unit_test(other_flags_stay),
        cmocka_unit_test(each_condition_looks_at_its_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
