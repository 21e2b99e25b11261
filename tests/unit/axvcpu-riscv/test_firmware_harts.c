// SPDX-License-Identifier: Apache-2.0
// SBI calls that mean a set of harts: IPI, RFENCE, and their legacy forms.
#include "firmware_fixture.h"

#define TOP    UINT64_MAX
#define BIT(n) (UINT64_C(1) << (n))

typedef enum Who {
    NOBODY, // finished: nothing to do
    SELF,   // finished for the caller alone
    HOST,   // the host decides
    ALL,
    INVALID,
} Who;

// Of hart OWN_HART.
static const struct {
    uint64_t mask;
    uint64_t base;
    Who who;
} sets[] = {
    {0, 0, NOBODY},
    {0, OWN_HART, NOBODY},
    {0, 4711, NOBODY},
    {0, TOP - 1, NOBODY},
    {BIT(OWN_HART), 0, SELF},
    {BIT(1), OWN_HART - 1, SELF},
    {1, OWN_HART, SELF},
    {1, 0, HOST},
    {BIT(OWN_HART) | 1, 0, HOST},
    {BIT(OWN_HART), 1, HOST},
    {TOP, 0, HOST},
    {TOP, OWN_HART, HOST},
    {BIT(63), 0, HOST},
    {1, 4711, HOST},
    {1, BIT(32) + OWN_HART, HOST},
    {TOP, TOP - 63, HOST}, // hart ids up to the last one
    {BIT(63), TOP - 63, HOST},
    {1, OWN_HART - 64, HOST},     // far away
    {BIT(63), TOP - 62, INVALID}, // 2^64: none
    {TOP, TOP - 62, INVALID},
    {BIT(2), TOP - 2, HOST},
    {BIT(3), TOP - 2, INVALID},
    {BIT(1), TOP - 1, HOST},
    {BIT(2), TOP - 1, INVALID},
    {BIT(OWN_HART + 2), TOP - 1, INVALID}, // would be OWN_HART modulo 2^64
    {BIT(OWN_HART + 2) | 1, TOP - 1, INVALID},
    {0, TOP, ALL},
    {1, TOP, ALL},
    {BIT(OWN_HART), TOP, ALL},
    {TOP, TOP, ALL},
};

static bool has_own_ipi(const Fixture *f)
{
    return axvcpu_irq_bit(f->events.pending, RISCV_IRQ_SOFTWARE);
}

// ---- IPI ----

static void assert_ipi_exit(const AxVCpuExit *exit, uint64_t mask, uint64_t base, bool all)
{
    assert_int_equal(exit->ipi.vector, 1);
    assert_int_equal(exit->ipi.to_all, all);
    assert_false(exit->ipi.to_self);
    if (!all) {
        assert_int_equal(exit->ipi.target_list, mask);
        assert_int_equal(exit->ipi.target_cpu, base);
    }
}

static void an_ipi_reaches_whom_the_mask_means(void **state)
{
    for (size_t i = 0; i < COUNT(sets); i++) {
        const Call *call = CALL(EID_IPI, 0, sets[i].mask, sets[i].base, 3, 4);
        const Who who = sets[i].who;
        Fixture *f;

        firmware_reset(state);
        f = *state;
        if (who == HOST || who == ALL) {
            assert_ipi_exit(assert_exit(f, call, AX_EXIT_SEND_IPI), sets[i].mask, sets[i].base,
                            who == ALL);
            complete(f, AX_OK, 99);
            assert_results(f, SUCCESS, 0);
        } else {
            assert_answer(f, call, who == INVALID ? INVALID_PARAM : SUCCESS, 0);
        }
        assert_int_equal(has_own_ipi(f), who == SELF || who == ALL);
    }
}

// ---- RFENCE ----

