// SPDX-License-Identifier: Apache-2.0
#include "summary.h"

#include "kinds.h"
#include "log.h"

#define KINDS_SIZE 400u
#define NS_PER_MS  UINT64_C(1000000)

static void print_vcpu(const Vm *vm, uint32_t id)
{
    const VCpuCounts *counts = &vm->counts[id];
    char exits[KINDS_SIZE];
    char handled[KINDS_SIZE];
    const uint64_t exit_sum = kinds_print(exits, sizeof(exits), counts->exits);
    const uint64_t handled_sum = kinds_print(handled, sizeof(handled), counts->handled);

    log_line(AX_LOG_INFO, "vm %u vcpu %u: exits %lu (%s), handled %lu (%s), guest time %lu ms",
             vm->index, id, exit_sum, exits, handled_sum, handled, counts->run_ns / NS_PER_MS);
}

static void print_vm(Vm *vm)
{
    vms_count_exits(vm);
    if (vm->live) {
        log_line(AX_LOG_INFO, "vm %u \"%s\": %s", vm->index, vm->name,
                 axvm_status_name(axvm_status(&vm->vm)));
    } else {
        log_line(AX_LOG_INFO, "vm %u \"%s\": ended: %s", vm->index, vm->name,
                 axvm_stop_name(vm->reason));
    }
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        print_vcpu(vm, i);
    }
}

void summary_print(void)
{
    for (uint32_t i = 0; i < vms_count(); i++) {
        print_vm(vms_get(i));
    }
}
