// SPDX-License-Identifier: Apache-2.0
/* A vCPU off the pCPU: create, configure, reset, destroy. And what never changes of it. */
#include "internal.h"

static bool has_life_calls(const AxArchVCpuOps *ops)
{
    return ops->create != NULL && ops->destroy != NULL && ops->reset != NULL &&
           ops->set_entry != NULL && ops->set_ept_root != NULL && ops->setup != NULL &&
           ops->bind != NULL && ops->unbind != NULL && ops->run != NULL;
}

static bool has_completions(const AxArchVCpuOps *ops)
{
    return ops->complete_read != NULL && ops->complete_write != NULL &&
           ops->complete_call != NULL && ops->complete_fault != NULL;
}

static bool has_queries(const AxArchVCpuOps *ops)
{
    return ops->name != NULL && ops->get_reg != NULL && ops->set_reg != NULL &&
           ops->reg_ids != NULL && ops->irq_state != NULL && ops->wakeup_pending != NULL &&
           ops->next_deadline != NULL;
}

static bool is_empty(const AxAffinity *affinity)
{
    uint64_t seen = 0;

    for (size_t i = 0; affinity->words != NULL && i < affinity->word_count; i++) {
        seen |= affinity->words[i];
    }
    return affinity->words != NULL && seen == 0;
}

static AxError check_params(const AxVCpuParams *params)
{
    const AxArchVCpuOps *ops = params == NULL ? NULL : params->ops;

    if (ops == NULL || params->arch == NULL || !has_life_calls(ops) || !has_completions(ops) ||
        !has_queries(ops) || is_empty(&params->affinity)) {
        return AX_EINVAL;
    }
    return axvcpu_hal_check(params->hal);
}

static void fill_in(AxVCpu *vcpu, const AxVCpuParams *params)
{
    __builtin_memset(vcpu, 0, sizeof(*vcpu));
    vcpu->hal = params->hal;
    vcpu->ops = params->ops;
    vcpu->vm_id = params->vm_id;
    vcpu->id = params->id;
    vcpu->preferred_pcpu = params->preferred_pcpu;
    vcpu->affinity = params->affinity;
    atomic_store_explicit(&vcpu->last_pcpu, AX_PCPU_NONE, memory_order_relaxed);
    axvcpu_events_init(&vcpu->events);
}

AxError axvcpu_create(AxVCpu *vcpu, const AxVCpuParams *params)
{
    AxError error = check_params(params);

    if (vcpu == NULL || error != AX_OK) {
        return AX_EINVAL;
    }
    fill_in(vcpu, params);

    const AxArchVCpuEnv env = {
        .hal = vcpu->hal,
        .events = &vcpu->events,
        .stats = &vcpu->stats,
        .vm_id = vcpu->vm_id,
        .vcpu_id = vcpu->id,
    };
    error = vcpu->ops->create(params->arch, &env, params->create_config);
    if (error == AX_OK) {
        vcpu->arch = params->arch;
        (void)axvcpu_change_state(vcpu, AX_VCPU_INVALID, AX_VCPU_CREATED);
    }
    return error;
}

AxError axvcpu_set_entry(AxVCpu *vcpu, GuestPhysAddr entry)
{
    if (axvcpu_raw_state(vcpu) != AX_VCPU_CREATED) {
        return AX_ESTATE;
    }
    if (vcpu->has_entry) {
        return AX_EEXIST;
    }

    const AxError error = vcpu->ops->set_entry(vcpu->arch, entry);
    vcpu->has_entry = error == AX_OK;
    return axvcpu_settle_setter(vcpu, error);
}

AxError axvcpu_set_ept_root(AxVCpu *vcpu, AxEptRoot *root)
{
    if (root == NULL) {
        return AX_EINVAL;
    }
    if (axvcpu_raw_state(vcpu) != AX_VCPU_CREATED) {
        return AX_ESTATE;
    }
    if (vcpu->has_ept_root) {
        return AX_EEXIST;
    }

    const AxError error = vcpu->ops->set_ept_root(vcpu->arch, root);
    vcpu->has_ept_root = error == AX_OK;
    return axvcpu_settle_setter(vcpu, error);
}

AxError axvcpu_setup(AxVCpu *vcpu, const void *setup_config)
{
    if (axvcpu_raw_state(vcpu) != AX_VCPU_CREATED || !vcpu->has_entry || !vcpu->has_ept_root) {
        return AX_ESTATE;
    }

    const AxError error = vcpu->ops->setup(vcpu->arch, setup_config);
    if (error == AX_OK) {
        (void)axvcpu_change_state(vcpu, AX_VCPU_CREATED, AX_VCPU_FREE);
    }
    return axvcpu_settle(vcpu, error);
}

AxError axvcpu_reset(AxVCpu *vcpu)
{
    AxError error;

    if (vcpu->arch == NULL || axvcpu_raw_state(vcpu) == AX_VCPU_RUNNING) {
        return AX_ESTATE;
    }
    if (!axvcpu_on_bound_pcpu(vcpu)) {
        return AX_EWRONGCPU;
    }
    error = axvcpu_detach(vcpu);
    if (error == AX_OK) {
        error = axvcpu_settle(vcpu, vcpu->ops->reset(vcpu->arch));
    }
    if (error != AX_OK) {
        return error;
    }
    vcpu->has_entry = false;
    vcpu->has_ept_root = false;
    vcpu->answers_due = 0;
    axvcpu_events_reset(&vcpu->events);
    axvcpu_force_state(vcpu, AX_VCPU_CREATED);
    return AX_OK;
}

AxError axvcpu_destroy(AxVCpu *vcpu)
{
    if (vcpu->arch == NULL || axvcpu_raw_state(vcpu) == AX_VCPU_RUNNING || axvcpu_is_bound(vcpu)) {
        return AX_ESTATE;
    }
    axvcpu_force_state(vcpu, AX_VCPU_INVALID);
    vcpu->ops->destroy(vcpu->arch);
    // Tells this end of life from the Invalid that a reset can leave.
    vcpu->arch = NULL;
    return AX_OK;
}

AxVCpuId axvcpu_id(const AxVCpu *vcpu)
{
    return vcpu->id;
}

AxVMId axvcpu_vm_id(const AxVCpu *vcpu)
{
    return vcpu->vm_id;
}

bool axvcpu_is_bsp(const AxVCpu *vcpu)
{
    return vcpu->id == 0;
}

AxPCpuId axvcpu_preferred_pcpu(const AxVCpu *vcpu)
{
    return vcpu->preferred_pcpu;
}

bool axvcpu_may_run_on(const AxVCpu *vcpu, AxPCpuId pcpu)
{
    const AxAffinity *affinity = &vcpu->affinity;

    if (pcpu == AX_PCPU_NONE) {
        return false;
    }
    if (affinity->words == NULL) {
        return true;
    }
    return pcpu / 64 < affinity->word_count && (affinity->words[pcpu / 64] >> pcpu % 64 & 1) != 0;
}
