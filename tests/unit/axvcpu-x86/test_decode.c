// SPDX-License-Identifier: Apache-2.0
// Each form of instruction by an example, as an assembler encodes it. test_decode_oracle.c compares
// all of them with Zydis; this runs where there is none, and has what that one does not know.
#include "decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NONE X86_NO_REGISTER

#define OP(name, bytes)       .operation = X86_##name, .width = (bytes)
#define LOADS                 .loads = true
#define STORES                .stores = true
#define REG(number, bytes)    .has_reg = true, .reg = (number), .reg_width = (bytes)
#define TO_REG(number, bytes) REG(number, bytes), .reg_first = true
#define IMM(value)            .has_immediate = true, .immediate = (value)
#define AT(size, seg, b, i, s, d)      \
    .memory = {.segment = X86_##seg,   \
               .base = (b),            \
               .index = (i),           \
               .scale = (s),           \
               .address_size = (size), \
               .displacement = (d)}
#define BASE(b) AT(8, DS, b, NONE, 1, 0)
#define RIP(d)                       \
    .memory = {.segment = X86_DS,    \
               .base = NONE,         \
               .index = NONE,        \
               .scale = 1,           \
               .address_size = 8,    \
               .rip_relative = true, \
               .displacement = (d)}

static const struct {
    const char *text;
    X86CodeSize code;
    uint8_t length;
    uint8_t bytes[X86_MAX_INSTRUCTION];
    X86Instruction expected; // without the length
} forms[] = {
    {"mov dword ptr [rax], ecx", 64, 2, {0x89, 0x08}, {OP(MOV, 4), STORES, REG(1, 4), BASE(0)}},
    {"mov rax, qword ptr [r13 + r12*8 - 0x80]",
     64,
     5,
     {0x4b, 0x8b, 0x44, 0xe5, 0x80},
     {OP(MOV, 8), LOADS, TO_REG(0, 8), AT(8, DS, 13, 12, 8, -0x80)}},
    {"mov byte ptr [rsp + 1], ah",
     64,
     4,
     {0x88, 0x64, 0x24, 0x01},
     {OP(MOV, 1), STORES, REG(0, 1), .reg_high = true, AT(8, SS, 4, NONE, 1, 1)}},
    {"mov byte ptr [rbp], sil",
     64,
     4,
     {0x40, 0x88, 0x75, 0x00},
     {OP(MOV, 1), STORES, REG(6, 1), AT(8, SS, 5, NONE, 1, 0)}},
    {"mov r9w, word ptr [rip + 0x1234]",
     64,
     8,
     {0x66, 0x44, 0x8b, 0x0d, 0x34, 0x12, 0x00, 0x00},
     {OP(MOV, 2), LOADS, TO_REG(9, 2), RIP(0x1234)}},
    {"mov dword ptr [rip + 0x10], 0x80000000",
     64,
     10,
     {0xc7, 0x05, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80},
     {OP(MOV, 4), STORES, IMM(INT32_MIN), RIP(0x10)}},
    {"mov qword ptr [rax], -2",
     64,
     7,
     {0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff},
     {OP(MOV, 8), STORES, IMM(-2), BASE(0)}},
    {"mov word ptr [rax], 0x8001",
     64,
     5,
     {0x66, 0xc7, 0x00, 0x01, 0x80},
     {OP(MOV, 2), STORES, IMM(-0x7fff), BASE(0)}},
    {"mov byte ptr [rbx], 0x80",
     64,
     3,
     {0xc6, 0x03, 0x80},
     {OP(MOV, 1), STORES, IMM(-0x80), BASE(3)}},
    {"mov ecx, dword ptr fs:[0x30]",
     64,
     8,
     {0x64, 0x8b, 0x0c, 0x25, 0x30, 0x00, 0x00, 0x00},
     {OP(MOV, 4), LOADS, TO_REG(1, 4), AT(8, FS, NONE, NONE, 1, 0x30)}},
    {"mov eax, dword ptr [edi]",
     64,
     3,
     {0x67, 0x8b, 0x07},
     {OP(MOV, 4), LOADS, TO_REG(0, 4), AT(4, DS, 7, NONE, 1, 0)}},
    {"movabs eax, [0x1122334455667788]",
     64,
     9,
     {0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11},
     {OP(MOV, 4), LOADS, TO_REG(0, 4), AT(8, DS, NONE, NONE, 1, INT64_C(0x1122334455667788))}},
    {"movabs [0xfee000b0], al",
     64,
     9,
     {0xa2, 0xb0, 0x00, 0xe0, 0xfe, 0x00, 0x00, 0x00, 0x00},
     {OP(MOV, 1), STORES, REG(0, 1), AT(8, DS, NONE, NONE, 1, 0xfee000b0)}},
    {"mov dword ptr ds:[0xfee000b0], ecx",
     32,
     6,
     {0x89, 0x0d, 0xb0, 0x00, 0xe0, 0xfe},
     {OP(MOV, 4), STORES, REG(1, 4), AT(4, DS, NONE, NONE, 1, -0x11fff50)}},
    {"mov al, byte ptr gs:[0x10]",
     32,
     6,
     {0x65, 0xa0, 0x10, 0x00, 0x00, 0x00},
     {OP(MOV, 1), LOADS, TO_REG(0, 1), AT(4, GS, NONE, NONE, 1, 0x10)}},
    {"mov ax, word ptr ds:[0x8000]",
     16,
     3,
     {0xa1, 0x00, 0x80},
     {OP(MOV, 2), LOADS, TO_REG(0, 2), AT(2, DS, NONE, NONE, 1, -0x8000)}},
    {"mov word ptr [bp + si + 2], dx",
     16,
     3,
     {0x89, 0x52, 0x02},
     {OP(MOV, 2), STORES, REG(2, 2), AT(2, SS, 5, 6, 1, 2)}},
    {"mov byte ptr es:[di], cl",
     16,
     3,
     {0x26, 0x88, 0x0d},
     {OP(MOV, 1), STORES, REG(1, 1), AT(2, ES, 7, NONE, 1, 0)}},
    {"mov eax, dword ptr [bx + di - 0x200]",
     16,
     5,
     {0x66, 0x8b, 0x81, 0x00, 0xfe},
     {OP(MOV, 4), LOADS, TO_REG(0, 4), AT(2, DS, 3, 7, 1, -0x200)}},
    {"mov dword ptr [esp + ebp*4], ebx",
     16,
     5,
     {0x67, 0x66, 0x89, 0x1c, 0xac},
     {OP(MOV, 4), STORES, REG(3, 4), AT(4, SS, 4, 5, 4, 0)}},
    {"mov word ptr [bx], ax",
     32,
     4,
     {0x67, 0x66, 0x89, 0x07},
     {OP(MOV, 2), STORES, REG(0, 2), AT(2, DS, 3, NONE, 1, 0)}},
    {"movzx eax, byte ptr [rdi]",
     64,
     3,
     {0x0f, 0xb6, 0x07},
     {OP(MOV, 1), LOADS, TO_REG(0, 4), BASE(7)}},
    {"movzx r8, word ptr [rdi]",
     64,
     4,
     {0x4c, 0x0f, 0xb7, 0x07},
     {OP(MOV, 2), LOADS, TO_REG(8, 8), BASE(7)}},
    {"movsx cx, byte ptr [rdi]",
     64,
     4,
     {0x66, 0x0f, 0xbe, 0x0f},
     {OP(MOV, 1), LOADS, TO_REG(1, 2), .sign_extend = true, BASE(7)}},
    {"movsx rsp, word ptr [rdi]",
     64,
     4,
     {0x48, 0x0f, 0xbf, 0x27},
     {OP(MOV, 2), LOADS, TO_REG(4, 8), .sign_extend = true, BASE(7)}},
    {"movsxd r10, dword ptr [rdi]",
     64,
     3,
     {0x4c, 0x63, 0x17},
     {OP(MOV, 4), LOADS, TO_REG(10, 8), .sign_extend = true, BASE(7)}},
    {"movnti qword ptr [rdi], rax",
     64,
     4,
     {0x48, 0x0f, 0xc3, 0x07},
     {OP(MOV, 8), STORES, REG(0, 8), BASE(7)}},
    {"movnti dword ptr [di], eax",
     16,
     3,
     {0x0f, 0xc3, 0x05},
     {OP(MOV, 4), STORES, REG(0, 4), AT(2, DS, 7, NONE, 1, 0)}},
    {"movbe dword ptr [rdi], eax",
     64,
     4,
     {0x0f, 0x38, 0xf1, 0x07},
     {OP(MOVBE, 4), STORES, REG(0, 4), BASE(7)}},
    {"movbe ax, word ptr [rdi]",
     64,
     5,
     {0x66, 0x0f, 0x38, 0xf0, 0x07},
     {OP(MOVBE, 2), LOADS, TO_REG(0, 2), BASE(7)}},
    {"rep stosd",
     64,
     2,
     {0xf3, 0xab},
     {OP(STOS, 4), STORES, REG(0, 4), .repeat = X86_REP, AT(8, ES, 7, NONE, 1, 0)}},
    {"rep movsq",
     64,
     3,
     {0xf3, 0x48, 0xa5},
     {OP(MOVS, 8), LOADS, STORES, .repeat = X86_REP, BASE(6)}},
    {"movs byte ptr es:[edi], byte ptr fs:[esi]",
     32,
     2,
     {0x64, 0xa4},
     {OP(MOVS, 1), LOADS, STORES, AT(4, FS, 6, NONE, 1, 0)}},
    {"lodsw", 16, 1, {0xad}, {OP(LODS, 2), LOADS, TO_REG(0, 2), AT(2, DS, 6, NONE, 1, 0)}},
    {"repne scasb",
     64,
     2,
     {0xf2, 0xae},
     {OP(SCAS, 1), LOADS, TO_REG(0, 1), .repeat = X86_REPNE, AT(8, ES, 7, NONE, 1, 0)}},
    {"repe cmpsd", 64, 2, {0xf3, 0xa7}, {OP(CMPS, 4), LOADS, .repeat = X86_REP, BASE(6)}},
    {"xchg dword ptr [rdi], eax",
     64,
     2,
     {0x87, 0x07},
     {OP(XCHG, 4), LOADS, STORES, REG(0, 4), BASE(7)}},
    {"lock xadd qword ptr [rdi], r15",
     64,
     5,
     {0xf0, 0x4c, 0x0f, 0xc1, 0x3f},
     {OP(XADD, 8), LOADS, STORES, REG(15, 8), .lock = true, BASE(7)}},
    {"lock cmpxchg byte ptr [rdi], dl",
     64,
     4,
     {0xf0, 0x0f, 0xb0, 0x17},
     {OP(CMPXCHG, 1), LOADS, STORES, REG(2, 1), .lock = true, BASE(7)}},
    {"add dword ptr [rdi], ecx",
     64,
     2,
     {0x01, 0x0f},
     {OP(ADD, 4), LOADS, STORES, REG(1, 4), BASE(7)}},
    {"or al, byte ptr [rdi]", 64, 2, {0x0a, 0x07}, {OP(OR, 1), LOADS, TO_REG(0, 1), BASE(7)}},
    {"lock or dword ptr [rdi], 0x100",
     64,
     7,
     {0xf0, 0x81, 0x0f, 0x00, 0x01, 0x00, 0x00},
     {OP(OR, 4), LOADS, STORES, IMM(0x100), .lock = true, BASE(7)}},
    {"adc word ptr [rdi], -1",
     64,
     4,
     {0x66, 0x83, 0x17, 0xff},
     {OP(ADC, 2), LOADS, STORES, IMM(-1), BASE(7)}},
    {"sbb r8, qword ptr [rdi]",
     64,
     3,
     {0x4c, 0x1b, 0x07},
     {OP(SBB, 8), LOADS, TO_REG(8, 8), BASE(7)}},
    {"and qword ptr [rdi], -0x10",
     64,
     4,
     {0x48, 0x83, 0x27, 0xf0},
     {OP(AND, 8), LOADS, STORES, IMM(-0x10), BASE(7)}},
    {"sub byte ptr [rdi], 1",
     64,
     3,
     {0x80, 0x2f, 0x01},
     {OP(SUB, 1), LOADS, STORES, IMM(1), BASE(7)}},
    {"xor dword ptr [rdi], eax",
     64,
     2,
     {0x31, 0x07},
     {OP(XOR, 4), LOADS, STORES, REG(0, 4), BASE(7)}},
    {"cmp dword ptr [rdi], 0x7fffffff",
     64,
     6,
     {0x81, 0x3f, 0xff, 0xff, 0xff, 0x7f},
     {OP(CMP, 4), LOADS, IMM(0x7fffffff), BASE(7)}},
    {"cmp dword ptr [rdi], eax", 64, 2, {0x39, 0x07}, {OP(CMP, 4), LOADS, REG(0, 4), BASE(7)}},
    {"cmp eax, dword ptr [rdi]", 64, 2, {0x3b, 0x07}, {OP(CMP, 4), LOADS, TO_REG(0, 4), BASE(7)}},
    {"test byte ptr [rdi + 5], 0x20",
     64,
     4,
     {0xf6, 0x47, 0x05, 0x20},
     {OP(TEST, 1), LOADS, IMM(0x20), AT(8, DS, 7, NONE, 1, 5)}},
    {"test qword ptr [rdi], rax",
     64,
     3,
     {0x48, 0x85, 0x07},
     {OP(TEST, 8), LOADS, REG(0, 8), BASE(7)}},
    {"not dword ptr [rdi]", 64, 2, {0xf7, 0x17}, {OP(NOT, 4), LOADS, STORES, BASE(7)}},
    {"lock neg byte ptr [rdi]",
     64,
     3,
     {0xf0, 0xf6, 0x1f},
     {OP(NEG, 1), LOADS, STORES, .lock = true, BASE(7)}},
    {"inc dword ptr [rdi]", 64, 2, {0xff, 0x07}, {OP(INC, 4), LOADS, STORES, BASE(7)}},
    {"dec byte ptr [rdi]", 64, 2, {0xfe, 0x0f}, {OP(DEC, 1), LOADS, STORES, BASE(7)}},
    {"bt dword ptr [rdi], 33",
     64,
     4,
     {0x0f, 0xba, 0x27, 0x21},
     {OP(BT, 4), LOADS, IMM(1), BASE(7)}},
    {"lock bts qword ptr [rdi], 63",
     64,
     6,
     {0xf0, 0x48, 0x0f, 0xba, 0x2f, 0x3f},
     {OP(BTS, 8), LOADS, STORES, IMM(63), .lock = true, BASE(7)}},
    {"btr word ptr [rdi], ax",
     64,
     4,
     {0x66, 0x0f, 0xb3, 0x07},
     {OP(BTR, 2), LOADS, STORES, REG(0, 2), BASE(7)}},
    {"btc dword ptr [rdi], r9d",
     64,
     4,
     {0x44, 0x0f, 0xbb, 0x0f},
     {OP(BTC, 4), LOADS, STORES, REG(9, 4), BASE(7)}},
    {"push qword ptr [rdi]", 64, 2, {0xff, 0x37}, {OP(PUSH, 8), LOADS, BASE(7)}},
    {"pop word ptr [rdi]", 64, 3, {0x66, 0x8f, 0x07}, {OP(POP, 2), STORES, BASE(7)}},
    {"push dword ptr [edi]", 32, 2, {0xff, 0x37}, {OP(PUSH, 4), LOADS, AT(4, DS, 7, NONE, 1, 0)}},
    {"setle byte ptr [rdi]",
     64,
     3,
     {0x0f, 0x9e, 0x07},
     {OP(SETCC, 1), STORES, .condition = 14, BASE(7)}},
    {"movd dword ptr [rdi], xmm1",
     64,
     4,
     {0x66, 0x0f, 0x7e, 0x0f},
     {OP(VECTOR_MOV, 4), STORES, REG(1, 16), BASE(7)}},
    {"movq xmm9, qword ptr [rdi]",
     64,
     5,
     {0xf3, 0x44, 0x0f, 0x7e, 0x0f},
     {OP(VECTOR_MOV, 8), LOADS, TO_REG(9, 16), BASE(7)}},
    {"movups xmm0, xmmword ptr [rdi]",
     64,
     3,
     {0x0f, 0x10, 0x07},
     {OP(VECTOR_MOV, 16), LOADS, TO_REG(0, 16), BASE(7)}},
    {"movaps xmmword ptr [rdi], xmm0",
     64,
     3,
     {0x0f, 0x29, 0x07},
     {OP(VECTOR_MOV, 16), STORES, REG(0, 16), .aligned = true, BASE(7)}},
    {"movdqu xmm7, xmmword ptr [edi]",
     32,
     4,
     {0xf3, 0x0f, 0x6f, 0x3f},
     {OP(VECTOR_MOV, 16), LOADS, TO_REG(7, 16), AT(4, DS, 7, NONE, 1, 0)}},
    {"movntdq xmmword ptr [rdi], xmm15",
     64,
     5,
     {0x66, 0x44, 0x0f, 0xe7, 0x3f},
     {OP(VECTOR_MOV, 16), STORES, REG(15, 16), .aligned = true, BASE(7)}},
    {"movsd qword ptr [rdi], xmm2",
     64,
     4,
     {0xf2, 0x0f, 0x11, 0x17},
     {OP(VECTOR_MOV, 8), STORES, REG(2, 16), BASE(7)}},
};

