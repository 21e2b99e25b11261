// SPDX-License-Identifier: Apache-2.0
#include "x86.h"

#define CPUID_1_ECX_VMX        X86_BIT(5)
#define CPUID_1_ECX_XSAVE      X86_BIT(26)
#define CPUID_80000001_ECX_SVM X86_BIT(2)
#define CPUID_80000001_EDX_1GB X86_BIT(26)
#define PHYSICAL_BITS_DEFAULT  36u

static bool has_leaf(uint32_t leaf)
{
    return x86_hw_cpuid(leaf & UINT32_C(0x80000000), 0).eax >= leaf;
}

const X86Vendor *x86_vendor(void)
{
    if (has_leaf(0x80000001) && (x86_hw_cpuid(0x80000001, 0).ecx & CPUID_80000001_ECX_SVM) != 0) {
        return &svm_vendor;
    }
    return (x86_hw_cpuid(1, 0).ecx & CPUID_1_ECX_VMX) != 0 ? &vmx_vendor : NULL;
}

AxError x86_hardware_check(const char **reason)
{
    if (x86_vendor() != NULL) {
        return x86_vendor()->check(reason);
    }
    if (reason != NULL) {
        *reason = "this CPU has neither AMD SVM nor Intel VMX (QEMU: use -cpu max)";
    }
    return AX_ENOHW;
}

const AxEptFormat *x86_ept_format(void)
{
    const X86Vendor *vendor = x86_vendor();

    return vendor != NULL ? vendor->ept : svm_vendor.ept;
}

uint8_t x86_physical_bits(void)
{
    return has_leaf(0x80000008) ? (uint8_t)x86_hw_cpuid(0x80000008, 0).eax : PHYSICAL_BITS_DEFAULT;
}

bool x86_has_1g_pages(void)
{
    return has_leaf(0x80000001) && (x86_hw_cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_1GB) != 0;
}

static bool has_xsave(void)
{
    return (x86_hw_cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) != 0;
}

uint64_t x86_offered_xcr0(void)
{
    if (!has_xsave()) {
        return 0;
    }
    return x86_hw_cpuid(0xd, 0).eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
}

void x86_features_read(const X86Vendor *vendor, X86Features *features)
{
    *features = (X86Features){
        .physical_bits = x86_physical_bits(),
        .has_1g_pages = x86_has_1g_pages(),
        .has_xsave = has_xsave(),
        .xcr0 = x86_offered_xcr0(),
        .cr4 = CR4_OFFERED,
    };
    vendor->features(features);
}
