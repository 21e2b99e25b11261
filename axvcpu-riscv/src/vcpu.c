// SPDX-License-Identifier: Apache-2.0
#include "riscv.h"
#include "riscv_regs.h"

#include <string.h>

#define A0 10
#define A1 11

static AxError reset(void *arch)
{
    RISCVVCpu *vcpu = arch;

    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->regs.x[A0] = vcpu->create.hart_id;
    vcpu->regs.x[A1] = vcpu->create.dtb_addr.value;
    vcpu->percpu = NULL;
    vcpu->last_percpu = NULL; // a hart comes out of reset with an empty TLB
    vcpu->ept = NULL;
    vcpu->trap = (RISCVTrap){0};
    vcpu->instruction = 0;
    vcpu->csr_step = RISCV_CSR_NONE;
    riscv_state_reset(vcpu);
    riscv_interrupt_reset(vcpu);
    riscv_timer_reset(vcpu);
    return AX_OK;
}

static AxError create(void *arch, const AxArchVCpuEnv *env, const void *create_config)
{
    const RISCVVCpuCreateConfig *config = create_config;
    RISCVVCpu *vcpu = arch;

    if (config->timebase_hz == 0) {
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
    RISCVVCpu *vcpu = arch;

    memset(vcpu, 0, sizeof(*vcpu));
}

static AxError set_entry(void *arch, GuestPhysAddr entry)
{
    RISCVVCpu *vcpu = arch;

    if (entry.value % 2 != 0) {
        return AX_EALIGN;
    }
    vcpu->regs.pc = entry.value;
    return AX_OK;
}

static AxError set_ept_root(void *arch, AxEptRoot *root)
{
    RISCVVCpu *vcpu = arch;
    const AxError error = riscv_ept_root_check(root);

    if (error == AX_OK) {
        vcpu->ept = root;
    }
    return error;
}

static AxError setup(void *arch, const void *setup_config)
{
    const RISCVVCpuSetupConfig *config = setup_config;
    RISCVVCpu *vcpu = arch;

    if (config->passthrough_interrupt || config->passthrough_timer) {
        return AX_ENOTSUP;
    }
    if (config->trap_wait) {
        vcpu->hstatus |= HSTATUS_VTW;
    }
    return AX_OK;
}

static AxError bind(void *arch, void *percpu_arch)
{
    RISCVVCpu *vcpu = arch;
    AxError error;

    vcpu->percpu = percpu_arch;
    error = riscv_vmid_acquire(vcpu);
    if (error != AX_OK) {
        vcpu->percpu = NULL;
        return error;
    }
    RV_WRITE(HGATP, riscv_hgatp(vcpu->ept, vcpu->vmid));
    riscv_vmid_flush(vcpu);
    rv_fence_i(); // what the host wrote to guest memory; see sync in ept.c
    riscv_state_load(vcpu);
    riscv_fp_use(vcpu);
    riscv_timer_load(vcpu);
    riscv_interrupt_load(vcpu);
    return AX_OK;
}

static AxError unbind(void *arch)
{
    RISCVVCpu *vcpu = arch;

    riscv_fp_release(vcpu);
    riscv_interrupt_save(vcpu);
    riscv_timer_save(vcpu);
    riscv_state_save(vcpu);
    RV_WRITE(HGATP, vcpu->percpu->host.hgatp);
    riscv_vmid_release(vcpu);
    vcpu->percpu = NULL;
    return AX_OK;
}

static bool wakeup_pending(const void *arch)
{
    const RISCVVCpu *vcpu = arch;

    return riscv_interrupt_wakeup_pending(vcpu) || riscv_timer_wakeup_pending(vcpu);
}

const AxArchVCpuOps riscv_vcpu_ops = {
    .name = "riscv64",
    .has_nmi = false,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .set_entry = set_entry,
    .set_ept_root = set_ept_root,
    .setup = setup,
    .bind = bind,
    .unbind = unbind,
    .run = riscv_run,
    .complete_read = riscv_complete_read,
    .complete_write = riscv_complete_write,
    .complete_call = riscv_complete_call,
    .complete_fault = riscv_complete_fault,
    .get_reg = riscv_get_reg,
    .set_reg = riscv_set_reg,
    .reg_ids = riscv_reg_ids,
    .reg_id_count = RISCV_REG_ID_COUNT,
    .irq_state = riscv_interrupt_state,
    .wakeup_pending = wakeup_pending,
    .next_deadline = riscv_next_deadline,
};
