// SPDX-License-Identifier: Apache-2.0
// Vector registers survive every way out of the guest.
#include "fp.h"
#include "selftest.h"

#define SEED UINT64_C(0x123456789abc0000)

void test_fp(void)
{
    fp_fill(SEED);
    WRITE_SYSREG(fpcr, UINT64_C(1) << 22); // RMode, restored below
    (void)guest_hvc(PSCI_VERSION, 0, 0, 0);
    (void)guest_hvc(GUEST_HC_NONE, 0, 0, 0);
    (void)mmio_read32(GUEST_SCRATCH_BASE);
    guest_putc('#');
    guest_putc('\n');
    GUEST_CHECK_EQ(fp_differences(SEED), 0, "vector registers survive exits");
    GUEST_CHECK_EQ(READ_SYSREG(fpcr), UINT64_C(1) << 22, "FPCR survives exits");
    WRITE_SYSREG(fpcr, 0);
}
