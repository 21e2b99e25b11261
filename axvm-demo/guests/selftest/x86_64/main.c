// SPDX-License-Identifier: Apache-2.0
// What the hypervisor promises a guest of this architecture, as TAP.
#include "selftest.h"

#define SCRATCH_PORT (GUEST_UART_PORT + 7)
#define NO_PORT      0x5f0

static void test_ports(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 0x5a};
    uint8_t back[2] = {0};
    uint64_t rax = UINT64_C(0x1122334455667788);
    const void *from = bytes;
    void *to = back;
    uint64_t count = sizeof(bytes);

    port_write8(SCRATCH_PORT, 0xa5);
    GUEST_CHECK_EQ(port_read8(SCRATCH_PORT), 0xa5, "a port keeps what is written");
    __asm__ volatile("inb %1, %%al" : "+a"(rax) : "d"((uint16_t)SCRATCH_PORT));
    GUEST_CHECK_EQ(rax, UINT64_C(0x11223344556677a5), "inb leaves the rest of rax");
    __asm__ volatile("rep outsb"
                     : "+S"(from), "+c"(count)
                     : "d"((uint16_t)SCRATCH_PORT)
                     : "memory");
    GUEST_CHECK_EQ(count, 0, "rep outsb counts down");
    GUEST_CHECK_EQ((uint64_t)from, (uint64_t)(bytes + sizeof(bytes)), "rep outsb goes on");
    GUEST_CHECK_EQ(port_read8(SCRATCH_PORT), 0x5a, "rep outsb writes all");
    count = sizeof(back);
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"((uint16_t)SCRATCH_PORT) : "memory");
    GUEST_CHECK_EQ(back[1], 0x5a, "rep insb reads all");
    GUEST_CHECK_EQ(port_read8(NO_PORT), 0xff, "a port that nobody has reads as ones");
}

static void test_identity(void)
{
    const GuestCpuid features = guest_cpuid(1, 0);

    GUEST_CHECK((features.ecx & UINT32_C(1) << 31) != 0, "CPUID says that this is a guest");
    GUEST_CHECK((features.ecx & UINT32_C(1) << 5) == 0, "CPUID hides VMX");
    GUEST_CHECK((guest_cpuid(0x80000001, 0).ecx & UINT32_C(1) << 2) == 0, "CPUID hides SVM");
    GUEST_CHECK((guest_cpuid(6, 0).eax & UINT32_C(1) << 2) != 0, "the timer never stops (ARAT)");
}

static void check_fault(uint8_t vector, uint64_t error, const char *name)
{
    GUEST_CHECK(guest_fault.taken && guest_fault.vector == vector && guest_fault.error == error,
                name);
    if (!guest_fault.taken || guest_fault.vector != vector) {
        guest_printf("# taken %u vector %u error 0x%lx\n", (unsigned)guest_fault.taken,
                     (unsigned)guest_fault.vector, guest_fault.error);
    }
}

static void test_some_exceptions(void)
{
    GUEST_TRY("ud2", : : : "r11", "memory");
    check_fault(VECTOR_UD, 0, "ud2 is #UD");
    GUEST_TRY("rdmsr", : : "c"(0x12345678) : "rax", "rdx", "r11", "memory");
    check_fault(VECTOR_GP, 0, "an MSR that is not there is #GP");
    GUEST_TRY("wrmsr", : : "c"(0x12345678), "a"(0), "d"(0) : "r11", "memory");
    check_fault(VECTOR_GP, 0, "writing it, too");
    GUEST_TRY("vmrun %%rax", : : "a"(0) : "r11", "memory");
    check_fault(VECTOR_UD, 0, "vmrun is #UD");
    GUEST_TRY("movb (%0), %%al", : : "r"(UINT64_C(0x7fff00000000)) : "rax", "r11", "memory");
    check_fault(VECTOR_PF, 0, "what is not mapped is #PF");
    GUEST_TRY("divl %%ecx", : : "a"(1), "d"(0), "c"(0) : "r11", "memory");
    check_fault(VECTOR_DE, 0, "a division by 0 is #DE");
}

static void test_registers(void)
{
    static const uint32_t msrs[] = {0x174,      0x175,      0x176,     0xc0000081,
                                    0xc0000082, 0xc0000083, 0xc0000102};

    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        write_msr(msrs[i], UINT64_C(0x1000) * (i + 1));
    }
    (void)guest_cpuid(0, 0); // leaves the guest and comes back
    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        GUEST_CHECK_EQ(read_msr(msrs[i]), UINT64_C(0x1000) * (i + 1), "an MSR keeps its value");
    }
    GUEST_CHECK_EQ(read_msr(0xc0000080) & 0x7ff, 0x500, "EFER has LME and LMA");
}

void guest_main(void)
{
    test_ports();
    test_identity();
    test_some_exceptions();
    test_exceptions();
    test_registers();
    test_load_store();
    test_memory();
    test_timers();
    test_smp();
}