// With a memory operand that cannot be emulated, or without one.
static const struct {
    const char *text;
    X86CodeSize code;
    uint8_t length;
    uint8_t bytes[X86_MAX_INSTRUCTION];
} refused[] = {
    {"mov eax, ecx", 64, 2, {0x89, 0xc8}},
    {"lea rax, [rdi]", 64, 3, {0x48, 0x8d, 0x07}},
    {"mov [rdi], ds", 64, 2, {0x8c, 0x1f}},
    {"mov es, [rdi]", 64, 2, {0x8e, 0x07}},
    {"shl dword ptr [rdi], 3", 64, 3, {0xc1, 0x27, 0x03}},
    {"rol byte ptr [rdi], cl", 64, 2, {0xd2, 0x07}},
    {"imul eax, dword ptr [rdi]", 64, 3, {0x0f, 0xaf, 0x07}},
    {"mul dword ptr [rdi]", 64, 2, {0xf7, 0x27}},
    {"div qword ptr [rdi]", 64, 3, {0x48, 0xf7, 0x37}},
    {"lock cmpxchg8b [rdi]", 64, 4, {0xf0, 0x0f, 0xc7, 0x0f}},
    {"cmpxchg16b [rdi]", 64, 4, {0x48, 0x0f, 0xc7, 0x0f}},
    {"jmp qword ptr [rdi]", 64, 2, {0xff, 0x27}},
    {"call qword ptr [rdi]", 64, 2, {0xff, 0x17}},
    {"insb", 64, 1, {0x6c}},
    {"rep outsd", 64, 2, {0xf3, 0x6f}},
    {"cmovz eax, dword ptr [rdi]", 64, 3, {0x0f, 0x44, 0x07}},
    {"popcnt eax, dword ptr [rdi]", 64, 4, {0xf3, 0x0f, 0xb8, 0x07}},
    {"crc32 eax, dword ptr [rdi]", 64, 5, {0xf2, 0x0f, 0x38, 0xf1, 0x07}},
    {"movq mm0, qword ptr [rdi]", 64, 3, {0x0f, 0x6f, 0x07}},
    {"movntq [rdi], mm1", 64, 3, {0x0f, 0xe7, 0x0f}},
    {"movd mm0, dword ptr [rdi]", 64, 3, {0x0f, 0x6e, 0x07}},
    {"movlps xmm0, qword ptr [rdi]", 64, 3, {0x0f, 0x12, 0x07}},
    {"movhpd xmm0, qword ptr [rdi]", 64, 4, {0x66, 0x0f, 0x16, 0x07}},
    {"paddd xmm0, xmmword ptr [rdi]", 64, 4, {0x66, 0x0f, 0xfe, 0x07}},
    {"cmpsd xmm0, qword ptr [rdi], 1", 64, 5, {0xf2, 0x0f, 0xc2, 0x07, 0x01}},
    {"vmovdqu xmm0, xmmword ptr [rdi]", 64, 4, {0xc5, 0xfa, 0x6f, 0x07}},
    {"vmovups ymm0, ymmword ptr [rdi]", 64, 4, {0xc5, 0xfc, 0x10, 0x07}},
    {"vmovdqu64 zmm0, zmmword ptr [rdi]", 64, 6, {0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x07}},
    {"fld dword ptr [rdi]", 64, 2, {0xd9, 0x07}},
    {"fnstsw word ptr [rdi]", 64, 2, {0xdd, 0x3f}},
    {"fxsave [rdi]", 64, 3, {0x0f, 0xae, 0x07}},
    {"clflush [rdi]", 64, 3, {0x0f, 0xae, 0x3f}},
    {"prefetchnta [rdi]", 64, 3, {0x0f, 0x18, 0x07}},
    {"invlpg [rdi]", 64, 3, {0x0f, 0x01, 0x3f}},
    {"sgdt [rdi]", 64, 3, {0x0f, 0x01, 0x07}},
    {"xlat", 64, 1, {0xd7}},
    {"enter 8, 0", 64, 4, {0xc8, 0x08, 0x00, 0x00}},
    {"push rax", 64, 1, {0x50}},
    {"pause", 64, 2, {0xf3, 0x90}},
    {"nop dword ptr [rdi]", 64, 3, {0x0f, 0x1f, 0x07}},
    {"in al, dx", 64, 1, {0xec}},
    {"ud2", 64, 2, {0x0f, 0x0b}},
    {"hlt", 64, 1, {0xf4}},
    {"rdtsc", 64, 2, {0x0f, 0x31}},
    {"inc eax", 32, 1, {0x40}},
    {"les eax, [edi]", 32, 2, {0xc4, 0x07}},
    {"lds eax, [edi]", 32, 2, {0xc5, 0x07}},
    {"bound eax, [edi]", 32, 2, {0x62, 0x07}},
    {"arpl word ptr [edi], ax", 32, 2, {0x63, 0x07}},
    {"pusha", 32, 1, {0x60}},
    {"jmp far ptr [edi]", 32, 2, {0xff, 0x2f}},
    {"push ds", 32, 1, {0x1e}},
};