static void assert_fence(const AxFence *fence, const AxFence *expected)
{
    assert_int_equal(fence->instructions, expected->instructions);
    assert_int_equal(fence->translations, expected->translations);
    assert_int_equal(fence->has_asid, expected->has_asid);
    assert_int_equal(fence->asid, expected->asid);
    assert_int_equal(fence->start.value, expected->start.value);
    assert_int_equal(fence->size, expected->size);
    assert_false(fence->nested);
}

static void assert_fence_exit(const AxVCpuExit *exit, uint64_t mask, uint64_t base, bool all)
{
    assert_int_equal(exit->remote_fence.to_all, all);
    if (!all) {
        assert_int_equal(exit->remote_fence.target_list, mask);
        assert_int_equal(exit->remote_fence.target_cpu, base);
    }
}

static const AxFence fences[] = {
    {.instructions = true},
    {.translations = true, .start = {0x4000}, .size = 0x3000},
    {.translations = true, .start = {0x4000}, .size = 0x3000, .has_asid = true, .asid = 17},
};

static void check_fence(Fixture *f, const Call *call, Who who, const AxFence *expected)
{
    AxFence own;

    if (who == HOST || who == ALL) {
        const AxVCpuExit *exit = assert_exit(f, call, AX_EXIT_REMOTE_FENCE);

        assert_fence_exit(exit, call->args[0], call->args[1], who == ALL);
        assert_fence(&exit->remote_fence.fence, expected);
        complete(f, AX_OK, 99);
        assert_results(f, SUCCESS, 0);
    } else {
        assert_answer(f, call, who == INVALID ? INVALID_PARAM : SUCCESS, 0);
    }
    assert_int_equal(axvcpu_events_take_fence(&f->events, &own), who == SELF);
    if (who == SELF) {
        assert_true((axvcpu_events_take_summary(&f->events) & AX_EVENT_FENCE) != 0);
        assert_fence(&own, expected);
    }
}

static void a_fence_reaches_whom_the_mask_means(void **state)
{
    for (uint64_t fid = 0; fid < COUNT(fences); fid++) {
        for (size_t i = 0; i < COUNT(sets); i++) {
            firmware_reset(state);
            check_fence(*state,
                        CALL(EID_RFENCE, fid, sets[i].mask, sets[i].base, 0x4000, 0x3000, 17),
                        sets[i].who, &fences[fid]);
        }
    }
}

// What a range of virtual addresses becomes. Invalid ones leave the address space.
static const struct {
    uint64_t start;
    uint64_t size;
    bool valid;
    bool everything;
} ranges[] = {
    {0, 0, true, true},
    {0, TOP, true, true},
    {0x1000, TOP, true, true},
    {TOP, TOP, true, true},
    {0x1000, 0, true, true}, // more than is asked for
    {TOP, 0, true, true},
    {0, 1, true, false},
    {0x1234, 0x5678, true, false},
    {0, TOP - 1, true, false},
    {1, TOP - 1, true, false},
    {2, TOP - 1, true, false}, // up to the last byte
    {3, TOP - 1, false, false},
    {TOP, 1, true, false}, // the last byte
    {TOP, 2, false, false},
    {0xfffffffffffff000, 0x1000, true, false},
    {0xfffffffffffff000, 0x1001, false, false},
    {0xffffffff80000000, 0x80000000, true, false},
    {0xffffffff80000000, 0x80000001, false, false},
    {BIT(63), BIT(63), true, false},
    {BIT(63), BIT(63) + 1, false, false},
};

static void ranges_outside_of_the_address_space_are_refused(void **state)
{
    for (size_t i = 0; i < COUNT(ranges); i++) {
        for (uint64_t fid = 1; fid <= 2; fid++) {
            const Call *call = CALL(EID_RFENCE, fid, 1, 0, ranges[i].start, ranges[i].size, 9);
            const bool exact = !ranges[i].everything;
            Fixture *f;

            firmware_reset(state);
            f = *state;
            if (!ranges[i].valid) {
                assert_answer(f, call, INVALID_ADDRESS, 0);
                continue;
            }
            assert_fence(&assert_exit(f, call, AX_EXIT_REMOTE_FENCE)->remote_fence.fence,
                         &(AxFence){.translations = true,
                                    .has_asid = fid == 2,
                                    .asid = fid == 2 ? 9 : 0,
                                    .start = ax_gva(exact ? ranges[i].start : 0),
                                    .size = exact ? ranges[i].size : 0});
        }
    }
}

