// SPDX-License-Identifier: Apache-2.0
// Instructions with a memory operand (SDM vol. 2, chapter 2 "Instruction Format", appendix A "Opcode
// Map"). Tables say what an opcode is; the code walks along the instruction: prefixes, opcode, ModRM,
// SIB, displacement, immediate.
//
// Prefixes that have no effect on an instruction are skipped, as CPUs do. What has no memory operand
// is refused: it cannot trap on one.
#include "decode.h"

#define REG_BP 5u
#define REG_SP 4u
#define REG_SI 6u
#define REG_DI 7u

#define REX_B 0x1u
#define REX_X 0x2u
#define REX_R 0x4u
#define REX_W 0x8u

typedef enum Place {
    PLACE_MODRM,
    PLACE_OFFSET, // moffs: an address in place of ModRM
    PLACE_SI,
    PLACE_DI,
} Place;

typedef enum Other {
    NO_OPERAND,
    MODRM_REG,
    ACCUMULATOR,
    IMMEDIATE_8,
    IMMEDIATE_Z, // 16 bits with an operand size of 16, else 32
} Other;

typedef enum Group {
    GROUP_NONE,
    GROUP_1,
    GROUP_1A,
    GROUP_3,
    GROUP_4,
    GROUP_5,
    GROUP_8,
    GROUP_11,
    GROUPS,
} Group;

// What an opcode is. All zeros: nothing that is emulated.
typedef struct Form {
    uint8_t operation; // X86Operation ...
    uint8_t group;     // ... or the Group, in which ModRM.reg says which
    uint8_t place;     // Place of the memory operand
    uint8_t width;     // of the memory operand, 0: operand size
    uint8_t other;     // Other: the operand that is not in memory
    bool reg_first;
    bool extends;   // that register has the operand size whatever the width
    bool sign;      // sign-extends
    bool only_64;   // exists in 64-bit mode alone
    bool no_prefix; // "NP" in the SDM: 66, F2 and F3 are not allowed. 32 bits, or 64 with REX.W
} Form;

// The memory operand as first operand, of an operation: read, written, may the instruction be locked.
typedef struct Effect {
    bool reads;
    bool writes;
    bool lockable;
} Effect;

static const Effect effects[X86_OPERATIONS] = {
    [X86_ADD] = {true, true, true},     [X86_OR] = {true, true, true},
    [X86_ADC] = {true, true, true},     [X86_SBB] = {true, true, true},
    [X86_AND] = {true, true, true},     [X86_SUB] = {true, true, true},
    [X86_XOR] = {true, true, true},     [X86_CMP] = {true, false, false},
    [X86_TEST] = {true, false, false},  [X86_NOT] = {true, true, true},
    [X86_NEG] = {true, true, true},     [X86_INC] = {true, true, true},
    [X86_DEC] = {true, true, true},     [X86_BT] = {true, false, false},
    [X86_BTS] = {true, true, true},     [X86_BTR] = {true, true, true},
    [X86_BTC] = {true, true, true},     [X86_XADD] = {true, true, true},
    [X86_CMPXCHG] = {true, true, true}, [X86_XCHG] = {true, true, true},
    [X86_MOV] = {false, true, false},   [X86_MOVBE] = {false, true, false},
    [X86_SETCC] = {false, true, false}, [X86_MOVS] = {true, true, false},
    [X86_CMPS] = {true, false, false},  [X86_STOS] = {false, true, false},
    [X86_LODS] = {false, true, false},  [X86_SCAS] = {true, false, false},
    [X86_PUSH] = {true, false, false},  [X86_POP] = {false, true, false},
};

// ---- opcodes ----

// Byte form at an even opcode, operand size at the odd one behind it.
#define PAIR(opcode, ...)      [opcode] = {.width = 1, __VA_ARGS__}, [(opcode) + 1] = {__VA_ARGS__}
#define STORE_FORM(op)         .operation = (op), .other = MODRM_REG
#define LOAD_FORM(op)          .operation = (op), .other = MODRM_REG, .reg_first = true
#define ARITHMETIC(opcode, op) PAIR(opcode, STORE_FORM(op)), PAIR((opcode) + 2, LOAD_FORM(op))
#define STRING(op, at)         .operation = (op), .place = (at)