static bool same_memory(const X86Memory *a, const X86Memory *b)
{
    return a->segment == b->segment && a->base == b->base && a->index == b->index &&
           a->scale == b->scale && a->address_size == b->address_size &&
           a->rip_relative == b->rip_relative && a->displacement == b->displacement;
}

static bool same_access(const X86Instruction *a, const X86Instruction *b)
{
    return a->operation == b->operation && a->width == b->width && a->loads == b->loads &&
           a->stores == b->stores && a->lock == b->lock && a->repeat == b->repeat &&
           a->aligned == b->aligned && same_memory(&a->memory, &b->memory);
}

static bool same_operand(const X86Instruction *a, const X86Instruction *b)
{
    return a->has_reg == b->has_reg && a->reg_first == b->reg_first && a->reg_high == b->reg_high &&
           a->sign_extend == b->sign_extend && a->reg == b->reg && a->reg_width == b->reg_width &&
           a->has_immediate == b->has_immediate && a->immediate == b->immediate &&
           a->condition == b->condition;
}

static void each_form_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        X86Instruction d;

        memset(&d, 0xa5, sizeof(d));
        if (!x86_decode(forms[i].bytes, sizeof(forms[i].bytes), forms[i].code, &d)) {
            fail_msg("%s is refused", forms[i].text);
        }
        if (d.length != forms[i].length || !same_access(&d, &forms[i].expected) ||
            !same_operand(&d, &forms[i].expected)) {
            fail_msg("%s is decoded as something else", forms[i].text);
        }
    }
}

