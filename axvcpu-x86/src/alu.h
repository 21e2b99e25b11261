// SPDX-License-Identifier: Apache-2.0
// What an emulated instruction computes: value and status flags. Pure functions.
#pragma once

#include "decode.h"

// RFLAGS (SDM vol. 1, 3.4.3.1): the status flags.
#define RFLAGS_CF UINT64_C(0x001)
#define RFLAGS_PF UINT64_C(0x004)
#define RFLAGS_AF UINT64_C(0x010)
#define RFLAGS_ZF UINT64_C(0x040)
#define RFLAGS_SF UINT64_C(0x080)
#define RFLAGS_OF UINT64_C(0x800)

typedef struct X86AluResult {
    uint64_t value; // what the first operand becomes, zero above its width
    uint64_t rflags;
} X86AluResult;

/*
 * The operation on two operands of `width` bytes (1, 2, 4, 8; what lies above in `first` and `second`
 * is ignored). NOT, NEG, INC and DEC do not look at `second`, the moves not at `first`.
 * - CMP, TEST, BT, CMPS and SCAS change flags only: the value is `first`.
 * - XADD: the value is the sum; the second operand becomes `first`.
 * - CMPXCHG: `first` is the accumulator, `second` the memory operand. With ZF set in the result, the
 *   memory operand becomes the register operand; else it is written back unchanged and the
 *   accumulator becomes `second`.
 * - BT, BTS, BTR, BTC: `second` counts modulo the operand's bits (x86_bit_distance() says which
 *   operand).
 * - MOVBE: `second` with its bytes reversed. All others (MOV, XCHG, STOS ...): `second`.
 * Flags that an operation does not change are those of `rflags`. Flags that the SDM leaves undefined:
 * AF is cleared by AND, OR, XOR and TEST; BT and its like change CF only.
 */
X86AluResult x86_alu(X86Operation operation, unsigned width, uint64_t first, uint64_t second,
                     uint64_t rflags);

/* Does condition 0 to 15, the low bits of SETcc's opcode, hold (SDM vol. 1, appendix B)? */
bool x86_condition(uint8_t condition, uint64_t rflags);
