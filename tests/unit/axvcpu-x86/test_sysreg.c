// SPDX-License-Identifier: Apache-2.0
// MSRs that exit: what each of them reads and takes, and who answers for the others.
#include "x86_fixture.h"

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

#define GP (EVENT_VALID | EVENT_HAS_ERROR | UINT64_C(3) << EVENT_TYPE_SHIFT | VECTOR_GP)

// False for #GP. Either way the guest halts next.
static bool wrmsr(uint32_t number, uint64_t value)
{
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RCX] = UINT64_C(0xffffffff00000000) | number; // the upper half does not count
    x86_set_edx_eax(&f.vcpu, value);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0), AX_EXIT_HALT);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + (scripted.event_seen == GP ? 1 : 3));
    return scripted.event_seen != GP;
}

static bool rdmsr(uint32_t number, uint64_t *value)
{
    f.vcpu.regs.rip = ENTRY;
    f.vcpu.regs.gpr[RCX] = number;
    f.vcpu.regs.gpr[RAX] = UINT64_MAX;
    f.vcpu.regs.gpr[RDX] = UINT64_MAX;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 0, 0, 0), AX_EXIT_HALT);
    if (scripted.event_seen == GP) {
        assert_int_equal(f.vcpu.regs.gpr[RAX], UINT64_MAX);
        return false;
    }
    assert_true(f.vcpu.regs.gpr[RAX] <= UINT32_MAX && f.vcpu.regs.gpr[RDX] <= UINT32_MAX);
    *value = x86_edx_eax(&f.vcpu);
    return true;
}

static void what_linux_looks_at_reads_as_nothing_special(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t value;
        bool is_writable;
    } cases[] = {
        {0x17, 0, false},       {0x8b, 0, true},        {0xfe, 0, false},
        {0x179, 0, true},       {0x17a, 0, true},       {0x1a0, 0x1801, true},
        {0x2ff, 0, true},       {0xc0010000, 0, true},  {0xc0010007, 0, true},
        {0xc0010010, 0, false}, {0xc0010015, 0, true},  {0xc0010055, 0, false},
        {0xc001001f, 0, true},  {0xc0010114, 0, false}, {0xc0010140, 0, false},
        {0xc0010141, 0, false}, {0xc0011020, 0, true},  {0xc001102f, 0, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = UINT64_MAX;

        assert_int_equal(wrmsr(cases[i].number, UINT64_MAX), cases[i].is_writable);
        assert_true(rdmsr(cases[i].number, &value)); // whatever was written
        assert_int_equal(value, cases[i].value);
    }
}

static void what_was_written_is_read(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t good;
        uint64_t bad;
    } cases[] = {
        {MSR_APIC_BASE, X86_APIC_PAGE | 0xd00, X86_APIC_PAGE | 0x500}, // x2APIC of the first one
        {MSR_PAT, UINT64_C(0x0007040600070405), UINT64_C(0x0300000000000000)},
        {MSR_EFER, EFER_NXE | EFER_SCE, EFER_SVME},
        {MSR_SYSTEM_TIME, 0, HOLE | 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = UINT64_MAX;

        assert_true(wrmsr(cases[i].number, cases[i].good));
        assert_false(wrmsr(cases[i].number, cases[i].bad));
        assert_true(rdmsr(cases[i].number, &value));
        assert_int_equal(value, cases[i].good);
    }
}

static void the_tsc_and_its_adjustment_move_together(void **state)
{
    uint64_t value;

    (void)state;
    x86_sim.reg[X86_SIM_TSC] = 1000;
    assert_true(wrmsr(MSR_TSC, 5000));
    assert_true(rdmsr(MSR_TSC, &value));
    assert_int_equal(value, 5000);
    assert_true(rdmsr(MSR_TSC_ADJUST, &value));
    assert_int_equal(value, 4000);
    assert_true(wrmsr(MSR_TSC_ADJUST, 100));
    assert_true(rdmsr(MSR_TSC, &value));
    assert_int_equal(value, 1100);
}

static void a_deadline_counts_in_its_mode_only(void **state)
{
    X86Next next;
    uint64_t value;

    (void)state;
    assert_true(wrmsr(MSR_TSC_DEADLINE, 77));
    assert_true(rdmsr(MSR_TSC_DEADLINE, &value));
    assert_int_equal(value, 0);
    assert_true(x86_lapic_write(&f.vcpu, LAPIC_LVT_TIMER, 0x40050, &f.exit, &next));
    assert_true(wrmsr(MSR_TSC_DEADLINE, UINT64_C(1) << 60));
    assert_true(rdmsr(MSR_TSC_DEADLINE, &value));
    assert_int_equal(value, UINT64_C(1) << 60);
}

