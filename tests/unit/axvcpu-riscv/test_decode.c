// SPDX-License-Identifier: Apache-2.0
// Each form of load and store by an example, as an assembler encodes it. test_decode_oracle.c
// compares all of them with a disassembler; this runs where there is none, and has what that one
// does not know.
#include "riscv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LOAD(bytes, sign, to, from, distance)                                                  \
    {                                                                                          \
        .is_load = true, .sign_extend = (sign), .width = (bytes), .reg = (to), .base = (from), \
        .offset = (distance)                                                                   \
    }
#define STORE(bytes, from, to, distance)                                    \
    {                                                                       \
        .width = (bytes), .reg = (from), .base = (to), .offset = (distance) \
    }

static const struct {
    const char *text;
    uint32_t word;
    RISCVLoadStore expected;
} forms[] = {
    {"sb x31, -2048(x2)", 0x81f10023, STORE(1, 31, 2, -2048)},
    {"sh x0, 2047(x10)", 0x7e051fa3, STORE(2, 0, 10, 2047)},
    {"sw x5, -4(x8)", 0xfe542e23, STORE(4, 5, 8, -4)},
    {"sd x1, 8(x2)", 0x00113423, STORE(8, 1, 2, 8)},
    {"lb x0, 0(x31)", 0x000f8003, LOAD(1, true, 0, 31, 0)},
    {"lh x11, -1(x12)", 0xfff61583, LOAD(2, true, 11, 12, -1)},
    {"lw x10, 2047(x11)", 0x7ff5a503, LOAD(4, true, 10, 11, 2047)},
    {"ld x30, -2048(x29)", 0x800ebf03, LOAD(8, false, 30, 29, -2048)},
    {"lbu x15, 1(x14)", 0x00174783, LOAD(1, false, 15, 14, 1)},
    {"lhu x16, 2(x17)", 0x0028d803, LOAD(2, false, 16, 17, 2)},
    {"lwu x18, 4(x0)", 0x00406903, LOAD(4, false, 18, 0, 4)},
    {"c.lw x8, 124(x15)", 0x5fe0, LOAD(4, true, 8, 15, 124)},
    {"c.lw x15, 4(x8)", 0x405c, LOAD(4, true, 15, 8, 4)},
    {"c.lw x9, 64(x9)", 0x40a4, LOAD(4, true, 9, 9, 64)},
    {"c.ld x8, 248(x9)", 0x7ce0, LOAD(8, false, 8, 9, 248)},
    {"c.ld x15, 8(x14)", 0x671c, LOAD(8, false, 15, 14, 8)},
    {"c.sw x8, 124(x15)", 0xdfe0, STORE(4, 8, 15, 124)},
    {"c.sw x10, 0(x11)", 0xc188, STORE(4, 10, 11, 0)},
    {"c.sd x12, 192(x13)", 0xe2f0, STORE(8, 12, 13, 192)},
    {"c.sd x14, 56(x9)", 0xfc98, STORE(8, 14, 9, 56)},
    {"c.lwsp x1, 252(x2)", 0x50fe, LOAD(4, true, 1, 2, 252)},
    {"c.lwsp x31, 32(x2)", 0x5f82, LOAD(4, true, 31, 2, 32)},
    {"c.lwsp x5, 64(x2)", 0x4286, LOAD(4, true, 5, 2, 64)},
    {"c.ldsp x1, 504(x2)", 0x70fe, LOAD(8, false, 1, 2, 504)},
    {"c.ldsp x31, 32(x2)", 0x7f82, LOAD(8, false, 31, 2, 32)},
    {"c.ldsp x10, 64(x2)", 0x6506, LOAD(8, false, 10, 2, 64)},
    {"c.swsp x0, 252(x2)", 0xdf82, STORE(4, 0, 2, 252)},
    {"c.swsp x31, 64(x2)", 0xc0fe, STORE(4, 31, 2, 64)},
    {"c.sdsp x0, 504(x2)", 0xff82, STORE(8, 0, 2, 504)},
    {"c.sdsp x31, 64(x2)", 0xe0fe, STORE(8, 31, 2, 64)},
    {"c.sdsp x8, 8(x2)", 0xe422, STORE(8, 8, 2, 8)},
};

