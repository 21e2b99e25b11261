// SPDX-License-Identifier: Apache-2.0
// Synchronous exits by exception class (ESR_EL2.EC), and the completions of what they hand out.
#include "arm.h"

#include "arm_regs.h"

#include <stdatomic.h>

#define EC_COUNT 64

// Condition code of a trapped AArch32 instruction (ESR_ELx, "ISS encoding for ... MCR or MRC").
#define ESR_ELX_COND_CV AX_BIT(24)
#define ESR_ELX_COND    AX_MASK(23, 20)
#define CONDITION_AL    UINT64_C(0xe)

#define PSTATE_V          AX_BIT(28)
#define PSTATE_C          AX_BIT(29)
#define PSTATE_Z          AX_BIT(30)
#define PSTATE_N          AX_BIT(31)
#define PSTATE_IT_LOW     AX_MASK(26, 25) // IT<1:0>
#define PSTATE_IT_HIGH    AX_MASK(15, 10) // IT<7:2>
#define IT_BASE_CONDITION AX_MASK(7, 4)

typedef Aarch64Next (*ExitHandler)(Aarch64VCpu *vcpu, AxVCpuExit *exit);

typedef struct ExceptionClass {
    ExitHandler handle;
    AxVCpuExitReason kind; // counted as, when it is finished here
    bool conditional;      // the syndrome of an AArch32 instruction has a condition code
} ExceptionClass;

static uint64_t exception_class(const Aarch64VCpu *vcpu)
{
    return ax_get(vcpu->syndrome.esr, ESR_ELX_EC);
}

// ---- AArch32 at EL0: conditional instructions ----

static uint64_t it_state(uint64_t pstate)
{
    return ax_get(pstate, PSTATE_IT_HIGH) << 2 | ax_get(pstate, PSTATE_IT_LOW);
}

static uint64_t with_it_state(uint64_t pstate, uint64_t it)
{
    return (pstate & ~(PSTATE_IT_HIGH | PSTATE_IT_LOW)) | ax_put(it >> 2, PSTATE_IT_HIGH) |
           ax_put(it, PSTATE_IT_LOW);
}

// ITAdvance() of the Arm ARM: the block ends when no instruction is left in it.
static uint64_t advance_it_state(uint64_t it)
{
    return (it & 7) == 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f);
}

// ConditionHolds() of the Arm ARM.
static bool condition_holds(uint64_t condition, uint64_t pstate)
{
    const bool n = (pstate & PSTATE_N) != 0;
    const bool z = (pstate & PSTATE_Z) != 0;
    const bool c = (pstate & PSTATE_C) != 0;
    const bool v = (pstate & PSTATE_V) != 0;
    const bool base[] = {z, c, n, v, c && !z, n == v, n == v && !z, true};
    const bool holds = base[(condition >> 1) & 7];

    return (condition & 1) != 0 && condition != 0xf ? !holds : holds;
}

// The hardware may trap a conditional instruction although its condition fails.
static AARCH64_RARE bool is_skipped(const Aarch64VCpu *vcpu)
{
    const uint64_t esr = vcpu->syndrome.esr;
    const uint64_t pstate = vcpu->regs.pstate;
    uint64_t condition = CONDITION_AL;

    if ((esr & ESR_ELX_COND_CV) != 0) {
        condition = ax_get(esr, ESR_ELX_COND);
    } else if (it_state(pstate) != 0) {
        condition = ax_get(it_state(pstate), IT_BASE_CONDITION);
    }
    return !condition_holds(condition, pstate);
}

void aarch64_advance_a32(Aarch64VCpu *vcpu)
{
    uint64_t *pstate = &vcpu->regs.pstate;

    vcpu->regs.pc += (vcpu->syndrome.esr & ESR_ELX_IL) != 0 ? 4 : 2;
    *pstate &= ~PSTATE_SS;
    if ((*pstate & PSTATE_T32) != 0) {
        *pstate = with_it_state(*pstate, advance_it_state(it_state(*pstate)));
    }
}

// ---- handlers ----

