// SPDX-License-Identifier: Apache-2.0
// The instruction decoder against Zydis, in both directions: what we accept must be the same
// instruction there in every field, and what Zydis knows of the operations that we have must be
// accepted. All opcodes with all ModRM bytes behind many prefixes, all SIB bytes, random bytes.
#include "decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <Zydis/Zydis.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RANDOM_STRINGS 1500000u // in each mode

// Which mnemonics of Zydis are ours. Zydis has two instructions MOVSD and CMPSD each, string and SSE.
static const struct Mnemonic {
    ZydisMnemonic mnemonic;
    X86Operation operation;
    bool aligned;
    uint8_t condition;
} mnemonics[] = {
    {ZYDIS_MNEMONIC_ADD, X86_ADD, false, 0},
    {ZYDIS_MNEMONIC_OR, X86_OR, false, 0},
    {ZYDIS_MNEMONIC_ADC, X86_ADC, false, 0},
    {ZYDIS_MNEMONIC_SBB, X86_SBB, false, 0},
    {ZYDIS_MNEMONIC_AND, X86_AND, false, 0},
    {ZYDIS_MNEMONIC_SUB, X86_SUB, false, 0},
    {ZYDIS_MNEMONIC_XOR, X86_XOR, false, 0},
    {ZYDIS_MNEMONIC_CMP, X86_CMP, false, 0},
    {ZYDIS_MNEMONIC_TEST, X86_TEST, false, 0},
    {ZYDIS_MNEMONIC_NOT, X86_NOT, false, 0},
    {ZYDIS_MNEMONIC_NEG, X86_NEG, false, 0},
    {ZYDIS_MNEMONIC_INC, X86_INC, false, 0},
    {ZYDIS_MNEMONIC_DEC, X86_DEC, false, 0},
    {ZYDIS_MNEMONIC_BT, X86_BT, false, 0},
    {ZYDIS_MNEMONIC_BTS, X86_BTS, false, 0},
    {ZYDIS_MNEMONIC_BTR, X86_BTR, false, 0},
    {ZYDIS_MNEMONIC_BTC, X86_BTC, false, 0},
    {ZYDIS_MNEMONIC_XADD, X86_XADD, false, 0},
    {ZYDIS_MNEMONIC_CMPXCHG, X86_CMPXCHG, false, 0},
    {ZYDIS_MNEMONIC_XCHG, X86_XCHG, false, 0},
    {ZYDIS_MNEMONIC_MOV, X86_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVZX, X86_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVSX, X86_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVSXD, X86_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVNTI, X86_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVBE, X86_MOVBE, false, 0},
    {ZYDIS_MNEMONIC_SETO, X86_SETCC, false, 0},
    {ZYDIS_MNEMONIC_SETNO, X86_SETCC, false, 1},
    {ZYDIS_MNEMONIC_SETB, X86_SETCC, false, 2},
    {ZYDIS_MNEMONIC_SETNB, X86_SETCC, false, 3},
    {ZYDIS_MNEMONIC_SETZ, X86_SETCC, false, 4},
    {ZYDIS_MNEMONIC_SETNZ, X86_SETCC, false, 5},
    {ZYDIS_MNEMONIC_SETBE, X86_SETCC, false, 6},
    {ZYDIS_MNEMONIC_SETNBE, X86_SETCC, false, 7},
    {ZYDIS_MNEMONIC_SETS, X86_SETCC, false, 8},
    {ZYDIS_MNEMONIC_SETNS, X86_SETCC, false, 9},
    {ZYDIS_MNEMONIC_SETP, X86_SETCC, false, 10},
    {ZYDIS_MNEMONIC_SETNP, X86_SETCC, false, 11},
    {ZYDIS_MNEMONIC_SETL, X86_SETCC, false, 12},
    {ZYDIS_MNEMONIC_SETNL, X86_SETCC, false, 13},
    {ZYDIS_MNEMONIC_SETLE, X86_SETCC, false, 14},
    {ZYDIS_MNEMONIC_SETNLE, X86_SETCC, false, 15},
    {ZYDIS_MNEMONIC_MOVSB, X86_MOVS, false, 0},
    {ZYDIS_MNEMONIC_MOVSW, X86_MOVS, false, 0},
    {ZYDIS_MNEMONIC_MOVSD, X86_MOVS, false, 0},
    {ZYDIS_MNEMONIC_MOVSQ, X86_MOVS, false, 0},
    {ZYDIS_MNEMONIC_CMPSB, X86_CMPS, false, 0},
    {ZYDIS_MNEMONIC_CMPSW, X86_CMPS, false, 0},
    {ZYDIS_MNEMONIC_CMPSD, X86_CMPS, false, 0},
    {ZYDIS_MNEMONIC_CMPSQ, X86_CMPS, false, 0},
    {ZYDIS_MNEMONIC_STOSB, X86_STOS, false, 0},
    {ZYDIS_MNEMONIC_STOSW, X86_STOS, false, 0},
    {ZYDIS_MNEMONIC_STOSD, X86_STOS, false, 0},
    {ZYDIS_MNEMONIC_STOSQ, X86_STOS, false, 0},
    {ZYDIS_MNEMONIC_LODSB, X86_LODS, false, 0},
    {ZYDIS_MNEMONIC_LODSW, X86_LODS, false, 0},
    {ZYDIS_MNEMONIC_LODSD, X86_LODS, false, 0},
    {ZYDIS_MNEMONIC_LODSQ, X86_LODS, false, 0},
    {ZYDIS_MNEMONIC_SCASB, X86_SCAS, false, 0},
    {ZYDIS_MNEMONIC_SCASW, X86_SCAS, false, 0},
    {ZYDIS_MNEMONIC_SCASD, X86_SCAS, false, 0},
    {ZYDIS_MNEMONIC_SCASQ, X86_SCAS, false, 0},
    {ZYDIS_MNEMONIC_PUSH, X86_PUSH, false, 0},
    {ZYDIS_MNEMONIC_POP, X86_POP, false, 0},
    {ZYDIS_MNEMONIC_MOVUPS, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVUPD, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVSS, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVAPS, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_MOVAPD, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_MOVNTPS, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_MOVNTPD, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_MOVD, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVQ, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVDQA, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_MOVDQU, X86_VECTOR_MOV, false, 0},
    {ZYDIS_MNEMONIC_MOVNTDQ, X86_VECTOR_MOV, true, 0},
    {ZYDIS_MNEMONIC_LDDQU, X86_VECTOR_MOV, false, 0},
};

