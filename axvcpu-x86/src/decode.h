// SPDX-License-Identifier: Apache-2.0
// Instructions with a memory operand, for accesses that trap: what the emulator needs to carry one out.
// No state, no allocation: any CPU may call it at any time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// SDM vol. 2, 2.3.11: a longer instruction is #GP.
#define X86_MAX_INSTRUCTION 15u

// The code segment: CS.D, or 64-bit mode (CS.L with EFER.LMA). The value is the number of bits.
typedef enum X86CodeSize {
    X86_CODE_16 = 16,
    X86_CODE_32 = 32,
    X86_CODE_64 = 64,
} X86CodeSize;

// By the SDM's names. "First" and "second" are its operands from left to right.
typedef enum X86Operation {
    X86_NONE,
    X86_ADD,
    X86_OR,
    X86_ADC,
    X86_SBB,
    X86_AND,
    X86_SUB,
    X86_XOR,
    X86_CMP,
    X86_TEST,
    X86_NOT,
    X86_NEG,
    X86_INC,
    X86_DEC,
    X86_BT, // with a register as second operand: see x86_bit_distance()
    X86_BTS,
    X86_BTR,
    X86_BTC,
    X86_XADD,
    X86_CMPXCHG, // and with the accumulator, which reg does not name
    X86_XCHG,    // locked also without a prefix
    X86_MOV,     // also MOVZX, MOVSX, MOVSXD, MOVNTI
    X86_MOVBE,
    X86_SETCC, // stores 1 when `condition` holds, else 0
    X86_MOVS,  // from memory to ES:[rDI]
    X86_CMPS,  // memory with ES:[rDI]
    X86_STOS,
    X86_LODS,
    X86_SCAS,
    X86_PUSH, // memory to the stack
    // From the stack to memory. A memory operand that is based on rSP counts from rSP as it is after
    // the pop (SDM vol. 2, POP).
    X86_POP,
    // A load clears what lies between `width` and bit 127 of the XMM register and leaves the rest.
    X86_VECTOR_MOV,
    X86_OPERATIONS,
} X86Operation;

typedef enum X86Segment {
    X86_ES,
    X86_CS,
    X86_SS,
    X86_DS,
    X86_FS,
    X86_GS,
} X86Segment;

typedef enum X86Repeat {
    X86_REPEAT_NONE,
    X86_REP, // for CMPS and SCAS it is REPE
    X86_REPNE,
} X86Repeat;

// Stands for a base or index that is not there.
#define X86_NO_REGISTER UINT8_C(0xff)

// segment:[base + index * scale + displacement], cut off at address_size bytes (SDM vol. 1, 3.7.5).
typedef struct X86Memory {
    X86Segment
        segment;   // the one in force: default or override; 64-bit mode: only FS, GS have a base
    uint8_t base;  // GPR 0 to 15 or X86_NO_REGISTER
    uint8_t index; // likewise
    uint8_t scale; // 1, 2, 4, 8; 1 without an index
    uint8_t address_size; // 2, 4, 8: also that of the rSI, rDI, rCX of the string instructions
    bool rip_relative;    // the base is the address of the next instruction
    int64_t displacement;
} X86Memory;

// One instruction. Sizes are in bytes.
typedef struct X86Instruction {
    uint8_t length;
    X86Operation operation;
    X86Memory memory; // of MOVS and CMPS: that of rSI
    uint8_t width;    // of the memory access: 1, 2, 4, 8; 16 only of X86_VECTOR_MOV
    bool loads;       // the memory operand is read ...
    bool stores;      // ... and written; both for MOVS, which writes to ES:[rDI]
    bool lock;        // LOCK prefix
    X86Repeat repeat; // of a string instruction
    bool aligned;     // an address that is no multiple of 16 is #GP

    // The other operand, if there is one, is either a register or an immediate.
    bool has_reg;
    bool reg_first;   // the register is the first operand, which is the destination if there is one
    bool reg_high;    // AH, CH, DH, BH are registers 0 to 3 with this set
    bool sign_extend; // from width to reg_width; without it what is loaded is zero-extended
    uint8_t reg;      // GPR 0 to 15; XMM0 to 15 of X86_VECTOR_MOV
    uint8_t reg_width; // 1, 2, 4, 8: how much of it takes part; 16: XMM
    bool has_immediate;
    int64_t immediate; // sign-extended; of BT, BTS, BTR, BTC: the bit within the operand
    uint8_t condition; // of SETCC, for x86_condition()
} X86Instruction;

/*
 * Decodes the instruction at `bytes`, of which `size` may be read (what lies behind X86_MAX_INSTRUCTION
 * is not looked at). False, with `*out` undefined, when it ends beyond that, has no memory operand, is
 * #UD, or is none of the operations above. Refused, although they exist: MMX, VEX and EVEX forms,
 * segment registers as operands, far pointers, shifts, multiplication, CMPXCHG8B and CMPXCHG16B, jumps
 * and calls through memory, INS and OUTS; and what Intel and AMD do differently or leave undefined
 * (MOVSXD with 16 bits, opcode 82, F6 /1 and F7 /1, repeat or operand-size prefixes where the SDM has
 * "NP").
 */
bool x86_decode(const uint8_t *bytes, size_t size, X86CodeSize code, X86Instruction *out);

/*
 * BT, BTS, BTR and BTC with a register as second operand reach beyond the memory operand: the access
 * is that many bytes, a multiple of `width`, from the operand's address, for the register's value
 * `bit` (SDM vol. 2, 3.1.1.9 "Bit(BitBase, BitOffset)"). `width` is 2, 4 or 8.
 */
int64_t x86_bit_distance(unsigned width, uint64_t bit);