static void every_operation_has_an_example(void **state)
{
    (void)state;
    for (X86Operation operation = X86_ADD; operation < X86_OPERATIONS; operation++) {
        size_t i = 0;

        while (i < COUNT(forms) && forms[i].expected.operation != operation) {
            i++;
        }
        assert_true(i < COUNT(forms));
    }
}

static void what_cannot_be_emulated_is_refused(void **state)
{
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        if (x86_decode(refused[i].bytes, sizeof(refused[i].bytes), refused[i].code, &d)) {
            fail_msg("%s is accepted", refused[i].text);
        }
    }
}

static void no_part_of_an_instruction_is_one(void **state)
{
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        for (size_t size = 0; size < forms[i].length; size++) {
            uint8_t bytes[X86_MAX_INSTRUCTION]; // its end is that of the part: no read beyond
            uint8_t *const part = bytes + sizeof(bytes) - size;

            memcpy(part, forms[i].bytes, size);
            assert_false(x86_decode(part, size, forms[i].code, &d));
        }
        assert_true(x86_decode(forms[i].bytes, forms[i].length, forms[i].code, &d));
    }
}

static bool decodes(const char *bytes, size_t size, X86CodeSize code, X86Instruction *d)
{
    return x86_decode((const uint8_t *)bytes, size, code, d);
}

