// SPDX-License-Identifier: Apache-2.0
// A64 loads and stores of general registers (Arm ARM, C4.1 "Loads and stores"), for aborts whose
// syndrome does not describe the access (ESR_EL2.ISV = 0): pairs, and everything with write-back.
//
// The address comes from FAR_EL2 and HPFAR_EL2, so only what the instruction transfers and what it
// does to its base matters here. Bits that should be one (Rs, Rt2 of LDAR and the like) are not
// looked at, as CPUs do. Forms whose result is CONSTRAINED UNPREDICTABLE are refused. Prefetches
// are refused because they cannot abort.
#include "arm.h"

#define REG_SP 31u

typedef bool (*Decoder)(uint32_t instruction, Aarch64LoadStore *out);

static uint32_t bits(uint32_t value, unsigned high, unsigned low)
{
    return (value >> low) & (UINT32_MAX >> (31 - (high - low)));
}

static int64_t signed_bits(uint32_t value, unsigned high, unsigned low)
{
    const unsigned above = 31 - high;

    return (int32_t)(value << above) >> (above + low);
}

static void set_registers(uint32_t instruction, Aarch64LoadStore *out)
{
    out->rt = (uint8_t)bits(instruction, 4, 0);
    out->rn = (uint8_t)bits(instruction, 9, 5);
}

// Base and data register must differ when both are written; register 31 is SP here, XZR there.
static bool writeback_overlaps(const Aarch64LoadStore *access, uint32_t rt)
{
    return access->writeback && access->rn != REG_SP && access->rn == rt;
}

// The two fields that most single-register forms share: size of the transfer and opc, which says
// store (0), load zero-extended (1), load sign-extended to 64 (2) or to 32 bits (3).
static bool set_size_and_opc(uint32_t size, uint32_t opc, Aarch64LoadStore *out)
{
    const bool sign_extend = opc >= 2;
    const bool wide = size == 3 || opc == 2;

    if (sign_extend && size + opc > 4) {
        return false;
    }
    out->is_load = opc != 0;
    out->sign_extend = sign_extend;
    out->width = (AccessWidth)(1u << size);
    out->reg_width = wide ? AX_WIDTH_QWORD : AX_WIDTH_DWORD;
    return true;
}

static bool decode_plain(uint32_t instruction, Aarch64LoadStore *out)
{
    set_registers(instruction, out);
    return set_size_and_opc(bits(instruction, 31, 30), bits(instruction, 23, 22), out);
}

static bool decode_indexed(uint32_t instruction, Aarch64LoadStore *out)
{
    if (!decode_plain(instruction, out)) {
        return false;
    }
    out->writeback = true;
    out->offset = signed_bits(instruction, 20, 12);
    return !writeback_overlaps(out, out->rt);
}

// The extend options are UXTW, LSL, SXTW and SXTX; those with bit 1 clear do not exist.
static bool decode_register_offset(uint32_t instruction, Aarch64LoadStore *out)
{
    return bits(instruction, 14, 14) == 1 && decode_plain(instruction, out);
}

// STLLR, LDLAR, STLR, LDAR: always zero-extending; bit 22 is L.
static bool decode_ordered(uint32_t instruction, Aarch64LoadStore *out)
{
    set_registers(instruction, out);
    return set_size_and_opc(bits(instruction, 31, 30), bits(instruction, 22, 22), out);
}

static bool decode_ldapr(uint32_t instruction, Aarch64LoadStore *out)
{
    set_registers(instruction, out);
    return set_size_and_opc(bits(instruction, 31, 30), 1, out);
}

// LDR Wt, LDR Xt, LDRSW by opc in the bits of the size. There is no base.
static bool decode_literal(uint32_t instruction, Aarch64LoadStore *out)
{
    static const struct {
        uint8_t size;
        uint8_t opc;
    } forms[] = {{2, 1}, {3, 1}, {2, 2}};
    const uint32_t form = bits(instruction, 31, 30);

    if (form >= sizeof(forms) / sizeof(forms[0])) {
        return false;
    }
    out->rt = (uint8_t)bits(instruction, 4, 0);
    out->rn = REG_SP;
    return set_size_and_opc(forms[form].size, forms[form].opc, out);
}

// opc: 0 Wt, 1 LDPSW (as a store it is STGP, a tag instruction), 2 Xt.
static bool set_pair_size(uint32_t instruction, bool non_temporal, Aarch64LoadStore *out)
{
    const uint32_t opc = bits(instruction, 31, 30);
    const bool is_load = bits(instruction, 22, 22) == 1;

    if (opc == 3 || (opc == 1 && (!is_load || non_temporal))) {
        return false;
    }
    out->is_load = is_load;
    out->is_pair = true;
    out->sign_extend = opc == 1;
    out->width = opc == 2 ? AX_WIDTH_QWORD : AX_WIDTH_DWORD;
    out->reg_width = opc == 0 ? AX_WIDTH_DWORD : AX_WIDTH_QWORD;
    return true;
}

// Bits 24:23: 0 no allocate, 1 post-index, 2 offset, 3 pre-index.
static bool decode_pair(uint32_t instruction, Aarch64LoadStore *out)
{
    const uint32_t index = bits(instruction, 24, 23);

    set_registers(instruction, out);
    out->rt2 = (uint8_t)bits(instruction, 14, 10);
    if (!set_pair_size(instruction, index == 0, out)) {
        return false;
    }
    out->writeback = (index & 1) != 0;
    out->post_index = index == 1;
    out->offset = signed_bits(instruction, 21, 15) * (int64_t)out->width;
    if (out->is_load && out->rt == out->rt2) {
        return false;
    }
    return !writeback_overlaps(out, out->rt) && !writeback_overlaps(out, out->rt2);
}

static bool decode_post_index(uint32_t instruction, Aarch64LoadStore *out)
{
    out->post_index = true;
    return decode_indexed(instruction, out);
}

// All with V (bit 26) = 0: no FP or SIMD register. What is not here is not emulated.
static const struct {
    uint32_t mask;
    uint32_t value;
    Decoder decode;
} classes[] = {
    {UINT32_C(0x3fa00000), UINT32_C(0x08800000), decode_ordered},
    {UINT32_C(0x3f000000), UINT32_C(0x18000000), decode_literal},
    {UINT32_C(0x3f200c00), UINT32_C(0x19000000), decode_plain}, // LDAPUR, STLUR
    {UINT32_C(0x3e000000), UINT32_C(0x28000000), decode_pair},
    {UINT32_C(0x3f200c00), UINT32_C(0x38000000), decode_plain}, // LDUR, STUR
    {UINT32_C(0x3f200c00), UINT32_C(0x38000400), decode_post_index},
    {UINT32_C(0x3f200c00), UINT32_C(0x38000800), decode_plain}, // LDTR, STTR
    {UINT32_C(0x3f200c00), UINT32_C(0x38000c00), decode_indexed},
    {UINT32_C(0x3fe0fc00), UINT32_C(0x38a0c000), decode_ldapr},
    {UINT32_C(0x3f200c00), UINT32_C(0x38200800), decode_register_offset},
    {UINT32_C(0x3f000000), UINT32_C(0x39000000), decode_plain}, // unsigned immediate
};

bool aarch64_decode_load_store(uint32_t instruction, Aarch64LoadStore *out)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if ((instruction & classes[i].mask) == classes[i].value) {
            *out = (Aarch64LoadStore){0};
            return classes[i].decode(instruction, out);
        }
    }
    return false;
}
