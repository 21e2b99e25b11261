// SPDX-License-Identifier: Apache-2.0
// Readable dumps of our own exceptions (Privileged Architecture 4.1.8 scause, 8.6.1 the same with H).
#include "fault.h"

#include "cpu.h"
#include "crash.h"
#include "log.h"
#include "platform.h"

#define SCAUSE_INTERRUPT (UINT64_C(1) << 63)
#define INSTRUCTION_SIZE 4u
#define REG_RA           1u
#define REG_FP           8u

// By scause.
static const char *const causes[] = {
    [0] = "misaligned PC",
    [1] = "instruction access fault",
    [2] = "illegal instruction",
    [3] = "EBREAK instruction",
    [4] = "misaligned load",
    [5] = "load access fault",
    [6] = "misaligned store",
    [7] = "store access fault",
    [8] = "ECALL from U mode",
    [9] = "ECALL from S mode",
    [10] = "ECALL from VS mode",
    [12] = "instruction page fault",
    [13] = "load page fault",
    [15] = "store page fault",
    [20] = "instruction guest-page fault",
    [21] = "load guest-page fault",
    [22] = "virtual instruction",
    [23] = "store guest-page fault",
};

static void report_cause(void)
{
    const uint64_t cause = CPU_READ(scause);

    log_line(AX_LOG_ERROR, "the hypervisor took an %s",
             (cause & SCAUSE_INTERRUPT) != 0 ? "interrupt" : "exception");
    log_line(AX_LOG_ERROR, "scause 0x%lx: %s, stval 0x%016lx", cause,
             crash_name(causes, sizeof(causes) / sizeof(causes[0]), cause), CPU_READ(stval));
}

static void report_registers(const FaultFrame *frame)
{
    for (size_t i = 1; i + 2 < 32; i += 3) {
        log_line(AX_LOG_ERROR, "x%-2zu 0x%016lx  x%-2zu 0x%016lx  x%-2zu 0x%016lx", i, frame->x[i],
                 i + 1, frame->x[i + 1], i + 2, frame->x[i + 2]);
    }
    log_line(AX_LOG_ERROR, "x31 0x%016lx  pc  0x%016lx  sstatus 0x%016lx", frame->x[31],
             frame->sepc, frame->sstatus);
}

// A function that calls none has saved the frame pointer alone, in place of the return address.
static void report_backtrace(const FaultFrame *frame)
{
    const uint64_t fp = frame->x[REG_FP];
    const uint64_t *words = (const uint64_t *)(uintptr_t)fp;

    if (crash_is_record(fp - FRAME_RECORD_BELOW) &&
        crash_is_record(words[-1] - FRAME_RECORD_BELOW)) {
        log_line(AX_LOG_ERROR, "called from 0x%lx", frame->x[REG_RA]);
        crash_backtrace(words[-1]);
    } else {
        crash_backtrace(fp);
    }
}

void fault_report(FaultFrame *frame)
{
    if ((CPU_READ(scause) & SCAUSE_INTERRUPT) == 0 && crash_is_expected()) {
        frame->sepc += INSTRUCTION_SIZE;
        return;
    }
    crash_begin();
    report_cause();
    report_registers(frame);
    report_backtrace(frame);
    platform_exit(false);
}