Aarch64Next aarch64_exit_unhandled(const Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const uint64_t page = ax_get(vcpu->syndrome.hpfar, HPFAR_EL2_FIPA) * AX_PAGE_SIZE;

    *exit = (AxVCpuExit){
        .reason = AX_EXIT_UNHANDLED,
        .unhandled = {.cause = vcpu->syndrome.esr,
                      .info = vcpu->syndrome.far,
                      .addr = ax_gpa(page),
                      .pc = ax_gva(vcpu->regs.pc)},
    };
    return AARCH64_EXIT;
}

static Aarch64Next handle_unhandled(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    return aarch64_exit_unhandled(vcpu, exit);
}

static Aarch64Next handle_undefined(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    aarch64_inject_undefined(vcpu);
    return AARCH64_RESUME;
}

// Exceptions that belong to EL1, should the CPU ever route one here.
static Aarch64Next handle_reflect(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    aarch64_reflect_sync(vcpu);
    return AARCH64_RESUME;
}

// WFI blocks. The others (WFE, and WFIT and WFET, which may end at any time) only yield, so that a
// guest which spins on a lock lets others run.
static Aarch64Next handle_wait(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const bool is_wfi = ax_get(vcpu->syndrome.esr, ESR_ELX_WFX_TI) == 0;

    aarch64_advance_pc(vcpu);
    *exit = (AxVCpuExit){.reason = is_wfi ? AX_EXIT_IDLE : AX_EXIT_NOTHING};
    return AARCH64_EXIT;
}

// The guest's own CPACR_EL1 traps to EL1 first, so this is the first use since the vCPU was bound.
static Aarch64Next handle_fp(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    if (vcpu->fp_loaded) {
        return handle_undefined(vcpu, exit);
    }
    aarch64_fp_use(vcpu);
    return AARCH64_RESUME;
}

// SMCCC 2.9: immediates other than 0 are reserved.
static Aarch64Next handle_call(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    if ((vcpu->syndrome.esr & ESR_ELX_HVC_IMM) != 0) {
        aarch64_set_x(vcpu, 0, UINT64_MAX);
        return AARCH64_RESUME;
    }
    return aarch64_handle_firmware_call(vcpu, exit);
}

// A trapped SMC returns to itself, an HVC behind itself.
static Aarch64Next handle_smc(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    aarch64_advance_pc(vcpu);
    return handle_call(vcpu, exit);
}

static Aarch64Next handle_debug(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    *exit = (AxVCpuExit){
        .reason = AX_EXIT_DEBUG,
        .exception = {.vector = exception_class(vcpu),
                      .syndrome = vcpu->syndrome.esr & ESR_ELX_ISS,
                      .addr = ax_gva(vcpu->syndrome.far),
                      .pc = ax_gva(vcpu->regs.pc)},
    };
    return AARCH64_EXIT;
}

#define UNHANDLED                                  \
    {                                              \
        handle_unhandled, AX_EXIT_UNHANDLED, false \
    }
#define UNDEFINED                                  \
    {                                              \
        handle_undefined, AX_EXIT_EXCEPTION, false \
    }
#define UNDEFINED_A32                             \
    {                                             \
        handle_undefined, AX_EXIT_EXCEPTION, true \
    }
#define REFLECT                                  \
    {                                            \
        handle_reflect, AX_EXIT_EXCEPTION, false \
    }
#define DEBUG                              \
    {                                      \
        handle_debug, AX_EXIT_DEBUG, false \
    }