// Loads and stores that cannot be emulated, and instructions that are none.
static const struct {
    const char *text;
    uint32_t word;
} refused[] = {
    {"flw f1, 0(x2)", 0x00012087},
    {"fld f1, 0(x2)", 0x00013087},
    {"fsw f1, 0(x2)", 0x00112027},
    {"fsd f1, 0(x2)", 0x00113027},
    {"flq f1, 0(x2)", 0x00014087},
    {"fsq f1, 0(x2)", 0x00114027},
    {"c.fld f8, 0(x9)", 0x2080},
    {"c.fsd f8, 0(x9)", 0xa080},
    {"c.fldsp f1, 0(x2)", 0x2082},
    {"c.fsdsp f1, 0(x2)", 0xa006},
    {"lr.w x1, (x2)", 0x100120af},
    {"lr.d x1, (x2)", 0x100130af},
    {"sc.w x1, x3, (x2)", 0x183120af},
    {"sc.d.aqrl x1, x3, (x2)", 0x1e3130af},
    {"amoadd.w x1, x3, (x2)", 0x003120af},
    {"amomaxu.w.aqrl x1, x3, (x2)", 0xe63120af},
    {"vle8.v v1, (x2)", 0x02010087},
    {"vle64.v v1, (x2)", 0x02017087},
    {"vse32.v v1, (x2)", 0x020160a7},
    {"vlse16.v v1, (x2), x3", 0x0a315087},
    {"vl1r.v v1, (x2)", 0x02810087},
    {"hlv.b x1, (x2)", 0x600140f3},
    {"hlv.d x1, (x2)", 0x6c0140f3},
    {"hlvx.hu x1, (x2)", 0x643140f3},
    {"hsv.w x3, (x2)", 0x6a314073},
    {"cbo.zero (x2)", 0x0041200f},
    {"cbo.flush (x2)", 0x0021200f},
    {"c.lbu x8, 0(x9)", 0x8080},
    {"c.lhu x8, 0(x9)", 0x8480},
    {"c.lh x8, 0(x9)", 0x84c0},
    {"c.sb x8, 0(x9)", 0x8880},
    {"c.sh x8, 0(x9)", 0x8c80},
    {"load, funct3 7", 0x00017083},
    {"store, funct3 4", 0x00114023},
    {"store, funct3 7", 0x00117023},
    {"c.lwsp x0, 0(x2)", 0x4002},
    {"c.lwsp x0, 252(x2)", 0x507e},
    {"c.ldsp x0, 0(x2)", 0x6002},
    {"nop", 0x00000013},
    {"prefetch.r 0(x2)", 0x00116013},
    {"add x1, x2, x3", 0x003100b3},
    {"jal x0, .", 0x0000006f},
    {"fence", 0x0ff0000f},
    {"ecall", 0x00000073},
    {"csrrw x1, sstatus, x2", 0x100110f3},
    {"sret", 0x10200073},
    {"wfi", 0x10500073},
    {"c.nop", 0x0001},
    {"c.addi4spn x8, x2, 16", 0x0800},
    {"c.jr x1", 0x8082},
    {"c.ebreak", 0x9002},
    {"c.j .", 0xa001},
    {"all zeros", 0x00000000},
    {"all ones", 0xffffffff},
    {"48 bits wide", 0x0000001f},
    {"64 bits wide", 0x0000003f},
};

static void each_form_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        const RISCVLoadStore *e = &forms[i].expected;
        RISCVLoadStore d;

        memset(&d, 0xa5, sizeof(d));
        if (!riscv_decode_load_store(forms[i].word, &d)) {
            fail_msg("%s is refused", forms[i].text);
        }
        if (d.is_load != e->is_load || d.sign_extend != e->sign_extend || d.width != e->width ||
            d.reg != e->reg || d.base != e->base || d.offset != e->offset) {
            fail_msg("%s is decoded as something else", forms[i].text);
        }
    }
}

static void what_cannot_be_emulated_is_refused(void **state)
{
    RISCVLoadStore d;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (riscv_decode_load_store(refused[i].word, &d)) {
            fail_msg("%s is accepted", refused[i].text);
        }
    }
}

static void every_register_and_offset_is_found(void **state)
{
    RISCVLoadStore d;

    (void)state;
    for (uint32_t n = 0; n < 32; n++) {
        const uint32_t other = (n + 7) % 32;

        assert_true(riscv_decode_load_store(0x2003 | other << 15 | n << 7, &d));
        assert_int_equal(d.reg, n);
        assert_int_equal(d.base, other);
        assert_true(riscv_decode_load_store(0x2023 | n << 20 | other << 15, &d));
        assert_int_equal(d.reg, n);
        assert_int_equal(d.base, other);
    }
    for (int imm = -2048; imm < 2048; imm++) {
        const uint32_t field = (uint32_t)imm & 0xfff;

        assert_true(riscv_decode_load_store(0x3003 | field << 20, &d));
        assert_int_equal(d.offset, imm);
        assert_true(riscv_decode_load_store(0x3023 | (field >> 5) << 25 | (field & 0x1f) << 7, &d));
        assert_int_equal(d.offset, imm);
    }
}

