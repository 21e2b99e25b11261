// SPDX-License-Identifier: Apache-2.0
/*
 * Scratch device: a page of memory of which each access leaves the guest. A test aid: with it a
 * guest checks every form of load and store that the backend must emulate.
 */
#pragma once

#include <axvm/device.h>
#include <axvm/lock.h>

#define AX_SCRATCH_SIZE 4096u

typedef struct AxScratch {
    AxLock lock;
    uint8_t bytes[AX_SCRATCH_SIZE];
} AxScratch;

extern const AxDeviceOps axvm_scratch_ops;

/* All bytes zero, as after a reset of the VM. */
void axvm_scratch_init(AxScratch *scratch);
