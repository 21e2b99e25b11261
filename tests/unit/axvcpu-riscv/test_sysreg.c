// SPDX-License-Identifier: Apache-2.0
#include "exit_fixture.h"

#define INSTRUCTION_WFI     UINT32_C(0x10500073)
#define INSTRUCTION_WRS_NTO UINT32_C(0x00d00073)

#define FREE_CSR  0x5c0u // custom, supervisor, read and write
#define OTHER_CSR 0xcc0u // custom, user, read only

enum {
    CSRRW = 1,
    CSRRS = 2,
    CSRRC = 3,
    CSRRWI = 5,
    CSRRSI = 6,
    CSRRCI = 7,
};

static uint32_t csr_instruction(uint32_t csr, uint32_t funct3, uint32_t rd, uint32_t rs1)
{
    return csr << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static RISCVNext execute(Fixture *f, uint32_t instruction)
{
    f->exit.reason = AX_EXIT_COUNT;
    f->code = instruction;
    rv_sim.hlvx_hu = fixture_fetch;
    f->vcpu.trap = (RISCVTrap){.cause = CAUSE_VIRTUAL_INSTRUCTION};
    return riscv_handle_sync(&f->vcpu, &f->exit);
}

static void assert_refused(Fixture *f, uint32_t instruction)
{
    assert_int_equal(execute(f, instruction), RISCV_RESUME);
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, instruction);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
    assert_registers_unchanged(f);
}

