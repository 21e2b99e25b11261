// SPDX-License-Identifier: Apache-2.0
// What the guest is told of its CPU: features that are not offered are not visible.
#include "selftest.h"

static uint64_t field(uint64_t value, unsigned shift)
{
    return (value >> shift) & 0xf;
}

void test_identity(void)
{
    const uint64_t pfr0 = READ_SYSREG(id_aa64pfr0_el1);
    const uint64_t pfr1 = READ_SYSREG(id_aa64pfr1_el1);
    const uint64_t dfr0 = READ_SYSREG(id_aa64dfr0_el1);
    const uint64_t isar1 = READ_SYSREG(id_aa64isar1_el1);

    GUEST_CHECK_EQ(READ_SYSREG(CurrentEL) >> 2, 1, "the guest runs at EL1");
    GUEST_CHECK_EQ(READ_SYSREG(mpidr_el1) & 0xff00ffffff, 0, "the boot CPU has affinity 0");
    GUEST_CHECK(READ_SYSREG(midr_el1) != 0, "MIDR_EL1 names a CPU");
    GUEST_CHECK_EQ(field(pfr0, 8), 0, "EL2 is not offered");
    GUEST_CHECK_EQ(field(pfr0, 12), 0, "EL3 is not offered");
    GUEST_CHECK_EQ(field(pfr0, 24), 1, "the GIC has a system-register interface");
    GUEST_CHECK_EQ(field(pfr0, 32), 0, "SVE is not offered");
    GUEST_CHECK_EQ(field(pfr1, 8), 0, "MTE is not offered");
    GUEST_CHECK_EQ(field(pfr1, 24), 0, "SME is not offered");
    GUEST_CHECK_EQ(field(dfr0, 8), 0, "the PMU is not offered");
    GUEST_CHECK_EQ(isar1 & 0xff000ff0, 0, "pointer authentication is not offered");
    GUEST_CHECK_EQ(READ_SYSREG(S3_0_C0_C7_7), 0, "an unallocated ID register reads as zero");
}
