// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define DEVICE_VA UINT64_C(0xffff000009000018)
#define DEVICE_PA UINT64_C(0x9000018)

#define TRANSLATION_L3 UINT64_C(0x07)
#define PERMISSION_L3  UINT64_C(0x0f)

#define SCTLR_M   AX_BIT(0)
#define SCTLR_E0E AX_BIT(24)
#define SCTLR_EE  AX_BIT(25)

static void fault_at(Fixture *f, uint64_t ec, uint64_t iss, uint64_t va, uint64_t pa)
{
    f->vcpu.syndrome = (Aarch64Syndrome){
        .esr = esr_of(ec, iss),
        .far = va,
        .hpfar = ax_put(pa / AX_PAGE_SIZE, HPFAR_EL2_FIPA),
    };
}

static Aarch64Next data_abort(Fixture *f, uint64_t iss)
{
    fault_at(f, ESR_ELX_EC_DABT_LOW, iss, DEVICE_VA, DEVICE_PA);
    return aarch64_handle_sync(&f->vcpu, &f->exit);
}

static Aarch64Next instruction_abort(Fixture *f, uint64_t iss)
{
    fault_at(f, ESR_ELX_EC_IABT_LOW, iss, DEVICE_VA, DEVICE_PA);
    return aarch64_handle_sync(&f->vcpu, &f->exit);
}

static uint64_t syndrome(uint64_t sas, bool sign_extend, uint64_t rt, bool sixty_four)
{
    return ESR_ELX_ABT_ISV | ax_put(sas, ESR_ELX_ABT_SAS) | ax_put(rt, ESR_ELX_ABT_SRT) |
           (sign_extend ? ESR_ELX_ABT_SSE : 0) | (sixty_four ? ESR_ELX_ABT_SF : 0) | TRANSLATION_L3;
}

// A store or load without syndrome whose instruction is `word`.
static Aarch64Next decoded_abort(Fixture *f, uint32_t word, uint64_t va, uint64_t pa)
{
    Aarch64LoadStore access;
    const bool is_load = aarch64_decode_load_store(word, &access) && access.is_load;

    arm_sim.translate = fixture_translate;
    f->vcpu.sys[AARCH64_SCTLR_EL1] |= SCTLR_M;
    arm_sim.reg[ARM_REG_SCTLR_EL1] |= SCTLR_M;
    f->code[(GUEST_PC & 0xfff) / 4] = word;
    fault_at(f, ESR_ELX_EC_DABT_LOW, TRANSLATION_L3 | (is_load ? 0 : ESR_ELX_ABT_WNR), va, pa);
    return aarch64_handle_sync(&f->vcpu, &f->exit);
}

// ---- with syndrome ----

static void every_width_sign_and_register_of_a_load_is_completed(void **state)
{
    const uint64_t value = UINT64_C(0x8182838485868788);
    Fixture *f = *state;

    for (unsigned i = 0; i < 4 * 2 * 2 * 32; i++) {
        const uint64_t sas = i & 3;
        const bool sign_extend = (i & 4) != 0;
        const bool sixty_four = (i & 8) != 0;
        const uint32_t rt = i >> 4;
        const unsigned bits = 8u << sas;
        uint64_t expected = bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);

        fixture_reset(state);
        assert_int_equal(data_abort(f, syndrome(sas, sign_extend, rt, sixty_four)), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
        assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);
        assert_int_equal(f->exit.mmio.width, bits / 8);
        assert_int_equal(f->exit.mmio.reg, rt);
        assert_int_equal(f->exit.mmio.reg_width, sixty_four ? 8 : 4);
        assert_int_equal(f->exit.mmio.sign_extend, sign_extend);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);

        assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, value), AX_OK);
        if (sign_extend && bits < 64) {
            expected |= ~((UINT64_C(1) << bits) - 1);
            expected &= sixty_four ? UINT64_MAX : UINT32_MAX;
        } else if (sign_extend && !sixty_four) {
            expected &= UINT32_MAX;
        }
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
        assert_int_equal(aarch64_x(&f->vcpu, rt), rt == 31 ? 0 : expected);
    }
}