#define DECODES(bytes, code, d) decodes(bytes, sizeof(bytes) - 1, code, d)

static void prefixes_fill_up_to_15_bytes(void **state)
{
    static const char bytes[] = "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x07";
    X86Instruction d;

    (void)state;
    assert_true(
        DECODES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x89\x07", X86_CODE_64, &d));
    assert_int_equal(d.length, 15);
    assert_int_equal(d.width, 2);
    assert_false(DECODES(bytes, X86_CODE_64, &d));
}

// Vol. 2, LOCK: #UD for all that does not read and write memory.
static void lock_needs_a_destination_in_memory(void **state)
{
    static const struct {
        const char *text;
        uint8_t bytes[4];
        bool accepted;
    } words[] = {
        {"lock add [rdi], eax", {0xf0, 0x01, 0x07}, true},
        {"lock add eax, [rdi]", {0xf0, 0x03, 0x07}, false},
        {"lock cmp [rdi], eax", {0xf0, 0x39, 0x07}, false},
        {"lock cmp [rdi], 1", {0xf0, 0x83, 0x3f, 0x01}, false},
        {"lock xor [rdi], 1", {0xf0, 0x83, 0x37, 0x01}, true},
        {"lock test [rdi], eax", {0xf0, 0x85, 0x07}, false},
        {"lock mov [rdi], eax", {0xf0, 0x89, 0x07}, false},
        {"lock xchg [rdi], eax", {0xf0, 0x87, 0x07}, true},
        {"lock not [rdi]", {0xf0, 0xf7, 0x17}, true},
        {"lock inc [rdi]", {0xf0, 0xff, 0x07}, true},
        {"lock push [rdi]", {0xf0, 0xff, 0x37}, false},
        {"lock bt [rdi], eax", {0xf0, 0x0f, 0xa3, 0x07}, false},
        {"lock btc [rdi], eax", {0xf0, 0x0f, 0xbb, 0x07}, true},
        {"lock sete [rdi]", {0xf0, 0x0f, 0x94, 0x07}, false},
        {"lock movups [rdi], xmm0", {0xf0, 0x0f, 0x11, 0x07}, false},
        {"lock stosb", {0xf0, 0xaa}, false},
        {"lock movsb", {0xf0, 0xa4}, false},
    };
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (x86_decode(words[i].bytes, sizeof(words[i].bytes), X86_CODE_64, &d) !=
            words[i].accepted) {
            fail_msg("%s is %s", words[i].text, words[i].accepted ? "refused" : "accepted");
        }
    }
}

