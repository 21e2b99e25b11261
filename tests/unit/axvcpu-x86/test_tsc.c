// SPDX-License-Identifier: Apache-2.0
// The time stamp counter: offset, what guests write to it, and its pace.
#include "x86_fixture.h"

#define SVM_LEAF     UINT32_C(0x8000000a)
#define SVM_TSC_RATE X86_BIT(4)
#define HOST_TSC     UINT64_C(10000000000)

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    x86_sim.reg[X86_SIM_TSC] = HOST_TSC;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static uint64_t offset(void)
{
    return fixture_is_vmx ? *fixture_vmcs(&f, VMCS_TSC_OFFSET) : fixture_vmcb(&f)->tsc_offset;
}

static void write_msr(uint32_t number, uint64_t value)
{
    f.vcpu.regs.gpr[RCX] = number;
    x86_set_edx_eax(&f.vcpu, value);
    (void)fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0);
    assert_int_equal(scripted.event_seen, 0);
}

static uint64_t read_msr(uint32_t number)
{
    f.vcpu.regs.gpr[RCX] = number;
    (void)fixture_run_exit(&f, VMEXIT_MSR, 0, 0, 0);
    assert_int_equal(scripted.event_seen, 0);
    return x86_edx_eax(&f.vcpu);
}

static void the_guest_begins_with_the_hosts_counter(void **state)
{
    (void)state;
    assert_int_equal(read_msr(MSR_TSC), HOST_TSC);
    assert_int_equal(read_msr(MSR_TSC_ADJUST), 0);
    assert_int_equal(offset(), 0);
}

static void a_write_to_the_counter_moves_it_and_counts_in_adjust(void **state)
{
    (void)state;
    write_msr(MSR_TSC, 1000);
    assert_int_equal(read_msr(MSR_TSC), 1000);
    assert_int_equal(offset(), 1000 - HOST_TSC);
    assert_int_equal(read_msr(MSR_TSC_ADJUST), 1000 - HOST_TSC);
    x86_sim.reg[X86_SIM_TSC] += 5;
    assert_int_equal(read_msr(MSR_TSC), 1005);
}

static void a_write_to_adjust_moves_the_counter_by_the_difference(void **state)
{
    (void)state;
    write_msr(MSR_TSC_ADJUST, 500);
    assert_int_equal(read_msr(MSR_TSC), HOST_TSC + 500);
    write_msr(MSR_TSC_ADJUST, 300);
    assert_int_equal(read_msr(MSR_TSC), HOST_TSC + 300);
    assert_int_equal(offset(), 300);
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 7, 0).ebx >> 1 & 1, 1);
}

// A deadline is a value of the counter: when that jumps, so does the moment.
static void a_deadline_follows_the_counter(void **state)
{
    X86Next next = X86_RESUME;

    (void)state;
    assert_true(x86_lapic_write(&f.vcpu, 0xf0, 0x1ff, &f.exit, &next));
    assert_true(x86_lapic_write(&f.vcpu, LAPIC_LVT_TIMER, 0x40050, &f.exit, &next));
    write_msr(MSR_TSC_DEADLINE, HOST_TSC + TSC_HZ);
    assert_int_equal(x86_next_deadline(&f.vcpu), f.now + 1000000000);
    write_msr(MSR_TSC_ADJUST, TSC_HZ / 2);
    assert_int_equal(x86_next_deadline(&f.vcpu), f.now + 500000000);
}

// ---- another pace ----

static AxError create_at(X86VCpu *vcpu, uint64_t hz)
{
    const AxArchVCpuEnv env = {
        .hal = &f.hal, .events = &f.events, .stats = &f.stats, .vm_id = 1, .vcpu_id = 1};
    const X86VCpuCreateConfig create = {.tsc_hz = TSC_HZ, .guest_tsc_hz = hz};

    return x86_vcpu_ops.create(vcpu, &env, &create);
}

static void allow_scaling(bool allow)
{
    uint64_t *secondary = &x86_sim.reg[X86_SIM_VMX_SECONDARY_CONTROLS];
    uint32_t *edx = &x86_sim_leaf(SVM_LEAF)->edx;

    if (fixture_is_vmx) {
        *secondary &= ~(SECONDARY_TSC_SCALING << 32);
        *secondary |= allow ? SECONDARY_TSC_SCALING << 32 : 0;
    } else {
        *edx = (*edx & ~(uint32_t)SVM_TSC_RATE) | (allow ? (uint32_t)SVM_TSC_RATE : 0);
    }
}

// What the processor multiplies with, with 32 bits of fraction.
static uint64_t ratio_of(const X86VCpu *vcpu)
{
    return fixture_is_vmx ? *x86_sim_vmcs_field(vcpu->control.value, VMCS_TSC_MULTIPLIER) >> 16
                          : x86_sim.reg[X86_SIM_TSC_RATIO];
}

