// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define DEVICE_VA UINT64_C(0xffffffff90000018)
#define DEVICE_PA UINT64_C(0x10000018)

#define VALUE UINT64_C(0x8182838485868788)

// Of the source register of a store: register n has n in its low bits.
#define SOURCE UINT64_C(0x1111222233330000)

static void fault_at(Fixture *f, uint64_t cause, uint64_t htinst, uint64_t va, uint64_t pa)
{
    f->exit.reason = AX_EXIT_COUNT;
    f->vcpu.trap = (RISCVTrap){.cause = cause, .tval = va, .htval = pa >> 2, .htinst = htinst};
}

static RISCVNext fault(Fixture *f, uint64_t cause, uint64_t htinst)
{
    fault_at(f, cause, htinst, DEVICE_VA, DEVICE_PA);
    return riscv_handle_sync(&f->vcpu, &f->exit);
}

// ---- encodings ----

// The instruction in memory, its transformed form, and its registers; offset 0.
typedef struct Access {
    uint32_t code;
    uint32_t htinst;
    uint8_t reg;
    uint8_t base;
    uint8_t width;
    uint8_t size;
    bool is_load;
    bool sign_extend;
} Access;

static const struct {
    const char *name;
    uint8_t funct3;
    uint8_t width;
    bool is_load;
    bool sign_extend;
} forms[] = {
    {"lb", 0, 1, true, true},   {"lh", 1, 2, true, true},   {"lw", 2, 4, true, true},
    {"ld", 3, 8, true, false},  {"lbu", 4, 1, true, false}, {"lhu", 5, 2, true, false},
    {"lwu", 6, 4, true, false}, {"sb", 0, 1, false, false}, {"sh", 1, 2, false, false},
    {"sw", 2, 4, false, false}, {"sd", 3, 8, false, false},
};

static uint32_t load_word(uint32_t funct3, uint32_t rd, uint32_t rs1)
{
    return rs1 << 15 | funct3 << 12 | rd << 7 | 0x03;
}

static uint32_t store_word(uint32_t funct3, uint32_t rs2, uint32_t rs1)
{
    return rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x23;
}

static Access wide_access(size_t form, uint32_t reg, uint32_t base)
{
    const uint32_t funct3 = forms[form].funct3;
    const bool is_load = forms[form].is_load;

    return (Access){
        .code = is_load ? load_word(funct3, reg, base) : store_word(funct3, reg, base),
        .htinst = is_load ? load_word(funct3, reg, 0) : store_word(funct3, reg, 0),
        .reg = (uint8_t)reg,
        .base = (uint8_t)base,
        .width = forms[form].width,
        .size = 4,
        .is_load = is_load,
        .sign_extend = forms[form].sign_extend,
    };
}

// C.LW, C.LD, C.SW, C.SD with x8 to x15, and the forms with the stack pointer.
static Access compressed_access(bool is_load, bool is_double, bool is_stack, uint32_t reg,
                                uint32_t base)
{
    const uint32_t funct3 = (is_load ? 2 : 6) + (is_double ? 1u : 0u);
    const uint32_t wide = is_double ? 3 : 2;
    uint32_t code = funct3 << 13;

    if (!is_stack) {
        code |= (base - 8) << 7 | (reg - 8) << 2;
    } else {
        code |= 2 | (is_load ? reg << 7 : reg << 2);
    }
    return (Access){
        .code = code,
        .htinst = (is_load ? load_word(wide, reg, 0) : store_word(wide, reg, 0)) & ~UINT32_C(2),
        .reg = (uint8_t)reg,
        .base = (uint8_t)base,
        .width = is_double ? 8 : 4,
        .size = 2,
        .is_load = is_load,
        .sign_extend = is_load && !is_double,
    };
}

// ---- MMIO ----

