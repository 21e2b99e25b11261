// SPDX-License-Identifier: Apache-2.0
// Power State Coordination Interface 1.1 (DEN 0022). Functions that are not in the table (MIGRATE,
// CPU_FREEZE, SYSTEM_SUSPEND, SET_SUSPEND_MODE, statistics, MEM_PROTECT ...) are optional and return
// NOT_SUPPORTED.
#include "firmware.h"

#include "arm_regs.h"

#define PSCI_VERSION           UINT32_C(0x84000000)
#define PSCI_CPU_SUSPEND       UINT32_C(0x84000001)
#define PSCI_CPU_OFF           UINT32_C(0x84000002)
#define PSCI_CPU_ON            UINT32_C(0x84000003)
#define PSCI_AFFINITY_INFO     UINT32_C(0x84000004)
#define PSCI_MIGRATE_INFO_TYPE UINT32_C(0x84000006)
#define PSCI_SYSTEM_OFF        UINT32_C(0x84000008)
#define PSCI_SYSTEM_RESET      UINT32_C(0x84000009)
#define PSCI_FEATURES          UINT32_C(0x8400000a)
#define PSCI_SYSTEM_RESET2     UINT32_C(0x84000012)

#define PSCI_VERSION_1_1  INT64_C(0x10001)
#define NO_TRUSTED_OS     INT64_C(2) // MIGRATE_INFO_TYPE: migration is not required
#define CPU_SUSPEND_FLAGS INT64_C(0) // original power_state format, no OS-initiated mode

#define PSCI_SUCCESS            INT64_C(0)
#define PSCI_NOT_SUPPORTED      INT64_C(-1)
#define PSCI_INVALID_PARAMETERS INT64_C(-2)
#define PSCI_DENIED             INT64_C(-3)
#define PSCI_ALREADY_ON         INT64_C(-4)
#define PSCI_ON_PENDING         INT64_C(-5)
#define PSCI_INTERNAL_FAILURE   INT64_C(-6)
#define PSCI_NOT_PRESENT        INT64_C(-7)
#define PSCI_DISABLED           INT64_C(-8)
#define PSCI_INVALID_ADDRESS    INT64_C(-9)

// power_state: StateID, StateType, PowerLevel; the rest is zero.
#define POWER_STATE_BITS   (AX_MASK(25, 24) | AX_MASK(16, 0))
#define RESET2_VENDOR      AX_BIT(31)
#define AFFINITY_LEVEL_MAX UINT64_C(3)
#define ENTRY_ALIGNMENT    UINT64_C(4)

static Aarch64Next version(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)call;
    (void)exit;
    return aarch64_call_return(vcpu, PSCI_VERSION_1_1);
}

// A power-down request may be served by a standby state (5.4): the guest finds itself behind the
// call, in the same state, which it must handle because wake-up may come first.
static Aarch64Next cpu_suspend(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    if ((call->args[0] & UINT32_MAX & ~POWER_STATE_BITS) != 0) {
        return aarch64_call_return(vcpu, PSCI_INVALID_PARAMETERS);
    }
    (void)aarch64_call_return(vcpu, PSCI_SUCCESS);
    *exit = (AxVCpuExit){.reason = AX_EXIT_IDLE};
    return AARCH64_EXIT;
}

static Aarch64Next cpu_off(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)vcpu;
    *exit = (AxVCpuExit){.reason = AX_EXIT_CPU_DOWN, .cpu_down = {.state = call->args[0]}};
    return AARCH64_EXIT;
}

static Aarch64Next cpu_on(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    if ((call->args[0] & ~MPIDR_AFF) != 0) {
        return aarch64_call_return(vcpu, PSCI_INVALID_PARAMETERS);
    }
    if (call->args[1] % ENTRY_ALIGNMENT != 0) {
        return aarch64_call_return(vcpu, PSCI_INVALID_ADDRESS);
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CPU_UP,
        .cpu_up = {.target_cpu = call->args[0],
                   .entry = ax_gpa(call->args[1]),
                   .arg = call->args[2]},
    };
    return AARCH64_EXIT;
}

static Aarch64Next affinity_info(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    const uint64_t level = call->args[1] & UINT32_MAX;

    if ((call->args[0] & ~MPIDR_AFF) != 0 || level > AFFINITY_LEVEL_MAX) {
        return aarch64_call_return(vcpu, PSCI_INVALID_PARAMETERS);
    }
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_CPU_STATUS,
        .cpu_status = {.target_cpu = call->args[0], .level = (uint32_t)level},
    };
    return AARCH64_EXIT;
}

