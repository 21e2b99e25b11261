// SPDX-License-Identifier: Apache-2.0
// What CPUID tells a guest, and which MSRs it has.
#include "selftest.h"

#include <string.h>

typedef enum Output { EAX, EBX, ECX, EDX } Output;

static uint32_t output(GuestCpuid r, Output which)
{
    const uint32_t outputs[] = {r.eax, r.ebx, r.ecx, r.edx};

    return outputs[which];
}

// A bit of CPUID that is always set, or never, whatever the processor has.
typedef struct Feature {
    const char *name;
    uint32_t leaf;
    uint8_t output; // Output
    uint8_t bit;
    bool shown;
} Feature;

static const Feature features[] = {
    {"CPUID says that this is a guest", 1, ECX, 31, true},
    {"CPUID shows x2APIC", 1, ECX, 21, true},
    {"CPUID shows the TSC-deadline timer", 1, ECX, 24, true},
    {"CPUID hides MONITOR", 1, ECX, 3, false},
    {"CPUID hides VMX", 1, ECX, 5, false},
    {"CPUID hides SMX", 1, ECX, 6, false},
    {"CPUID hides SpeedStep", 1, ECX, 7, false},
    {"CPUID hides performance capabilities", 1, ECX, 15, false},
    {"CPUID hides direct cache access", 1, ECX, 18, false},
    {"CPUID shows the FPU", 1, EDX, 0, true},
    {"CPUID shows the TSC", 1, EDX, 4, true},
    {"CPUID shows MSRs", 1, EDX, 5, true},
    {"CPUID shows PAE", 1, EDX, 6, true},
    {"CPUID hides machine checks", 1, EDX, 7, false},
    {"CPUID shows the local APIC", 1, EDX, 9, true},
    {"CPUID hides MTRRs", 1, EDX, 12, false},
    {"CPUID hides the machine-check architecture", 1, EDX, 14, false},
    {"CPUID hides debug stores", 1, EDX, 21, false},
    {"CPUID hides thermal control", 1, EDX, 22, false},
    {"CPUID hides threads", 1, EDX, 28, false},
    {"CPUID shows SSE2", 1, EDX, 26, true},
    {"the timer never stops (ARAT)", 6, EAX, 2, true},
    {"CPUID hides digital thermometers", 6, EAX, 0, false},
    {"CPUID hides APERF and MPERF", 6, ECX, 0, false},
    {"CPUID hides SGX", 7, EBX, 2, false},
    {"CPUID hides transactions (HLE)", 7, EBX, 4, false},
    {"CPUID hides transactions (RTM)", 7, EBX, 11, false},
    {"CPUID hides bound registers", 7, EBX, 14, false},
    {"CPUID hides AVX-512", 7, EBX, 16, false},
    {"CPUID hides processor tracing", 7, EBX, 25, false},
    {"CPUID hides protection keys", 7, ECX, 3, false},
    {"CPUID hides five levels of page tables", 7, ECX, 16, false},
    {"CPUID hides control of speculation", 7, EDX, 26, false},
    {"CPUID hides SVM", 0x80000001, ECX, 2, false},
    {"CPUID hides instruction-based sampling", 0x80000001, ECX, 10, false},
    {"CPUID hides the topology extensions", 0x80000001, ECX, 22, false},
    {"CPUID shows SYSCALL", 0x80000001, EDX, 11, true},
    {"CPUID shows pages without code", 0x80000001, EDX, 20, true},
    {"CPUID shows long mode", 0x80000001, EDX, 29, true},
};

static void each_feature(void)
{
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const Feature *f = &features[i];
        const uint32_t value = output(guest_cpuid(f->leaf, 0), (Output)f->output);

        GUEST_CHECK((value >> f->bit & 1) == (f->shown ? 1 : 0), f->name);
    }
}

// Leaves of what guests do not have, and beyond the last.
static const uint32_t empty_leaves[] = {0x3,        0x5,        0xa,        0xf,        0x10,
                                        0x12,       0x14,       0x1f,       0x40000002, 0x4fffffff,
                                        0x8000000a, 0x8000001b, 0x8000001f, 0xc0000000};