static void an_address_space_id_has_16_bits(void **state)
{
    static const uint64_t bad[] = {0x10000, 0x10001, BIT(32), BIT(63), TOP};
    static const uint64_t good[] = {0, 1, 0xffff};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_answer(f, CALL(EID_RFENCE, 2, 1, 0, 0, 0, bad[i]), INVALID_PARAM, 0);
        // The function without one does not look at it.
        (void)assert_exit(f, CALL(EID_RFENCE, 1, 1, 0, 0, 0, bad[i]), AX_EXIT_REMOTE_FENCE);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        const Call *call = CALL(EID_RFENCE, 2, 1, 0, 0, 0, good[i]);

        assert_int_equal(assert_exit(f, call, AX_EXIT_REMOTE_FENCE)->remote_fence.fence.asid,
                         good[i]);
    }
}

// A refused call has no effect on the caller either.
static void a_refused_fence_is_not_carried_out(void **state)
{
    Fixture *f = *state;
    AxFence fence;

    assert_answer(f, CALL(EID_RFENCE, 1, BIT(OWN_HART), 0, TOP, 2), INVALID_ADDRESS, 0);
    assert_answer(f, CALL(EID_RFENCE, 2, BIT(OWN_HART), 0, 0, 0, TOP), INVALID_PARAM, 0);
    assert_false(axvcpu_events_take_fence(&f->events, &fence));
    assert_int_equal(axvcpu_events_take_summary(&f->events), 0);
}

// ---- legacy: the mask is in memory ----

#define VECTOR UINT64_C(0xffffffff80345678)

static uint64_t vector_value;
static RISCVTrap vector_trap; // what the CSRs tell after a read that failed

static bool read_vector(uint64_t va, uint64_t *out)
{
    if (va != VECTOR) {
        return false;
    }
    *out = vector_value;
    return true;
}

static uint64_t trap_csr(RvReg reg, uint64_t stored)
{
    switch (reg) {
    case RV_REG_SCAUSE: return vector_trap.cause;
    case RV_REG_STVAL: return vector_trap.tval;
    case RV_REG_HTVAL: return vector_trap.htval;
    case RV_REG_HTINST: return vector_trap.htinst;
    default: return stored;
    }
}

static int legacy_reset(void **state)
{
    firmware_reset(state);
    rv_sim.hlv_d = read_vector;
    return 0;
}

// Legacy sets have no base: hart ids 0 to 63.
static const struct {
    uint64_t vector; // address
    uint64_t mask;
    Who who;
} legacy_sets[] = {
    {0, 0x77, ALL}, // nothing is read
    {VECTOR, 0, NOBODY},     {VECTOR, BIT(OWN_HART), SELF},
    {VECTOR, 1, HOST},       {VECTOR, BIT(OWN_HART) | 2, HOST},
    {VECTOR, BIT(63), HOST}, {VECTOR, TOP, HOST},
};

static void a_legacy_ipi_reaches_whom_the_vector_means(void **state)
{
    for (size_t i = 0; i < COUNT(legacy_sets); i++) {
        const Call *call = CALL(EID_SEND_IPI, 77, legacy_sets[i].vector, 0x1111);
        const Who who = legacy_sets[i].who;
        Fixture *f;

        legacy_reset(state);
        f = *state;
        vector_value = legacy_sets[i].mask;
        if (who == HOST || who == ALL) {
            assert_ipi_exit(assert_exit(f, call, AX_EXIT_SEND_IPI), legacy_sets[i].mask, 0,
                            who == ALL);
            complete(f, AX_OK, 99);
        } else {
            assert_answer(f, call, SUCCESS, 0);
        }
        assert_results(f, SUCCESS, 0x1111);
        assert_int_equal(has_own_ipi(f), who == SELF || who == ALL);
        assert_int_equal(rv_sim.ops[RV_SIM_HLV], legacy_sets[i].vector != 0 ? 1 : 0);
    }
}

