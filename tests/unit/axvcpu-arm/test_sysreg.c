// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define RT 7u

// A register by the numbers of its assembly name, in the ISS of a trapped MSR or MRS.
static uint64_t sys(uint64_t op0, uint64_t op1, uint64_t crn, uint64_t crm, uint64_t op2)
{
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
}

static Aarch64Next access_register(Fixture *f, uint64_t iss, bool is_read, uint32_t rt)
{
    f->exit.reason = AX_EXIT_COUNT;
    f->vcpu.syndrome.esr = esr_of(ESR_ELX_EC_SYSREG, iss | (uint64_t)rt << 5 | (is_read ? 1 : 0));
    return aarch64_handle_sysreg(&f->vcpu, &f->exit);
}

static uint64_t read_register(Fixture *f, uint64_t iss)
{
    const uint64_t pc = f->vcpu.regs.pc;

    f->vcpu.regs.x[RT] = 0xbad;
    assert_int_equal(access_register(f, iss, true, RT), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.pc, pc + 4);
    return f->vcpu.regs.x[RT];
}

static void write_register(Fixture *f, uint64_t iss, uint64_t value)
{
    const uint64_t pc = f->vcpu.regs.pc;

    f->vcpu.regs.x[RT] = value;
    assert_int_equal(access_register(f, iss, false, RT), AARCH64_RESUME);
    assert_int_equal(f->vcpu.regs.pc, pc + 4);
    assert_int_equal(f->vcpu.regs.x[RT], value);
}

// ---- all encodings ----

typedef enum Behaviour {
    TO_HOST,       // a register exit
    UNDEF,         // undefined instruction
    ZERO,          // reads as zero, writes are ignored
    READ_ONLY,     // reads, and a write is undefined
    WRITE_IGNORED, // write only, without effect
    OTHER,         // has a test of its own
} Behaviour;

