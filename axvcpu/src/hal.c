// SPDX-License-Identifier: Apache-2.0
#include <axvcpu/hal.h>

static bool has_memory(const AxVCpuHal *hal)
{
    return hal->alloc_frames != NULL && hal->dealloc_frames != NULL && hal->phys_to_virt != NULL &&
           hal->virt_to_phys != NULL;
}

static bool has_interrupts(const AxVCpuHal *hal)
{
    return hal->irq_fetch != NULL && hal->irq_handler != NULL && hal->irq_set_active != NULL;
}

static bool has_time(const AxVCpuHal *hal)
{
    return hal->now_ns != NULL && hal->set_deadline != NULL;
}

static bool has_machine(const AxVCpuHal *hal)
{
    return hal->this_pcpu != NULL && hal->kick_pcpu != NULL && hal->log != NULL;
}

AxError axvcpu_hal_check(const AxVCpuHal *hal)
{
    if (hal == NULL || !has_memory(hal) || !has_interrupts(hal) || !has_time(hal) ||
        !has_machine(hal)) {
        return AX_EINVAL;
    }
    return AX_OK;
}