static void every_width_and_register_of_a_store_is_completed(void **state)
{
    Fixture *f = *state;

    for (unsigned i = 0; i < 4 * 32; i++) {
        const uint64_t sas = i & 3;
        const uint32_t rt = i >> 2;
        const uint64_t value = rt == 31 ? 0 : UINT64_C(0x1111222233330000) + rt;

        fixture_reset(state);
        assert_int_equal(data_abort(f, syndrome(sas, false, rt, sas == 3) | ESR_ELX_ABT_WNR),
                         AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_MMIO_WRITE);
        assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);
        assert_int_equal(f->exit.mmio.width, 1u << sas);
        assert_int_equal(f->exit.mmio.data, value & (UINT64_MAX >> (64 - (8u << sas))));
        assert_int_equal(aarch64_complete_write(&f->vcpu, &f->exit), AX_OK);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
        assert_registers_unchanged(f);
    }
}

static void a_16_bit_instruction_is_stepped_by_two(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pstate = PSTATE_NRW | PSTATE_T32;
    fault_at(f, ESR_ELX_EC_DABT_LOW, syndrome(2, false, 3, false), DEVICE_VA, DEVICE_PA);
    f->vcpu.syndrome.esr &= ~ESR_ELX_IL;
    assert_int_equal(aarch64_handle_sync(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 7), AX_OK);
    assert_int_equal(f->vcpu.regs.x[3], 7);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 2);
}

static void the_byte_order_is_that_of_the_guest(void **state)
{
    static const struct {
        uint64_t pstate;
        uint64_t sctlr;
        bool swapped;
    } cases[] = {
        {PSTATE_M_EL1H, 0, false},         {PSTATE_M_EL1H, SCTLR_EE, true},
        {PSTATE_M_EL1H, SCTLR_E0E, false}, {PSTATE_M_EL0T, SCTLR_EE, false},
        {PSTATE_M_EL0T, SCTLR_E0E, true},  {PSTATE_NRW, SCTLR_EE | SCTLR_E0E, false},
        {PSTATE_NRW | AX_BIT(9), 0, true}, // PSTATE.E
    };
    static const uint64_t swapped[] = {0x03, 0x0300, 0x03003333, UINT64_C(0x0300333322221111)};
    static const uint64_t straight[] = {0x03, 0x0003, 0x33330003, UINT64_C(0x1111222233330003)};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases) * 4; i++) {
        const uint64_t sas = i & 3;
        const uint64_t data = cases[i / 4].swapped ? swapped[sas] : straight[sas];

        fixture_reset(state);
        f->vcpu.regs.pstate = cases[i / 4].pstate;
        f->vcpu.sys[AARCH64_SCTLR_EL1] = cases[i / 4].sctlr;
        data_abort(f, syndrome(sas, false, 3, true) | ESR_ELX_ABT_WNR);
        assert_int_equal(f->exit.mmio.data, data);
        data_abort(f, syndrome(sas, false, 4, true));
        assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, data), AX_OK);
        assert_int_equal(f->vcpu.regs.x[4], straight[sas]);
    }
}

// A guest that maps a device as normal memory can access it at any address.
static void an_unaligned_access_keeps_its_address(void **state)
{
    Fixture *f = *state;

    fault_at(f, ESR_ELX_EC_DABT_LOW, syndrome(3, false, 0, true), 0x8fff, UINT64_C(0xfffffffff000));
    assert_int_equal(aarch64_handle_sync(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(f->exit.mmio.addr.value, UINT64_C(0xffffffffffff));
    assert_int_equal(f->exit.mmio.width, 8);
}

// ---- fault status ----

typedef enum Expected {
    UNHANDLED,
    MISSING,
    PERMISSION,
    EXTERNAL,
    TO_GUEST,
    RETRY,
} Expected;

static Expected expected_of(uint64_t fsc)
{
    static const uint8_t external[] = {0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                       0x18, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

    for (size_t i = 0; i < COUNT(external); i++) {
        if (fsc == external[i]) {
            return EXTERNAL;
        }
    }
    if ((fsc >= 0x04 && fsc <= 0x0b) || fsc == 0x2b) {
        return MISSING;
    }
    if (fsc >= 0x0c && fsc <= 0x0f) {
        return PERMISSION;
    }
    if (fsc == 0x21 || fsc == 0x35) {
        return TO_GUEST;
    }
    return fsc == 0x30 ? RETRY : UNHANDLED;
}

static uint64_t stage1(uint64_t va)
{
    assert_int_equal(va, DEVICE_VA);
    return PAR_NORMAL | 0x123456000;
}

static void check_status(const Fixture *f, Aarch64Next next, uint64_t fsc, uint64_t same_level)
{
    const Expected expected = expected_of(fsc);

    assert_int_equal(next, expected == EXTERNAL || expected == TO_GUEST || expected == RETRY
                               ? AARCH64_RESUME
                               : AARCH64_EXIT);
    switch (expected) {
    case UNHANDLED: assert_int_equal(f->exit.reason, AX_EXIT_UNHANDLED); break;
    case MISSING:
        assert_int_equal(f->exit.page_fault.addr.value, DEVICE_PA);
        assert_false(f->exit.page_fault.permission);
        break;
    case PERMISSION:
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
        assert_int_equal(f->exit.page_fault.addr.value, 0x123456018);
        assert_true(f->exit.page_fault.permission);
        break;
    case EXTERNAL:
        assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], esr_of(same_level, 0x10));
        assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], DEVICE_VA);
        break;
    case TO_GUEST: assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], esr_of(same_level, fsc)); break;
    case RETRY:
        assert_int_equal(arm_sim.ops[ARM_SIM_TLBI_VMALLS12E1IS], 1);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
        break;
    }
}

