// SPDX-License-Identifier: Apache-2.0
#include "arm.h"
#include "arm_regs.h"

#include <string.h>

static AxError reset(void *arch)
{
    Aarch64VCpu *vcpu = arch;

    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->regs.x[0] = vcpu->create.dtb_addr.value;
    vcpu->regs.pstate = PSTATE_M_EL1H | PSTATE_DAIF;
    vcpu->percpu = NULL;
    vcpu->ept = NULL;
    vcpu->syndrome = (Aarch64Syndrome){0};
    vcpu->hcr = aarch64_hcr_base();
    vcpu->vmpidr = MPIDR_RES1 | vcpu->create.mpidr_el1;
    vcpu->split_step = AARCH64_SPLIT_NONE;
    aarch64_state_reset(vcpu);
    aarch64_gic_reset(vcpu);
    aarch64_timer_reset(vcpu);
    return AX_OK;
}

static AxError create(void *arch, const AxArchVCpuEnv *env, const void *create_config)
{
    const Aarch64VCpuCreateConfig *config = create_config;
    Aarch64VCpu *vcpu = arch;

    if ((config->mpidr_el1 & ~MPIDR_AFF) != 0) {
        return AX_EINVAL;
    }
    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->env = *env;
    vcpu->create = *config;
    return reset(vcpu);
}

// Nothing is owned: the VMID went back at unbind.
static void destroy(void *arch)
{
    Aarch64VCpu *vcpu = arch;

    memset(vcpu, 0, sizeof(*vcpu));
}

static AxError set_entry(void *arch, GuestPhysAddr entry)
{
    Aarch64VCpu *vcpu = arch;

    if (entry.value % 4 != 0) {
        return AX_EALIGN;
    }
    vcpu->regs.pc = entry.value;
    return AX_OK;
}

static AxError set_ept_root(void *arch, AxEptRoot *root)
{
    Aarch64VCpu *vcpu = arch;
    const AxError error = aarch64_ept_root_check(root);

    if (error == AX_OK) {
        vcpu->ept = root;
    }
    return error;
}

static AxError setup(void *arch, const void *setup_config)
{
    const Aarch64VCpuSetupConfig *config = setup_config;
    Aarch64VCpu *vcpu = arch;

    if (config->passthrough_interrupt || config->passthrough_timer) {
        return AX_ENOTSUP;
    }
    if (config->trap_wait) {
        vcpu->hcr |= HCR_EL2_TWI;
    }
    return AX_OK;
}

static AxError bind(void *arch, void *percpu_arch)
{
    Aarch64VCpu *vcpu = arch;
    Aarch64PerCpu *percpu = percpu_arch;
    uint64_t vmid;
    const AxError error = aarch64_vmid_acquire(vcpu->ept, percpu->features.vmid_bits, &vmid);

    if (error != AX_OK) {
        return error;
    }
    vcpu->percpu = percpu;
    ARM_WRITE(VTCR_EL2, aarch64_vtcr(&percpu->features, vcpu->ept));
    ARM_WRITE(VTTBR_EL2, aarch64_vttbr(vcpu->ept, vmid));
    aarch64_vmid_flush(vcpu);
    aarch64_state_load(vcpu);
    aarch64_timer_load(vcpu);
    aarch64_gic_load(vcpu);
    arm_isb();
    return AX_OK;
}

static AxError unbind(void *arch)
{
    Aarch64VCpu *vcpu = arch;
    Aarch64PerCpu *percpu = vcpu->percpu;

    aarch64_fp_release(vcpu);
    aarch64_gic_save(vcpu);
    aarch64_timer_save(vcpu);
    aarch64_state_save(vcpu);
    ARM_WRITE(VTTBR_EL2, percpu->host.vttbr);
    ARM_WRITE(VTCR_EL2, percpu->host.vtcr);
    arm_isb();
    aarch64_vmid_release(vcpu->ept);
    vcpu->percpu = NULL;
    return AX_OK;
}

static bool wakeup_pending(const void *arch)
{
    const Aarch64VCpu *vcpu = arch;

    return aarch64_gic_wakeup_pending(vcpu) || aarch64_timer_wakeup_pending(vcpu);
}

const AxArchVCpuOps aarch64_vcpu_ops = {
    .name = "aarch64",
    .has_nmi = false,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .set_entry = set_entry,
    .set_ept_root = set_ept_root,
    .setup = setup,
    .bind = bind,
    .unbind = unbind,
    .run = aarch64_run,
    .complete_read = aarch64_complete_read,
    .complete_write = aarch64_complete_write,
    .complete_call = aarch64_complete_call,
    .complete_fault = aarch64_complete_fault,
    .get_reg = aarch64_get_reg,
    .set_reg = aarch64_set_reg,
    .reg_ids = aarch64_reg_ids,
    .reg_id_count = AARCH64_REG_ID_COUNT,
    .irq_state = aarch64_gic_irq_state,
    .wakeup_pending = wakeup_pending,
    .next_deadline = aarch64_next_deadline,
};