static const Form one_byte[256] = {
    ARITHMETIC(0x00, X86_ADD),
    ARITHMETIC(0x08, X86_OR),
    ARITHMETIC(0x10, X86_ADC),
    ARITHMETIC(0x18, X86_SBB),
    ARITHMETIC(0x20, X86_AND),
    ARITHMETIC(0x28, X86_SUB),
    ARITHMETIC(0x30, X86_XOR),
    ARITHMETIC(0x38, X86_CMP),
    [0x63] = {LOAD_FORM(X86_MOV), .width = 4, .extends = true, .sign = true, .only_64 = true},
    PAIR(0x84, STORE_FORM(X86_TEST)),
    PAIR(0x86, STORE_FORM(X86_XCHG)),
    PAIR(0x88, STORE_FORM(X86_MOV)),
    PAIR(0x8a, LOAD_FORM(X86_MOV)),
    PAIR(0xa0, .operation = X86_MOV, .place = PLACE_OFFSET, .other = ACCUMULATOR,
         .reg_first = true),
    PAIR(0xa2, .operation = X86_MOV, .place = PLACE_OFFSET, .other = ACCUMULATOR),
    PAIR(0xa4, STRING(X86_MOVS, PLACE_SI)),
    PAIR(0xa6, STRING(X86_CMPS, PLACE_SI)),
    PAIR(0xaa, STRING(X86_STOS, PLACE_DI), .other = ACCUMULATOR),
    PAIR(0xac, STRING(X86_LODS, PLACE_SI), .other = ACCUMULATOR, .reg_first = true),
    PAIR(0xae, STRING(X86_SCAS, PLACE_DI), .other = ACCUMULATOR, .reg_first = true),
    [0x80] = {.group = GROUP_1, .width = 1, .other = IMMEDIATE_8},
    [0x81] = {.group = GROUP_1, .other = IMMEDIATE_Z},
    [0x83] = {.group = GROUP_1, .other = IMMEDIATE_8},
    [0x8f] = {.group = GROUP_1A},
    [0xc6] = {.group = GROUP_11, .width = 1, .other = IMMEDIATE_8},
    [0xc7] = {.group = GROUP_11, .other = IMMEDIATE_Z},
    [0xf6] = {.group = GROUP_3, .width = 1, .other = IMMEDIATE_8},
    [0xf7] = {.group = GROUP_3, .other = IMMEDIATE_Z},
    [0xfe] = {.group = GROUP_4, .width = 1},
    [0xff] = {.group = GROUP_5},
};

#define EXTEND(bytes) LOAD_FORM(X86_MOV), .width = (bytes), .extends = true

// Behind 0F. SETcc, MOVBE (behind 0F 38) and vector moves are below.
static const Form two_byte[256] = {
    [0xa3] = {STORE_FORM(X86_BT)},
    [0xab] = {STORE_FORM(X86_BTS)},
    [0xb3] = {STORE_FORM(X86_BTR)},
    [0xbb] = {STORE_FORM(X86_BTC)},
    [0xba] = {.group = GROUP_8, .other = IMMEDIATE_8},
    PAIR(0xb0, STORE_FORM(X86_CMPXCHG)),
    PAIR(0xc0, STORE_FORM(X86_XADD)),
    [0xb6] = {EXTEND(1)},
    [0xb7] = {EXTEND(2)},
    [0xbe] = {EXTEND(1), .sign = true},
    [0xbf] = {EXTEND(2), .sign = true},
    [0xc3] = {STORE_FORM(X86_MOV), .no_prefix = true},
};

// By ModRM.reg (appendix A.4, table A-6).
static const X86Operation groups[GROUPS][8] = {
    [GROUP_1] = {X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP},
    [GROUP_1A] = {[0] = X86_POP},
    [GROUP_3] = {[0] = X86_TEST, [2] = X86_NOT, [3] = X86_NEG},
    [GROUP_4] = {[0] = X86_INC, [1] = X86_DEC},
    [GROUP_5] = {[0] = X86_INC, [1] = X86_DEC, [6] = X86_PUSH},
    [GROUP_8] = {[4] = X86_BT, [5] = X86_BTS, [6] = X86_BTR, [7] = X86_BTC},
    [GROUP_11] = {[0] = X86_MOV},
};