static uint64_t extended(const Access *access, uint64_t value)
{
    switch (access->width) {
    case 1: return access->sign_extend ? (uint64_t)(int64_t)(int8_t)value : (uint8_t)value;
    case 2: return access->sign_extend ? (uint64_t)(int64_t)(int16_t)value : (uint16_t)value;
    case 4: return access->sign_extend ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value;
    default: return value;
    }
}

static void check_exit(const Fixture *f, const Access *access, uint64_t data)
{
    assert_int_equal(f->exit.reason, access->is_load ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);
    assert_int_equal(f->exit.mmio.width, access->width);
    assert_int_equal(f->exit.mmio.reg, access->reg);
    assert_int_equal(f->exit.mmio.reg_width, 8);
    assert_int_equal(f->exit.mmio.sign_extend, access->sign_extend);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    if (!access->is_load) {
        assert_int_equal(f->exit.mmio.data, data & (UINT64_MAX >> (64 - 8 * access->width)));
    }
}

static void check_completion(Fixture *f, const Access *access, uint64_t value)
{
    uint64_t expected[32];

    memcpy(expected, f->vcpu.regs.x, sizeof(expected));
    if (access->is_load) {
        assert_int_equal(riscv_complete_read(&f->vcpu, &f->exit, value), AX_OK);
        expected[access->reg] = access->reg == 0 ? 0 : extended(access, value);
    } else {
        assert_int_equal(riscv_complete_write(&f->vcpu, &f->exit), AX_OK);
    }
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + access->size);
    assert_memory_equal(f->vcpu.regs.x, expected, sizeof(expected));
}

static void check_access(void **state, const Access *access, bool has_htinst)
{
    const uint64_t cause = access->is_load ? CAUSE_LOAD_GUEST_PAGE : CAUSE_STORE_GUEST_PAGE;
    Fixture *f = *state;
    uint64_t source;

    fixture_reset(state);
    f->code = access->code;
    if (access->base != 0) {
        f->vcpu.regs.x[access->base] = DEVICE_VA;
    }
    source = f->vcpu.regs.x[access->reg];
    rv_sim.hlvx_hu = has_htinst ? NULL : fixture_fetch;
    assert_int_equal(fault(f, cause, has_htinst ? access->htinst : 0), RISCV_EXIT);
    assert_int_equal(rv_sim.ops[RV_SIM_HLVX], has_htinst ? 0 : access->size / 2);
    check_exit(f, access, source);
    check_completion(f, access, VALUE);
}

static void every_width_sign_and_register_is_completed(void **state)
{
    for (size_t form = 0; form < COUNT(forms); form++) {
        for (uint32_t reg = 0; reg < 32; reg++) {
            const Access access = wide_access(form, reg, (reg + 5) % 31 + 1);

            check_access(state, &access, false);
            check_access(state, &access, true);
        }
    }
}

static void every_compressed_form_and_register_is_completed(void **state)
{
    for (uint32_t i = 0; i < 4 * 8; i++) {
        const Access access = compressed_access((i & 1) != 0, (i & 2) != 0, false, 8 + i / 4,
                                                8 + (i / 4 + 3) % 8);

        check_access(state, &access, false);
        check_access(state, &access, true);
    }
}

// C.LWSP and C.LDSP into x0 are no instructions.
static void every_stack_form_and_register_is_completed(void **state)
{
    for (uint32_t i = 0; i < 4 * 32; i++) {
        const bool is_load = (i & 1) != 0;
        const Access access = compressed_access(is_load, (i & 2) != 0, true, i / 4, 2);

        if (!is_load || access.reg != 0) {
            check_access(state, &access, false);
            check_access(state, &access, true);
        }
    }
}

static void a_positive_value_is_not_extended(void **state)
{
    Fixture *f = *state;

    for (size_t form = 0; form < COUNT(forms); form++) {
        const Access access = wide_access(form, 9, 6);

        fixture_reset(state);
        if (access.is_load) {
            assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, access.htinst), RISCV_EXIT);
            check_completion(f, &access, UINT64_C(0x7172737475767778));
        }
    }
}

