// SPDX-License-Identifier: Apache-2.0
// The load/store decoder against Capstone: every encoding class by system, then random words.
#include "arm.h"

#include <capstone/capstone.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct Mnemonic {
    const char *name;
    bool is_load;
    bool is_pair;
    bool sign_extend;
    uint8_t width; // 0: that of the register
} Mnemonic;

static const Mnemonic mnemonics[] = {
    {"str", false, false, false, 0},    {"ldr", true, false, false, 0},
    {"strb", false, false, false, 1},   {"ldrb", true, false, false, 1},
    {"strh", false, false, false, 2},   {"ldrh", true, false, false, 2},
    {"ldrsb", true, false, true, 1},    {"ldrsh", true, false, true, 2},
    {"ldrsw", true, false, true, 4},    {"stur", false, false, false, 0},
    {"ldur", true, false, false, 0},    {"sturb", false, false, false, 1},
    {"ldurb", true, false, false, 1},   {"sturh", false, false, false, 2},
    {"ldurh", true, false, false, 2},   {"ldursb", true, false, true, 1},
    {"ldursh", true, false, true, 2},   {"ldursw", true, false, true, 4},
    {"sttr", false, false, false, 0},   {"ldtr", true, false, false, 0},
    {"sttrb", false, false, false, 1},  {"ldtrb", true, false, false, 1},
    {"sttrh", false, false, false, 2},  {"ldtrh", true, false, false, 2},
    {"ldtrsb", true, false, true, 1},   {"ldtrsh", true, false, true, 2},
    {"ldtrsw", true, false, true, 4},   {"stlr", false, false, false, 0},
    {"ldar", true, false, false, 0},    {"stlrb", false, false, false, 1},
    {"ldarb", true, false, false, 1},   {"stlrh", false, false, false, 2},
    {"ldarh", true, false, false, 2},   {"stllr", false, false, false, 0},
    {"ldlar", true, false, false, 0},   {"stllrb", false, false, false, 1},
    {"ldlarb", true, false, false, 1},  {"stllrh", false, false, false, 2},
    {"ldlarh", true, false, false, 2},  {"ldapr", true, false, false, 0},
    {"ldaprb", true, false, false, 1},  {"ldaprh", true, false, false, 2},
    {"stlur", false, false, false, 0},  {"ldapur", true, false, false, 0},
    {"stlurb", false, false, false, 1}, {"ldapurb", true, false, false, 1},
    {"stlurh", false, false, false, 2}, {"ldapurh", true, false, false, 2},
    {"ldapursb", true, false, true, 1}, {"ldapursh", true, false, true, 2},
    {"ldapursw", true, false, true, 4}, {"stp", false, true, false, 0},
    {"ldp", true, true, false, 0},      {"stnp", false, true, false, 0},
    {"ldnp", true, true, false, 0},     {"ldpsw", true, true, true, 4},
};

// Where we and Capstone differ, by name. `capstone_accepts`: it decodes what we refuse, else the other
// way round. `same_register`: only when the data register is the base.
static const struct Difference {
    const char *name;
    uint32_t mask;
    uint32_t value;
    bool capstone_accepts;
    bool same_register;
    const char *reason;
} differences[] = {
    {"STLLR, LDLAR", 0x3fa08000, 0x08800000, false, false,
     "FEAT_LOR, Armv8.1, is unknown to Capstone 4"},
    {"LDAPR", 0x3fe0fc00, 0x38a0c000, false, false, "FEAT_LRCPC, Armv8.3, likewise"},
    {"LDAPUR, STLUR", 0x3f200c00, 0x19000000, false, false, "FEAT_LRCPC2, Armv8.4, likewise"},
    {"LDTR to its base", 0x3f600c00, 0x38400800, false, true,
     "Capstone takes bits 11:10 = 2 for a write-back form"},
    {"STR with write-back of its base", 0x3fe00400, 0x38000400, true, true,
     "CONSTRAINED UNPREDICTABLE, Capstone checks loads only"},
    {"LDRS to X with write-back to its base", 0x3fe00400, 0x38800400, true, true,
     "CONSTRAINED UNPREDICTABLE, Capstone takes bit 22 for the L bit"},
};

typedef struct Oracle {
    csh handle;
    cs_insn *insn;
    unsigned compared; // words that both decode
    unsigned excused[sizeof(differences) / sizeof(differences[0])];
} Oracle;

