// SPDX-License-Identifier: Apache-2.0
/* The console that a guest reaches by calls to its firmware. */
#include "vm_internal.h"

// A call may do less than it was asked for, so that no guest keeps the host busy for long.
#define CHUNK UINT64_C(256)

static uint64_t chunk_of(const AxVCpuExit *exit)
{
    return exit->console.size < CHUNK ? exit->console.size : CHUNK;
}

static void put_all(const AxVM *vm, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count && vm->console.put != NULL; i++) {
        vm->console.put(vm->console.ctx, bytes[i]);
    }
}

static size_t take_all(const AxVM *vm, uint8_t *bytes, size_t room)
{
    size_t count = 0;

    while (count < room && vm->machine->console_take(vm->machine_state, &bytes[count])) {
        count++;
    }
    return count;
}

AxError axvm_on_console_write(const AxRun *run, const AxVCpuExit *exit)
{
    uint8_t bytes[CHUNK] = {exit->console.byte};
    const uint64_t size = exit->console.in_register ? 1 : chunk_of(exit);
    AxError error = AX_OK;

    if (!exit->console.in_register) {
        error = axvm_copy_from_guest(&run->vm->memory, exit->console.addr, bytes, size);
    }
    if (error == AX_OK) {
        put_all(run->vm, bytes, size);
    }
    return axvcpu_complete_call(run->vcpu, error, size);
}

static AxError read_byte(const AxRun *run)
{
    uint8_t byte = 0;
    const bool typed = take_all(run->vm, &byte, 1) == 1;

    return axvcpu_complete_call(run->vcpu, typed ? AX_OK : AX_EAGAIN, byte);
}

AxError axvm_on_console_read(const AxRun *run, const AxVCpuExit *exit)
{
    const uint64_t room = chunk_of(exit);
    uint8_t bytes[CHUNK];
    AxError error = AX_EFAULT;
    size_t count = 0;

    if (exit->console.in_register) {
        return read_byte(run);
    }
    // Checked before anything is taken: what was typed must not be lost.
    if (axvm_in_region(&run->vm->memory, exit->console.addr, room)) {
        count = take_all(run->vm, bytes, room);
        error = axvm_copy_to_guest(&run->vm->memory, exit->console.addr, bytes, count);
    }
    return axvcpu_complete_call(run->vcpu, error, count);
}