// What htinst has is a load or store with its fields of the offset cleared, and in place of the base
// register a distance.
static void a_transformed_instruction_is_decoded(void **state)
{
    static const struct {
        uint32_t word;
        RISCVLoadStore expected;
    } words[] = {
        {0x00602023, STORE(4, 6, 0, 0)},        // sw, from QEMU 10
        {0x00002703, LOAD(4, true, 14, 0, 0)},  // c.lw, with bit 1 set again
        {0x00033503, LOAD(8, false, 10, 6, 0)}, // ld that faulted 6 bytes after its start
    };
    RISCVLoadStore d;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        const RISCVLoadStore *e = &words[i].expected;

        assert_true(riscv_decode_load_store(words[i].word, &d));
        assert_int_equal(d.is_load, e->is_load);
        assert_int_equal(d.width, e->width);
        assert_int_equal(d.reg, e->reg);
        assert_int_equal(d.base, e->base);
        assert_int_equal(d.offset, 0);
    }
}

static void atomic_stores_are_told_from_other_instructions(void **state)
{
    static const struct {
        const char *text;
        uint32_t word;
        bool is_store;
    } words[] = {
        {"lr.w x1, (x2)", 0x100120af, false},
        {"lr.d x1, (x2)", 0x100130af, false},
        {"sc.w x1, x3, (x2)", 0x183120af, true},
        {"sc.d.aqrl x1, x3, (x2)", 0x1e3130af, true},
        {"amoadd.w x1, x3, (x2)", 0x003120af, true},
        {"amoadd.d x1, x3, (x2)", 0x003130af, true},
        {"amoswap.d x1, x3, (x2)", 0x083130af, true},
        {"amoxor.w x1, x3, (x2)", 0x203120af, true},
        {"amoand.d x1, x3, (x2)", 0x603130af, true},
        {"amoor.w x1, x3, (x2)", 0x403120af, true},
        {"amomin.d x1, x3, (x2)", 0x803130af, true},
        {"amomax.w x1, x3, (x2)", 0xa03120af, true},
        {"amominu.d x1, x3, (x2)", 0xc03130af, true},
        {"amomaxu.w.aqrl x1, x3, (x2)", 0xe63120af, true},
        {"amoadd of halfwords", 0x003110af, false},
        {"funct5 that is none", 0xf83120af, false},
        {"lw x1, 0(x2)", 0x00012083, false},
        {"sd x1, 8(x2)", 0x00113423, false},
        {"nothing", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (riscv_is_atomic_store(words[i].word) != words[i].is_store) {
            fail_msg("%s is %s", words[i].text, words[i].is_store ? "refused" : "accepted");
        }
    }
}

static void instructions_that_write_memory_are_told_from_others(void **state)
{
    static const struct {
        const char *text;
        uint32_t word;
        bool is_store;
    } words[] = {
        {"sb x1, 0(x2)", 0x00110023, true},
        {"sd x1, 8(x2)", 0x00113423, true},
        {"fsw f1, 0(x2)", 0x00112027, true},
        {"fsd f1, 0(x2)", 0x00113027, true},
        {"vse32.v v1, (x2)", 0x020160a7, true},
        {"sc.w x1, x3, (x2)", 0x183120af, true},
        {"amoadd.d x1, x3, (x2)", 0x003130af, true},
        {"c.fsd f8, 0(x9)", 0xa080, true},
        {"c.sw x8, 0(x9)", 0xc080, true},
        {"c.sd x8, 0(x9)", 0xe080, true},
        {"c.fsdsp f1, 0(x2)", 0xa006, true},
        {"c.swsp x1, 0(x2)", 0xc006, true},
        {"c.sdsp x1, 0(x2)", 0xe006, true},
        {"lb x1, 0(x2)", 0x00010083, false},
        {"fld f1, 0(x2)", 0x00013087, false},
        {"vle8.v v1, (x2)", 0x02010087, false},
        {"lr.w x1, (x2)", 0x100120af, false},
        {"addi x1, x2, 0", 0x00010093, false},
        {"c.fld f8, 0(x9)", 0x2080, false},
        {"c.lw x8, 0(x9)", 0x4080, false},
        {"c.ldsp x1, 0(x2)", 0x6082, false},
        {"c.j 0", 0xa001, false},
        {"c.bnez x8, 0", 0xe001, false},
        {"c.mv x1, x2", 0x808a, false},
        {"nothing", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (riscv_is_store(words[i].word) != words[i].is_store) {
            fail_msg("%s is %s", words[i].text, words[i].is_store ? "refused" : "accepted");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_decoded),
        cmocka_unit_test(what_cannot_be_emulated_is_refused),
        cmocka_unit_test(every_register_and_offset_is_found),
        cmocka_unit_test(a_transformed_instruction_is_decoded),
        cmocka_unit_test(atomic_stores_are_told_from_other_instructions),
        cmocka_unit_test(instructions_that_write_memory_are_told_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
