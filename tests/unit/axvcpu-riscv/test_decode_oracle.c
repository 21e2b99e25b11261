// SPDX-License-Identifier: Apache-2.0
// The load/store decoder against the disassembler of GNU binutils, which was written by others: all
// halfwords, every field of a load, store and atomic instruction with all its values, and random
// words. RISCV_OBJDUMP names the program.
#include "riscv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define OPCODE_LOAD  UINT32_C(0x03)
#define OPCODE_STORE UINT32_C(0x23)
#define OPCODE_AMO   UINT32_C(0x2f)

static const struct Mnemonic {
    const char *name;
    bool is_load;
    bool sign_extend;
    uint8_t width;
} mnemonics[] = {
    {"lb", true, true, 1},       {"lh", true, true, 2},      {"lw", true, true, 4},
    {"ld", true, false, 8},      {"lbu", true, false, 1},    {"lhu", true, false, 2},
    {"lwu", true, false, 4},     {"sb", false, false, 1},    {"sh", false, false, 2},
    {"sw", false, false, 4},     {"sd", false, false, 8},    {"c.lw", true, true, 4},
    {"c.ld", true, false, 8},    {"c.sw", false, false, 4},  {"c.sd", false, false, 8},
    {"c.lwsp", true, true, 4},   {"c.ldsp", true, false, 8}, {"c.swsp", false, false, 4},
    {"c.sdsp", false, false, 8},
};

static const char *const atomic_stores[] = {
    "sc",    "amoswap", "amoadd", "amoxor",  "amoand",
    "amoor", "amomin",  "amomax", "amominu", "amomaxu",
};

// Words to be disassembled in one go, each of `size` bytes.
typedef struct Batch {
    uint32_t *words;
    size_t count;
    size_t room;
    unsigned size;
} Batch;

static struct {
    const char *objdump;
    unsigned loads_and_stores; // that both sides know
    unsigned atomics;
} oracle;

static void start(Batch *batch, unsigned size, size_t room)
{
    *batch = (Batch){.words = malloc(room * sizeof(uint32_t)), .room = room, .size = size};
    assert_non_null(batch->words);
}

static void add(Batch *batch, uint32_t word)
{
    assert_true(batch->count < batch->room);
    batch->words[batch->count++] = word;
}

// ---- the other side ----

static void write_batch(const Batch *batch, const char *path)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (size_t i = 0; i < batch->count; i++) {
        const uint32_t word = batch->words[i];
        const uint8_t code[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                                 (uint8_t)(word >> 24)};

        assert_int_equal(fwrite(code, 1, batch->size, file), batch->size);
    }
    assert_int_equal(fclose(file), 0);
}

// "  address:\tword\tmnemonic\toperands": false for other lines.
static bool parse_line(char *line, uint32_t *word, const char **mnemonic, const char **operands)
{
    char *save = NULL;
    const char *address = strtok_r(line, "\t\n", &save);
    const char *code = strtok_r(NULL, "\t\n", &save);

    *mnemonic = strtok_r(NULL, "\t\n", &save);
    *operands = strtok_r(NULL, "\t\n", &save);
    if (address == NULL || code == NULL || *mnemonic == NULL || strchr(address, ':') == NULL) {
        return false;
    }
    *word = (uint32_t)strtoul(code, NULL, 16);
    return true;
}

static bool translate(const char *mnemonic, const char *operands, RISCVLoadStore *out)
{
    for (size_t i = 0; i < COUNT(mnemonics); i++) {
        unsigned reg;
        unsigned base;
        long long offset;

        if (strcmp(mnemonics[i].name, mnemonic) == 0) {
            assert_non_null(operands);
            assert_int_equal(sscanf(operands, "x%u,%lld(x%u)", &reg, &offset, &base), 3);
            *out = (RISCVLoadStore){
                .is_load = mnemonics[i].is_load,
                .sign_extend = mnemonics[i].sign_extend,
                .width = (AccessWidth)mnemonics[i].width,
                .reg = (uint8_t)reg,
                .base = (uint8_t)base,
                .offset = offset,
            };
            return true;
        }
    }
    return false;
}

