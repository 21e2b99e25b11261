// SPDX-License-Identifier: Apache-2.0
#include "x86.h"

#include <string.h>

#define REAL_MODE_LIMIT UINT64_C(0x100000)

static AxError reset(void *arch)
{
    X86VCpu *vcpu = arch;

    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->percpu = NULL;
    vcpu->last_percpu = NULL;
    vcpu->ept = NULL;
    vcpu->trap_wait = false;
    vcpu->exit = (X86Exit){0};
    vcpu->due = X86_DUE_NONE;
    vcpu->system_time = 0;
    vcpu->vendor->reset(vcpu);
    x86_state_reset(vcpu);
    x86_lapic_reset(vcpu);
    x86_timer_reset(vcpu);
    return AX_OK;
}

static AxError alloc(X86VCpu *vcpu)
{
    AxError error = vcpu->vendor->create(vcpu);

    if (error != AX_OK) {
        return error;
    }
    error = axvcpu_alloc_frame(vcpu->env.hal, &vcpu->fp);
    if (error != AX_OK) {
        vcpu->vendor->destroy(vcpu);
    }
    return error;
}

static AxError create(void *arch, const AxArchVCpuEnv *env, const void *create_config)
{
    const X86VCpuCreateConfig *config = create_config;
    const X86Vendor *vendor = x86_vendor();
    X86VCpu *vcpu = arch;
    AxError error;

    if (config->tsc_hz == 0) {
        return AX_EINVAL;
    }
    if (vendor == NULL) {
        return AX_ENOHW;
    }
    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->env = *env;
    vcpu->create = *config;
    vcpu->vendor = vendor;
    vcpu->lookup_cache = vcpu->lookups;
    error = x86_timer_set_pace(vcpu);
    if (error != AX_OK) {
        return error;
    }
    error = alloc(vcpu);
    return error == AX_OK ? reset(vcpu) : error;
}

static void destroy(void *arch)
{
    X86VCpu *vcpu = arch;

    axvcpu_dealloc_frame(vcpu->env.hal, vcpu->fp);
    vcpu->vendor->destroy(vcpu);
    memset(vcpu, 0, sizeof(*vcpu));
}

static AxError set_entry(void *arch, GuestPhysAddr entry)
{
    X86VCpu *vcpu = arch;

    if (entry.value < REAL_MODE_LIMIT) {
        x86_start_at(vcpu, (uint16_t)(entry.value >> 4 & 0xf000), entry.value & 0xffff);
    } else {
        vcpu->regs.rip = entry.value;
    }
    return AX_OK;
}

static AxError set_ept_root(void *arch, AxEptRoot *root)
{
    X86VCpu *vcpu = arch;
    const AxError error = x86_ept_root_check(vcpu, root);

    if (error == AX_OK) {
        vcpu->ept = root;
        memset(vcpu->lookups, 0, sizeof(vcpu->lookups));
    }
    return error;
}

static AxError setup(void *arch, const void *setup_config)
{
    const X86VCpuSetupConfig *config = setup_config;
    X86VCpu *vcpu = arch;

    if (config->passthrough_interrupt || config->passthrough_timer) {
        return AX_ENOTSUP;
    }
    vcpu->trap_wait = config->trap_wait;
    vcpu->vendor->setup(vcpu);
    return AX_OK;
}

static AxError bind(void *arch, void *percpu_arch)
{
    X86VCpu *vcpu = arch;
    AxError error;

    vcpu->percpu = percpu_arch;
    error = x86_vmid_acquire(vcpu);
    if (error != AX_OK) {
        vcpu->percpu = NULL;
        return error;
    }
    x86_state_load(vcpu);
    vcpu->vendor->bind(vcpu);
    x86_vmid_flush(vcpu);
    x86_timer_load(vcpu);
    return AX_OK;
}

static AxError unbind(void *arch)
{
    X86VCpu *vcpu = arch;

    x86_timer_save(vcpu);
    vcpu->vendor->unbind(vcpu);
    x86_state_save(vcpu);
    x86_vmid_release(vcpu);
    vcpu->percpu = NULL;
    return AX_OK;
}

static bool wakeup_pending(const void *arch)
{
    const X86VCpu *vcpu = arch;

    return x86_interrupt_wakeup_pending(vcpu) || x86_timer_due(vcpu);
}

const AxArchVCpuOps x86_vcpu_ops = {
    .name = "x86_64",
    .has_nmi = true,
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .set_entry = set_entry,
    .set_ept_root = set_ept_root,
    .setup = setup,
    .bind = bind,
    .unbind = unbind,
    .run = x86_run,
    .complete_read = x86_complete_read,
    .complete_write = x86_complete_write,
    .complete_call = x86_complete_call,
    .complete_fault = x86_complete_fault,
    .get_reg = x86_get_reg,
    .set_reg = x86_set_reg,
    .reg_ids = x86_reg_ids,
    .reg_id_count = X86_REG_ID_COUNT,
    .irq_state = x86_interrupt_state,
    .wakeup_pending = wakeup_pending,
    .next_deadline = x86_next_deadline,
};
