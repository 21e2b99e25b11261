// SPDX-License-Identifier: Apache-2.0
// What guests see of CPUID: the host's values, cut to what works in a guest. A leaf that is not in
// the table reads as zeros.
#include "x86.h"

// Signature of KVM: with it Linux uses x2APIC without interrupt remapping, and does not try its timer
// through the IOAPIC. Of its features there is the clock (pvclock.c).
#define SIGNATURE_EBX UINT32_C(0x4b4d564b)
#define SIGNATURE_ECX UINT32_C(0x564b4d56)
#define SIGNATURE_EDX UINT32_C(0x0000004d)

#define FEATURE_CLOCK        X86_BIT(3)
#define FEATURE_CLOCK_STABLE X86_BIT(24)

#define LEAF_TCG          UINT32_C(0x40000000) // of the host
#define SIGNATURE_TCG     UINT32_C(0x54474354) // "TCGT", EBX
#define LEAF_1_CX16       X86_BIT(13)
#define LEAF_1_X2APIC     X86_BIT(21)
#define LEAF_1_DEADLINE   X86_BIT(24)
#define LEAF_1_XSAVE      X86_BIT(26)
#define LEAF_1_OSXSAVE    X86_BIT(27)
#define LEAF_1_AVX        (X86_BIT(12) | X86_BIT(28) | X86_BIT(29)) // FMA, AVX, F16C
#define LEAF_1_HYPER      X86_BIT(31)
#define LEAF_1_APIC       X86_BIT(9)
#define LEAF_7_AVX2       X86_BIT(5)
#define LEAF_7_TSC_ADJUST X86_BIT(1)
#define LEAF_6_ARAT       X86_BIT(2)

// SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND
#define LEAF_1_ECX                                                                    \
    (X86_BIT(0) | X86_BIT(1) | X86_BIT(9) | LEAF_1_CX16 | X86_BIT(19) | X86_BIT(20) | \
     X86_BIT(22) | X86_BIT(23) | X86_BIT(25) | LEAF_1_XSAVE | LEAF_1_AVX | X86_BIT(30))
// FPU VME DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2; no MCE, MTRR,
// MCA.
#define LEAF_1_EDX UINT64_C(0x078bab7f)
// FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP CLFLUSHOPT CLWB SHA
#define LEAF_7_EBX                                                                                \
    (X86_BIT(0) | X86_BIT(3) | LEAF_7_AVX2 | X86_BIT(7) | X86_BIT(8) | X86_BIT(9) | X86_BIT(10) | \
     X86_BIT(18) | X86_BIT(19) | X86_BIT(20) | X86_BIT(23) | X86_BIT(24) | X86_BIT(29))
#define LEAF_7_ECX X86_BIT(2) // UMIP
// LAHF ABM SSE4A MISALIGNSSE PREFETCHW
#define LEAF_80000001_ECX (X86_BIT(0) | X86_BIT(5) | X86_BIT(6) | X86_BIT(7) | X86_BIT(8))
// Those of leaf 1 once more, SYSCALL NX MMXEXT PDPE1GB LM
#define LEAF_80000001_EDX                                                                \
    ((LEAF_1_EDX & 0x0183f3ff) | X86_BIT(11) | X86_BIT(20) | X86_BIT(22) | X86_BIT(26) | \
     X86_BIT(29))
#define INVARIANT_TSC X86_BIT(8)

// A package of processors that share nothing.
#define LEAF_4_EAX UINT32_C(0x3ff)

#define CRYSTAL_HZ UINT64_C(1000000000) // at which the timer of the local APIC counts

#define MAX_BASIC    UINT32_C(0x16)
#define MAX_EXTENDED UINT32_C(0x80000008)

// ---- quirks ----

// CMPXCHG16B of QEMU 7.2's emulated processors leaves garbage in RFLAGS, which kills Linux.
static bool breaks_flags_with_cx16(void)
{
    return (x86_hw_cpuid(1, 0).ecx & LEAF_1_HYPER) != 0 &&
           x86_hw_cpuid(LEAF_TCG, 0).ebx == SIGNATURE_TCG;
}

// ---- leaves that differ from the host's by more than a mask ----

static uint64_t without_avx(uint64_t bits, uint64_t avx)
{
    return (x86_offered_xcr0() & XCR0_AVX) != 0 ? bits : bits & ~avx;
}

static void leaf_0(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    (void)subleaf;
    r->eax = MAX_BASIC;
}

static void leaf_1(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    uint64_t ecx = without_avx(r->ecx, LEAF_1_AVX);

    (void)subleaf;
    ecx &= breaks_flags_with_cx16() ? ~LEAF_1_CX16 : UINT64_MAX;
    ecx |= LEAF_1_X2APIC | LEAF_1_DEADLINE | LEAF_1_HYPER;
    if ((x86_read(vcpu, X86_FIELD_CR4) & CR4_OSXSAVE) != 0) {
        ecx |= LEAF_1_OSXSAVE;
    }
    r->ecx = (uint32_t)ecx;
    r->ebx = (r->ebx & 0xff00) | UINT32_C(1) << 16 | (uint32_t)vcpu->env.vcpu_id << 24;
    if (!x86_lapic_is_enabled(vcpu)) {
        r->edx &= (uint32_t)~LEAF_1_APIC;
    }
}

static void leaf_6(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    (void)subleaf;
    r->eax = (uint32_t)LEAF_6_ARAT;
}

