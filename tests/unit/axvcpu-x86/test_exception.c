// SPDX-License-Identifier: Apache-2.0
/* Events on their way into the guest: faults and traps, what is delivered again, debug exceptions. */
#include "x86_fixture.h"

#define TYPE(type)       ((uint64_t)(type) << EVENT_TYPE_SHIFT)
#define INTERRUPT(n)     (EVENT_VALID | TYPE(X86_EVENT_INTERRUPT) | (n))
#define EXCEPTION(n)     (EVENT_VALID | TYPE(X86_EVENT_EXCEPTION) | (n))
#define SOFTWARE(n)      (EVENT_VALID | TYPE(X86_EVENT_SOFTWARE) | (n))
#define NMI              (EVENT_VALID | TYPE(X86_EVENT_NMI) | 2)
#define WITH_ERROR(e, c) ((e) | EVENT_HAS_ERROR | (uint64_t)(c) << EVENT_ERROR_SHIFT)
#define STEP             EXCEPTION(VECTOR_DB)

static X86Fixture f;

static int start(void **state)
{
    fixture_choose(state);
    fixture_start_bound(&f);
    f.irq = AX_IRQ_NONE;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_PE | CR0_ET);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

// ---- delivered again ----

static void a_delivery_that_ended_in_an_exit_is_repeated(void **state)
{
    static const struct {
        uint64_t before;
        uint64_t again;
    } cases[] = {
        {INTERRUPT(0x45), INTERRUPT(0x45)},
        {NMI, NMI},
        {EXCEPTION(VECTOR_DE), EXCEPTION(VECTOR_DE)},
        {EXCEPTION(VECTOR_DB), EXCEPTION(VECTOR_DB)},
        {WITH_ERROR(EXCEPTION(VECTOR_GP), 0x18), WITH_ERROR(EXCEPTION(VECTOR_GP), 0x18)},
        {WITH_ERROR(EXCEPTION(VECTOR_PF), 7), WITH_ERROR(EXCEPTION(VECTOR_PF), 7)},
        {WITH_ERROR(EXCEPTION(VECTOR_DF), 0), WITH_ERROR(EXCEPTION(VECTOR_DF), 0)},
        // RIP still stands on INT n, INT3 and INTO: they are executed again.
        {SOFTWARE(0x80), 0},
        {EXCEPTION(VECTOR_BP), 0},
        {EXCEPTION(VECTOR_OF), 0},
        {0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.regs.rflags = RFLAGS_FIXED | RFLAGS_IF;
        (void)fixture_run_exit(&f, VMEXIT_INTR, 0, 0, cases[i].before);
        assert_int_equal(scripted.event_seen, cases[i].again);
    }
}

static void an_exception_is_not_repeated_where_it_makes_a_double_fault(void **state)
{
    (void)state;
    // VMRUN in the guest is #UD, during the delivery of what came before.
    (void)fixture_run_exit(&f, VMEXIT_VMRUN, 0, 0, WITH_ERROR(EXCEPTION(VECTOR_GP), 0x18));
    assert_int_equal(scripted.event_seen, EXCEPTION(VECTOR_UD));
    (void)fixture_run_exit(&f, VMEXIT_EXCEPTION + VECTOR_AC, 0, 0, EXCEPTION(VECTOR_DE));
    assert_int_equal(scripted.event_seen, WITH_ERROR(EXCEPTION(VECTOR_AC), 0));
}

// SDM volume 3, table 6-5, every pair.
static void every_pair_of_exceptions_ends_as_in_the_table(void **state)
{
    static const uint8_t vectors[] = {VECTOR_DE, VECTOR_DB, VECTOR_UD, VECTOR_TS, VECTOR_NP,
                                      VECTOR_SS, VECTOR_GP, VECTOR_PF, VECTOR_AC};
    static const uint32_t contributory = 1u << VECTOR_DE | 1u << VECTOR_TS | 1u << VECTOR_NP |
                                         1u << VECTOR_SS | 1u << VECTOR_GP;

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        for (size_t j = 0; j < COUNT(vectors); j++) {
            const bool first = (contributory >> vectors[i] & 1) != 0;
            const bool second = (contributory >> vectors[j] & 1) != 0;
            const bool fault = vectors[i] == VECTOR_PF;
            const bool is_double = (first && second) ||
                                   (fault && (second || vectors[j] == VECTOR_PF));

            f.vcpu.event = (X86Event){
                .valid = true, .vector = vectors[i], .type = X86_EVENT_EXCEPTION};
            x86_inject(&f.vcpu, vectors[j], false, 0);
            assert_int_equal(f.vcpu.event.vector, is_double ? VECTOR_DF : vectors[j]);
            assert_int_equal(f.vcpu.event.has_error_code, is_double);
        }
    }
}

