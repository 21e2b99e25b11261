// SPDX-License-Identifier: Apache-2.0
#include <fake_arch.h>

#include <string.h>

static AxError hardware_error;
static AxError init_error;

void fake_set_hardware(AxError error)
{
    hardware_error = error;
}

void fake_set_percpu_init(AxError error)
{
    init_error = error;
}

AxError fake_hardware_check(const char **reason)
{
    if (hardware_error != AX_OK && reason != NULL) {
        *reason = "the test switched the fake hardware off";
    }
    return hardware_error;
}

AxError fake_guest_isa(const char *host, char *buffer, size_t room)
{
    const size_t size = host == NULL ? 1 : strlen(host) + 1;

    if (size == 1) {
        return AX_EINVAL;
    }
    if (size > room) {
        return AX_ENOSPC;
    }
    memcpy(buffer, host, size);
    return AX_OK;
}

static AxError init(void *arch, AxPCpuId id, const AxVCpuHal *hal)
{
    FakePerCpu *percpu = arch;

    if (init_error != AX_OK) {
        return init_error;
    }
    memset(percpu, 0, sizeof(*percpu));
    percpu->id = id;
    percpu->hal = hal;
    percpu->caps = (AxPerCpuCaps){.ept_levels = 4, .gpa_bits = 48, .tag_bits = 8};
    return AX_OK;
}

// Counts the call, checks the switch, and returns an injected failure once.
static AxError begin(FakePerCpu *percpu, FakePerCpuOp op, bool expected)
{
    const AxError error = percpu->fail[op];

    percpu->calls[op]++;
    percpu->violations += percpu->enabled != expected;
    percpu->violations += percpu->hal->this_pcpu(percpu->hal->ctx) != percpu->id;
    percpu->fail[op] = AX_OK;
    return error;
}

static AxError enable(void *arch)
{
    FakePerCpu *percpu = arch;
    AxError error = begin(percpu, FAKE_PERCPU_ENABLE, false);

    if (error == AX_OK) {
        error = hardware_error;
    }
    percpu->enabled = error == AX_OK;
    return error;
}

static AxError disable(void *arch)
{
    FakePerCpu *percpu = arch;
    const AxError error = begin(percpu, FAKE_PERCPU_DISABLE, true);

    percpu->violations += percpu->bound != NULL;
    percpu->enabled = error != AX_OK;
    return error;
}

static AxPerCpuCaps caps(const void *arch)
{
    const FakePerCpu *percpu = arch;

    return percpu->caps;
}

const AxArchPerCpuOps fake_percpu_ops = {
    .name = "fake",
    .init = init,
    .enable = enable,
    .disable = disable,
    .caps = caps,
};