static Aarch64Next migrate_info_type(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)call;
    (void)exit;
    return aarch64_call_return(vcpu, NO_TRUSTED_OS);
}

static Aarch64Next system_off(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)call;
    *exit = (AxVCpuExit){.reason = AX_EXIT_SYSTEM_DOWN};
    return AARCH64_EXIT;
}

static Aarch64Next system_reset(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    (void)vcpu;
    (void)call;
    *exit = (AxVCpuExit){.reason = AX_EXIT_SYSTEM_RESET};
    return AARCH64_EXIT;
}

// Type 0 is the one that the architecture defines, a warm reset of the system; a VM has no other
// kind of reset.
static Aarch64Next system_reset2(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    const uint64_t type = call->args[0] & UINT32_MAX;

    if ((type & RESET2_VENDOR) != 0) {
        return aarch64_call_return(vcpu, PSCI_NOT_SUPPORTED);
    }
    if (type != 0) {
        return aarch64_call_return(vcpu, PSCI_INVALID_PARAMETERS);
    }
    return system_reset(vcpu, call, exit);
}

static Aarch64Next features(Aarch64VCpu *vcpu, const Aarch64Call *call, AxVCpuExit *exit)
{
    const uint32_t id = (uint32_t)call->args[0];

    (void)exit;
    if (id != SMCCC_VERSION && aarch64_find_function(&aarch64_psci_service, id) == NULL) {
        return aarch64_call_return(vcpu, PSCI_NOT_SUPPORTED);
    }
    return aarch64_call_return(vcpu, CPU_SUSPEND_FLAGS); // no other function has any
}

static const Aarch64Function functions[] = {
    {PSCI_VERSION, version},
    {PSCI_CPU_SUSPEND, cpu_suspend},
    {PSCI_CPU_SUSPEND | SMCCC_64, cpu_suspend},
    {PSCI_CPU_OFF, cpu_off},
    {PSCI_CPU_ON, cpu_on},
    {PSCI_CPU_ON | SMCCC_64, cpu_on},
    {PSCI_AFFINITY_INFO, affinity_info},
    {PSCI_AFFINITY_INFO | SMCCC_64, affinity_info},
    {PSCI_MIGRATE_INFO_TYPE, migrate_info_type},
    {PSCI_SYSTEM_OFF, system_off},
    {PSCI_SYSTEM_RESET, system_reset},
    {PSCI_FEATURES, features},
    {PSCI_SYSTEM_RESET2, system_reset2},
    {PSCI_SYSTEM_RESET2 | SMCCC_64, system_reset2},
};

const Aarch64Service aarch64_psci_service = {functions, sizeof(functions) / sizeof(functions[0])};

// ---- completions ----

// Entries left out: internal failure.
static const int8_t results[AX_ERROR_COUNT] = {
    [AX_EINVAL] = PSCI_INVALID_PARAMETERS, [AX_ENOENT] = PSCI_INVALID_PARAMETERS,
    [AX_ENOTSUP] = PSCI_NOT_SUPPORTED,     [AX_EPERM] = PSCI_DENIED,
    [AX_EEXIST] = PSCI_ALREADY_ON,         [AX_EBUSY] = PSCI_ON_PENDING,
    [AX_EAGAIN] = PSCI_ON_PENDING,         [AX_ENOHW] = PSCI_NOT_PRESENT,
    [AX_ESTATE] = PSCI_DISABLED,           [AX_EFAULT] = PSCI_INVALID_ADDRESS,
    [AX_ERANGE] = PSCI_INVALID_ADDRESS,    [AX_EALIGN] = PSCI_INVALID_ADDRESS,
};

// AFFINITY_INFO has the numbers of AxCpuPower: on, off, on pending.
static int64_t success(const AxVCpuExit *exit, uint64_t value)
{
    _Static_assert(AX_CPU_ON == 0 && AX_CPU_OFF == 1 && AX_CPU_ON_PENDING == 2, "PSCI 5.7.2");

    if (exit->reason != AX_EXIT_CPU_STATUS) {
        return PSCI_SUCCESS;
    }
    return value <= AX_CPU_ON_PENDING ? (int64_t)value : PSCI_INTERNAL_FAILURE;
}

uint64_t aarch64_psci_result(const AxVCpuExit *exit, AxError result, uint64_t value)
{
    if (result == AX_OK) {
        return (uint64_t)success(exit, value);
    }
    return (uint64_t)(results[result] != 0 ? results[result] : PSCI_INTERNAL_FAILURE);
}