static void each_empty_leaf(void)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < sizeof(empty_leaves) / sizeof(empty_leaves[0]); i++) {
        const GuestCpuid r = guest_cpuid(empty_leaves[i], 0);

        if ((r.eax | r.ebx | r.ecx | r.edx) != 0) {
            guest_printf("# leaf 0x%x: 0x%x 0x%x 0x%x 0x%x\n", empty_leaves[i], r.eax, r.ebx, r.ecx,
                         r.edx);
            bad++;
        }
    }
    GUEST_CHECK_EQ(bad, 0, "leaves of what guests do not have are empty");
}

static void leaf_0(void)
{
    const GuestCpuid r = guest_cpuid(0, 0);
    const uint32_t vendor[3] = {r.ebx, r.edx, r.ecx};

    GUEST_CHECK(r.eax >= 0xd && r.eax < 0x20, "there are the basic leaves up to 0xd");
    GUEST_CHECK(memcmp(vendor, "AuthenticAMD", 12) == 0 || memcmp(vendor, "GenuineIntel", 12) == 0,
                "CPUID names the vendor");
    GUEST_CHECK_EQ(guest_cpuid(0x80000000, 0).eax, 0x80000008, "the last extended leaf is 8");
}

static void topology(void)
{
    const GuestCpuid threads = guest_cpuid(0xb, 0);
    const GuestCpuid cores = guest_cpuid(0xb, 1);

    GUEST_CHECK_EQ(guest_cpuid(1, 0).ebx >> 24, guest_cpu(), "leaf 1 has the APIC id");
    GUEST_CHECK_EQ(threads.edx, guest_cpu(), "leaf 0xb has the x2APIC id");
    GUEST_CHECK_EQ(threads.ecx, 0x100, "its first level is threads");
    GUEST_CHECK_EQ(threads.eax, 0, "a core has one");
    GUEST_CHECK_EQ(cores.ecx, 0x201, "its second level is cores");
    GUEST_CHECK_EQ(guest_cpuid(0xb, 2).ebx, 0, "it has no third one");
    GUEST_CHECK_EQ(guest_cpuid(0xb, 2).ecx, 2, "which it says of itself");
}

static void state_components(void)
{
    const bool has_avx = (guest_cpuid(1, 0).ecx & UINT32_C(1) << 28) != 0;
    const GuestCpuid sizes = guest_cpuid(0xd, 0);

    GUEST_CHECK_EQ(sizes.eax, has_avx ? 7 : 3, "XCR0 has x87, SSE and AVX");
    GUEST_CHECK_EQ(sizes.edx, 0, "and nothing else");
    GUEST_CHECK_EQ(sizes.ecx, has_avx ? 832 : 576, "the state's size");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 2).eax, has_avx ? 256 : 0, "AVX's part of it");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 2).ebx, has_avx ? 576 : 0, "where that is");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 9).eax, 0, "there are no protection keys in it");
    GUEST_CHECK_EQ(guest_cpuid(0xd, 63).eax, 0, "nor anything at its end");
}

static void hypervisor(void)
{
    const GuestCpuid r = guest_cpuid(0x40000000, 0);
    const uint32_t name[3] = {r.ebx, r.ecx, r.edx};

    GUEST_CHECK_EQ(r.eax, 0x40000001, "the hypervisor has two leaves");
    GUEST_CHECK(memcmp(name, "KVMKVMKVM\0\0\0", 12) == 0, "the hypervisor has KVM's interface");
}

// CPUID.1:ECX.OSXSAVE is CR4's bit.
static void osxsave(void)
{
    const uint64_t cr4 = READ_CR(4);

    GUEST_CHECK_EQ(guest_cpuid(1, 0).ecx >> 27 & 1, 0, "OSXSAVE is clear");
    WRITE_CR(4, cr4 | CR4_OSXSAVE);
    GUEST_CHECK_EQ(guest_cpuid(1, 0).ecx >> 27 & 1, 1, "OSXSAVE follows CR4");
    WRITE_CR(4, cr4);
}

// All registers but the outputs survive, and the inputs' upper halves do not count.
static void cpuid_itself(void)
{
    static GuestContext context;
    const GuestCpuid r = guest_cpuid(1, 0);

    for (unsigned n = 0; n < 16; n++) {
        context.r[n] = UINT64_C(0xfedcba9800000000) + n;
    }
    context.r[RAX] = UINT64_C(0xffffffff00000001);
    context.rflags = RFLAGS_1 | RFLAGS_CF | RFLAGS_ZF | RFLAGS_DF;
    GUEST_CHECK(guest_step(&context, GUEST_LONG_USER, GUEST_CODE("cpuid")) &&
                    context.r[RAX] == r.eax && context.r[RBX] == r.ebx && context.r[RDX] == r.edx &&
                    context.r[R15] == UINT64_C(0xfedcba980000000f) &&
                    (context.rflags & 0xfff) == (RFLAGS_1 | RFLAGS_CF | RFLAGS_ZF | RFLAGS_DF),
                "CPUID from ring 3 changes its outputs alone");
}