static const struct Mnemonic *by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];

typedef struct Oracle {
    X86CodeSize code;
    ZydisDecoder decoder;
    ZydisDecoderContext context;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    unsigned compared[X86_OPERATIONS];
} Oracle;

static Oracle oracles[3];

static int start_oracles(void **state)
{
    static const struct {
        X86CodeSize code;
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[3] = {
        {X86_CODE_16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        {X86_CODE_32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        {X86_CODE_64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(mnemonics); i++) {
        by_mnemonic[mnemonics[i].mnemonic] = &mnemonics[i];
    }
    for (size_t i = 0; i < COUNT(modes); i++) {
        oracles[i].code = modes[i].code;
        if (ZYAN_FAILED(ZydisDecoderInit(&oracles[i].decoder, modes[i].mode, modes[i].stack))) {
            return -1;
        }
    }
    return 0;
}

// ---- what Zydis says, in our words ----

static bool is_string(const Oracle *o)
{
    return o->insn.meta.category == ZYDIS_CATEGORY_STRINGOP;
}

static const struct Mnemonic *find_mnemonic(const Oracle *o)
{
    static const struct Mnemonic movsd = {ZYDIS_MNEMONIC_MOVSD, X86_VECTOR_MOV, false, 0};

    if (o->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
        return NULL;
    }
    if (o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSD && !is_string(o)) {
        return &movsd;
    }
    if (o->insn.mnemonic == ZYDIS_MNEMONIC_CMPSD && !is_string(o)) {
        return NULL;
    }
    return by_mnemonic[o->insn.mnemonic];
}

static bool is_general(ZydisRegisterClass class)
{
    return class >= ZYDIS_REGCLASS_GPR8 && class <= ZYDIS_REGCLASS_GPR64;
}

// Zydis numbers byte registers AL to BL, AH to BH, SPL to DIL, R8B to R15B.
static uint8_t register_number(ZydisRegister reg, bool *high)
{
    const uint8_t id = (uint8_t)ZydisRegisterGetId(reg);

    *high = false;
    if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) {
        return X86_NO_REGISTER;
    }
    if (ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_GPR8 || id < 4) {
        return id;
    }
    *high = id < 8;
    return (uint8_t)(id - 4);
}

// Of MOVS and CMPS the operand of rSI.
static const ZydisDecodedOperand *memory_operand(const Oracle *o, X86Operation operation)
{
    for (unsigned i = 0; i < o->insn.operand_count; i++) {
        const ZydisDecodedOperand *operand = &o->operands[i];
        bool high;

        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY ||
            operand->mem.type != ZYDIS_MEMOP_TYPE_MEM) {
            continue;
        }
        if (operation == X86_MOVS || operation == X86_CMPS) {
            if (register_number(operand->mem.base, &high) == 6) {
                return operand;
            }
        } else if (is_string(o) || operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
            return operand;
        }
    }
    return NULL;
}

// The string instructions hide the accumulator, and have more registers that we do not name.
static const ZydisDecodedOperand *register_operand(const Oracle *o)
{
    for (unsigned i = 0; i < o->insn.operand_count; i++) {
        const ZydisDecodedOperand *operand = &o->operands[i];

        if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER) {
            continue;
        }
        if (operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
            return operand;
        }
        if (is_string(o) && is_general(ZydisRegisterGetClass(operand->reg.value)) &&
            ZydisRegisterGetId(operand->reg.value) == 0) {
            return operand;
        }
    }
    return NULL;
}

// Zydis before 2026 takes base 5 with mod 0 for R13D when there is REX.B (its issue 592). The SDM has no
// base there (vol. 2, table 2-5), nor have GNU binutils.
static void correct_base(const Oracle *o, X86Memory *memory)
{
    if (memory->address_size == 4 && o->insn.raw.modrm.mod == 0 && o->insn.raw.sib.base == 5) {
        memory->base = X86_NO_REGISTER;
        memory->displacement = o->insn.raw.disp.value;
    }
}

static void fill_memory(const Oracle *o, const ZydisDecodedOperand *operand, X86Memory *memory)
{
    bool high;

    *memory = (X86Memory){
        .segment = (X86Segment)ZydisRegisterGetId(operand->mem.segment),
        .base = register_number(operand->mem.base, &high),
        .index = register_number(operand->mem.index, &high),
        .scale = operand->mem.scale != 0 ? operand->mem.scale : 1,
        .address_size = o->insn.address_width / 8,
        .rip_relative = operand->mem.base == ZYDIS_REGISTER_RIP ||
                        operand->mem.base == ZYDIS_REGISTER_EIP,
        .displacement = operand->mem.disp.value,
    };
    if ((o->insn.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0) {
        correct_base(o, memory);
    }
}

// False for the segment, control, debug and MMX registers.
static bool fill_register(const Oracle *o, const ZydisDecodedOperand *memory, X86Instruction *out)
{
    const ZydisDecodedOperand *operand = register_operand(o);

    if (operand == NULL) {
        return true;
    }

    const ZydisRegisterClass class = ZydisRegisterGetClass(operand->reg.value);

    out->has_reg = true;
    out->reg_first = operand->id < memory->id;
    out->reg = register_number(operand->reg.value, &out->reg_high);
    out->reg_width = (uint8_t)(ZydisRegisterGetWidth(o->insn.machine_mode, operand->reg.value) / 8);
    out->sign_extend = (o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSX ||
                        o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD) &&
                       out->reg_width > out->width;
    return is_general(class) || class == ZYDIS_REGCLASS_XMM;
}

static void fill_immediate(const Oracle *o, X86Instruction *out)
{
    for (unsigned i = 0; i < o->insn.operand_count; i++) {
        const unsigned above = 64u - o->insn.raw.imm[0].size;

        if (o->operands[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            out->has_immediate = true;
            out->immediate = (int64_t)(o->insn.raw.imm[0].value.u << above) >> above;
        }
    }
    if (out->has_immediate && out->operation >= X86_BT && out->operation <= X86_BTC) {
        out->immediate &= 8 * out->width - 1;
    }
}

static X86Repeat repeat_of(const Oracle *o, X86Operation operation)
{
    if (!is_string(o)) {
        return X86_REPEAT_NONE;
    }
    if ((o->insn.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0) {
        return X86_REP;
    }
    if ((o->insn.attributes & ZYDIS_ATTRIB_HAS_REPNE) == 0) {
        return X86_REPEAT_NONE;
    }
    return operation == X86_CMPS || operation == X86_SCAS ? X86_REPNE : X86_REP;
}

// False when it is no instruction, or not one of ours.
static bool expected_instruction(Oracle *o, const struct Mnemonic *mnemonic, X86Instruction *out)
{
    const ZydisDecodedOperand *memory = memory_operand(o, mnemonic->operation);

    if (memory == NULL) {
        return false;
    }
    *out = (X86Instruction){
        .length = o->insn.length,
        .operation = mnemonic->operation,
        .width = (uint8_t)(memory->size / 8),
        .loads = (memory->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0,
        .stores = (memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0 ||
                  mnemonic->operation == X86_MOVS,
        .lock = (o->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0,
        .repeat = repeat_of(o, mnemonic->operation),
        .aligned = mnemonic->aligned,
        .condition = mnemonic->condition,
    };
    fill_memory(o, memory, &out->memory);
    fill_immediate(o, out);
    return fill_register(o, memory, out);
}

// ---- comparison ----

// Both are cut off at the address size, and only Zydis' are not sign-extended everywhere.
static bool same_displacement(const X86Memory *a, const X86Memory *b)
{
    return (uint64_t)(a->displacement ^ b->displacement) << (64 - 8 * a->address_size) == 0;
}

static bool same_memory(const X86Memory *a, const X86Memory *b)
{
    return a->segment == b->segment && a->base == b->base && a->index == b->index &&
           a->scale == b->scale && a->address_size == b->address_size &&
           a->rip_relative == b->rip_relative && same_displacement(a, b);
}

static bool same_operand(const X86Instruction *a, const X86Instruction *b)
{
    return a->has_reg == b->has_reg && a->reg_first == b->reg_first && a->reg_high == b->reg_high &&
           a->sign_extend == b->sign_extend && a->reg == b->reg && a->reg_width == b->reg_width &&
           a->has_immediate == b->has_immediate && a->immediate == b->immediate &&
           a->condition == b->condition;
}

static bool same_instruction(const X86Instruction *a, const X86Instruction *b)
{
    return a->length == b->length && a->operation == b->operation && a->width == b->width &&
           a->loads == b->loads && a->stores == b->stores && a->lock == b->lock &&
           a->repeat == b->repeat && a->aligned == b->aligned &&
           same_memory(&a->memory, &b->memory) && same_operand(a, b);
}

static void describe(const char *who, const X86Instruction *i)
{
    print_message(
        "%s: length %u operation %d width %u loads %d stores %d lock %d repeat %d aligned %d "
        "seg %d base %u index %u scale %u address %u rip %d disp %lld, reg %d first %d "
        "high %d sign %d number %u width %u, immediate %d %lld condition %u\n",
        who, i->length, (int)i->operation, i->width, i->loads, i->stores, i->lock, (int)i->repeat,
        i->aligned, (int)i->memory.segment, i->memory.base, i->memory.index, i->memory.scale,
        i->memory.address_size, i->memory.rip_relative, (long long)i->memory.displacement,
        i->has_reg, i->reg_first, i->reg_high, i->sign_extend, i->reg, i->reg_width,
        i->has_immediate, (long long)i->immediate, i->condition);
}

static void fail_at(const Oracle *o, const uint8_t *bytes, const char *what)
{
    char text[3 * X86_MAX_INSTRUCTION + 1] = "";

    for (unsigned i = 0; i < X86_MAX_INSTRUCTION; i++) {
        (void)snprintf(text + (size_t)3 * i, 4, "%02x ", bytes[i]);
    }
    fail_msg("%d-bit code, %s: %s", (int)o->code, text, what);
}

// Instructions that Zydis knows and we refuse on purpose (the contract of x86_decode()).
static bool refused_on_purpose(const Oracle *o)
{
    const ZydisDecodedInstruction *insn = &o->insn;

    if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) {
        const bool second_test = (insn->opcode & 0xfe) == 0xf6 && insn->raw.modrm.reg == 1;
        const bool narrow_movsxd = insn->mnemonic == ZYDIS_MNEMONIC_MOVSXD &&
                                   insn->operand_width == 16;

        return insn->opcode == 0x82 || second_test || narrow_movsxd;
    }
    return false;
}

static bool zydis_expects(Oracle *o, const uint8_t *bytes, X86Instruction *out)
{
    if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&o->decoder, &o->context, bytes,
                                                  X86_MAX_INSTRUCTION, &o->insn))) {
        return false;
    }

    const struct Mnemonic *mnemonic = find_mnemonic(o);

    if (mnemonic == NULL || refused_on_purpose(o)) {
        return false;
    }
    return ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&o->decoder, &o->context, &o->insn, o->operands,
                                                   o->insn.operand_count)) &&
           expected_instruction(o, mnemonic, out);
}

// Exactly the bytes of the instruction must do, and one less must not.
static void check_length(const Oracle *o, const uint8_t *bytes, const X86Instruction *whole)
{
    X86Instruction again;

    if (x86_decode(bytes, whole->length - 1u, o->code, &again)) {
        fail_at(o, bytes, "accepted without its last byte");
    }
    if (!x86_decode(bytes, whole->length, o->code, &again) || !same_instruction(whole, &again)) {
        fail_at(o, bytes, "not accepted in a buffer of its length");
    }
}

static void compare(Oracle *o, const uint8_t *bytes)
{
    X86Instruction ours;
    X86Instruction theirs;
    const bool accepted = x86_decode(bytes, X86_MAX_INSTRUCTION, o->code, &ours);
    const bool expected = zydis_expects(o, bytes, &theirs);

    if (accepted != expected) {
        fail_at(o, bytes, accepted ? "accepted" : "refused");
    }
    if (!accepted) {
        return;
    }
    if (!same_instruction(&ours, &theirs)) {
        describe("ours ", &ours);
        describe("Zydis", &theirs);
        fail_at(o, bytes, "decoded as something else");
    }
    check_length(o, bytes, &ours);
    o->compared[ours.operation]++;
}

// ---- the instructions ----

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void fill_random(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        const uint64_t value = next_random();

        memcpy(bytes + i, &value, size - i < 8 ? size - i : 8);
    }
}