static void rex_counts_only_right_before_the_opcode(void **state)
{
    X86Instruction d;

    (void)state;
    assert_true(DECODES("\x48\x66\x89\x07", X86_CODE_64, &d)); // REX.W, 66
    assert_int_equal(d.width, 2);
    assert_true(DECODES("\x66\x48\x89\x07", X86_CODE_64, &d)); // REX.W wins
    assert_int_equal(d.width, 8);
    assert_true(DECODES("\x4f\x40\x89\x07", X86_CODE_64, &d)); // the last of two
    assert_int_equal(d.width, 4);
    assert_int_equal(d.memory.base, 7);
    assert_false(DECODES("\x48\x89\x07", X86_CODE_32, &d)); // DEC EAX
}

static void byte_registers_depend_on_rex(void **state)
{
    X86Instruction d;

    (void)state;
    for (uint8_t n = 0; n < 8; n++) {
        const uint8_t plain[] = {0x88, (uint8_t)(n << 3)};
        const uint8_t with_rex[] = {0x40, 0x88, (uint8_t)(n << 3)};
        const uint8_t extended[] = {0x44, 0x88, (uint8_t)(n << 3)};

        assert_true(x86_decode(plain, sizeof(plain), X86_CODE_64, &d));
        assert_int_equal(d.reg, n & 3);
        assert_int_equal(d.reg_high, n >= 4);
        assert_true(x86_decode(with_rex, sizeof(with_rex), X86_CODE_64, &d));
        assert_int_equal(d.reg, n);
        assert_false(d.reg_high);
        assert_true(x86_decode(extended, sizeof(extended), X86_CODE_64, &d));
        assert_int_equal(d.reg, 8 + n);
        assert_false(d.reg_high);
    }
}