static void every_status_of_a_data_abort_has_its_treatment(void **state)
{
    Fixture *f = *state;

    for (uint64_t fsc = 0; fsc < 64; fsc++) {
        Aarch64Next next;

        fixture_reset(state);
        arm_sim.translate_stage1 = stage1;
        next = data_abort(f, fsc);
        check_status(f, next, fsc, 0x25);
        if (expected_of(fsc) == MISSING) {
            assert_int_equal(f->exit.page_fault.access, AX_MAP_READ);
        }
    }
}

static void every_status_of_an_instruction_abort_has_its_treatment(void **state)
{
    Fixture *f = *state;

    for (uint64_t fsc = 0; fsc < 64; fsc++) {
        Aarch64Next next;

        fixture_reset(state);
        arm_sim.translate_stage1 = stage1;
        next = instruction_abort(f, fsc);
        check_status(f, next, fsc, 0x21);
        if (expected_of(fsc) == MISSING) {
            assert_int_equal(f->exit.page_fault.access, AX_MAP_EXECUTE);
        }
    }
}

static void a_refused_store_needs_the_right_to_write(void **state)
{
    Fixture *f = *state;

    arm_sim.translate_stage1 = stage1;
    assert_int_equal(data_abort(f, PERMISSION_L3 | ESR_ELX_ABT_WNR), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.access, AX_MAP_WRITE);
    assert_true(f->exit.page_fault.permission);
    assert_false(f->exit.page_fault.page_table_walk);
}

// Another vCPU changed the tables between the fault and our look.
static void a_translation_that_went_away_is_tried_again(void **state)
{
    Fixture *f = *state;

    assert_int_equal(data_abort(f, PERMISSION_L3), AARCH64_RESUME);
    assert_int_equal(instruction_abort(f, PERMISSION_L3), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_int_equal(f->stats.handled[AX_EXIT_NESTED_PAGE_FAULT], 2);
}

static void a_table_walk_reports_the_page_of_the_table(void **state)
{
    static const struct {
        uint64_t iss;
        MappingFlags access;
    } cases[] = {
        {TRANSLATION_L3, AX_MAP_READ},
        {TRANSLATION_L3 | ESR_ELX_ABT_WNR, AX_MAP_READ},
        {TRANSLATION_L3 | ESR_ELX_ABT_WNR | ESR_ELX_ABT_CM, AX_MAP_READ},
        {PERMISSION_L3, AX_MAP_WRITE}, // setting an access flag
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        const uint64_t iss = cases[i / 2].iss | ESR_ELX_ABT_S1PTW;

        fixture_reset(state);
        assert_int_equal(i % 2 == 0 ? data_abort(f, iss) : instruction_abort(f, iss), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
        assert_int_equal(f->exit.page_fault.addr.value, DEVICE_PA & ~UINT64_C(0xfff));
        assert_true(f->exit.page_fault.page_table_walk);
        assert_int_equal(f->exit.page_fault.access, cases[i / 2].access);
    }
}

static void cache_maintenance_of_nothing_does_nothing(void **state)
{
    Fixture *f = *state;

    assert_int_equal(data_abort(f, TRANSLATION_L3 | ESR_ELX_ABT_CM | ESR_ELX_ABT_WNR),
                     AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0);
}

static void an_access_nobody_answers_is_an_external_abort(void **state)
{
    Fixture *f = *state;

    data_abort(f, syndrome(2, false, 3, false) | ESR_ELX_ABT_WNR);
    assert_int_equal(aarch64_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0x96000050);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], DEVICE_VA);
    assert_int_equal(f->vcpu.sys[AARCH64_ELR_EL1], GUEST_PC);

    fixture_reset(state);
    instruction_abort(f, TRANSLATION_L3);
    assert_int_equal(aarch64_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0x86000010);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], DEVICE_VA);
}