static const Form setcc = {.operation = X86_SETCC, .width = 1};
static const Form movbe_load = {LOAD_FORM(X86_MOVBE)};
static const Form movbe_store = {STORE_FORM(X86_MOVBE)};

// Behind 0F, by the mandatory prefix: 0, 66, F2 or F3.
typedef struct VectorForm {
    uint8_t prefix;
    uint8_t opcode;
    uint8_t width; // 0: 4, or 8 with REX.W
    bool is_load;
    bool aligned;
} VectorForm;

static const VectorForm vector_forms[] = {
    {0x00, 0x10, 16, true, false},  // MOVUPS
    {0x00, 0x11, 16, false, false}, // MOVUPS
    {0x66, 0x10, 16, true, false},  // MOVUPD
    {0x66, 0x11, 16, false, false}, // MOVUPD
    {0xf3, 0x10, 4, true, false},   // MOVSS
    {0xf3, 0x11, 4, false, false},  // MOVSS
    {0xf2, 0x10, 8, true, false},   // MOVSD
    {0xf2, 0x11, 8, false, false},  // MOVSD
    {0x00, 0x28, 16, true, true},   // MOVAPS
    {0x00, 0x29, 16, false, true},  // MOVAPS
    {0x66, 0x28, 16, true, true},   // MOVAPD
    {0x66, 0x29, 16, false, true},  // MOVAPD
    {0x00, 0x2b, 16, false, true},  // MOVNTPS
    {0x66, 0x2b, 16, false, true},  // MOVNTPD
    {0x66, 0x6e, 0, true, false},   // MOVD, MOVQ
    {0x66, 0x7e, 0, false, false},  // MOVD, MOVQ
    {0x66, 0x6f, 16, true, true},   // MOVDQA
    {0x66, 0x7f, 16, false, true},  // MOVDQA
    {0xf3, 0x6f, 16, true, false},  // MOVDQU
    {0xf3, 0x7f, 16, false, false}, // MOVDQU
    {0xf3, 0x7e, 8, true, false},   // MOVQ
    {0x66, 0xd6, 8, false, false},  // MOVQ
    {0x66, 0xe7, 16, false, true},  // MOVNTDQ
    {0xf2, 0xf0, 16, true, false},  // LDDQU
};

// ---- the bytes ----

typedef struct Decoder {
    const uint8_t *bytes;
    size_t size; // at most X86_MAX_INSTRUCTION
    size_t at;
    bool ran_out;
    X86CodeSize code;
    X86Instruction *out;

    bool operand_prefix; // 66
    bool address_prefix; // 67
    uint8_t repeat;      // F2 or F3, the last one
    bool has_segment;
    X86Segment segment;
    uint8_t rex; // 0: none
    uint8_t operand_size;
    uint8_t modrm;
} Decoder;

static uint8_t next_byte(Decoder *d)
{
    if (d->at >= d->size) {
        d->ran_out = true;
        return 0;
    }
    return d->bytes[d->at++];
}

static int64_t sign_extend(uint64_t value, unsigned size)
{
    const unsigned above = 64 - 8 * size;

    return (int64_t)(value << above) >> above;
}

// Little-endian, of 1, 2, 4 or 8 bytes.
static int64_t next_signed(Decoder *d, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)next_byte(d) << (8 * i);
    }
    return sign_extend(value, size);
}

// ---- prefixes (2.1.1, 2.2.1) ----

// In 64-bit mode those of ES, CS, SS and DS do nothing, not even undo one of FS or GS before them.
static void set_segment(Decoder *d, X86Segment segment)
{
    if (d->code != X86_CODE_64 || segment >= X86_FS) {
        d->has_segment = true;
        d->segment = segment;
    }
}

static bool take_prefix(Decoder *d, uint8_t byte)
{
    switch (byte) {
    case 0x26: set_segment(d, X86_ES); return true;
    case 0x2e: set_segment(d, X86_CS); return true;
    case 0x36: set_segment(d, X86_SS); return true;
    case 0x3e: set_segment(d, X86_DS); return true;
    case 0x64: set_segment(d, X86_FS); return true;
    case 0x65: set_segment(d, X86_GS); return true;
    case 0x66: d->operand_prefix = true; return true;
    case 0x67: d->address_prefix = true; return true;
    case 0xf0: d->out->lock = true; return true;
    case 0xf2:
    case 0xf3: d->repeat = byte; return true;
    default: return false;
    }
}