static void leaf_7(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    if (subleaf != 0) {
        *r = (X86CpuidResult){0};
        return;
    }
    r->eax = 0;
    r->ebx = (uint32_t)(without_avx(r->ebx, LEAF_7_AVX2) | LEAF_7_TSC_ADJUST);
}

// Processors without threads, all in one package.
static void leaf_b(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    r->eax = subleaf == 1 ? 8 : 0;
    r->ebx = subleaf < 2 ? 1 : 0;
    r->ecx = subleaf | (subleaf < 2 ? (subleaf + 1) << 8 : 0);
    r->edx = (uint32_t)vcpu->env.vcpu_id;
}

// EBX is the size for XCR0 as it is, which is the guest's.
static void leaf_d(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    const uint64_t offered = x86_offered_xcr0();

    (void)vcpu;
    if (offered == 0 || subleaf >= 64) {
        *r = (X86CpuidResult){0};
    } else if (subleaf == 0) {
        r->eax = (uint32_t)offered;
        r->edx = 0;
        r->ecx = (offered & XCR0_AVX) != 0 ? X86_FP_WORDS * 8 : 576;
    } else if (subleaf == 1) {
        *r = (X86CpuidResult){.eax = r->eax & 5}; // XSAVEOPT, XGETBV with ECX 1
    } else {
        *r = (offered >> subleaf & 1) != 0 ? *r : (X86CpuidResult){0};
    }
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        const uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

// TSC by crystal. A ratio that is not exact in terms as small as Linux multiplies with is not told.
static void leaf_15(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    const uint64_t divisor = greatest_divisor(vcpu->tsc_hz, CRYSTAL_HZ);
    const uint64_t numerator = vcpu->tsc_hz / divisor;

    (void)subleaf;
    if (numerator <= UINT32_MAX / (CRYSTAL_HZ / 1000)) {
        *r = (X86CpuidResult){.eax = (uint32_t)(CRYSTAL_HZ / divisor),
                              .ebx = (uint32_t)numerator,
                              .ecx = (uint32_t)CRYSTAL_HZ};
    }
}

// MHz of the processor, at its base and at most.
static void leaf_16(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    const uint64_t mhz = vcpu->tsc_hz / 1000000;

    (void)subleaf;
    if (mhz <= UINT16_MAX) {
        r->eax = (uint32_t)mhz;
        r->ebx = (uint32_t)mhz;
    }
}

static void leaf_hypervisor(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    (void)subleaf;
    *r = (X86CpuidResult){UINT32_C(0x40000001), SIGNATURE_EBX, SIGNATURE_ECX, SIGNATURE_EDX};
}

static void leaf_features(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    (void)subleaf;
    r->eax = (uint32_t)(FEATURE_CLOCK | FEATURE_CLOCK_STABLE);
}

static void leaf_80000000(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *r)
{
    (void)vcpu;
    (void)subleaf;
    r->eax = r->eax < MAX_EXTENDED ? r->eax : MAX_EXTENDED;
}

#define ALL UINT32_MAX

typedef struct Leaf {
    uint32_t number;
    uint32_t eax; // bits of the host that stay
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    void (*adjust)(const X86VCpu *vcpu, uint32_t subleaf, X86CpuidResult *result); // or NULL
} Leaf;

static const Leaf leaves[] = {
    {0x0, 0, ALL, ALL, ALL, leaf_0},
    {0x1, ALL, ALL, (uint32_t)LEAF_1_ECX, (uint32_t)LEAF_1_EDX, leaf_1},
    {0x2, ALL, ALL, ALL, ALL, NULL},
    {0x4, LEAF_4_EAX, ALL, ALL, ALL, NULL},
    {0x6, 0, 0, 0, 0, leaf_6},
    {0x7, ALL, (uint32_t)LEAF_7_EBX, (uint32_t)LEAF_7_ECX, 0, leaf_7},
    {0xb, 0, 0, 0, 0, leaf_b},
    {0xd, ALL, ALL, ALL, ALL, leaf_d},
    {0x15, 0, 0, 0, 0, leaf_15},
    {0x16, 0, 0, 0, 0, leaf_16},
    {0x40000000, 0, 0, 0, 0, leaf_hypervisor},
    {0x40000001, 0, 0, 0, 0, leaf_features},
    {0x80000000, ALL, ALL, ALL, ALL, leaf_80000000},
    {0x80000001, ALL, 0, (uint32_t)LEAF_80000001_ECX, (uint32_t)LEAF_80000001_EDX, NULL},
    {0x80000002, ALL, ALL, ALL, ALL, NULL},
    {0x80000003, ALL, ALL, ALL, ALL, NULL},
    {0x80000004, ALL, ALL, ALL, ALL, NULL},
    {0x80000005, ALL, ALL, ALL, ALL, NULL},
    {0x80000006, ALL, ALL, ALL, ALL, NULL},
    {0x80000007, 0, 0, 0, (uint32_t)INVARIANT_TSC, NULL},
    {0x80000008, 0xffff, 0, 0, 0, NULL},
};

X86CpuidResult x86_guest_cpuid(const X86VCpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        const Leaf *found = &leaves[i];

        if (found->number == leaf) {
            X86CpuidResult r = x86_hw_cpuid(leaf, subleaf);

            r = (X86CpuidResult){r.eax & found->eax, r.ebx & found->ebx, r.ecx & found->ecx,
                                 r.edx & found->edx};
            if (found->adjust != NULL) {
                found->adjust(vcpu, subleaf, &r);
            }
            return r;
        }
    }
    return (X86CpuidResult){0};
}