static const Mnemonic *find_mnemonic(const char *name)
{
    for (size_t i = 0; i < sizeof(mnemonics) / sizeof(mnemonics[0]); i++) {
        if (strcmp(mnemonics[i].name, name) == 0) {
            return &mnemonics[i];
        }
    }
    return NULL;
}

// Number and width of a general register; false for FP and SIMD registers.
static bool general_register(unsigned reg, uint8_t *number, AccessWidth *width)
{
    const bool is_w = reg >= ARM64_REG_W0 && reg <= ARM64_REG_W30;
    const bool is_x = reg >= ARM64_REG_X0 && reg <= ARM64_REG_X28;
    const bool is_zero = reg == ARM64_REG_WZR || reg == ARM64_REG_XZR;
    const bool is_high = reg == ARM64_REG_X29 || reg == ARM64_REG_X30;

    if (!is_w && !is_x && !is_zero && !is_high) {
        return false;
    }
    *width = is_w || reg == ARM64_REG_WZR ? AX_WIDTH_DWORD : AX_WIDTH_QWORD;
    if (is_zero) {
        *number = 31;
    } else if (is_high) {
        *number = reg == ARM64_REG_X29 ? 29 : 30;
    } else {
        *number = (uint8_t)(reg - (is_w ? ARM64_REG_W0 : ARM64_REG_X0));
    }
    return true;
}

static uint8_t base_register(unsigned reg)
{
    uint8_t number = 31;
    AccessWidth width;

    (void)general_register(reg, &number, &width);
    return number;
}

// Base, displacement and index mode from the operands behind the data registers.
static void translate_address(const cs_arm64 *detail, uint8_t first, Aarch64LoadStore *out)
{
    const cs_arm64_op *mem = &detail->operands[first];

    out->rn = 31;
    if (mem->type != ARM64_OP_MEM) {
        return; // literal
    }
    out->rn = base_register(mem->mem.base);
    out->writeback = detail->writeback;
    out->post_index = detail->writeback && detail->op_count > first + 1;
    if (out->post_index) {
        out->offset = detail->operands[first + 1].imm;
    } else if (out->writeback || out->is_pair) {
        out->offset = mem->mem.disp;
    }
}

static bool translate(const cs_insn *insn, Aarch64LoadStore *out)
{
    const cs_arm64 *detail = &insn->detail->arm64;
    const Mnemonic *m = find_mnemonic(insn->mnemonic);
    AccessWidth ignored;

    *out = (Aarch64LoadStore){0};
    if (m == NULL || detail->operands[0].type != ARM64_OP_REG ||
        !general_register(detail->operands[0].reg, &out->rt, &out->reg_width)) {
        return false;
    }
    if (m->is_pair && !general_register(detail->operands[1].reg, &out->rt2, &ignored)) {
        return false;
    }
    out->is_load = m->is_load;
    out->is_pair = m->is_pair;
    out->sign_extend = m->sign_extend;
    out->width = m->width == 0 ? out->reg_width : (AccessWidth)m->width;
    translate_address(detail, m->is_pair ? 2 : 1, out);
    return true;
}

static bool ask_capstone(Oracle *oracle, uint32_t word, Aarch64LoadStore *out)
{
    const uint8_t code[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                             (uint8_t)(word >> 24)};
    const uint8_t *next = code;
    size_t size = sizeof(code);
    uint64_t address = 0;

    return cs_disasm_iter(oracle->handle, &next, &size, &address, oracle->insn) &&
           translate(oracle->insn, out);
}

static bool is_excused(Oracle *oracle, uint32_t word, bool capstone_accepts)
{
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        const struct Difference *d = &differences[i];

        if ((word & d->mask) == d->value && d->capstone_accepts == capstone_accepts &&
            (!d->same_register || (word & 0x1f) == ((word >> 5) & 0x1f))) {
            oracle->excused[i]++;
            return true;
        }
    }
    return false;
}

static bool same(const Aarch64LoadStore *a, const Aarch64LoadStore *b)
{
    return a->is_load == b->is_load && a->sign_extend == b->sign_extend &&
           a->is_pair == b->is_pair && a->writeback == b->writeback &&
           a->post_index == b->post_index && a->width == b->width && a->reg_width == b->reg_width &&
           a->rt == b->rt && a->rt2 == b->rt2 && a->rn == b->rn && a->offset == b->offset;
}

