// SPDX-License-Identifier: Apache-2.0
// What moves at bind and unbind: nothing of a guest is left for the host or for another guest, and
// nothing of the host acts in a guest.
#include "x86_fixture.h"

#define HOST_DR7 UINT64_C(0x7ff)

static X86Fixture f;
static X86VCpu other;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    fixture_create_vcpu(&f, &other, 1);
    fixture_setup_vcpu(&f, &other);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    x86_sim.reg[X86_SIM_XCR0] = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    x86_sim.reg[X86_SIM_DR7] = HOST_DR7;
    x86_sim.reg[X86_SIM_DR6] = DR6_RESET | 1;
    for (unsigned i = 0; i < 4; i++) {
        x86_sim.reg[X86_SIM_DR0 + i] = 0x1000 + i;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    x86_vcpu_ops.destroy(&other);
    fixture_stop(&f);
    return 0;
}

static void bind(X86VCpu *vcpu)
{
    assert_int_equal(x86_vcpu_ops.bind(vcpu, &f.percpu), AX_OK);
}

static void unbind(X86VCpu *vcpu)
{
    assert_int_equal(x86_vcpu_ops.unbind(vcpu), AX_OK);
}

// ---- the host ----

static void unbind_puts_every_register_of_the_host_back(void **state)
{
    uint64_t before[X86_SIM_REG_COUNT];

    (void)state;
    memcpy(before, x86_sim.reg, sizeof(before));
    bind(&f.vcpu);
    (void)fixture_run_halt(&f);
    // As a guest may leave them.
    x86_sim.reg[X86_SIM_XCR0] = XCR0_X87;
    x86_sim.reg[X86_SIM_DR6] = DR6_RESET | 4;
    for (unsigned i = 0; i < 4; i++) {
        x86_sim.reg[X86_SIM_DR0 + i] = 0xdead;
    }
    unbind(&f.vcpu);
    for (unsigned i = 0; i < X86_SIM_REG_COUNT; i++) {
        if (i != X86_SIM_CR2) { // nobody's between two page faults
            assert_int_equal(x86_sim.reg[i], before[i]);
        }
    }
}

static void no_breakpoint_of_the_host_acts_on_a_guests_addresses(void **state)
{
    (void)state;
    bind(&f.vcpu);
    assert_int_equal(x86_sim.reg[X86_SIM_DR7], DR7_FIXED);
    assert_int_equal(x86_sim.reg[X86_SIM_DR0], 0);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR7), DR7_RESET);
    unbind(&f.vcpu);
    assert_int_equal(x86_sim.reg[X86_SIM_DR7], HOST_DR7);
}

// ---- guests among each other ----

typedef struct Own {
    AxRegId reg;
    uint64_t value[2];
} Own;

// Of the two guests, in the processor while they are bound or in their control block.
static const Own owned[] = {
    {X86_REG_DR(0), {0x1111, 0x2222}},
    {X86_REG_DR(3), {0x3333, 0x4444}},
    {X86_REG_FIELD(X86_FIELD_DR6), {DR6_RESET | 1, DR6_RESET | 2}},
    {X86_REG_FIELD(X86_FIELD_DR7), {DR7_RESET | 1, DR7_RESET | 4}},
    {X86_REG_FIELD(X86_FIELD_CR2), {0x5555, 0x6666}},
    {X86_REG_FIELD(X86_FIELD_PAT), {PAT_RESET, UINT64_C(0x0006060606060606)}},
    {X86_REG_FIELD(X86_FIELD_STAR), {0x7777, 0x8888}},
    {X86_REG_FIELD(X86_FIELD_LSTAR), {0x9999, 0xaaaa}},
    {X86_REG_FIELD(X86_FIELD_CSTAR), {0xbbbb, 0xcccc}},
    {X86_REG_FIELD(X86_FIELD_SFMASK), {0x200, 0x400}},
    {X86_REG_FIELD(X86_FIELD_KERNEL_GS_BASE), {0x10000, 0x20000}},
    {X86_REG_FIELD(X86_FIELD_SYSENTER_ESP), {0x30000, 0x40000}},
    {X86_REG_FIELD(X86_FIELD_GS_BASE), {0x50000, 0x60000}},
    {X86_REG_XCR0, {XCR0_X87, XCR0_X87 | XCR0_SSE}},
    {X86_REG_FP(64), {XCR0_X87 | XCR0_SSE | XCR0_AVX, XCR0_SSE}}, // XSTATE_BV
    {X86_REG_FP(20), {0x123, 0x456}},                             // XMM0
    {X86_REG_FP(51), {0x789, 0xabc}},                             // XMM15
    {X86_REG_FP(72), {0xdef, 0x135}},                             // upper half of YMM0
    {X86_REG_TSC_OFFSET, {0x1000, 0x2000}},
    {X86_REG_TSC_ADJUST, {0x3000, 0x4000}},
};