// The opcode's first byte. A REX prefix counts only right before it.
static uint8_t skip_prefixes(Decoder *d)
{
    for (;;) {
        const uint8_t byte = next_byte(d);

        if (d->code == X86_CODE_64 && (byte & 0xf0) == 0x40) {
            d->rex = byte;
        } else if (take_prefix(d, byte)) {
            d->rex = 0;
        } else {
            return byte;
        }
    }
}

static bool rex_w(const Decoder *d)
{
    return (d->rex & REX_W) != 0;
}

static uint8_t extended(const Decoder *d, unsigned rex_bit, unsigned number)
{
    return (uint8_t)(number | ((d->rex & rex_bit) != 0 ? 8u : 0u));
}

// SDM vol. 1, 3.6, tables 3-3 and 3-4.
static uint8_t operand_size(const Decoder *d)
{
    if (rex_w(d)) {
        return 8;
    }
    return (d->code == X86_CODE_16) != d->operand_prefix ? 2 : 4;
}

static uint8_t address_size(const Decoder *d)
{
    if (d->code == X86_CODE_64) {
        return d->address_prefix ? 4 : 8;
    }
    return (d->code == X86_CODE_16) != d->address_prefix ? 2 : 4;
}

// ---- memory operands (2.1.5, 2.2.1.3, 2.2.1.6) ----

static void set_default_segment(const Decoder *d, X86Segment segment)
{
    d->out->memory.segment = d->has_segment ? d->segment : segment;
}

// Table 2-1. BP makes it a stack access.
static void decode_memory_16(Decoder *d, unsigned mod, unsigned rm)
{
    static const struct {
        uint8_t base;
        uint8_t index;
    } forms[8] = {
        {3, REG_SI},
        {3, REG_DI},
        {REG_BP, REG_SI},
        {REG_BP, REG_DI},
        {REG_SI, X86_NO_REGISTER},
        {REG_DI, X86_NO_REGISTER},
        {REG_BP, X86_NO_REGISTER},
        {3, X86_NO_REGISTER},
    };
    X86Memory *memory = &d->out->memory;

    if (mod == 0 && rm == 6) {
        memory->displacement = next_signed(d, 2);
        set_default_segment(d, X86_DS);
        return;
    }
    memory->base = forms[rm].base;
    memory->index = forms[rm].index;
    memory->displacement = mod != 0 ? next_signed(d, mod) : 0;
    set_default_segment(d, memory->base == REG_BP ? X86_SS : X86_DS);
}

// Table 2-3. `base_field` 5 without a displacement: 32 bits of it and no base. Index 4 is none.
static void decode_sib(Decoder *d, bool *without_base, unsigned mod)
{
    const uint8_t sib = next_byte(d);
    const uint8_t index = extended(d, REX_X, (sib >> 3) & 7u);
    const unsigned base_field = sib & 7u;
    X86Memory *memory = &d->out->memory;

    if (index != 4) {
        memory->index = index;
        memory->scale = (uint8_t)(1u << (sib >> 6));
    }
    *without_base = mod == 0 && base_field == 5;
    if (!*without_base) {
        memory->base = extended(d, REX_B, base_field);
    }
}

// Table 2-2. In 64-bit mode the form with nothing but a displacement counts from the next instruction.
static void decode_memory_32(Decoder *d, unsigned mod, unsigned rm)
{
    X86Memory *memory = &d->out->memory;
    bool without_base = mod == 0 && rm == 5;

    if (without_base) {
        memory->rip_relative = d->code == X86_CODE_64;
    } else if (rm == 4) {
        decode_sib(d, &without_base, mod);
    } else {
        memory->base = extended(d, REX_B, rm);
    }
    if (without_base || mod == 2) {
        memory->displacement = next_signed(d, 4);
    } else if (mod == 1) {
        memory->displacement = next_signed(d, 1);
    }
    set_default_segment(d, memory->base == REG_SP || memory->base == REG_BP ? X86_SS : X86_DS);
}

