// SPDX-License-Identifier: Apache-2.0
#include "riscv_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int start(void **state)
{
    (void)state;
    rv_sim_reset();
    return 0;
}

// Nothing was touched that a CPU without it traps on.
static int stop(void **state)
{
    (void)state;
    assert_int_equal(rv_sim.illegal, 0);
    return 0;
}

static RISCVFeatures features(void)
{
    RISCVFeatures result;

    riscv_features_read(&result);
    return result;
}

static void qemus_rv64_is_accepted(void **state)
{
    const char *reason = "untouched";

    (void)state;
    assert_int_equal(riscv_hardware_check(&reason), AX_OK);
    assert_string_equal(reason, "untouched");
    assert_int_equal(riscv_hardware_check(NULL), AX_OK);
}

static void lack_csrs(uint64_t first, uint64_t last)
{
    static const uint64_t numbers[] = {
#define NUMBER(name, number) number,
        RISCV_CSRS(NUMBER)
#undef NUMBER
    };

    for (size_t i = 0; i < COUNT(numbers); i++) {
        rv_sim.missing[i] |= numbers[i] >= first && numbers[i] <= last;
    }
}

static void lack_h(void)
{
    lack_csrs(0x200, 0x2ff);
    lack_csrs(0x600, 0x6ff);
    lack_csrs(0xe12, 0xe12);
}

static void lack_hgatp(void)
{
    rv_sim.missing[RV_REG_HGATP] = true;
}

static void lack_henvcfg(void)
{
    rv_sim.missing[RV_REG_HENVCFG] = true;
}

static void lack_senvcfg(void)
{
    rv_sim.missing[RV_REG_SENVCFG] = true;
}

static void lack_gstage(void)
{
    rv_sim.gstage_modes = 1;
}

static void lack_sv39x4(void)
{
    rv_sim.gstage_modes = 1u | 1u << HGATP_MODE_SV48X4;
}

