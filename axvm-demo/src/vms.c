// SPDX-License-Identifier: Apache-2.0
#include "vms.h"

#include "builtin.h"
#include "hal.h"
#include "log.h"
#include "machine.h"

#include <stdio.h>
#include <string.h>

// Hypercalls of the guests in guests/ (guests/lib/guest.h).
#define HYPERCALL_EXIT UINT64_C(1)
#define HYPERCALL_NONE UINT64_C(2)

static Vm vms[VMS_MAX];
static uint32_t vm_count;
static AxVMConfig config; // of the VM that is being created

uint32_t vms_count(void)
{
    return vm_count;
}

Vm *vms_get(uint32_t index)
{
    return index < vm_count ? &vms[index] : NULL;
}

uint32_t vms_live_count(void)
{
    uint32_t live = 0;

    for (uint32_t i = 0; i < vm_count; i++) {
        live += vms[i].live ? 1 : 0;
    }
    return live;
}

bool vms_any_failed(void)
{
    for (uint32_t i = 0; i < vm_count; i++) {
        if (vms[i].failed) {
            return true;
        }
    }
    return false;
}

VCpuRef vms_vcpu(uint32_t number)
{
    Vm *vm = &vms[number / AX_VM_CPUS_MAX];
    const AxVCpuId id = number % AX_VM_CPUS_MAX;

    return (VCpuRef){.vm = vm, .id = id, .vcpu = axvm_vcpu(&vm->vm, id)};
}

uint64_t vms_vcpu_mask(void)
{
    uint64_t mask = 0;

    for (uint32_t i = 0; i < vm_count; i++) {
        if (vms[i].live && axvm_status(&vms[i].vm) == AX_VM_RUNNING) {
            mask |= ((UINT64_C(1) << vms[i].vcpu_count) - 1) << i * AX_VM_CPUS_MAX;
        }
    }
    return mask;
}

static void put_guest_byte(void *ctx, uint8_t byte)
{
    Vm *vm = ctx;

    console_stream_put(&vm->console, byte);
}

// Ends the VM of the caller; it comes back from the next entry.
static AxError exit_call(Vm *vm, uint64_t status)
{
    if (status != 0) {
        log_line(AX_LOG_WARN, "vm %u \"%s\": the guest reports failure, status %lu", vm->index,
                 vm->name, status);
    }
    return axvm_stop(&vm->vm, status == 0 ? AX_VM_STOP_POWER_OFF : AX_VM_STOP_FAILURE);
}

static AxError hypercall(void *ctx, AxVM *vm, AxVCpu *vcpu, uint64_t nr, const uint64_t args[6],
                         uint64_t *result)
{
    (void)vm;
    (void)vcpu;
    *result = 0;
    switch (nr) {
    case HYPERCALL_EXIT: return exit_call(ctx, args[0]);
    case HYPERCALL_NONE: return AX_OK;
    default: return AX_ENOTSUP;
    }
}

// Descriptions of all VMs are read before the first is built: whether vCPUs share a pCPU, and how
// output is marked, depends on their number.
static bool read_config(uint32_t index, const AxBundle *bundle, const Options *options)
{
    const char *why = NULL;

    if (bundle == NULL) {
        return builtin_config(options->guest, &config);
    }
    const AxError error = axvm_bundle_vm(bundle, index, &config, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "bundle: VM %u: %s (%s)", index, why != NULL ? why : "?",
                 axvcpu_error_name(error));
        return false;
    }
    return true;
}

static bool create_one(Vm *vm, bool alone, bool shared)
{
    const AxVMParams params = {
        .hal = &demo_hal,
        .machine = machine_ops,
        .config = &config,
        .console = {.put = put_guest_byte, .ctx = vm},
        .hypercall = hypercall,
        .hypercall_ctx = vm,
        .trap_wait = shared,
    };
    const char *why = NULL;

    memcpy(vm->name, config.name, sizeof(vm->name));
    vm->vcpu_count = config.cpu_num;
    console_stream_init(&vm->console, &log_console, alone ? NULL : vm->name);

    const AxError error = axvm_create(&vm->vm, &params, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "vm %u \"%s\" cannot be created: %s (%s)", vm->index, vm->name,
                 why != NULL ? why : axvcpu_error_text(error), axvcpu_error_name(error));
        return false;
    }
    vm->live = true;
    return true;
}