static void decode_modrm(Decoder *d)
{
    const unsigned mod = d->modrm >> 6;
    const unsigned rm = d->modrm & 7u;

    if (d->out->memory.address_size == 2) {
        decode_memory_16(d, mod, rm);
    } else {
        decode_memory_32(d, mod, rm);
    }
}

// rDI of the string instructions is always in ES.
static void decode_memory(Decoder *d, unsigned place)
{
    X86Memory *memory = &d->out->memory;

    set_default_segment(d, X86_DS);
    switch (place) {
    case PLACE_MODRM: decode_modrm(d); break;
    case PLACE_OFFSET: memory->displacement = next_signed(d, memory->address_size); break;
    case PLACE_SI: memory->base = REG_SI; break;
    case PLACE_DI:
        memory->base = REG_DI;
        memory->segment = X86_ES;
        break;
    }
}

// ---- the other operand ----

static unsigned modrm_reg(const Decoder *d)
{
    return (d->modrm >> 3) & 7u;
}

// Byte registers 4 to 7 are AH, CH, DH and BH, unless there is any REX prefix (2.2.1.2).
static void set_register(const Decoder *d, const Form *form)
{
    X86Instruction *out = d->out;

    out->has_reg = true;
    out->reg_first = form->reg_first;
    out->reg_width = form->extends ? d->operand_size : out->width;
    out->sign_extend = form->sign && out->reg_width > out->width;
    if (form->other == ACCUMULATOR) {
        return;
    }
    out->reg = extended(d, REX_R, modrm_reg(d));
    if (out->reg_width == 1 && d->rex == 0 && out->reg >= 4) {
        out->reg = (uint8_t)(out->reg - 4);
        out->reg_high = true;
    }
}

static void set_immediate(Decoder *d, int64_t value)
{
    d->out->has_immediate = true;
    d->out->immediate = value;
}

static void decode_other(Decoder *d, const Form *form)
{
    switch (form->other) {
    case NO_OPERAND: break;
    case MODRM_REG:
    case ACCUMULATOR: set_register(d, form); break;
    case IMMEDIATE_8: set_immediate(d, next_signed(d, 1)); break;
    case IMMEDIATE_Z: set_immediate(d, next_signed(d, d->operand_size == 2 ? 2 : 4)); break;
    }
}

// NOT and NEG share their group with TEST, but not its immediate.
static void decode_group_other(Decoder *d, const Form *form)
{
    X86Instruction *out = d->out;

    if (out->operation == X86_NOT || out->operation == X86_NEG) {
        return;
    }
    decode_other(d, form);
    if (form->group == GROUP_8) {
        out->immediate &= out->width * 8 - 1;
    }
}

// ---- instructions ----

static bool is_string(X86Operation operation)
{
    return operation >= X86_MOVS && operation <= X86_SCAS;
}

// F2 counts as REP where there is nothing to compare, as CPUs do it.
static X86Repeat repeat_of(const Decoder *d)
{
    const X86Operation operation = d->out->operation;

    if (!is_string(operation) || d->repeat == 0) {
        return X86_REPEAT_NONE;
    }
    if (operation == X86_CMPS || operation == X86_SCAS) {
        return d->repeat == 0xf2 ? X86_REPNE : X86_REP;
    }
    return X86_REP;
}

// Reads, writes and LOCK (vol. 2, LOCK: only with a memory operand that is read and written).
static bool set_effect(Decoder *d, const Form *form)
{
    X86Instruction *out = d->out;
    const Effect *effect = &effects[out->operation];

    out->loads = form->reg_first || effect->reads;
    out->stores = !form->reg_first && effect->writes;
    out->repeat = repeat_of(d);
    return !out->lock || (effect->lockable && out->stores);
}

static bool form_is_allowed(const Decoder *d, const Form *form)
{
    if (form->only_64 && (d->code != X86_CODE_64 || d->operand_size == 2)) {
        return false;
    }
    return !form->no_prefix || (!d->operand_prefix && d->repeat == 0);
}