static void long_mode_cannot_be_left_by_efer(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(wrmsr(MSR_EFER, EFER_LME | EFER_LMA)); // LMA is not the guest's to set
    assert_true(rdmsr(MSR_EFER, &value));
    assert_int_equal(value, EFER_LME);
    x86_write(&f.vcpu, X86_FIELD_CR4, CR4_PAE);
    x86_write(&f.vcpu, X86_FIELD_EFER, EFER_LME | EFER_LMA);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PG | CR0_PE | CR0_ET);
    x86_write(&f.vcpu, X86_FIELD_CR3, HOLE);
    assert_false(wrmsr(MSR_EFER, 0));
    assert_true(wrmsr(MSR_EFER, EFER_LME | EFER_NXE));
    assert_true(rdmsr(MSR_EFER, &value));
    assert_int_equal(value, EFER_LME | EFER_LMA | EFER_NXE);
}

static void registers_of_x2apic_are_there_in_its_mode_only(void **state)
{
    uint64_t value;

    (void)state;
    assert_false(rdmsr(0x802, &value));
    assert_false(wrmsr(0x808, 0));
    assert_true(wrmsr(MSR_APIC_BASE, X86_APIC_PAGE | 0xd00));
    assert_true(rdmsr(0x802, &value));
    assert_int_equal(value, 0);
    assert_true(wrmsr(0x808, 0x50));
    assert_true(rdmsr(0x808, &value));
    assert_int_equal(value, 0x50);
}

static void what_x2apic_reserves_is_a_general_protection_fault(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t value;
    } cases[] = {
        {0x802, 0},           // ID: read-only
        {0x808, 0x100},       // TPR
        {0x80b, 1},           // EOI
        {0x80f, 0x200},       // SVR
        {0x828, 1},           // ESR
        {0x830, X86_BIT(20)}, // ICR
        {0x831, 0},           // of xAPIC only
        {0x832, X86_BIT(19)}, // LVT
        {0x839, 0},           // the current count
        {0x83e, 0x10},        // the divider
        {0x83f, 0x100},       // SELF IPI
        {0x80e, 0},           // DFR
        {0x8ff, 0},
    };
    uint64_t value;

    (void)state;
    assert_true(wrmsr(MSR_APIC_BASE, X86_APIC_PAGE | 0xd00));
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(wrmsr(cases[i].number, cases[i].value));
    }
    assert_false(rdmsr(0x80b, &value)); // EOI, SELF IPI and DFR cannot be read
    assert_false(rdmsr(0x83f, &value));
    assert_false(rdmsr(0x80e, &value));
    assert_false(rdmsr(0x831, &value));
}

static void an_msr_that_is_not_here_is_the_hosts_to_answer(void **state)
{
    (void)state;
    f.vcpu.regs.gpr[RCX] = 0xc0000103;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 0, 0, 0), AX_EXIT_SYSREG_READ);
    assert_int_equal(f.exit.sysreg.addr.value, 0xc0000103);
    assert_int_equal(x86_complete_read(&f.vcpu, &f.exit, UINT64_C(0x1122334455667788)), AX_OK);
    assert_int_equal(f.vcpu.regs.gpr[RAX], 0x55667788);
    assert_int_equal(f.vcpu.regs.gpr[RDX], 0x11223344);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 2);
    assert_int_equal(fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0), AX_EXIT_SYSREG_WRITE);
    assert_int_equal(f.exit.sysreg.value, UINT64_C(0x1122334455667788));
    assert_int_equal(x86_complete_write(&f.vcpu, &f.exit), AX_OK);
    assert_int_equal(f.vcpu.regs.rip, ENTRY + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(what_linux_looks_at_reads_as_nothing_special),
        ON_BOTH(what_was_written_is_read),
        ON_BOTH(the_tsc_and_its_adjustment_move_together),
        ON_BOTH(a_deadline_counts_in_its_mode_only),
        ON_BOTH(long_mode_cannot_be_left_by_efer),
        ON_BOTH(registers_of_x2apic_are_there_in_its_mode_only),
        ON_BOTH(what_x2apic_reserves_is_a_general_protection_fault),
        ON_BOTH(an_msr_that_is_not_here_is_the_hosts_to_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
