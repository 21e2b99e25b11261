// SPDX-License-Identifier: Apache-2.0
/* The exit loop: what a guest asks for, answered by device, address space or sibling. */
#include "vm_internal.h"

// What happens after an exit was treated.
typedef enum Next {
    RESUME,  // into the guest again
    RETURN,  // the host wants to see it
    FAILURE, // the guest cannot go on: the VM stops, the host sees why
} Next;

typedef AxError (*ExitHandler)(const AxRun *run, const AxVCpuExit *exit);

// ---- memory and registers ----

// The address belongs to no device: RAM that is not mapped yet, or nothing.
static AxError touch(const AxRun *run, GuestPhysAddr gpa, MappingFlags access)
{
    const AxError error = axvm_handle_fault(&run->vm->memory, gpa, access);

    if (error == AX_OK) {
        return axvcpu_complete_retry(run->vcpu);
    }
    return error == AX_ENOMEM ? error : axvcpu_complete_fault(run->vcpu);
}

static AxError on_mmio_read(const AxRun *run, const AxVCpuExit *exit)
{
    uint64_t value = 0;
    const AxError error = axvm_bus_read(&run->vm->mmio, run->vcpu, exit->mmio.addr.value,
                                        exit->mmio.width, &value);

    if (error == AX_OK) {
        return axvcpu_complete_read(run->vcpu, value);
    }
    return error == AX_ENOENT ? touch(run, exit->mmio.addr, AX_MAP_READ)
                              : axvcpu_complete_fault(run->vcpu);
}

static AxError on_mmio_write(const AxRun *run, const AxVCpuExit *exit)
{
    const AxError error = axvm_bus_write(&run->vm->mmio, run->vcpu, exit->mmio.addr.value,
                                         exit->mmio.width, exit->mmio.data);

    if (error == AX_OK) {
        return axvcpu_complete_write(run->vcpu);
    }
    return error == AX_ENOENT ? touch(run, exit->mmio.addr, AX_MAP_WRITE)
                              : axvcpu_complete_fault(run->vcpu);
}

static AxError on_page_fault(const AxRun *run, const AxVCpuExit *exit)
{
    return touch(run, exit->page_fault.addr, exit->page_fault.access);
}

// A port that nobody has reads as ones, and writes to it are lost: guests look for devices so.
static AxError on_io_read(const AxRun *run, const AxVCpuExit *exit)
{
    uint64_t value = 0;
    const AxError error = axvm_bus_read(&run->vm->ports, run->vcpu, exit->io.port.number,
                                        exit->io.width, &value);

    if (error == AX_ENOENT) {
        return axvcpu_complete_read(run->vcpu, ax_width_mask(exit->io.width));
    }
    return error == AX_OK ? axvcpu_complete_read(run->vcpu, value)
                          : axvcpu_complete_fault(run->vcpu);
}

static AxError on_io_write(const AxRun *run, const AxVCpuExit *exit)
{
    const AxError error = axvm_bus_write(&run->vm->ports, run->vcpu, exit->io.port.number,
                                         exit->io.width, exit->io.data);

    return error == AX_OK || error == AX_ENOENT ? axvcpu_complete_write(run->vcpu)
                                                : axvcpu_complete_fault(run->vcpu);
}

// Ranges on this bus count registers, not bytes.
static const AxBusRange *sysreg_range(const AxRun *run, SysRegAddr addr)
{
    return axvm_bus_find(&run->vm->sysregs, addr.value, AX_WIDTH_BYTE);
}

static AxError on_sysreg_read(const AxRun *run, const AxVCpuExit *exit)
{
    const AxBusRange *range = sysreg_range(run, exit->sysreg.addr);
    uint64_t value = 0;

    if (range == NULL ||
        range->ops->read(range->device, run->vcpu, exit->sysreg.addr.value - range->base,
                         AX_WIDTH_QWORD, &value) != AX_OK) {
        return axvcpu_complete_fault(run->vcpu);
    }
    return axvcpu_complete_read(run->vcpu, value);
}

static AxError on_sysreg_write(const AxRun *run, const AxVCpuExit *exit)
{
    const AxBusRange *range = sysreg_range(run, exit->sysreg.addr);

    if (range == NULL ||
        range->ops->write(range->device, run->vcpu, exit->sysreg.addr.value - range->base,
                          AX_WIDTH_QWORD, exit->sysreg.value) != AX_OK) {
        return axvcpu_complete_fault(run->vcpu);
    }
    return axvcpu_complete_write(run->vcpu);
}

// ---- calls ----

static AxError on_hypercall(const AxRun *run, const AxVCpuExit *exit)
{
    const AxVM *vm = run->vm;
    uint64_t result = 0;
    AxError error = AX_ENOTSUP;

    if (vm->hypercall != NULL) {
        error = vm->hypercall(vm->hypercall_ctx, run->vm, run->vcpu, exit->hypercall.nr,
                              exit->hypercall.args, &result);
    }
    return axvcpu_complete_call(run->vcpu, error, result);
}