static void another_pace_needs_hardware(void **state)
{
    const unsigned frames = f.frames_left;
    X86VCpu other;

    (void)state;
    allow_scaling(false);
    assert_int_equal(create_at(&other, TSC_HZ + 1), AX_ENOTSUP);
    allow_scaling(true);
    assert_int_equal(create_at(&other, (fixture_is_vmx ? 65536 : 256) * TSC_HZ), AX_EINVAL);
    assert_int_equal(create_at(&other, UINT64_MAX), AX_EINVAL);
    assert_int_equal(f.frames_left, frames);
    assert_int_equal(create_at(&other, TSC_HZ), AX_OK);
    assert_int_equal(other.tsc_ratio, 0);
    x86_vcpu_ops.destroy(&other);
}

static void a_scaled_counter_runs_at_its_own_pace(void **state)
{
    static const struct {
        uint64_t hz;
        uint64_t ratio;
        uint64_t tsc; // when the host has HOST_TSC
    } cases[] = {
        {TSC_HZ / 2, UINT64_C(0x080000000), HOST_TSC / 2},
        {TSC_HZ * 3, UINT64_C(0x300000000), HOST_TSC * 3},
        {TSC_HZ * 5 / 4, UINT64_C(0x140000000), HOST_TSC / 4 * 5},
        {TSC_HZ / 3, UINT64_C(0x55555555), 3333333330}, // of 2^32 a third less what does not fit
    };

    (void)state;
    allow_scaling(true);
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        X86VCpu other;

        assert_int_equal(create_at(&other, cases[i].hz), AX_OK);
        fixture_setup_vcpu(&f, &other);
        assert_int_equal(x86_vcpu_ops.bind(&other, &f.percpu), AX_OK);
        assert_in_range(ratio_of(&other), cases[i].ratio - 2, cases[i].ratio);
        assert_in_range(x86_guest_tsc(&other), cases[i].tsc - 10, cases[i].tsc);
        assert_int_equal(x86_vcpu_ops.unbind(&other), AX_OK);
        assert_true(fixture_is_vmx || x86_sim.reg[X86_SIM_TSC_RATIO] == UINT64_C(1) << 32);
        x86_vcpu_ops.destroy(&other);
    }
}

static void a_host_without_scaling_never_sees_its_msr(void **state)
{
    (void)state;
    assert_int_equal(x86_vcpu_ops.unbind(&f.vcpu), AX_OK);
    assert_int_equal(x86_sim.writes[X86_SIM_TSC_RATIO], 0);
}

static void a_deadline_counts_the_guests_ticks(void **state)
{
    X86Next next = X86_RESUME;
    X86VCpu other;

    (void)state;
    allow_scaling(true);
    assert_int_equal(create_at(&other, TSC_HZ / 2), AX_OK);
    assert_true(x86_lapic_write(&other, 0xf0, 0x1ff, &f.exit, &next));
    assert_true(x86_lapic_write(&other, LAPIC_LVT_TIMER, 0x40050, &f.exit, &next));
    x86_timer_set_tsc_deadline(&other, HOST_TSC / 2 + TSC_HZ / 2);
    assert_int_equal(x86_next_deadline(&other), f.now + 1000000000);
    x86_vcpu_ops.destroy(&other);
}

// ---- what CPUID tells of it ----

static void cpuid_tells_a_pace_that_is_exact(void **state)
{
    static const struct {
        uint64_t hz;
        uint32_t denominator;
        uint32_t numerator;
    } cases[] = {
        {UINT64_C(1000000000), 1, 1},
        {UINT64_C(2100000000), 10, 21},
        {UINT64_C(50000000), 20, 1},
        {UINT64_C(2100000001), 0, 0}, // would need greater numbers than Linux takes
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        X86CpuidResult r;

        f.vcpu.tsc_hz = cases[i].hz;
        r = x86_guest_cpuid(&f.vcpu, 0x15, 0);
        assert_int_equal(r.eax, cases[i].denominator);
        assert_int_equal(r.ebx, cases[i].numerator);
        assert_int_equal(r.ecx, cases[i].numerator != 0 ? 1000000000 : 0);
        assert_int_equal(x86_guest_cpuid(&f.vcpu, 0x16, 0).eax, cases[i].hz / 1000000);
    }
    assert_int_equal(x86_guest_cpuid(&f.vcpu, 0, 0).eax, 0x16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_guest_begins_with_the_hosts_counter),
        ON_BOTH(a_write_to_the_counter_moves_it_and_counts_in_adjust),
        ON_BOTH(a_write_to_adjust_moves_the_counter_by_the_difference),
        ON_BOTH(a_deadline_follows_the_counter),
        ON_BOTH(another_pace_needs_hardware),
        ON_BOTH(a_scaled_counter_runs_at_its_own_pace),
        ON_SVM(a_host_without_scaling_never_sees_its_msr),
        ON_BOTH(a_deadline_counts_the_guests_ticks),
        ON_BOTH(cpuid_tells_a_pace_that_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
