// SPDX-License-Identifier: Apache-2.0
// Entry of all ECALLs from VS mode. Nothing is ever passed to the real firmware.
#include "firmware.h"

#include "riscv_regs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// The experimental space (SBI 2.0, 17) belongs to the hypercalls of the host.
#define HYPERCALL_FIRST UINT64_C(0x08000000)
#define HYPERCALL_BITS  24

// The most frequent first.
static const RISCVExtension *const extensions[] = {
    &riscv_sbi_base, &riscv_sbi_time, &riscv_sbi_ipi,  &riscv_sbi_rfence,
    &riscv_sbi_hsm,  &riscv_sbi_srst, &riscv_sbi_dbcn,
};

static const RISCVExtension *find_extension(uint64_t eid)
{
    for (size_t i = 0; i < COUNT(extensions); i++) {
        if (extensions[i]->eid == eid) {
            return extensions[i];
        }
    }
    return NULL;
}

bool riscv_sbi_has_extension(uint64_t eid)
{
    return eid < SBI_LEGACY_COUNT || find_extension(eid) != NULL;
}

static RISCVCallHandler find(const RISCVVCpu *vcpu)
{
    const uint64_t eid = riscv_x(vcpu, SBI_A7);
    const uint64_t fid = riscv_x(vcpu, SBI_A6);
    const RISCVExtension *extension;

    if (riscv_call_is_legacy(vcpu)) {
        return riscv_sbi_legacy[eid];
    }
    extension = find_extension(eid);
    return extension != NULL && fid < extension->function_count ? extension->functions[fid] : NULL;
}

static RISCVNext exit_hypercall(const RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t *a = &vcpu->regs.x[SBI_A0];

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_HYPERCALL,
        .hypercall = {.nr = riscv_x(vcpu, SBI_A7), .args = {a[0], a[1], a[2], a[3], a[4], a[5]}},
    };
    return RISCV_EXIT;
}

static bool is_hypercall(const RISCVVCpu *vcpu)
{
    return riscv_x(vcpu, SBI_A7) >> HYPERCALL_BITS == HYPERCALL_FIRST >> HYPERCALL_BITS;
}

RISCVNext riscv_handle_firmware_call(RISCVVCpu *vcpu, AxVCpuExit *exit)
{
    RISCVCallHandler handle;

    if (is_hypercall(vcpu)) {
        return exit_hypercall(vcpu, exit);
    }
    handle = find(vcpu);
    return handle != NULL ? handle(vcpu, exit) : riscv_call_error(vcpu, SBI_ERR_NOT_SUPPORTED);
}

// ---- harts ----

bool riscv_harts_of_call(const RISCVVCpu *vcpu, RISCVHarts *harts)
{
    const uint64_t mask = riscv_call_arg(vcpu, 0);
    const uint64_t base = riscv_call_arg(vcpu, 1);
    const uint64_t room = UINT64_MAX - base; // the last bit that has a hart id

    *harts = (RISCVHarts){.mask = mask, .base = base, .all = base == UINT64_MAX};
    return harts->all || room >= 63 || mask >> room >> 1 == 0;
}

bool riscv_harts_are_none(const RISCVHarts *harts)
{
    return !harts->all && harts->mask == 0;
}

bool riscv_harts_are_self(const RISCVVCpu *vcpu, const RISCVHarts *harts)
{
    const uint64_t n = vcpu->create.hart_id - harts->base;

    return !harts->all && n < 64 && harts->mask == AX_BIT(n);
}

// ---- completions ----

// Entries left out, here and for the console: SBI_ERR_FAILED.
static const int8_t errors[AX_ERROR_COUNT] = {
    [AX_EINVAL] = SBI_ERR_INVALID_PARAM,     [AX_ENOENT] = SBI_ERR_INVALID_PARAM,
    [AX_ENOTSUP] = SBI_ERR_NOT_SUPPORTED,    [AX_EPERM] = SBI_ERR_DENIED,
    [AX_EEXIST] = SBI_ERR_ALREADY_AVAILABLE, [AX_EBUSY] = SBI_ERR_ALREADY_AVAILABLE,
    [AX_EAGAIN] = SBI_ERR_ALREADY_AVAILABLE, [AX_EFAULT] = SBI_ERR_INVALID_ADDRESS,
    [AX_ERANGE] = SBI_ERR_INVALID_ADDRESS,   [AX_EALIGN] = SBI_ERR_INVALID_ADDRESS,
};

// By kind of exit; NULL for those that are no calls.
static const int8_t *const error_tables[AX_EXIT_COUNT] = {
    [AX_EXIT_HYPERCALL] = errors,
    [AX_EXIT_CPU_UP] = errors,
    [AX_EXIT_CPU_STATUS] = errors,
    [AX_EXIT_SEND_IPI] = errors,
    [AX_EXIT_REMOTE_FENCE] = errors,
    [AX_EXIT_CONSOLE_WRITE] = riscv_console_errors,
    [AX_EXIT_CONSOLE_READ] = riscv_console_errors,
};

static int64_t error_of(const AxVCpuExit *exit, AxError result)
{
    const int8_t error = error_tables[exit->reason][result];

    return error != 0 ? error : SBI_ERR_FAILED;
}

// sbiret.value. Harts have the numbers of AxCpuPower (9, HSM states).
static uint64_t value_of(const AxVCpuExit *exit, uint64_t value)
{
    _Static_assert(AX_CPU_ON == 0 && AX_CPU_OFF == 1 && AX_CPU_ON_PENDING == 2, "SBI 2.0, 9");

    switch (exit->reason) {
    case AX_EXIT_HYPERCALL:
    case AX_EXIT_CPU_STATUS:
    case AX_EXIT_CONSOLE_READ: return value;
    case AX_EXIT_CONSOLE_WRITE: return exit->console.in_register ? 0 : value;
    default: return 0;
    }
}

// A byte, or -1 for whatever went wrong. DBCN has no such call.
static bool is_getchar(const AxVCpuExit *exit)
{
    return exit->reason == AX_EXIT_CONSOLE_READ && exit->console.in_register;
}

AxError riscv_firmware_complete(RISCVVCpu *vcpu, const AxVCpuExit *exit, AxError result,
                                uint64_t value)
{
    if (error_tables[exit->reason] == NULL || (unsigned)result >= AX_ERROR_COUNT) {
        return AX_EINVAL;
    }
    if (is_getchar(exit)) {
        (void)riscv_call_error(vcpu, result == AX_OK ? (int64_t)(value & UINT8_MAX) : -1);
    } else if (result != AX_OK) {
        (void)riscv_call_error(vcpu, error_of(exit, result));
    } else {
        (void)riscv_call_return(vcpu, SBI_SUCCESS, value_of(exit, value));
    }
    return AX_OK;
}