// ---- without syndrome: one register ----

static void a_post_indexed_load_moves_its_base(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[2] = DEVICE_VA;
    assert_int_equal(decoded_abort(f, 0xb8404441, DEVICE_VA, DEVICE_PA), AARCH64_EXIT);
    // ldr w1, [x2], #4
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);
    assert_int_equal(f->exit.mmio.width, 4);
    assert_int_equal(f->exit.mmio.reg, 1);
    assert_int_equal(f->vcpu.regs.x[2], DEVICE_VA);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0xaabbccdd11223344), AX_OK);
    assert_int_equal(f->vcpu.regs.x[1], 0x11223344);
    assert_int_equal(f->vcpu.regs.x[2], DEVICE_VA + 4);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
}

static void a_pre_indexed_store_moves_its_base(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[2] = DEVICE_VA + 8;
    assert_int_equal(decoded_abort(f, 0x381f8c43, DEVICE_VA, DEVICE_PA), AARCH64_EXIT);
    // strb w3, [x2, #-8]!
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_WRITE);
    assert_int_equal(f->exit.mmio.width, 1);
    assert_int_equal(f->exit.mmio.data, 0x03);
    assert_int_equal(aarch64_complete_write(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.regs.x[2], DEVICE_VA);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
}

static void the_base_may_be_the_stack_pointer_in_use(void **state)
{
    static const struct {
        uint64_t mode;
        Aarch64SysReg sp;
    } modes[] = {
        {PSTATE_M_EL1H, AARCH64_SP_EL1},
        {PSTATE_M_EL1T, AARCH64_SP_EL0},
        {PSTATE_M_EL0T, AARCH64_SP_EL0},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(modes); i++) {
        fixture_reset(state);
        f->vcpu.regs.pstate = modes[i].mode;
        f->vcpu.sys[AARCH64_SP_EL0] = 0x1000;
        f->vcpu.sys[AARCH64_SP_EL1] = 0x2000;
        f->vcpu.sys[modes[i].sp] = DEVICE_VA;
        decoded_abort(f, 0xf84107e1, DEVICE_VA, DEVICE_PA); // ldr x1, [sp], #16
        assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
        assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 5), AX_OK);
        assert_int_equal(f->vcpu.sys[modes[i].sp], DEVICE_VA + 16);
        assert_int_equal(f->vcpu.regs.x[1], 5);
    }
}

static void the_stack_pointer_of_a_bound_vcpu_is_in_the_cpu(void **state)
{
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    arm_sim.reg[ARM_REG_SP_EL1] = DEVICE_VA;
    decoded_abort(f, 0xf84107e1, DEVICE_VA, DEVICE_PA);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 5), AX_OK);
    assert_int_equal(arm_sim.reg[ARM_REG_SP_EL1], DEVICE_VA + 16);
}

static void a_sign_extending_load_writes_its_register_width(void **state)
{
    static const struct {
        uint32_t word;
        uint64_t expected;
    } loads[] = {
        {0x38801441, UINT64_C(0xffffffffffffff80)}, // ldrsb x1, [x2], #1
        {0x38c01441, 0xffffff80},                   // ldrsb w1, [x2], #1
        {0x78801441, UINT64_C(0xffffffffffff8080)}, // ldrsh x1, [x2], #1
        {0x78c01441, 0xffff8080},                   // ldrsh w1, [x2], #1
        {0xb8801441, UINT64_C(0xffffffff80808080)}, // ldrsw x1, [x2], #1
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(loads); i++) {
        fixture_reset(state);
        f->vcpu.regs.x[2] = DEVICE_VA;
        decoded_abort(f, loads[i].word, DEVICE_VA, DEVICE_PA);
        assert_true(f->exit.mmio.sign_extend);
        assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0x80808080), AX_OK);
        assert_int_equal(f->vcpu.regs.x[1], loads[i].expected);
        assert_int_equal(f->vcpu.regs.x[2], DEVICE_VA + 1);
    }
}