static const struct {
    uint8_t op0, op1, crn, crm, op2;
    uint8_t last_op1, last_crn, last_crm, last_op2;
    Behaviour behaviour;
    const char *name;
} registers[] = {
    {2, 0, 0, 0, 2, 0, 0, 0, 2, ZERO, "OSDTRRX_EL1"},
    {2, 0, 0, 0, 4, 0, 0, 1, 7, ZERO, "DBGBVR, DBGBCR, DBGWVR, DBGWCR 0 and 1"},
    {2, 0, 0, 2, 0, 0, 0, 2, 0, ZERO, "MDCCINT_EL1"},
    {2, 0, 0, 2, 2, 0, 0, 2, 2, OTHER, "MDSCR_EL1"},
    {2, 0, 0, 3, 2, 0, 0, 3, 2, ZERO, "OSDTRTX_EL1"},
    {2, 0, 0, 6, 2, 0, 0, 6, 2, ZERO, "OSECCR_EL1"},
    {2, 0, 1, 0, 0, 0, 1, 0, 0, ZERO, "MDRAR_EL1"},
    {2, 0, 1, 0, 4, 0, 1, 0, 4, ZERO, "OSLAR_EL1"},
    {2, 0, 1, 1, 4, 0, 1, 1, 4, READ_ONLY, "OSLSR_EL1"},
    {2, 0, 1, 3, 4, 0, 1, 3, 4, ZERO, "OSDLR_EL1"},
    {2, 0, 1, 4, 4, 0, 1, 4, 4, ZERO, "DBGPRCR_EL1"},
    {2, 0, 7, 8, 6, 0, 7, 8, 6, ZERO, "DBGCLAIMSET_EL1"},
    {2, 0, 7, 9, 6, 0, 7, 9, 6, ZERO, "DBGCLAIMCLR_EL1"},
    {2, 0, 7, 14, 6, 0, 7, 14, 6, ZERO, "DBGAUTHSTATUS_EL1"},
    {2, 1, 0, 0, 0, 1, 15, 15, 7, UNDEF, "trace unit"},
    {2, 3, 0, 1, 0, 3, 0, 1, 0, ZERO, "MDCCSR_EL0"},
    {2, 3, 0, 4, 0, 3, 0, 5, 0, ZERO, "DBGDTR_EL0, DBGDTRRX_EL0, DBGDTRTX_EL0"},
    {3, 0, 0, 0, 0, 0, 0, 7, 7, READ_ONLY, "identification"},
    {3, 0, 1, 0, 1, 0, 1, 0, 1, ZERO, "ACTLR_EL1"},
    {3, 0, 1, 0, 5, 0, 1, 0, 6, UNDEF, "RGSR_EL1, GCR_EL1"},
    {3, 0, 1, 2, 0, 0, 1, 2, 7, UNDEF, "ZCR_EL1, TRFCR_EL1, SMPRI_EL1, SMCR_EL1"},
    {3, 0, 2, 1, 0, 0, 2, 3, 7, UNDEF, "APIAKEY and the like"},
    {3, 0, 5, 3, 0, 0, 5, 6, 7, UNDEF, "ERRIDR_EL1, ERRSELR_EL1, ERX*, TFSR*"},
    {3, 0, 9, 9, 0, 0, 9, 15, 7, UNDEF, "PMS*, PMB*, TRB*, PMINTEN*, PMMIR"},
    {3, 0, 10, 4, 0, 0, 10, 5, 7, UNDEF, "LOR*, MPAM*"},
    {3, 0, 12, 8, 0, 0, 12, 8, 0, READ_ONLY, "ICC_IAR0_EL1"},
    {3, 0, 12, 8, 1, 0, 12, 8, 1, ZERO, "ICC_EOIR0_EL1"},
    {3, 0, 12, 8, 2, 0, 12, 8, 2, READ_ONLY, "ICC_HPPIR0_EL1"},
    {3, 0, 12, 8, 3, 0, 12, 8, 7, ZERO, "ICC_BPR0_EL1, ICC_AP0R<n>_EL1"},
    {3, 0, 12, 11, 1, 0, 12, 11, 1, OTHER, "ICC_DIR_EL1"},
    {3, 0, 12, 11, 5, 0, 12, 11, 5, OTHER, "ICC_SGI1R_EL1"},
    {3, 0, 12, 11, 6, 0, 12, 11, 7, WRITE_IGNORED, "ICC_ASGI1R_EL1, ICC_SGI0R_EL1"},
    {3, 0, 12, 12, 5, 0, 12, 12, 5, OTHER, "ICC_SRE_EL1"},
    {3, 0, 12, 12, 6, 0, 12, 12, 6, ZERO, "ICC_IGRPEN0_EL1"},
    {3, 0, 13, 0, 5, 0, 13, 0, 5, UNDEF, "ACCDATA_EL1"},
    {3, 0, 13, 0, 7, 0, 13, 0, 7, UNDEF, "SCXTNUM_EL1"},
    {3, 1, 0, 0, 4, 1, 0, 0, 4, UNDEF, "GMID_EL1"},
    {3, 1, 0, 0, 6, 1, 0, 0, 6, UNDEF, "SMIDR_EL1"},
    {3, 3, 9, 12, 0, 3, 9, 14, 7, UNDEF, "PMU"},
    {3, 3, 13, 0, 5, 3, 13, 0, 5, UNDEF, "TPIDR2_EL0"},
    {3, 3, 13, 0, 7, 3, 13, 0, 7, UNDEF, "SCXTNUM_EL0"},
    {3, 3, 13, 2, 0, 3, 13, 15, 7, UNDEF, "AMU"},
    {3, 3, 14, 8, 0, 3, 14, 15, 7, UNDEF, "PMEVCNTR, PMEVTYPER"},
};

static bool is_between(unsigned value, unsigned first, unsigned last)
{
    return value >= first && value <= last;
}

