// SPDX-License-Identifier: Apache-2.0
// x87, SSE and AVX registers survive every way out of the guest, and are no other CPU's. XCR0 takes what
// the processor would take.
#include "fp.h"
#include "selftest.h"

#define SEED       UINT64_C(0x123456789abc00)
#define OTHER_SEED UINT64_C(0x7edcba98765400)
#define ROUNDS     200u
#define VECTOR     0x50u
#define PATIENCE   UINT64_C(20000000000) // ticks

#define XCR0_X87 UINT64_C(1)
#define XCR0_SSE UINT64_C(2)
#define XCR0_AVX UINT64_C(4)

static bool has_avx;
static volatile uint32_t interrupts;

static void on_irq(uint8_t vector)
{
    (void)vector;
    interrupts = interrupts + 1;
    lapic_write(LAPIC_EOI, 0);
}

static uint8_t set_xcr(uint32_t number, uint64_t value)
{
    GUEST_TRY("xsetbv",
              :
              : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
              : "r11", "memory");
    return guest_fault.taken ? guest_fault.vector : 0;
}

static uint64_t get_xcr0(void)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

// ---- XCR0 ----

static void refused_values(void)
{
    static const struct {
        const char *name;
        uint64_t value;
        bool quirk; // the processor has it, and QEMU's do not leave for XSETBV
    } values[] = {
        {"XCR0 of 0 is #GP", 0, false},
        {"XCR0 without x87 is #GP", XCR0_SSE, false},
        {"AVX without SSE is #GP", XCR0_X87 | XCR0_AVX, false},
        {"bound registers are #GP", XCR0_X87 | 0x18, true},
        {"AVX-512 is #GP", XCR0_X87 | XCR0_SSE | XCR0_AVX | 0xe0, false},
        {"protection keys are #GP", XCR0_X87 | 0x200, true},
        {"a high bit is #GP", XCR0_X87 | UINT64_C(1) << 63, false},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (values[i].quirk && selftest_cpu_is_qemus()) {
            guest_skip(values[i].name, "QEMU 7.2 does not intercept XSETBV");
            continue;
        }
        GUEST_CHECK_EQ(set_xcr(0, values[i].value), VECTOR_GP, values[i].name);
    }
    GUEST_CHECK_EQ(set_xcr(1, XCR0_X87), VECTOR_GP, "there is no XCR1 to write");
}

static void xcr0(void)
{
    static GuestContext context;
    const uint64_t all = XCR0_X87 | XCR0_SSE | (has_avx ? XCR0_AVX : 0);

    GUEST_CHECK_EQ(get_xcr0(), XCR0_X87, "XCR0 begins with x87");
    GUEST_CHECK(set_xcr(0, XCR0_X87 | XCR0_SSE) == 0 && get_xcr0() == (XCR0_X87 | XCR0_SSE),
                "XCR0 takes SSE");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 0).ebx, 576, "CPUID has the size for it");
    GUEST_CHECK(set_xcr(0, all) == 0 && get_xcr0() == all, "XCR0 takes all that CPUID offers");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 0).ebx, has_avx ? 832 : 576, "CPUID follows");
    refused_values();
    GUEST_CHECK_EQ(get_xcr0(), all, "what is refused changes nothing");
    context.r[RAX] = XCR0_X87;
    context.r[RSP] = guest_step_stack();
    context.rflags = RFLAGS_1;
    GUEST_CHECK(!guest_step(&context, GUEST_LONG_USER, GUEST_CODE("xsetbv")) &&
                    context.vector == VECTOR_GP,
                "XSETBV is not for ring 3");
    (void)guest_cpuid(0, 0);
    (void)guest_hypercall(GUEST_HC_NONE, 0);
    GUEST_CHECK_EQ(get_xcr0(), all, "XCR0 survives exits");
}

// ---- registers ----

static void leave_by_halt(void)
{
    const uint32_t before = interrupts;

    lapic_write(LAPIC_DIVIDE, 0xb);
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    lapic_write(LAPIC_INITIAL, 1000000);
    while (interrupts == before) {
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    }
}