static void assert_read_exit(const Fixture *f, uint32_t csr, uint32_t rd)
{
    assert_int_equal(f->exit.reason, AX_EXIT_SYSREG_READ);
    assert_int_equal(f->exit.sysreg.addr.value, csr);
    assert_int_equal(f->exit.sysreg.reg, rd);
    assert_int_equal(f->exit.sysreg.value, 0);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

static void assert_write_exit(const Fixture *f, uint32_t csr, uint32_t reg, uint64_t value)
{
    assert_int_equal(f->exit.reason, AX_EXIT_SYSREG_WRITE);
    assert_int_equal(f->exit.sysreg.addr.value, csr);
    assert_int_equal(f->exit.sysreg.reg, reg);
    assert_int_equal(f->exit.sysreg.value, value);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
}

// ---- which CSRs ----

// Those of extensions that guests do not have.
static const struct {
    uint16_t first;
    uint16_t last;
    const char *name;
} refused[] = {
    {0x10c, 0x10f, "sstateen0 to 3"},
    {0x114, 0x114, "sieh"},
    {0x14d, 0x14d, "stimecmp"},
    {0x150, 0x153, "siselect, sireg, sireg2, sireg3"},
    {0x154, 0x154, "siph"},
    {0x155, 0x157, "sireg4 to 6"},
    {0x15c, 0x15c, "stopei"},
    {0x15d, 0x15d, "stimecmph"},
    {0xc00, 0xc1f, "cycle, time, instret, hpmcounter3 to 31"},
    {0xda0, 0xda0, "scountovf"},
    {0xdb0, 0xdb0, "stopi"},
};

static bool guest_may_have(uint32_t csr, bool supervisor, bool writes)
{
    const uint32_t mode = (csr >> 8) & 3;

    for (size_t i = 0; i < COUNT(refused); i++) {
        if (csr >= refused[i].first && csr <= refused[i].last) {
            return false;
        }
    }
    return mode <= (supervisor ? 1 : 0) && !(writes && csr >> 10 == 3);
}

static void every_csr_number_is_refused_or_given_to_the_host(void **state)
{
    Fixture *f = *state;
    unsigned given = 0;

    for (uint32_t i = 0; i < 4096 * 4; i++) {
        const uint32_t csr = i % 4096;
        const bool supervisor = (i & 4096) != 0;
        const bool writes = (i & 8192) != 0;
        const uint32_t word = writes ? csr_instruction(csr, CSRRW, 0, 7)
                                     : csr_instruction(csr, CSRRS, 7, 0);

        fixture_reset(state);
        riscv_set_guest_mode(&f->vcpu, supervisor);
        if (!guest_may_have(csr, supervisor, writes)) {
            assert_refused(f, word);
        } else {
            assert_int_equal(execute(f, word), RISCV_EXIT);
            if (writes) {
                assert_write_exit(f, csr, 7, UINT64_C(0x1111222233330007));
            } else {
                assert_read_exit(f, csr, 7);
            }
            given++;
        }
    }
    assert_true(given > 1000);
}

// By name, so that the test above cannot be wrong in the same way as the code.
static void what_belongs_to_a_hypervisor_is_refused(void **state)
{
    static const struct {
        uint16_t csr;
        const char *name;
    } csrs[] = {
        {0x600, "hstatus"},    {0x602, "hedeleg"},    {0x603, "hideleg"},  {0x604, "hie"},
        {0x605, "htimedelta"}, {0x606, "hcounteren"}, {0x607, "hgeie"},    {0x60a, "henvcfg"},
        {0x60c, "hstateen0"},  {0x643, "htval"},      {0x644, "hip"},      {0x645, "hvip"},
        {0x64a, "htinst"},     {0x680, "hgatp"},      {0x6a8, "hcontext"}, {0xe12, "hgeip"},
        {0x200, "vsstatus"},   {0x204, "vsie"},       {0x205, "vstvec"},   {0x240, "vsscratch"},
        {0x241, "vsepc"},      {0x242, "vscause"},    {0x243, "vstval"},   {0x244, "vsip"},
        {0x24d, "vstimecmp"},  {0x280, "vsatp"},      {0x300, "mstatus"},  {0x304, "mie"},
        {0xf14, "mhartid"},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(csrs) * 6; i++) {
        static const uint8_t operations[] = {CSRRW, CSRRS, CSRRC, CSRRWI, CSRRSI, CSRRCI};

        fixture_reset(state);
        assert_refused(f, csr_instruction(csrs[i / 6].csr, operations[i % 6], 5, 6));
    }
}

static void a_read_only_csr_can_be_read_by_set_and_clear(void **state)
{
    static const struct {
        uint8_t operation;
        uint8_t rs1;
        bool reads;
    } cases[] = {
        {CSRRS, 0, true},  {CSRRC, 0, true},   {CSRRSI, 0, true},  {CSRRCI, 0, true},
        {CSRRS, 1, false}, {CSRRC, 1, false},  {CSRRSI, 1, false}, {CSRRCI, 1, false},
        {CSRRW, 0, false}, {CSRRWI, 0, false},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint32_t word = csr_instruction(OTHER_CSR, cases[i].operation, 5, cases[i].rs1);

        fixture_reset(state);
        if (cases[i].reads) {
            assert_int_equal(execute(f, word), RISCV_EXIT);
            assert_read_exit(f, OTHER_CSR, 5);
        } else {
            assert_refused(f, word);
        }
    }
}

// ---- what an instruction reads and writes ----

#define OLD UINT64_C(0xff00ff00ff00ff00)
#define R6  UINT64_C(0x1111222233330006)
#define R5  UINT64_C(0x1111222233330005)

static void every_form_reads_and_writes_what_the_manual_says(void **state)
{
    static const struct {
        uint8_t operation;
        uint8_t rd;
        uint8_t rs1;
        bool reads;
        bool writes;
        uint64_t value; // written
    } cases[] = {
        {CSRRW, 5, 6, true, true, R6},         {CSRRW, 0, 6, false, true, R6},
        {CSRRW, 5, 0, true, true, 0},          {CSRRW, 0, 0, false, true, 0},
        {CSRRW, 5, 5, true, true, R5}, // swaps
        {CSRRS, 5, 6, true, true, OLD | R6},   {CSRRS, 0, 6, true, true, OLD | R6},
        {CSRRS, 5, 0, true, false, 0},         {CSRRS, 0, 0, true, false, 0},
        {CSRRS, 5, 5, true, true, OLD | R5},   {CSRRC, 5, 6, true, true, OLD & ~R6},
        {CSRRC, 0, 6, true, true, OLD & ~R6},  {CSRRC, 5, 0, true, false, 0},
        {CSRRC, 5, 5, true, true, OLD & ~R5},  {CSRRWI, 5, 31, true, true, 31},
        {CSRRWI, 5, 0, true, true, 0},         {CSRRWI, 0, 17, false, true, 17},
        {CSRRSI, 5, 31, true, true, OLD | 31}, {CSRRSI, 5, 0, true, false, 0},
        {CSRRSI, 0, 1, true, true, OLD | 1},   {CSRRCI, 5, 31, true, true, OLD & ~UINT64_C(31)},
        {CSRRCI, 5, 0, true, false, 0},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool immediate = cases[i].operation >= CSRRWI;
        const uint32_t rd = cases[i].rd;

        fixture_reset(state);
        assert_int_equal(
            execute(f, csr_instruction(FREE_CSR, cases[i].operation, rd, cases[i].rs1)),
            RISCV_EXIT);
        if (cases[i].reads) {
            assert_read_exit(f, FREE_CSR, rd);
            assert_int_equal(riscv_complete_read(&f->vcpu, &f->exit, OLD), AX_OK);
            assert_int_equal(f->vcpu.csr_step,
                             cases[i].writes ? RISCV_CSR_WRITE_DUE : RISCV_CSR_NONE);
        }
        if (cases[i].reads && cases[i].writes) {
            assert_registers_unchanged(f);
            assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
            assert_int_equal(riscv_resume_csr(&f->vcpu, &f->exit), RISCV_EXIT);
        }
        if (cases[i].writes) {
            assert_write_exit(f, FREE_CSR, immediate ? 0 : cases[i].rs1, cases[i].value);
            assert_int_equal(riscv_complete_write(&f->vcpu, &f->exit), AX_OK);
        }
        assert_int_equal(f->vcpu.csr_step, RISCV_CSR_NONE);
        assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
        assert_int_equal(f->vcpu.regs.x[rd], rd == 0 ? 0 : OLD);
        if (rd == 0) {
            assert_registers_unchanged(f);
        }
    }
}

// A value that an earlier access left behind must not come back.
static void a_write_without_a_read_changes_no_register(void **state)
{
    Fixture *f = *state;

    (void)execute(f, csr_instruction(FREE_CSR, CSRRS, 0, 0));
    assert_int_equal(riscv_complete_read(&f->vcpu, &f->exit, OLD), AX_OK);
    f->vcpu.regs.pc = GUEST_PC;
    assert_int_equal(execute(f, csr_instruction(FREE_CSR, CSRRW, 0, 6)), RISCV_EXIT);
    assert_write_exit(f, FREE_CSR, 6, R6);
    assert_int_equal(riscv_complete_write(&f->vcpu, &f->exit), AX_OK);
    assert_registers_unchanged(f);
}

static void a_refused_write_leaves_the_destination(void **state)
{
    const uint32_t word = csr_instruction(FREE_CSR, CSRRW, 5, 6);
    Fixture *f = *state;

    (void)execute(f, word);
    assert_int_equal(riscv_complete_read(&f->vcpu, &f->exit, OLD), AX_OK);
    assert_int_equal(riscv_resume_csr(&f->vcpu, &f->exit), RISCV_EXIT);
    assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, word);
    assert_registers_unchanged(f);
    assert_int_equal(f->vcpu.csr_step, RISCV_CSR_NONE);
}

