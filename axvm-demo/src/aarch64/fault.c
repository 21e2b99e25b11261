// SPDX-License-Identifier: Apache-2.0
// Readable dumps of our own exceptions (Arm ARM D1.10.2 vectors, D17.2.37 ESR_EL2).
#include "fault.h"

#include "cpu.h"
#include "log.h"
#include "platform.h"

#define ESR_EC(esr)          (((esr) >> 26) & 0x3f)
#define ESR_DFSC(esr)        ((esr)&0x3f)
#define ESR_WNR              (UINT64_C(1) << 6)
#define EC_UNKNOWN           0x00u
#define EC_DATA_ABORT        0x25u
#define EC_INSTRUCTION_ABORT 0x21u
#define BACKTRACE_MAX        24u
#define INSTRUCTION_SIZE     4u

extern char stacks[], image_end[];

typedef struct Code {
    uint64_t value;
    const char *text;
} Code;

static const char *const vector_sources[] = {"EL2 with SP_EL0", "EL2", "a guest", "a 32-bit guest"};
static const char *const vector_kinds[] = {"synchronous exception", "IRQ", "FIQ", "SError"};

static const Code classes[] = {
    {EC_UNKNOWN, "undefined instruction"},
    {0x07, "FP access"},
    {0x0e, "illegal execution state"},
    {0x16, "HVC"},
    {0x17, "SMC"},
    {0x18, "system register access"},
    {EC_INSTRUCTION_ABORT, "instruction abort"},
    {0x22, "misaligned PC"},
    {EC_DATA_ABORT, "data abort"},
    {0x26, "misaligned SP"},
    {0x2f, "SError"},
    {0x3c, "BRK instruction"},
};

// DFSC and IFSC without the level, which is in the two low bits.
static const Code faults[] = {
    {0x00, "address size fault"}, {0x04, "translation fault"}, {0x08, "access flag fault"},
    {0x0c, "permission fault"},   {0x10, "external abort"},    {0x20, "alignment fault"},
    {0x30, "TLB conflict"},
};

// An exception that platform code provokes to find out something. Only the boot CPU does.
static volatile bool expected;
static volatile bool happened;

static const char *find(const Code *codes, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i].value == value) {
            return codes[i].text;
        }
    }
    return "other cause";
}

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

static void report_abort(uint64_t esr)
{
    log_line(AX_LOG_ERROR, "%s, level %d, on %s of 0x%016lx",
             find(faults, sizeof(faults) / sizeof(faults[0]), ESR_DFSC(esr) & ~UINT64_C(3)),
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
             find(classes, sizeof(classes) / sizeof(classes[0]), ESR_EC(esr)));
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

static bool on_stack(uint64_t addr)
{
    return (addr & STACK_SIZE) == 0 && addr >= (uintptr_t)stacks &&
           addr + 16 <= (uintptr_t)image_end && addr % 16 == 0;
}

// Frame records of the procedure call standard (AAPCS64 6.4.6): next record, return address.
static void report_backtrace(const FaultFrame *frame)
{
    uint64_t record = frame->x[29];

    log_line(AX_LOG_ERROR, "called from (addr2line -e axvm-demo.elf):");
    for (unsigned i = 0; i < BACKTRACE_MAX && on_stack(record); i++) {
        const uint64_t *words = (const uint64_t *)(uintptr_t)record;

        log_line(AX_LOG_ERROR, "  0x%lx", words[1]);
        if (words[0] <= record) {
            return;
        }
        record = words[0];
    }
}

void fault_report(FaultFrame *frame)
{
    static bool reporting;

    if (expected && frame->kind == VECTOR_CURRENT_SYNC) {
        expected = false;
        happened = true;
        frame->elr += INSTRUCTION_SIZE;
        return;
    }
    if (reporting) {
        platform_exit(false);
    }
    reporting = true;
    log_break_lock();
    report_cause(frame);
    report_registers(frame);
    report_backtrace(frame);
    platform_exit(false);
}