// ---- flags ----

static void faults_are_pushed_with_rf_and_traps_without(void **state)
{
    static const struct {
        uint8_t vector;
        bool rf;
    } cases[] = {
        {VECTOR_DE, true}, {VECTOR_DB, false}, {VECTOR_BP, false}, {VECTOR_OF, false},
        {VECTOR_UD, true}, {VECTOR_DF, false}, {VECTOR_NP, true},  {VECTOR_SS, true},
        {VECTOR_GP, true}, {VECTOR_PF, true},  {VECTOR_AC, true},  {VECTOR_MC, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.event.valid = false;
        f.vcpu.regs.rflags = RFLAGS_FIXED;
        x86_inject(&f.vcpu, cases[i].vector, false, 0);
        assert_int_equal(f.vcpu.regs.rflags & RFLAGS_RF, cases[i].rf ? RFLAGS_RF : 0);
    }
}

static void what_is_finished_clears_rf_and_ends_the_shadow(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_RF;
    f.vcpu.shadow = true;
    x86_advance(&f.vcpu, 2);
    assert_int_equal(f.vcpu.regs.rflags, RFLAGS_FIXED);
    assert_false(f.vcpu.shadow);
    assert_false(f.vcpu.event.valid);
}

static void a_debug_exception_clears_dr7_gd(void **state)
{
    (void)state;
    x86_write(&f.vcpu, X86_FIELD_DR7, DR7_RESET | DR7_GD | 3);
    (void)fixture_run_exit(&f, VMEXIT_EXCEPTION + VECTOR_DB, 0, 0, 0);
    assert_int_equal(scripted.event_seen, EXCEPTION(VECTOR_DB));
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR7), DR7_RESET | 3);
}

static void real_mode_pushes_no_error_code(void **state)
{
    (void)state;
    x86_write(&f.vcpu, X86_FIELD_CR0, CR0_ET);
    x86_inject_gp(&f.vcpu);
    assert_false(f.vcpu.event.has_error_code);
    x86_inject(&f.vcpu, VECTOR_PF, true, 2);
    assert_int_equal(f.vcpu.event.vector, VECTOR_PF);
    assert_false(f.vcpu.event.has_error_code);
}

// ---- single steps ----

static void expect_step(void)
{
    assert_true(f.vcpu.event.valid);
    assert_int_equal(f.vcpu.event.vector, VECTOR_DB);
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR6) & DR6_BS, DR6_BS);
    f.vcpu.event.valid = false;
    x86_write(&f.vcpu, X86_FIELD_DR6, DR6_RESET);
}

// CPUID, RDMSR, WBINVD: the step is delivered before the next instruction.
static void instructions_that_are_finished_inside_step(void **state)
{
    static const uint64_t codes[] = {VMEXIT_CPUID, VMEXIT_MSR, VMEXIT_INVD};

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        f.vcpu.regs.rflags = RFLAGS_FIXED | RFLAGS_TF;
        f.vcpu.regs.gpr[RCX] = MSR_PAT;
        (void)fixture_run_exit(&f, codes[i], 0, 0, 0);
        assert_int_equal(scripted.event_seen, STEP);
        expect_step(); // and that of the HLT behind it
    }
}

static void a_port_access_steps_when_it_is_answered(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_TF;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_IOIO, 0x80 << 16 | 1 << 4, f.vcpu.regs.rip + 2, 0),
                     AX_EXIT_IO_WRITE);
    assert_false(f.vcpu.event.valid);
    assert_int_equal(x86_vcpu_ops.complete_write(&f.vcpu, &f.exit), AX_OK);
    expect_step();
}