typedef struct Prefixes {
    uint8_t size;
    uint8_t bytes[4];
} Prefixes;

static const Prefixes prefix_sets[] = {
    {0, {0}},          {1, {0x66}},       {1, {0x67}},
    {1, {0xf0}},       {1, {0xf2}},       {1, {0xf3}},
    {2, {0x66, 0x67}}, {2, {0xf0, 0x66}}, {2, {0x66, 0xf0}},
    {2, {0xf3, 0x66}}, {2, {0x66, 0xf3}}, {2, {0x66, 0xf2}},
    {2, {0xf2, 0xf3}}, {2, {0xf3, 0xf2}}, {2, {0xf2, 0xf0}},
    {2, {0xf0, 0xf3}}, {2, {0x66, 0x66}}, {1, {0x26}},
    {1, {0x2e}},       {1, {0x36}},       {1, {0x3e}},
    {1, {0x64}},       {1, {0x65}},       {2, {0x65, 0x64}},
    {2, {0x64, 0x3e}}, {2, {0x36, 0x65}}, {4, {0x67, 0x36, 0x66, 0xf3}},
};

// More of them in 64-bit mode. REX counts only as the last prefix.
static const Prefixes rex_sets[] = {
    {1, {0x40}},
    {1, {0x41}},
    {1, {0x42}},
    {1, {0x44}},
    {1, {0x48}},
    {1, {0x4f}},
    {2, {0x66, 0x48}},
    {2, {0x66, 0x47}},
    {2, {0x48, 0x66}},
    {2, {0x4f, 0x67}},
    {2, {0x67, 0x43}},
    {2, {0xf0, 0x48}},
    {2, {0xf2, 0x4c}},
    {2, {0xf3, 0x49}},
    {2, {0x48, 0xf3}},
    {2, {0x48, 0x40}},
    {2, {0x40, 0x4f}},
    {3, {0x66, 0xf3, 0x48}},
    {3, {0x64, 0x67, 0x45}},
};