static void a_refused_read_writes_nothing(void **state)
{
    const uint32_t word = csr_instruction(FREE_CSR, CSRRS, 5, 6);
    Fixture *f = *state;

    (void)execute(f, word);
    assert_int_equal(riscv_complete_fault(&f->vcpu, &f->exit), AX_OK);
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, word);
    assert_registers_unchanged(f);
    assert_int_equal(f->vcpu.csr_step, RISCV_CSR_NONE);
}

// ---- other instructions ----

static void wfi_idles_and_wrs_nto_yields(void **state)
{
    Fixture *f = *state;

    assert_int_equal(execute(f, INSTRUCTION_WFI), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_IDLE);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 4);
    assert_int_equal(execute(f, INSTRUCTION_WRS_NTO), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NOTHING);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC + 8);
    assert_registers_unchanged(f);
}

// WFI is for the supervisor; a program may wait for its lock.
static void a_program_of_the_guest_may_not_idle(void **state)
{
    Fixture *f = *state;

    riscv_set_guest_mode(&f->vcpu, false);
    assert_refused(f, INSTRUCTION_WFI);
    fixture_reset(state);
    riscv_set_guest_mode(&f->vcpu, false);
    assert_int_equal(execute(f, INSTRUCTION_WRS_NTO), RISCV_EXIT);
    assert_int_equal(f->exit.reason, AX_EXIT_NOTHING);
}