// Each field of a range is a range, but the second of the two DBGDTR registers has no neighbours.
static Behaviour behaviour_of(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
{
    if ((op0 == 1 || op0 == 3) && (crn == 11 || crn == 15)) {
        return UNDEF; // implementation defined
    }
    for (size_t i = 0; i < COUNT(registers); i++) {
        if (op0 == registers[i].op0 && is_between(op1, registers[i].op1, registers[i].last_op1) &&
            is_between(crn, registers[i].crn, registers[i].last_crn) &&
            is_between(crm, registers[i].crm, registers[i].last_crm) &&
            is_between(op2, registers[i].op2, registers[i].last_op2)) {
            return registers[i].behaviour;
        }
    }
    return TO_HOST;
}

static void check_exit(const Fixture *f, uint64_t iss, bool is_read)
{
    assert_int_equal(f->exit.reason, is_read ? AX_EXIT_SYSREG_READ : AX_EXIT_SYSREG_WRITE);
    assert_int_equal(f->exit.sysreg.addr.value, iss);
    assert_int_equal(f->exit.sysreg.reg, RT);
    assert_int_equal(f->exit.sysreg.value, is_read ? 0 : UINT64_C(0x1111222233330007));
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

static void check_access(Fixture *f, uint64_t iss, bool is_read, Behaviour behaviour)
{
    const bool is_undefined = behaviour == UNDEF || (behaviour == READ_ONLY && !is_read) ||
                              (behaviour == WRITE_IGNORED && is_read);
    Aarch64Next next;

    f->vcpu.regs.pc = GUEST_PC;
    f->vcpu.regs.pstate = PSTATE_M_EL1H;
    f->vcpu.regs.x[RT] = UINT64_C(0x1111222233330007);
    next = access_register(f, iss, is_read, RT);
    if (behaviour == TO_HOST) {
        assert_int_equal(next, AARCH64_EXIT);
        check_exit(f, iss, is_read);
        return;
    }
    assert_int_equal(next, AARCH64_RESUME);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
    if (is_undefined) {
        assert_undefined(f);
        return;
    }
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    if (behaviour == ZERO || !is_read) {
        assert_int_equal(f->vcpu.regs.x[RT], is_read ? 0 : UINT64_C(0x1111222233330007));
    }
}

static void every_encoding_behaves_as_listed(void **state)
{
    Fixture *f = *state;

    for (unsigned i = 0; i < 1u << 16; i++) {
        const unsigned op0 = i >> 14;
        const unsigned op1 = (i >> 11) & 7;
        const unsigned crn = (i >> 7) & 15;
        const unsigned crm = (i >> 3) & 15;
        const unsigned op2 = i & 7;
        const Behaviour behaviour = behaviour_of(op0, op1, crn, crm, op2);

        if (behaviour != OTHER) {
            check_access(f, sys(op0, op1, crn, crm, op2), true, behaviour);
            check_access(f, sys(op0, op1, crn, crm, op2), false, behaviour);
        }
    }
}

static void xzr_is_zero_and_swallows(void **state)
{
    Fixture *f = *state;

    assert_int_equal(access_register(f, sys(3, 0, 1, 0, 1), true, 31), AARCH64_RESUME);
    assert_registers_unchanged(f);
    assert_int_equal(access_register(f, sys(3, 7, 0, 0, 0), false, 31), AARCH64_EXIT);
    assert_int_equal(f->exit.sysreg.value, 0);
    assert_int_equal(f->exit.sysreg.reg, 31);
}

// ---- identification ----

typedef struct IdCase {
    uint8_t crm;
    uint8_t op2;
    ArmReg reg;
    uint64_t all; // what is shown when the CPU has everything
} IdCase;

static const IdCase aarch32_ids[] = {
    {1, 0, ARM_REG_ID_PFR0_EL1, 0x0f01ffff},  {1, 1, ARM_REG_ID_PFR1_EL1, 0x100f000f},
    {1, 2, ARM_REG_ID_DFR0_EL1, 0x00000006},  {1, 4, ARM_REG_ID_MMFR0_EL1, 0xffffffff},
    {1, 5, ARM_REG_ID_MMFR1_EL1, 0xffffffff}, {1, 6, ARM_REG_ID_MMFR2_EL1, 0xffffffff},
    {1, 7, ARM_REG_ID_MMFR3_EL1, 0xffffffff}, {2, 0, ARM_REG_ID_ISAR0_EL1, 0xffffffff},
    {2, 1, ARM_REG_ID_ISAR1_EL1, 0xffffffff}, {2, 2, ARM_REG_ID_ISAR2_EL1, 0xffffffff},
    {2, 3, ARM_REG_ID_ISAR3_EL1, 0xffffffff}, {2, 4, ARM_REG_ID_ISAR4_EL1, 0xffffffff},
    {2, 5, ARM_REG_ID_ISAR5_EL1, 0xffffffff}, {2, 6, ARM_REG_ID_MMFR4_EL1, 0x0ffff0f0},
    {2, 7, ARM_REG_ID_ISAR6_EL1, 0xffffffff}, {3, 0, ARM_REG_MVFR0_EL1, 0xffffffff},
    {3, 1, ARM_REG_MVFR1_EL1, 0xffffffff},    {3, 2, ARM_REG_MVFR2_EL1, 0xffffffff},
    {3, 4, ARM_REG_ID_PFR2_EL1, 0x000000f1},  {3, 6, ARM_REG_ID_MMFR5_EL1, 0x000000ff},
};

static const IdCase aarch64_ids[] = {
    {4, 0, ARM_REG_ID_AA64PFR0_EL1, UINT64_C(0x110f000001ff0012)},
    {4, 1, ARM_REG_ID_AA64PFR1_EL1, UINT64_C(0x0000000100000021)},
    {5, 0, ARM_REG_ID_AA64DFR0_EL1, UINT64_C(0x000000f000101006)},
    {6, 0, ARM_REG_ID_AA64ISAR0_EL1, UINT64_C(0xfffffffff0fffff0)},
    {6, 1, ARM_REG_ID_AA64ISAR1_EL1, UINT64_C(0x0fffffff00fff00f)},
    {6, 2, ARM_REG_ID_AA64ISAR2_EL1, UINT64_C(0x0fff0f00f0f000f0)},
    {7, 0, ARM_REG_ID_AA64MMFR0_EL1, UINT64_C(0x0000f000ff1f0ff5)}, // f: no such granule
    {7, 1, ARM_REG_ID_AA64MMFR1_EL1, UINT64_C(0xf00ff0f00030f002)},
    {7, 2, ARM_REG_ID_AA64MMFR2_EL1, UINT64_C(0xf0ff00fff0f10fff)},
};

static void set_every_id(uint64_t value)
{
    for (size_t i = 0; i < COUNT(aarch32_ids); i++) {
        arm_sim.reg[aarch32_ids[i].reg] = value;
    }
    for (size_t i = 0; i < COUNT(aarch64_ids); i++) {
        arm_sim.reg[aarch64_ids[i].reg] = value;
    }
}

static uint64_t expected_id(const IdCase *ids, size_t count, unsigned crm, unsigned op2)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i].crm == crm && ids[i].op2 == op2) {
            return ids[i].all;
        }
    }
    return 0;
}