// PUSH and POP have no 32-bit form in 64-bit mode.
static uint8_t width_of(const Decoder *d, const Form *form)
{
    const X86Operation operation = d->out->operation;
    const bool on_stack = operation == X86_PUSH || operation == X86_POP;

    if (form->width != 0) {
        return form->width;
    }
    if (form->no_prefix) {
        return rex_w(d) ? 8 : 4;
    }
    return on_stack && d->code == X86_CODE_64 && d->operand_size == 4 ? 8 : d->operand_size;
}

static bool take_modrm(Decoder *d)
{
    d->modrm = next_byte(d);
    return d->modrm < 0xc0;
}

static X86Operation operation_of(const Decoder *d, const Form *form)
{
    return form->group != GROUP_NONE ? groups[form->group][modrm_reg(d)]
                                     : (X86Operation)form->operation;
}

static bool decode_form(Decoder *d, const Form *form)
{
    X86Instruction *out = d->out;

    if (!form_is_allowed(d, form) || (form->place == PLACE_MODRM && !take_modrm(d))) {
        return false;
    }
    out->operation = operation_of(d, form);
    if (out->operation == X86_NONE || !set_effect(d, form)) {
        return false;
    }
    out->width = width_of(d, form);
    decode_memory(d, form->place);
    decode_group_other(d, form);
    return true;
}

static bool decode_vector(Decoder *d, const VectorForm *form)
{
    X86Instruction *out = d->out;

    if (out->lock || !take_modrm(d)) {
        return false;
    }
    out->operation = X86_VECTOR_MOV;
    out->loads = form->is_load;
    out->stores = !form->is_load;
    out->aligned = form->aligned;
    out->width = form->width != 0 ? form->width : (rex_w(d) ? 8 : 4);
    out->has_reg = true;
    out->reg_first = form->is_load;
    out->reg_width = 16;
    out->reg = extended(d, REX_R, modrm_reg(d));
    decode_memory(d, PLACE_MODRM);
    return true;
}

// F2 and F3 come before 66.
static const VectorForm *find_vector_form(const Decoder *d, uint8_t opcode)
{
    const uint8_t prefix = d->repeat != 0 ? d->repeat : (d->operand_prefix ? 0x66 : 0);

    for (size_t i = 0; i < sizeof(vector_forms) / sizeof(vector_forms[0]); i++) {
        if (vector_forms[i].opcode == opcode && vector_forms[i].prefix == prefix) {
            return &vector_forms[i];
        }
    }
    return NULL;
}

// Behind 0F 38. With F2 these are CRC32.
static bool decode_three_byte(Decoder *d)
{
    const uint8_t opcode = next_byte(d);

    if ((opcode != 0xf0 && opcode != 0xf1) || d->repeat != 0) {
        return false;
    }
    return decode_form(d, opcode == 0xf0 ? &movbe_load : &movbe_store);
}

static bool decode_two_byte(Decoder *d)
{
    const uint8_t opcode = next_byte(d);
    const VectorForm *vector = find_vector_form(d, opcode);

    if (opcode == 0x38) {
        return decode_three_byte(d);
    }
    if (vector != NULL) {
        return decode_vector(d, vector);
    }
    if ((opcode & 0xf0) == 0x90) {
        d->out->condition = opcode & 0xf;
        return decode_form(d, &setcc);
    }
    return decode_form(d, &two_byte[opcode]);
}

bool x86_decode(const uint8_t *bytes, size_t size, X86CodeSize code, X86Instruction *out)
{
    Decoder d = {
        .bytes = bytes,
        .size = size < X86_MAX_INSTRUCTION ? size : X86_MAX_INSTRUCTION,
        .code = code,
        .out = out,
    };

    *out = (X86Instruction){
        .memory = {.base = X86_NO_REGISTER, .index = X86_NO_REGISTER, .scale = 1},
    };

    const uint8_t opcode = skip_prefixes(&d);

    d.operand_size = operand_size(&d);
    out->memory.address_size = address_size(&d);

    const bool known = opcode == 0x0f ? decode_two_byte(&d) : decode_form(&d, &one_byte[opcode]);

    out->length = (uint8_t)d.at;
    return known && !d.ran_out;
}

int64_t x86_bit_distance(unsigned width, uint64_t bit)
{
    const int64_t bits = 8 * (int64_t)width;

    // Rounded down also below 0: the operands are powers of two.
    return (sign_extend(bit, width) & -bits) / 8;
}