// ---- without syndrome: pairs ----

static void a_load_pair_reads_twice_and_changes_registers_at_once(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA - 16;
    decoded_abort(f, 0xa9c10861, DEVICE_VA, DEVICE_PA); // ldp x1, x2, [x3, #16]!
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA);
    assert_int_equal(f->exit.mmio.reg, 1);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_NONE);

    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0xaaaa), AX_OK);
    assert_int_equal(f->vcpu.regs.x[1], UINT64_C(0x1111222233330001));
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_DUE);

    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA + 8);
    assert_int_equal(f->exit.mmio.reg, 2);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0xbbbb), AX_OK);
    assert_int_equal(f->vcpu.regs.x[1], 0xaaaa);
    assert_int_equal(f->vcpu.regs.x[2], 0xbbbb);
    assert_int_equal(f->vcpu.regs.x[3], DEVICE_VA);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_NONE);
}

static void a_store_pair_writes_twice(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA;
    decoded_abort(f, 0x2881fc62, DEVICE_VA, DEVICE_PA); // stp w2, wzr, [x3], #12
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_WRITE);
    assert_int_equal(f->exit.mmio.width, 4);
    assert_int_equal(f->exit.mmio.data, 0x33330002);
    assert_int_equal(aarch64_complete_write(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.regs.x[3], DEVICE_VA);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_WRITE);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA + 4);
    assert_int_equal(f->exit.mmio.data, 0);
    assert_int_equal(aarch64_complete_write(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.regs.x[3], DEVICE_VA + 12);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
}

static void both_halves_of_ldpsw_are_sign_extended(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA;
    decoded_abort(f, 0x69400861, DEVICE_VA, DEVICE_PA); // ldpsw x1, x2, [x3]
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0x80000001), AX_OK);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0x80000002), AX_OK);
    assert_int_equal(f->vcpu.regs.x[1], UINT64_C(0xffffffff80000001));
    assert_int_equal(f->vcpu.regs.x[2], UINT64_C(0xffffffff80000002));
}

static void a_pair_may_load_into_its_base(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[1] = DEVICE_VA;
    decoded_abort(f, 0xa9400821, DEVICE_VA, DEVICE_PA); // ldp x1, x2, [x1]
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 1), AX_OK);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(f->exit.mmio.addr.value, DEVICE_PA + 8);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 2), AX_OK);
    assert_int_equal(f->vcpu.regs.x[1], 1);
    assert_int_equal(f->vcpu.regs.x[2], 2);
}

static void a_pair_may_discard_what_it_loads(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA;
    decoded_abort(f, 0xa940087f, DEVICE_VA, DEVICE_PA); // ldp xzr, x2, [x3]
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 1), AX_OK);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 2), AX_OK);
    assert_int_equal(f->vcpu.regs.x[2], 2);
}

// The host mapped memory there and wants the guest to repeat the instruction.
static void a_retry_of_the_second_half_starts_the_pair_again(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA;
    decoded_abort(f, 0xa9400861, DEVICE_VA, DEVICE_PA); // ldp x1, x2, [x3]
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 1), AX_OK);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_RESUME);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_NONE);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_int_equal(f->vcpu.regs.x[1], UINT64_C(0x1111222233330001));
}

static void a_fault_in_the_second_half_leaves_the_registers(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[3] = DEVICE_VA;
    decoded_abort(f, 0xa8c10861, DEVICE_VA, DEVICE_PA); // ldp x1, x2, [x3], #16
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 1), AX_OK);
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_EXIT);
    assert_int_equal(aarch64_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_NONE);
    assert_int_equal(f->vcpu.regs.x[1], UINT64_C(0x1111222233330001));
    assert_int_equal(f->vcpu.regs.x[3], DEVICE_VA);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], 0x96000010);
    assert_int_equal(f->vcpu.sys[AARCH64_ELR_EL1], GUEST_PC);
}

// ---- without syndrome: what cannot be emulated ----

static void assert_read_fault(const Fixture *f)
{
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.addr.value, DEVICE_PA);
    assert_int_equal(f->exit.page_fault.access, AX_MAP_READ);
    assert_false(f->exit.page_fault.permission);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