static void each_lack_is_refused_with_its_own_reason(void **state)
{
    static const struct {
        void (*lack)(void);
        const char *word;
    } cases[] = {
        {lack_h, "no hypervisor extension (H)"},
        {lack_hgatp, "mstatus.TVM"},
        {lack_henvcfg, "older than 1.0"},
        {lack_senvcfg, "older than 1.0"},
        {lack_gstage, "Sv39x4"},
        {lack_sv39x4, "Sv39x4"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *reason = "";

        rv_sim_reset();
        cases[i].lack();
        assert_int_equal(riscv_hardware_check(&reason), AX_ENOHW);
        assert_non_null(strstr(reason, cases[i].word));
        assert_int_equal(riscv_hardware_check(NULL), AX_ENOHW);
        assert_int_equal(rv_sim.illegal, 0);
    }
}

// A guest of another VM may be bound while somebody asks.
static void detection_leaves_every_csr_as_it_was(void **state)
{
    uint64_t before[RV_REG_COUNT];

    (void)state;
    rv_sim.reg[RV_REG_HGATP] = UINT64_C(0x9123400000088000);
    rv_sim.reg[RV_REG_HENVCFG] = HENVCFG_CBZE;
    rv_sim.reg[RV_REG_SSTATUS] |= SSTATUS_FS_CLEAN;
    memcpy(before, rv_sim.reg, sizeof(before));
    (void)features();
    assert_int_equal(riscv_hardware_check(NULL), AX_OK);
    assert_memory_equal(before, rv_sim.reg, sizeof(before));
}

static bool masked_at_try;

static void note_mask(RvReg reg, uint64_t value)
{
    (void)value;
    if (reg == RV_REG_HGATP) {
        masked_at_try &= (rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_SIE) == 0;
    }
}

// The handler could bind or flush a guest.
static void nothing_interrupts_a_try_of_hgatp(void **state)
{
    (void)state;
    masked_at_try = true;
    rv_sim.write_hook = note_mask;
    (void)features();
    assert_true(masked_at_try);
    assert_int_not_equal(rv_sim.writes[RV_REG_HGATP], 0);
    assert_int_equal(rv_sim.reg[RV_REG_SSTATUS] & SSTATUS_SIE, SSTATUS_SIE);
}

static void the_deepest_mode_that_sticks_is_found(void **state)
{
    static const struct {
        uint32_t modes;
        uint8_t levels;
    } cases[] = {
        {0x101, 3}, {0x301, 4}, {0x701, 5}, {0x501, 3} /* a gap is not used */, {0xf701, 5},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rv_sim.gstage_modes = cases[i].modes;
        assert_int_equal(features().gstage_levels, cases[i].levels);
    }
}

// QEMU 7.2 takes any number and stops when it has to use it.
static void only_modes_that_are_defined_are_tried(void **state)
{
    (void)state;
    rv_sim.gstage_modes = UINT32_MAX;
    assert_int_equal(features().gstage_levels, 5);
    for (size_t i = 0; i < rv_sim.log_count; i++) {
        if (rv_sim.log[i].op == RV_SIM_WRITE && rv_sim.log[i].reg == RV_REG_HGATP) {
            assert_in_range(ax_get(rv_sim.log[i].value, HGATP_MODE), 0, HGATP_MODE_SV57X4);
        }
    }
}

static void vmids_have_as_many_bits_as_stick(void **state)
{
    (void)state;
    for (uint8_t bits = 0; bits <= 14; bits++) {
        rv_sim.writable[RV_REG_HGATP] = HGATP_MODE | HGATP_PPN |
                                        ax_put((UINT64_C(1) << bits) - 1, HGATP_VMID);
        assert_int_equal(features().vmid_bits, bits);
    }
}

static void sstc_needs_the_csr_and_the_leave_of_firmware(void **state)
{
    (void)state;
    assert_true(features().has_sstc);
    rv_sim.writable[RV_REG_HENVCFG] = ~HENVCFG_STCE;
    assert_false(features().has_sstc);
    rv_sim.writable[RV_REG_HENVCFG] = UINT64_MAX;
    rv_sim.missing[RV_REG_VSTIMECMP] = true;
    assert_false(features().has_sstc);
}

static void fp_is_there_when_its_state_sticks(void **state)
{
    (void)state;
    assert_true(features().has_fp);
    rv_sim.writable[RV_REG_SSTATUS] &= ~SSTATUS_FS;
    assert_false(features().has_fp);
}

static void state_enables_are_seen(void **state)
{
    (void)state;
    assert_false(features().has_stateen);
    rv_sim.missing[RV_REG_HSTATEEN0] = false;
    assert_true(features().has_stateen);
}

// ---- ISA strings ----

static const char *guest_isa(const char *host)
{
    static char buffer[256];

    memset(buffer, 'x', sizeof(buffer));
    assert_int_equal(riscv_guest_isa(host, buffer, sizeof(buffer)), AX_OK);
    return buffer;
}

static void guests_are_offered_what_needs_no_help(void **state)
{
    static const struct {
        const char *host;
        const char *guest;
    } cases[] = {
        // QEMU 7.2
        {"rv64imafdch_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc",
         "rv64imafdc_zicsr_zifencei_zihintpause_zba_zbb_zbc_zbs_sstc"},
        {"rv64imafdcvh_zba_zve64f_smaia_svinval_svnapot_svpbmt", "rv64imafdc_zba_svinval_svnapot"},
        {"rv64imac", "rv64imac"},
        {"rv64gc", "rv64imafdc_zicsr_zifencei"},
        {"rv64g_zicsr", "rv64imafd_zicsr_zifencei"},
        {"RV64IMAFDC_Zicsr", "rv64imafdc_zicsr"},
        {"rv64i", "rv64i"},
        {"rv64i_m_a_c", "rv64imac"},
        {"rv64ima_fd_c", "rv64imafdc"},
        {"rv64imafdczicsr_zba", "rv64imafdc_zicsr_zba"}, // the first needs no '_'
        {"rv64imafdcsu", "rv64imafdc"},                  // strings of old
        {"rv64imafdcsu_zba", "rv64imafdc_zba"},
        {"rv64i2p1m2p0_a2_c2p0_zba1p0_sstc1p0", "rv64imac_zba_sstc"},
        {"rv64imap_zbb", "rv64ima_zbb"}, // P, no version
        {"rv64ima2p", "rv64ima"},
        {"rv64imac_zbb_zba", "rv64imac_zba_zbb"},
        {"rv64imac_zbax_xvendor_sstcx_zb", "rv64imac"}, // no name that only begins alike
        {"rv64imac_zicbom_zicboz_zkr_smstateen_ssaia_h", "rv64imac"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(guest_isa(cases[i].host), cases[i].guest);
    }
}

static void a_string_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "rv",         "rv64",         "rv32imac",      "rv128imac", "rv64e",
        "rv64ma",    "x86",        "rv64imac_",    "rv64imac__zba", "rv64i zba", "rv64i_z",
        "rv64imacz", "rv64imac_9", "rv64imac-zba", "rv64i_zba_",    "rv64\xff",  "rv64imac,zba",
    };
    char buffer[64] = "kept";

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(riscv_guest_isa(bad[i], buffer, sizeof(buffer)), AX_EINVAL);
        assert_string_equal(buffer, "kept");
    }
}