static void the_offset_of_an_access_counts(void **state)
{
    Fixture *f = *state;

    f->code = 0xff832483; // lw x9, -8(x6)
    f->vcpu.regs.x[6] = DEVICE_VA + 8;
    rv_sim.hlvx_hu = fixture_fetch;
    assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, 0), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);

    fixture_reset(state);
    f->code = 0xdfe0; // c.sw x8, 124(x15)
    f->vcpu.regs.x[15] = DEVICE_VA - 124;
    rv_sim.hlvx_hu = fixture_fetch;
    assert_int_equal(fault(f, CAUSE_STORE_GUEST_PAGE, 0), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_WRITE);
    assert_int_equal(f->exit.mmio.data, (SOURCE + 8) & UINT32_MAX);
}

static void a_base_that_is_overwritten_was_used_before(void **state)
{
    Fixture *f = *state;

    f->code = load_word(3, 6, 6); // ld x6, 0(x6)
    f->vcpu.regs.x[6] = DEVICE_VA;
    rv_sim.hlvx_hu = fixture_fetch;
    assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, 0), RISCV_EXIT);
    assert_int_equal(riscv_complete_read(&f->vcpu, &f->exit, VALUE), AX_OK);
    assert_int_equal(f->vcpu.regs.x[6], VALUE);
}

static void an_address_wraps_around(void **state)
{
    Fixture *f = *state;

    f->code = 0x80002483; // lw x9, -2048(x0)
    rv_sim.hlvx_hu = fixture_fetch;
    fault_at(f, CAUSE_LOAD_GUEST_PAGE, 0, (uint64_t)-2048, DEVICE_PA & ~UINT64_C(0xfff));
    assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
}

// htval has no room for the two lowest bits.
static void every_address_keeps_its_low_bits(void **state)
{
    Fixture *f = *state;

    for (uint64_t low = 0; low < 8; low++) {
        fixture_reset(state);
        fault_at(f, CAUSE_LOAD_GUEST_PAGE, load_word(0, 9, 0), DEVICE_VA + low, DEVICE_PA + low);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
        assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA + low);
    }
}

static void an_address_of_59_bits_is_kept(void **state)
{
    const uint64_t pa = (UINT64_C(1) << 59) - 8;
    Fixture *f = *state;

    fault_at(f, CAUSE_STORE_GUEST_PAGE, store_word(3, 9, 0), DEVICE_VA & ~UINT64_C(7), pa);
    assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
    assert_int_equal(f->exit.mmio.addr.value, pa);
}

// ---- nested page faults ----

static void assert_page_fault(const Fixture *f, MappingFlags access)
{
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.addr.value, DEVICE_PA);
    assert_int_equal(f->exit.page_fault.access, access);
    assert_false(f->exit.page_fault.permission);
    assert_false(f->exit.page_fault.page_table_walk);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_registers_unchanged(f);
}

static void a_fetch_needs_the_right_to_execute(void **state)
{
    Fixture *f = *state;

    assert_int_equal(fault(f, CAUSE_FETCH_GUEST_PAGE, 0), RISCV_EXIT);
    assert_page_fault(f, AX_MAP_EXECUTE);
    assert_int_equal(rv_sim.ops[RV_SIM_HLVX], 0);
    assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_trapped(f, CAUSE_FETCH_ACCESS, DEVICE_VA);
}

