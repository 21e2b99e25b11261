// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

static Aarch64Next handle(Fixture *f, uint64_t esr)
{
    f->vcpu.syndrome.esr = esr;
    return aarch64_handle_sync(&f->vcpu, &f->exit);
}

// ---- every class ----

typedef enum Treatment {
    UNHANDLED,
    UNDEFINED,
    REFLECT,
    WAIT,
    FP,
    CALL,
    SYSREG,
    PAGE_FAULT,
    DEBUG,
} Treatment;

static const struct {
    uint8_t ec;
    Treatment treatment;
    const char *name;
} classes[] = {
    {0x00, UNDEFINED, "unknown reason"},
    {0x01, WAIT, "WFI and WFE"},
    {0x02, UNHANDLED, "not allocated"},
    {0x03, UNDEFINED, "AArch32 MCR or MRC, coprocessor 15"},
    {0x04, UNDEFINED, "AArch32 MCRR or MRRC, coprocessor 15"},
    {0x05, UNDEFINED, "AArch32 MCR or MRC, coprocessor 14"},
    {0x06, UNDEFINED, "AArch32 LDC or STC"},
    {0x07, FP, "FP, SIMD"},
    {0x08, UNDEFINED, "AArch32 VMRS"},
    {0x09, UNDEFINED, "pointer authentication"},
    {0x0a, UNDEFINED, "LD64B, ST64B"},
    {0x0b, UNHANDLED, "not allocated"},
    {0x0c, UNDEFINED, "AArch32 MRRC, coprocessor 14"},
    {0x0d, REFLECT, "branch target"},
    {0x0e, REFLECT, "illegal execution state"},
    {0x0f, UNHANDLED, "not allocated"},
    {0x10, UNHANDLED, "not allocated"},
    {0x11, REFLECT, "AArch32 SVC"},
    {0x12, UNDEFINED, "AArch32 HVC"},
    {0x13, UNDEFINED, "AArch32 SMC"},
    {0x14, UNDEFINED, "128-bit MSRR, MRRS"},
    {0x15, REFLECT, "SVC"},
    {0x16, CALL, "HVC"},
    {0x17, CALL, "SMC"},
    {0x18, SYSREG, "MSR, MRS"},
    {0x19, UNDEFINED, "SVE"},
    {0x1a, UNDEFINED, "ERET"},
    {0x1b, UNDEFINED, "TSTART"},
    {0x1c, REFLECT, "pointer authentication failure"},
    {0x1d, UNDEFINED, "SME"},
    {0x1e, UNHANDLED, "granule protection check"},
    {0x1f, UNHANDLED, "implementation defined, to EL3"},
    {0x20, PAGE_FAULT, "instruction abort"},
    {0x21, UNHANDLED, "instruction abort at EL2"},
    {0x22, REFLECT, "PC alignment"},
    {0x23, UNHANDLED, "not allocated"},
    {0x24, PAGE_FAULT, "data abort"},
    {0x25, UNHANDLED, "data abort at EL2"},
    {0x26, REFLECT, "SP alignment"},
    {0x27, REFLECT, "memory copy and set"},
    {0x28, REFLECT, "AArch32 FP exception"},
    {0x29, UNHANDLED, "not allocated"},
    {0x2a, UNHANDLED, "not allocated"},
    {0x2b, UNHANDLED, "not allocated"},
    {0x2c, REFLECT, "FP exception"},
    {0x2d, REFLECT, "guarded control stack"},
    {0x2e, UNHANDLED, "not allocated"},
    {0x2f, UNHANDLED, "SError, not by this vector"},
    {0x30, DEBUG, "breakpoint"},
    {0x31, UNHANDLED, "breakpoint at EL2"},
    {0x32, DEBUG, "software step"},
    {0x33, UNHANDLED, "software step at EL2"},
    {0x34, DEBUG, "watchpoint"},
    {0x35, UNHANDLED, "watchpoint at EL2"},
    {0x36, UNHANDLED, "not allocated"},
    {0x37, UNHANDLED, "not allocated"},
    {0x38, DEBUG, "AArch32 BKPT"},
    {0x39, UNHANDLED, "not allocated"},
    {0x3a, DEBUG, "AArch32 vector catch"},
    {0x3b, UNHANDLED, "not allocated"},
    {0x3c, DEBUG, "BRK"},
    {0x3d, UNHANDLED, "PMU exception"},
    {0x3e, UNHANDLED, "not allocated"},
    {0x3f, UNHANDLED, "not allocated"},
};