// With .w or .d, and whatever ordering.
static bool names_atomic_store(const char *mnemonic)
{
    for (size_t i = 0; i < COUNT(atomic_stores); i++) {
        const size_t length = strlen(atomic_stores[i]);

        if (strncmp(mnemonic, atomic_stores[i], length) == 0 &&
            (strncmp(mnemonic + length, ".w", 2) == 0 ||
             strncmp(mnemonic + length, ".d", 2) == 0)) {
            return true;
        }
    }
    return false;
}

// ---- comparison ----

static bool same(const RISCVLoadStore *a, const RISCVLoadStore *b)
{
    return a->is_load == b->is_load && a->sign_extend == b->sign_extend && a->width == b->width &&
           a->reg == b->reg && a->base == b->base && a->offset == b->offset;
}

static void compare(uint32_t word, const char *mnemonic, const char *operands)
{
    RISCVLoadStore ours;
    RISCVLoadStore theirs;
    const bool we_accept = riscv_decode_load_store(word, &ours);
    const bool is_atomic = riscv_is_atomic_store(word);

    if (we_accept != translate(mnemonic, operands, &theirs)) {
        fail_msg("%08x: we %s it, the disassembler says '%s'", word,
                 we_accept ? "accept" : "refuse", mnemonic);
    }
    if (we_accept && !same(&ours, &theirs)) {
        fail_msg("%08x: '%s %s' is decoded differently", word, mnemonic, operands);
    }
    if (is_atomic != names_atomic_store(mnemonic)) {
        fail_msg("%08x: '%s' is%s an atomic store for us", word, mnemonic, is_atomic ? "" : " not");
    }
    oracle.loads_and_stores += we_accept;
    oracle.atomics += is_atomic;
}

static void compare_output(const Batch *batch, FILE *output)
{
    char line[256];
    size_t done = 0;

    while (fgets(line, sizeof(line), output) != NULL) {
        const char *mnemonic;
        const char *operands;
        uint32_t word;

        if (parse_line(line, &word, &mnemonic, &operands)) {
            assert_true(done < batch->count);
            assert_int_equal(word, batch->words[done]);
            compare(word, mnemonic, operands);
            done++;
        }
    }
    assert_int_equal(done, batch->count);
}

// Ends the batch.
static void compare_all(Batch *batch)
{
    char path[] = "/tmp/axvcpu-riscv-words-XXXXXX";
    char command[512];
    const int file = mkstemp(path);
    FILE *output;

    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    write_batch(batch, path);
    (void)snprintf(command, sizeof(command),
                   "'%s' -D -z -b binary -m riscv:rv64 -M no-aliases,numeric '%s'", oracle.objdump,
                   path);
    output = popen(command, "r");
    assert_non_null(output);
    compare_output(batch, output);
    assert_int_equal(pclose(output), 0);
    assert_int_equal(unlink(path), 0);
    free(batch->words);
}

// ---- what is compared ----

// Words that begin so are longer than 32 bits, and the disassembler would take more than one.
static bool is_longer(uint32_t word)
{
    return (word & 0x1f) == 0x1f;
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 32);
}

static void every_halfword_agrees(void **state)
{
    Batch narrow;
    Batch wide;

    (void)state;
    start(&narrow, 2, 65536);
    start(&wide, 4, 65536);
    for (uint32_t half = 0; half < 65536; half++) {
        if ((half & 3) != 3) {
            add(&narrow, half);
        } else if (!is_longer(half)) {
            add(&wide, half);
        }
    }
    oracle.loads_and_stores = 0;
    compare_all(&narrow);
    assert_int_equal(oracle.loads_and_stores, 8 * 2048 - 2 * 64); // less the reserved ones
    compare_all(&wide);
}

static void longer_instructions_are_refused(void **state)
{
    uint64_t seed = 1;
    RISCVLoadStore access;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        const uint32_t word = next_random(&seed) | 0x1f;

        assert_false(riscv_decode_load_store(word, &access));
        assert_false(riscv_is_atomic_store(word));
    }
}