// Memory can satisfy these: when it is RAM the host maps it, else it answers with a fault.
static void an_instruction_that_cannot_be_emulated_is_a_page_fault(void **state)
{
    static const uint32_t words[] = {
        0x3dc00041, // ldr q1, [x2]
        0xad400041, // ldp q1, q0, [x2]
        0xc85f7c41, // ldxr x1, [x2]
        0xc85ffc41, // ldaxr x1, [x2]
        0xf8200041, // ldadd x0, x1, [x2]
        0xc8a07c41, // cas x0, x1, [x2]
        0xd50b7422, // dc zva, x2
        0xd503201f, // nop
        0x00000000, // udf
        0xffffffff,
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(words); i++) {
        fixture_reset(state);
        assert_int_equal(decoded_abort(f, words[i], DEVICE_VA, DEVICE_PA) == AARCH64_EXIT, true);
        if (f->exit.page_fault.access == AX_MAP_READ) {
            assert_read_fault(f);
        } else {
            assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
            assert_int_equal(f->exit.page_fault.access, AX_MAP_WRITE);
        }
    }
}

static uint64_t in_device_memory(uint64_t va)
{
    (void)va;
    return PAR_DEVICE | 0x40000000;
}

static void code_is_never_read_from_a_device(void **state)
{
    Fixture *f = *state;

    f->vcpu.sys[AARCH64_SCTLR_EL1] = SCTLR_M;
    f->vcpu.regs.x[2] = DEVICE_VA;
    f->code[(GUEST_PC & 0xfff) / 4] = 0xb8404441; // ldr w1, [x2], #4
    arm_sim.translate = in_device_memory;
    f->hal.phys_to_virt = NULL;
    assert_int_equal(data_abort(f, TRANSLATION_L3), AARCH64_EXIT);
    assert_read_fault(f);
}