static void destroy_one(Vm *vm)
{
    const AxError error = axvm_destroy(&vm->vm);

    if (error != AX_OK) {
        demo_fail("vm %u \"%s\" cannot be destroyed: %s", vm->index, vm->name,
                  axvcpu_error_name(error));
    }
    vm->live = false;
}

static bool read_checked(uint32_t index, const AxBundle *bundle, const Options *options)
{
    const char *why = NULL;

    if (!read_config(index, bundle, options)) {
        return false;
    }
    if (options->vcpus != 0) {
        config.cpu_num = options->vcpus;
    }
    const AxError error = axvm_config_check(&config, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "VM %u \"%s\": %s (%s)", index, config.name, why != NULL ? why : "?",
                 axvcpu_error_name(error));
    }
    return error == AX_OK;
}

static bool create_all(uint32_t count, const AxBundle *bundle, const Options *options)
{
    uint32_t cpus = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!read_checked(i, bundle, options)) {
            return false;
        }
        cpus += config.cpu_num;
    }
    for (uint32_t i = 0; i < count; i++) {
        vms[i].index = i;
        if (!read_checked(i, bundle, options) || !create_one(&vms[i], count == 1, cpus > 1)) {
            return false;
        }
        vm_count++;
    }
    return true;
}

static bool refuse_guest(const char *name)
{
    char names[128] = "";
    size_t used = 0;

    for (uint32_t i = 0; builtin_name(i) != NULL && used < sizeof(names); i++) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
                                 builtin_name(i));
    }
    log_line(AX_LOG_ERROR, "axvm.guest=%s: there is no such built-in guest: there are %s", name,
             names);
    return false;
}

static bool open_bundle(AxBundle *bundle, Range initrd)
{
    const char *why = NULL;
    const AxError error = axvm_bundle_open(bundle, (const void *)(uintptr_t)initrd.base,
                                           initrd.size, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "bundle: %s (%s)", why != NULL ? why : "?",
                 axvcpu_error_name(error));
        return false;
    }
    if (bundle->vm_count > VMS_MAX) {
        log_line(AX_LOG_ERROR, "bundle: %u VMs, at most %u are possible", bundle->vm_count,
                 VMS_MAX);
        return false;
    }
    return true;
}

bool vms_create(Range initrd, const Options *options)
{
    AxBundle bundle;
    bool created;

    if (initrd.size != 0 && options->guest[0] != '\0') {
        log_line(AX_LOG_ERROR, "axvm.guest=%s: there is a bundle, too", options->guest);
        return false;
    }
    if (initrd.size != 0) {
        created = open_bundle(&bundle, initrd) && create_all(bundle.vm_count, &bundle, options);
    } else if (!builtin_config(options->guest, &config)) {
        created = refuse_guest(options->guest);
    } else {
        created = create_all(1, NULL, options);
    }
    for (uint32_t i = 0; !created && i < vm_count; i++) {
        destroy_one(&vms[i]);
    }
    return created;
}

static void boot_one(Vm *vm)
{
    const AxError error = axvm_boot(&vm->vm);

    if (error != AX_OK) {
        demo_fail("vm %u \"%s\" cannot be booted: %s", vm->index, vm->name,
                  axvcpu_error_name(error));
    }
}

void vms_boot(void)
{
    for (uint32_t i = 0; i < vm_count; i++) {
        boot_one(&vms[i]);
    }
}

void vms_count_exits(Vm *vm)
{
    for (uint32_t i = 0; vm->live && i < vm->vcpu_count; i++) {
        const AxVCpu *vcpu = axvm_vcpu(&vm->vm, i);
        VCpuCounts *counts = &vm->counts[i];

        for (uint32_t kind = 0; kind < AX_EXIT_COUNT; kind++) {
            counts->exits[kind] = axvcpu_exit_count(vcpu, (AxVCpuExitReason)kind);
            counts->handled[kind] = axvcpu_handled_count(vcpu, (AxVCpuExitReason)kind);
        }
        counts->run_ns = axvcpu_run_time_ns(vcpu);
    }
}