static void check_unhandled(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_UNHANDLED);
    assert_int_equal(f->exit.unhandled.cause, f->vcpu.syndrome.esr);
    assert_int_equal(f->exit.unhandled.info, 0x123456);
    assert_int_equal(f->exit.unhandled.addr.value, 0x40000000);
    assert_int_equal(f->exit.unhandled.pc.value, GUEST_PC);
}

static void check_undefined(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_RESUME);
    assert_undefined(f);
    assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
}

static void check_reflect(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_RESUME);
    assert_int_equal(f->vcpu.sys[AARCH64_ESR_EL1], f->vcpu.syndrome.esr);
    assert_int_equal(f->vcpu.sys[AARCH64_FAR_EL1], 0x123456);
    assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + 0x200);
    assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
}

static void check_wait(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_IDLE);
}

static void check_fp(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_RESUME);
    assert_true(f->vcpu.fp_loaded);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

// x0 of the fixture is no function that there is.
static void check_call(const Fixture *f, Aarch64Next next)
{
    if (next == AARCH64_EXIT) {
        assert_int_equal(f->exit.reason, AX_EXIT_HYPERCALL);
    } else {
        assert_int_equal(f->vcpu.regs.x[0], UINT64_MAX);
    }
}

static void check_sysreg(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_SYSREG_WRITE);
}

// Status 0x04, no syndrome, and the code cannot be read.
static void check_page_fault(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NESTED_PAGE_FAULT);
    assert_int_equal(f->exit.page_fault.addr.value, 0x40000456);
}

static void check_debug(const Fixture *f, Aarch64Next next)
{
    assert_int_equal(next, AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_DEBUG);
    assert_int_equal(f->exit.exception.vector, f->vcpu.syndrome.esr >> 26);
    assert_int_equal(f->exit.exception.syndrome, f->vcpu.syndrome.esr & ESR_ELX_ISS);
    assert_int_equal(f->exit.exception.addr.value, 0x123456);
    assert_int_equal(f->exit.exception.pc.value, GUEST_PC);
}

static void every_exception_class_has_its_treatment(void **state)
{
    static void (*const checks[])(const Fixture *f, Aarch64Next next) = {
        [UNHANDLED] = check_unhandled,
        [UNDEFINED] = check_undefined,
        [REFLECT] = check_reflect,
        [WAIT] = check_wait,
        [FP] = check_fp,
        [CALL] = check_call,
        [SYSREG] = check_sysreg,
        [PAGE_FAULT] = check_page_fault,
        [DEBUG] = check_debug,
    };
    Fixture *f = *state;

    assert_int_equal(COUNT(classes), 64);
    for (size_t i = 0; i < COUNT(classes); i++) {
        Aarch64Next next;
        const bool aborts = classes[i].treatment == PAGE_FAULT;

        fixture_reset(state);
        assert_int_equal(classes[i].ec, i);
        f->vcpu.syndrome = (Aarch64Syndrome){.far = 0x123456, .hpfar = 0x400000};
        next = handle(f, esr_of(classes[i].ec, aborts ? 0x04 : 0));
        checks[classes[i].treatment](f, next);
    }
}

// ---- single classes ----