// Also those that are not allocated, which read as zero.
static void a_cpu_with_everything_shows_what_a_guest_may_use(void **state)
{
    Fixture *f = *state;

    set_every_id(UINT64_MAX);
    for (unsigned i = 0; i < 64; i++) {
        const uint64_t wide = expected_id(aarch64_ids, COUNT(aarch64_ids), i / 8, i % 8);

        assert_int_equal(read_register(f, sys(3, 0, 0, i / 8, i % 8)), wide);
    }
    // AArch32 at EL0 is 2 exactly.
    arm_sim.reg[ARM_REG_ID_AA64PFR0_EL1] = 0x2;
    for (size_t i = 0; i < COUNT(aarch32_ids); i++) {
        assert_int_equal(read_register(f, sys(3, 0, 0, aarch32_ids[i].crm, aarch32_ids[i].op2)),
                         aarch32_ids[i].all);
    }
}

static void a_cpu_with_nothing_shows_nothing(void **state)
{
    Fixture *f = *state;

    set_every_id(0);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(read_register(f, sys(3, 0, 0, i / 8, i % 8)), 0);
    }
}

static void without_aarch32_its_registers_are_zero(void **state)
{
    Fixture *f = *state;

    set_every_id(UINT64_MAX);
    arm_sim.reg[ARM_REG_ID_AA64PFR0_EL1] = 0x11;
    for (size_t i = 0; i < COUNT(aarch32_ids); i++) {
        assert_int_equal(read_register(f, sys(3, 0, 0, aarch32_ids[i].crm, aarch32_ids[i].op2)), 0);
    }
}