static void the_last_segment_prefix_is_in_force(void **state)
{
    static const struct {
        X86CodeSize code;
        uint8_t bytes[5];
        X86Segment segment;
    } words[] = {
        {X86_CODE_32, {0x64, 0x26, 0x89, 0x07}, X86_ES},
        {X86_CODE_32, {0x3e, 0x89, 0x45, 0x00}, X86_DS}, // not SS, the default of EBP
        {X86_CODE_64, {0x64, 0x26, 0x89, 0x07}, X86_FS}, // ES does nothing
        {X86_CODE_64, {0x64, 0x65, 0x89, 0x07}, X86_GS},
        {X86_CODE_64, {0x2e, 0x36, 0x89, 0x07}, X86_DS},
        {X86_CODE_64, {0x65, 0xaa}, X86_ES}, // STOS has no other
        {X86_CODE_64, {0x65, 0xac}, X86_GS},
    };
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_true(x86_decode(words[i].bytes, sizeof(words[i].bytes), words[i].code, &d));
        assert_int_equal(d.memory.segment, words[i].segment);
    }
}

static void repeat_prefixes_count_for_strings_only(void **state)
{
    static const struct {
        uint8_t bytes[4];
        X86Repeat repeat;
    } words[] = {
        {{0xf3, 0xab}, X86_REP},
        {{0xf2, 0xab}, X86_REP}, // nothing to compare
        {{0xf2, 0xa6}, X86_REPNE},
        {{0xf3, 0xf2, 0xae}, X86_REPNE}, // the last one
        {{0xf2, 0xf3, 0xae}, X86_REP},
        {{0xf3, 0x89, 0x07}, X86_REPEAT_NONE}, // XRELEASE, a hint
        {{0xf2, 0x0f, 0xb6, 0x07}, X86_REPEAT_NONE},
    };
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_true(x86_decode(words[i].bytes, sizeof(words[i].bytes), X86_CODE_64, &d));
        assert_int_equal(d.repeat, words[i].repeat);
    }
}