static void wfi_idles_and_the_other_waits_yield(void **state)
{
    static const AxVCpuExitReason reasons[] = {AX_EXIT_IDLE, AX_EXIT_NOTHING, AX_EXIT_NOTHING,
                                               AX_EXIT_NOTHING};
    Fixture *f = *state;

    for (uint64_t ti = 0; ti < COUNT(reasons); ti++) {
        fixture_reset(state);
        assert_int_equal(handle(f, esr_of(ESR_ELX_EC_WFX, ti)), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, reasons[ti]);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    }
}

static void fp_is_loaded_once(void **state)
{
    Fixture *f = *state;

    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_FP, 0)), AARCH64_RESUME);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_LOAD], 1);
    // Should it trap nevertheless, the guest must not be entered for ever.
    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_FP, 0)), AARCH64_RESUME);
    assert_int_equal(arm_sim.ops[ARM_SIM_FP_LOAD], 1);
    assert_undefined(f);
}

static void smc_steps_over_itself_and_hvc_stands_behind(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.x[0] = 0x84000000; // PSCI_VERSION
    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_SMC64, 0)), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.x[0], 0x10001);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    f->vcpu.regs.x[0] = 0x84000000;
    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_HVC64, 0)), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.x[0], 0x10001);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(f->stats.handled[AX_EXIT_HYPERCALL], 2);
}

static void a_call_with_an_immediate_is_unknown(void **state)
{
    Fixture *f = *state;

    for (uint64_t imm = 1; imm < 0x10000; imm <<= 1) {
        f->vcpu.regs.x[0] = 0x84000000;
        assert_int_equal(handle(f, esr_of(ESR_ELX_EC_HVC64, imm)), AARCH64_RESUME);
        assert_int_equal(f->vcpu.regs.x[0], UINT64_MAX);
        f->vcpu.regs.x[0] = 0x84000000;
        assert_int_equal(handle(f, esr_of(ESR_ELX_EC_SMC64, imm)), AARCH64_RESUME);
        assert_int_equal(f->vcpu.regs.x[0], UINT64_MAX);
    }
}

static void a_physical_serror_becomes_the_guests(void **state)
{
    Fixture *f = *state;

    assert_int_equal(aarch64_handle_serror(&f->vcpu, &f->exit), AARCH64_RESUME);
    assert_true(f->vcpu.serror_pending);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
}

static void finished_register_accesses_count_by_direction(void **state)
{
    const uint64_t actlr = UINT64_C(3) << 20 | UINT64_C(1) << 17 | UINT64_C(1) << 10;
    Fixture *f = *state;

    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_SYSREG, actlr)), AARCH64_RESUME);
    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_SYSREG, actlr | 1)), AARCH64_RESUME);
    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_SYSREG, actlr | 1)), AARCH64_RESUME);
    assert_int_equal(f->stats.handled[AX_EXIT_SYSREG_WRITE], 1);
    assert_int_equal(f->stats.handled[AX_EXIT_SYSREG_READ], 2);
}

// ---- AArch32 at EL0 ----

// Bit i: holds with NZCV = i.
static const uint16_t condition_truth[16] = {
    0xf0f0, // EQ
    0x0f0f, // NE
    0xcccc, // CS
    0x3333, // CC
    0xff00, // MI
    0x00ff, // PL
    0xaaaa, // VS
    0x5555, // VC
    0x0c0c, // HI
    0xf3f3, // LS
    0xaa55, // GE
    0x55aa, // LT
    0x0a05, // GT
    0xf5fa, // LE
    0xffff, // AL
    0xffff,
};

static void a_failed_condition_only_steps(void **state)
{
    Fixture *f = *state;

    for (uint64_t i = 0; i < 16 * 16; i++) {
        const uint64_t condition = i / 16;
        const uint64_t nzcv = i % 16;
        const bool holds = ((condition_truth[condition] >> nzcv) & 1) != 0;

        fixture_reset(state);
        f->vcpu.regs.pstate = PSTATE_NRW | nzcv << 28;
        assert_int_equal(handle(f, esr_of(0x03, UINT64_C(1) << 24 | condition << 20)),
                         AARCH64_RESUME);
        assert_int_equal(f->vcpu.regs.pc, holds ? GUEST_VBAR + 0x600 : GUEST_PC + 4);
    }
}

