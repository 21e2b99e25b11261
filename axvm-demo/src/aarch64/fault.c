// SPDX-License-Identifier: Apache-2.0
// Readable dumps of our own exceptions (Arm ARM D1.10.2 vectors, D17.2.37 ESR_EL2).
#include "fault.h"

#include "cpu.h"
#include "crash.h"
#include "log.h"
#include "platform.h"

#define ESR_EC(esr)          (((esr) >> 26) & 0x3f)
#define ESR_DFSC(esr)        ((esr)&0x3f)
#define ESR_WNR              (UINT64_C(1) << 6)
#define EC_UNKNOWN           0x00u
#define EC_DATA_ABORT        0x25u
#define EC_INSTRUCTION_ABORT 0x21u
#define INSTRUCTION_SIZE     4u

static const char *const vector_sources[] = {"EL2 with SP_EL0", "EL2", "a guest", "a 32-bit guest"};
static const char *const vector_kinds[] = {"synchronous exception", "IRQ", "FIQ", "SError"};

// By ESR_EL2.EC.
static const char *const classes[] = {
    [EC_UNKNOWN] = "undefined instruction",
    [0x07] = "FP access",
    [0x0e] = "illegal execution state",
    [0x16] = "HVC",
    [0x17] = "SMC",
    [0x18] = "system register access",
    [EC_INSTRUCTION_ABORT] = "instruction abort",
    [0x22] = "misaligned PC",
    [EC_DATA_ABORT] = "data abort",
    [0x26] = "misaligned SP",
    [0x2f] = "SError",
    [0x3c] = "BRK instruction",
};

// By DFSC or IFSC without the level, which is in the two low bits.
static const char *const faults[] = {
    [0x00 >> 2] = "address size fault", [0x04 >> 2] = "translation fault",
    [0x08 >> 2] = "access flag fault",  [0x0c >> 2] = "permission fault",
    [0x10 >> 2] = "external abort",     [0x20 >> 2] = "alignment fault",
    [0x30 >> 2] = "TLB conflict",
};

static void report_abort(uint64_t esr)
{
    log_line(AX_LOG_ERROR, "%s, level %d, on %s of 0x%016lx",
             crash_name(faults, sizeof(faults) / sizeof(faults[0]), ESR_DFSC(esr) >> 2),
             (int)(ESR_DFSC(esr) & 3),
             ESR_EC(esr) == EC_INSTRUCTION_ABORT ? "fetch"
             : (esr & ESR_WNR) != 0              ? "write"
                                                 : "read",
             CPU_READ(far_el2));
}

static void report_cause(const FaultFrame *frame)
{
    const uint64_t esr = CPU_READ(esr_el2);

    log_line(AX_LOG_ERROR, "the hypervisor took a %s from %s", vector_kinds[frame->kind % 4],
             vector_sources[frame->kind / 4 % 4]);
    if (frame->kind % 4 != 0) {
        return;
    }
    log_line(AX_LOG_ERROR, "ESR 0x%08lx: %s", esr,
             crash_name(classes, sizeof(classes) / sizeof(classes[0]), ESR_EC(esr)));
    if (ESR_EC(esr) == EC_DATA_ABORT || ESR_EC(esr) == EC_INSTRUCTION_ABORT) {
        report_abort(esr);
    }
}

static void report_registers(const FaultFrame *frame)
{
    for (size_t i = 0; i + 2 < 31; i += 3) {
        log_line(AX_LOG_ERROR, "x%-2zu 0x%016lx  x%-2zu 0x%016lx  x%-2zu 0x%016lx", i, frame->x[i],
                 i + 1, frame->x[i + 1], i + 2, frame->x[i + 2]);
    }
    log_line(AX_LOG_ERROR, "x30 0x%016lx  sp  0x%016lx  pc  0x%016lx  pstate 0x%08lx", frame->x[30],
             frame->sp, frame->elr, frame->spsr);
}

void fault_report(FaultFrame *frame)
{
    if (frame->kind == VECTOR_CURRENT_SYNC && crash_is_expected()) {
        frame->elr += INSTRUCTION_SIZE;
        return;
    }
    crash_begin();
    report_cause(frame);
    report_registers(frame);
    crash_backtrace(frame->x[29]);
    platform_exit(false);
}