// Undefined, or not the same on Intel's and AMD's CPUs.
static void what_manuals_leave_open_is_refused(void **state)
{
    static const struct {
        const char *text;
        X86CodeSize code;
        uint8_t bytes[X86_MAX_INSTRUCTION];
    } words[] = {
        {"opcode 82", X86_CODE_32, {0x82, 0x07, 0x01}},
        {"F6 /1", X86_CODE_64, {0xf6, 0x0f, 0x01}},
        {"F7 /1", X86_CODE_64, {0xf7, 0x0f, 0x01}},
        {"C6 /1", X86_CODE_64, {0xc6, 0x0f, 0x01}},
        {"8F /1, XOP", X86_CODE_64, {0x8f, 0x0f}},
        {"FE /2", X86_CODE_64, {0xfe, 0x17}},
        {"FF /7", X86_CODE_64, {0xff, 0x3f}},
        {"0F BA /3", X86_CODE_64, {0x0f, 0xba, 0x1f, 0x01}},
        {"movsxd of 16 bits", X86_CODE_64, {0x66, 0x63, 0x07}},
        {"66 movnti", X86_CODE_64, {0x66, 0x0f, 0xc3, 0x07}},
        {"F3 movnti", X86_CODE_64, {0xf3, 0x0f, 0xc3, 0x07}},
        {"F3 movbe", X86_CODE_64, {0xf3, 0x0f, 0x38, 0xf0, 0x07}},
        {"F3 movaps", X86_CODE_64, {0xf3, 0x0f, 0x28, 0x07}},
        {"66 F3 movaps", X86_CODE_64, {0x66, 0xf3, 0x0f, 0x28, 0x07}},
        {"EVEX", X86_CODE_64, {0x62, 0xf1, 0x7c, 0x48, 0x10, 0x07}},
        {"REX2", X86_CODE_64, {0xd5, 0x00, 0x89, 0x07}},
    };
    X86Instruction d;

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (x86_decode(words[i].bytes, sizeof(words[i].bytes), words[i].code, &d)) {
            fail_msg("%s is accepted", words[i].text);
        }
    }
}

static void a_bit_string_reaches_both_ways(void **state)
{
    (void)state;
    assert_int_equal(x86_bit_distance(4, 31), 0);
    assert_int_equal(x86_bit_distance(4, 32), 4);
    assert_int_equal(x86_bit_distance(4, UINT32_MAX), -4);
    assert_int_equal(x86_bit_distance(2, 0xffff8000), -4096);
    assert_int_equal(x86_bit_distance(2, 0xffff0010), 2);
    assert_int_equal(x86_bit_distance(8, UINT64_C(1) << 63), INT64_MIN / 8);
    assert_int_equal(x86_bit_distance(8, INT64_MAX), INT64_MAX / 8 - 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_decoded),
        cmocka_unit_test(every_operation_has_an_example),
        cmocka_unit_test(what_cannot_be_emulated_is_refused),
        cmocka_unit_test(no_part_of_an_instruction_is_one),
        cmocka_unit_test(prefixes_fill_up_to_15_bytes),
        cmocka_unit_test(lock_needs_a_destination_in_memory),
        cmocka_unit_test(rex_counts_only_right_before_the_opcode),
        cmocka_unit_test(byte_registers_depend_on_rex),
        cmocka_unit_test(the_last_segment_prefix_is_in_force),
        cmocka_unit_test(repeat_prefixes_count_for_strings_only),
        cmocka_unit_test(what_manuals_leave_open_is_refused),
        cmocka_unit_test(a_bit_string_reaches_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
