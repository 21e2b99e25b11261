// SPDX-License-Identifier: Apache-2.0
// What the guest is told of its machine, and that it is so.
#include "selftest.h"

#define STIMECMP_READ "csrr a0, 0x14d"

static bool has_stimecmp(void)
{
    return !GUEST_FAULT_OF(__asm__ volatile(STIMECMP_READ : : : "a0", "memory")).taken;
}

void test_identity(void)
{
    const uint64_t rate = guest_tick_rate();

    GUEST_CHECK_EQ(guest_cpu(), 0, "the boot hart is hart 0");
    GUEST_CHECK_EQ(guest_boot_tree() % 8, 0, "the device tree is aligned to 8");
    GUEST_CHECK_EQ(mmio_read32(guest_boot_tree()), 0xedfe0dd0, "and begins with its magic");
    GUEST_CHECK(rate >= 1000000 && rate <= 1000000000, "the time base is 1 MHz to 1 GHz");
    GUEST_CHECK(guest_tree_has("riscv,isa", "rv64ima"), "the harts are RV64IMA at least");
    GUEST_CHECK(!guest_tree_has("riscv,isa", "rv64imafdch") && !guest_tree_has("riscv,isa", "_h_"),
                "the hypervisor extension is not offered");
    GUEST_CHECK_EQ(guest_tree_has("riscv,isa", "sstc"), has_stimecmp(),
                   "stimecmp is there when the device tree says so");
    GUEST_CHECK_EQ(READ_CSR(sstatus) >> 32 & 3, 2, "user mode is RV64 (UXL)");
}
