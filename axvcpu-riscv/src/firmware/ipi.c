// SPDX-License-Identifier: Apache-2.0
// IPI extension (SBI 2.0, 7): supervisor software interrupts.
#include "firmware.h"

#define SBI_EXT_IPI UINT64_C(0x735049)

// It is taken before the next entry into the guest.
static void post_to_self(const RISCVVCpu *vcpu)
{
    (void)!axvcpu_events_post_irq(vcpu->env.events, RISCV_IRQ_SOFTWARE);
}

// "All" includes the caller, which the exit for all does not.
RISCVNext riscv_send_ipi(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit)
{
    const bool self = riscv_harts_are_self(vcpu, harts);

    if (self || harts->all) {
        post_to_self(vcpu);
    }
    if (self || riscv_harts_are_none(harts)) {
        return riscv_call_return(vcpu, SBI_SUCCESS, 0);
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_SEND_IPI,
        .ipi = {.target_cpu = harts->base,
                .target_list = harts->mask,
                .vector = RISCV_IRQ_SOFTWARE,
                .to_all = harts->all},
    };
    return RISCV_EXIT;
}

static RISCVNext send_ipi(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    RISCVHarts harts;

    if (!riscv_harts_of_call(vcpu, &harts)) {
        return riscv_call_error(vcpu, SBI_ERR_INVALID_PARAM);
    }
    return riscv_send_ipi(vcpu, &harts, exit);
}

static const RISCVCallHandler functions[] = {send_ipi};

const RISCVExtension riscv_sbi_ipi = {SBI_EXT_IPI, functions,
                                      sizeof(functions) / sizeof(functions[0])};
