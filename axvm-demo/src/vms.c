// SPDX-License-Identifier: Apache-2.0
#include "vms.h"

#include "builtin.h"
#include "hal.h"
#include "log.h"
#include "machine.h"
#include "pcpu.h"
#include "random.h"

#include <stdio.h>
#include <string.h>

// Hypercalls of the guests in guests/ (guests/lib/guest.h).
#define HYPERCALL_EXIT (MACHINE_HYPERCALLS + 1)
#define HYPERCALL_NONE (MACHINE_HYPERCALLS + 2)
#define HYPERCALL_VMS  (MACHINE_HYPERCALLS + 3)

// How long a guest may be silent within a line before the part that is there is shown.
#define FLUSH_NS UINT64_C(30000000)

#define VCPU_MASK ((UINT64_C(1) << AX_VM_CPUS_MAX) - 1)

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

    return (VCpuRef){
        .vm = vm, .id = id, .vcpu = axvm_vcpu(&vm->vm, id), .rank = vm->first_rank + id};
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

    const bool begins = vm->console.name != NULL && log_guest_waiting(&vm->console) == 0;

    log_guest_put(&vm->console, byte);
    if (begins) {
        pcpu_notice_line();
    }
}

static uint64_t flush_one(Vm *vm, uint64_t now_ns)
{
    const size_t length = vm->live ? log_guest_waiting(&vm->console) : 0;

    if (length != vm->flush_length) {
        vm->flush_length = length;
        vm->flush_at = now_ns + FLUSH_NS;
    }
    if (length == 0) {
        return UINT64_MAX;
    }
    if (vm->flush_at > now_ns) {
        return vm->flush_at;
    }
    log_guest_flush(&vm->console);
    vm->flush_length = 0;
    return UINT64_MAX;
}

uint64_t vms_flush(uint64_t now_ns)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t i = 0; i < vm_count; i++) {
        const uint64_t at = flush_one(&vms[i], now_ns);

        next = at < next ? at : next;
    }
    return next;
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
    case HYPERCALL_VMS: *result = vm_count; return AX_OK;
    default: return AX_ENOTSUP;
    }
}

// ---- the plan: what there is to run ----

typedef struct Plan {
    bool has_bundle;
    AxBundle bundle;
    const HostInfo *host;
    const Options *options;
    uint32_t vm_count;
    uint32_t cpu_count;
    RangeList taken; // host devices that are in use
} Plan;

static Plan plan;
static Random random_source;

static bool read_config(uint32_t index)
{
    const char *why = NULL;

    if (!plan.has_bundle) {
        return builtin_config(plan.options->guest, &config);
    }
    const AxError error = axvm_bundle_vm(&plan.bundle, index, &config, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "bundle: VM %u: %s (%s)", index, why != NULL ? why : "?",
                 axvcpu_error_name(error));
        return false;
    }
    return true;
}

// Into `config`, complete and checked.
static bool read_checked(uint32_t index)
{
    const char *why = NULL;

    if (!read_config(index)) {
        return false;
    }
    if (plan.options->vcpus != 0) {
        config.cpu_num = plan.options->vcpus;
    }
    const AxError error = axvm_config_check(&config, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "vm %u \"%s\": %s (%s)", index, config.name, why != NULL ? why : "?",
                 axvcpu_error_name(error));
    }
    return error == AX_OK;
}

// Memory at the guest's own addresses: nobody else may have it.
static bool claim_memory(uint32_t index, const AxVMMemory *memory, RangeList *free)
{
    const Range range = {.base = memory->base.value, .size = memory->size};

    if (memory->type == AX_MAP_TYPE_ALLOC) {
        return true;
    }
    if (!ranges_contain(free, range) || !ranges_remove(free, range)) {
        log_line(AX_LOG_ERROR, "vm %u \"%s\": memory_regions: 0x%lx+0x%lx is not free on the host",
                 index, config.name, range.base, range.size);
        return false;
    }
    return true;
}

static bool claim_device(uint32_t index, const AxVMPassthrough *device)
{
    const Range range = {.base = device->hpa.value, .size = device->length};

    if (ranges_overlap(&plan.taken, range) || !ranges_add(&plan.taken, range.base, range.size)) {
        log_line(AX_LOG_ERROR, "vm %u \"%s\": passthrough_devices: \"%s\" at 0x%lx+0x%lx is in use",
                 index, config.name, device->name, range.base, range.size);
        return false;
    }
    return true;
}