// No field ever shows more than the CPU has: every field alone, at every value. In signed fields f
// is less than 0.
static void no_field_shows_more_than_the_cpu_has(void **state)
{
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(aarch64_ids); i++) {
        const uint64_t iss = sys(3, 0, 0, aarch64_ids[i].crm, aarch64_ids[i].op2);

        for (unsigned shift = 0; shift < 64; shift += 4) {
            const bool is_granule = aarch64_ids[i].reg == ARM_REG_ID_AA64MMFR0_EL1 &&
                                    (shift == 24 || shift == 28);

            for (uint64_t value = 0; value < 16; value++) {
                const uint64_t most = (aarch64_ids[i].all >> shift) & 0xf;
                uint64_t expected = value < most ? value : most;

                if (is_granule) {
                    expected = value >= 8 ? value : 0;
                }
                arm_sim.reg[aarch64_ids[i].reg] = value << shift;
                assert_int_equal(read_register(f, iss), expected << shift);
            }
        }
    }
}

// Cortex-A72 r0p3 as its manual has it, with a GICv3.
static void a_cortex_a72_is_shown_without_el2_and_pmu(void **state)
{
    static const struct {
        uint8_t crm;
        uint8_t op2;
        ArmReg reg;
        uint64_t has;
        uint64_t shown;
    } ids[] = {
        {4, 0, ARM_REG_ID_AA64PFR0_EL1, 0x01002222, 0x01000012},
        {5, 0, ARM_REG_ID_AA64DFR0_EL1, 0x10305106, 0x00101006},
        {6, 0, ARM_REG_ID_AA64ISAR0_EL1, 0x00011120, 0x00011120},
        {7, 0, ARM_REG_ID_AA64MMFR0_EL1, 0x00001124, 0x00000124},
        {1, 0, ARM_REG_ID_PFR0_EL1, 0x00000131, 0x00000131},
        {1, 1, ARM_REG_ID_PFR1_EL1, 0x10011011, 0x10010001},
        {1, 2, ARM_REG_ID_DFR0_EL1, 0x03010066, 0x00000006},
        {1, 4, ARM_REG_ID_MMFR0_EL1, 0x10201105, 0x10201105},
        {2, 5, ARM_REG_ID_ISAR5_EL1, 0x00011121, 0x00011121},
        {3, 0, ARM_REG_MVFR0_EL1, 0x10110222, 0x10110222},
    };
    Fixture *f = *state;

    set_every_id(0);
    for (size_t i = 0; i < COUNT(ids); i++) {
        arm_sim.reg[ids[i].reg] = ids[i].has;
    }
    for (size_t i = 0; i < COUNT(ids); i++) {
        assert_int_equal(read_register(f, sys(3, 0, 0, ids[i].crm, ids[i].op2)), ids[i].shown);
    }
}

