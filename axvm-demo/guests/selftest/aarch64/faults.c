// SPDX-License-Identifier: Apache-2.0
// A guest that does something wrong gets a fault, and goes on.
#include "selftest.h"

#define NOWHERE     UINT64_C(0x20000000) // no device, mapped as device by the guest
#define NOWHERE_RAM UINT64_C(0xf0000000) // beyond the RAM, mapped as normal memory
#define TOO_FAR     UINT64_C(0x4000000000)

static void expect_abort(GuestFault fault, uint64_t address, const char *name)
{
    const bool external = fault.taken && ESR_EC(fault.esr) == ESR_EC_DABT_SAME_EL &&
                          ESR_DFSC(fault.esr) == ESR_DFSC_EXTERNAL;

    GUEST_CHECK(external, name);
    GUEST_CHECK_EQ(fault.far, address, name);
}

static void wild_accesses(void)
{
    expect_abort(GUEST_FAULT_OF((void)mmio_read32(NOWHERE)), NOWHERE, "a read from nowhere");
    expect_abort(GUEST_FAULT_OF(mmio_write64(NOWHERE + 8, 1)), NOWHERE + 8, "a write to nowhere");
    expect_abort(GUEST_FAULT_OF((void)mmio_read32(NOWHERE_RAM)), NOWHERE_RAM,
                 "a read behind the memory");
}

static void wild_jump(void)
{
    void (*const target)(void) = (void (*)(void))NOWHERE_RAM;
    const GuestFault fault = GUEST_FAULT_OF(target());

    GUEST_CHECK(fault.taken && ESR_EC(fault.esr) == ESR_EC_IABT_SAME_EL,
                "a jump to nowhere is an instruction abort");
    GUEST_CHECK_EQ(fault.elr, NOWHERE_RAM, "with the address of the jump");
}

#define EXPECT_UNDEFINED(instruction, name)                                          \
    do {                                                                             \
        const GuestFault fault = GUEST_FAULT_OF(__asm__ volatile(instruction         \
                                                                 :                   \
                                                                 :                   \
                                                                 : "x0", "memory")); \
        GUEST_CHECK(fault.taken &&ESR_EC(fault.esr) == ESR_EC_UNKNOWN, name);        \
    } while (0)

static void undefined_instructions(void)
{
    EXPECT_UNDEFINED("mrs x0, S3_3_C9_C12_0", "PMCR_EL0 is undefined");
    EXPECT_UNDEFINED("mrs x0, S3_0_C10_C4_4", "LORID-like registers are undefined");
    EXPECT_UNDEFINED("msr S3_0_C15_C2_0, x0", "an implementation-defined register is undefined");
    EXPECT_UNDEFINED("mrs x0, S3_4_C1_C1_0", "HCR_EL2 is undefined");
    EXPECT_UNDEFINED(".inst 0x00000000", "UDF is undefined");
}

// On a CPU that has SVE, CPACR_EL1 traps to the guest itself before the hypervisor sees anything;
// with that trap off it must still not work.
static void sve_stays_away(void)
{
    const uint64_t cpacr = READ_SYSREG(cpacr_el1);
    GuestFault fault;

    WRITE_SYSREG(cpacr_el1, cpacr | (UINT64_C(3) << 16)); // ZEN
    fault = GUEST_FAULT_OF(__asm__ volatile("mrs x0, S3_0_C1_C2_0" : : : "x0", "memory"));
    GUEST_CHECK(fault.taken && ESR_EC(fault.esr) == ESR_EC_UNKNOWN, "ZCR_EL1 is undefined");
    fault = GUEST_FAULT_OF(__asm__ volatile(".inst 0x04bf5020" : : : "x0", "memory"));
    GUEST_CHECK(fault.taken && ESR_EC(fault.esr) == ESR_EC_UNKNOWN,
                "an SVE instruction is undefined");
    WRITE_SYSREG(cpacr_el1, cpacr);
}

static void own_traps_stay_own(void)
{
    const GuestFault fault = GUEST_FAULT_OF(__asm__ volatile("brk #7"));

    GUEST_CHECK(fault.taken && ESR_EC(fault.esr) == ESR_EC_BRK,
                "BRK goes to the guest's own vector");
}

static void translation_faults_stay_own(void)
{
    const GuestFault fault = GUEST_FAULT_OF((void)mmio_read32(TOO_FAR - 8));

    GUEST_CHECK(fault.taken && ESR_DFSC(fault.esr) != ESR_DFSC_EXTERNAL,
                "a stage-1 fault is the guest's own");
}

void test_faults(void)
{
    wild_accesses();
    wild_jump();
    undefined_instructions();
    sve_stays_away();
    own_traps_stay_own();
    translation_faults_stay_own();
}