static AxError on_cpu_up(const AxRun *run, const AxVCpuExit *exit)
{
    AxError error = AX_EFAULT;

    if (axvm_in_region(&run->vm->memory, exit->cpu_up.entry, 1)) {
        error = axvm_power_up(run->vm, exit->cpu_up.target_cpu, exit->cpu_up.entry,
                              exit->cpu_up.arg);
    }
    return axvcpu_complete_call(run->vcpu, error, 0);
}

static AxError on_cpu_status(const AxRun *run, const AxVCpuExit *exit)
{
    uint64_t status = 0;
    const AxError error = axvm_power_status(run->vm, exit->cpu_status.target_cpu,
                                            exit->cpu_status.level, &status);

    return axvcpu_complete_call(run->vcpu, error, status);
}

static AxError on_cpu_down(const AxRun *run, const AxVCpuExit *exit)
{
    (void)exit;
    axvm_power_down(run->vm, run->self);
    return AX_OK;
}

static AxError on_send_ipi(const AxRun *run, const AxVCpuExit *exit)
{
    const AxError error = run->vm->machine->send_ipi(run->vm->machine_state, run->vcpu, exit);

    return axvcpu_complete_call(run->vcpu, error, 0);
}

static AxError on_system_down(const AxRun *run, const AxVCpuExit *exit)
{
    (void)exit;
    (void)axvm_end(run->vm, AX_VM_STOP_POWER_OFF, NULL);
    return AX_OK;
}

static AxError on_system_reset(const AxRun *run, const AxVCpuExit *exit)
{
    (void)exit;
    (void)axvm_end(run->vm, AX_VM_STOP_RESET, NULL);
    return AX_OK;
}

// The last one leaves nobody who could end that.
static AxError on_halt(const AxRun *run, const AxVCpuExit *exit)
{
    if (axvm_power_halt(run->vm, run->self)) {
        const AxVMFailure failure = {.vcpu = axvcpu_id(run->vcpu), .error = AX_OK, .exit = *exit};

        (void)axvm_end(run->vm, AX_VM_STOP_FAILURE, &failure);
    }
    return AX_OK;
}

// As chipsets do.
static AxError on_triple_fault(const AxRun *run, const AxVCpuExit *exit)
{
    const AxVCpuHal *hal = run->vm->hal;

    hal->log(hal->ctx, AX_LOG_WARN, "vm %u: vCPU %u: triple fault", run->vm->config.id,
             axvcpu_id(run->vcpu));
    return on_system_reset(run, exit);
}

static AxError on_interrupt_end(const AxRun *run, const AxVCpuExit *exit)
{
    run->vm->machine->interrupt_end(run->vm->machine_state, run->vcpu, exit->interrupt.vector);
    return AX_OK;
}

static AxError on_acknowledge(const AxRun *run, const AxVCpuExit *exit)
{
    uint64_t vector = 0;

    (void)exit;
    if (run->vm->machine->interrupt_acknowledge(run->vm->machine_state, run->vcpu, &vector) !=
        AX_OK) {
        return axvcpu_complete_fault(run->vcpu);
    }
    return axvcpu_complete_read(run->vcpu, vector);
}

static AxError on_interrupt(const AxRun *run, const AxVCpuExit *exit)
{
    const AxVCpuHal *hal = run->vm->hal;

    hal->irq_handler(hal->ctx, exit->interrupt.vector);
    return AX_OK;
}

static AxError on_none(const AxRun *run, const AxVCpuExit *exit)
{
    (void)run;
    (void)exit;
    return AX_OK;
}

typedef struct Treatment {
    ExitHandler handle;
    Next next;
} Treatment;

static const Treatment treatments[AX_EXIT_COUNT] = {
    [AX_EXIT_NOTHING] = {on_none, RETURN},
    [AX_EXIT_HYPERCALL] = {on_hypercall, RESUME},
    [AX_EXIT_MMIO_READ] = {on_mmio_read, RESUME},
    [AX_EXIT_MMIO_WRITE] = {on_mmio_write, RESUME},
    [AX_EXIT_SYSREG_READ] = {on_sysreg_read, RESUME},
    [AX_EXIT_SYSREG_WRITE] = {on_sysreg_write, RESUME},
    [AX_EXIT_IO_READ] = {on_io_read, RESUME},
    [AX_EXIT_IO_WRITE] = {on_io_write, RESUME},
    [AX_EXIT_EXTERNAL_INTERRUPT] = {on_interrupt, RETURN},
    [AX_EXIT_NESTED_PAGE_FAULT] = {on_page_fault, RESUME},
    [AX_EXIT_HALT] = {on_halt, RETURN},
    [AX_EXIT_IDLE] = {on_none, RETURN},
    [AX_EXIT_CPU_UP] = {on_cpu_up, RESUME},
    [AX_EXIT_CPU_DOWN] = {on_cpu_down, RETURN},
    [AX_EXIT_CPU_STATUS] = {on_cpu_status, RESUME},
    [AX_EXIT_SYSTEM_DOWN] = {on_system_down, RETURN},
    [AX_EXIT_SYSTEM_RESET] = {on_system_reset, RETURN},
    [AX_EXIT_TRIPLE_FAULT] = {on_triple_fault, RETURN},
    [AX_EXIT_SEND_IPI] = {on_send_ipi, RESUME},
    [AX_EXIT_REMOTE_FENCE] = {axvm_on_remote_fence, RESUME},
    [AX_EXIT_CONSOLE_WRITE] = {axvm_on_console_write, RESUME},
    [AX_EXIT_CONSOLE_READ] = {axvm_on_console_read, RESUME},
    [AX_EXIT_INTERRUPT_END] = {on_interrupt_end, RESUME},
    [AX_EXIT_INTERRUPT_ACKNOWLEDGE] = {on_acknowledge, RESUME},
    [AX_EXIT_INTERRUPT_WINDOW] = {on_none, RETURN},
    [AX_EXIT_EXCEPTION] = {on_none, RETURN},
    [AX_EXIT_DEBUG] = {on_none, RETURN},
    [AX_EXIT_FAIL_ENTRY] = {on_none, FAILURE},
    [AX_EXIT_UNHANDLED] = {on_none, FAILURE},
};