// Bits 24:20 mean something else in the syndromes of the other classes.
static void only_classes_of_conditional_instructions_have_a_condition(void **state)
{
    static const uint8_t conditional[] = {0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0c, 0x13};
    Fixture *f = *state;

    for (uint64_t ec = 0; ec < 64; ec++) {
        const bool is_conditional = memchr(conditional, (int)ec, sizeof(conditional)) != NULL;
        Aarch64Next next;

        fixture_reset(state);
        f->vcpu.regs.pstate = PSTATE_NRW;
        next = handle(f, esr_of(ec, UINT64_C(1) << 24)); // EQ, and Z is clear
        if (is_conditional) {
            assert_int_equal(next, AARCH64_RESUME);
        }
        assert_int_equal(next == AARCH64_RESUME && f->vcpu.regs.pc == GUEST_PC + 4 &&
                             f->vcpu.regs.x[0] == UINT64_C(0x1111222233330000),
                         is_conditional);
    }
}

// IT block: PSTATE.IT<7:4> is the condition of this instruction when the syndrome has none.
static void the_condition_may_come_from_the_it_block(void **state)
{
    static const struct {
        uint64_t it;
        uint64_t z;
        bool executed;
    } blocks[] = {
        {0x08, 0, false}, {0x08, 1, true},  // EQ, one instruction
        {0x18, 0, true},  {0x18, 1, false}, // NE
        {0xe8, 0, true},  {0xe8, 1, true},  // AL
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(blocks); i++) {
        const uint64_t it = blocks[i].it;
        const uint64_t flags = PSTATE_NRW | PSTATE_T32 | blocks[i].z << 30;

        fixture_reset(state);
        f->vcpu.regs.pstate = flags | (it >> 2) << 10 | (it & 3) << 25;
        assert_int_equal(handle(f, ax_put(0x03, ESR_ELX_EC)), AARCH64_RESUME);
        if (blocks[i].executed) {
            assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + 0x600);
        } else {
            assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 2);
            assert_int_equal(f->vcpu.regs.pstate, flags);
        }
    }
}

static void without_condition_and_block_an_instruction_is_executed(void **state)
{
    Fixture *f = *state;

    f->vcpu.regs.pstate = PSTATE_NRW | PSTATE_T32;
    assert_int_equal(handle(f, ax_put(0x03, ESR_ELX_EC)), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.pc, GUEST_VBAR + 0x600);
}

static void conditions_mean_nothing_in_aarch64(void **state)
{
    Fixture *f = *state;

    assert_int_equal(handle(f, esr_of(ESR_ELX_EC_WFX, UINT64_C(1) << 24)), AARCH64_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_IDLE);
}

static void stepping_advances_the_it_block(void **state)
{
    static const struct {
        uint64_t before;
        uint64_t after;
    } blocks[] = {
        {0x00, 0x00}, {0x08, 0x00}, {0x04, 0x08}, {0xe1, 0xe2}, {0xe2, 0xe4},
        {0xe4, 0xe8}, {0xe8, 0x00}, {0x1d, 0x1a}, {0xbf, 0xbe}, {0x18, 0x00},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(blocks); i++) {
        const uint64_t before = blocks[i].before;
        const uint64_t after = blocks[i].after;

        fixture_reset(state);
        f->vcpu.syndrome.esr = ESR_ELX_IL;
        f->vcpu.regs.pstate = PSTATE_NRW | PSTATE_T32 | (before >> 2) << 10 | (before & 3) << 25;
        aarch64_advance_pc(&f->vcpu);
        assert_int_equal(f->vcpu.regs.pstate,
                         PSTATE_NRW | PSTATE_T32 | (after >> 2) << 10 | (after & 3) << 25);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    }
}

