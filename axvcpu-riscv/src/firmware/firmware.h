// SPDX-License-Identifier: Apache-2.0
// Firmware calls (Supervisor Binary Interface 2.0): one object per extension in a const table.
#pragma once

#include "riscv.h"

// Arguments are read by riscv_call_arg. The PC is behind the ECALL already.
typedef RISCVNext (*RISCVCallHandler)(RISCVVCpu *vcpu, AxVCpuExit *exit);

typedef struct RISCVExtension {
    uint64_t eid;
    const RISCVCallHandler *functions; // by function id
    size_t function_count;
} RISCVExtension;

extern const RISCVExtension riscv_sbi_base;
extern const RISCVExtension riscv_sbi_time;
extern const RISCVExtension riscv_sbi_ipi;
extern const RISCVExtension riscv_sbi_rfence;
extern const RISCVExtension riscv_sbi_hsm;
extern const RISCVExtension riscv_sbi_srst;
extern const RISCVExtension riscv_sbi_dbcn;
// The legacy extensions have one function each: by extension id, from 0 on.
#define SBI_LEGACY_COUNT 9u
extern const RISCVCallHandler riscv_sbi_legacy[SBI_LEGACY_COUNT];

// Whether calls of `eid` are answered here; those that go to the host do not count.
bool riscv_sbi_has_extension(uint64_t eid);

#define SBI_SUCCESS               INT64_C(0)
#define SBI_ERR_FAILED            INT64_C(-1)
#define SBI_ERR_NOT_SUPPORTED     INT64_C(-2)
#define SBI_ERR_INVALID_PARAM     INT64_C(-3)
#define SBI_ERR_DENIED            INT64_C(-4)
#define SBI_ERR_INVALID_ADDRESS   INT64_C(-5)
#define SBI_ERR_ALREADY_AVAILABLE INT64_C(-6)

#define SBI_ECALL_SIZE 4u

enum { SBI_A0 = 10, SBI_A1 = 11, SBI_A6 = 16, SBI_A7 = 17 };

// Argument n of 0..5. Those that are 32 bits wide are cut by who uses them.
static inline uint64_t riscv_call_arg(const RISCVVCpu *vcpu, uint32_t n)
{
    return riscv_x(vcpu, SBI_A0 + n);
}

static inline bool riscv_call_is_legacy(const RISCVVCpu *vcpu)
{
    return riscv_x(vcpu, SBI_A7) < SBI_LEGACY_COUNT;
}

// Gives the guest its struct sbiret: a0 and a1, with a legacy call a0 only. No other register is
// ever changed.
static inline RISCVNext riscv_call_return(RISCVVCpu *vcpu, int64_t error, uint64_t value)
{
    riscv_set_x(vcpu, SBI_A0, (uint64_t)error);
    if (!riscv_call_is_legacy(vcpu)) {
        riscv_set_x(vcpu, SBI_A1, value);
    }
    return RISCV_RESUME;
}

static inline RISCVNext riscv_call_error(RISCVVCpu *vcpu, int64_t error)
{
    return riscv_call_return(vcpu, error, 0);
}

// AxError of a completed exit to SBI error; entries left out: SBI_ERR_FAILED.
extern const int8_t riscv_console_errors[AX_ERROR_COUNT];

// ---- what legacy calls share with those that replaced them ----

// Hart ids base + i for each bit i of `mask`; every hart of the VM when `all`.
typedef struct RISCVHarts {
    uint64_t mask;
    uint64_t base;
    bool all;
} RISCVHarts;

// Arguments 0 and 1 as hart_mask and hart_mask_base (3.1). False for hart ids beyond 64 bits.
bool riscv_harts_of_call(const RISCVVCpu *vcpu, RISCVHarts *harts);
// Whether nobody, or nobody but the caller, is meant.
bool riscv_harts_are_none(const RISCVHarts *harts);
bool riscv_harts_are_self(const RISCVVCpu *vcpu, const RISCVHarts *harts);

RISCVNext riscv_call_set_timer(RISCVVCpu *vcpu, AxVCpuExit *exit);
RISCVNext riscv_call_write_byte(RISCVVCpu *vcpu, AxVCpuExit *exit);
RISCVNext riscv_send_ipi(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit);
RISCVNext riscv_remote_fence_i(RISCVVCpu *vcpu, const RISCVHarts *harts, AxVCpuExit *exit);
// Arguments `first` and on: start, size, and with has_asid the ASID.
RISCVNext riscv_remote_sfence(RISCVVCpu *vcpu, const RISCVHarts *harts, uint32_t first,
                              bool has_asid, AxVCpuExit *exit);
