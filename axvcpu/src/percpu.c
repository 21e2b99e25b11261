// SPDX-License-Identifier: Apache-2.0
#include <axvcpu/percpu.h>

static bool is_here(const AxVCpuHal *hal, AxPCpuId id)
{
    return hal->this_pcpu(hal->ctx) == id;
}

static bool is_complete(const AxArchPerCpuOps *ops)
{
    return ops->name != NULL && ops->init != NULL && ops->enable != NULL && ops->disable != NULL &&
           ops->caps != NULL;
}

static AxError check_params(const AxPerCpuParams *params)
{
    if (params == NULL || params->ops == NULL || params->arch == NULL ||
        params->id == AX_PCPU_NONE || !is_complete(params->ops)) {
        return AX_EINVAL;
    }
    return axvcpu_hal_check(params->hal);
}

AxError axvcpu_percpu_init(AxPerCpu *percpu, const AxPerCpuParams *params)
{
    AxError error = check_params(params);

    if (percpu == NULL || error != AX_OK) {
        return AX_EINVAL;
    }
    if (!is_here(params->hal, params->id)) {
        return AX_EWRONGCPU;
    }
    error = params->ops->init(params->arch, params->id, params->hal);
    if (error != AX_OK) {
        return error;
    }
    percpu->hal = params->hal;
    percpu->ops = params->ops;
    percpu->arch = params->arch;
    percpu->id = params->id;
    atomic_store_explicit(&percpu->enabled, false, memory_order_relaxed);
    atomic_store_explicit(&percpu->current, NULL, memory_order_relaxed);
    return AX_OK;
}

AxError axvcpu_percpu_enable(AxPerCpu *percpu)
{
    AxError error;

    if (!is_here(percpu->hal, percpu->id)) {
        return AX_EWRONGCPU;
    }
    if (axvcpu_percpu_is_enabled(percpu)) {
        return AX_EBUSY;
    }
    error = percpu->ops->enable(percpu->arch);
    if (error == AX_OK) {
        atomic_store_explicit(&percpu->enabled, true, memory_order_release);
    }
    return error;
}

AxError axvcpu_percpu_disable(AxPerCpu *percpu)
{
    AxError error;

    if (!is_here(percpu->hal, percpu->id)) {
        return AX_EWRONGCPU;
    }
    if (!axvcpu_percpu_is_enabled(percpu)) {
        return AX_ESTATE;
    }
    if (axvcpu_current(percpu) != NULL) {
        return AX_EBUSY;
    }
    error = percpu->ops->disable(percpu->arch);
    if (error == AX_OK) {
        atomic_store_explicit(&percpu->enabled, false, memory_order_release);
    }
    return error;
}

bool axvcpu_percpu_is_enabled(const AxPerCpu *percpu)
{
    return atomic_load_explicit(&percpu->enabled, memory_order_acquire);
}

AxError axvcpu_percpu_caps(const AxPerCpu *percpu, AxPerCpuCaps *out)
{
    if (out == NULL) {
        return AX_EINVAL;
    }
    if (!axvcpu_percpu_is_enabled(percpu)) {
        return AX_ESTATE;
    }
    *out = percpu->ops->caps(percpu->arch);
    return AX_OK;
}

AxVCpu *axvcpu_current(const AxPerCpu *percpu)
{
    return atomic_load_explicit(&percpu->current, memory_order_acquire);
}
