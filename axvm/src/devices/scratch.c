// SPDX-License-Identifier: Apache-2.0
#include <axvm/devices/scratch.h>

#include <string.h>

void axvm_scratch_init(AxScratch *scratch)
{
    memset(scratch, 0, sizeof(*scratch));
}

static AxError scratch_read(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                            uint64_t *value)
{
    AxScratch *const scratch = device;
    uint64_t read = 0;

    (void)vcpu;
    ax_lock(&scratch->lock);
    for (unsigned i = width; i-- > 0;) {
        read = read << 8 | scratch->bytes[offset + i];
    }
    ax_unlock(&scratch->lock);
    *value = read;
    return AX_OK;
}

static AxError scratch_write(void *device, AxVCpu *vcpu, uint64_t offset, AccessWidth width,
                             uint64_t value)
{
    AxScratch *const scratch = device;

    (void)vcpu;
    ax_lock(&scratch->lock);
    for (unsigned i = 0; i < width; i++) {
        scratch->bytes[offset + i] = (uint8_t)(value >> 8 * i);
    }
    ax_unlock(&scratch->lock);
    return AX_OK;
}

const AxDeviceOps axvm_scratch_ops = {
    .name = "scratch",
    .read = scratch_read,
    .write = scratch_write,
};
