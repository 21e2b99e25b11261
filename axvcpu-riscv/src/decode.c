// SPDX-License-Identifier: Apache-2.0
// RV64 loads and stores of general registers (Unprivileged ISA: RV32I and RV64I 2.6, C extension
// 16.3), for guest page faults whose htinst is 0, and for the transformed instructions in htinst,
// which are loads and stores of the 32-bit formats, too.
//
// What an implementation may leave out or define for itself is refused, like all that is reserved.
#include "riscv.h"

#define REG_SP 2u

#define OPCODE_LOAD     UINT32_C(0x03)
#define OPCODE_STORE    UINT32_C(0x23)
#define OPCODE_STORE_FP UINT32_C(0x27) // of vectors, too
#define OPCODE_AMO      UINT32_C(0x2f)

#define FUNCT3_W UINT32_C(2)
#define FUNCT3_D UINT32_C(3)

typedef bool (*Decoder)(uint32_t instruction, RISCVLoadStore *out);

static uint32_t bits(uint32_t value, unsigned high, unsigned low)
{
    return (value >> low) & (UINT32_MAX >> (31 - (high - low)));
}

static int64_t signed_bits(uint32_t value, unsigned high, unsigned low)
{
    const unsigned above = 31 - high;

    return (int32_t)(value << above) >> (above + low);
}

// ---- 32 bits wide ----

// funct3: bits 1:0 are the size, bit 2 asks for zero extension. LD has nothing to extend.
static bool decode_load(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t funct3 = bits(instruction, 14, 12);

    *out = (RISCVLoadStore){
        .is_load = true,
        .sign_extend = funct3 < FUNCT3_D,
        .width = (AccessWidth)(1u << (funct3 & 3)),
        .reg = (uint8_t)bits(instruction, 11, 7),
        .base = (uint8_t)bits(instruction, 19, 15),
        .offset = signed_bits(instruction, 31, 20),
    };
    return funct3 != 7;
}

static bool decode_store(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t funct3 = bits(instruction, 14, 12);

    *out = (RISCVLoadStore){
        .width = (AccessWidth)(1u << (funct3 & 3)),
        .reg = (uint8_t)bits(instruction, 24, 20),
        .base = (uint8_t)bits(instruction, 19, 15),
        .offset = signed_bits(instruction, 31, 25) * 32 + (int64_t)bits(instruction, 11, 7),
    };
    return funct3 <= FUNCT3_D;
}

static bool decode_wide(uint32_t instruction, RISCVLoadStore *out)
{
    switch (bits(instruction, 6, 0)) {
    case OPCODE_LOAD: return decode_load(instruction, out);
    case OPCODE_STORE: return decode_store(instruction, out);
    default: return false;
    }
}

// ---- 16 bits wide: the size is in bits 14:13, 2 for words, 3 for double words; bit 15: store ----

static void set_compressed(uint32_t instruction, RISCVLoadStore *out)
{
    const bool is_double = bits(instruction, 13, 13) != 0;

    out->is_load = bits(instruction, 15, 15) == 0;
    out->sign_extend = out->is_load && !is_double;
    out->width = is_double ? AX_WIDTH_QWORD : AX_WIDTH_DWORD;
}

// C.LW, C.LD, C.SW, C.SD: three bits name the registers x8 to x15.
static bool decode_compressed(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t middle = bits(instruction, 12, 10) << 3;
    const uint32_t word = bits(instruction, 5, 5) << 6 | bits(instruction, 6, 6) << 2;
    const uint32_t wide = bits(instruction, 6, 5) << 6;

    set_compressed(instruction, out);
    out->reg = (uint8_t)(8 + bits(instruction, 4, 2));
    out->base = (uint8_t)(8 + bits(instruction, 9, 7));
    out->offset = (int64_t)(middle | (out->width == AX_WIDTH_QWORD ? wide : word));
    return true;
}

// C.LWSP, C.LDSP; into x0 they are reserved.
static bool decode_stack_load(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t top = bits(instruction, 12, 12) << 5;
    const uint32_t word = bits(instruction, 6, 4) << 2 | bits(instruction, 3, 2) << 6;
    const uint32_t wide = bits(instruction, 6, 5) << 3 | bits(instruction, 4, 2) << 6;

    set_compressed(instruction, out);
    out->reg = (uint8_t)bits(instruction, 11, 7);
    out->base = REG_SP;
    out->offset = (int64_t)(top | (out->width == AX_WIDTH_QWORD ? wide : word));
    return out->reg != 0;
}

// C.SWSP, C.SDSP
static bool decode_stack_store(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t word = bits(instruction, 12, 9) << 2 | bits(instruction, 8, 7) << 6;
    const uint32_t wide = bits(instruction, 12, 10) << 3 | bits(instruction, 9, 7) << 6;

    set_compressed(instruction, out);
    out->reg = (uint8_t)bits(instruction, 6, 2);
    out->base = REG_SP;
    out->offset = (int64_t)(out->width == AX_WIDTH_QWORD ? wide : word);
    return true;
}

#define COMPRESSED(quadrant, funct3) ((quadrant) << 3 | (funct3))

// By quadrant (bits 1:0) and funct3 (bits 15:13). What is not here is not emulated.
static const Decoder compressed[3u << 3] = {
    [COMPRESSED(0, 2)] = decode_compressed,  [COMPRESSED(0, 3)] = decode_compressed,
    [COMPRESSED(0, 6)] = decode_compressed,  [COMPRESSED(0, 7)] = decode_compressed,
    [COMPRESSED(2, 2)] = decode_stack_load,  [COMPRESSED(2, 3)] = decode_stack_load,
    [COMPRESSED(2, 6)] = decode_stack_store, [COMPRESSED(2, 7)] = decode_stack_store,
};

bool riscv_decode_load_store(uint32_t instruction, RISCVLoadStore *out)
{
    const uint32_t quadrant = bits(instruction, 1, 0);

    if (quadrant == 3) {
        return decode_wide(instruction, out);
    }

    const Decoder decode = compressed[COMPRESSED(quadrant, bits(instruction, 15, 13))];

    *out = (RISCVLoadStore){0};
    return decode != NULL && decode(instruction, out);
}

// ---- atomic instructions ----

// By funct5: AMOADD, AMOSWAP, SC, AMOXOR, AMOOR, AMOAND, AMOMIN, AMOMAX, AMOMINU, AMOMAXU.
#define ATOMIC_STORES UINT32_C(0x1111111b)

bool riscv_is_atomic_store(uint32_t instruction)
{
    const uint32_t funct3 = bits(instruction, 14, 12);

    return bits(instruction, 6, 0) == OPCODE_AMO && (funct3 == FUNCT3_W || funct3 == FUNCT3_D) &&
           ((ATOMIC_STORES >> bits(instruction, 31, 27)) & 1) != 0;
}

// ---- direction ----

// In both quadrants that access memory: C.FSD, C.SW, C.SD, and the same with the stack pointer.
#define COMPRESSED_STORES UINT32_C(5)

bool riscv_is_store(uint32_t instruction)
{
    const uint32_t opcode = bits(instruction, 6, 0);

    switch (bits(instruction, 1, 0)) {
    case 0:
    case 2: return bits(instruction, 15, 13) >= COMPRESSED_STORES;
    case 3:
        return opcode == OPCODE_STORE || opcode == OPCODE_STORE_FP ||
               riscv_is_atomic_store(instruction);
    default: return false;
    }
}