static void check_legacy_fence(Fixture *f, const Call *call, size_t set, const AxFence *expected)
{
    const Who who = legacy_sets[set].who;
    AxFence own;

    if (who == HOST || who == ALL) {
        const AxVCpuExit *exit = assert_exit(f, call, AX_EXIT_REMOTE_FENCE);

        assert_fence_exit(exit, legacy_sets[set].mask, 0, who == ALL);
        assert_fence(&exit->remote_fence.fence, expected);
        complete(f, AX_OK, 99);
    } else {
        assert_answer(f, call, SUCCESS, 0);
    }
    assert_results(f, SUCCESS, call->args[1]);
    assert_int_equal(axvcpu_events_take_fence(&f->events, &own), who == SELF);
    if (who == SELF) {
        assert_fence(&own, expected);
    }
}

static void a_legacy_fence_reaches_whom_the_vector_means(void **state)
{
    for (uint64_t eid = EID_FENCE_I; eid <= EID_SFENCE_AS; eid++) {
        for (size_t i = 0; i < COUNT(legacy_sets); i++) {
            const Call *call = CALL(eid, 99, legacy_sets[i].vector, 0x4000, 0x3000, 17);

            legacy_reset(state);
            vector_value = legacy_sets[i].mask;
            check_legacy_fence(*state, call, i, &fences[eid - EID_FENCE_I]);
        }
    }
}

static void legacy_calls_check_their_range_and_address_space(void **state)
{
    Fixture *f = *state;

    vector_value = 1;
    assert_answer(f, CALL(EID_SFENCE, 0, VECTOR, TOP, 2, 0), INVALID_ADDRESS, 0);
    assert_answer(f, CALL(EID_SFENCE_AS, 0, VECTOR, TOP, 2, 0), INVALID_ADDRESS, 0);
    assert_answer(f, CALL(EID_SFENCE_AS, 0, VECTOR, 0, 0, 0x10000), INVALID_PARAM, 0);
    (void)assert_exit(f, CALL(EID_SFENCE, 0, VECTOR, 0, 0, 0x10000), AX_EXIT_REMOTE_FENCE);
}

static void a_legacy_call_that_the_host_refuses_tells_so_in_a0(void **state)
{
    Fixture *f = *state;

    vector_value = 1;
    for (uint64_t eid = EID_SEND_IPI; eid <= EID_SFENCE_AS; eid++) {
        assert_int_equal(checked_call(f, CALL(eid, 0, VECTOR, 0, 0, 0)), RISCV_EXIT);
        complete(f, AX_EINVAL, 1);
        assert_results(f, INVALID_PARAM, 0);
    }
}

static const uint64_t vector_faults[] = {CAUSE_LOAD_MISALIGNED, CAUSE_LOAD_ACCESS, CAUSE_LOAD_PAGE};

// With the PC on the ECALL, and no register changed.
static void a_vector_that_faults_is_the_fault_of_the_guest(void **state)
{
    for (uint64_t eid = EID_SEND_IPI; eid <= EID_SFENCE_AS; eid++) {
        for (size_t i = 0; i < COUNT(vector_faults); i++) {
            const Call *call = CALL(eid, 5, 0xdead0, 1, 2, 3);
            RISCVGuestRegs before;
            Fixture *f;

            legacy_reset(state);
            f = *state;
            vector_trap = (RISCVTrap){.cause = vector_faults[i], .tval = 0xdead0, .htval = 0x99};
            rv_sim.read_hook = trap_csr;
            before = f->vcpu.regs;
            assert_int_equal(make_call(f, call), RISCV_RESUME);
            assert_trapped(f, vector_faults[i], 0xdead0);
            before.x[A7] = eid;
            before.x[A6] = 5;
            memcpy(&before.x[A0], call->args, sizeof(call->args));
            assert_memory_equal(f->vcpu.regs.x, before.x, sizeof(before.x));
            assert_false(has_own_ipi(f));
        }
    }
}