// What the fields are called, for those that must not be seen.
static void what_traps_is_hidden(void **state)
{
    static const struct {
        uint8_t crm;
        uint8_t op2;
        uint8_t shift;
        const char *feature;
    } hidden[] = {
        {4, 0, 8, "EL2"},       {4, 0, 12, "EL3"},       {4, 0, 28, "RAS"},
        {4, 0, 32, "SVE"},      {4, 0, 36, "SEL2"},      {4, 0, 40, "MPAM"},
        {4, 0, 44, "AMU"},      {4, 0, 52, "RME"},       {4, 1, 8, "MTE"},
        {4, 1, 12, "RAS_frac"}, {4, 1, 16, "MPAM_frac"}, {4, 1, 24, "SME"},
        {4, 1, 36, "NMI"},      {4, 1, 44, "GCS"},       {4, 4, 0, "SVEver"},
        {4, 5, 32, "SME F32"},  {5, 0, 4, "TraceVer"},   {5, 0, 8, "PMUVer"},
        {5, 0, 32, "PMSVer"},   {5, 0, 40, "TraceFilt"}, {5, 0, 44, "TraceBuffer"},
        {5, 0, 52, "BRBE"},     {6, 0, 24, "TME"},       {6, 1, 4, "APA"},
        {6, 1, 8, "API"},       {6, 1, 24, "GPA"},       {6, 1, 28, "GPI"},
        {6, 1, 60, "LS64"},     {6, 2, 0, "WFxT"},       {6, 2, 8, "GPA3"},
        {6, 2, 12, "APA3"},     {6, 2, 16, "MOPS"},      {6, 2, 24, "PAC_frac"},
        {7, 0, 56, "FGT"},      {7, 0, 60, "ECV"},       {7, 1, 4, "VMIDBits"},
        {7, 1, 8, "VH"},        {7, 1, 16, "LO"},        {7, 1, 40, "HCX"},
        {7, 2, 12, "IESB"},     {7, 2, 24, "NV"},        {7, 2, 40, "FWB"},
        {7, 3, 0, "TCRX"},      {7, 3, 8, "S1PIE"},      {7, 4, 0, "MMFR4"},
    };
    Fixture *f = *state;

    set_every_id(UINT64_C(0x1111111111111111));
    for (size_t i = 0; i < COUNT(hidden); i++) {
        const uint64_t value = read_register(f, sys(3, 0, 0, hidden[i].crm, hidden[i].op2));

        if (((value >> hidden[i].shift) & 0xf) != 0) {
            fail_msg("%s is shown", hidden[i].feature);
        }
    }
}

// ---- debug ----

static void mdscr_is_remembered_but_only_single_steps_reach_the_cpu(void **state)
{
    Fixture *f = *state;

    f->vcpu.percpu = &f->percpu;
    write_register(f, sys(2, 0, 0, 2, 2), 0x1000); // TDCC, as Linux sets it at boot
    assert_int_equal(read_register(f, sys(2, 0, 0, 2, 2)), 0x1000);
    write_register(f, sys(2, 0, 0, 2, 2), 0x8001); // MDE, SS
    assert_int_equal(read_register(f, sys(2, 0, 0, 2, 2)), 0x8001);
    write_register(f, sys(2, 0, 0, 2, 2), UINT64_MAX);
    assert_int_equal(read_register(f, sys(2, 0, 0, 2, 2)), 0xb001);
    write_register(f, sys(2, 0, 0, 2, 2), ~UINT64_C(0xb001));
    assert_int_equal(read_register(f, sys(2, 0, 0, 2, 2)), 0);
    assert_int_equal(f->vcpu.mdscr, 0);
    for (size_t i = 0; i < arm_sim.log_count; i++) {
        if (arm_sim.log[i].op == ARM_SIM_WRITE && arm_sim.log[i].reg == ARM_REG_MDSCR_EL1) {
            assert_int_equal(arm_sim.log[i].value & ~UINT64_C(0x2001), 0);
        }
    }
    assert_int_equal(arm_sim.writes[ARM_REG_MDSCR_EL1], 4);
}

static void the_os_lock_is_open(void **state)
{
    Fixture *f = *state;

    write_register(f, sys(2, 0, 1, 0, 4), 1); // OSLAR_EL1
    assert_int_equal(read_register(f, sys(2, 0, 1, 1, 4)), 0x8);
}

// ---- GIC ----

static void group_0_never_has_an_interrupt(void **state)
{
    Fixture *f = *state;

    assert_int_equal(read_register(f, sys(3, 0, 12, 8, 0)), 1023);
    assert_int_equal(read_register(f, sys(3, 0, 12, 8, 2)), 1023);
}

static void the_system_registers_of_the_gic_stay_on(void **state)
{
    Fixture *f = *state;

    write_register(f, sys(3, 0, 12, 12, 5), 0);
    assert_int_equal(read_register(f, sys(3, 0, 12, 12, 5)), 7);
}