static const Prefixes one_byte_map = {0, {0}};
static const Prefixes two_byte_map = {1, {0x0f}};
static const Prefixes map_0f38 = {2, {0x0f, 0x38}};
static const Prefixes map_0f3a = {2, {0x0f, 0x3a}};

// The opcodes of a map from `first` to `last` with all ModRM bytes; what follows is random.
static void compare_opcodes(Oracle *o, const Prefixes *prefixes, const Prefixes *map,
                            unsigned first, unsigned last)
{
    uint8_t bytes[X86_MAX_INSTRUCTION + 1];
    const size_t opcode_at = (size_t)prefixes->size + map->size;

    for (unsigned both = first << 8; both <= (last << 8 | 0xff); both++) {
        fill_random(bytes, sizeof(bytes));
        memcpy(bytes, prefixes->bytes, prefixes->size);
        memcpy(bytes + prefixes->size, map->bytes, map->size);
        bytes[opcode_at] = (uint8_t)(both >> 8);
        bytes[opcode_at + 1] = (uint8_t)both;
        compare(o, bytes);
    }
}

static void compare_maps(Oracle *o, const Prefixes *prefixes)
{
    compare_opcodes(o, prefixes, &one_byte_map, 0, 0xff);
    compare_opcodes(o, prefixes, &two_byte_map, 0, 0xff);
    compare_opcodes(o, prefixes, &map_0f38, 0xf0, 0xf1);
}