static void what_this_hart_keeps_from_guests_is_not_offered(void **state)
{
    const char *host = "rv64imafdc_zfh_sstc";

    (void)state;
    assert_string_equal(guest_isa(host), "rv64imafdc_zfh_sstc");
    rv_sim.writable[RV_REG_HENVCFG] = 0;
    assert_string_equal(guest_isa(host), "rv64imafdc_zfh");
    rv_sim.writable[RV_REG_SSTATUS] &= ~SSTATUS_FS;
    assert_string_equal(guest_isa(host), "rv64imac");
}

static void without_a_string_the_letters_that_matter_are_tried(void **state)
{
    (void)state;
    assert_string_equal(guest_isa(NULL), "rv64imafdc");
    rv_sim.writable[RV_REG_SSTATUS] &= ~SSTATUS_FS;
    assert_string_equal(guest_isa(NULL), "rv64imac");
}

static void a_host_without_h_may_ask_for_the_string(void **state)
{
    (void)state;
    lack_h();
    assert_string_equal(guest_isa("rv64imac_sstc"), "rv64imac");
}

static void the_result_never_leaves_its_room(void **state)
{
    const char *host = "rv64imafdc_zicsr_zba_sstc";
    char buffer[64];

    (void)state;
    for (size_t room = 0; room < 40; room++) {
        const AxError error = room > strlen(host) ? AX_OK : AX_ENOSPC;

        memset(buffer, '#', sizeof(buffer));
        assert_int_equal(riscv_guest_isa(host, buffer, room), error);
        for (size_t i = room; i < sizeof(buffer); i++) {
            assert_int_equal(buffer[i], '#');
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(qemus_rv64_is_accepted),
        TEST(each_lack_is_refused_with_its_own_reason),
        TEST(detection_leaves_every_csr_as_it_was),
        TEST(nothing_interrupts_a_try_of_hgatp),
        TEST(the_deepest_mode_that_sticks_is_found),
        TEST(only_modes_that_are_defined_are_tried),
        TEST(vmids_have_as_many_bits_as_stick),
        TEST(sstc_needs_the_csr_and_the_leave_of_firmware),
        TEST(fp_is_there_when_its_state_sticks),
        TEST(state_enables_are_seen),
        TEST(guests_are_offered_what_needs_no_help),
        TEST(a_string_that_is_none_is_refused),
        TEST(what_this_hart_keeps_from_guests_is_not_offered),
        TEST(without_a_string_the_letters_that_matter_are_tried),
        TEST(a_host_without_h_may_ask_for_the_string),
        TEST(the_result_never_leaves_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