static void stepping_clears_what_belonged_to_the_instruction(void **state)
{
    Fixture *f = *state;

    f->vcpu.syndrome.esr = ESR_ELX_IL;
    f->vcpu.regs.pstate = PSTATE_M_EL1H | PSTATE_SS | PSTATE_BTYPE | PSTATE_NZCV;
    aarch64_advance_pc(&f->vcpu);
    assert_int_equal(f->vcpu.regs.pstate, PSTATE_M_EL1H | PSTATE_NZCV);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    // In A32 state the bits of BTYPE are IT, which that state does not have and must not lose.
    f->vcpu.regs.pstate = PSTATE_NRW | PSTATE_SS | PSTATE_BTYPE;
    aarch64_advance_pc(&f->vcpu);
    assert_int_equal(f->vcpu.regs.pstate, PSTATE_NRW | PSTATE_BTYPE);
}

// ---- completions ----

static void a_register_read_is_completed(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_SYSREG_READ, .sysreg = {.reg = 5}};
    const AxVCpuExit discarded = {.reason = AX_EXIT_SYSREG_READ, .sysreg = {.reg = 31}};
    Fixture *f = *state;

    f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_SYSREG, 1);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &exit, 0xfedcba9876543210), AX_OK);
    assert_int_equal(f->vcpu.regs.x[5], 0xfedcba9876543210);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(aarch64_complete_read(&f->vcpu, &discarded, 1), AX_OK);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 8);
}

static void a_register_write_is_completed(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_SYSREG_WRITE, .sysreg = {.reg = 5}};
    Fixture *f = *state;

    f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_SYSREG, 0);
    assert_int_equal(aarch64_complete_write(&f->vcpu, &exit), AX_OK);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_registers_unchanged(f);
}

static void a_register_nobody_has_is_undefined(void **state)
{
    const AxVCpuExit exits[] = {{.reason = AX_EXIT_SYSREG_READ}, {.reason = AX_EXIT_SYSREG_WRITE}};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(exits); i++) {
        fixture_reset(state);
        f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_SYSREG, 0);
        assert_int_equal(aarch64_complete_fault(&f->vcpu, &exits[i]), AX_OK);
        assert_undefined(f);
    }
}

static void a_call_nobody_answers_is_not_supported(void **state)
{
    static const AxVCpuExitReason calls[] = {AX_EXIT_HYPERCALL, AX_EXIT_CPU_UP, AX_EXIT_CPU_STATUS};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(calls); i++) {
        const AxVCpuExit exit = {.reason = calls[i]};

        fixture_reset(state);
        assert_int_equal(aarch64_complete_fault(&f->vcpu, &exit), AX_OK);
        assert_int_equal(f->vcpu.regs.x[0], UINT64_MAX);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    }
}

static void a_register_that_sends_interrupts_says_nothing_of_their_fate(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_SEND_IPI};
    Fixture *f = *state;

    assert_int_equal(aarch64_complete_call(&f->vcpu, &exit, AX_OK, 1), AX_OK);
    assert_int_equal(aarch64_complete_call(&f->vcpu, &exit, AX_EINVAL, 1), AX_OK);
    assert_int_equal(aarch64_complete_fault(&f->vcpu, &exit), AX_OK);
    assert_registers_unchanged(f);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

