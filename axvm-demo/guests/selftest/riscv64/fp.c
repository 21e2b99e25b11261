// SPDX-License-Identifier: Apache-2.0
// Floating-point registers survive every way out of the guest; sstatus.FS is the guest's own.
#include "fp.h"

#include "selftest.h"

#define SEED       UINT64_C(0x123456789abc0081)
#define FMV_X_D    ".4byte 0xe2000553" // fmv.x.d a0, f0
#define FMV_D_X    ".4byte 0xf2000053" // fmv.d.x f0, zero
#define CSRR_FCSR  "csrr a0, 0x003"
#define VSETIVLI   ".4byte 0xcd80f557" // vsetivli a0, 1, e64, m1, ta, ma
#define VADD       ".4byte 0x02008057" // vadd.vv v0, v0, v1
#define CSRR_VL    "csrr a0, 0xc20"
#define CSRR_VLENB "csrr a0, 0xc22"

static uint64_t fs(void)
{
    return READ_CSR(sstatus) & SSTATUS_FS;
}

static void set_fs(uint64_t value)
{
    CLEAR_CSR(sstatus, SSTATUS_FS);
    SET_CSR(sstatus, value);
}

static void leave_the_guest(void)
{
    (void)guest_sbi3(SBI_BASE, SBI_BASE_VERSION, 0, 0, 0);
    (void)guest_sbi3(SBI_EXPERIMENTAL | GUEST_HC_NONE, 0, 0, 0, 0);
    (void)mmio_read32(GUEST_UART_BASE + 4); // something that traps
    guest_putc('#');
    guest_putc('\n');
}

static void registers_survive(void)
{
    set_fs(FS_DIRTY);
    fp_fill(SEED);
    leave_the_guest();
    GUEST_CHECK_EQ(fp_differences(SEED), 0, "floating-point registers and fcsr survive exits");
}

static void registers_survive_while_off(void)
{
    fp_fill(SEED);
    set_fs(0);
    leave_the_guest();
    GUEST_CHECK_EQ(fs(), 0, "FS stays Off");
    set_fs(FS_CLEAN);
    GUEST_CHECK_EQ(fp_differences(SEED), 0, "and the registers survive even then");
}

static bool is_illegal(const void *code)
{
    static GuestContext context;

    return !guest_step(&context, code, false) && context.cause == CAUSE_ILLEGAL;
}

static void off_means_off(void)
{
    set_fs(0);
    GUEST_CHECK(is_illegal(GUEST_CODE(FMV_D_X)), "FS Off: a write is illegal");
    GUEST_CHECK(is_illegal(GUEST_CODE(FMV_X_D)), "FS Off: a read is illegal");
    GUEST_CHECK(is_illegal(GUEST_CODE(CSRR_FCSR)), "FS Off: fcsr is illegal");
    set_fs(FS_CLEAN);
}

static void states_are_kept(void)
{
    set_fs(FS_INITIAL);
    leave_the_guest();
    GUEST_CHECK_EQ(fs(), FS_INITIAL, "FS stays Initial");
    set_fs(FS_CLEAN);
    leave_the_guest();
    GUEST_CHECK_EQ(fs(), FS_CLEAN, "FS stays Clean");
    fp_touch();
    GUEST_CHECK_EQ(fs(), FS_DIRTY, "a write makes it Dirty");
    GUEST_CHECK(READ_CSR(sstatus) >> 63 == 1, "and sets SD");
    set_fs(FS_CLEAN);
    GUEST_CHECK(READ_CSR(sstatus) >> 63 == 0, "which Clean clears");
}

// Also when the guest switches VS on.
static void vectors_stay_away(void)
{
    SET_CSR(sstatus, SSTATUS_VS);
    GUEST_CHECK(is_illegal(GUEST_CODE(VSETIVLI)), "a vector configuration is illegal");
    GUEST_CHECK(is_illegal(GUEST_CODE(VADD)), "a vector addition is illegal");
    GUEST_CHECK(is_illegal(GUEST_CODE(CSRR_VL)), "the CSR vl is illegal");
    GUEST_CHECK(is_illegal(GUEST_CODE(CSRR_VLENB)), "the CSR vlenb is illegal");
    CLEAR_CSR(sstatus, SSTATUS_VS);
}

void test_fp(void)
{
    registers_survive();
    registers_survive_while_off();
    off_means_off();
    states_are_kept();
    vectors_stay_away();
}