static void a_table_walk_reports_the_address_of_the_entry(void **state)
{
    static const struct {
        uint64_t htinst;
        MappingFlags access;
    } walks[] = {
        {0x3000, AX_MAP_READ},
        {0x3020, AX_MAP_WRITE},
        {0x2000, AX_MAP_READ},
        {0x2020, AX_MAP_WRITE},
    };
    static const struct {
        uint64_t cause;
        uint64_t fault;
    } causes[] = {
        {CAUSE_FETCH_GUEST_PAGE, CAUSE_FETCH_ACCESS},
        {CAUSE_LOAD_GUEST_PAGE, CAUSE_LOAD_ACCESS},
        {CAUSE_STORE_GUEST_PAGE, CAUSE_STORE_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(walks) * COUNT(causes); i++) {
        const size_t cause = i % COUNT(causes);
        const size_t walk = i / COUNT(causes);

        fixture_reset(state);
        f->vcpu.instruction = 0x003120af; // amoadd.w of an earlier fault
        f->code = load_word(3, 9, 6);
        rv_sim.hlvx_hu = fixture_fetch;
        fault_at(f, causes[cause].cause, walks[walk].htinst, DEVICE_VA + 3, DEVICE_PA);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
        assert_int_equal(f->exit.page_fault.addr.value, DEVICE_PA);
        assert_int_equal(f->exit.page_fault.access, walks[walk].access);
        assert_true(f->exit.page_fault.page_table_walk);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_trapped(f, causes[cause].fault, DEVICE_VA + 3);
    }
}

static void a_walk_that_is_called_a_load_has_the_fault_of_its_instruction(void **state)
{
    static const struct {
        const char *text;
        uint32_t word;
        uint64_t fault;
    } words[] = {
        {"ld x9, 0(x6)", 0x00033483, CAUSE_LOAD_ACCESS},
        {"c.lw x8, 0(x9)", 0x4080, CAUSE_LOAD_ACCESS},
        {"lr.d x1, (x2)", 0x100130af, CAUSE_LOAD_ACCESS},
        {"sb x1, 0(x2)", 0x00110023, CAUSE_STORE_ACCESS},
        {"c.sdsp x1, 0(x2)", 0xe006, CAUSE_STORE_ACCESS},
        {"fsd f1, 0(x2)", 0x00113027, CAUSE_STORE_ACCESS},
        {"amoadd.w x1, x3, (x2)", 0x003120af, CAUSE_STORE_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(words); i++) {
        fixture_reset(state);
        f->code = words[i].word;
        rv_sim.hlvx_hu = fixture_fetch;
        assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, 0x3000), RISCV_EXIT);
        assert_int_equal(f->exit.page_fault.access, AX_MAP_READ);
        assert_true(f->exit.page_fault.page_table_walk);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_trapped(f, words[i].fault, DEVICE_VA);
    }
}

// What cannot be fetched has not accessed anything; elsewhere it is unknown what did.
static void the_walk_of_a_fetch_that_is_called_a_load_is_a_fetch(void **state)
{
    static const struct {
        uint64_t va;
        uint64_t fault;
    } cases[] = {
        {GUEST_PC, CAUSE_FETCH_ACCESS},    {GUEST_PC + 2, CAUSE_FETCH_ACCESS},
        {GUEST_PC - 2, CAUSE_LOAD_ACCESS}, {GUEST_PC + 4, CAUSE_LOAD_ACCESS},
        {DEVICE_VA, CAUSE_LOAD_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state); // without hlvx_hu each fetch fails
        fault_at(f, CAUSE_LOAD_GUEST_PAGE, 0x3000, cases[i].va, DEVICE_PA);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        assert_true(f->exit.page_fault.page_table_walk);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_trapped(f, cases[i].fault, cases[i].va);
    }
}