// ---- MSRs ----

#define NO_FAULT 0xffu

// The vector that the access raised, or NO_FAULT.
static uint8_t try_read(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0;
    uint32_t high = 0;

    GUEST_TRY("rdmsr", : "+a"(low), "+d"(high) : "c"(msr) : "r11", "memory");
    *value = (uint64_t)high << 32 | low;
    return guest_fault.taken ? guest_fault.vector : NO_FAULT;
}

static uint8_t try_write(uint32_t msr, uint64_t value)
{
    GUEST_TRY("wrmsr",
              :
              : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
              : "r11", "memory");
    return guest_fault.taken ? guest_fault.vector : NO_FAULT;
}

typedef struct Kept {
    const char *name;
    uint32_t msr;
    uint64_t value;
} Kept;

static const Kept kept[] = {
    {"SYSENTER_CS keeps its value", 0x174, 0x1000},
    {"SYSENTER_ESP keeps its value", 0x175, UINT64_C(0xffff800000001000)},
    {"SYSENTER_EIP keeps its value", 0x176, UINT64_C(0xffff800000002000)},
    {"PAT keeps its value", 0x277, UINT64_C(0x0007040600070105)},
    {"STAR keeps its value", 0xc0000081, UINT64_C(0x0013000800000000)},
    {"LSTAR keeps its value", 0xc0000082, UINT64_C(0xffff800000003000)},
    {"CSTAR keeps its value", 0xc0000083, UINT64_C(0xffff800000004000)},
    {"SFMASK keeps its value", 0xc0000084, 0x47700},
    {"FS_BASE keeps its value", 0xc0000100, UINT64_C(0x123456789000)},
    {"GS_BASE keeps its value", 0xc0000101, UINT64_C(0xffff888812345000)},
    {"KERNEL_GS_BASE keeps its value", 0xc0000102, UINT64_C(0xffff900000000000)},
};

#define KEPT (sizeof(kept) / sizeof(kept[0]))

static void each_kept(void)
{
    uint64_t before[KEPT];
    uint64_t value;

    for (size_t i = 0; i < KEPT; i++) {
        before[i] = read_msr(kept[i].msr);
        GUEST_CHECK(try_write(kept[i].msr, kept[i].value) == NO_FAULT, kept[i].name);
    }
    (void)guest_cpuid(0, 0);
    (void)guest_hypercall(GUEST_HC_NONE, 0);
    *(volatile uint32_t *)GUEST_SCRATCH_BASE = 1;
    for (size_t i = 0; i < KEPT; i++) {
        GUEST_CHECK(try_read(kept[i].msr, &value) == NO_FAULT && value == kept[i].value,
                    kept[i].name);
        write_msr(kept[i].msr, before[i]);
    }
}

typedef struct Refused {
    const char *name;
    uint32_t msr;
    uint64_t value;
} Refused;

// Writes of values that are #GP, and change nothing.
static const Refused refused[] = {
    {"EFER with SVME is #GP", 0xc0000080, 0x1500},
    {"EFER with a reserved bit is #GP", 0xc0000080, 0x502},
    {"EFER with a high bit is #GP", 0xc0000080, UINT64_C(1) << 40 | 0x500},
    {"EFER without LME while paging is #GP", 0xc0000080, 0},
    {"PAT with type 2 is #GP", 0x277, UINT64_C(0x0007040600070206)},
    {"PAT with type 3 is #GP", 0x277, UINT64_C(0x0307040600070106)},
    {"PAT with type 8 is #GP", 0x277, UINT64_C(0x0008040600070106)},
    {"APIC_BASE at another page is #GP", 0x1b, UINT64_C(0xfee01900)},
    {"APIC_BASE with a reserved bit is #GP", 0x1b, UINT64_C(0xfee00901)},
    {"x2APIC without its enable bit is #GP", 0x1b, UINT64_C(0xfee00500)},
    {"an x2APIC register in xAPIC mode is #GP", 0x80f, 0x1ff},
    {"MTRRcap is read-only", 0xfe, 0},
    {"PLATFORM_ID is read-only", 0x17, 0},
};

