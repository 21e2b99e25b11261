// SPDX-License-Identifier: Apache-2.0
// The x86 instruction decoder: nothing is read beyond the bytes that are there, and whatever is
// accepted is something that can be emulated. The first byte chooses the size of the code.
#include "alu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

static bool is_power_up_to(unsigned value, unsigned limit)
{
    return value != 0 && (value & (value - 1)) == 0 && value <= limit;
}

static void check_memory(const X86Memory *memory, X86CodeSize code)
{
    const uint8_t registers = code == X86_CODE_64 ? 16 : 8;

    require(memory->segment <= X86_GS);
    require(memory->base < registers || memory->base == X86_NO_REGISTER);
    require(memory->index < registers || memory->index == X86_NO_REGISTER);
    require(is_power_up_to(memory->scale, 8));
    require(is_power_up_to(memory->address_size, code == X86_CODE_64 ? 8 : 4));
    require(memory->address_size >= (code == X86_CODE_64 ? 4 : 2));
    require(!memory->rip_relative || (code == X86_CODE_64 && memory->base == X86_NO_REGISTER));
}

static void check_operands(const X86Instruction *instruction, X86CodeSize code)
{
    const bool is_vector = instruction->operation == X86_VECTOR_MOV;

    require(instruction->loads || instruction->stores);
    require(is_power_up_to(instruction->width, is_vector ? 16 : 8));
    require(code == X86_CODE_64 || is_vector || instruction->width <= 4);
    require(!(instruction->has_reg && instruction->has_immediate));
    require(instruction->reg < (code == X86_CODE_64 ? 16 : 8));
    require(!instruction->reg_high || (instruction->reg < 4 && instruction->reg_width == 1));
    require(!instruction->has_reg || instruction->reg_width >= instruction->width);
    require(!instruction->lock || (instruction->loads && instruction->stores));
}

// The operation with what is at hand: its result fits.
static void check_result(const X86Instruction *instruction)
{
    const uint64_t second = (uint64_t)instruction->immediate;
    const X86AluResult result = x86_alu(instruction->operation, instruction->width,
                                        (uint64_t)instruction->memory.displacement, second, 0);

    require(instruction->width == 8 || result.value >> (8 * instruction->width) == 0);
    require((result.rflags & ~UINT64_C(0x8d5)) == 0);
}

static void check_instruction(const X86Instruction *instruction, X86CodeSize code)
{
    require(instruction->operation > X86_NONE && instruction->operation < X86_OPERATIONS);
    check_memory(&instruction->memory, code);
    check_operands(instruction, code);
    if (instruction->operation != X86_VECTOR_MOV) {
        check_result(instruction);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const X86CodeSize codes[] = {X86_CODE_64, X86_CODE_32, X86_CODE_16};
    X86Instruction instruction;

    if (size == 0) {
        return 0;
    }

    const X86CodeSize code = codes[data[0] % 3];

    if (!x86_decode(data + 1, size - 1, code, &instruction)) {
        return 0;
    }
    require(instruction.length <= size - 1 && instruction.length <= X86_MAX_INSTRUCTION);
    check_instruction(&instruction, code);
    require(!x86_decode(data + 1, instruction.length - 1u, code, &instruction));
    return 0;
}