// Memory can satisfy these: when it is RAM the host maps it, else it answers with a fault. An
// atomic store writes, whatever the cause says.
static void an_instruction_that_cannot_be_emulated_is_a_page_fault(void **state)
{
    static const struct {
        const char *text;
        uint32_t word;
        uint64_t cause;
        MappingFlags access;
        uint64_t fault;
    } words[] = {
        {"flw f1, 0(x2)", 0x00012087, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"fsd f1, 0(x2)", 0x00113027, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"c.fld f8, 0(x9)", 0x2080, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"c.fsdsp f1, 0(x2)", 0xa006, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"lr.w x1, (x2)", 0x100120af, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"sc.w x1, x3, (x2)", 0x183120af, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"amoadd.w x1, x3, (x2)", 0x003120af, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"amoadd.w on QEMU 7.2", 0x003120af, 21, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"amoswap.d.aqrl on QEMU 7.2", 0x0e3130af, 21, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"vle8.v v1, (x2)", 0x02010087, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"vse32.v v1, (x2)", 0x020160a7, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"cbo.zero (x2)", 0x0041200f, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
        {"c.lwsp x0, 0(x2)", 0x4002, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"nop", 0x00000013, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"all zeros", 0x00000000, 21, AX_MAP_READ, CAUSE_LOAD_ACCESS},
        {"all ones", 0xffffffff, 23, AX_MAP_WRITE, CAUSE_STORE_ACCESS},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(words); i++) {
        fixture_reset(state);
        f->code = words[i].word;
        rv_sim.hlvx_hu = fixture_fetch;
        assert_int_equal(fault(f, words[i].cause, 0), RISCV_EXIT);
        assert_page_fault(f, words[i].access);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_trapped(f, words[i].fault, DEVICE_VA);
    }
}

// Values as QEMU 10 gives them, whose rs1 is 0 for an aligned access.
static void a_transformed_instruction_that_cannot_be_emulated_is_a_page_fault(void **state)
{
    static const struct {
        uint64_t htinst;
        uint64_t cause;
        MappingFlags access;
    } cases[] = {
        {0x006023af, CAUSE_STORE_GUEST_PAGE, AX_MAP_WRITE}, // amoadd.w
        {0x1000232f, CAUSE_LOAD_GUEST_PAGE, AX_MAP_READ},   // lr.w
        {0x00002087, CAUSE_LOAD_GUEST_PAGE, AX_MAP_READ},   // flw
        {0x00003025, CAUSE_STORE_GUEST_PAGE, AX_MAP_WRITE}, // c.fsd, bit 1 clear
        {0x0000000b, CAUSE_LOAD_GUEST_PAGE, AX_MAP_READ},   // of a custom instruction
        {0x00000009, CAUSE_STORE_GUEST_PAGE, AX_MAP_WRITE}, // likewise, 16 bits wide
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        assert_int_equal(fault(f, cases[i].cause, cases[i].htinst), RISCV_EXIT);
        assert_page_fault(f, cases[i].access);
        assert_int_equal(rv_sim.ops[RV_SIM_HLVX], 0);
    }
}

// Neither a transformed instruction nor a table walk.
static void an_unknown_pseudo_instruction_is_looked_up_in_memory(void **state)
{
    static const uint64_t values[] = {0x2, 0x1000, 0x1020, 0x4000, 0x3010, UINT64_C(0x100003000)};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(values); i++) {
        const Access access = wide_access(2, 9, 6);

        fixture_reset(state);
        f->code = access.code;
        f->vcpu.regs.x[6] = DEVICE_VA;
        rv_sim.hlvx_hu = fixture_fetch;
        assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, values[i]), RISCV_EXIT);
        check_exit(f, &access, 0);
    }
}

// The code was changed by another hart, or the first page of the access is there.
static void an_instruction_that_does_not_explain_the_fault_is_not_emulated(void **state)
{
    static const struct {
        uint32_t word;
        uint64_t cause;
        uint64_t base;
        uint64_t va;
        const char *reason;
    } cases[] = {
        {0x00032483, 21, DEVICE_VA + 4, DEVICE_VA, "load from elsewhere"},
        {0x00432483, 21, DEVICE_VA, DEVICE_VA, "offset leads elsewhere"},
        {0x00932023, 21, DEVICE_VA, DEVICE_VA, "store, but a load faulted"},
        {0x00032483, 23, DEVICE_VA, DEVICE_VA, "load, but a store faulted"},
        {0x00033483, 21, 0x90000ffc, 0x90001000, "second page of a load"},
        {0x00033483, 21, 0x90000ffc, 0x90000ffc, "load across two pages"},
        {0x00931023, 23, 0x90000fff, 0x90000fff, "store across two pages"},
        {0x00931023, 23, 0x90000fff, 0x90001000, "second page of a store"},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        f->code = cases[i].word;
        f->vcpu.regs.x[6] = cases[i].base;
        rv_sim.hlvx_hu = fixture_fetch;
        fault_at(f, cases[i].cause, 0, cases[i].va, cases[i].va);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        if (f->exit.reason != AX_EXIT_NESTED_PAGE_FAULT) {
            fail_msg("%s is emulated", cases[i].reason);
        }
        assert_int_equal(f->exit.page_fault.addr.value, cases[i].va);
    }
}

