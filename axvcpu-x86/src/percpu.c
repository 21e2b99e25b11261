// SPDX-License-Identifier: Apache-2.0
#include "x86.h"

#include <string.h>

static AxError init(void *arch, AxPCpuId id, const AxVCpuHal *hal)
{
    X86PerCpu *percpu = arch;

    memset(percpu, 0, sizeof(*percpu));
    percpu->hal = hal;
    percpu->id = id;
    return AX_OK;
}

static void save_host(X86PerCpu *percpu)
{
    percpu->host.cr0 = X86_READ(CR0);
    percpu->host.cr4 = X86_READ(CR4);
    percpu->host.efer = X86_READ(EFER);
}

// The FP registers of guests are moved in the host, so it must be able to.
static void allow_fp(const X86Features *features)
{
    X86_WRITE(CR0, X86_READ(CR0) & ~(CR0_TS | CR0_EM));
    X86_WRITE(CR4, X86_READ(CR4) | CR4_OSFXSR | CR4_OSXMMEXCPT |
                       (features->has_xsave ? CR4_OSXSAVE : 0));
}

static AxError enable(void *arch)
{
    X86PerCpu *percpu = arch;
    AxError error = x86_hardware_check(NULL);

    if (error != AX_OK) {
        return error;
    }
    if ((X86_READ(EFER) & EFER_SVME) != 0 || (X86_READ(CR4) & CR4_VMXE) != 0) {
        return AX_EBUSY; // somebody else uses it
    }
    x86_features_read(x86_vendor(), &percpu->features);
    save_host(percpu);
    error = x86_vendor()->enable(percpu);
    if (error != AX_OK) {
        return error;
    }
    allow_fp(&percpu->features);
    percpu->enabled = true;
    return AX_OK;
}

static AxError disable(void *arch)
{
    X86PerCpu *percpu = arch;

    x86_vendor()->disable(percpu);
    X86_WRITE(EFER, percpu->host.efer);
    X86_WRITE(CR4, percpu->host.cr4);
    X86_WRITE(CR0, percpu->host.cr0);
    percpu->residents = (AxTagResidents){0};
    percpu->enabled = false;
    return AX_OK;
}

static AxPerCpuCaps caps(const void *arch)
{
    const X86PerCpu *percpu = arch;
    const uint8_t bits = x86_physical_bits();

    return (AxPerCpuCaps){
        .ept_levels = 4,
        .gpa_bits = bits < 48 ? bits : 48,
        .tag_bits = percpu->features.tag_bits,
    };
}

const AxArchPerCpuOps x86_percpu_ops = {
    .name = "x86_64",
    .init = init,
    .enable = enable,
    .disable = disable,
    .caps = caps,
};