static void report_failure(const Vm *vm)
{
    const AxVMFailure *failure = &vm->vm.failure;
    const AxVCpuExit *exit = &failure->exit;

    log_line(AX_LOG_WARN, "vm %u \"%s\" vcpu %u failed: %s, last exit %s", vm->index, vm->name,
             failure->vcpu, axvcpu_error_name(failure->error), axvcpu_exit_name(exit->reason));
    if (exit->reason == AX_EXIT_UNHANDLED) {
        log_line(AX_LOG_WARN, "cause 0x%lx, info 0x%lx, address 0x%lx, pc 0x%lx",
                 exit->unhandled.cause, exit->unhandled.info, exit->unhandled.addr.value,
                 exit->unhandled.pc.value);
    }
    if (exit->reason == AX_EXIT_NESTED_PAGE_FAULT) {
        log_line(AX_LOG_WARN, "address 0x%lx, access 0x%x", exit->page_fault.addr.value,
                 exit->page_fault.access);
    }
}

static bool any_bound(const Vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (axvcpu_is_bound(axvm_vcpu(&vm->vm, i))) {
            return true;
        }
    }
    return false;
}

static bool restart(Vm *vm)
{
    const char *why = NULL;

    if (vm->resets == VM_RESETS_MAX) {
        log_line(AX_LOG_WARN, "vm %u \"%s\": reset %u times, that is enough", vm->index, vm->name,
                 vm->resets);
        return false;
    }
    vm->resets++;
    log_line(AX_LOG_INFO, "vm %u \"%s\": reset", vm->index, vm->name);

    const AxError error = axvm_reset(&vm->vm, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_WARN, "vm %u \"%s\" cannot be reset: %s (%s)", vm->index, vm->name,
                 why != NULL ? why : axvcpu_error_text(error), axvcpu_error_name(error));
        return false;
    }
    boot_one(vm);
    return true;
}

static void end(Vm *vm)
{
    console_stream_flush(&vm->console);
    vm->reason = axvm_stop_reason(&vm->vm);
    if (vm->reason == AX_VM_STOP_RESET && restart(vm)) {
        return;
    }
    vm->failed = vm->reason != AX_VM_STOP_POWER_OFF && vm->reason != AX_VM_STOP_HOST;
    if (vm->reason == AX_VM_STOP_FAILURE) {
        report_failure(vm);
    }
    vms_count_exits(vm);
    destroy_one(vm);
}

void vms_reap(void)
{
    for (uint32_t i = 0; i < vm_count; i++) {
        Vm *vm = &vms[i];

        if (vm->live && axvm_status(&vm->vm) == AX_VM_STOPPED && !any_bound(vm)) {
            end(vm);
        }
    }
}

// AX_ESTATE means that it stopped by itself in the meantime.
static void stop_one(Vm *vm, AxVMStopReason reason)
{
    const AxError error = axvm_stop(&vm->vm, reason);

    if (error != AX_OK && error != AX_ESTATE) {
        demo_fail("vm %u \"%s\" cannot be stopped: %s", vm->index, vm->name,
                  axvcpu_error_name(error));
    }
}

void vms_cpu_down(Vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (atomic_load_explicit(&vm->vm.vcpus[i].power, memory_order_acquire) != AX_CPU_OFF) {
            return;
        }
    }
    log_line(AX_LOG_WARN, "vm %u \"%s\": the guest switched its last CPU off", vm->index, vm->name);
    stop_one(vm, AX_VM_STOP_FAILURE);
}

void vms_stop_all(void)
{
    for (uint32_t i = 0; i < vm_count; i++) {
        if (vms[i].live) {
            stop_one(&vms[i], AX_VM_STOP_HOST);
        }
    }
}