// In place of the base register htinst says how far the fault is from the start.
static void a_transformed_access_that_began_elsewhere_is_not_emulated(void **state)
{
    static const struct {
        uint64_t htinst;
        uint64_t cause;
        uint64_t va;
    } cases[] = {
        {0x00023483, 21, 0x90001000}, // ld, 4 bytes on
        {0x00001483, 23, 0x90000000}, // lh, but a store faulted
        {0x00901023, 21, 0x90000000}, // sh, but a load faulted
        {0x00003483, 21, 0x90000ff9}, // ld across two pages
        {0x00901021, 23, 0x90000fff}, // sh across two pages, compressed
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        fault_at(f, cases[i].cause, cases[i].htinst, cases[i].va, cases[i].va);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    }
}

static void an_access_may_end_with_its_page(void **state)
{
    Fixture *f = *state;

    for (size_t form = 0; form < COUNT(forms); form++) {
        const Access access = wide_access(form, 9, 6);
        const uint64_t va = UINT64_C(0x90001000) - access.width;

        fixture_reset(state);
        fault_at(f, access.is_load ? CAUSE_LOAD_GUEST_PAGE : CAUSE_STORE_GUEST_PAGE, access.htinst,
                 va, va);
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_EXIT);
        assert_int_equal(f->exit.reason, access.is_load ? AX_EXIT_MMIO_READ : AX_EXIT_MMIO_WRITE);
        assert_int_equal(f->exit.mmio.addr.value, va);
    }
}

// vsstatus.UXL and UBE act on VU mode only.
static void other_modes_of_a_program_are_not_decoded(void **state)
{
    static const struct {
        bool supervisor;
        uint64_t vsstatus;
        bool decoded;
    } modes[] = {
        {true, SSTATUS_UXL_64, true},
        {false, SSTATUS_UXL_64, true},
        {false, SSTATUS_UXL_64 | SSTATUS_SUM | SSTATUS_SPP, true},
        {false, SSTATUS_UXL_64 >> 1, false},          // RV32
        {false, SSTATUS_UXL_64 | SSTATUS_UBE, false}, // big-endian
        {true, SSTATUS_UXL_64 >> 1, true},
        {true, SSTATUS_UXL_64 | SSTATUS_UBE, true},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(modes); i++) {
        fixture_reset(state);
        riscv_set_guest_mode(&f->vcpu, modes[i].supervisor);
        f->vcpu.sys[RISCV_VSSTATUS] = modes[i].vsstatus;
        assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, load_word(2, 9, 0)), RISCV_EXIT);
        assert_int_equal(f->exit.reason,
                         modes[i].decoded ? AX_EXIT_MMIO_READ : AX_EXIT_NESTED_PAGE_FAULT);
    }
}

// ---- the instruction's own memory ----

static bool fetch_low_half(uint64_t va, uint16_t *out)
{
    *out = 0x2483; // of lw x9, 0(x6)
    return va == GUEST_PC;
}

static void code_that_went_away_is_left_to_the_guest(void **state)
{
    static bool (*const fetches[])(uint64_t va, uint16_t * out) = {NULL, fetch_low_half};
    static const uint64_t causes[] = {CAUSE_LOAD_GUEST_PAGE, CAUSE_STORE_GUEST_PAGE};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(fetches) * 2; i++) {
        fixture_reset(state);
        rv_sim.hlvx_hu = fetches[i / 2];
        assert_int_equal(fault(f, causes[i % 2], 0), RISCV_RESUME);
        assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
        assert_int_equal(f->vcpu.sys[RISCV_VSCAUSE], 0);
        assert_int_equal(f->stats.handled[AX_EXIT_NESTED_PAGE_FAULT], 1);
        assert_registers_unchanged(f);
    }
}