// ---- the loop ----

// A vCPU whose backend failed lets go of its pCPU only by a reset.
static void release(const AxRun *run)
{
    const AxVCpuHal *hal = run->vm->hal;
    AxError error;

    if (axvcpu_state(run->vcpu) != AX_VCPU_INVALID) {
        return;
    }
    error = axvcpu_reset(run->vcpu);
    if (error != AX_OK) {
        hal->log(hal->ctx, AX_LOG_ERROR, "vm %u: vCPU %u cannot be reset: %s", run->vm->config.id,
                 axvcpu_id(run->vcpu), axvcpu_error_text(error));
    }
}

static AxError fail(const AxRun *run, AxError error, const AxVCpuExit *exit)
{
    const AxVMFailure failure = {.vcpu = axvcpu_id(run->vcpu), .error = error, .exit = *exit};

    (void)axvm_end(run->vm, AX_VM_STOP_FAILURE, &failure);
    release(run);
    return error;
}

static const AxVCpuExit nothing = {.reason = AX_EXIT_NOTHING};

// One stay in the guest. *done: *exit is for the host.
static AxError step(const AxRun *run, const AxVCpuExit **exit, bool *done)
{
    AxError error = axvcpu_run(run->vcpu, exit);

    if (error != AX_OK) {
        return fail(run, error, &nothing);
    }

    const Treatment *treatment = &treatments[(*exit)->reason];

    error = treatment->handle(run, *exit);
    if (error != AX_OK) {
        return fail(run, error, *exit);
    }
    if (treatment->next == FAILURE) {
        (void)fail(run, AX_OK, *exit);
    }
    *done = treatment->next != RESUME;
    return AX_OK;
}

static AxError run_until_exit(const AxRun *run, const AxVCpuExit **exit)
{
    for (uint32_t i = 0; i < AX_RUN_EXITS && axvm_status(run->vm) == AX_VM_RUNNING; i++) {
        bool done = false;
        const AxError error = step(run, exit, &done);

        if (done || error != AX_OK) {
            return error;
        }
    }
    *exit = &nothing;
    return AX_OK;
}

static bool is_elsewhere(const AxRun *run, const AxPerCpu *percpu)
{
    return run->vm->hal->this_pcpu(run->vm->hal->ctx) != percpu->id ||
           (axvcpu_is_bound(run->vcpu) && axvcpu_current(percpu) != run->vcpu);
}

static AxError bind(const AxRun *run, AxPerCpu *percpu)
{
    const AxError error = axvcpu_bind(run->vcpu, percpu);

    // Otherwise the caller is to blame, and nothing has changed.
    return axvcpu_state(run->vcpu) == AX_VCPU_INVALID ? fail(run, error, &nothing) : error;
}

static AxError enter_pcpu(const AxRun *run, AxPerCpu *percpu)
{
    AxError error;

    if (is_elsewhere(run, percpu)) {
        return AX_EWRONGCPU;
    }
    error = axvm_power_start(run->vm, run->self);
    if (error != AX_OK) {
        return fail(run, error, &nothing);
    }
    return axvcpu_is_bound(run->vcpu) ? AX_OK : bind(run, percpu);
}

AxError axvm_run_vcpu(AxVM *vm, AxVCpuId id, AxPerCpu *percpu, const AxVCpuExit **exit)
{
    if (vm == NULL || percpu == NULL || exit == NULL || id >= vm->vcpu_count) {
        return AX_EINVAL;
    }
    if (!axvm_vcpu_runnable(vm, id)) {
        return AX_ESTATE;
    }

    const AxRun run = {.vm = vm, .self = &vm->vcpus[id], .vcpu = &vm->vcpus[id].vcpu};
    const AxError error = enter_pcpu(&run, percpu);

    return error == AX_OK ? run_until_exit(&run, exit) : error;
}