static void each_refused(void)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        uint64_t before = 0;
        uint64_t after = 0;

        (void)try_read(refused[i].msr, &before);
        const uint8_t vector = try_write(refused[i].msr, refused[i].value);

        (void)try_read(refused[i].msr, &after);
        GUEST_CHECK(vector == VECTOR_GP && before == after, refused[i].name);
    }
}

// A value that is not canonical; QEMU's processors do not look.
static void not_canonical(void)
{
    static const uint32_t msrs[] = {0x175, 0x176, 0xc0000082, 0xc0000100, 0xc0000101, 0xc0000102};
    uint32_t bad = 0;

    if (selftest_cpu_is_qemus()) {
        guest_skip("an address that is not canonical is #GP", "QEMU's processors take any");
        return;
    }
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        bad += try_write(msrs[i], UINT64_C(1) << 63) == VECTOR_GP ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "an address that is not canonical is #GP");
}

// Of VMX, SVM, speculation control, performance counters, machine checks, other hypervisors, and none.
static const uint32_t absent[] = {
    0x3a,       0x48,       0x49,       0x8f,       0xc1,       0xe7,       0xe8,
    0x10b,      0x122,      0x186,      0x309,      0x38f,      0x400,      0x480,
    0x48b,      0x491,      0x560,      0x570,      0x6a0,      0x6e1,      0x802,
    0x830,      0x8ff,      0x900,      0xc80,      0xd90,      0xda0,      0x1fff,
    0x2000,     0x12345678, 0x40000000, 0x40000001, 0xbfffffff, 0xc0000085, 0xc0000104,
    0xc0001fff, 0xc0002000, 0xc0010117, 0xc0010020, 0xc0012000, 0xffffffff,
};

static void each_absent(void)
{
    uint32_t bad_reads = 0;
    uint32_t bad_writes = 0;
    uint64_t value;

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        const bool reads = try_read(absent[i], &value) != VECTOR_GP;
        const bool writes = try_write(absent[i], 0) != VECTOR_GP;

        if (reads || writes) {
            guest_printf("# MSR 0x%x\n", absent[i]);
        }
        bad_reads += reads ? 1 : 0;
        bad_writes += writes ? 1 : 0;
    }
    GUEST_CHECK_EQ(bad_reads, 0, "an MSR that is not there is #GP");
    GUEST_CHECK_EQ(bad_writes, 0, "writing it, too");
}

// What guests touch although CPUID does not offer it: reads as zero.
static const uint32_t tolerated[] = {0x17,       0x8b,       0xfe,       0x179,     0x2ff,
                                     0xc0010015, 0xc0010055, 0xc0010114, 0xc0011029};

static void each_tolerated(void)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < sizeof(tolerated) / sizeof(tolerated[0]); i++) {
        uint64_t value;

        bad += try_read(tolerated[i], &value) == NO_FAULT && value == 0 ? 0 : 1;
    }
    GUEST_CHECK_EQ(bad, 0, "what Linux touches without asking reads as 0");
}

static void special_msrs(void)
{
    const uint64_t tsc = read_msr(0x10);

    GUEST_CHECK_EQ(read_msr(0xc0000080) & 0x7ff, 0x500, "EFER has LME and LMA");
    GUEST_CHECK_EQ(read_msr(MSR_APIC_BASE), 0xfee00900, "APIC_BASE: on, the first CPU's");
    GUEST_CHECK(guest_ticks() >= tsc, "the TSC's MSR is what RDTSC reads");
    GUEST_CHECK_EQ(read_msr(0x1a0) & 1, 1, "MISC_ENABLE has fast strings");
}

void test_identity(void)
{
    each_feature();
    each_empty_leaf();
    leaf_0();
    topology();
    state_components();
    hypervisor();
    osxsave();
    cpuid_itself();
}

void test_msrs(void)
{
    each_kept();
    each_refused();
    not_canonical();
    each_absent();
    each_tolerated();
    special_msrs();
}

// The last of all: the CPUs' times are no longer the same.
void test_tsc_write(void)
{
    const uint64_t later = guest_ticks() + (UINT64_C(1) << 40);

    write_msr(0x10, later);
    GUEST_CHECK(guest_ticks() - later < UINT64_C(1) << 40, "the TSC can be written");
    write_msr(0x10, 0);
    GUEST_CHECK(guest_ticks() < UINT64_C(1) << 40, "and set back");
}