static void leave_by_cpuid(void)
{
    (void)guest_cpuid(0, 0);
}

static void leave_by_hypercall(void)
{
    (void)guest_hypercall(GUEST_HC_NONE, 0);
}

static void leave_by_device(void)
{
    *(volatile uint32_t *)GUEST_SCRATCH_BASE = *(volatile uint32_t *)GUEST_SCRATCH_BASE + 1;
}

static void leave_by_port(void)
{
    port_write8(SELFTEST_SCRATCH_PORT, port_read8(SELFTEST_SCRATCH_PORT));
}

static void leave_by_msr(void)
{
    write_msr(MSR_TSC_DEADLINE, read_msr(MSR_TSC_DEADLINE));
}

static void leave_by_message(void)
{
    lapic_write(LAPIC_ICR, ICR_SELF | VECTOR);
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}

static void each_exit(void)
{
    static const struct {
        const char *name;
        void (*leave)(void);
    } ways[] = {
        {"x87, SSE and AVX survive CPUID", leave_by_cpuid},
        {"x87, SSE and AVX survive a hypercall", leave_by_hypercall},
        {"x87, SSE and AVX survive accesses to a device", leave_by_device},
        {"x87, SSE and AVX survive accesses to a port", leave_by_port},
        {"x87, SSE and AVX survive accesses to MSRs", leave_by_msr},
        {"x87, SSE and AVX survive a message", leave_by_message},
        {"x87, SSE and AVX survive HLT", leave_by_halt},
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        fp_fill(SEED + i * 64, has_avx);
        ways[i].leave();
        GUEST_CHECK_EQ(fp_differences(SEED + i * 64, has_avx), 0, ways[i].name);
    }
}

// ---- two CPUs, which may share one ----

static volatile uint32_t other_rounds;
static volatile uint64_t other_differences;
static volatile bool stop;

static void prepare_cpu(void)
{
    WRITE_CR(4, READ_CR(4) | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(has_avx ? 7 : 3), "d"(0));
}

static void other_cpu(void)
{
    prepare_cpu();
    while (!stop) {
        fp_fill(OTHER_SEED, has_avx);
        leave_by_hypercall();
        leave_by_device();
        other_differences = other_differences + fp_differences(OTHER_SEED, has_avx);
        other_rounds = other_rounds + 1;
    }
}

static void two_cpus(void)
{
    const uint64_t begin = guest_ticks();
    uint64_t differences = 0;

    if (selftest_cpus() < 2) {
        guest_skip("registers are no other CPU's", "there is one CPU");
        return;
    }
    guest_cpu_start(1, other_cpu);
    while (other_rounds < ROUNDS && guest_ticks() - begin < PATIENCE) {
        fp_fill(SEED, has_avx);
        leave_by_hypercall();
        leave_by_halt();
        differences += fp_differences(SEED, has_avx);
    }
    stop = true;
    GUEST_CHECK(other_rounds >= ROUNDS, "the other CPU computes");
    GUEST_CHECK_EQ(differences, 0, "registers are no other CPU's");
    GUEST_CHECK_EQ(other_differences, 0, "nor there");
}

void test_fp(void)
{
    const uint64_t cr4 = READ_CR(4);

    GUEST_CHECK_EQ(set_xcr(0, 1), VECTOR_UD, "XSETBV without CR4.OSXSAVE is #UD");
    if ((guest_cpuid(1, 0).ecx & UINT32_C(1) << 26) == 0) {
        guest_skip("XCR0 and what it selects", "this processor has no XSAVE");
        return;
    }
    has_avx = (guest_cpuid(1, 0).ecx & UINT32_C(1) << 28) != 0;
    WRITE_CR(4, cr4 | CR4_OSXSAVE);
    guest_irq_handler(on_irq);
    xcr0();
    each_exit();
    two_cpus();
    guest_irq_handler(NULL);
    WRITE_CR(4, cr4);
}