static void an_sgi_goes_to_the_cpus_of_its_list(void **state)
{
    static const struct {
        uint64_t value;
        uint64_t target;
        uint64_t list;
        uint32_t vector;
        bool to_all;
    } sgis[] = {
        {0x0000000000000001, 0, 0x0001, 0, false},
        {0x000000000f00ffff, 0, 0xffff, 15, false},
        {0x0000000003420002, 0x4200, 0x0002, 3, false},                 // Aff1
        {0x0000004305000004, 0x430000, 0x0004, 5, false},               // Aff2
        {0x0044000000000008, UINT64_C(0x4400000000), 0x0008, 0, false}, // Aff3
        {0x0000f00001008000, 240, 0x8000, 1, false},                    // RS
        {0x00ff10ff0fff0001, UINT64_C(0xff00ffff10), 0x0001, 15, false},
        {0x0000010007000000, 0, 0, 7, true}, // IRM
        {0x00fff1ff0fffffff, 0, 0, 15, true},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(sgis); i++) {
        fixture_reset(state);
        f->vcpu.regs.x[RT] = sgis[i].value;
        assert_int_equal(access_register(f, sys(3, 0, 12, 11, 5), false, RT), AARCH64_EXIT);
        assert_int_equal(f->exit.reason, AX_EXIT_SEND_IPI);
        assert_int_equal(f->exit.ipi.target_cpu, sgis[i].target);
        assert_int_equal(f->exit.ipi.target_list, sgis[i].list);
        assert_int_equal(f->exit.ipi.vector, sgis[i].vector);
        assert_int_equal(f->exit.ipi.to_all, sgis[i].to_all);
        assert_false(f->exit.ipi.to_self);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    }
}

static void an_sgi_to_nobody_is_nothing(void **state)
{
    Fixture *f = *state;

    write_register(f, sys(3, 0, 12, 11, 5), 0x0f000000);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
}

static void the_sgi_register_cannot_be_read(void **state)
{
    Fixture *f = *state;

    assert_int_equal(access_register(f, sys(3, 0, 12, 11, 5), true, RT), AARCH64_RESUME);
    assert_undefined(f);
}

static void icc_dir_deactivates_an_interrupt_outside_of_the_list_registers(void **state)
{
    Fixture *f = *state;

    f->vcpu.gic.active[1] = 1;
    f->vcpu.gic.active_outside = 1;
    arm_sim.reg[ARM_REG_ICH_VMCR_EL2] = ICH_VMCR_VEOIM;
    write_register(f, sys(3, 0, 12, 11, 1), 65);
    assert_true(aarch64_gic_irq_state(&f->vcpu, 64).active);
    write_register(f, sys(3, 0, 12, 11, 1), 64 | UINT64_C(0xffffffffff000000));
    assert_false(aarch64_gic_irq_state(&f->vcpu, 64).active);
    f->vcpu.regs.pc = GUEST_PC;
    assert_int_equal(access_register(f, sys(3, 0, 12, 11, 1), true, RT), AARCH64_RESUME);
    assert_undefined(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(every_encoding_behaves_as_listed),
        TEST(xzr_is_zero_and_swallows),
        TEST(a_cpu_with_everything_shows_what_a_guest_may_use),
        TEST(a_cpu_with_nothing_shows_nothing),
        TEST(without_aarch32_its_registers_are_zero),
        TEST(no_field_shows_more_than_the_cpu_has),
        TEST(a_cortex_a72_is_shown_without_el2_and_pmu),
        TEST(what_traps_is_hidden),
        TEST(mdscr_is_remembered_but_only_single_steps_reach_the_cpu),
        TEST(the_os_lock_is_open),
        TEST(group_0_never_has_an_interrupt),
        TEST(the_system_registers_of_the_gic_stay_on),
        TEST(an_sgi_goes_to_the_cpus_of_its_list),
        TEST(an_sgi_to_nobody_is_nothing),
        TEST(the_sgi_register_cannot_be_read),
        TEST(icc_dir_deactivates_an_interrupt_outside_of_the_list_registers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