static void what_a_guest_may_not_execute_is_illegal(void **state)
{
    static const struct {
        const char *text;
        uint32_t word;
    } words[] = {
        {"hfence.vvma x1, x2", 0x22208073},
        {"hfence.vvma", 0x22000073},
        {"hfence.gvma", 0x62000073},
        {"hinval.vvma", 0x26000073},
        {"hinval.gvma", 0x66000073},
        {"sfence.vma", 0x12000073},
        {"sinval.vma", 0x16000073},
        {"sfence.w.inval", 0x18000073},
        {"sfence.inval.ir", 0x18100073},
        {"sret", 0x10200073},
        {"mret", 0x30200073},
        {"hlv.b x1, (x2)", 0x600140f3},
        {"hlv.d x1, (x2)", 0x6c0140f3},
        {"hlvx.hu x1, (x2)", 0x643140f3},
        {"hsv.w x3, (x2)", 0x6a314073},
        {"cbo.inval (x2)", 0x0001200f},
        {"cbo.zero (x2)", 0x0041200f},
        {"wfi with rd", 0x105000f3},
        {"wfi with rs1", 0x10508073},
        {"ecall", 0x00000073},
        {"csrrw in another opcode", 0x5c0312f7},
        {"add", 0x003100b3},
        {"all ones", 0xffffffff},
        {"16 bits", 0x00000001},
    };
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(words) * 2; i++) {
        fixture_reset(state);
        riscv_set_guest_mode(&f->vcpu, i % 2 == 0);
        assert_refused(f, words[i / 2].word);
        assert_int_equal(f->stats.handled[AX_EXIT_EXCEPTION], 1);
    }
}

// ---- what stval says of the instruction ----

static void stval_is_not_believed(void **state)
{
    static const uint32_t others[] = {0, INSTRUCTION_WFI, 0x22000073, UINT32_MAX};
    Fixture *f = *state;

    for (size_t i = 0; i < COUNT(others); i++) {
        fixture_reset(state);
        f->code = 0x6c0140f3; // hlv.d
        rv_sim.hlvx_hu = fixture_fetch;
        f->vcpu.trap = (RISCVTrap){.cause = CAUSE_VIRTUAL_INSTRUCTION, .tval = others[i]};
        assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_RESUME);
        assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, f->code);
    }
}

// Another hart wrote over it: what is there now did not cause this, but is no worse.
static void a_fetched_instruction_of_16_bits_is_illegal(void **state)
{
    Fixture *f = *state;

    assert_int_equal(execute(f, 0xffff4082), RISCV_RESUME); // c.lwsp
    assert_trapped(f, CAUSE_ILLEGAL_INSTRUCTION, 0x4082);
    assert_int_equal(rv_sim.ops[RV_SIM_HLVX], 1);
}

static void code_that_went_away_is_left_to_the_guest(void **state)
{
    Fixture *f = *state;

    f->exit.reason = AX_EXIT_COUNT;
    f->vcpu.trap = (RISCVTrap){.cause = CAUSE_VIRTUAL_INSTRUCTION, .tval = INSTRUCTION_WFI};
    assert_int_equal(riscv_handle_sync(&f->vcpu, &f->exit), RISCV_RESUME);
    assert_int_equal(f->vcpu.regs.pc, GUEST_PC);
    assert_int_equal(f->vcpu.sys[RISCV_VSCAUSE], 0);
    assert_int_equal(f->exit.reason, AX_EXIT_COUNT);
    assert_registers_unchanged(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
        TEST(every_csr_number_is_refused_or_given_to_the_host),
        TEST(what_belongs_to_a_hypervisor_is_refused),
        TEST(a_read_only_csr_can_be_read_by_set_and_clear),
        TEST(every_form_reads_and_writes_what_the_manual_says),
        TEST(a_write_without_a_read_changes_no_register),
        TEST(a_refused_write_leaves_the_destination),
        TEST(a_refused_read_writes_nothing),
        TEST(wfi_idles_and_wrs_nto_yields),
        TEST(a_program_of_the_guest_may_not_idle),
        TEST(what_a_guest_may_not_execute_is_illegal),
        TEST(stval_is_not_believed),
        TEST(a_fetched_instruction_of_16_bits_is_illegal),
        TEST(code_that_went_away_is_left_to_the_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