static void a_vector_in_memory_that_is_not_mapped_is_the_hosts(void **state)
{
    for (uint64_t eid = EID_SEND_IPI; eid <= EID_SFENCE_AS; eid++) {
        Fixture *f;

        legacy_reset(state);
        f = *state;
        f->code = 0x00000073; // ECALL
        rv_sim.hlvx_hu = fixture_fetch;
        vector_trap = (RISCVTrap){
            .cause = CAUSE_LOAD_GUEST_PAGE, .tval = 0xdead6, .htval = 0x80234560 >> 2};
        rv_sim.read_hook = trap_csr;
        assert_int_equal(make_call(f, CALL(eid, 0, 0xdead6, 0, 0, 0)), RISCV_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
        assert_int_equal(f->exit.page_fault.addr.value, 0x80234562);
        assert_int_equal(f->exit.page_fault.access, AX_MAP_READ);
        assert_false(f->exit.page_fault.page_table_walk);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC); // once more after it was mapped
        assert_int_equal(f->vcpu.regs.x[A0], 0xdead6);
        assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
        assert_trapped(f, CAUSE_LOAD_ACCESS, 0xdead6);
    }
}

// Of the guest's own tables, which translate the vector.
static void a_table_that_is_not_mapped_is_the_hosts(void **state)
{
    Fixture *f = *state;

    vector_trap = (RISCVTrap){.cause = CAUSE_LOAD_GUEST_PAGE,
                              .tval = 0xdead6,
                              .htval = 0x80400ff8 >> 2,
                              .htinst = HTINST_PSEUDO_READ};
    rv_sim.read_hook = trap_csr;
    assert_int_equal(make_call(f, CALL(EID_SEND_IPI, 0, 0xdead6)), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.addr.value, 0x80400ff8);
    assert_true(f->exit.page_fault.page_table_walk);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

static void clear_ipi_clears_and_tells_what_was_pending(void **state)
{
    Fixture *f = *state;

    assert_answer(f, CALL(EID_CLEAR_IPI, 0, 7, 8), 0, 0);
    rv_sim.reg[RV_REG_HVIP] = HIP_VS;
    assert_answer(f, CALL(EID_CLEAR_IPI, 0, 7, 8), 1, 0);
    assert_int_equal(rv_sim.reg[RV_REG_HVIP], HIP_VSTIP | HIP_VSEIP);
    assert_answer(f, CALL(EID_CLEAR_IPI, 0, 7, 8), 0, 0);
}

#define TEST(name)        cmocka_unit_test_setup(name, firmware_reset)
#define LEGACY_TEST(name) cmocka_unit_test_setup(name, legacy_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ipi_reaches_whom_the_mask_means),
        TEST(a_fence_reaches_whom_the_mask_means),
        TEST(ranges_outside_of_the_address_space_are_refused),
        TEST(an_address_space_id_has_16_bits),
        TEST(a_refused_fence_is_not_carried_out),
        LEGACY_TEST(a_legacy_ipi_reaches_whom_the_vector_means),
        LEGACY_TEST(a_legacy_fence_reaches_whom_the_vector_means),
        LEGACY_TEST(legacy_calls_check_their_range_and_address_space),
        LEGACY_TEST(a_legacy_call_that_the_host_refuses_tells_so_in_a0),
        LEGACY_TEST(a_vector_that_faults_is_the_fault_of_the_guest),
        LEGACY_TEST(a_vector_in_memory_that_is_not_mapped_is_the_hosts),
        LEGACY_TEST(a_table_that_is_not_mapped_is_the_hosts),
        TEST(clear_ipi_clears_and_tells_what_was_pending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
