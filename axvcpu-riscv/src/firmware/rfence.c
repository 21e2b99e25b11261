// SPDX-License-Identifier: Apache-2.0
// RFENCE extension (SBI 2.0, 8). The HFENCE functions are not in the table: guests have no
// hypervisor extension.
#include "firmware.h"

#define SBI_EXT_RFENCE UINT64_C(0x52464e43)

#define ASID_MAX UINT64_C(0xffff) // ASIDLEN is 16 at most

// What only the caller needs is carried out before its next entry, without the host.
static RISCVNext remote_fence(RISCVVCpu *vcpu, const RISCVHarts *harts, const AxFence *fence,
                              AxVCpuExit *exit)
{
    const bool self = riscv_harts_are_self(vcpu, harts);

    if (self) {
        (void)!axvcpu_events_post_fence(vcpu->env.events, fence);
    }
    if (self || riscv_harts_are_none(harts)) {
        return riscv_call_return(vcpu, SBI_SUCCESS, 0);
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_REMOTE_FENCE,
        .remote_fence = {.target_cpu = harts->base,
                         .target_list = harts->mask,
                         .to_all = harts->all,
                         .fence = *fence},
    };
    return RISCV_EXIT;
}

RISCVNext riscv_remote_fence_i(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit)
{
    return remote_fence(vcpu, harts, &(AxFence){.instructions = true}, exit);
}

// Everything when `size` is 0 or the maximum; the specification wants that of 0 at 0 only, but there
// is no reason to do nothing elsewhere. False for a range that leaves the address space.
static bool set_range(AxFence *fence, uint64_t start, uint64_t size)
{
    if (size == 0 || size == UINT64_MAX) {
        return true;
    }
    fence->start = ax_gva(start);
    fence->size = size;
    return size - 1 <= UINT64_MAX - start;
}

RISCVNext riscv_remote_sfence(RISCVVCpu *vcpu, const RISCVHarts *harts, uint32_t first,
                              bool has_asid, AxVCpuExit *exit)
{
    const uint64_t asid = has_asid ? riscv_call_arg(vcpu, first + 2) : 0;
    AxFence fence = {.translations = true, .has_asid = has_asid, .asid = asid};

    if (asid > ASID_MAX) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    if (!set_range(&fence, riscv_call_arg(vcpu, first), riscv_call_arg(vcpu, first + 1))) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_ADDRESS);
    }
    return remote_fence(vcpu, harts, &fence, exit);
}

static RISCVNext fence_i(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    RISCVHarts harts;

    if (!riscv_harts_of_call(vcpu, &harts)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    return riscv_remote_fence_i(vcpu, &harts, exit);
}

static RISCVNext sfence(RISCVVCpu *vcpu, bool has_asid, AxVCpuExit *exit)
{
    RISCVHarts harts;

    if (!riscv_harts_of_call(vcpu, &harts)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    return riscv_remote_sfence(vcpu, &harts, 2, has_asid, exit);
}

static RISCVNext sfence_vma(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return sfence(vcpu, false, exit);
}

static RISCVNext sfence_vma_asid(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    return sfence(vcpu, true, exit);
}

static const RISCVCallHandler functions[] = {fence_i, sfence_vma, sfence_vma_asid};

const RISCVExtension riscv_sbi_rfence = {SBI_EXT_RFENCE, functions,
                                         sizeof(functions) / sizeof(functions[0])};