static void every_opcode_is_decoded_like_zydis_does(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT(oracles); m++) {
        for (size_t i = 0; i < COUNT(prefix_sets); i++) {
            compare_maps(&oracles[m], &prefix_sets[i]);
        }
    }
    for (size_t i = 0; i < COUNT(rex_sets); i++) {
        compare_maps(&oracles[2], &rex_sets[i]);
    }
}

// Of three-byte opcodes we have two: no more prefixes than choose among them.
static void every_three_byte_opcode_is_decoded_like_zydis_does(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT(oracles); m++) {
        for (size_t i = 0; i < COUNT(prefix_sets) && prefix_sets[i].size < 2; i++) {
            compare_opcodes(&oracles[m], &prefix_sets[i], &map_0f38, 0, 0xff);
            compare_opcodes(&oracles[m], &prefix_sets[i], &map_0f3a, 0, 0xff);
        }
    }
}

// MOV with all ModRM and SIB bytes, of all address sizes, with all REX prefixes.
static void compare_addresses(Oracle *o, const uint8_t *prefixes, size_t size)
{
    uint8_t bytes[X86_MAX_INSTRUCTION + 1];

    for (unsigned both = 0; both < 0x10000; both++) {
        fill_random(bytes, sizeof(bytes));
        memcpy(bytes, prefixes, size);
        bytes[size] = 0x89;
        bytes[size + 1] = (uint8_t)(both >> 8);
        bytes[size + 2] = (uint8_t)both;
        compare(o, bytes);
    }
}