// Classes that are not allocated in the architecture stay empty: unhandled, like those that only an
// exception from EL2 itself can have.
static const ExceptionClass classes[EC_COUNT] = {
    [ESR_ELX_EC_UNKNOWN] = UNDEFINED,
    [ESR_ELX_EC_WFX] = {handle_wait, AX_EXIT_IDLE, true},
    [ESR_ELX_EC_CP15_32] = UNDEFINED_A32,
    [ESR_ELX_EC_CP15_64] = UNDEFINED_A32,
    [ESR_ELX_EC_CP14_32] = UNDEFINED_A32,
    [ESR_ELX_EC_CP14_LDC] = UNDEFINED_A32,
    [ESR_ELX_EC_FP] = {handle_fp, AX_EXIT_EXCEPTION, true},
    [ESR_ELX_EC_CP10_ID] = UNDEFINED_A32,
    [ESR_ELX_EC_PAC] = UNDEFINED,
    [ESR_ELX_EC_LS64] = UNDEFINED,
    [ESR_ELX_EC_CP14_64] = UNDEFINED_A32,
    [ESR_ELX_EC_BTI] = REFLECT,
    [ESR_ELX_EC_ILLEGAL] = REFLECT,
    [ESR_ELX_EC_SVC32] = REFLECT,
    [ESR_ELX_EC_HVC32] = UNDEFINED,
    [ESR_ELX_EC_SMC32] = UNDEFINED_A32,
    [ESR_ELX_EC_SYSREG128] = UNDEFINED,
    [ESR_ELX_EC_SVC64] = REFLECT,
    [ESR_ELX_EC_HVC64] = {handle_call, AX_EXIT_HYPERCALL, false},
    [ESR_ELX_EC_SMC64] = {handle_smc, AX_EXIT_HYPERCALL, false},
    [ESR_ELX_EC_SYSREG] = {aarch64_handle_sysreg, AX_EXIT_SYSREG_READ, false},
    [ESR_ELX_EC_SVE] = UNDEFINED,
    [ESR_ELX_EC_ERET] = UNDEFINED,
    [ESR_ELX_EC_TSTART] = UNDEFINED,
    [ESR_ELX_EC_PACFAIL] = REFLECT,
    [ESR_ELX_EC_SME] = UNDEFINED,
    [ESR_ELX_EC_GPC] = UNHANDLED,
    [ESR_ELX_EC_IABT_LOW] = {aarch64_handle_instruction_abort, AX_EXIT_NESTED_PAGE_FAULT, false},
    [ESR_ELX_EC_IABT_CUR] = UNHANDLED,
    [ESR_ELX_EC_PC_ALIGN] = REFLECT,
    [ESR_ELX_EC_DABT_LOW] = {aarch64_handle_data_abort, AX_EXIT_NESTED_PAGE_FAULT, false},
    [ESR_ELX_EC_DABT_CUR] = UNHANDLED,
    [ESR_ELX_EC_SP_ALIGN] = REFLECT,
    [ESR_ELX_EC_MOPS] = REFLECT,
    [ESR_ELX_EC_FP32] = REFLECT,
    [ESR_ELX_EC_FP64] = REFLECT,
    [ESR_ELX_EC_GCS] = REFLECT,
    [ESR_ELX_EC_SERROR] = UNHANDLED, // has a vector of its own
    [ESR_ELX_EC_BREAK_LOW] = DEBUG,
    [ESR_ELX_EC_BREAK_CUR] = UNHANDLED,
    [ESR_ELX_EC_STEP_LOW] = DEBUG,
    [ESR_ELX_EC_STEP_CUR] = UNHANDLED,
    [ESR_ELX_EC_WATCH_LOW] = DEBUG,
    [ESR_ELX_EC_WATCH_CUR] = UNHANDLED,
    [ESR_ELX_EC_BKPT32] = DEBUG,
    [ESR_ELX_EC_VECTOR32] = DEBUG,
    [ESR_ELX_EC_BRK64] = DEBUG,
    [ESR_ELX_EC_PMU] = UNHANDLED,
};

// Only a class of its own has a kind per direction.
static AxVCpuExitReason counted_as(const Aarch64VCpu *vcpu, const ExceptionClass *class)
{
    if (class->kind == AX_EXIT_SYSREG_READ && (vcpu->syndrome.esr & ESR_ELX_SYS_READ) == 0) {
        return AX_EXIT_SYSREG_WRITE;
    }
    return class->kind;
}

static AARCH64_RARE bool skip_in_aarch32(Aarch64VCpu *vcpu)
{
    const bool skipped = is_skipped(vcpu);

    if (skipped) {
        aarch64_advance_pc(vcpu);
    }
    return skipped;
}