static bool claim_all(uint32_t index, RangeList *free)
{
    for (uint32_t i = 0; i < config.memory_count; i++) {
        if (!claim_memory(index, &config.memory[i], free)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < config.passthrough_count; i++) {
        if (!claim_device(index, &config.passthrough[i])) {
            return false;
        }
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

static bool open_bundle(Range initrd)
{
    const char *why = NULL;
    const AxError error = axvm_bundle_open(&plan.bundle, (const void *)(uintptr_t)initrd.base,
                                           initrd.size, &why);

    if (error != AX_OK) {
        log_line(AX_LOG_ERROR, "%s (%s)", why != NULL ? why : "bundle", axvcpu_error_name(error));
        return false;
    }
    if (plan.options->guest[0] != '\0') {
        log_line(AX_LOG_ERROR, "axvm.guest=%s: there is a bundle, too", plan.options->guest);
        return false;
    }
    if (plan.bundle.vm_count > VMS_MAX) {
        log_line(AX_LOG_ERROR, "bundle: %u VMs, at most %u are possible", plan.bundle.vm_count,
                 VMS_MAX);
        return false;
    }
    plan.has_bundle = true;
    plan.vm_count = plan.bundle.vm_count;
    return true;
}

static bool open_builtin(void)
{
    if (!builtin_config(plan.options->guest, &config)) {
        return refuse_guest(plan.options->guest);
    }
    plan.vm_count = 1;
    return true;
}

static bool take_host_devices(const HostInfo *host)
{
    bool fits = true;

    plan.taken = host->memory;
    for (uint32_t i = 0; fits && i < host->devices.count; i++) {
        fits = ranges_add(&plan.taken, host->devices.items[i].base, host->devices.items[i].size);
    }
    if (!fits) {
        log_line(AX_LOG_ERROR, "device tree: memory and devices are in too many pieces");
    }
    return fits;
}

bool vms_plan(const HostInfo *host, const Options *options, RangeList *free)
{
    plan = (Plan){.host = host, .options = options};
    random_init(&random_source, host->seed);
    if (!take_host_devices(host) ||
        !(host->initrd.size != 0 ? open_bundle(host->initrd) : open_builtin())) {
        return false;
    }
    for (uint32_t i = 0; i < plan.vm_count; i++) {
        if (!read_checked(i) || !claim_all(i, free)) {
            return false;
        }
        plan.cpu_count += config.cpu_num;
    }
    return true;
}

// ---- life ----

static void power_on(void *ctx, AxVM *vm, AxVCpuId id)
{
    const Vm *self = ctx;

    (void)vm;
    pcpu_notice(self->first_rank + id);
}

static void fill_random(void *ctx, uint8_t *buffer, size_t size)
{
    random_bytes(ctx, buffer, size);
}

static bool create_one(Vm *vm, uint32_t pcpu_count)
{
    const AxVMParams params = {
        .hal = &demo_hal,
        .machine = machine_ops,
        .config = &config,
        .console = {.put = put_guest_byte, .ctx = vm},
        .hypercall = hypercall,
        .hypercall_ctx = vm,
        .power_on = power_on,
        .power_on_ctx = vm,
        .random = plan.host->has_seed ? fill_random : NULL,
        .random_ctx = &random_source,
        .counter_hz = plan.host->counter_hz,
        .host_isa = plan.host->isa,
        .trap_wait = plan.cpu_count > pcpu_count,
    };
    const char *why = NULL;

    memcpy(vm->name, config.name, sizeof(vm->name));
    vm->vcpu_count = config.cpu_num;
    console_stream_init(&vm->console, &log_console, plan.vm_count == 1 ? NULL : vm->name);

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

bool vms_create(uint32_t pcpu_count)
{
    uint32_t rank = 0;

    for (uint32_t i = 0; i < plan.vm_count; i++) {
        vms[i].index = i;
        if (!read_checked(i) || !create_one(&vms[i], pcpu_count)) {
            while (vm_count > 0) {
                destroy_one(&vms[--vm_count]);
            }
            return false;
        }
        vms[i].first_rank = rank;
        rank += config.cpu_num;
        vm_count++;
    }
    return true;
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
    log_guest_flush(&vm->console);
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

bool vms_reap(uint64_t busy)
{
    bool changed = false;

    for (uint32_t i = 0; i < vm_count; i++) {
        Vm *vm = &vms[i];

        if (vm->live && axvm_status(&vm->vm) == AX_VM_STOPPED &&
            (busy >> i * AX_VM_CPUS_MAX & VCPU_MASK) == 0) {
            end(vm);
            changed = true;
        }
    }
    return changed;
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

void vms_stop_all(void)
{
    for (uint32_t i = 0; i < vm_count; i++) {
        if (vms[i].live) {
            stop_one(&vms[i], AX_VM_STOP_HOST);
        }
    }
}