static void compare(Oracle *oracle, uint32_t word)
{
    Aarch64LoadStore ours;
    Aarch64LoadStore theirs;
    const bool we_accept = aarch64_decode_load_store(word, &ours);
    const bool capstone_accepts = ask_capstone(oracle, word, &theirs);

    if (we_accept != capstone_accepts) {
        if (!is_excused(oracle, word, capstone_accepts)) {
            fail_msg("%08x: we %s it, Capstone says '%s %s'", word, we_accept ? "accept" : "refuse",
                     capstone_accepts ? oracle->insn->mnemonic : "(nothing we emulate)",
                     capstone_accepts ? oracle->insn->op_str : "");
        }
        return;
    }
    if (we_accept) {
        oracle->compared++;
        if (!same(&ours, &theirs)) {
            fail_msg("%08x: '%s %s' is decoded differently", word, oracle->insn->mnemonic,
                     oracle->insn->op_str);
        }
    }
}

static int open_capstone(void **state)
{
    static Oracle oracle;

    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &oracle.handle) != CS_ERR_OK) {
        return -1;
    }
    (void)cs_option(oracle.handle, CS_OPT_DETAIL, CS_OPT_ON);
    oracle.insn = cs_malloc(oracle.handle);
    *state = &oracle;
    return 0;
}

static int close_capstone(void **state)
{
    Oracle *oracle = *state;

    cs_free(oracle->insn, 1);
    return cs_close(&oracle->handle) == CS_ERR_OK ? 0 : -1;
}

// Loads and stores are the words with bit 27 set and bit 25 clear (Arm ARM, C4.1).
static uint32_t as_load_store(uint32_t word)
{
    return (word | (UINT32_C(1) << 27)) & ~(UINT32_C(1) << 25);
}

// All values of bits 31:10, with data and base registers that are equal, different, and 31.
static void every_opcode_and_immediate_agrees(void **state)
{
    static const uint8_t registers[][2] = {{1, 2}, {3, 3}, {31, 4}, {5, 31}, {31, 31}};
    const size_t combinations = sizeof(registers) / sizeof(registers[0]);
    Oracle *oracle = *state;

    oracle->compared = 0;
    for (uint32_t high = 0; high < UINT32_C(1) << 22; high++) {
        const uint32_t word = high << 10;
        const uint8_t *r = registers[high % combinations];

        if (word == as_load_store(word)) {
            compare(oracle, word | (uint32_t)r[1] << 5 | r[0]);
        }
    }
    assert_true(oracle->compared > 200000);
}

// Every opcode with every data, base and second register.
static void every_register_agrees(void **state)
{
    Oracle *oracle = *state;

    oracle->compared = 0;
    for (uint32_t opcode = 0; opcode < 2048; opcode++) {
        const uint32_t word = opcode << 21;

        for (uint32_t r = 0; word == as_load_store(word) && r < 32 * 32; r++) {
            const uint32_t rt2 = (r + (r >> 5)) & 0x1f;

            compare(oracle, word | rt2 << 10 | r);
            compare(oracle, word | UINT32_C(2) << 10 | r);
            compare(oracle, word | UINT32_C(0x1f) << 16 | UINT32_C(0x3f) << 10 | r);
        }
    }
    assert_true(oracle->compared > 200000);
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 32);
}

static void two_million_random_loads_and_stores_agree(void **state)
{
    uint64_t seed = 1;

    for (unsigned i = 0; i < 2000000; i++) {
        compare(*state, as_load_store(next_random(&seed)));
    }
}

static void one_million_random_words_agree(void **state)
{
    uint64_t seed = 2;

    for (unsigned i = 0; i < 1000000; i++) {
        compare(*state, next_random(&seed));
    }
}

// Runs last. A difference that no word showed does not belong into the table, except those for what
// a newer Capstone knows.
static void every_listed_difference_was_seen(void **state)
{
    const Oracle *oracle = *state;
    int major;
    int minor;

    (void)cs_version(&major, &minor);
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        if ((differences[i].capstone_accepts || major < 5) && oracle->excused[i] == 0) {
            fail_msg("no word shows '%s' (%s)", differences[i].name, differences[i].reason);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_opcode_and_immediate_agrees),
        cmocka_unit_test(every_register_agrees),
        cmocka_unit_test(two_million_random_loads_and_stores_agree),
        cmocka_unit_test(one_million_random_words_agree),
        cmocka_unit_test(every_listed_difference_was_seen),
    };

    return cmocka_run_group_tests(tests, open_capstone, close_capstone);
}