static void an_instruction_is_fetched_by_halves(void **state)
{
    Fixture *f = *state;
    uint32_t instruction;
    unsigned size;

    rv_sim.hlvx_hu = fixture_fetch;
    f->code = 0xa5a50001;
    assert_true(riscv_fetch_instruction(&f->vcpu, &instruction, &size));
    assert_int_equal(instruction, 0x0001);
    assert_int_equal(size, 2);
    assert_int_equal(rv_sim.ops[RV_SIM_HLVX], 1);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 1].value, GUEST_PC);

    f->code = 0xfff61583;
    assert_true(riscv_fetch_instruction(&f->vcpu, &instruction, &size));
    assert_int_equal(instruction, 0xfff61583);
    assert_int_equal(size, 4);
    assert_int_equal(rv_sim.ops[RV_SIM_HLVX], 3);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 1].value, GUEST_PC + 2);
}

// The second half is on another page, which may be missing.
static void the_halves_may_lie_on_two_pages(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pc = UINT64_C(0xffffffff80010ffe);
    f->code = load_word(2, 9, 6);
    f->vcpu.regs.x[6] = DEVICE_VA;
    rv_sim.hlvx_hu = fixture_fetch;
    assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, 0), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(rv_sim.log[rv_sim.log_count - 1].value, UINT64_C(0xffffffff80011000));
}

// ---- answers ----

static void an_access_nobody_answers_is_an_access_fault(void **state)
{
    Fixture *f = *state;

    assert_int_equal(fault(f, CAUSE_STORE_GUEST_PAGE, store_word(2, 9, 0)), RISCV_EXIT);
    assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_trapped(f, CAUSE_STORE_ACCESS, DEVICE_VA);

    fixture_reset(state);
    assert_int_equal(fault(f, CAUSE_LOAD_GUEST_PAGE, load_word(2, 9, 0)), RISCV_EXIT);
    assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_trapped(f, CAUSE_LOAD_ACCESS, DEVICE_VA);
    assert_registers_unchanged(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(every_width_sign_and_register_is_completed),
        TEST(every_compressed_form_and_register_is_completed),
        TEST(every_stack_form_and_register_is_completed),
        TEST(a_positive_value_is_not_extended),
        TEST(the_offset_of_an_access_counts),
        TEST(a_base_that_is_overwritten_was_used_before),
        TEST(an_address_wraps_around),
        TEST(every_address_keeps_its_low_bits),
        TEST(an_address_of_59_bits_is_kept),
        TEST(a_fetch_needs_the_right_to_execute),
        TEST(a_table_walk_reports_the_address_of_the_entry),
        TEST(a_walk_that_is_called_a_load_has_the_fault_of_its_instruction),
        TEST(the_walk_of_a_fetch_that_is_called_a_load_is_a_fetch),
        TEST(an_instruction_that_cannot_be_emulated_is_a_page_fault),
        TEST(a_transformed_instruction_that_cannot_be_emulated_is_a_page_fault),
        TEST(an_unknown_pseudo_instruction_is_looked_up_in_memory),
        TEST(an_instruction_that_does_not_explain_the_fault_is_not_emulated),
        TEST(a_transformed_access_that_began_elsewhere_is_not_emulated),
        TEST(an_access_may_end_with_its_page),
        TEST(other_modes_of_a_program_are_not_decoded),
        TEST(code_that_went_away_is_left_to_the_guest),
        TEST(an_instruction_is_fetched_by_halves),
        TEST(the_halves_may_lie_on_two_pages),
        TEST(an_access_nobody_answers_is_an_access_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