static void every_address_is_decoded_like_zydis_does(void **state)
{
    static const uint8_t address_prefix = 0x67;

    (void)state;
    for (size_t m = 0; m < COUNT(oracles); m++) {
        compare_addresses(&oracles[m], NULL, 0);
        compare_addresses(&oracles[m], &address_prefix, 1);
    }
    for (uint8_t rex = 0x40; rex < 0x50; rex++) {
        const uint8_t prefixes[] = {address_prefix, rex};

        compare_addresses(&oracles[2], &rex, 1);
        compare_addresses(&oracles[2], prefixes, 2);
    }
}

// Prefixes in any order and number: up to and beyond the greatest length.
static void random_prefixes(uint8_t *bytes)
{
    static const uint8_t known[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                                    0xf0, 0xf2, 0xf3, 0x40, 0x44, 0x48, 0x4f, 0x66};
    const uint64_t random = next_random();
    const unsigned number = (random & 3) == 0 ? (unsigned)(random >> 2) & 15 : (random >> 2) & 3;

    for (unsigned i = 0; i < number; i++) {
        bytes[i] = known[(random >> (8 + 4 * i % 48)) & 15];
    }
    if ((random >> 62) == 0 && number < X86_MAX_INSTRUCTION) {
        bytes[number] = 0x0f;
    }
}

static void random_bytes_are_decoded_like_zydis_does(void **state)
{
    uint8_t bytes[X86_MAX_INSTRUCTION + 1];

    (void)state;
    for (size_t m = 0; m < COUNT(oracles); m++) {
        for (unsigned i = 0; i < RANDOM_STRINGS; i++) {
            fill_random(bytes, sizeof(bytes));
            if (i % 4 != 0) {
                random_prefixes(bytes);
            }
            compare(&oracles[m], bytes);
        }
    }
}

static void every_operation_was_compared_in_every_mode(void **state)
{
    (void)state;
    for (size_t m = 0; m < COUNT(oracles); m++) {
        for (unsigned i = X86_NONE + 1; i < X86_OPERATIONS; i++) {
            assert_true(oracles[m].compared[i] > 100);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_opcode_is_decoded_like_zydis_does),
        cmocka_unit_test(every_three_byte_opcode_is_decoded_like_zydis_does),
        cmocka_unit_test(every_address_is_decoded_like_zydis_does),
        cmocka_unit_test(random_bytes_are_decoded_like_zydis_does),
        cmocka_unit_test(every_operation_was_compared_in_every_mode),
    };

    return cmocka_run_group_tests(tests, start_oracles, NULL);
}