static Aarch64Next dispatch(Aarch64VCpu *vcpu, const ExceptionClass *class, AxVCpuExit *exit)
{
    if (class->conditional && (vcpu->regs.pstate & PSTATE_NRW) != 0 && skip_in_aarch32(vcpu)) {
        return AARCH64_RESUME;
    }
    return class->handle(vcpu, exit);
}

Aarch64Next aarch64_handle_sync(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    const ExceptionClass *class = &classes[exception_class(vcpu)];
    Aarch64Next next;

    if (class->handle == NULL) {
        return aarch64_exit_unhandled(vcpu, exit);
    }
    next = dispatch(vcpu, class, exit);
    if (next == AARCH64_RESUME) {
        axvcpu_count(&vcpu->env.stats->handled[counted_as(vcpu, class)], 1);
    }
    return next;
}

// An error that reached the CPU while the guest ran is the guest's: it gets it as its own SError.
Aarch64Next aarch64_handle_serror(Aarch64VCpu *vcpu, AxVCpuExit *exit)
{
    (void)exit;
    vcpu->serror_pending = true;
    axvcpu_count(&vcpu->env.stats->handled[AX_EXIT_EXCEPTION], 1);
    return AARCH64_RESUME;
}

// ---- completions ----

AxError aarch64_complete_read(void *arch, const AxVCpuExit *exit, uint64_t value)
{
    Aarch64VCpu *vcpu = arch;

    if (exit->reason == AX_EXIT_MMIO_READ) {
        return aarch64_complete_mmio(vcpu, exit, value);
    }
    if (exit->reason != AX_EXIT_SYSREG_READ) {
        return AX_EINVAL;
    }
    aarch64_set_x(vcpu, exit->sysreg.reg, value);
    aarch64_advance_pc(vcpu);
    return AX_OK;
}

AxError aarch64_complete_write(void *arch, const AxVCpuExit *exit)
{
    Aarch64VCpu *vcpu = arch;

    if (exit->reason == AX_EXIT_MMIO_WRITE) {
        return aarch64_complete_mmio(vcpu, exit, 0);
    }
    if (exit->reason != AX_EXIT_SYSREG_WRITE) {
        return AX_EINVAL;
    }
    aarch64_advance_pc(vcpu);
    return AX_OK;
}

static bool is_call(const AxVCpuExit *exit)
{
    return exit->reason == AX_EXIT_HYPERCALL || exit->reason == AX_EXIT_CPU_UP ||
           exit->reason == AX_EXIT_CPU_STATUS;
}

AxError aarch64_complete_call(void *arch, const AxVCpuExit *exit, AxError result, uint64_t value)
{
    if ((unsigned)result >= AX_ERROR_COUNT) {
        return AX_EINVAL;
    }
    if (is_call(exit)) {
        aarch64_set_x(arch, 0, aarch64_firmware_result(exit, result, value));
        return AX_OK;
    }
    // A register that was written tells nothing.
    return exit->reason == AX_EXIT_SEND_IPI ? AX_OK : AX_EINVAL;
}

// A call nobody answers is not supported; a register nobody has is undefined; an address where
// nothing is gives an external abort.
AxError aarch64_complete_fault(void *arch, const AxVCpuExit *exit)
{
    Aarch64VCpu *vcpu = arch;

    if (is_call(exit)) {
        return aarch64_complete_call(vcpu, exit, AX_ENOTSUP, 0);
    }
    switch (exit->reason) {
    case AX_EXIT_SEND_IPI: return AX_OK;
    case AX_EXIT_SYSREG_READ:
    case AX_EXIT_SYSREG_WRITE: aarch64_inject_undefined(vcpu); return AX_OK;
    case AX_EXIT_MMIO_READ:
    case AX_EXIT_MMIO_WRITE:
    case AX_EXIT_NESTED_PAGE_FAULT:
        vcpu->split_step = AARCH64_SPLIT_NONE;
        aarch64_inject_abort(vcpu, exception_class(vcpu) == ESR_ELX_EC_IABT_LOW);
        return AX_OK;
    default: return AX_EINVAL;
    }
}