// Then every address counts as Device memory.
static void code_is_read_while_the_guests_mmu_is_off(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[2] = DEVICE_VA;
    f->code[(GUEST_PC & 0xfff) / 4] = 0xb8404441; // ldr w1, [x2], #4
    arm_sim.translate = in_device_memory;
    assert_int_equal(data_abort(f, TRANSLATION_L3), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
}

static void code_that_went_away_is_a_page_fault(void **state)
{
    Fixture *f = *state;

    f->hal.phys_to_virt = NULL;
    assert_int_equal(data_abort(f, TRANSLATION_L3), AARCH64_EXIT);
    assert_read_fault(f);
}

static void a_misaligned_pc_fetches_nothing(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pc = GUEST_PC + 2;
    f->hal.phys_to_virt = NULL;
    arm_sim.translate = fixture_translate;
    assert_int_equal(data_abort(f, TRANSLATION_L3), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
}

static void aarch32_code_is_not_decoded(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pstate = PSTATE_NRW;
    f->vcpu.regs.x[2] = DEVICE_VA;
    assert_int_equal(decoded_abort(f, 0xb8404441, DEVICE_VA, DEVICE_PA), AARCH64_EXIT);
    assert_read_fault(f);
}

// The code was changed by another vCPU, or the first page of the access is there.
static void an_instruction_that_does_not_explain_the_fault_is_not_emulated(void **state)
{
    static const struct {
        uint32_t word;
        uint64_t base;
        uint64_t va;
        const char *reason;
    } cases[] = {
        {0xb8404441, DEVICE_VA + 4, DEVICE_VA, "post-index load from elsewhere"},
        {0xb8404c41, DEVICE_VA, DEVICE_VA, "pre-index load from elsewhere"},
        {0xa9400841, UINT64_C(0xffff000009000ff8), UINT64_C(0xffff000009001000),
         "pair, the second half faulted"},
        {0xa9400841, UINT64_C(0xffff000009000ff8), UINT64_C(0xffff000009000ff8),
         "pair across two pages"},
        {0xf8408441, UINT64_C(0xffff000009000ffc), UINT64_C(0xffff000009000ffc),
         "register across two pages"},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_reset(state);
        f->vcpu.regs.x[2] = cases[i].base;
        assert_int_equal(decoded_abort(f, cases[i].word, cases[i].va, cases[i].va & 0xfffffff),
                         AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    }
}

static void an_access_may_end_with_its_page(void **state)
{
    static const struct {
        uint32_t word;
        uint64_t va;
    } cases[] = {
        {0xf8408441, UINT64_C(0xffff000009000ff8)}, // ldr x1, [x2], #8
        {0xa9400041, UINT64_C(0xffff000009000ff0)}, // ldp x1, x0, [x2]
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        f->vcpu.regs.x[2] = cases[i].va;
        assert_int_equal(decoded_abort(f, cases[i].word, cases[i].va, 0x9000000), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
        assert_int_equal(f->exit.mmio.addr.value, cases[i].va & 0xfffffff);
    }
}

static void a_load_does_not_explain_a_store(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[2] = DEVICE_VA;
    f->code[(GUEST_PC & 0xfff) / 4] = 0xb8404441; // ldr w1, [x2], #4
    arm_sim.translate = fixture_translate;
    assert_int_equal(data_abort(f, TRANSLATION_L3 | ESR_ELX_ABT_WNR), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.access, AX_MAP_WRITE);
}

static void a_tag_in_the_base_is_no_part_of_the_address(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[2] = (DEVICE_VA & AX_MASK(55, 0)) | UINT64_C(0xa5) << 56;
    assert_int_equal(decoded_abort(f, 0xb8404441, DEVICE_VA, DEVICE_PA), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_MMIO_READ);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &f->exit, 0), AX_OK);
    assert_int_equal(f->vcpu.regs.x[2], ((DEVICE_VA + 4) & AX_MASK(55, 0)) | UINT64_C(0xa5) << 56);
}

static void a_completion_without_an_access_is_an_error(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_MMIO_READ, .mmio = {.width = AX_WIDTH_DWORD}};
    Fixture *f = *state;

    f->vcpu.instruction = 0;
    assert_int_equal(aarch64_complete_read(&f->vcpu, &exit, 1), AX_EBACKEND);
    assert_registers_unchanged(f);
    f->vcpu.split_step = AARCH64_SPLIT_DUE;
    assert_int_equal(aarch64_resume_split(&f->vcpu, &f->exit), AARCH64_RESUME);
    assert_int_equal(f->vcpu.split_step, AARCH64_SPLIT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(every_width_sign_and_register_of_a_load_is_completed),
        TEST(every_width_and_register_of_a_store_is_completed),
        TEST(a_16_bit_instruction_is_stepped_by_two),
        TEST(the_byte_order_is_that_of_the_guest),
        TEST(an_unaligned_access_keeps_its_address),
        TEST(every_status_of_a_data_abort_has_its_treatment),
        TEST(every_status_of_an_instruction_abort_has_its_treatment),
        TEST(a_refused_store_needs_the_right_to_write),
        TEST(a_translation_that_went_away_is_tried_again),
        TEST(a_table_walk_reports_the_page_of_the_table),
        TEST(cache_maintenance_of_nothing_does_nothing),
        TEST(an_access_nobody_answers_is_an_external_abort),
        TEST(a_post_indexed_load_moves_its_base),
        TEST(a_pre_indexed_store_moves_its_base),
        TEST(the_base_may_be_the_stack_pointer_in_use),
        TEST(the_stack_pointer_of_a_bound_vcpu_is_in_the_cpu),
        TEST(a_sign_extending_load_writes_its_register_width),
        TEST(a_load_pair_reads_twice_and_changes_registers_at_once),
        TEST(a_store_pair_writes_twice),
        TEST(both_halves_of_ldpsw_are_sign_extended),
        TEST(a_pair_may_load_into_its_base),
        TEST(a_pair_may_discard_what_it_loads),
        TEST(a_retry_of_the_second_half_starts_the_pair_again),
        TEST(a_fault_in_the_second_half_leaves_the_registers),
        TEST(an_instruction_that_cannot_be_emulated_is_a_page_fault),
        TEST(code_is_never_read_from_a_device),
        TEST(code_is_read_while_the_guests_mmu_is_off),
        TEST(code_that_went_away_is_a_page_fault),
        TEST(a_misaligned_pc_fetches_nothing),
        TEST(aarch32_code_is_not_decoded),
        TEST(an_instruction_that_does_not_explain_the_fault_is_not_emulated),
        TEST(an_access_may_end_with_its_page),
        TEST(a_load_does_not_explain_a_store),
        TEST(a_tag_in_the_base_is_no_part_of_the_address),
        TEST(a_completion_without_an_access_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