static void expect_own(const X86VCpu *vcpu, unsigned guest)
{
    for (size_t i = 0; i < COUNT(owned); i++) {
        uint64_t value;

        assert_int_equal(x86_get_reg(vcpu, owned[i].reg, &value), AX_OK);
        assert_int_equal(value, owned[i].value[guest]);
    }
}

static void guests_keep_their_own_registers_through_each_other(void **state)
{
    X86VCpu *const guests[] = {&f.vcpu, &other};

    (void)state;
    for (unsigned guest = 0; guest < 2; guest++) {
        for (size_t i = 0; i < COUNT(owned); i++) {
            assert_int_equal(x86_set_reg(guests[guest], owned[i].reg, owned[i].value[guest]),
                             AX_OK);
        }
    }
    for (unsigned turn = 0; turn < 6; turn++) {
        X86VCpu *guest = guests[turn % 2];

        expect_own(guest, turn % 2);
        bind(guest);
        expect_own(guest, turn % 2);
        unbind(guest);
        expect_own(guest, turn % 2);
    }
}

// Bound, the values go to the processor at once.
static void registers_that_are_set_while_bound_are_the_guests_alone(void **state)
{
    (void)state;
    bind(&f.vcpu);
    for (size_t i = 0; i < COUNT(owned); i++) {
        assert_int_equal(x86_set_reg(&f.vcpu, owned[i].reg, owned[i].value[0]), AX_OK);
    }
    expect_own(&f.vcpu, 0);
    assert_int_equal(x86_sim.reg[X86_SIM_DR0], 0x1111);
    unbind(&f.vcpu);
    assert_int_equal(x86_sim.reg[X86_SIM_DR0], 0x1000);
    bind(&other);
    for (size_t i = 0; i < COUNT(owned); i++) {
        uint64_t value;

        assert_int_equal(x86_get_reg(&other, owned[i].reg, &value), AX_OK);
        assert_true(value != owned[i].value[0] || owned[i].reg == X86_REG_XCR0 ||
                    owned[i].reg == X86_REG_FIELD(X86_FIELD_PAT));
    }
    unbind(&other);
    expect_own(&f.vcpu, 0);
}

static void a_vcpu_that_is_reset_has_nothing_of_before(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(owned); i++) {
        assert_int_equal(x86_set_reg(&f.vcpu, owned[i].reg, owned[i].value[1]), AX_OK);
    }
    f.vcpu.activity = X86_HALTED;
    f.vcpu.due = X86_DUE_MMIO;
    x86_lapic_raise(&f.vcpu, 0x45);
    x86_lapic_acknowledged(&f.vcpu, 0x30);
    assert_int_equal(x86_vcpu_ops.reset(&f.vcpu), AX_OK);
    for (size_t i = 0; i < X86_REG_ID_COUNT; i++) {
        const AxRegId reg = x86_reg_ids[i];
        const bool is_base = reg == X86_REG_APIC_BASE; // and the LVT of the first processor
        uint64_t value;
        uint64_t expected;

        if (is_base || reg == X86_REG_APIC(X86_APIC_LVT + 3)) {
            continue;
        }
        // `other` has never run.
        assert_int_equal(x86_vcpu_ops.reset(&other), AX_OK);
        assert_int_equal(x86_get_reg(&f.vcpu, reg, &value), AX_OK);
        assert_int_equal(x86_get_reg(&other, reg, &expected), AX_OK);
        assert_int_equal(value, expected);
    }
    assert_int_equal(f.vcpu.due, X86_DUE_NONE);
    assert_false(f.vcpu.event.valid);
    fixture_setup_vcpu(&f, &f.vcpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(unbind_puts_every_register_of_the_host_back),
        ON_BOTH(no_breakpoint_of_the_host_acts_on_a_guests_addresses),
        ON_BOTH(guests_keep_their_own_registers_through_each_other),
        ON_BOTH(registers_that_are_set_while_bound_are_the_guests_alone),
        ON_BOTH(a_vcpu_that_is_reset_has_nothing_of_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
