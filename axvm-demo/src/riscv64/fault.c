// SPDX-License-Identifier: Apache-2.0
// Readable dumps of our own exceptions (Privileged Architecture 4.1.8 scause, 8.6.1 the same with H).
#include "fault.h"

#include "cpu.h"
#include "log.h"
#include "platform.h"

#define SCAUSE_INTERRUPT   (UINT64_C(1) << 63)
#define BACKTRACE_MAX      24u
#define INSTRUCTION_SIZE   4u
#define REG_RA             1u
#define REG_FP             8u
#define FRAME_RECORD_WORDS 2u

extern char stacks[], image_end[];

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

// An exception that platform code provokes to find out something. Only the boot hart does.
static volatile bool expected;
static volatile bool happened;

void fault_expect(void)
{
    happened = false;
    expected = true;
}

bool fault_happened(void)
{
    expected = false;
    return happened;
}

static const char *find(uint64_t cause)
{
    const bool known = cause < sizeof(causes) / sizeof(causes[0]) && causes[cause] != NULL;

    return known ? causes[cause] : "other cause";
}

static void report_cause(void)
{
    const uint64_t cause = CPU_READ(scause);

    log_line(AX_LOG_ERROR, "the hypervisor took an %s",
             (cause & SCAUSE_INTERRUPT) != 0 ? "interrupt" : "exception");
    log_line(AX_LOG_ERROR, "scause 0x%lx: %s, stval 0x%016lx", cause, find(cause), CPU_READ(stval));
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

// The end of a frame: below it lie the return address and the frame pointer of the caller.
static bool on_stack(uint64_t addr)
{
    return addr % 16 == 0 && addr >= (uintptr_t)stacks + 16 && addr <= (uintptr_t)image_end &&
           ((addr - 1) & STACK_SIZE) == 0;
}

static void report_backtrace(const FaultFrame *frame)
{
    uint64_t fp = frame->x[REG_FP];

    log_line(AX_LOG_ERROR, "called from (addr2line -e axvm-demo.elf):");
    for (unsigned i = 0; i < BACKTRACE_MAX && on_stack(fp); i++) {
        const uint64_t *words = (const uint64_t *)(uintptr_t)fp - FRAME_RECORD_WORDS;
        // A function that calls none has saved the frame pointer alone, in place of the address.
        const bool leaf = i == 0 && on_stack(words[1]);
        const uint64_t next = leaf ? words[1] : words[0];

        log_line(AX_LOG_ERROR, "  0x%lx", leaf ? frame->x[REG_RA] : words[1]);
        if (next <= fp) {
            return;
        }
        fp = next;
    }
}

void fault_report(FaultFrame *frame)
{
    static bool reporting;

    if (expected && (CPU_READ(scause) & SCAUSE_INTERRUPT) == 0) {
        expected = false;
        happened = true;
        frame->sepc += INSTRUCTION_SIZE;
        return;
    }
    if (reporting) {
        platform_exit(false);
    }
    reporting = true;
    log_break_lock();
    report_cause();
    report_registers(frame);
    report_backtrace(frame);
    platform_exit(false);
}