// All values of bits 31:20 and of funct3, with a few registers.
static void every_immediate_agrees(void **state)
{
    static const uint8_t registers[][2] = {{1, 2}, {0, 31}, {31, 0}};
    static const uint32_t opcodes[] = {OPCODE_LOAD, OPCODE_STORE};
    Batch batch;

    (void)state;
    start(&batch, 4, COUNT(opcodes) * COUNT(registers) * 32768);
    for (uint32_t i = 0; i < batch.room; i++) {
        const uint8_t *r = registers[i / 32768 % COUNT(registers)];

        add(&batch, (i % 32768 / 8) << 20 | (uint32_t)r[0] << 15 | (i % 8) << 12 |
                        (uint32_t)r[1] << 7 | opcodes[i / 32768 / COUNT(registers)]);
    }
    oracle.loads_and_stores = 0;
    compare_all(&batch);
    assert_int_equal(oracle.loads_and_stores, COUNT(registers) * 4096 * (7 + 4));
}

// All values of bits 24:7: both registers, funct3 and a part of the immediate.
static void every_register_agrees(void **state)
{
    static const uint32_t opcodes[] = {OPCODE_LOAD, OPCODE_STORE};
    Batch batch;

    (void)state;
    start(&batch, 4, COUNT(opcodes) * (UINT32_C(1) << 18));
    for (uint32_t i = 0; i < batch.room; i++) {
        add(&batch, (i % (UINT32_C(1) << 18)) << 7 | opcodes[i >> 18]);
    }
    oracle.loads_and_stores = 0;
    compare_all(&batch);
    assert_int_equal(oracle.loads_and_stores, (UINT32_C(1) << 15) * (7 + 4));
}

// All values of bits 31:20 and of funct3.
static void every_atomic_instruction_agrees(void **state)
{
    Batch batch;

    (void)state;
    start(&batch, 4, 32768);
    for (uint32_t i = 0; i < batch.room; i++) {
        add(&batch,
            (i / 8) << 20 | UINT32_C(5) << 15 | (i % 8) << 12 | UINT32_C(6) << 7 | OPCODE_AMO);
    }
    oracle.atomics = 0;
    compare_all(&batch);
    assert_int_equal(oracle.atomics, COUNT(atomic_stores) * 2 * 4 * 32);
}

static void one_million_random_loads_stores_and_atomics_agree(void **state)
{
    static const uint32_t opcodes[] = {OPCODE_LOAD, OPCODE_STORE, OPCODE_LOAD, OPCODE_AMO};
    uint64_t seed = 2;
    Batch batch;

    (void)state;
    start(&batch, 4, 1000000);
    for (uint32_t i = 0; i < batch.room; i++) {
        add(&batch, (next_random(&seed) & ~UINT32_C(0x7f)) | opcodes[i % COUNT(opcodes)]);
    }
    compare_all(&batch);
}

static void half_a_million_random_words_agree(void **state)
{
    uint64_t seed = 3;
    Batch batch;

    (void)state;
    start(&batch, 4, 500000);
    while (batch.count < batch.room) {
        const uint32_t word = next_random(&seed) | 3;

        if (!is_longer(word)) {
            add(&batch, word);
        }
    }
    compare_all(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_halfword_agrees),
        cmocka_unit_test(longer_instructions_are_refused),
        cmocka_unit_test(every_immediate_agrees),
        cmocka_unit_test(every_register_agrees),
        cmocka_unit_test(every_atomic_instruction_agrees),
        cmocka_unit_test(one_million_random_loads_stores_and_atomics_agree),
        cmocka_unit_test(half_a_million_random_words_agree),
    };

    oracle.objdump = getenv("RISCV_OBJDUMP");
    if (oracle.objdump == NULL || oracle.objdump[0] == 0) {
        (void)printf("1..0 # SKIP no RISC-V objdump: set RISCV_OBJDUMP\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