// mov [ebx], eax
static void an_mmio_access_steps_when_it_is_answered(void **state)
{
    static const uint8_t code[] = {0x66, 0x67, 0x89, 0x03};

    (void)state;
    memcpy(f.code, code, sizeof(code));
    f.vcpu.regs.rflags |= RFLAGS_TF;
    f.vcpu.regs.gpr[RBX] = HOLE;
    assert_int_equal(fixture_run_exit(&f, VMEXIT_NPF, PF_WRITE, HOLE, 0), AX_EXIT_MMIO_WRITE);
    assert_int_equal(x86_vcpu_ops.complete_write(&f.vcpu, &f.exit), AX_OK);
    expect_step();
}

// rep outsb: after each element, where an interrupt could come, too.
static void a_repeated_instruction_steps_after_each_element(void **state)
{
    static const uint8_t code[] = {0xf3, 0x6e};

    (void)state;
    memcpy(f.code, code, sizeof(code));
    f.vcpu.regs.rflags |= RFLAGS_TF;
    f.vcpu.regs.gpr[RCX] = 2;
    f.vcpu.regs.gpr[RSI] = CODE_PAGE;
    for (unsigned left = 2; left-- > 0;) {
        assert_int_equal(
            fixture_run_exit(&f, VMEXIT_IOIO, 0x80 << 16 | 1 << 4 | 0xc, f.vcpu.regs.rip + 2, 0),
            AX_EXIT_IO_WRITE);
        assert_int_equal(x86_vcpu_ops.complete_write(&f.vcpu, &f.exit), AX_OK);
        expect_step();
        assert_int_equal(f.vcpu.regs.gpr[RCX], left);
        assert_int_equal(f.vcpu.regs.rip, left == 0 ? ENTRY + 2 : ENTRY);
    }
}

static void a_refused_instruction_does_not_step(void **state)
{
    (void)state;
    f.vcpu.regs.rflags |= RFLAGS_TF;
    f.vcpu.regs.gpr[RCX] = MSR_PAT;
    f.vcpu.regs.gpr[RAX] = 2; // a type that is none
    (void)fixture_run_exit(&f, VMEXIT_MSR, 1, 0, 0);
    assert_int_equal(scripted.event_seen & ~EVENT_HAS_ERROR, EXCEPTION(VECTOR_GP));
    assert_int_equal(x86_read(&f.vcpu, X86_FIELD_DR6) & DR6_BS, DR6_BS); // of the HLT
}

// ---- RIP ----

static void rip_wraps_as_wide_as_the_code_is(void **state)
{
    static const struct {
        uint64_t from;
        uint64_t efer;
        uint64_t cs;
        uint64_t to;
    } cases[] = {
        {0x1000, 0, 0x9b, 0x1002},
        {UINT32_MAX, 0, 0x49b, 1},
        {UINT32_MAX, EFER_LMA, 0x49b, 1}, // compatibility mode
        {UINT32_MAX, EFER_LMA, 0x29b, UINT64_C(0x100000001)},
        {UINT64_MAX, EFER_LMA, 0x29b, 1},
        {UINT64_C(0xffffffff80000000), EFER_LMA, 0x29b, UINT64_C(0xffffffff80000002)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        f.vcpu.regs.rip = cases[i].from;
        x86_write(&f.vcpu, X86_FIELD_EFER, cases[i].efer);
        x86_write(&f.vcpu, X86_FIELD_CS_ATTRIBUTES, cases[i].cs);
        x86_advance(&f.vcpu, 2);
        assert_int_equal(f.vcpu.regs.rip, cases[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_delivery_that_ended_in_an_exit_is_repeated),
        ON_BOTH(an_exception_is_not_repeated_where_it_makes_a_double_fault),
        ON_BOTH(every_pair_of_exceptions_ends_as_in_the_table),
        ON_BOTH(faults_are_pushed_with_rf_and_traps_without),
        ON_BOTH(what_is_finished_clears_rf_and_ends_the_shadow),
        ON_BOTH(a_debug_exception_clears_dr7_gd),
        ON_BOTH(real_mode_pushes_no_error_code),
        ON_BOTH(instructions_that_are_finished_inside_step),
        ON_BOTH(a_port_access_steps_when_it_is_answered),
        ON_BOTH(an_mmio_access_steps_when_it_is_answered),
        ON_BOTH(a_repeated_instruction_steps_after_each_element),
        ON_BOTH(a_refused_instruction_does_not_step),
        ON_BOTH(rip_wraps_as_wide_as_the_code_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