// Which completion an exit takes. Every other one is refused and changes nothing.
static void the_wrong_completion_changes_nothing(void **state)
{
    enum {
        READ = 1,
        WRITE = 2,
        CALL_DONE = 4,
        FAULT = 8,
    };
    static const uint8_t taken[AX_EXIT_COUNT] = {
        [AX_EXIT_HYPERCALL] = CALL_DONE | FAULT,  [AX_EXIT_CPU_UP] = CALL_DONE | FAULT,
        [AX_EXIT_CPU_STATUS] = CALL_DONE | FAULT, [AX_EXIT_SEND_IPI] = CALL_DONE | FAULT,
        [AX_EXIT_MMIO_READ] = READ | FAULT,       [AX_EXIT_MMIO_WRITE] = WRITE | FAULT,
        [AX_EXIT_SYSREG_READ] = READ | FAULT,     [AX_EXIT_SYSREG_WRITE] = WRITE | FAULT,
        [AX_EXIT_NESTED_PAGE_FAULT] = FAULT,
    };
    Fixture *f = *state;

    for (unsigned reason = 0; reason < AX_EXIT_COUNT; reason++) {
        const AxVCpuExit exit = {.reason = (AxVCpuExitReason)reason, .mmio = {.width = 4}};
        const Aarch64VCpu before = f->vcpu;

        if ((taken[reason] & READ) == 0) {
            assert_int_equal(aarch64_complete_read(&f->vcpu, &exit, 1), AX_EINVAL);
        }
        if ((taken[reason] & WRITE) == 0) {
            assert_int_equal(aarch64_complete_write(&f->vcpu, &exit), AX_EINVAL);
        }
        if ((taken[reason] & CALL_DONE) == 0) {
            assert_int_equal(aarch64_complete_call(&f->vcpu, &exit, AX_OK, 1), AX_EINVAL);
        }
        if ((taken[reason] & FAULT) == 0) {
            assert_int_equal(aarch64_complete_fault(&f->vcpu, &exit), AX_EINVAL);
        }
        assert_memory_equal(&f->vcpu, &before, sizeof(before));
    }
}

static void a_result_that_is_no_error_value_is_refused(void **state)
{
    const AxVCpuExit exit = {.reason = AX_EXIT_CPU_UP};
    Fixture *f = *state;

    assert_int_equal(aarch64_complete_call(&f->vcpu, &exit, AX_ERROR_COUNT, 0), AX_EINVAL);
    assert_registers_unchanged(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_exception_class_has_its_treatment, fixture_reset),
        cmocka_unit_test_setup(wfi_idles_and_the_other_waits_yield, fixture_reset),
        cmocka_unit_test_setup(fp_is_loaded_once, fixture_reset),
        cmocka_unit_test_setup(smc_steps_over_itself_and_hvc_stands_behind, fixture_reset),
        cmocka_unit_test_setup(a_call_with_an_immediate_is_unknown, fixture_reset),
        cmocka_unit_test_setup(a_physical_serror_becomes_the_guests, fixture_reset),
        cmocka_unit_test_setup(finished_register_accesses_count_by_direction, fixture_reset),
        cmocka_unit_test_setup(a_failed_condition_only_steps, fixture_reset),
        cmocka_unit_test_setup(only_classes_of_conditional_instructions_have_a_condition,
                               fixture_reset),
        cmocka_unit_test_setup(the_condition_may_come_from_the_it_block, fixture_reset),
        cmocka_unit_test_setup(without_condition_and_block_an_instruction_is_executed,
                               fixture_reset),
        cmocka_unit_test_setup(conditions_mean_nothing_in_aarch64, fixture_reset),
        cmocka_unit_test_setup(stepping_advances_the_it_block, fixture_reset),
        cmocka_unit_test_setup(stepping_clears_what_belonged_to_the_instruction, fixture_reset),
        cmocka_unit_test_setup(a_register_read_is_completed, fixture_reset),
        cmocka_unit_test_setup(a_register_write_is_completed, fixture_reset),
        cmocka_unit_test_setup(a_register_nobody_has_is_undefined, fixture_reset),
        cmocka_unit_test_setup(a_call_nobody_answers_is_not_supported, fixture_reset),
        cmocka_unit_test_setup(a_register_that_sends_interrupts_says_nothing_of_their_fate,
                               fixture_reset),
        cmocka_unit_test_setup(the_wrong_completion_changes_nothing, fixture_reset),
        cmocka_unit_test_setup(a_result_that_is_no_error_value_is_refused, fixture_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
