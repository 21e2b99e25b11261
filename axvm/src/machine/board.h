// SPDX-License-Identifier: Apache-2.0
/* What the boards have in common: from a description to devices on the bus. */
#pragma once

#include <axvm/devices/scratch.h>
#include <axvm/vm.h>

#include "../span.h"

/* What a description leaves out: RAM at `ram_base`, and the `count` devices. */
void axvm_board_defaults(AxVMConfig *config, uint64_t ram_base, const AxVMDevice *devices,
                         uint32_t count);

/* How many devices of `type` (AxEmuDeviceType) there are; *found gets the last of them, if any. */
uint32_t axvm_board_count(const AxVMConfig *config, uint32_t type, const AxVMDevice **found);

/* The highest interrupt number that a device has, 0 when none has one. */
uint32_t axvm_board_max_irq(const AxVMConfig *config);

/* Puts a device on the bus of memory accesses. */
AX_MUST_CHECK AxError axvm_board_add(AxVM *vm, AxSpan span, const AxDeviceOps *ops, void *device,
                                     const char **why);

/* The scratch page, if the description has one. */
AX_MUST_CHECK AxError axvm_board_add_scratch(AxVM *vm, AxScratch *scratch, const char **why);

/* ---- AxMachineOps of boards that have nothing to do for them ---- */

AX_MUST_CHECK AxError axvm_board_start(void *state, const AxVM *vm, AxVCpu *vcpu);
void axvm_board_interrupt_end(void *state, AxVCpu *vcpu, uint64_t vector);
AX_MUST_CHECK AxError axvm_board_interrupt_acknowledge(void *state, AxVCpu *vcpu, uint64_t *vector);
uint64_t axvm_board_poll(void *state);
